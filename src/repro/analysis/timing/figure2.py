"""The published runtimes of Figure 2, and how closely they follow flops, params and acts.

Fast and Accurate Model Scaling, section 4: minutes for one ImageNet training epoch on 8 V100s, of
EN-B0, RegNetZ-500MF and RegNetY-500MF scaled four ways from s = 0.5 to 96. One multiply-add is one
flop.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from repro import reference
from repro.analysis.frames import family, log_slope
from repro.analysis.scaling.alpha_family import COMPARED, COSTS, UNITS, rounded
from repro.book.kit.tables import agrees_as_printed
from repro.text import at_start, count_text

Values = Sequence[float] | pd.Series | NDArray[np.float64]
"""One number per model."""

EDGE: int = reference.CLIPPED_MACTS
"""The paper's panels over acts end here, M."""


def published_times() -> pd.DataFrame:
    """Figure 2's models: base, family, strategy, s, flops (G), params, acts (M), minutes, drawn.

    ``drawn`` says whether the paper's panels over acts show the model: they end at 140 M.
    """
    points = reference.runtime_points()
    frame = reference.to_frame(points).rename(
        columns={
            "scale": "s",
            "gflops": "flops",
            "mparams": "params",
            "macts": "acts",
            "epoch_minutes_8xv100": "minutes",
        }
    )
    frame.insert(1, "family", [family(base) for base in frame.base])
    frame["drawn"] = [point.drawn("macts") for point in points]
    rank = {name: i for i, name in enumerate([*frame.base.unique(), *COMPARED])}
    by = ["base", "strategy"]
    return frame.sort_values(by, key=lambda column: column.map(rank), kind="stable")


def correlation(x: Values, y: Values, rank: bool = False) -> float:
    """Pearson's r, or with ``rank`` Spearman's rho: Pearson's r of the ranks."""
    picks = np.arange(len(x))[None, :]
    return float(_correlations(np.asarray(x, float), np.asarray(y, float), picks, rank)[0])


def bootstrap(
    x: Values, y: Values, *, seed: int, resamples: int, rank: bool = False
) -> NDArray[np.float64]:
    """Correlations of resampled models: as many models, drawn with replacement.

    The same seed draws the same models, so two bootstraps of one set of models are paired.

    Args:
        x, y: one value per model.
        seed: of numpy's default generator.
        resamples: how many.
        rank: Spearman's rho instead of Pearson's r.

    Returns:
        Shape ``(resamples,)``.
    """
    picks = np.random.default_rng(seed).integers(len(x), size=(resamples, len(x)))
    return _correlations(np.asarray(x, float), np.asarray(y, float), picks, rank)


def _correlations(
    x: NDArray[np.float64], y: NDArray[np.float64], picks: NDArray[np.int64], rank: bool
) -> NDArray[np.float64]:
    from scipy.stats import rankdata

    columns = []
    for values in (x, y):
        sample = rankdata(values[picks], axis=1) if rank else values[picks]
        sample = sample - sample.mean(axis=1, keepdims=True)
        columns.append(sample / np.linalg.norm(sample, axis=1, keepdims=True))
    return np.asarray((columns[0] * columns[1]).sum(axis=1))


def interval(samples: NDArray[np.float64]) -> tuple[float, float]:
    """The middle 95 % of bootstrap samples (percentile interval)."""
    low, high = np.quantile(samples, [0.025, 0.975])
    return float(low), float(high)


def by_range(
    times: pd.DataFrame, limits: Sequence[float], *, seed: int, resamples: int
) -> pd.DataFrame:
    """Correlation of time with each cost over the models up to each scale.

    Returns:
        Long form: limit, models, cost, method (Pearson or Spearman), r, low, high (95 %).
    """
    rows = []
    for limit in limits:
        part = times[times.s <= limit]
        for method, rank in (("Pearson", False), ("Spearman", True)):
            for cost in COSTS:
                x, y = part[cost], part.minutes
                low, high = interval(bootstrap(x, y, seed=seed, resamples=resamples, rank=rank))
                rows.append(
                    {"limit": limit, "models": len(part), "method": method, "cost": cost}
                    | {"r": correlation(x, y, rank), "low": low, "high": high}
                )
    return pd.DataFrame(rows)


