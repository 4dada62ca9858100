"""Prices of counts by the law of `repro.prices`, fitted to tables of timings.

The first paper fits time to one count at a time (Figure 2). Here several counts work together, and
none may help by a negative amount: each coefficient is then a price, of a flop, of a written
element, of a parameter, of a launched kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from repro.analysis.timing.sets import COUNTS, Timings
from repro.prices import fit as prices


@dataclass(frozen=True, slots=True)
class Fit:
    """Time as a constant plus a price for each count, in the target's unit; none is negative."""

    costs: dict[str, float]
    constant: float

    def predict(self, points: pd.DataFrame) -> pd.Series:
        """Times of other points with the same columns."""
        return points[list(self.costs)].dot(pd.Series(self.costs)) + self.constant


def fit(points: pd.DataFrame, target: str, counts: Sequence[str] = COUNTS) -> Fit:
    """Fit times, positive, to counts by the law of prices."""
    found = prices.fit(points[list(counts)].to_numpy(float), points[target].to_numpy(float))
    *costs, constant = map(float, found)
    return Fit(dict(zip(counts, costs, strict=True)), constant)


def fitted(timings: Timings, counts: Sequence[str] = COUNTS) -> Fit:
    """Milliseconds of one image on one device from counts, fitted to all networks of a set."""
    return fit(timings.frame, "ms", counts)


def held_out(points: pd.DataFrame, target: str, counts: Sequence[str], groups: str) -> pd.Series:
    """Times predicted for each value of the column ``groups``, two at least, by a fit to others."""
    predicted = prices.held_out(
        points[list(counts)].to_numpy(float),
        points[target].to_numpy(float),
        list(points[groups].astype(str)),
    )
    return pd.Series(predicted, index=points.index, name="predicted")


def unseen_error(timings: Timings, counts: Sequence[str], left_out: str) -> float:
    """Median relative error for families, or strategies, that a fit to the others has not seen."""
    predicted = held_out(timings.frame, "ms", counts, left_out)
    return float((predicted / timings.frame.ms - 1).abs().median())
