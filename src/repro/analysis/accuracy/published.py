"""The published errors of the first paper, and how much of their differences is noise.

Fast and Accurate Model Scaling, section 6: Figures 1, 4 to 8 and Tables 5 to 8, ImageNet top-1 in
percent, after 200 epochs unless said otherwise. Nothing here was trained by this project. One
multiply-add is one flop.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from repro import reference
from repro.analysis.scaling.alpha_family import rounded
from repro.text import count_text


def each(frame: pd.DataFrame) -> Iterator[Any]:
    """The rows, by name; what is in them is not known to a type checker."""
    yield from frame.itertuples()


BASES = ("EN-B0", "RegNetY-500MF", "RegNetZ-500MF")
"""The networks that the paper scales in several ways, in the order of the figures."""
REFERENCE = "dwr"
"""The strategy that others are compared with: roughly EfficientNet's own."""
MEANS = "dWr, means of 3"
"""dWr once more, from Figure 8."""
SCHEDULES = ("1x", "2x", "4x")
TRIALS = 3
TOP = 4.3
"""Flops, G, up to which more than one strategy was trained."""

ROWS: Mapping[str, Sequence[str]] = {
    "one dimension": ("d", "w", "r", "dwr", "orig"),
    "alpha": ("dwr", "alpha=2/3", "dWr", "w"),
    "without r": ("dwr", "dw", "dWr", "w"),
}
"""Which strategies the paper draws together."""
FIGURES: Mapping[tuple[str, str], str] = {
    ("one dimension", "EN-B0"): "Figure 4",
    ("one dimension", "RegNetY-500MF"): "Figure 5",
    ("one dimension", "RegNetZ-500MF"): "Figure 5",
    ("alpha", "EN-B0"): "Figure 6",
    ("alpha", "RegNetY-500MF"): "Figure 7",
    ("alpha", "RegNetZ-500MF"): "Figure 7",
    ("without r", "EN-B0"): "Figure 1",
    ("without r", "RegNetZ-500MF"): "Figure 1",
}


def points() -> pd.DataFrame:
    """Every plotted point of an error.

    Returns:
        Columns figure, base, strategy (the paper's short names, or orig), s, flops (G), acts (M;
        NaN for orig), error (percent), runs (1, or 3 where the mean of three is drawn).
    """
    frame = reference.to_frame(reference.figure_points()).rename(
        columns={
            "scale": "s",
            "gflops": "flops",
            "macts": "acts",
            "top1_error_percent": "error",
        }
    )
    frame["strategy"] = frame.strategy.replace({"2/3": "alpha=2/3"})
    frame["runs"] = [TRIALS if figure == "8" else 1 for figure in frame.figure]
    original = reference.to_frame(reference.original_curve()).rename(
        columns={"gflops": "flops", "top1_error_percent": "error"}
    )
    original = original.assign(base="EN-B0", strategy="orig", runs=TRIALS)
    columns = ["figure", "base", "strategy", "s", "flops", "acts", "error", "runs"]
    return pd.concat([frame, original], ignore_index=True)[columns]


def panels() -> pd.DataFrame:
    """Figures 1 and 4 to 7, a curve per row, base and strategy; `ROWS` says which row has which.

    Returns:
        Columns row, base, strategy, flops (G), error.
    """
    single = points()
    single = single[single.figure != "8"]
    parts = []
    for (row, base), _ in FIGURES.items():
        for strategy in ROWS[row]:
            part = single[(single.base == base) & (single.strategy == strategy)]
            if strategy == "orig":
                part = part[part.flops < 2 * TOP]
            parts.append(part.assign(row=row)[["row", "base", "strategy", "flops", "error"]])
    return pd.concat(parts, ignore_index=True)


def large_models() -> pd.DataFrame:
    """Figure 8: columns curve (a base, or orig), flops (G), error; means of three runs."""
    frame = points()
    drawn = frame[frame.figure.isin(["8", "4;8"]) | (frame.strategy == "orig")].copy()
    drawn["curve"] = drawn.base.where(drawn.strategy != "orig", "orig")
    return drawn[["curve", "flops", "error"]].reset_index(drop=True)


