"""How closely, and how fast, time follows flops, params and acts.

The questions of Fast and Accurate Model Scaling, section 4 and Figure 2, asked of every set of
timings. One multiply-add is one flop.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from repro import reference
from repro.analysis.frames import log_slope
from repro.analysis.scaling.alpha_family import COSTS
from repro.analysis.timing.sets import FEWEST, Timings, along, short


def correlation(x: ArrayLike, y: ArrayLike, rank: bool = False) -> float:
    """Pearson's r, or with ``rank`` Spearman's rho: Pearson's r of the ranks."""
    from scipy.stats import rankdata

    a, b = (rankdata(v) if rank else np.asarray(v, float) for v in (x, y))
    return float(np.corrcoef(a, b)[0, 1])


def families(timings: Timings) -> dict[str, pd.DataFrame]:
    """Each family that has enough networks for a correlation."""
    parts = timings.frame.groupby("family", sort=False)
    return {str(name): part for name, part in parts if FEWEST <= len(part) < len(timings.frame)}


def correlation_table(
    figure2: Timings, zoo: Timings, recorded: Sequence[Timings], edge: float
) -> pd.DataFrame:
    """Pearson's r of time with each cost: as printed in Figure 2, and in every set.

    edge: acts, M, at which the paper's panels end.
    """
    printed = {p.panel: float(p.pearson_r) for p in reference.printed_pearson() if p.group == "all"}
    rows: list[dict[str, object]] = []

    def add(title: str, networks: str, table: pd.DataFrame) -> None:
        r = {cost: correlation(table[cost], table.ms) for cost in COSTS}
        rows.append({"timings": title, "networks": networks, "n": len(table)} | r)

    title, bases = figure2.brief, dict(list(figure2.frame.groupby("base", sort=False)))
    b0 = bases["EN-B0"]
    rows.append(
        {"timings": title, "networks": "EN-B0, as printed", "n": float("nan")}
        | {cost: printed[cost] for cost in COSTS}
    )
    add(title, f"EN-B0, up to {edge:g} M acts", b0[b0.acts <= edge])
    for base, table in bases.items():
        add(title, str(base), table)
    add(title, "together", figure2.frame)
    add(zoo.brief, "together", zoo.frame)
    others = zoo.frame[zoo.frame.family != "EfficientNet"]
    add(zoo.brief, "without EfficientNets", others)
    for timings in recorded:
        add(timings.brief, "together", timings.frame)
        for name, table in families(timings).items():
            add(timings.brief, name, table)
    return pd.DataFrame(rows)


def exponents(timings: Timings, largest: float) -> pd.DataFrame:
    """Slopes of log time and of log costs against log s, from the base to the largest s.

    Curves of fewer than three networks are left out.
    """
    curves = along(timings)
    curves = curves[(curves.s <= largest) & (curves.s >= 1)]
    slopes = {
        key: {c: log_slope(list(part.s), list(part[c])) for c in (*COSTS, "ms")}
        for key, part in curves.groupby(["base", "strategy"], sort=False)
        if part.s.nunique() >= 3
    }
    index = pd.MultiIndex.from_tuples(list(slopes), names=["base", "strategy"])
    return pd.DataFrame(list(slopes.values()), index, columns=[*COSTS, "ms"])


def exponents_beside(sets: Sequence[Timings]) -> pd.DataFrame:
    """Exponents of time of sets side by side, over the scales that all cover; NaN: not timed."""
    largest = min(float(t.frame.s.max()) for t in sets)
    slopes = [exponents(t, largest) for t in sets]
    counted = pd.concat(slopes)[["acts", "flops"]]
    table = counted[~counted.index.duplicated(keep="last")].copy()
    for timings, one in zip(sets, slopes, strict=True):
        table[short(timings)] = one.ms.reindex(table.index)
    return table.rename_axis(["network", "strategy"]).reset_index()
