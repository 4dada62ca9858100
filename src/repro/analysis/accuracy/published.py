"""The published errors of the first paper, and how much of their differences is noise.

Fast and Accurate Model Scaling, section 6: Figures 1, 4 to 8 and Tables 5 to 8, ImageNet top-1 in
percent, after 200 epochs unless said otherwise. Nothing here was trained by this project. One
multiply-add is one flop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from repro import reference

BASES = ("EN-B0", "RegNetY-500MF", "RegNetZ-500MF")
"""The networks that the paper scales in several ways, in the order of the figures."""
REFERENCE = "dwr"
"""The strategy that others are compared with: roughly EfficientNet's own."""
MEANS = "dWr, means of 3"
"""dWr once more, from Figure 8."""
STRATEGIES = ("dWr", MEANS, "alpha=2/3", "dw", "w", "d", "r")
"""Those that are compared with `REFERENCE`."""
TRIALS = 3
TOP = 4.3
"""Flops, G, up to which more than one strategy was trained."""
NORMAL_95 = 1.96


def points() -> pd.DataFrame:
    """Every plotted point of an error.

    Returns:
        Columns figure, base, strategy (the paper's short names, or orig), s, flops (G), error
        (percent), runs (1, or 3 where the mean of three is drawn).
    """
    names = {"scale": "s", "gflops": "flops", "top1_error_percent": "error"}
    frame = reference.to_frame(reference.figure_points()).rename(columns=names)
    frame["strategy"] = frame.strategy.replace({"2/3": "alpha=2/3"})
    frame["runs"] = [TRIALS if figure == "8" else 1 for figure in frame.figure]
    original = reference.to_frame(reference.original_curve()).rename(columns=names)
    original = original.assign(base="EN-B0", strategy="orig", runs=TRIALS)
    columns = ["figure", "base", "strategy", "s", "flops", "error", "runs"]
    return pd.concat([frame, original], ignore_index=True)[columns]


def large_models() -> pd.DataFrame:
    """Figure 8: columns curve (a base, or orig), flops (G), error; means of three runs."""
    frame = points()
    drawn = frame[frame.figure.isin(["8", "4;8"]) | (frame.strategy == "orig")].copy()
    drawn["curve"] = drawn.base.where(drawn.strategy != "orig", "orig")
    return drawn[["curve", "flops", "error"]].reset_index(drop=True)


def networks() -> pd.DataFrame:
    """The networks of Tables 5 to 8, each once, each trained three times.

    Returns:
        Columns table, model, flops (G), and for the schedules of 100, 200 and 400 epochs (1x, 2x,
        4x) the mean error and its printed ± in percent, as ``error_2x`` and ``spread_2x``.
    """
    frame = reference.to_frame(reference.table_rows())
    frame = frame[~frame.note.str.startswith(("printed in", "optimised"))]
    columns = [f"{what}_{x}" for x in ("1x", "2x", "4x") for what in ("error", "spread")]
    frame = frame.rename(columns={"gflops": "flops"})
    return frame[["table", "model", "flops", *columns]].reset_index(drop=True)


# --------------------------------------------------------------------------------- noise


@dataclass(frozen=True)
class Noise:
    """Standard deviation of the error of one run, in points: at least and at most."""

    low: float
    high: float

    def halves(self, unit: float) -> tuple[float, float]:
        """Half widths of the 95 % interval of what has ``unit`` times a run's deviation."""
        return NORMAL_95 * unit * self.low, NORMAL_95 * unit * self.high


def noise() -> Noise:
    """From the ± of Tables 5 to 8, of which the paper does not say what it is.

    At least: the deviation of the three runs. At most: the standard error of their mean. Half the
    distance of the best and the worst of three, or a division by 3, would lie between.
    """
    low = _root_mean_square(networks().spread_2x)
    return Noise(low, low * math.sqrt(TRIALS))


def drawn_twice() -> pd.DataFrame:
    """Networks of which one run and the mean of three are drawn, in different figures.

    Returns:
        Columns base, s, flops (G), one (error), three (mean error), difference.
    """
    frame = points()
    frame = frame[frame.strategy == "dWr"]
    keys = ["base", "s"]
    three = frame[frame.runs == TRIALS].set_index(keys).error
    one = frame[frame.runs == 1].drop_duplicates(keys).set_index(keys)
    both = one.join(three.rename("three"), how="inner").reset_index()
    both = both.rename(columns={"error": "one"})[[*keys, "flops", "one", "three"]]
    both["difference"] = both.one - both.three
    # B0 reads the same in both kinds of figure to every digit: there its mean is drawn in both.
    return both[both.difference != 0].reset_index(drop=True)


def noise_of_drawn_twice() -> Noise:
    """The same noise from `drawn_twice`: the one is a run of its own, or one of the three."""
    deviation = _root_mean_square(drawn_twice().difference)
    return Noise(deviation / math.sqrt(1 + 1 / TRIALS), deviation / math.sqrt(1 - 1 / TRIALS))


