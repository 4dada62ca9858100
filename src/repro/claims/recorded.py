"""Judges of the second paper's statements about time, from timings recorded by this project.

Source of the statements: Searching for Fast Model Families on Datacenter Accelerators, sections 3,
5 and 6, Tables 3 and 4, about V100s and TPUs of 2020. A claim is judged on every machine that has
all the timings it asks for; where none has, it is not testable and says which kind is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import geometric_mean
from typing import Any, Literal

from repro.claims.claim import Claim
from repro.claims.judging import Point, at_least, holds, judge_function, on_each
from repro.evidence.timings import rates
from repro.stored import RECORD_X

Pair = tuple[str, str]
"""Two networks by the names under which they were timed: the faster one, and the other."""
Gains = dict[Pair, float]


def _on_each(
    pairs: list[Pair], protocol: dict[str, Any], judged: Callable[[Gains], Iterable[Point]]
) -> list[Point]:
    """Points of every machine on which all pairs were timed.

    Raises:
        NotTestable: there is none; in the same words for all claims of one protocol.
    """
    names = {name for pair in pairs for name in pair}
    gains = {
        machine: {(a, b): known[a] / known[b] for a, b in pairs}
        for machine, known in rates(protocol).items()
        if names <= known.keys()
    }
    conditions = ", ".join(f"{k} {v}".replace("_", " ") for k, v in protocol.items() if v)
    return on_each(
        gains,
        lambda _, found: judged(found),
        "Needs timings of its networks, all of them together on one machine, and no machine has"
        f" them in data/records ({conditions}). This records them: {RECORD_X}",
    )


@judge_function
def recorded_gain(
    claim: Claim,
    pairs: list[Pair],
    which: Literal["mean", "largest"],
    bound: float,
    protocol: dict[str, Any],
) -> list[Point]:
    """The geometric mean, or the largest, of recorded speed-ups reaches a bound."""

    def judged(gains: Gains) -> Iterable[Point]:
        if which == "mean":
            found, label = geometric_mean(gains.values()), f"mean of {len(gains)}"
        else:
            best = max(gains, key=lambda pair: gains[pair])
            found, label = gains[best], f"{best[0]} over {best[1]}"
        yield at_least(label, bound, found, ".2f", unit=" times as fast")

    return _on_each(pairs, protocol, judged)


@judge_function
def recorded_order(claim: Claim, pairs: list[Pair], protocol: dict[str, Any]) -> list[Point]:
    """In every pair the first network handles more images per second."""

    def judged(gains: Gains) -> Iterable[Point]:
        for (a, b), gain in gains.items():
            yield holds(a, f"faster than {b}", f"{gain:.2f} times as fast", gain > 1)

    return _on_each(pairs, protocol, judged)
