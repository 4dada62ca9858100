"""Frames of the chapter "Fast compound scaling": the alpha family, counted and as published.

The chapter's other halves: `repro.analysis.timing.figure2` (the correlations of Figure 2) and
`repro.book.chapters.the_dial`. Source: Fast and Accurate Model Scaling, section 5, Table 4 and
Figures 1 and 4 to 7. One multiply-add is one flop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
import pandas as pd

from repro import reference
from repro.analysis.frames import counts, family, log_slope, scaled
from repro.arch import PAPER, alpha_strategy, get, scale
from repro.book.kit.tables import agrees_as_printed
from repro.complexity import complexity
from repro.theory import Exponent, Linear, family_powers, growth, strategy_powers

COSTS: tuple[str, ...] = ("flops", "params", "acts")
UNITS: Mapping[str, str] = {"flops": "flops, G", "params": "params, M", "acts": "acts, M"}
COMPARED: tuple[str, ...] = ("dwr", "dw", "dWr", "w")
"""The strategies of Figures 1 and 2, from the most acts to the fewest."""


def exponent(strategy: str, cost: str) -> float:
    """The theoretical exponent of s in flops, params or acts, for one of the paper's strategies."""
    return float(getattr(growth(strategy_powers(PAPER[strategy])), cost))


def table4() -> pd.DataFrame:
    """Table 4 as printed beside the exact exponents that follow from alpha, as text.

    Returns:
        One row per strategy, the general one first. Blank-named columns hold the verdicts.
    """
    powers = family_powers()
    grown = growth(powers)
    exact: dict[str, tuple[str, Exponent]] = {
        # the share of width, e_w, is alpha itself
        "e_d = e_r": ("share_depth", powers.d),
        "params": ("params", grown.params),
        "acts": ("acts", grown.acts),
    }
    rows = []
    for printed in reference.exponent_rows():
        if printed.table != 4:
            continue
        general = printed.alpha == "a"
        row = {"strategy": "any" if general else printed.strategy, "alpha": printed.alpha}
        for blanks, (title, (column, rule)) in enumerate(exact.items(), start=1):
            text = str(getattr(printed, column))
            ours = rule if general or isinstance(rule, Fraction) else rule(Fraction(printed.alpha))
            row |= {f"{title}, paper": text, f"{title}, ours": str(ours)}
            row[" " * blanks] = "=" if _prints_as(ours, text) else "≠"
        rows.append(row)
    return pd.DataFrame(rows)


def _prints_as(exact: Exponent, text: str) -> bool:
    """Whether an exponent is what a table prints: a formula, a fraction or a rounded decimal."""
    if isinstance(exact, Linear):
        return str(exact).strip("()") == text.strip("()")
    if "/" in text:
        return Fraction(text) == exact
    return agrees_as_printed(float(text), float(exact), len(text.partition(".")[2]))


def relative_acts() -> pd.DataFrame:
    """Figure 1, bottom left, at its right end: strategy, exponent, s, paper, ours."""
    rows = []
    for point in reference.theory_points():
        e = growth(strategy_powers(PAPER[point.strategy])).acts
        rows.append(
            {
                "strategy": point.strategy,
                "exponent": str(e),
                "s": point.scale,
                "paper": float(point.relative_acts),
                "ours": point.scale ** exponent(point.strategy, "acts"),
            }
        )
    return pd.DataFrame(rows)


def dial(bases: Sequence[str], alphas: Sequence[str], scales: Sequence[float]) -> pd.DataFrame:
    """Measured exponents of real networks along the alpha family.

    Args:
        bases: zoo names. alphas: texts such as ``"4/5"``. scales: factors on flops.

    Returns:
        One row per base and alpha: base, family, alpha, and the least-squares slopes of
        log flops, log params and log acts against log s.
    """
    counted = scaled(bases, {a: alpha_strategy(a) for a in alphas}, scales)
    slopes = _exponents(counted)
    slopes.insert(2, "alpha", [float(Fraction(a)) for a in slopes.pop("strategy")])
    return slopes


def _exponents(counted: pd.DataFrame) -> pd.DataFrame:
    rows = [
        {"base": base, "family": family(str(base)), "strategy": strategy}
        | {cost: log_slope(list(part.s), list(part[cost])) for cost in COSTS}
        for (base, strategy), part in counted.groupby(["base", "strategy"], sort=False)
    ]
    return pd.DataFrame(rows)


