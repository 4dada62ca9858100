"""How closely time follows flops, params and acts, with intervals that resample whole groups.

The question of Fast and Accurate Model Scaling, section 4 and Figure 2, asked of every set of
timings. Networks of one family share their blocks, and the points of one curve a base and a
strategy: they are no independent draws. So an interval draws families, or curves, anew with all
their networks. One multiply-add is one flop.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from repro import reference
from repro.analysis.scaling.alpha_family import COSTS
from repro.analysis.timing.sets import Timings

QUANTILES = (0.025, 0.975)
"""Ends of an interval: it holds 95 % of what resampling gives."""
SEED = 0


def correlation(x: ArrayLike, y: ArrayLike, rank: bool = False) -> float:
    """Pearson's r, or with ``rank`` Spearman's rho: Pearson's r of the ranks."""
    from scipy.stats import rankdata

    a, b = (rankdata(v) if rank else np.asarray(v, float) for v in (x, y))
    return float(np.corrcoef(a, b)[0, 1])


def redrawn(groups: pd.Series, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each group comes in each of ``draws`` resamples, and each row's group by number.

    A resample has as many groups as there are, drawn with replacement.
    """
    number, names = pd.factorize(groups)
    many = len(names)
    times = np.random.default_rng(SEED).multinomial(many, np.full(many, 1 / many), draws)
    return times, number


def _resampled(x: np.ndarray, y: np.ndarray, times: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Pearson's r of each resample, by the groups' sums."""
    parts = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)
    sums = np.zeros((times.shape[1], parts.shape[1]))
    np.add.at(sums, number, parts)
    n, sx, sy, sxx, syy, sxy = (times @ sums).T
    spread = (n * sxx - sx * sx) * (n * syy - sy * sy)
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample of one point has no r
        r: np.ndarray = (n * sxy - sx * sy) / np.sqrt(spread)
    return r


def lead(
    frame: pd.DataFrame, groups: pd.Series, draws: int, logs: bool = False
) -> dict[str, float]:
    """Pearson's r of time with each cost, and by how much acts lead flops: lead, low, high.

    logs: of logarithms, in which all sizes weigh alike.
    """
    of = np.log if logs else np.asarray
    values = {name: of(frame[name].to_numpy(float)) for name in (*COSTS, "ms")}
    values = {name: v - v.mean() for name, v in values.items()}  # sums of squares stay exact
    r = {cost: correlation(values[cost], values["ms"]) for cost in COSTS}
    drawn = {c: _resampled(values[c], values["ms"], *redrawn(groups, draws)) for c in COSTS}
    low, high = np.nanquantile(drawn["acts"] - drawn["flops"], QUANTILES)
    return r | {"lead": r["acts"] - r["flops"], "low": float(low), "high": float(high)}


def curves(frame: pd.DataFrame) -> pd.Series:
    """For each network the curve that it lies on: a base under a strategy."""
    names: pd.Series = frame.base + " " + frame.strategy
    return names


def correlation_table(
    figure2: Timings, zoo: Timings, recorded: Sequence[Timings], edge: float, draws: int
) -> pd.DataFrame:
    """Pearson's r of time with each cost and the `lead` of acts, as printed and in scaled networks.

    The zoo, of unscaled networks, is resampled by families, everything else by curves.
    edge: acts, M, at which the paper's panels end.
    """
    printed = {p.panel: float(p.pearson_r) for p in reference.printed_pearson() if p.group == "all"}
    title, table = figure2.brief, figure2.frame
    b0 = table[table.base == "EN-B0"]
    first: dict[str, object] = {"timings": title, "networks": "EN-B0, as printed"}
    rows = [first | {cost: printed[cost] for cost in COSTS}]

    def add(title: str, networks: str, part: pd.DataFrame, groups: pd.Series) -> None:
        found = lead(part, groups, draws)
        rows.append({"timings": title, "networks": networks, "n": len(part)} | found)

    drawn = b0[b0.acts <= edge]
    add(title, f"EN-B0, up to {edge:g} M acts", drawn, curves(drawn))
    for base, part in table.groupby("base", sort=False):
        add(title, str(base), part, curves(part))
    add(title, "together", table, curves(table))
    add(zoo.brief, "together", zoo.frame, zoo.frame.family)
    others = zoo.frame[zoo.frame.family != "EfficientNet"]
    add(zoo.brief, "without EfficientNets", others, others.family)
    for timings in recorded:
        add(timings.brief, "together", timings.frame, curves(timings.frame))
    return pd.DataFrame(rows)


def within_and_across(frame: pd.DataFrame, fewest: int) -> dict[str, float]:
    """r of log time with log flops and log acts inside families, and of families' means.

    led: in how many of the led_of families of at least ``fewest`` networks acts lead.
    """
    logs = frame[["flops", "acts", "ms"]].transform(np.log)
    means = logs.groupby(frame.family).transform("mean")
    found: dict[str, float] = {}
    for name, part in {"within": logs - means, "across": means.drop_duplicates()}.items():
        found |= {f"{name}_{c}": correlation(part[c], part.ms) for c in ("flops", "acts")}
    large = [part for _, part in logs.groupby(frame.family) if len(part) >= fewest]
    led = [correlation(p.acts, p.ms) > correlation(p.flops, p.ms) for p in large]
    return found | {"led": sum(led), "led_of": len(led)}
