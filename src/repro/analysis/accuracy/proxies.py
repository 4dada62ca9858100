"""Our own training runs of small proxies: how each way to scale compares with dwr.

The statistics are those of `repro.evidence.trainings`; here they become a frame. A reader's records
can take the place of the project's. Errors are top-1 of the test split, in percent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from repro.errors import InputError
from repro.evidence.trainings import (
    ALIKE,
    SINGLE,
    WORSE,
    Difference,
    Trained,
    averaged,
    cells,
    difference,
    gain,
    trained,
)
from repro.paths import locate
from repro.records import TrainingRecord
from repro.stored import read, stored

SINGLES = "mean of d, w, r"
ASKED: Mapping[str, tuple[str, ...]] = {
    "less accurate than dwr": (*SINGLE, SINGLES),
    "about as accurate as dwr": ("alpha=2/3", "dWr"),
}
"""What the paper says of each way to scale, and the proxies are asked."""
DATA: Mapping[str, str] = {
    "cifar10": "CIFAR-10",
    "tiny-imagenet": "Tiny ImageNet",
    "digits": "digits",
    "imagenet": "ImageNet",
    "folder": "own images",
}
"""Data sets as a page calls them; of those with runs the first is shown."""


def trainings(path: str | None = None) -> tuple[TrainingRecord, ...]:
    """All training runs: of a reader's file, or of the project.

    Raises:
        InputError: no such file, a line that is no record, or no runs that can be compared.
    """
    every = stored() if path is None else read(locate(path))
    runs = tuple(r for r in every if isinstance(r, TrainingRecord))
    if not data_sets(runs):
        raise InputError(
            f"records file {path!r} holds no training runs to compare: bases, dwr and other ways "
            "to scale them, with two seeds or more. `repro sweep FILE --out DIR` leaves its runs "
            "in DIR/records.jsonl"
        )
    return runs


def data_sets(records: Iterable[TrainingRecord]) -> list[str]:
    """Names of the data sets with runs that can be compared, in the order of `DATA`."""
    records = list(records)
    known = {r.setting["data"] for r in records}
    return [name for name in DATA if name in known and len(against_dwr(trained(name, records)))]


def against_dwr(runs: Sequence[Trained]) -> pd.DataFrame:
    """How much larger the error of each way to scale is than dwr's, at the largest scale.

    mean, low, high: points, averaged over bases, with the 95 % interval; gain: by how many points
    dwr lowers the bases' error. Only ways with at least two pairs of runs.
    """
    times = max((run.times for run in runs), default=1)
    gained = gain(runs, "dwr", times)
    dwr = cells(runs, "dwr", times)
    rows = []
    for asked, strategies in ASKED.items():
        for strategy in strategies:
            ways = SINGLE if strategy == SINGLES else (strategy,)
            found = difference(averaged([cells(runs, way, times) for way in ways]), dwr)
            if found is None or gained is None:
                continue
            rows.append(
                {"strategy": strategy, "asked": asked, "mean": found.mean, "low": found.low}
                | {"high": found.high, "by_base": found.by_base, "gain": gained.mean}
                | {"verdict": verdict(asked, found, gained.mean)}
            )
    return pd.DataFrame(rows)


def verdict(asked: str, found: Difference, gained: float) -> str:
    """Whether what is asked holds or fails: the whole interval lies on one side of its threshold.

    gained: what dwr gains, in points.
    """
    if asked.startswith("less"):
        holds, fails = found.low > 0, found.high < WORSE * gained
    else:
        most = ALIKE * gained
        holds = -most < found.low and found.high < most
        fails = found.low > most or found.high < -most
    return "holds" if holds else "fails" if fails else "open"
