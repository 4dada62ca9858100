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
from repro.claims.judging import Point, holds, judge_function, of_machines
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
        NotTestable: there is none. The text is the same for all claims of one protocol, so that
            a page says it once.
    """
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    by_machine = rates(protocol)
    points = []
    for machine, known in by_machine.items():
        if all(name in known for name in names):
            gains = {(a, b): known[a] / known[b] for a, b in pairs}
            points += [point.on(machine) for point in judged(gains)]
    conditions = ", ".join(
        f"{k.replace('_', ' ')} {str(v).replace('_', ' ')}"
        for k, v in protocol.items()
        if v is not None
    )
    return of_machines(
        points,
        "Needs timings of its networks, all of them together on one machine, and no machine has"
        f" them in data/records ({conditions}). This records them: {RECORD_X}",
    )


@judge_function
def recorded_gain(
    claim: Claim,
    pairs: list[Pair],
    which: Literal["mean", "largest"],
    at_least: float,
    protocol: dict[str, Any],
) -> list[Point]:
    """The geometric mean, or the largest, of recorded speed-ups reaches a bound."""

    def judged(gains: Gains) -> Iterable[Point]:
        if which == "mean":
            found, label = geometric_mean(gains.values()), f"mean of {len(gains)}"
        else:
            best = max(gains, key=lambda pair: gains[pair])
            found, label = gains[best], f"{best[0]} over {best[1]}"
        required = f"at least {at_least:g} times as fast"
        yield holds(label, required, f"{found:.2f}", found >= at_least)

    return _on_each(pairs, protocol, judged)


@judge_function
def recorded_order(claim: Claim, pairs: list[Pair], protocol: dict[str, Any]) -> list[Point]:
    """In every pair the first network handles more images per second."""

    def judged(gains: Gains) -> Iterable[Point]:
        for (a, b), gain in gains.items():
            yield holds(a, f"faster than {b}", f"{gain:.2f} times as fast", gain > 1)

    return _on_each(pairs, protocol, judged)
