"""Judges of the second paper's statements about time, from timings recorded by this project.

Source of the statements: Searching for Fast Model Families on Datacenter Accelerators, sections 3,
5 and 6, Tables 3 and 4, about V100s and TPUs of 2020. A claim is judged on every machine that has
all the timings it asks for; where none has, it is not testable and says which kind is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod
from typing import Any, Literal

from repro.claims.judging import Point, holds, judge_function, of_machines
from repro.claims.ledger import Claim
from repro.errors import InputError
from repro.records import Protocol, TimingRecord, changed_code
from repro.stored import RECORD_X, machine_name, stored

Pair = tuple[str, str]
"""Two networks by the names under which they were timed: the faster one, and the other."""
Gains = dict[Pair, float]
UNSCALED_X = ("EN-X-B0", "EN-X-GPU-B0", "EN-X-TPU-B0")


def rates(protocol: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Images per second by machine and network; of several timings of one network the last.

    Args:
        protocol: the conditions that must be equal; others may have any value.

    Raises:
        InputError: no such condition.
    """
    for key in protocol:
        if key not in Protocol.model_fields:
            raise InputError(
                f"a protocol has no {key!r}; it has {', '.join(Protocol.model_fields)}"
            )
    found: dict[str, dict[str, float]] = {}
    for record in stored():
        if isinstance(record, TimingRecord) and all(
            getattr(record.protocol, key) == value for key, value in protocol.items()
        ):
            machine = machine_name(record) + " (timed by earlier code)" * bool(changed_code(record))
            for name in names_of(record.subject.name):
                found.setdefault(machine, {})[name] = record.images_per_s
    return found


def names_of(name: str) -> tuple[str, ...]:
    """All names of a network: at B0 nothing is scaled yet, and three of them are one network.

    A sweep measures it once, under the name that comes first.
    """
    base, plus, variant = name.partition("+")
    return tuple(same + plus + variant for same in UNSCALED_X) if base in UNSCALED_X else (name,)


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
            found, label = prod(gains.values()) ** (1 / len(gains)), f"mean of {len(gains)}"
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