def exponent_table(counted: pd.DataFrame, cost: str) -> pd.DataFrame:
    """Measured exponents, one row per base and one column per strategy; theory comes first.

    Args:
        counted: from `repro.analysis.frames.scaled`, with the paper's strategy names.
        cost: ``"flops"``, ``"params"`` or ``"acts"``.
    """
    wide = _exponents(counted).pivot(index="base", columns="strategy", values=cost)
    wide = wide.loc[list(counted.base.unique()), list(counted.strategy.unique())]
    theory = pd.DataFrame({s: [exponent(s, cost)] for s in wide.columns}, index=["theory"])
    return pd.concat([theory, wide]).rename_axis("network").reset_index()


def at_equal_flops(counted: pd.DataFrame, factor: float) -> pd.DataFrame:
    """dWr relative to dwr at ``factor`` times the base's flops, beside what theory says.

    Rounding makes equal s mean slightly unequal flops, so acts and params are interpolated
    between the counted networks, linearly in the logarithms.

    Args:
        counted: from `repro.analysis.frames.scaled`, with strategies dwr and dWr.
        factor: flops relative to the unscaled base.

    Returns:
        Columns network, acts, params: dWr over dwr. NaN where the counted networks do not
        reach the factor.
    """
    rows: list[dict[str, object]] = [
        {"network": "theory"}
        | {c: factor ** (exponent("dWr", c) - exponent("dwr", c)) for c in ("acts", "params")}
    ]
    for base, part in counted.groupby("base", sort=False):
        row: dict[str, object] = {"network": base}
        for cost in ("acts", "params"):
            at = []
            for strategy in ("dWr", "dwr"):
                line = part[part.strategy == strategy].sort_values("flops_ratio")
                x, y = np.log(line.flops_ratio), np.log(line[cost])
                at.append(np.interp(np.log(factor), x, y, left=np.nan, right=np.nan))
            row[cost] = float(np.exp(at[0] - at[1]))
        rows.append(row)
    return pd.DataFrame(rows)


def outside_depth(base: str) -> float:
    """Share of a network's acts that depth does not multiply: the stem, the head, and what the
    first block of a stage has more than the others.

    Doubling every stage's depth adds all that depth multiplies once more, and nothing else.
    """
    net = get(base)
    return 2 - complexity(scale(net, PAPER["d"], 2)).acts / complexity(net).acts


def shapes(base: str, strategies: Sequence[str], s: float) -> pd.DataFrame:
    """What a network becomes at scale ``s``: blocks, widest stage, resolution and its costs.

    Returns:
        One row for the base and one per strategy; flops in G, params and acts in M.
    """
    nets = {"unscaled": get(base)} | {n: scale(get(base), PAPER[n], s) for n in strategies}
    rows = []
    for name, net in nets.items():
        cost = counts(net)
        rows.append(
            {
                "strategy": name,
                "blocks": sum(stage.depth for stage in net.stages),
                "width of last stage": net.stages[-1].width,
                "resolution": net.resolution,
                UNITS["flops"]: cost["flops"] / 1e9,
                UNITS["params"]: cost["params"] / 1e6,
                UNITS["acts"]: cost["acts"] / 1e6,
            }
        )
    return pd.DataFrame(rows)


def counted_numbers(counted: pd.DataFrame, factor: float) -> dict[str, float]:
    """What the chapter's prose quotes from counting, by glue name.

    Args:
        counted: from `repro.analysis.frames.scaled`, with the paper's strategy names.
        factor: flops relative to the base, for `at_equal_flops`.
    """
    out: dict[str, float] = {"fcs_factor": float(factor)}
    equal = at_equal_flops(counted, factor)
    for cost, names in (("acts", ("dwr", "dWr", "w")), ("params", ("dwr", "dWr"))):
        table = exponent_table(counted, cost).iloc[1:]
        for name in names:
            out |= _span(f"fcs_{name}_{cost}", table[name])
        out |= _span(f"fcs_equal_{cost}", equal[cost][1:])
    out |= {f"fcs_{name}_acts_theory": exponent(name, "acts") for name in ("dwr", "dWr", "w")}
    out["fcs_equal_acts_theory"] = equal.acts[0]
    slopes = exponent_table(counted, "acts").set_index("network")
    worst = worst_at_equal_flops(counted, factor)
    less = float(slopes["dWr"].loc[worst]) - float(slopes["dwr"].loc[worst])
    out["fcs_equal_acts_by_slopes"] = factor**less
    theory = relative_acts().set_index("strategy").ours
    out |= {f"fcs_theory_{name}": theory[name] for name in ("dwr", "dWr")}
    outside = pd.Series([100 * outside_depth(base) for base in counted.base.unique()])
    return rounded(out | _span("fcs_outside", outside))


def worst_at_equal_flops(counted: pd.DataFrame, factor: float) -> str:
    """The network of which dWr saves the fewest acts, in `at_equal_flops`."""
    equal = at_equal_flops(counted, factor)
    return str(equal.network.iloc[1 + int(np.argmax(equal.acts[1:]))])


