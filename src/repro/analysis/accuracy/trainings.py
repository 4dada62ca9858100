"""Our own training runs: how much each way to scale errs beside dwr, at equal flops or seconds.

Runs are `TrainingRecord`s that a sweep such as ``data/sweeps/equal_flops.yaml`` left in
``data/records/``, or a reader's own. Errors are top-1 of the test split, in percent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from repro.errors import InputError
from repro.paths import locate
from repro.records import TimingRecord, TrainingRecord
from repro.stored import read, stored

REFERENCE = "dwr"
ASKED: Mapping[str, str] = {"d": "worse", "w": "worse", "r": "worse", "dWr": "alike"}
"""What the paper says of each way to scale beside dwr, and is asked."""
ALIKE = 0.25
"""Alike: the interval lies within this share of what dwr gains, on either side."""
CONFIDENCE = 0.95
DATA: Mapping[str, str] = {
    "cifar10": "CIFAR-10",
    "tiny-imagenet": "Tiny ImageNet",
    "digits": "digits",
    "imagenet": "ImageNet",
    "folder": "own images",
}
"""Data sets as a page calls them."""


def trainings(path: str | None = None) -> list[pd.DataFrame]:
    """The experiments of a reader's file, or of the project, that with most images seen last.

    Raises:
        InputError: no such file, a line that is no record, or no runs that can be compared.
    """
    found = experiments(stored() if path is None else read(locate(path)))
    if path is not None and not found:
        raise InputError(
            f"records file {path!r} holds no training runs to compare: a base, dwr and other ways "
            "to scale it, with two seeds or more. `repro sweep FILE --out DIR` leaves its runs in "
            "DIR/records.jsonl"
        )
    return found


def experiments(records: Iterable[Any]) -> list[pd.DataFrame]:
    """Runs that can be compared: alike but for network, seed and learning rate.

    A frame for each, a row for each run: base, strategy (None: the base itself), times (the base's
    flops, to a power of two), seed, error, loss (of training, last epoch), record.
    Only where dwr has two seeds or more.
    """
    alike: dict[str, list[TrainingRecord]] = {}
    for record in records:
        if isinstance(record, TrainingRecord) and record.subject.flops:
            recipe = record.setting["recipe"] | {"lr": None}
            setting = record.setting | {"recipe": recipe, "seed": None}
            alike.setdefault(json.dumps(setting, sort_keys=True), []).append(record)
    frames = [frame for frame in map(_frame, alike.values()) if len(frame)]
    return sorted(frames, key=lambda frame: _seen(frame.record.iloc[0]))


def _seen(record: TrainingRecord) -> float:
    return record.data.train * float(record.setting["recipe"]["epochs"])


def _frame(records: Sequence[TrainingRecord]) -> pd.DataFrame:
    scaled = {r.setting["seed"] for r in records if r.subject.strategy}  # others tried out rates
    bases = {r.subject.base: r.subject.flops or 1 for r in records if r.subject.strategy is None}
    frame = pd.DataFrame(
        {
            "base": r.subject.base,
            "strategy": r.subject.strategy,
            # Small networks round coarsely: asked for 4 times the flops, one has 3.6 times as many.
            "times": 2 ** round(np.log2((r.subject.flops or 1) / bases[r.subject.base])),
            "seed": r.setting["seed"],
            "error": 100 * r.test.error,
            "loss": r.curve[-1].train_loss,
            "record": r,
        }
        for r in records
        if r.setting["seed"] in scaled and r.subject.base in bases
    )
    enough = len(frame) and frame[frame.strategy == REFERENCE].seed.nunique() > 1
    return frame if enough else frame.iloc[:0]


def largest(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs at the largest scale, each beside dwr's mean on its base: above, in points."""
    top = runs[runs.times == runs.times.max()]
    dwr = top[top.strategy == REFERENCE].groupby("base").error.mean()
    return top.assign(above=top.error - top.base.map(dwr)).dropna(subset="above")


