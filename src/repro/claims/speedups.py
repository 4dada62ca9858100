"""Judges of what the second paper says about time, from pairs of networks recorded by this project.

Source of the statements: Searching for Fast Model Families on Datacenter Accelerators, sections 3,
5 and 6, Tables 3 and 4, about V100s and TPUs of 2020. A claim is judged on every machine that has
all of its networks, and says which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import geometric_mean
from typing import Any, Literal

from repro.claims.claim import Claim
from repro.claims.judging import (
    NotTestable,
    Point,
    Points,
    at_least,
    holds,
    judge_function,
    on_each,
)
from repro.evidence.timings import rates
from repro.stored import RECORD_GPU

Pair = tuple[str, str]
"""Two networks by the names under which they were timed: the faster one, and the other."""
Gains = dict[Pair, float]


def _on_all(
    pairs: list[Pair], protocol: dict[str, Any], judged: Callable[[Gains], Iterable[Point]]
) -> Points:
    """Points of every machine on which all pairs were timed."""
    conditions = ", ".join(f"{k} {v}".replace("_", " ") for k, v in protocol.items() if v)

    def of_machine(_: str, known: dict[str, float]) -> Iterable[Point]:
        lacks = list(dict.fromkeys(n for pair in pairs for n in pair if n not in known))
        if lacks:
            more = f" and {len(lacks) - 3} more" * (len(lacks) > 3)
            raise NotTestable(", ".join(lacks[:3]) + more)
        return judged({(a, b): known[a] / known[b] for a, b in pairs})

    missing = f"Needs times of its networks, all together on one machine ({conditions})"
    return on_each(rates(protocol), of_machine, missing, RECORD_GPU)


@judge_function("our measurement")
def recorded_gain(
    claim: Claim,
    pairs: list[Pair],
    which: Literal["mean", "largest"],
    bound: float,
    protocol: dict[str, Any],
) -> Points:
    """The geometric mean, or the largest, of recorded speed-ups reaches a bound."""

    def judged(gains: Gains) -> Iterable[Point]:
        if which == "mean":
            found, label = geometric_mean(gains.values()), f"mean of {len(gains)}"
        else:
            best = max(gains, key=lambda pair: gains[pair])
            found, label = gains[best], f"{best[0]} over {best[1]}"
        yield at_least(label, bound, found, ".2f", unit=" times as fast")

    return _on_all(pairs, protocol, judged)


@judge_function("our measurement")
def recorded_order(claim: Claim, pairs: list[Pair], protocol: dict[str, Any]) -> Points:
    """In every pair the first network handles more images per second."""

    def judged(gains: Gains) -> Iterable[Point]:
        for (a, b), gain in gains.items():
            yield holds(a, f"faster than {b}", f"{gain:.2f} times as fast", gain > 1)

    return _on_all(pairs, protocol, judged)
