"""Error at equal minutes of training: the first paper's points, read along the paper's curves.

Source: Fast and Accurate Model Scaling, Figures 1 and 4 to 8, minutes of an epoch on eight V100s.
Where a figure shows an error alone, the minutes are those of Figure 2's curve of the same base and
strategy at the same flops. No curve is read beyond its ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from repro import reference
from repro.analysis.accuracy.published import (
    BASES,
    MEANS,
    REFERENCE,
    above,
    half_of_draws,
    points,
    read_at,
)

PAIRS = ((MEANS, REFERENCE), ("w", MEANS))
"""Strategies to subtract from each other; dWr by its means of three, its best measurement."""
TIMES = (1.5, 2.0, 2.5)
"""Minutes relative to the base's, up to which all three strategies were trained on every base."""


def curves() -> pd.DataFrame:
    """Errors in percent and minutes of an epoch of every scaled `BASES`, by base and strategy.

    flops in G; runs as in `published.points`. Networks without published minutes are left out.
    """
    frame = points()
    frame = frame[frame.base.isin(BASES)].reset_index(drop=True)
    drawn = pd.DataFrame(
        [
            (p.base, p.strategy, float(p.gflops), float(p.epoch_minutes_8xv100))
            for p in reference.runtime_points()
        ],
        columns=["base", "strategy", "flops", "minutes"],
    )
    for key, part in drawn.sort_values("flops").groupby(["base", "strategy"]):
        mine = (frame.base == key[0]) & (frame.strategy == key[1]) & frame.minutes.isna()
        mine &= frame.flops.between(part.flops.min(), part.flops.max())
        x = np.interp(np.log(frame.flops[mine]), np.log(part.flops), np.log(part.minutes))
        frame.loc[mine, "minutes"] = np.exp(x)
    frame.loc[(frame.runs > 1) & (frame.strategy == "dWr"), "strategy"] = MEANS
    return frame[frame.minutes.notna()].sort_values(["base", "strategy", "minutes"])


def above_dwr(frame: pd.DataFrame) -> pd.DataFrame:
    """How far each network lies above dwr at its own minutes, in points (`published.above`)."""
    parts = []
    for base in BASES:
        mine = dict(iter(frame[frame.base == base].groupby("strategy")))
        curve = mine.pop(REFERENCE)
        for name, part in mine.items():
            within = part[part.minutes <= curve.minutes.max()]
            parts.append(above(curve, within, "minutes").assign(base=base, strategy=name))
    return pd.concat(parts, ignore_index=True)


def between(first: pd.DataFrame, second: pd.DataFrame, minutes: float) -> tuple[float, float]:
    """How far one curve lies above another at these minutes, in points; NaN beyond either's ends.

    And its standard error if one run's deviation is 1.
    """
    values, variance = [], 0.0
    for curve in (first, second):
        if not curve.minutes.min() <= minutes <= curve.minutes.max():
            return math.nan, math.nan
        value, weights = read_at(curve, minutes, "minutes")
        values.append(value)
        variance += float((weights**2 / curve.runs).sum())
    return values[0] - values[1], math.sqrt(variance)


def at_equal_minutes(
    frame: pd.DataFrame, pairs: Sequence[tuple[str, str]] = PAIRS, times: Sequence[float] = TIMES
) -> pd.DataFrame:
    """`between` for each pair, base and multiple of the base's minutes.

    The base's minutes are those of its unscaled network under dwr.
    """
    rows = []
    for first, second in pairs:
        for base in BASES:
            mine = dict(iter(frame[frame.base == base].groupby("strategy")))
            start = float(mine[REFERENCE].minutes.min())
            for factor in times:
                gap, unit = between(mine[first], mine[second], factor * start)
                rows.append((f"{first} − {second}", base, factor, factor * start, gap, unit))
    columns = ["pair", "base", "times", "minutes", "gap", "unit"]
    return pd.DataFrame(rows, columns=columns)


def over_bases(found: pd.DataFrame) -> pd.DataFrame:
    """The mean of `at_equal_minutes` over the bases, whose runs are independent.

    unit: of the mean by run noise; between: the 95 % half width, in points, if the bases are draws
    from all bases.
    """
    groups = found.groupby(["pair", "times"], sort=False)
    mean = groups.gap.mean().to_frame()
    mean["unit"] = groups.unit.agg(lambda u: math.sqrt((u**2).sum()) / len(u))
    mean["between"] = groups.gap.agg(half_of_draws)
    return mean.reset_index()
