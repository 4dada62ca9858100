"""How curves of scaling strategies are drawn: a style for each, and errors with their distances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from repro.book.kit.figures import (
    STRATEGY_COLOURS,
    STRATEGY_MARKERS,
    legend,
    log_axis,
    panels,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

GREY = "#909090"


def strategy_style(name: str) -> dict[str, Any]:
    """Label, colour, marker and line; means ("dWr, means of 3") with open markers, dashed."""
    strategy, _, means = name.partition(", ")
    return {
        "label": name.replace("alpha=", "α = "),
        "color": STRATEGY_COLOURS.get(strategy, GREY),
        "marker": STRATEGY_MARKERS.get(strategy, "o"),
        "fillstyle": "none" if means else "full",
        "linestyle": "--" if means else ":" if name == "orig" else "-",
        "linewidth": 1.4,
    }


def errors_and_gaps(
    points: pd.DataFrame,
    gaps: pd.DataFrame,
    *,
    over: str,
    bases: Sequence[str],
    strategies: Sequence[str],
    reference: str,
    halves: Sequence[float],
    label: str,
    ticks: Sequence[float],
) -> Figure:
    """Errors over flops or minutes, a panel a base, and below, magnified, above the reference.

    Args:
        points: columns base, strategy, error (percent) and what they are drawn over.
        gaps: the same with gap (points above the reference) in place of error.
        over: the column of the x axis. strategies: those of the upper row, in the legend's order.
        halves: half widths of the bands around zero, in points. label, ticks: of the x axis.
    """
    shape = {"height_ratios": [1, 1.6]}
    fig, axes = panels(
        2 * len(bases), len(bases), (2.5, 3.1), sharex=True, sharey="row", gridspec_kw=shape
    )
    for base, top, below in zip(bases, axes[: len(bases)], axes[len(bases) :], strict=True):
        mine = points[points.base == base]
        for strategy in strategies:
            line = mine[mine.strategy == strategy].sort_values(over)
            if len(line):
                style = strategy_style(strategy) | {"markersize": 3.5}
                top.plot(line[over], line.error, **style)
        for half, alpha in zip(sorted(halves, reverse=True), (0.13, 0.17), strict=True):
            below.axhspan(-half, half, color=GREY, alpha=alpha, linewidth=0)
        below.axhline(0, color=STRATEGY_COLOURS[reference], linewidth=1.4)
        for name, line in gaps[gaps.base == base].groupby("strategy", sort=False):
            below.plot(line[over], line.gap, **strategy_style(str(name)))
        top.set_title(base)
        log_axis(below, "x", ticks)
    axes[0].set_ylabel("top-1 error, %")
    axes[len(bases)].set_ylabel(f"points above {reference}, at equal {over}")
    fig.supxlabel(label, fontsize=10)
    legend(fig, axes, 5)
    return fig
