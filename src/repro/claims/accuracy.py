"""Judges of what the first paper says about accuracy, from this project's own training runs.

Source of the statements: Fast and Accurate Model Scaling, sections 1, 6.2 and 6.3, Figures 1 and 4
to 7: ImageNet, networks of hundreds of MFLOPs. Ours are proxies of a few MFLOPs on small images:
they can show whether an effect also appears there, and neither prove nor disprove the paper's.

An interval that lies on one side of a threshold decides; one that contains it does not, and then
the claim is not testable here and says how wide the interval is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from repro.claims.claim import Claim
from repro.claims.judging import NotTestable, Point, Points, holds, judge_function
from repro.evidence.trainings import (
    RECORD,
    RECORD_GPU,
    Difference,
    Trained,
    averaged,
    cells,
    difference,
    gain,
    trained,
)

Share = Annotated[float, Field(gt=0, lt=1)]


@judge_function
def trained_gain(claim: Claim, data: str, times: int, strategies: list[str]) -> Points:
    """Each of these ways to scale lowers the error of the bases."""
    runs = trained(data)
    for strategy in strategies:
        found, required = _needed(gain(runs, strategy, times), data), "a lower error than unscaled"
        yield _decided(strategy, required, found, (found.low > 0, found.high <= 0), runs)


@judge_function
def trained_worse(
    claim: Claim, data: str, times: int, strategies: list[str], than: str, share: Share
) -> Points:
    """The mean error of some ways to scale is above that of another.

    Refuted where it is not, or where it is by less than ``share`` of what ``than`` gains.
    """
    runs = trained(data)
    found = _against(runs, data, times, strategies, than)
    least = share * _needed(gain(runs, than, times), data).mean
    name = strategies[0] if len(strategies) == 1 else f"mean of {', '.join(strategies)}"
    required = f"a higher error than {than}"
    yield _decided(name, required, found, (found.low > 0, found.high < least), runs)


@judge_function
def trained_alike(
    claim: Claim, data: str, times: int, strategy: str, other: str, share: Share
) -> Points:
    """The errors of two ways to scale differ by less than ``share`` of what ``other`` gains."""
    runs = trained(data)
    found = _against(runs, data, times, [strategy], other)
    most = share * _needed(gain(runs, other, times), data).mean
    required = f"an error within {most:.2f} points of {other}'s"
    within = -most < found.low and found.high < most
    beyond = found.low > most or found.high < -most
    yield _decided(strategy, required, found, (within, beyond), runs)


def _against(
    runs: list[Trained], data: str, times: int, strategies: list[str], other: str
) -> Difference:
    mean = averaged([cells(runs, strategy, times) for strategy in strategies])
    return _needed(difference(mean, cells(runs, other, times)), data)


def _needed(found: Difference | None, data: str) -> Difference:
    if found is None:
        how = RECORD_GPU if data == "tiny-imagenet" else RECORD
        raise NotTestable(
            f"Needs training runs of the proxies on {data} with several seeds. "
            f"This records them: {how}"
        )
    return found


def _decided(
    label: str, required: str, found: Difference, sides: tuple[bool, bool], runs: list[Trained]
) -> Point:
    """A point, if the interval lies on one side, confirming or refuting; else `NotTestable`."""
    if not any(sides):
        raise NotTestable(
            f"Undecided: {label} should have {required}; found {found}, "
            f"{found.pairs} pairs of runs on {found.bases} bases. More seeds would narrow it."
        )
    machines = dict.fromkeys(run.record.machine.device_name for run in runs)
    return replace(holds(label, required, str(found), sides[0]), machine=" and ".join(machines))