def against_dwr(runs: pd.DataFrame) -> pd.DataFrame:
    """Points by which each way to scale errs more than dwr, at the largest scale.

    mean, low, high: with simultaneous 95 % intervals (Dunnett) over all runs, so that other seeds
    and, where there are several, other bases are among what could have been; verdict: whether the
    paper's statement holds, fails, or is open. Only ways with two runs.
    """
    from scipy.stats import dunnett

    top = largest(runs)
    by_way = {str(way): part.above.to_numpy() for way, part in top.groupby("strategy")}
    ways = [way for way in ASKED if len(by_way.get(way, ())) > 1 and way != REFERENCE]
    if not ways:
        return pd.DataFrame()
    found = dunnett(
        *(by_way[way] for way in ways), control=by_way[REFERENCE], rng=np.random.default_rng(0)
    ).confidence_interval(CONFIDENCE)
    gained = gain(runs)
    rows = pd.DataFrame(
        {
            "strategy": ways,
            "mean": [by_way[way].mean() for way in ways],
            "low": np.round(found.low, 3),  # a numerical integral: the rest is its own noise
            "high": np.round(found.high, 3),
        }
    )
    rows["verdict"] = [
        verdict(ASKED[way], low, high, gained)
        for way, low, high in zip(ways, rows.low, rows.high, strict=True)
    ]
    return rows


def gain(runs: pd.DataFrame) -> float:
    """Points by which dwr lowers the bases' mean error, at the largest scale."""
    top = runs[(runs.times == runs.times.max()) & (runs.strategy == REFERENCE)]
    bases = runs[runs.strategy.isna()].groupby("base").error.mean()
    return float((bases - top.groupby("base").error.mean()).mean())


def verdict(asked: str, low: float, high: float, gained: float) -> str:
    """Whether what is asked holds or fails: the interval lies on one side of its threshold."""
    if asked == "worse":
        return "holds" if low > 0 else "fails" if high < 0 else "open"
    most = ALIKE * gained
    if -most < low and high < most:
        return "holds"
    return "fails" if low > most or high < -most else "open"


def visible(runs: pd.DataFrame, chance: float = 0.8) -> float:
    """The difference of two ways, in points, that their seeds would show with this chance.

    Two-sided t at 5 %, with the pooled spread of runs of one network.
    """
    from scipy.stats import t

    groups = largest(runs).groupby(["base", "strategy"]).error
    seeds, freedom = groups.size().mean(), int((groups.size() - 1).sum())
    spread = np.sqrt((groups.var(ddof=1) * (groups.size() - 1)).sum() / freedom)
    needed = t.ppf((1 + CONFIDENCE) / 2, freedom) + t.ppf(chance, freedom)
    return float(needed * spread * np.sqrt(2 / seeds))


def at_equal_seconds(runs: pd.DataFrame, timed: Iterable[Any], draws: int = 2000) -> pd.DataFrame:
    """Points above dwr where every way may take the seconds of the fastest scaled network.

    Between the base and a scaled network a way's error is read linearly in the logarithm of the
    seconds of an update; intervals resample seeds within each network. One base only.

    Args:
        timed: records of whole updates of these networks on one machine (``repro sweep --time``).

    Returns:
        strategy, seconds (of an update over the base's), mean, low, high; empty without times.
    """
    top, base = largest(runs), runs[runs.strategy.isna()]
    seconds = {
        (record.subject.name, record.subject.resolution): record.quartiles[1]
        for record in timed
        if isinstance(record, TimingRecord) and record.protocol.mode == "step"
    }

    def update(part: pd.DataFrame) -> float | None:
        subject = part.record.iloc[0].subject
        return seconds.get((subject.name, subject.resolution))

    took = {str(way): found for way, part in top.groupby("strategy") if (found := update(part))}
    ways = [way for way in (*ASKED, REFERENCE) if way in took]
    unit = update(base)
    if base.base.nunique() > 1 or unit is None or REFERENCE not in ways:
        return pd.DataFrame()
    longer = {way: took[way] / unit for way in ways}
    share = {way: np.log(min(longer.values())) / np.log(longer[way]) for way in ways}
    rng = np.random.default_rng(0)

    def drawn(part: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
        errors = part.error.to_numpy()
        return np.concatenate([[errors.mean()], rng.choice(errors, (draws, len(errors))).mean(1)])

    start = drawn(base)
    end = {way: drawn(top[top.strategy == way]) for way in ways}
    errors = {way: start + share[way] * (end[way] - start) for way in ways}
    rows = []
    for way in ways:
        above = errors[way] - errors[REFERENCE]
        low, high = np.percentile(above[1:], [2.5, 97.5])
        rows.append({"strategy": way, "seconds": longer[way], "mean": above[0]})
        rows[-1] |= {"low": low, "high": high}
    return pd.DataFrame(rows)