def _root_mean_square(values: pd.Series) -> float:
    return float(np.sqrt((values**2).mean()))


def verdict(value: float, unit: float, noise: Noise) -> str:
    """What noise leaves of a difference: beyond 95 % at either noise, at the smaller alone, or not.

    Returns:
        ``"worse"``, ``"better"``, ``"worse?"``, ``"better?"`` or ``"within noise"``.
    """
    word = "worse" if value > 0 else "better"
    low, high = noise.halves(unit)
    return word if abs(value) > high else f"{word}?" if abs(value) > low else "within noise"


# ----------------------------------------------------------------------- at equal flops


@dataclass(frozen=True)
class Curve:
    """Points of one strategy on one base, by rising flops."""

    flops: NDArray[np.float64]
    error: NDArray[np.float64]

    @classmethod
    def of(cls, flops: Sequence[float], error: Sequence[float]) -> Curve:
        """From points in any order."""
        x, y = np.asarray(flops, float), np.asarray(error, float)
        order = np.argsort(x)
        return cls(x[order], y[order])

    def at(self, flops: float) -> tuple[float, NDArray[np.float64]]:
        """Error at other flops, and how much each point's error moves it.

        On the straight line between neighbours in the logarithms of both; beyond the ends the
        outermost line goes on.
        """
        x = np.log(self.flops)
        i = int(np.clip(np.searchsorted(x, math.log(flops)) - 1, 0, len(x) - 2))
        share = (math.log(flops) - x[i]) / (x[i + 1] - x[i])
        weights = np.zeros_like(x)
        weights[i : i + 2] = 1 - share, share
        value = float(np.exp(weights @ np.log(self.error)))
        return value, weights * value / self.error


def gaps() -> pd.DataFrame:
    """Error of every strategy above that of dwr at the same flops, up to `TOP`.

    dwr is read between its own points. The unscaled network, where all curves begin, is left out.

    Returns:
        Columns base, strategy, flops (G), error, gap (points), gain (what dwr has gained over the
        base there, points), unit (standard error of the gap if one run's deviation is 1).
    """
    frame = points()
    rows = []
    for base in BASES:
        mine = frame[(frame.base == base) & (frame.strategy != "orig") & (frame.flops < TOP)]
        single = mine[mine.runs == 1]
        parts = {str(name): part for name, part in single.groupby("strategy", sort=False)}
        known = parts.pop(REFERENCE)
        curve = Curve.of(list(known.flops), list(known.error))
        parts[MEANS] = mine[mine.runs == TRIALS]
        for strategy, part in parts.items():
            runs = TRIALS if strategy == MEANS else 1
            part = part[part.s > 1].sort_values("flops")
            for flops, error in zip(part.flops, part.error, strict=True):
                there, weights = curve.at(flops)
                unit = math.sqrt(1 / runs + float((weights**2).sum()))
                rows.append(
                    {"base": base, "strategy": strategy, "flops": flops, "error": error}
                    | {"gap": error - there, "gain": float(curve.error[0]) - there, "unit": unit}
                )
    return pd.DataFrame(rows)


def at_the_top(gaps: pd.DataFrame) -> pd.DataFrame:
    """Each strategy's largest network: the last row of `gaps` for each base and strategy."""
    top = gaps.loc[gaps.groupby(["base", "strategy"], sort=False).flops.idxmax()]
    rank = {name: i for i, name in enumerate([*STRATEGIES, *BASES])}
    by = ["strategy", "base"]
    return top.sort_values(by, key=lambda c: c.map(rank)).reset_index(drop=True)


def pooled(gaps: pd.DataFrame) -> pd.DataFrame:
    """The gap of the largest networks, averaged over the bases.

    Returns:
        Index strategy; columns gap (points), gain (of dwr there), unit (as in `gaps`).
    """
    parts = at_the_top(gaps).groupby("strategy", sort=False)
    unit = parts.unit.agg(lambda u: math.sqrt((u**2).sum()) / len(u))
    return parts[["gap", "gain"]].mean().assign(unit=unit)


def beside_original() -> pd.DataFrame:
    """dWr on EN-B0 against the original EfficientNets at equal flops: both are means of three.

    Returns:
        Columns flops (G), gap (points above orig, read between B0 to B5), unit (as in `gaps`).
        Only where orig was trained.
    """
    frame = points()
    frame = frame[(frame.base == "EN-B0") & (frame.runs == TRIALS)]
    original = frame[frame.strategy == "orig"]
    curve = Curve.of(list(original.flops), list(original.error))
    fast = frame[(frame.strategy == "dWr") & (frame.s > 1) & (frame.flops < curve.flops[-1])]
    rows = []
    for flops, error in zip(fast.flops, fast.error, strict=True):
        there, weights = curve.at(flops)
        unit = math.sqrt((1 + float((weights**2).sum())) / TRIALS)
        rows.append({"flops": flops, "gap": error - there, "unit": unit})
    return pd.DataFrame(rows)
