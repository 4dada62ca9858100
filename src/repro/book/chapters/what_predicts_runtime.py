"""Chapter "What predicts runtime"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import pandas as pd
from pydantic import Field

from repro.analysis.scaling.alpha_family import UNITS
from repro.analysis.timing.sets import Timings
from repro.book.kit.figures import (
    FAMILY_COLOURS,
    STRATEGY_COLOURS,
    STRATEGY_MARKERS,
    legend,
    panels,
)
from repro.book.parameters import ChapterParameters

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREY = "#909090"
MACHINES = (("o", "#0173b2"), ("D", "#d55e00"), ("^", "#029e73"), ("s", "#cc5fb0"))
"""Marker and colour of each machine in turn."""
STRATEGIES = ("w", "dWr", "dw", "dwr", "d")
"""Those whose exponents of acts and flops differ, from the fewest acts to the most."""


class Parameters(ChapterParameters):
    """Chapter "What predicts runtime"."""

    edge: float = Field(140, ge=20, le=1000, description="Acts, M, at which the paper's panels end")
    figure2_dtype: Literal["fp16", "fp32"] = Field(
        "fp16", description="Assumed for the paper's Figure 2, which does not state it"
    )
    zoo_dtype: Literal["fp16", "fp32"] = Field(
        "fp32", description="Assumed for the zoo's times, likewise"
    )
    fusion: Literal["none", "conv", "all"] = Field(
        "none", description="Traffic model: what convs do along the way; none is eager"
    )


def figure2_figure(times: pd.DataFrame, edge: float) -> Figure:
    """The paper's Figure 2: minutes of EN-B0 against each cost, and of all bases against acts.

    edge: acts, M, at which the paper's panels end: dotted, and beyond it rings.
    """
    fig, axes = panels(4, 2, (3.7, 3.1))
    b0 = times[times.base == "EN-B0"]
    for ax, cost in zip(axes, UNITS, strict=False):
        limit, beside = float("inf"), {"dw": (7, 2), "dwr": (7, -8)}
        if cost == "acts":  # the curves of w and dWr end among others
            limit, beside = edge, beside | {"w": (-13, 6), "dWr": (10, -17)}
        for strategy, part in b0.groupby("strategy", sort=False):
            line, name = part.sort_values("s"), str(strategy)
            colour = STRATEGY_COLOURS[name]
            ax.plot(line[cost], line.minutes, color=colour, linewidth=1.2)
            _points(ax, line, cost, (colour, STRATEGY_MARKERS[name]), limit, name)
            end = (line[cost].iloc[-1], line.minutes.iloc[-1])
            place = beside.get(name, (7, -3))
            ax.annotate(name, end, place, textcoords="offset points", color=colour)
        ax.set_title("EN-B0")
    for base, marker in zip(times.base.unique(), "os^", strict=False):
        part = times[times.base == base]
        _points(axes[3], part, "acts", (FAMILY_COLOURS[part.family.iloc[0]], marker), edge, base)
    axes[3].set_title("three networks")
    axes[3].legend(loc="lower right")
    for ax in axes[2:]:
        ax.axvline(edge, color=GREY, linestyle=":", linewidth=1.2)
    for ax, cost in zip(axes, (*UNITS, "acts"), strict=True):
        ax.set(xlabel=UNITS[cost], ylabel="minutes an epoch")
        ax.set_xlim(0, 1.2 * ax.get_xlim()[1])  # room for labels
        ax.set_ylim(bottom=0)
    return fig


def _points(
    ax: Axes, part: pd.DataFrame, cost: str, style: tuple[str, str], edge: float, label: str
) -> None:
    """Minutes against a cost; rings beyond the edge."""
    colour, marker = style
    for beyond, fill in ((False, colour), (True, "none")):
        shown = part[(part[cost] > edge) == beyond]
        (dots,) = ax.plot(shown[cost], shown.minutes, marker, color=colour, markersize=6)
        dots.set(markerfacecolor=fill, label=f"_{label}" if beyond else label)


def exponent_figure(table: pd.DataFrame) -> Figure:
    """Exponents of time between those of acts and flops, a panel for each network."""
    machines = dict(zip(table.columns[4:], MACHINES, strict=False))
    bases = list(table.network.unique())
    fig, axes = panels(len(bases), 3, (2.35, 1.75), sharex=True)
    for ax, base in zip(axes, bases, strict=True):
        part = table[table.network == base].set_index("strategy")
        part = part.loc[[s for s in reversed(STRATEGIES) if s in part.index]]
        y = range(len(part))
        ax.barh(y, part.flops - part.acts, 0.5, part.acts, color=GREY, alpha=0.35)
        for machine, (marker, colour) in machines.items():
            ax.plot(part[machine], y, marker, color=colour, markersize=7, label=machine)
        ax.set_yticks(y, list(part.index))
        ax.set_title(base)
    fig.supxlabel("exponent of s", fontsize=10)
    legend(fig, axes)
    return fig


def price_figure(sets: Sequence[Timings]) -> Figure:
    """Time over acts: a tick for each network, a dot for each family's median."""
    fig, axes = panels(len(sets), 3, (2.6, 2.2))
    for ax, timings in zip(axes, sets, strict=True):
        price = timings.frame.ms / timings.frame.acts
        families = list(price.groupby(timings.frame.family).median().sort_values().index[::-1])
        for y, family in enumerate(families):
            mine, colour = price[timings.frame.family == family], FAMILY_COLOURS[family]
            ax.plot(mine, [y] * len(mine), "|", color=colour, markersize=12, alpha=0.6)
            ax.plot(mine.median(), y, "o", color=colour, markersize=8)
        ax.set_yticks(range(len(families)), families)
        ax.set(title=timings.brief, ylim=(-0.6, len(families) - 0.4), xlim=(0, None))
    fig.supxlabel("ms for a million acts", fontsize=10)
    return fig


LEFT_OUT: Mapping[str, tuple[str, str, str]] = {
    "family": ("^", "#0173b2", "family unseen"),
    "strategy": ("s", "#d55e00", "strategy unseen"),
}


def prediction_figure(errors: pd.DataFrame) -> Figure:
    """Median error of predicted times by the counts used, a panel for each set."""
    counts = list(errors.counts.unique())[::-1]
    titles = list(errors.timings.unique())
    fig, axes = panels(len(titles), 3, (2.45, 2.5), sharex=True, sharey=True)
    for ax, title in zip(axes, titles, strict=True):
        for left_out, (marker, colour, label) in LEFT_OUT.items():
            part = errors[(errors.timings == title) & (errors.left_out == left_out)]
            y = [counts.index(c) for c in part.counts]
            ax.plot(100 * part.error, y, marker, color=colour, markersize=7, label=label)
        ax.set_title(title, fontsize=10)
        ax.set_xlim(left=0)
        names = ["all four" if c.count("+") == 3 else c for c in counts]
        ax.set_yticks(range(len(counts)), names)
    fig.supxlabel("median error of predicted time, %", fontsize=10)
    legend(fig, axes[:1])
    return fig
