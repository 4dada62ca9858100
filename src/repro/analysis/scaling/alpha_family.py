"""The alpha family of Fast and Accurate Model Scaling (section 5, Table 4), printed and counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
import pandas as pd

from repro import reference
from repro.analysis.frames import counts, family, log_slope
from repro.arch import PAPER, get, scale
from repro.theory import Exponent, Linear, family_powers, growth, strategy_powers

COSTS: tuple[str, ...] = ("flops", "params", "acts")
UNITS: Mapping[str, str] = {"flops": "flops, G", "params": "params, M", "acts": "acts, M"}
COMPARED: tuple[str, ...] = ("dwr", "dw", "dWr", "w")
"""The strategies of Figures 1 and 2, from the most acts to the fewest."""


def exponent(strategy: str, cost: str) -> float:
    """The theoretical exponent of s in flops, params or acts, for one of the paper's strategies."""
    return float(getattr(growth(strategy_powers(PAPER[strategy])), cost))


def table4() -> pd.DataFrame:
    """Table 4 as printed, with the exact exponents that follow from alpha in brackets.

    The general strategy comes first. Shares are of log s.
    """
    powers = family_powers()
    rules = {
        "share of depth, of resolution": ("share_depth", powers.d),
        "params": ("params", growth(powers).params),
        "acts": ("acts", growth(powers).acts),
    }
    rows = []
    for printed in (row for row in reference.exponent_rows() if row.table == 4):
        general = printed.alpha == "a"
        row, agree = {"strategy": "any" if general else printed.strategy, "α": printed.alpha}, True
        for title, (column, rule) in rules.items():
            assert isinstance(rule, Linear)
            text, exact = getattr(printed, column), rule if general else rule(Fraction(row["α"]))
            agree &= _prints_as(exact, text)
            row[title] = text if text == str(exact) else f"{text} ({exact})"
        if general:
            row |= {title: cell.replace("a", "α") for title, cell in row.items() if cell != "any"}
        rows.append(row | {"agree": "≠="[agree]})
    return pd.DataFrame(rows)


def _prints_as(exact: Exponent, text: str) -> bool:
    """Whether an exponent is what a table prints: a formula, a fraction or a rounded decimal."""
    if isinstance(exact, Linear):
        return str(exact).strip("()") == text.strip("()")
    if "/" in text:
        return Fraction(text) == exact
    return reference.agrees_as_printed(float(text), float(exact), len(text.partition(".")[2]))


def exponents(counted: pd.DataFrame) -> pd.DataFrame:
    """Measured exponents of s per base and strategy: slopes of log cost against log s."""
    return pd.DataFrame(
        {"base": base, "family": family(str(base)), "strategy": strategy}
        | {cost: log_slope(list(part.s), list(part[cost])) for cost in COSTS}
        for (base, strategy), part in counted.groupby(["base", "strategy"], sort=False)
    )


def at_equal_flops(counted: pd.DataFrame, cost: str, factor: float) -> list[float]:
    """A cost of dWr over that of dwr, both at ``factor`` times the base's flops, per base.

    Rounding makes equal s mean slightly unequal flops, so costs are interpolated between the
    counted networks, linearly in the logarithms. NaN where these do not reach the factor.
    """

    def log_cost(line: pd.DataFrame) -> float:
        line = line.sort_values("flops_ratio")
        x, y = np.log(line.flops_ratio), np.log(line[cost])
        return float(np.interp(np.log(factor), x, y, left=np.nan, right=np.nan))

    return [
        float(
            np.exp(log_cost(part[part.strategy == "dWr"]) - log_cost(part[part.strategy == "dwr"]))
        )
        for _, part in counted.groupby("base", sort=False)
    ]


def by_network(counted: pd.DataFrame, factor: float) -> pd.DataFrame:
    """What each network makes of the compared strategies; theory comes first.

    factor, of the last two columns: flops relative to the unscaled base.
    """
    wide = exponents(counted).pivot(index="base", columns="strategy", values="acts")
    wide = wide.loc[list(counted.base.unique()), list(COMPARED)]
    theory = pd.DataFrame({s: [exponent(s, "acts")] for s in COMPARED}, index=["theory"])
    table = pd.concat([theory, wide])
    for cost in ("acts", "params"):
        exact = factor ** (exponent("dWr", cost) - exponent("dwr", cost))
        table[f"{cost}, dWr/dwr"] = [exact, *at_equal_flops(counted, cost, factor)]
    return table.rename_axis("network").reset_index()


def shapes(base: str, strategies: Sequence[str], s: float) -> pd.DataFrame:
    """A network unscaled and under each strategy at ``s``: its shape, and costs in `UNITS`."""
    nets = {"unscaled": get(base)} | {n: scale(get(base), PAPER[n], s) for n in strategies}
    return pd.DataFrame(
        {
            "strategy": name,
            "blocks": sum(stage.depth for stage in net.stages),
            "width of last stage": net.stages[-1].width,
            "resolution": net.resolution,
        }
        | {UNITS[c]: counts(net)[c] / (1e9 if c == "flops" else 1e6) for c in COSTS}
        for name, net in nets.items()
    )


def rounded(numbers: Mapping[str, float]) -> dict[str, float]:
    """To six decimals, so that a stored number does not depend on the processor's last bit."""
    return {k: v if isinstance(v, int) else round(float(v), 6) for k, v in numbers.items()}
