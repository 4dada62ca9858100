"""Figures of the chapter "Scaling real networks"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator, Field

from repro.analysis.scaling.printed import Published, drawn_points, in_print_units
from repro.analysis.scaling.rounding import COSTS
from repro.arch import PAPER
from repro.book.kit.figures import FAMILY_COLOURS, STRATEGY_COLOURS, log_axis
from repro.book.parameters import ChapterParameters, Networks, Scales, differing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure
    from pandas import DataFrame


class Parameters(ChapterParameters):
    """Chapter "Scaling real networks"."""

    bases: Networks = Field(
        ["EN-B0", "RegNetY-500MF", "RegNetY-4GF", "RegNetZ-500MF", "RegNetZ-4GF"],
        description="Zoo names of the networks to scale",
    )
    scales: Annotated[Scales, AfterValidator(differing)] = Field(
        [1, 2, 4, 8, 16, 32], description="Factors on flops to try"
    )
    strategy: Literal["d", "w", "r", "dw", "wr", "dr", "dwr", "dWr"] = Field(
        "dWr", description="The paper's strategy whose rounding is drawn"
    )
    most_blocks: int = Field(
        30, ge=26, le=40, description="Blocks of the deepest RegNetY that the search tries"
    )
    resolution_step: int = Field(
        16, ge=4, le=16, multiple_of=4, description="Between the resolutions that it tries"
    )
    tiers: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "laptop": {
            "scales": [1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96],
            "most_blocks": 40,
            "resolution_step": 4,
        }
    }


GREY = "#8c8c8c"
MARKERS = "osD^vPX*<>"


def sawtooth_figure(after: DataFrame, before: DataFrame, ticks: Sequence[float]) -> Figure:
    """Flops over base flops over s against s, one panel per base.

    Args:
        after, before: from `repro.analysis.scaling.rounding.sawtooth`. ticks: of the s axis.
    """
    import matplotlib.pyplot as plt

    bases = list(after.base.unique())
    across = min(2, len(bases))
    down = -(-len(bases) // across)
    size = (3.6 * across + 0.3, 1.9 * down + 0.9)
    fig, grid = plt.subplots(down, across, figsize=size, squeeze=False, sharex=True, sharey=True)
    for ax, base in zip(grid.flat, bases, strict=False):
        real, smooth = after[after.base == base], before[before.base == base]
        ax.axhline(1, color=GREY, linewidth=1, linestyle=(0, (4, 3)), label="nominal: s")
        colour = FAMILY_COLOURS[str(real.family.iloc[0])]
        ax.plot(real.s, real.miss, color=colour, linewidth=0.9)
        ax.plot(smooth.s, smooth.miss, color=GREY, linewidth=2.2, label="before rounding")
        log_axis(ax, "x", ticks)
        ax.set_title(base)
        ax.tick_params(labelbottom=True)
    for ax in grid.flat[len(bases) :]:
        ax.set_axis_off()
    ax = grid.flat[0]
    handles, labels = ax.get_legend_handles_labels()
    handles.append(plt.Line2D([], [], color=ax.lines[1].get_color(), linewidth=0.9))
    fig.legend(handles, [*labels, "after rounding"], loc="outside upper center", ncols=3)
    fig.supxlabel("scale factor s", fontsize=10)
    fig.supylabel("flops ÷ base flops ÷ s", fontsize=10)
    return fig


def exponent_figure(frame: DataFrame) -> Figure:
    """Exponents less the theory's, one panel per cost: before rounding hollow, measured filled.

    Args:
        frame: from `repro.analysis.scaling.rounding.exponents`.
    """
    import matplotlib.pyplot as plt
    from matplotlib.ticker import MultipleLocator

    bases, strategies = list(frame.base.unique()), list(frame.strategy.unique())
    markers = dict(zip(bases, MARKERS * len(bases), strict=False))
    fig, axes = plt.subplots(1, len(COSTS), figsize=(7.6, 5.0), sharey=True, sharex=True)
    for ax, cost in zip(axes, COSTS, strict=True):
        ax.axvline(0, color=GREY, linewidth=1.2)
        for n, base in enumerate(bases):
            part = frame[(frame.cost == cost) & (frame.base == base)]
            colour = FAMILY_COLOURS[str(part.family.iloc[0])]
            y = np.array([strategies.index(s) for s in part.strategy]) + _dodge(n, len(bases))
            common = {"linestyle": "", "marker": markers[base], "color": colour, "markersize": 4.5}
            ax.plot(part.before - part.theory, y, fillstyle="none", **common)
            ax.plot(part.measured - part.theory, y, label=base, **common)
        ax.set_title(cost)
        for row in range(1, len(strategies)):
            ax.axhline(row - 0.5, color=GREY, linewidth=0.5, alpha=0.4)
        ax.grid(axis="y", visible=False)
        ax.xaxis.set_major_locator(MultipleLocator(0.05))
    axes[0].set_yticks(range(len(strategies)), strategies)
    axes[0].set_ylim(len(strategies) - 0.5, -0.5)
    handles, labels = axes[0].get_legend_handles_labels()
    for style, label in (("none", "before rounding"), ("full", "counted")):
        handles.append(
            plt.Line2D([], [], linestyle="", marker="o", color=GREY, fillstyle=style)  # type: ignore[arg-type]
        )
        labels.append(label)
    fig.legend(handles, labels, loc="outside upper center", ncols=4)
    fig.supxlabel("exponent of s, less the theory's", fontsize=10)
    return fig


def _dodge(n: int, of: int) -> float:
    """Where the n-th of several markers stands in a row of height 1."""
    return 0.7 * ((n + 0.5) / of - 0.5)


def two_readings_figure(base: str = "RegNetY-500MF") -> Figure:
    """Acts drawn in Figure 2, less our count, in percent: dw is read in two ways.

    Args:
        base: a RegNet of Figure 2.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(7.2, 3.4))
    ax.axhline(0, color=GREY, linewidth=1.2)
    points = [p for p in drawn_points() if p.where == "Figure 2" and p.base == base]
    for name in dict.fromkeys(p.label for p in points):
        part = [p for p in points if p.label == name]
        s = [p.s or 1.0 for p in part]
        follows = [_difference(replace(p, strategy=PAPER[name])) for p in part]
        colour = STRATEGY_COLOURS[name]
        label = f"{name}, g follows w" if name == "dw" else name
        ax.plot(s, follows, marker="o", color=colour, label=label, linewidth=1)
        if name == "dw":
            stays = [_difference(p) for p in part]
            ax.plot(
                s, stays, "o", color=colour, fillstyle="none", markersize=9, label="dw, g stays"
            )
    ax.set_xticks(range(0, 97, 8))
    ax.set(xlabel="scale factor s", ylabel="drawn less counted acts, %", title=base)
    ax.legend(ncols=2, loc="upper left")
    return fig