# ------------------------------------------------------------------------- Tables 5 to 8


def networks() -> pd.DataFrame:
    """The networks of Tables 5 to 8, each once.

    Returns:
        Columns table, model, flops (G), and for each schedule its error and spread in percent, as
        ``error_2x`` and ``spread_2x``.
    """
    frame = reference.to_frame(reference.table_rows())
    frame = frame[~frame.note.str.startswith(("printed in", "optimised"))]
    frame = frame.rename(columns={"gflops": "flops"})
    columns = [f"{what}_{x}" for x in SCHEDULES for what in ("error", "spread")]
    return frame[["table", "model", "flops", *columns]].reset_index(drop=True)


def printed_table() -> pd.DataFrame:
    """`networks` for a page: errors with their spreads, as text."""
    frame = networks()
    out = frame[["table", "model", "flops"]].rename(
        columns={"model": "network", "flops": "flops, G"}
    )
    for x in SCHEDULES:
        out[x] = [
            "–" if math.isnan(error) else f"{error:.1f} ± {spread:.2f}"
            for error, spread in zip(frame[f"error_{x}"], frame[f"spread_{x}"], strict=True)
        ]
    return out


def longer_training() -> pd.DataFrame:
    """What twice the epochs are worth: one row per doubling.

    Returns:
        Columns schedules, networks, and the least, mean and largest fall of the error in points.
    """
    frame = networks()
    rows = []
    for short, long in (("1x", "2x"), ("2x", "4x")):
        fall = (frame[f"error_{short}"] - frame[f"error_{long}"]).dropna()
        rows.append(
            {
                "schedules": f"{short} to {long}",
                "networks": len(fall),
                "least": fall.min(),
                "mean": fall.mean(),
                "largest": fall.max(),
            }
        )
    return pd.DataFrame(rows)


# --------------------------------------------------------------------------------- noise

READINGS: Mapping[str, float] = {
    "standard deviation of the three": 1.0,
    "standard deviation, dividing by 3 instead of 2": math.sqrt(3 / 2),
    "half the distance of best and worst": 2 / math.sqrt(2 + 3 * math.sqrt(3) / math.pi),
    "standard error of their mean": math.sqrt(3),
}
"""What ± may mean, and by what to multiply its root mean square to get the deviation of one run.

Of three normal values the squared range is 2 + 3 √3 / π variances on average.
"""


@dataclass(frozen=True)
class Noise:
    """Standard deviation of the error of one run, in points: at least and at most."""

    low: float
    high: float


def spread_table() -> pd.DataFrame:
    """The printed spreads by schedule: how many, least, largest and root mean square."""
    frame = networks()
    rows = []
    for x in SCHEDULES:
        values = frame[f"spread_{x}"].dropna()
        rows.append(
            {
                "schedule": x,
                "spreads": len(values),
                "least": values.min(),
                "largest": values.max(),
                "root mean square": _rms(values),
            }
        )
    return pd.DataFrame(rows)


def _rms(values: pd.Series) -> float:
    return float(np.sqrt((values**2).mean()))


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
    both = both.rename(columns={"error": "one"})[["base", "s", "flops", "one", "three"]]
    both["difference"] = both.one - both.three
    # B0 reads the same in both kinds of figure to every digit: there its mean is drawn in both.
    both = both[both.difference != 0]
    rank = {base: i for i, base in enumerate(BASES)}
    order = both.base.map(rank).sort_values(kind="stable").index
    return both.loc[order].reset_index(drop=True)