def range_table(ranges: pd.DataFrame) -> pd.DataFrame:
    """`by_range` as a table: one row per range, one column per method and cost."""
    rows = []
    for (limit, models), part in ranges.groupby(["limit", "models"], sort=False):
        names = part.method + ", " + part.cost
        row = {"scales": f"s ≤ {limit:g}", "models": models}
        rows.append(row | dict(zip(names, part.r, strict=True)))
    return pd.DataFrame(rows)


def printed_beside_ours(times: pd.DataFrame) -> pd.DataFrame:
    """Figure 2's printed correlations, beside those of the models drawn and of all models.

    Returns:
        Columns panel, models, printed, then for the drawn and for all known models their number,
        r, and whether r rounds to what is printed.
    """
    rows = []
    for printed in reference.printed_pearson():
        cost = "acts" if printed.panel == "families" else printed.panel
        part = times if printed.panel == "families" else times[times.base == "EN-B0"]
        if printed.group != "all":
            part = part[(part.base == printed.group) | (part.strategy == printed.group)]
        row: dict[str, object] = {
            "time against": f"{cost}, 3 families" if printed.panel == "families" else cost,
            "models": printed.group,
            "r, printed": float(printed.pearson_r),
        }
        known = {"drawn": part[part.drawn] if cost == "acts" else part, "all": part}
        for blanks, (name, models) in enumerate(known.items(), start=1):
            r = correlation(models[cost], models.minutes)
            row |= {f"n, {name}": len(models), f"r, {name}": r}
            row[" " * blanks] = "=" if agrees_as_printed(float(printed.pearson_r), r, 2) else "≠"
        rows.append(row)
    return pd.DataFrame(rows)


def line_fit(models: pd.DataFrame, cost: str = "acts") -> tuple[float, float]:
    """Slope (minutes per unit of cost) and intercept (minutes) of the least-squares line."""
    slope, intercept = np.polyfit(models[cost], models.minutes, 1)
    return float(slope), float(intercept)


def beyond_the_edge(times: pd.DataFrame) -> pd.DataFrame:
    """EN-B0's models that the acts panel does not show, beside the line through those it shows.

    Returns:
        Columns strategy, s, acts (M), minutes, minutes by line, and ratio of the last two.
    """
    models = times[times.base == "EN-B0"]
    slope, intercept = line_fit(models[models.drawn])
    out = models.loc[~models.drawn, ["strategy", "s", "acts", "minutes"]].reset_index(drop=True)
    out["minutes by line"] = slope * out.acts + intercept
    out["ratio"] = out.minutes / out["minutes by line"]
    return out.rename(columns={"acts": UNITS["acts"]})


def by_panel_edge(times: pd.DataFrame, edges: Sequence[float]) -> pd.DataFrame:
    """r(acts, minutes) of the models with at most so many M acts. Columns edge, models, r."""
    rows = []
    for edge in edges:
        part = times[times.acts <= edge]
        rows.append(
            {
                "edge": edge,
                "models": len(part),
                "r": correlation(part.acts, part.minutes),
            }
        )
    return pd.DataFrame(rows)


def log_correlation(models: pd.DataFrame, cost: str) -> float:
    """Pearson's r of log minutes and log cost: all sizes weigh alike."""
    return correlation(np.log(models[cost]), np.log(models.minutes))


def partial_correlation(models: pd.DataFrame, cost: str, given: str) -> float:
    """Pearson's r of log minutes and log cost, once log ``given`` has explained what it can.

    Both are replaced by their residuals from a line in log ``given``.
    """
    z = np.log(models[given].to_numpy(float))
    design = np.column_stack([np.ones_like(z), z])

    def rest(values: pd.Series) -> NDArray[np.float64]:
        y = np.log(values.to_numpy(float))
        return np.asarray(y - design @ np.linalg.lstsq(design, y, rcond=None)[0])

    return correlation(rest(models[cost]), rest(models.minutes))


def partial_table(times: pd.DataFrame) -> pd.DataFrame:
    """Partial correlations with time, per family: acts and params given flops, flops given acts."""
    asked = [("acts", "flops"), ("params", "flops"), ("flops", "acts")]
    rows = [
        {"network": base, "models": len(part)}
        | {f"{cost} given {given}": partial_correlation(part, cost, given) for cost, given in asked}
        for base, part in times.groupby("base", sort=False)
    ]
    return pd.DataFrame(rows)


