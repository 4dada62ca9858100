"""Predict time from counts: a price for each count, judged on networks that were not seen.

The first paper fits time to one count at a time (Figure 2). Here several counts work together, and
none may help by a negative amount: each coefficient is then a price, of a flop, of a written
element, of a parameter, of a launched kernel. Errors are held out by family or by strategy,
because within one of them almost any count predicts well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from repro.analysis.timing.sets import COUNTS, V100, Timings, network_of
from repro.prices import fit as prices
from repro.records import Dtype, PeakRecord
from repro.runtime.roofline import Fusion, Peaks, device_peaks, recorded_peaks, roofline
from repro.stored import machine_name, stored

FEATURE_SETS: tuple[tuple[str, ...], ...] = (
    *(("flops",), ("params",), ("acts",)),
    *(("roofline",), ("flops", "acts"), COUNTS),
)
"""Counts alone, as in the paper; the roofline's time; the two that it is made of; all four."""
UNKNOWN_BATCH = 64
"""Of one device, where none is published; it decides little but the traffic of weights."""


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


def held_out_errors(sets: Iterable[Timings]) -> pd.DataFrame:
    """How well each set of counts predicts families, and strategies, that the fit has not seen.

    error: median of the relative error's size. A set of one strategy has none to leave out; the
    roofline is there for sets that `with_roofline` has completed.
    """
    rows = []
    for timings in sets:
        table = timings.frame
        for left_out in ("family", "strategy"):
            for counts in FEATURE_SETS:
                if table[left_out].nunique() > 1 and set(counts) <= set(table.columns):
                    error = (held_out(table, "ms", counts, left_out) / table.ms - 1).abs()
                    rows.append((timings.brief, left_out, " + ".join(counts), error.median()))
    return pd.DataFrame(rows, columns=["timings", "left_out", "counts", "error"])


def balance(timings: Timings) -> float:
    """How many flops cost as much as one act, by the fit; infinite where flops are free."""
    costs = fitted(timings).costs
    return 1e3 * costs["acts"] / costs["flops"] if costs["flops"] else float("inf")


def with_roofline(
    sets: Iterable[Timings], assumed: Mapping[str, Dtype], fusion: Fusion
) -> list[Timings]:
    """Sets with a further column roofline: the least time of one image in ms.

    assumed: precision of published sets, by title. A set of a machine of unknown rates stays as is.
    """
    completed = []
    for timings in sets:
        dtype = timings.dtype or assumed[timings.title]
        if peaks := peaks_of(timings, dtype):
            known = timings.frame.batch.fillna(UNKNOWN_BATCH).astype(int)
            nets = timings.frame[["base", "strategy", "s"]].itertuples(index=False)
            ms = [
                1e3 * roofline(network_of(*net), peaks, b, dtype, timings.mode, fusion).ideal_s / b
                for net, b in zip(nets, known, strict=True)
            ]
            timings = replace(timings, frame=timings.frame.assign(roofline=ms))
        completed.append(timings)
    return completed


def peaks_of(timings: Timings, dtype: Dtype) -> Peaks | None:
    """A machine's rates: measured where they are recorded, a V100's from the table; or None."""
    if timings.kind == "published":
        return device_peaks(V100)
    records = [
        r for r in stored() if isinstance(r, PeakRecord) and machine_name(r) == timings.machine
    ]
    if not records:
        return None
    peaks = recorded_peaks(records, records[0].machine.device_name)
    return peaks if peaks.operations.get(dtype) else None