def noise_table() -> pd.DataFrame:
    """The standard deviation of one run, by every way to learn it from what is published.

    Returns:
        Columns from, values (how many it rests on), one run (points), low, high (95 %, from
        chi-square; the spreads have two degrees of freedom each).
    """
    spreads = networks().spread_2x.dropna()
    rows = []
    for name, factor in READINGS.items():
        freedom = (TRIALS - 1) * len(spreads)
        rows.append(_row(f"±: {name}", len(spreads), factor * _rms(spreads), freedom))
    twice = drawn_twice()
    for name, runs in (("one of the three", 1 - 1 / TRIALS), ("a fourth", 1 + 1 / TRIALS)):
        deviation = _rms(twice.difference) / math.sqrt(runs)
        rows.append(_row(f"drawn twice: the one is {name}", len(twice), deviation, len(twice)))
    return pd.DataFrame(rows)


def _row(name: str, values: int, deviation: float, freedom: int) -> dict[str, object]:
    from scipy.stats import chi2

    low, high = (deviation * math.sqrt(freedom / chi2.ppf(q, freedom)) for q in (0.975, 0.025))
    return {"from": name, "values": values, "one run": deviation, "low": low, "high": high}


def noise() -> Noise:
    """Least and largest reading of the printed spreads at the schedule of the figures."""
    found = noise_table()
    readings = found[found["from"].str.startswith("±")]["one run"]
    return Noise(float(readings.min()), float(readings.max()))


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
        Columns base, strategy, runs, s, flops (G), error, dwr (at these flops), gap (points), gain
        (what dwr has gained over the base there, points), share (gap over gain), unit (standard
        error of the gap if one run's standard deviation is 1), weights (of dwr's points).
    """
    frame = points()
    rows = []
    for base in BASES:
        mine = frame[(frame.base == base) & (frame.strategy != "orig") & (frame.flops < TOP)]
        single = mine[mine.runs == 1]
        known = single[single.strategy == REFERENCE]
        curve = Curve.of(list(known.flops), list(known.error))
        others = {str(name): part for name, part in single.groupby("strategy", sort=False)}
        del others[REFERENCE]
        others[MEANS] = mine[mine.runs == TRIALS]
        for strategy, part in others.items():
            for point in each(part[part.s > 1].sort_values("flops")):
                there, weights = curve.at(float(point.flops))
                gap, gain = float(point.error) - there, float(curve.error[0]) - there
                rows.append(
                    {
                        "base": base,
                        "strategy": strategy,
                        "runs": point.runs,
                        "s": point.s,
                        "flops": point.flops,
                        "error": point.error,
                        "dwr": there,
                        "gap": gap,
                        "gain": gain,
                        "share": gap / gain,
                        "unit": math.sqrt(1 / float(point.runs) + float((weights**2).sum())),
                        "weights": weights,
                    }
                )
    return pd.DataFrame(rows)


STRATEGIES = ("d", "w", "r", "dw", "alpha=2/3", "dWr", MEANS)


def at_the_top(found: pd.DataFrame) -> pd.DataFrame:
    """Each strategy's largest network: the last row of `gaps` for each base and strategy."""
    top = found.loc[found.groupby(["base", "strategy"], sort=False).flops.idxmax()]
    rank = {name: i for i, name in enumerate([*STRATEGIES, *BASES])}
    by = ["strategy", "base"]
    return top.sort_values(by, key=lambda c: c.map(rank)).reset_index(drop=True)


def along(found: pd.DataFrame) -> pd.DataFrame:
    """The mean gap along each curve: columns base, strategy, points, mean, unit.

    Points that are compared with the same of dwr's share its luck; ``unit`` knows that.
    """
    rows = []
    for (base, strategy), part in found.groupby(["base", "strategy"], sort=False):
        n, shared = len(part), np.mean(list(part.weights), axis=0)
        unit = math.sqrt(1 / float(part.runs.iloc[0]) / n + float((shared**2).sum()))
        rows.append(
            {"base": base, "strategy": strategy, "points": n, "mean": part.gap.mean(), "unit": unit}
        )
    return pd.DataFrame(rows)