def time_exponents(times: pd.DataFrame) -> pd.DataFrame:
    """Slopes of log minutes, log flops, log params and log acts against log s.

    Returns:
        One row per base and strategy: base, family, strategy, models, largest s, and the slopes.
    """
    rows = []
    for (base, strategy), part in times.groupby(["base", "strategy"], sort=False):
        row = {"base": base, "family": part.family.iloc[0], "strategy": strategy}
        row |= {"models": len(part), "largest s": float(part.s.max())}
        for column in ("minutes", *reversed(COSTS)):
            row[column] = log_slope(list(part.s), list(part[column]))
        rows.append(row)
    return pd.DataFrame(rows)


def numbers(times: pd.DataFrame, *, seed: int, resamples: int) -> dict[str, float]:
    """What the chapter's prose quotes from the published runtimes, by glue name."""
    b0 = times[times.base == "EN-B0"]
    out: dict[str, float] = {"fcs_edge": EDGE, "fcs_n_times": len(times)}
    unscaled = b0[b0.s == 1].minutes
    out |= {"fcs_b0_minutes_low": unscaled.min(), "fcs_b0_minutes_high": unscaled.max()}
    out["fcs_b0_spread"] = 100 * float(unscaled.max() / unscaled.min() - 1)

    printed = printed_beside_ours(times)
    out |= {"fcs_printed": len(printed), "fcs_n_beyond": int((~b0.drawn).sum())}
    out |= {"fcs_as_drawn": int((printed[" "] == "=").sum())}
    out |= {"fcs_as_all": int((printed["  "] == "=").sum())}
    rows = printed.set_index(["time against", "models"])
    for name, panel in (("acts", "acts"), ("families", "acts, 3 families")):
        for which in ("printed", "drawn", "all"):
            out[f"fcs_r_{name}_{which}"] = float(rows[f"r, {which}"][panel, "all"])
    for which in ("drawn", "all"):
        out[f"fcs_n_{which}"] = int(rows[f"n, {which}"]["acts", "all"])

    resampled = {}
    for cost in COSTS:
        x, y = b0[cost], b0.minutes
        resampled[cost] = bootstrap(x, y, seed=seed, resamples=resamples)
        low, high = interval(resampled[cost])
        out |= {f"fcs_r_{cost}_low": low, f"fcs_r_{cost}_high": high}
    out |= {f"fcs_r_{c}": correlation(b0[c], b0.minutes) for c in ("flops", "params")}
    out["fcs_rho_acts"] = correlation(b0.acts, b0.minutes, rank=True)
    low, high = interval(resampled["acts"] - resampled["flops"])
    out |= {"fcs_lead_low": low, "fcs_lead_high": high}

    beyond = beyond_the_edge(times).groupby("strategy").ratio
    for name in ("dw", "dwr"):
        out[f"fcs_{name}_ratio_low"] = float(beyond.min()[name])
        out[f"fcs_{name}_ratio_high"] = float(beyond.max()[name])

    partial = partial_table(times).set_index("network")
    out["fcs_partial_low"] = float(partial["acts given flops"].min())
    out["fcs_partial_high"] = float(partial["acts given flops"].max())
    for short, base in (("B0", "EN-B0"), ("Y", "RegNetY-500MF"), ("Z", "RegNetZ-500MF")):
        out[f"fcs_partial_flops_{short}"] = float(partial["flops given acts"][base])

    slopes = time_exponents(times)
    above, below = slopes.minutes - slopes.acts, slopes.flops - slopes.minutes
    out |= {"fcs_above_low": float(above.min()), "fcs_above_high": float(above.max())}
    out |= {"fcs_below_low": float(below.min()), "fcs_below_high": float(below.max())}
    out |= {"fcs_above_n": int((above > 0).sum()), "fcs_slopes_n": len(slopes)}

    price = {base: line_fit(part[part.drawn])[0] for base, part in times.groupby("base")}
    out["fcs_price_ratio"] = price["RegNetZ-500MF"] / price["EN-B0"]
    return rounded(out)


def counts_in_words(times: pd.DataFrame) -> dict[str, str]:
    """How many printed coefficients, and how many slopes, come out as said, by glue name."""
    known = numbers(times, seed=0, resamples=1)
    drawn, every = (int(known[f"fcs_as_{which}"]) for which in ("drawn", "all"))
    printed, above = int(known["fcs_printed"]), int(known["fcs_above_n"])
    return {
        "fcs_as_drawn_text": at_start(count_text(drawn, printed)),
        "fcs_as_all_text": count_text(every, printed),
        "fcs_above_text": count_text(above, int(known["fcs_slopes_n"])),
    }
