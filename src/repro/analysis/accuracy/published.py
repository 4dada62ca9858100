"""The published errors of the first paper, and how much of their differences is noise.

Fast and Accurate Model Scaling, section 6: Figures 1, 4 to 8 and Tables 5 to 8, ImageNet top-1 in
percent, after 200 epochs unless said otherwise. Nothing here was trained by this project. One
multiply-add is one flop.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from repro import reference
from repro.evidence.printed import run_noise

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
    """Every plotted error (percent) over flops (G); runs is 3 where the mean of three is drawn.

    minutes: of an epoch on eight V100s, where the same figure shows them.
    """
    names = {"scale": "s", "gflops": "flops", "top1_error_percent": "error"}
    names |= {"epoch_minutes_8xv100": "minutes"}
    frame = reference.to_frame(reference.figure_points()).rename(columns=names)
    frame["strategy"] = frame.strategy.replace({"2/3": "alpha=2/3"})
    frame["runs"] = [TRIALS if figure == "8" else 1 for figure in frame.figure]
    original = reference.to_frame(reference.original_curve()).rename(columns=names)
    original = original.assign(base="EN-B0", strategy="orig", runs=TRIALS)
    columns = ["figure", "base", "strategy", "s", "flops", "error", "runs", "minutes"]
    return pd.concat([frame, original], ignore_index=True)[columns]


def networks() -> pd.DataFrame:
    """The networks of Tables 5 to 8, each once: mean error of three runs and printed ±, in percent.

    ``1x``, ``2x`` and ``4x`` are schedules of 100, 200 and 400 epochs; flops in G.
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
    high = run_noise()
    return Noise(high / math.sqrt(TRIALS), high)


def drawn_twice() -> pd.Series:
    """Error of one run less the mean of three, where figures draw both; index base and s."""
    frame = points()
    frame = frame[frame.strategy == "dWr"].drop_duplicates(["base", "s", "runs"])
    drawn = frame.pivot(index=["base", "s"], columns="runs", values="error").dropna()
    difference = drawn[1] - drawn[TRIALS]
    # B0 reads the same in both kinds of figure to every digit: there its mean is drawn in both.
    return difference[difference != 0]


def noise_of_drawn_twice() -> Noise:
    """The same noise from `drawn_twice`: the one is a run of its own, or one of the three."""
    deviation = _root_mean_square(drawn_twice())
    return Noise(deviation / math.sqrt(1 + 1 / TRIALS), deviation / math.sqrt(1 - 1 / TRIALS))


def _root_mean_square(values: pd.Series) -> float:
    return float(np.sqrt((values**2).mean()))


def verdict(value: float, unit: float, noise: Noise) -> str:
    """Whether a difference is beyond 95 % at either noise, at the smaller alone (?), or within."""
    word = "worse" if value > 0 else "better"
    low, high = noise.halves(unit)
    return word if abs(value) > high else f"{word}?" if abs(value) > low else "within noise"


def half_of_draws(values: pd.Series) -> float:
    """Half width of the 95 % interval of a mean, its values independent draws (Student's t)."""
    from scipy.special import stdtrit  # scipy.stats takes a second to import

    return float(stdtrit(len(values) - 1, 0.975) * values.std() / math.sqrt(len(values)))


# ----------------------------------------------------------- at equal flops, or equal minutes


def read_at(
    curve: pd.DataFrame, at: float, over: str = "flops"
) -> tuple[float, NDArray[np.float64]]:
    """A curve's error at other flops, and how much each of its points' errors moves it.

    On the straight line between neighbours in the logarithms of both; beyond the ends the outermost
    line goes on. The curve is by rising flops, or by what it is read over instead.
    """
    x, error = np.log(curve[over].to_numpy()), curve.error.to_numpy()
    i = int(np.clip(np.searchsorted(x, math.log(at)) - 1, 0, len(x) - 2))
    share = (math.log(at) - x[i]) / (x[i + 1] - x[i])
    weights = np.zeros_like(x)
    weights[i : i + 2] = 1 - share, share
    value = float(np.exp(weights @ np.log(error)))
    return value, weights * value / error


def above(curve: pd.DataFrame, others: pd.DataFrame, over: str = "flops") -> pd.DataFrame:
    """How far scaled networks lie above a curve at their own flops, each of one base and strategy.

    gap, in points; gain: of the curve over its first point there, in points; unit: standard error
    of the gap if one run's deviation is 1.
    """
    curve, others = curve.sort_values(over), others[others.s > 1].sort_values(over)
    rows = []
    for at, error, runs in zip(others[over], others.error, others.runs, strict=True):
        there, weights = read_at(curve, at, over)
        unit = math.sqrt(1 / runs + float((weights**2 / curve.runs).sum()))
        gain = curve.error.iloc[0] - there
        rows.append((at, error, error - there, gain, unit))
    return pd.DataFrame(rows, columns=[over, "error", "gap", "gain", "unit"])


def gaps() -> pd.DataFrame:
    """`above` for every base and strategy beside dwr, up to `TOP`; columns base and strategy, too.

    dwr is read between its own points. The unscaled network, where all curves begin, is left out.
    """
    frame = points()
    frame = frame[(frame.strategy != "orig") & (frame.flops < TOP) & frame.base.isin(BASES)]
    frame.loc[frame.runs == TRIALS, "strategy"] = MEANS
    parts = []
    for base in BASES:
        mine = dict(iter(frame[frame.base == base].groupby("strategy", sort=False)))
        curve = mine.pop(REFERENCE)
        parts += [above(curve, p).assign(base=base, strategy=name) for name, p in mine.items()]
    return pd.concat(parts, ignore_index=True)


def at_the_top(gaps: pd.DataFrame) -> pd.DataFrame:
    """Each strategy's largest network: the last row of `gaps` for each base and strategy."""
    top = gaps.loc[gaps.groupby(["base", "strategy"], sort=False).flops.idxmax()]
    rank = {name: i for i, name in enumerate([*STRATEGIES, *BASES])}
    by = ["strategy", "base"]
    return top.sort_values(by, key=lambda c: c.map(rank)).reset_index(drop=True)


def pooled(gaps: pd.DataFrame) -> pd.DataFrame:
    """The gap of the largest networks and dwr's gain there, averaged over the bases (`gaps`)."""
    parts = at_the_top(gaps).groupby("strategy", sort=False)
    unit = parts.unit.agg(lambda u: math.sqrt((u**2).sum()) / len(u))
    return parts[["gap", "gain"]].mean().assign(unit=unit)


def beside_original() -> pd.DataFrame:
    """`above` of dWr on EN-B0 and the original EfficientNets B0 to B5: both are means of three."""
    frame = points()
    frame = frame[(frame.base == "EN-B0") & (frame.runs == TRIALS)]
    original = frame[frame.strategy == "orig"]
    return above(original, frame[(frame.strategy == "dWr") & (frame.flops < original.flops.max())])