def beside_original() -> pd.DataFrame:
    """dWr on EN-B0 against the original EfficientNets at equal flops: both are means of three.

    Returns:
        Columns s, flops (G), error, orig (read between B0 to B5), gap, gain (of orig over B0,
        points), share (gap over gain), unit (as in `gaps`). Only where orig was trained.
    """
    frame = points()
    frame = frame[(frame.base == "EN-B0") & (frame.runs == TRIALS)]
    original = frame[frame.strategy == "orig"]
    curve = Curve.of(list(original.flops), list(original.error))
    rows = []
    for point in each(frame[(frame.strategy == "dWr") & (frame.s > 1)]):
        if float(point.flops) > original.flops.max():
            continue
        there, weights = curve.at(float(point.flops))
        gap, gain = float(point.error) - there, float(curve.error[0]) - there
        unit = math.sqrt((1 + float((weights**2).sum())) / TRIALS)
        rows.append(
            {"s": point.s, "flops": point.flops, "error": point.error, "orig": there}
            | {"gap": gap, "gain": gain, "share": gap / gain, "unit": unit}
        )
    return pd.DataFrame(rows)


def original_table(found: pd.DataFrame, noise: Noise) -> pd.DataFrame:
    """`beside_original` for a page."""
    return pd.DataFrame(
        {
            "s": found.s,
            "flops, G": found.flops,
            "dWr": found.error,
            "orig": found.orig,
            "gap": found.gap,
            "95 %": [_halves(float(u), noise) for u in found.unit],
            "% of gain": [_whole(100 * float(share)) for share in found.share],
            "verdict": [
                verdict(float(g), float(u), noise)
                for g, u in zip(found.gap, found.unit, strict=True)
            ],
        }
    )


def _whole(value: float) -> float:
    """Rounded, and never minus zero."""
    return round(value) + 0.0


def _halves(unit: float, noise: Noise) -> str:
    """Half widths of the 95 % interval at the two noises."""
    low, high = (1.96 * unit * deviation for deviation in (noise.low, noise.high))
    return f"± {low:.2f} to {high:.2f}"


def verdict(value: float, unit: float, noise: Noise, z: float = 1.96) -> str:
    """What noise leaves of a difference.

    Returns:
        ``"worse"`` or ``"better"`` (beyond ``z`` standard errors at either noise), ``"worse?"`` or
        ``"better?"`` (at the smaller noise alone), or ``"within noise"``.
    """
    word = "worse" if value > 0 else "better"
    if abs(value) > z * unit * noise.high:
        return word
    return f"{word}?" if abs(value) > z * unit * noise.low else "within noise"


def gap_table(found: pd.DataFrame, noise: Noise) -> pd.DataFrame:
    """The largest networks beside dwr at their flops, a row each.

    Returns:
        Columns strategy, network, flops, gap, 95 % (half widths at the two noises, as text), % of
        gain, mean gap (along the curve), verdict.
    """
    means = along(found).set_index(["strategy", "base"])["mean"]
    rows = []
    for row in each(at_the_top(found)):
        rows.append(
            {
                "strategy": row.strategy,
                "network": row.base,
                "flops, G": row.flops,
                "gap": row.gap,
                "95 %": _halves(float(row.unit), noise),
                "% of gain": _whole(100 * float(row.share)),
                "mean gap": means[row.strategy, row.base],
                "verdict": verdict(float(row.gap), float(row.unit), noise),
            }
        )
    return pd.DataFrame(rows)


def pooled(found: pd.DataFrame, noise: Noise) -> pd.DataFrame:
    """The gap of the largest networks, averaged over the bases.

    Returns:
        Columns strategy, networks, gap, low (95 % half width at the smaller noise), high (at the
        larger), % of gain, verdict.
    """
    rows = []
    for strategy, part in at_the_top(found).groupby("strategy", sort=False):
        n = len(part)
        mean, unit = float(part.gap.mean()), math.sqrt(float((part.unit**2).sum())) / n
        rows.append(
            {
                "strategy": strategy,
                "networks": n,
                "gap": mean,
                "low": 1.96 * unit * noise.low,
                "high": 1.96 * unit * noise.high,
                "% of gain": _whole(100 * float(part.share.mean())),
                "verdict": verdict(mean, unit, noise),
            }
        )
    return pd.DataFrame(rows)