def shape_numbers(base: str, s: float) -> dict[str, float]:
    """What the prose says of the network that dWr makes of a base, by glue name."""
    before, after = shapes(base, ["dWr"], s).to_dict("records")
    return rounded(
        {
            "fcs_top": float(s),
            "fcs_top_blocks": after["blocks"] - before["blocks"],
            "fcs_top_blocks_before": before["blocks"],
            "fcs_top_width": after["width of last stage"] / before["width of last stage"],
            "fcs_top_pixels": (after["resolution"] / before["resolution"]) ** 2,
            "fcs_top_d": s**0.1,
            "fcs_top_r": s**0.05,
        }
    )


def rounded(numbers: Mapping[str, float]) -> dict[str, float]:
    """To six decimals, so that a stored number does not depend on the processor's last bit."""
    return {k: v if isinstance(v, int) else round(float(v), 6) for k, v in numbers.items()}


def _span(name: str, values: pd.Series) -> dict[str, float]:
    return {f"{name}_low": values.min(), f"{name}_high": values.max()}


def published_errors() -> pd.DataFrame:
    """Figures 1, 4 to 7 near 4 GF: every compared strategy on every base, largest common scale.

    Returns:
        Columns base, strategy, s, flops (G), acts (M), error (top-1, percent), more error (in
        points, than the base's dwr), minutes (NaN where the paper plots none).
    """
    points = reference.to_frame(reference.figure_points())
    points = points[points.figure != "8"]  # Figure 8 repeats dWr from other training runs
    names = {"2/3": "alpha=2/3"}
    rows = []
    for base, part in points.groupby("base", sort=False):
        top = part[part.strategy == "dWr"].scale.max()
        dwr = part[(part.strategy == "dwr") & (part.scale == top)].top1_error_percent.iloc[0]
        for strategy in ("dwr", "dw", "2/3", "dWr", "w"):
            for p in part[(part.strategy == strategy) & (part.scale == top)].itertuples():
                rows.append(
                    {
                        "network": base,
                        "strategy": names.get(strategy, strategy),
                        "s": p.scale,
                        UNITS["flops"]: p.gflops,
                        UNITS["acts"]: p.macts,
                        "error, %": p.top1_error_percent,
                        "against dwr": p.top1_error_percent - dwr,
                        "minutes": p.epoch_minutes_8xv100,
                    }
                )
    return pd.DataFrame(rows)


def published_spreads(gflops: tuple[float, float]) -> pd.Series:
    """The spreads over trials that Tables 5 to 8 print for models of so many GF, 2x schedule."""
    rows = reference.to_frame(reference.table_rows())
    return rows[rows.gflops.between(*gflops)].spread_2x.dropna()


def published_speed() -> pd.DataFrame:
    """Figure 1, bottom right: each strategy's largest EN-B0, timed.

    Returns:
        Columns strategy, s, flops (G), minutes, and times as fast as dwr's.
    """
    points = reference.to_frame(reference.epoch_time_points())
    top = points.loc[points.groupby("strategy", sort=False).scale.idxmax()]
    dwr = top[top.strategy == "dwr"].epoch_minutes_8xv100.iloc[0]
    return pd.DataFrame(
        {
            "strategy": top.strategy,
            "s": top.scale,
            UNITS["flops"]: top.gflops,
            "minutes": top.epoch_minutes_8xv100,
            "times as fast as dwr": dwr / top.epoch_minutes_8xv100,
        }
    ).reset_index(drop=True)


def published_numbers() -> dict[str, float]:
    """What the prose quotes from the published errors and times, by glue name."""
    errors = published_errors().set_index(["network", "strategy"])["against dwr"]
    out = {
        f"fcs_err_{short}": float(errors[network, "dWr"])
        for short, network in (("B0", "EN-B0"), ("Z", "RegNetZ-500MF"), ("Y", "RegNetY-500MF"))
    }
    # dw, though it has more acts than dWr and leaves resolution alone, where it was trained
    out |= _span("fcs_err_dw", errors.xs("dw", level="strategy"))
    out["fcs_better_Z"] = -float(errors["RegNetZ-500MF", "alpha=2/3"])
    out |= _span("fcs_err_w", errors.xs("w", level="strategy"))
    out |= _span("fcs_spread", published_spreads((3.5, 4.5)))
    speed = published_speed().set_index("strategy")
    out["fcs_speedup"] = float(speed["times as fast as dwr"]["dWr"])
    out |= {f"fcs_gf_{name}": float(speed[UNITS["flops"]][name]) for name in ("dwr", "dWr")}
    return rounded(out)
