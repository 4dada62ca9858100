"""Figures of the chapters "What predicts runtime" and "Fast scaling in practice"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from repro.analysis.scaling.alpha_family import COSTS, UNITS
from repro.analysis.timing.correlates import UNSCALED, Timings, exponents, peaks_of
from repro.analysis.timing.figure2 import correlation
from repro.book.chapters.the_dial import COST_COLOURS
from repro.book.kit.figures import FAMILY_COLOURS, STRATEGY_COLOURS, log_axis
from repro.book.parameters import ChapterParameters

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Parameters(ChapterParameters):
    """Chapter "What predicts runtime"."""

    edge: float = Field(140, ge=20, le=1000, description="Acts, M, at which the paper's panels end")
    figure2_dtype: Literal["fp16", "fp32"] = Field(
        "fp16", description="Assumed for Figure 2, whose precision is not stated"
    )
    zoo_dtype: Literal["fp16", "fp32"] = Field(
        "fp32", description="Assumed for the zoo's times, likewise"
    )
    fusion: Literal["none", "conv", "all"] = Field(
        "none", description="Traffic model: what convs do along the way; none is eager"
    )
    seed: int = Field(0, ge=0, description="Of the bootstrap intervals")
    resamples: int = Field(
        2000, ge=100, le=100_000, description="Bootstrap resamples behind each interval"
    )
    tiers: ClassVar[Mapping[str, Mapping[str, Any]]] = {"laptop": {"resamples": 20_000}}


MARKERS: Mapping[str, str] = {
    "EfficientNet": "o",
    "RegNetX": "D",
    "RegNetY": "s",
    "RegNetZ": "^",
    "ResNet": "P",
    "ResNeXt": "X",
}
COLOURS: Mapping[str, str] = {**STRATEGY_COLOURS, UNSCALED: "#777777"}
GREY = "#909090"
NARROW = 30
"""Characters of a title over one narrow panel."""


def _wrapped(text: str, width: int = NARROW) -> str:
    import textwrap

    return textwrap.fill(text, width)


def _dots(ax: Axes, table: pd.DataFrame, x: str, y: str, size: float = 4.5) -> None:
    """A scatter: colour by strategy, marker by family."""
    for (fam, strategy), part in table.groupby(["family", "strategy"], sort=False):
        ax.plot(
            part[x],
            part[y],
            linestyle="",
            marker=MARKERS[str(fam)],
            markersize=size,
            markeredgewidth=0,
            alpha=0.85,
            color=COLOURS[str(strategy)],
        )


def _legend(fig: Figure, tables: Sequence[pd.DataFrame], columns: int = 0) -> None:
    """Colours of strategies and markers of families, those that occur, in two rows."""
    import matplotlib.pyplot as plt

    both = pd.concat([t[["family", "strategy"]] for t in tables])
    strategies = [s for s in COLOURS if (both.strategy == s).any()]
    families = [f for f in MARKERS if (both.family == f).any()]
    handles: list[Any] = [plt.Line2D([], [], linewidth=4, color=COLOURS[s]) for s in strategies]
    handles += [
        plt.Line2D([], [], linestyle="", marker=MARKERS[f], color=GREY, markersize=6)
        for f in families
    ]
    columns = columns or -(-len(handles) // 2)
    fig.legend(
        handles,
        [*strategies, *families],
        loc="outside upper center",
        ncols=columns,
        columnspacing=1.4,
    )


def side_by_side(sets: Sequence[Timings], edge: float) -> Figure:
    """Figure 2 remade: time of one image against each cost, a row of panels for each set.

    Args:
        edge: acts, M, at which the paper's panels end; dotted.
    """
    import matplotlib.pyplot as plt

    fig, grid = plt.subplots(
        len(sets), 3, figsize=(7.6, 0.8 + 2.35 * len(sets)), sharex="col", sharey="row"
    )
    for axes, timings in zip(grid, sets, strict=True):
        for ax, cost in zip(axes, COSTS, strict=True):
            table = timings.frame
            _dots(ax, table, cost, "ms", size=3.8)
            log_axis(ax, "both")
            r = correlation(table[cost], table.ms)
            rho = correlation(table[cost], table.ms, rank=True)
            ax.annotate(
                f"r {r:.2f}, ρ {rho:.2f}", (0.05, 0.9), xycoords="axes fraction", fontsize=9
            )
        axes[2].axvline(edge, color=GREY, linestyle=":", linewidth=1.2)
        axes[0].set_title(timings.title)
        axes[0].set_ylabel("ms per image")
    for ax, cost in zip(grid[-1], COSTS, strict=True):
        ax.set_xlabel(UNITS[cost])
        ax.tick_params(axis="x", labelsize=8)
    _legend(fig, [t.frame for t in sets])
    return fig


def interval_figure(found: pd.DataFrame) -> Figure:
    """Correlations with their intervals: a row for each set and group, Pearson beside Spearman.

    Args:
        found: from `repro.analysis.timing.correlates.correlations`.
    """
    import matplotlib.pyplot as plt

    part = found.assign(label=found.group.where(found.range == "all", found.group + ", drawn"))
    titles = list(part.set.unique())
    sizes = [part[part.set == t].label.nunique() for t in titles]
    fig, grid = plt.subplots(
        len(titles),
        2,
        figsize=(7.6, 0.9 + 0.36 * sum(sizes) + 0.45 * len(sizes)),
        height_ratios=[n + 0.4 for n in sizes],
        sharex=True,
        sharey="row",
        squeeze=False,
    )
    for axes, title in zip(grid, titles, strict=True):
        for ax, method in zip(axes, ("Pearson", "Spearman"), strict=True):
            of_set = part[(part.set == title) & (part.method == method)]
            labels = list(of_set.label.unique())
            for shift, cost in enumerate(COSTS):
                one = of_set[of_set.cost == cost]
                ax.errorbar(
                    one.r,
                    np.arange(len(labels)) + 0.22 * (shift - 1),
                    xerr=[one.r - one.low, one.high - one.r],
                    linestyle="",
                    marker="o",
                    markersize=4,
                    elinewidth=1.4,
                    color=COST_COLOURS[cost],
                    label=cost,
                )
            ax.set_yticks(range(len(labels)), labels)
            ax.set_ylim(len(labels) - 0.5, -0.5)
            ax.grid(axis="y", visible=False)
        axes[0].set_title(title)
    low = max(0.0, np.floor(10 * found.low.min()) / 10)
    grid[0, 0].set_xlim(low, 1.005)
    grid[-1, 0].set_xlabel("Pearson's r with time")
    grid[-1, 1].set_xlabel("Spearman's ρ with time")
    handles, names = grid[0, 0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside upper center", ncols=3)
    return fig


def exponent_figure(sets: Sequence[Timings], largest: float | None = None) -> Figure:
    """Exponent of time against that of acts (filled) and of flops (rings), a panel for each set.

    Args:
        largest: leave out larger s.
    """
    import matplotlib.pyplot as plt

    across = len(sets)
    fig, axes = plt.subplots(
        1, across, figsize=(2.9 * across + 1.6, 4.2), sharex=True, sharey=True, squeeze=False
    )
    tables = [exponents(t, largest) for t in sets]
    for ax, timings, slopes in zip(axes.flat, sets, tables, strict=True):
        ax.plot([0.4, 1.1], [0.4, 1.1], color=GREY, linewidth=1.2, zorder=1)
        rows = zip(
            slopes.family, slopes.strategy, slopes.acts, slopes.flops, slopes.minutes, strict=True
        )
        for fam, strategy, acts, flops, time in rows:
            style: dict[str, Any] = {"marker": MARKERS[fam], "color": COLOURS[strategy]}
            ax.plot(acts, time, markersize=7, linestyle="", **style)
            ax.plot(flops, time, markersize=5, linestyle="", fillstyle="none", **style)
        ax.set_title(_wrapped(timings.title))
        ax.set_xticks([0.4, 0.6, 0.8, 1.0])
    axes[0, 0].set_ylabel("exponent of time")
    fig.supxlabel("exponent of acts (filled) or of flops (rings)", fontsize=10)
    _legend(fig, tables)
    return fig


SHAPES: Mapping[str, tuple[str, str]] = {
    "none": ("o", "fitted to all"),
    "family": ("^", "family unseen"),
    "strategy": ("s", "strategy unseen"),
}


def prediction_figure(found: pd.DataFrame) -> Figure:
    """Median error of predicted times by counts used and what was left out, a panel for each set.

    Args:
        found: from `repro.analysis.timing.correlates.prediction_report`.
    """
    import matplotlib.pyplot as plt

    titles = list(found.set.unique())
    counts = list(found.counts.unique())
    fig, axes = plt.subplots(
        1,
        len(titles),
        figsize=(2.1 * len(titles) + 1.7, 0.9 + 0.42 * len(counts) + 0.4),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    shifts = dict(zip(SHAPES, (-0.18, 0.0, 0.18), strict=True))
    for ax, title in zip(axes.flat, titles, strict=True):
        of_set = found[found.set == title]
        for left_out, (marker, name) in SHAPES.items():
            one = of_set[of_set.left_out == left_out]
            ax.plot(
                100 * one.error,
                [counts.index(c) + shifts[left_out] for c in one.counts],
                linestyle="",
                marker=marker,
                color=COST_COLOURS["flops" if left_out == "none" else "acts"],
                fillstyle="none" if left_out == "strategy" else "full",
                markersize=5,
                label=name,
            )
        ax.set_title(_wrapped(title, 25), fontsize=10)
        ax.set_xlim(left=0)
        ax.set_ylim(len(counts) - 0.5, -0.5)
        ax.grid(axis="y", visible=False)
    axes[0, 0].set_yticks(range(len(counts)), [_wrapped(c, 16) for c in counts])
    fig.supxlabel("median error of predicted time, %", fontsize=10)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return fig


def roofline_figure(sets: Sequence[Timings]) -> Figure:
    """Rates reached against operational intensity under each machine's roof.

    Args:
        sets: from `repro.analysis.timing.correlates.rooflines`.
    """
    import matplotlib.pyplot as plt

    across = min(3, len(sets))
    down = -(-len(sets) // across)
    fig, grid = plt.subplots(
        down, across, figsize=(2.55 * across + 0.5, 2.9 * down + 0.7), squeeze=False
    )
    for ax, timings in zip(grid.flat, sets, strict=False):
        table, peaks = timings.frame, peaks_of(timings)
        assert peaks is not None and timings.dtype is not None
        rate, bandwidth = peaks.of(timings.dtype), peaks.bandwidth
        ridge = rate / bandwidth
        x = np.array([min(table.intensity.min() / 1.5, ridge / 3), ridge, 0.0])
        x[2] = max(table.intensity.max() * 1.5, ridge * 3)
        ax.plot(x, np.minimum(rate, bandwidth * x) / 1e9, color=GREY, linewidth=1.6, zorder=1)
        reached = table.assign(rate=table.operations / (table.ms / 1e3) / 1e9)
        _dots(ax, reached, "intensity", "rate", size=4)
        log_axis(ax, "both")
        assumed = f", {timings.dtype} assumed" if timings.kind == "published" else ""
        ax.set_title(_wrapped(timings.title + assumed, 26))
    for ax in grid.flat[len(sets) :]:
        ax.set_axis_off()
    fig.supxlabel("operations per byte, by the traffic model", fontsize=10)
    fig.supylabel("10⁹ operations per second", fontsize=10)
    _legend(fig, [t.frame for t in sets])
    return fig


# ------------------------------------------------------------------- fast scaling in practice


def same_figure(same: pd.DataFrame) -> Figure:
    """Networks timed on V100s and on another machine: both times relative to the base.

    Args:
        same: from `repro.analysis.timing.practice.same_networks`.
    """
    import matplotlib.pyplot as plt

    machines = list(same.machine.unique())
    fig, axes = plt.subplots(
        1, len(machines), figsize=(3.2 * len(machines) + 1.6, 4.3), squeeze=False
    )
    for ax, machine in zip(axes.flat, machines, strict=True):
        part = same[same.machine == machine]
        low = 0.93 * min(1.0, part.paper.min(), part.ours.min())
        high = 1.07 * max(part.paper.max(), part.ours.max())
        ax.plot([low, high], [low, high], color=GREY, linewidth=1.2, zorder=1)
        _dots(ax, part, "paper", "ours", size=6)
        log_axis(ax, "both", [t for t in TIMES if low <= t <= high])
        ax.set(xlim=(low, high), ylim=(low, high), title=machine)
        ax.set_xlabel("V100s, relative to the base")
    axes[0, 0].set_ylabel("this machine, relative to the base")
    _legend(fig, [same], columns=4 if len(machines) == 1 else 7)
    return fig


TIMES = (0.2, 0.5, 1, 1.5, 2, 3, 4, 6, 10, 20, 40, 100)
"""Ticks of relative times."""
BASES: Mapping[str, tuple[str, str]] = {
    "orig": (GREY, "o"),
    "EN-B0": ("#0173b2", "o"),
    "RegNetY-500MF": ("#d55e00", "s"),
    "RegNetY-4GF": ("#c98205", "s"),
    "RegNetZ-500MF": ("#029e73", "^"),
    "RegNetZ-4GF": ("#87912a", "^"),
}
"""Colour and marker of each base in curves of dWr."""
PANELS: Mapping[str, str] = {"EN-B0": "EN-B0, each strategy", "dWr": "dWr, several bases"}


def curves_figure(curves: Mapping[str, pd.DataFrame]) -> Figure:
    """Figures 1, 4, 6 and 8 remade: time relative to EN-B0 against flops, a column per machine.

    Args:
        curves: by machine, from `repro.analysis.timing.practice.published_curves` and
            `recorded_curves`.
    """
    import matplotlib.pyplot as plt

    fig, grid = plt.subplots(
        2,
        len(curves),
        figsize=(2.75 * len(curves) + 2.1, 6.6),
        sharex="row",
        sharey="row",
        squeeze=False,
    )
    for column, (machine, table) in enumerate(curves.items()):
        for ax, (panel, title) in zip(grid[:, column], PANELS.items(), strict=True):
            for curve, part in table[table.panel == panel].groupby("curve", sort=False):
                line = part.sort_values("flops")
                colour, marker = (
                    (COLOURS[str(curve)], "o") if panel == "EN-B0" else BASES[str(curve)]
                )
                style = "--" if curve == "orig" else "-"
                ax.plot(line.flops, line.relative, style, marker=marker, color=colour, markersize=4)
            log_axis(ax, "both")
            ax.set_title(f"{machine}\n{title}")
        grid[1, column].set_xlabel(UNITS["flops"])
    for ax in grid[:, 0]:
        ax.set_ylabel("time, relative to EN-B0")
    every = pd.concat(curves.values())
    ways = [c for c in COLOURS if ((every.curve == c) & (every.panel == "EN-B0")).any()]
    bases = [b for b in BASES if ((every.curve == b) & (every.panel == "dWr")).any()]
    handles: list[Any] = [plt.Line2D([], [], marker="o", color=COLOURS[c]) for c in ways]
    fig.legend(handles, ways, loc="outside upper center", ncols=len(ways), columnspacing=1.2)
    handles = [plt.Line2D([], [], marker=BASES[b][1], color=BASES[b][0]) for b in bases]
    fig.legend(handles, bases, loc="outside lower center", ncols=3)
    return fig


def error_figure(beside: pd.DataFrame, machines: Sequence[str]) -> Figure:
    """Published error against time relative to EN-B0, a panel per machine.

    Args:
        beside: from `repro.analysis.timing.practice.printed_beside`.
        machines: columns of times; ``"paper"`` for the V100s'. Rings: predicted times.
    """
    import matplotlib.pyplot as plt

    table = beside.dropna(subset=["error"])
    fig, axes = plt.subplots(
        1,
        len(machines),
        figsize=(2.75 * len(machines) + 2.1, 4.4),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    families = [f for f in MARKERS if (table.family == f).any()]
    for ax, machine in zip(axes.flat, machines, strict=True):
        rows = zip(
            table.family,
            table[machine],
            table.error,
            table.get(f"{machine} how", pd.Series("measured", index=table.index)),
            strict=True,
        )
        for fam, time, error, how in rows:
            ax.plot(
                time,
                error,
                linestyle="",
                marker=MARKERS[fam],
                color=FAMILY_COLOURS[fam],
                fillstyle="full" if how == "measured" else "none",
            )
        front = _front(table[machine], table.error)
        ax.step(*front, where="post", color=GREY, linewidth=1.1, zorder=1)
        log_axis(ax, "x", [1, 2, 4, 8, 16])
        ax.set_title("V100" if machine == "paper" else machine)
    axes[0, 0].set_ylabel("top-1 error, published, %")
    fig.supxlabel("time of training, relative to EN-B0", fontsize=10)
    handles = [
        plt.Line2D([], [], linestyle="", marker=MARKERS[f], color=FAMILY_COLOURS[f])
        for f in families
    ]
    fig.legend(handles, families, loc="outside upper center", ncols=len(families))
    return fig


def _front(times: pd.Series, errors: pd.Series) -> tuple[list[float], list[float]]:
    """The networks that no other beats in both time and error."""
    xs: list[float] = []
    ys: list[float] = []
    for time, error in sorted(zip(times, errors, strict=True)):
        if not ys or error < ys[-1]:
            xs.append(time)
            ys.append(error)
    return xs, ys


def memory_figure(sets: Sequence[Timings]) -> Figure:
    """Memory of one image's training step against acts, a panel per machine."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, len(sets), figsize=(3.4 * len(sets) + 1.8, 4.2), squeeze=False)
    for ax, timings in zip(axes.flat, sets, strict=True):
        _dots(ax, timings.frame, "acts", "memory_mb", size=6)
        ax.set_title(_wrapped(timings.title, 40))
        ax.set_xlabel(UNITS["acts"])
        ax.set_xlim(left=0)
        ax.set_ylim(bottom=0)
    axes[0, 0].set_ylabel("memory per image, MB")
    _legend(fig, [t.frame for t in sets], columns=5)
    return fig
