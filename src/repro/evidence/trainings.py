"""What our own training runs say about ways to scale: errors by network, differences, intervals.

Runs are `TrainingRecord`s of proxy networks (`repro.arch.proxies`) that a sweep such as
``data/sweeps/proxy_cpu.yaml`` left in ``data/records/``. Errors are top-1, in percent, of the test
split. They say how fast small networks learn in a few epochs, and judge no paper's claim.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, variance
from typing import Any

from repro.records import TrainingRecord
from repro.stored import stored

CONFIDENCE = 0.95
SINGLE = ("d", "w", "r")
"""Ways to scale that leave two of the three dimensions alone."""
WORSE, ALIKE = 0.05, 0.15
"""Shares of what the other way gains: a smaller loss is none, a smaller difference is alike."""


@dataclass(frozen=True, slots=True)
class Trained:
    """One run.

    Attributes:
        base: network before scaling.
        strategy: None for the base itself.
        times: about how many times the base's flops, a power of two: what the sweep asked for.
        error: top-1, in percent.
        record: everything else.
    """

    base: str
    strategy: str | None
    times: int
    seed: int
    error: float
    record: TrainingRecord


def trained(data: str, records: Iterable[Any] | None = None) -> list[Trained]:
    """The runs of a data set that can be compared: one recipe, and bases that were scaled, too.

    Where several recipes were compared so, the last counts; runs that tried out a learning rate
    on bases alone are no part of it. ``records``: to choose from; the project's if None.
    """
    rows = [
        r
        for r in (stored() if records is None else records)
        if isinstance(r, TrainingRecord) and r.setting["data"] == data and r.subject.flops
    ]
    alike: dict[str, list[TrainingRecord]] = defaultdict(list)
    for r in rows:
        alike[json.dumps({**r.setting, "seed": None}, sort_keys=True)].append(r)
    compared = [group for group in alike.values() if any(r.subject.strategy for r in group)]
    rows = compared[-1] if compared else []
    seeds = {r.setting["seed"] for r in rows if r.subject.strategy}
    rows = [r for r in rows if r.setting["seed"] in seeds]
    flops = {r.subject.base: r.subject.flops for r in rows if r.subject.strategy is None}
    return [
        Trained(
            r.subject.base,
            r.subject.strategy,
            # Small networks round coarsely: asked for 4 times the flops, one has 3.6 times as many.
            int(2 ** round(math.log2((r.subject.flops or 0) / (flops[r.subject.base] or 1)))),
            r.setting["seed"],
            100 * r.test.error,
            r,
        )
        for r in rows
        if r.subject.base in flops
    ]


Cells = dict[str, dict[int, float]]
"""Errors by base and seed."""


def cells(runs: Iterable[Trained], strategy: str | None, times: int = 1) -> Cells:
    """Errors of one way to scale; of the bases themselves where ``strategy`` is None."""
    found: Cells = defaultdict(dict)
    for run in runs:
        if run.strategy == strategy and run.times == times:
            found[run.base][run.seed] = run.error
    return dict(found)


def averaged(parts: Sequence[Cells]) -> Cells:
    """The mean of several ways to scale, on the bases and seeds that all have."""
    first, *others = parts
    return {
        base: {
            seed: fmean(part[base][seed] for part in parts)
            for seed in seeds
            if all(seed in part.get(base, {}) for part in others)
        }
        for base, seeds in first.items()
        if all(base in part for part in others)
    }


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean difference of errors in points, with its interval, and the mean on each base.

    ``bases`` and ``pairs`` say of how many networks and pairs of runs.
    """

    mean: float
    low: float
    high: float
    bases: int
    pairs: int
    by_base: dict[str, float]

    def __str__(self) -> str:
        return f"{self.mean:+.2f} points ({self.low:+.2f} to {self.high:+.2f})"


def difference(a: Cells, b: Cells) -> Difference | None:
    """How much larger the errors of ``a`` are than those of ``b``, on average over bases.

    Runs of the same base and seed make a pair: they see the same images in the same order. The
    interval is Student's t with the variance within bases, so it speaks about other seeds of
    these very bases, not about other bases.
    None where fewer than two pairs of one base are there.
    """
    pairs = {
        base: [seeds[seed] - b[base][seed] for seed in seeds if seed in b[base]]
        for base, seeds in a.items()
        if base in b
    }
    pairs = {base: found for base, found in pairs.items() if found}
    freedom = sum(len(found) - 1 for found in pairs.values())
    if not freedom:
        return None
    from scipy.special import stdtrit  # scipy.stats takes a second to import

    means = {base: fmean(found) for base, found in pairs.items()}
    squares = sum((len(f) - 1) * variance(f) for f in pairs.values() if len(f) > 1)
    share = sum(1 / len(found) for found in pairs.values()) / len(pairs) ** 2
    half = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * math.sqrt(squares / freedom * share)
    mean = fmean(means.values())
    number = sum(map(len, pairs.values()))
    return Difference(mean, mean - half, mean + half, len(pairs), number, means)


def gain(runs: Sequence[Trained], strategy: str, times: int) -> Difference | None:
    """By how much a way to scale lowers the error of the bases."""
    return difference(cells(runs, None), cells(runs, strategy, times))