def per_doubling() -> pd.DataFrame:
    """A straight loss: how many points a strategy loses to dwr with every doubling of the flops.

    For each base one least-squares fit to all single runs up to `TOP`: dwr a parabola in the
    logarithm of flops, every other strategy that parabola plus a line through the unscaled network.

    Returns:
        Columns base, strategy, loss (points), error (standard, from the residuals), points and
        residual (standard deviation, of the whole fit).
    """
    frame = points()
    frame = frame[(frame.runs == 1) & (frame.strategy != "orig")]
    rows = []
    for base in BASES:
        mine = frame[frame.base == base]
        part = pd.concat([mine[mine.s == 1].iloc[:1], mine[mine.s > 1]])
        names = [s for s in STRATEGIES if (part.strategy == s).any()]
        scaled = np.log2(part.flops / part.flops.iloc[0]).to_numpy()
        lines = [scaled * (part.strategy == name).to_numpy() for name in names]
        design = np.column_stack([np.ones_like(scaled), scaled, scaled**2, *lines])
        y = part.error.to_numpy()
        fitted = np.linalg.lstsq(design, y, rcond=None)[0]
        freedom = len(y) - design.shape[1]
        residual = math.sqrt(float(((y - design @ fitted) ** 2).sum()) / freedom)
        errors = residual * np.sqrt(np.diag(np.linalg.inv(design.T @ design)))
        for i, name in enumerate(names, start=3):
            rows.append(
                {
                    "base": base,
                    "strategy": name,
                    "loss": fitted[i],
                    "error": errors[i],
                    "points": len(y),
                    "residual": residual,
                }
            )
    return pd.DataFrame(rows)


def doubling_table(found: pd.DataFrame) -> pd.DataFrame:
    """`per_doubling` for a page: a row per strategy, loss with twice its standard error by base."""
    cells = found.assign(
        text=[f"{x:+.2f} ± {2 * e:.2f}" for x, e in zip(found.loss, found.error, strict=True)]
    )
    wide = cells.pivot(index="strategy", columns="base", values="text")
    order = [s for s in STRATEGIES if s in wide.index]
    return wide.loc[order, list(BASES)].reset_index()


# ------------------------------------------------------------------- statements in the text

STATED: Sequence[tuple[str, str, str]] = (
    ("searched over scaled, RegNetY 4 GF", "RegNetY-500MF→4GF", "RegNetY-4GF"),
    ("searched over scaled, RegNetZ 4 GF", "RegNetZ-500MF→4GF", "RegNetZ-4GF"),
    ("scaled from 4 GF over from 500 MF", "RegNetY-500MF→16GF", "RegNetY-4GF→16GF"),
    ("RegNetZ over RegNetY, 16 GF", "RegNetY-500MF→16GF", "RegNetZ-500MF→16GF"),
)
"""Differences that section 6 reads off Tables 7 and 8: in words, the worse row, the better row."""


def stated_table() -> pd.DataFrame:
    """Differences that the text reads off the tables, and what the spreads say of them.

    An error is printed to a tenth, so a difference of two has up to 0.1 of rounding besides.

    Returns:
        Columns difference, and for each schedule the gap as printed with 1.96 standard errors,
        as text: ± read as the deviation of one run, or as that of the mean.
    """
    frame = networks().set_index("model")
    rows = []
    for words, worse, better in STATED:
        row: dict[str, object] = {"difference": words}
        for x in SCHEDULES:
            a, b = (dict(frame.loc[name]) for name in (worse, better))
            spread = math.hypot(float(a[f"spread_{x}"]), float(b[f"spread_{x}"]))
            low, high = 1.96 * spread / math.sqrt(TRIALS), 1.96 * spread
            gap = float(a[f"error_{x}"]) - float(b[f"error_{x}"])
            row[x] = f"{gap:.1f} ± {low:.2f} to {high:.2f}"
        rows.append(row)
    return pd.DataFrame(rows)


# ------------------------------------------------------------------------------- numbers