def _difference(point: Published) -> float:
    return 100 * (point.values["acts"] / in_print_units(point.network())["acts"] - 1)


def head_figure(scan: DataFrame, low: int = 930, high: int = 1070) -> Figure:
    """The head widths that each printed row of a RegNetZ allows, as bars.

    Args:
        scan: from `repro.analysis.scaling.recovery.head_scan`. low, high: widths to show.
    """
    import matplotlib.pyplot as plt

    shown = scan[[bool(f.any()) for f in scan.fits]]
    all_fit = np.all(list(shown.fits), axis=0)
    fig, ax = plt.subplots(figsize=(7.2, 0.34 * len(shown) + 1.7))
    labels = [f"{row.row} ({row.where})" for row in shown.itertuples()]
    for y, fits in enumerate([*shown.fits, all_fit]):
        last = y == len(shown)
        colour = FAMILY_COLOURS["RegNetZ"] if last else GREY
        for first, end in _runs(fits[low : high + 1]):
            ax.barh(y, end - first, left=low + first - 0.5, height=0.62, color=colour)
    ax.set_yticks(range(len(labels) + 1), [*labels, "all of them"])
    ax.set_ylim(len(labels) + 0.6, -0.6)
    ax.set_xlim(low, high)
    for width in (1000, 1024):
        ax.axvline(width, color=STRATEGY_COLOURS["dwr"], linewidth=1.2, linestyle=(0, (4, 3)))
        ax.annotate(
            str(width),
            (width, -0.62),
            color=STRATEGY_COLOURS["dwr"],
            ha="center",
            va="bottom",
            fontsize=9,
            annotation_clip=False,
        )
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("width of RegNetZ's head conv")
    return fig


def _runs(fits: np.ndarray) -> list[tuple[int, int]]:
    """Start and end (exclusive) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], fits, [False]]).astype(int)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
