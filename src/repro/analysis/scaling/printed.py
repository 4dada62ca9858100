"""Published networks of the first paper beside our counts, and the scale factors behind them.

Source: Fast and Accurate Model Scaling, Tables 5 to 8 and Figures 1, 2 and 4 to 8; "Early
Convolutions", Table 2. One multiply-add is one flop.
"""

from __future__ import annotations

import math

import pandas as pd

from repro.analysis.scaling.rounding import spans
from repro.arch import PAPER, get, scale
from repro.complexity import complexity
from repro.evidence.printed import (
    Published,
    drawn_points,
    early_convolutions_rows,
    in_print_units,
    printed_rows,
)


def drawn_frame() -> pd.DataFrame:
    """All drawn points beside our counts, one row per figure, base and cost.

    off: farther than the drawing could be read; worst: largest difference, percent of our count.
    """
    rows = []
    for point in drawn_points():
        net = point.network()
        ours, wrong = in_print_units(net), point.wrong(net)
        base = "EN-B0 to B5" if point.strategy is None else point.base
        for cost, value in point.values.items():
            rows.append((point.where, base, cost, cost in wrong, 100 * abs(value / ours[cost] - 1)))
    keys = ["figure", "base", "cost"]
    grouped = pd.DataFrame(rows, columns=[*keys, "off", "worst"]).groupby(keys)
    return grouped.agg(
        points=("off", "size"), off=("off", "sum"), worst=("worst", "max")
    ).reset_index()


def evidence(base: str) -> tuple[Published, ...]:
    """All that is published of a base and its scaled networks, once: printed, then drawn."""
    kept: dict[object, Published] = {}
    for item in (*printed_rows(), *early_convolutions_rows(), *drawn_points()):
        if item.base == base:
            strategy = item.strategy.name if item.strategy and item.s != 1 else None
            key = (item.drawn, strategy, item.s if strategy else None, tuple(item.values.items()))
            kept.setdefault(key, item)
    return tuple(kept.values())


def scale_intervals() -> pd.DataFrame:
    """Which scale factors can make each dWr network of Figure 8 and of Tables 7 and 8.

    low, high: the interval of s that rounds to the very same network; fit, from, to: how many
    neighbouring networks all fit what was published, and the s that they span; 2ⁿ: the power of two
    nearest to s; fits: whether it lies inside those. GF is 10^9 flops.
    """
    groups: dict[tuple[str, float], list[Published]] = {}
    for item in (*printed_rows(), *drawn_points()):
        if item.where in ("Table 7", "Table 8", "Figure 8") and item.s and item.s != 1:
            groups.setdefault((item.base, item.s), []).append(item)
    rows = []
    for (base, s), items in sorted(groups.items()):
        around = spans(get(base), PAPER["dWr"], s / 1.25, s * 1.25)
        own = next(span for span in around if span.low <= s <= span.high)
        fit = [span for span in around if not any(item.wrong(span.net) for item in items)]
        power = 2.0 ** round(math.log2(s))
        rows.append(
            {
                "base": base,
                "s": s,
                "low": own.low,
                "high": own.high,
                "GF": complexity(own.net).flops / 1e9,
                "fit": len(fit),
                "from": min(span.low for span in fit),
                "to": max(span.high for span in fit),
                "2ⁿ": power,
                "fits": any(span.low <= power <= span.high for span in fit),
                "GF at 2ⁿ": complexity(scale(get(base), PAPER["dWr"], power)).flops / 1e9,
            }
        )
    return pd.DataFrame(rows)