def numbers() -> dict[str, float]:
    """What the chapter's prose quotes from the published errors, by glue name."""
    found, between = gaps(), noise()
    out: dict[str, float] = {"das_points": len(points()), "das_networks": len(networks())}
    out |= {"das_noise_low": between.low, "das_noise_high": between.high}
    spreads = networks().spread_2x.dropna()
    out |= {"das_spread_least": float(spreads.min()), "das_spread_most": float(spreads.max())}
    twice = noise_table().set_index("from")["one run"]
    out["das_twice_low"] = float(twice["drawn twice: the one is a fourth"])
    out["das_twice_high"] = float(twice["drawn twice: the one is one of the three"])
    out["das_twice_n"] = len(drawn_twice())
    out["das_twice_largest"] = float(drawn_twice().difference.abs().max())

    top = at_the_top(found)
    for name in ("d", "w", "r"):
        share = 100 * top[top.strategy == name].share
        out |= {f"das_{name}_share_low": share.min(), f"das_{name}_share_high": share.max()}
    r = top[top.strategy == "r"]
    out |= {"das_r_gap_low": float(r.gap.min()), "das_r_gap_high": float(r.gap.max())}
    pools = pooled(found, between).set_index("strategy")
    for key, name in (("fast", "dWr"), ("means", MEANS), ("w", "w"), ("d", "d"), ("dw", "dw")):
        out |= {
            f"das_{key}_gap": float(pools.gap[name]),
            f"das_{key}_low": float(pools.low[name]),
            f"das_{key}_high": float(pools.high[name]),
            f"das_{key}_gain": 100 * float(top[top.strategy == name].share.mean()),
        }
    out["das_fast_most"] = out["das_fast_gap"] + out["das_fast_high"]
    far = beside_original().iloc[-1]
    out |= {"das_orig_flops": float(far.flops), "das_orig_gap": float(far.gap)}
    out |= {f"das_orig_{k}": 1.96 * float(far.unit) * n for k, n in vars(between).items()}
    out["das_orig_gain"] = 100 * float(far.share)
    slopes = per_doubling()
    r_loss = slopes[slopes.strategy == "r"].loss
    out |= {"das_r_loss_low": float(r_loss.min()), "das_r_loss_high": float(r_loss.max())}
    fast_loss = slopes[slopes.strategy.isin(["dWr", "alpha=2/3"])].loss
    out["das_fast_loss"] = float(fast_loss.max())
    out["das_comparisons"] = len(top)
    out["das_gain"] = float(top[top.strategy == "dWr"].gain.mean())
    longer = longer_training().set_index("schedules")["mean"]
    out |= {"das_longer_2": float(longer["1x to 2x"]), "das_longer_4": float(longer["2x to 4x"])}
    residual = per_doubling().drop_duplicates("base").residual
    out |= {"das_fit_low": float(residual.min()), "das_fit_high": float(residual.max())}
    return rounded(out)


def words() -> dict[str, str]:
    """How many gaps are what, in words, by glue name."""
    found, between = gaps(), noise()
    top = at_the_top(found)
    single = top[top.runs == 1]
    said = [
        verdict(float(g), float(u), between) for g, u in zip(single.gap, single.unit, strict=True)
    ]
    of_dw = [v for v, s in zip(said, single.strategy, strict=True) if s in ("d", "w")]
    fast = [v for v, s in zip(said, single.strategy, strict=True) if s in ("dWr", "alpha=2/3")]
    unlucky = found[(found.base == "RegNetY-500MF") & (found.s == 2) & (found.runs == 1)]
    unlucky = unlucky[unlucky.strategy != "r"]
    return {
        "das_lucky_text": count_text(int((unlucky.gap < 0).sum()), len(unlucky)),
        "das_dw_sure_text": count_text(of_dw.count("worse"), len(of_dw)),
        "das_dw_some_text": count_text(len(of_dw) - of_dw.count("within noise"), len(of_dw)),
        "das_fast_text": count_text(fast.count("within noise"), len(fast)),
    }
