"""Predict time from counts: non-negative least squares, judged on networks it has not seen.

The first paper fits time to one count at a time (Figure 2). Here several counts work together, and
none may help by a negative amount: each coefficient is then a cost, of a flop, of a written
element, of a parameter, of a launched operation. Errors are held out by family or by strategy,
because within one of them almost any count predicts well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

from repro.arch import PAPER, get, scale
from repro.arch.strategy import Strategy, alpha_strategy
from repro.complexity import complexity
from repro.runtime.roofline import kernel_count

COUNTS = ("gflops", "mparams", "macts", "kernels")
FEATURE_SETS: tuple[tuple[str, ...], ...] = (
    *((count,) for count in COUNTS),
    ("gflops", "macts"),
    COUNTS,
)
"""Each count alone, as in the paper; the two that a roofline names; all four."""


def with_counts(points: pd.DataFrame) -> pd.DataFrame:
    """Published points with exact counts beside them.

    Args:
        points: columns base, strategy (the paper's short name, or ``alpha=2/3``; empty for none)
            and scale.

    Returns:
        The points with columns gflops, mparams, macts and kernels, for one image; what stood in
        columns of these names is replaced.
    """
    rows = []
    for base, strategy, factor in points[["base", "strategy", "scale"]].itertuples(index=False):
        net = get(base)
        if isinstance(strategy, str) and strategy:
            net = scale(net, _paper_strategy(strategy), factor)
        count = complexity(net)
        rows.append(
            {
                "gflops": count.flops / 1e9,
                "mparams": count.params / 1e6,
                "macts": count.acts / 1e6,
                "kernels": kernel_count(net),
            }
        )
    counts = pd.DataFrame(rows, index=points.index)
    kept = points.drop(columns=[c for c in COUNTS if c in points])
    return pd.concat([kept, counts], axis=1)


def _paper_strategy(name: str) -> Strategy:
    return PAPER.get(name) or alpha_strategy(name.removeprefix("alpha="), name)


@dataclass(frozen=True, slots=True)
class Fit:
    """Time as a constant plus a cost for each count.

    Attributes:
        costs: by count, in the target's unit per unit of the count; never negative.
        constant: in the target's unit; never negative.
    """

    costs: dict[str, float]
    constant: float

    def predict(self, points: pd.DataFrame) -> pd.Series:
        """Times of other points with the same columns."""
        return points[list(self.costs)].dot(pd.Series(self.costs)) + self.constant


def _design(points: pd.DataFrame, counts: Sequence[str]) -> np.ndarray:
    """Counts and a column of ones: the constant is a cost like any other, so not negative."""
    return np.column_stack([points[list(counts)].to_numpy(float), np.ones(len(points))])


def _regression() -> LinearRegression:
    return LinearRegression(positive=True, fit_intercept=False)


def _weights(times: np.ndarray) -> np.ndarray:
    """Relative errors are made small: a network that takes 3 minutes counts as one of 300."""
    return 1.0 / times**2


def fit(points: pd.DataFrame, target: str, counts: Sequence[str] = COUNTS) -> Fit:
    """Fit time to counts by non-negative least squares on relative errors.

    Args:
        points: one row per network. target: column of times, positive. counts: columns to use.
    """
    times = points[target].to_numpy(float)
    model = _regression().fit(_design(points, counts), times, sample_weight=_weights(times))
    *costs, constant = (float(c) for c in model.coef_)
    return Fit(dict(zip(counts, costs, strict=True)), constant)


def held_out(points: pd.DataFrame, target: str, counts: Sequence[str], groups: str) -> pd.Series:
    """Times predicted for each group by a fit to all others.

    Args:
        groups: the column that says what is left out together: ``"base"`` for families,
            ``"strategy"`` for strategies. At least two groups.
    """
    times = points[target].to_numpy(float)
    predicted = cross_val_predict(
        _regression(),
        _design(points, counts),
        times,
        groups=points[groups].astype(str),
        cv=LeaveOneGroupOut(),
        params={"sample_weight": _weights(times)},
    )
    return pd.Series(predicted, index=points.index, name="predicted")


def report(
    points: pd.DataFrame,
    target: str,
    feature_sets: Iterable[Sequence[str]] = FEATURE_SETS,
    groupings: Sequence[str] = ("base", "strategy"),
) -> pd.DataFrame:
    """How well each set of counts predicts, on points that were fitted and on points left out.

    Returns:
        One row per set and way of leaving out (``"none"``: fitted to all points): columns counts,
        left_out, error (median of the relative error's size), worst (its largest), pearson.
        A grouping with one group alone is left out.
    """
    rows: list[dict[str, Any]] = []
    usable = [g for g in groupings if points[g].astype(str).nunique() > 1]
    for counts in feature_sets:
        for left_out in ("none", *usable):
            if left_out == "none":
                predicted = fit(points, target, counts).predict(points)
            else:
                predicted = held_out(points, target, counts, left_out)
            error = (predicted / points[target] - 1).abs()
            rows.append(
                {
                    "counts": " + ".join(counts),
                    "left_out": left_out,
                    "error": float(error.median()),
                    "worst": float(error.max()),
                    "pearson": float(np.corrcoef(predicted, points[target])[0, 1]),
                }
            )
    return pd.DataFrame(rows)
