"""Figures of the chapter "Does accuracy survive?"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from repro.analysis.accuracy import published
from repro.analysis.accuracy.proxies import UNSCALED, WAYS, by_network
from repro.analysis.accuracy.published import each
from repro.analysis.frames import family
from repro.book.kit.figures import FAMILY_COLOURS, STRATEGY_COLOURS, STRATEGY_MARKERS, log_axis
from repro.book.parameters import ChapterParameters, NetworkName, Scale, no_repeats
from repro.errors import did_you_mean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _file_of_trainings(path: str) -> str:
    from repro.analysis.accuracy.proxies import read_trainings

    read_trainings(path)
    return path


def _known_proxy(name: str) -> str:
    from repro.arch.proxies import PROXIES

    if name not in PROXIES:
        raise ValueError(f"{', '.join(PROXIES)} are there.{did_you_mean(name, PROXIES)}")
    return name


Way = Literal["d", "w", "r", "dwr", "alpha=2/3", "dWr"]


Ways = Annotated[list[Way], Field(min_length=1), AfterValidator(no_repeats)]


Proxies = Annotated[
    list[Annotated[str, AfterValidator(_known_proxy)]],
    Field(min_length=1),
    AfterValidator(no_repeats),
]


_WAYS: list[Way] = ["d", "w", "r", "dwr", "alpha=2/3", "dWr"]


class Parameters(ChapterParameters):
    """Chapter "Does accuracy survive?"."""

    records: Annotated[str, AfterValidator(_file_of_trainings)] | None = Field(
        None, description="Your file of training runs; None: the book's own"
    )
    data: Literal["digits", "cifar10", "tiny-imagenet"] = Field(
        "digits", description="What the page itself trains on"
    )
    root: str | None = Field(
        None, validate_default=True, description="Folder of these images; digits need none"
    )
    proxies: Proxies = Field(["proxy-EN"], description="Bases that the page itself trains")
    ways: Ways = Field(["w", "dwr"], description="How it scales them, to four times the flops")
    seeds: int = Field(1, ge=1, le=20, description="Runs of each")
    epochs: int = Field(3, ge=1, le=1000, description="Of each of these runs")
    device: Literal["cpu", "cuda"] = Field("cpu", description="Where the page itself trains")
    network: NetworkName = Field("EN-B0", description="Zoo network to price on ImageNet")
    scale: Scale = Field(11, description="Factor on its flops")
    strategies: Ways = Field(["dwr", "dWr"], description="How it is scaled")
    imagenet_epochs: int = Field(
        200, ge=1, le=10_000, description="Of one training there; the paper's 2x schedule"
    )
    tiers: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "laptop": {"ways": _WAYS, "seeds": 3, "epochs": 10},
        "gpu": {"proxies": ["proxy-EN", "proxy-Y", "proxy-Z"], "epochs": 20, "device": "cuda"},
        # Commands for all strategies; what the page itself trains is as in smoke again.
        "paper": {
            "strategies": _WAYS,
            "proxies": ["proxy-EN"],
            "ways": ["w", "dwr"],
            "seeds": 1,
            "epochs": 3,
            "device": "cpu",
        },
    }

    @field_validator("root")
    @classmethod
    def _root_where_needed(cls, root: str | None, info: ValidationInfo) -> str | None:
        data = info.data.get("data", "digits")
        if data != "digits" and root is None:
            raise ValueError(f"data set {data!r} needs its folder")
        return root


GREY = "#909090"
BASE_COLOUR = "#777777"
MEANS_STYLE: Mapping[str, Any] = {"linestyle": "--", "fillstyle": "none"}


def _style(strategy: str) -> dict[str, Any]:
    """Colour and marker of a strategy; dWr's means of three are dWr with open markers."""
    name = "dWr" if strategy == published.MEANS else strategy
    style: dict[str, Any] = {
        "color": STRATEGY_COLOURS.get(name, GREY),
        "marker": STRATEGY_MARKERS.get(name, "o"),
    }
    if strategy == published.MEANS:
        style |= MEANS_STYLE
    if strategy == "orig":
        style["linestyle"] = ":"
    return style


def _handles(strategies: Sequence[str]) -> list[Any]:
    import matplotlib.pyplot as plt

    return [plt.Line2D([], [], label=name, **_style(name)) for name in strategies]


def published_figure(curves: pd.DataFrame) -> Figure:
    """Figures 1 and 4 to 7: error against flops, a row for each set of strategies.

    Args:
        curves: from `repro.analysis.accuracy.published.panels`.
    """
    import matplotlib.pyplot as plt

    rows = list(published.ROWS)
    fig, grid = plt.subplots(
        len(rows), 3, figsize=(7.8, 8.2), sharex=True, sharey="col", squeeze=False
    )
    for axes, row in zip(grid, rows, strict=True):
        for ax, base in zip(axes, published.BASES, strict=True):
            part = curves[(curves.row == row) & (curves.base == base)]
            if part.empty:
                ax.set_axis_off()
                continue
            for strategy, line in part.groupby("strategy", sort=False):
                ax.plot(line.flops, line.error, markersize=4.5, **_style(str(strategy)))
            ax.set_title(f"{base}, {published.FIGURES[row, base].replace('Figure', 'Fig.')}")
            log_axis(ax, "x", (0.5, 1, 2, 4))
            ax.tick_params(labelbottom=True)
    empty = [ax for ax in grid.flat if not ax.axison]
    names = list(dict.fromkeys(curves.strategy))
    order = [s for s in STRATEGY_COLOURS if s in names]
    if empty:
        empty[0].legend(handles=_handles(order), loc="center", ncols=2, fontsize=10)
    else:
        fig.legend(handles=_handles(order), loc="outside upper center", ncols=len(order))
    fig.supxlabel("flops, G", fontsize=10)
    fig.supylabel("top-1 error, %", fontsize=10)
    return fig


def large_figure(curves: pd.DataFrame) -> Figure:
    """Figure 8: error against flops up to 16 G, a curve for each base scaled by dWr.

    Args:
        curves: from `repro.analysis.accuracy.published.large_models`.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(7.2, 4.4))
    for name, part in curves.groupby("curve", sort=False):
        line = part.sort_values("flops")
        fam = "EfficientNet" if name == "orig" else family(str(name))
        large = str(name).endswith("4GF")
        ax.plot(
            line.flops,
            line.error,
            color=FAMILY_COLOURS[fam],
            linestyle=":" if name == "orig" else "--" if large else "-",
            marker="X" if name == "orig" else "s" if large else "o",
            label="EfficientNet B0 to B5 (orig)" if name == "orig" else f"{name}, dWr",
        )
    log_axis(ax, "x", (0.5, 1, 2, 4, 8, 16))
    ax.set(xlabel="flops, G", ylabel="top-1 error, %")
    ax.legend()
    return fig


def gap_figure(found: pd.DataFrame, noise: published.Noise) -> Figure:
    """How far each strategy's published points lie above dwr, a panel for each base.

    The bands hold 95 % of the differences of two networks of equal error: one run against a run of
    dwr, at the smaller and at the larger reading of the noise.

    Args:
        found: from `repro.analysis.accuracy.published.gaps`.
    """
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, 3, figsize=(7.8, 4.2), sharey=True, sharex=True)
    for ax, base in zip(axes, published.BASES, strict=True):
        for deviation, alpha in ((noise.high, 0.13), (noise.low, 0.17)):
            half = 1.96 * np.sqrt(2) * deviation
            ax.axhspan(-half, half, color=GREY, alpha=alpha, linewidth=0)
        ax.axhline(0, color=STRATEGY_COLOURS["dwr"], linewidth=1.4)
        mine = found[found.base == base]
        for strategy in published.STRATEGIES:
            line = mine[mine.strategy == strategy].sort_values("flops")
            if line.empty:
                continue
            ax.plot(line.flops, line.gap, markersize=5, linewidth=1.4, **_style(strategy))
        ax.set_title(base)
        log_axis(ax, "x", (0.5, 1, 2, 4))
        ax.set_xlim(0.6, 4.8)
    axes[0].set_ylabel("points above dwr")
    fig.supxlabel("flops, G", fontsize=10)
    known = [s for s in published.STRATEGIES if (found.strategy == s).any()]
    fig.legend(handles=_handles(known), loc="outside upper center", ncols=4)
    return fig


# ---------------------------------------------------------------------------- our own runs


def _order(strategies: Sequence[str]) -> list[str]:
    known = [UNSCALED, *WAYS]
    return [s for s in known if s in set(strategies)] + [s for s in strategies if s not in known]


def runs_figure(runs: Mapping[str, pd.DataFrame]) -> Figure:
    """Every run's error, and the mean with its interval: a row for each data set, a column a proxy.

    Args:
        runs: by the data set's title, from `repro.analysis.accuracy.proxies.runs_frame`.
    """
    import matplotlib.pyplot as plt

    bases = list(dict.fromkeys(b for frame in runs.values() for b in frame.base))
    fig, grid = plt.subplots(
        len(runs),
        len(bases),
        figsize=(1.2 + 2.25 * len(bases), 0.7 + 2.7 * len(runs)),
        squeeze=False,
        sharex=True,
        sharey="row",
    )
    names = _order([s for frame in runs.values() for s in dict.fromkeys(frame.strategy)])
    place = {name: i for i, name in enumerate(names)}
    for axes, (title, frame) in zip(grid, runs.items(), strict=True):
        means = by_network(frame)
        largest = frame.times.max()
        for ax, base in zip(axes, bases, strict=True):
            for row in each(means[means.base == base]):
                seeds = frame[
                    (frame.base == base)
                    & (frame.strategy == row.strategy)
                    & (frame.times == row.times)
                ].error
                full = row.times in (largest, 1)
                x = place[str(row.strategy)] + (0 if full else -0.28)
                _network(ax, x, row, list(seeds), full)
            ax.set_title(f"{base}, {title}" if len(runs) > 1 else base)
            ax.set_xticks(
                range(len(names)), [n.replace("alpha=", "α ") for n in names], rotation=90
            )
            ax.grid(axis="x", visible=False)
        if axes[0].get_ylim()[0] < 0:  # an interval may reach where no error can be
            axes[0].set_ylim(bottom=0)
    fig.supylabel("test error, %", fontsize=10)
    return fig


def _network(ax: Axes, x: float, row: Any, errors: Sequence[float], full: bool) -> None:
    """One network: a dot for each seed, a line for the interval, the mean as a marker."""
    colour = STRATEGY_COLOURS.get(str(row.strategy), BASE_COLOUR)
    if row.half == row.half:
        low, high = row.error - row.half, row.error + row.half
        ax.plot([x, x], [low, high], color=colour, linewidth=1.3)
    ax.plot([x + 0.16] * len(errors), errors, ".", color=colour, markersize=4, alpha=0.8)
    ax.plot(
        [x],
        [row.error],
        linestyle="",
        marker=STRATEGY_MARKERS.get(str(row.strategy), "o"),
        color=colour,
        markersize=6,
        fillstyle="full" if full else "none",
    )


def forest_figure(found: Mapping[str, pd.DataFrame], limits: Mapping[str, float]) -> Figure:
    """Differences from dwr with their intervals, in points, a panel for each data set.

    Filled: as trained. Open: dwr read at the strategy's own flops. Small crosses: single proxies.
    Where dwr gains anything, the band is within the threshold of alike, and the dotted line is that
    below which a loss does not count.

    Args:
        found: by the data set's title, from `repro.analysis.accuracy.proxies.against`.
        limits: the ledger's thresholds, ``worse`` and ``alike``.
    """
    import matplotlib.pyplot as plt

    fig, grid = plt.subplots(
        1, len(found), figsize=(1.6 + 3.2 * len(found), 4.2), squeeze=False, sharey=True
    )
    names = [s for s in WAYS if s != "dwr"]
    for ax, (title, table) in zip(grid.flat, found.items(), strict=True):
        gained = float((table["mean"] / table.share).mean())  # NaN where there is no clear gain
        if gained == gained:
            half = limits["alike"] * gained
            ax.axvspan(-half, half, color=GREY, alpha=0.16, linewidth=0)
            ax.axvline(limits["worse"] * gained, color=GREY, linewidth=1.2, linestyle=":")
        ax.axvline(0, color=STRATEGY_COLOURS["dwr"], linewidth=1.4)
        for row in each(table):
            full = row.where == "as trained"
            y = names.index(str(row.strategy)) + (-0.08 if full else 0.22)
            style = {**_style(str(row.strategy)), "linestyle": "-"}
            colour = style["color"]
            ax.plot([row.low, row.high], [y, y], color=colour, linewidth=2 if full else 1.2)
            if full:
                single = list(row.by_base.values())
                ax.plot(single, [y - 0.22] * len(single), "x", color=colour, markersize=4)
            ax.plot(
                [row.mean],
                [y],
                fillstyle="full" if full else "none",
                markersize=6.5 if full else 5.5,
                **style,
            )
        ax.set_title(title)
        ax.set_yticks(range(len(names)), [n.replace("alpha=", "α ") for n in names])
        ax.grid(axis="y", visible=False)
    grid[0, 0].set_ylim(len(names) - 0.5, -0.5)
    fig.supxlabel("points of error above dwr", fontsize=10)
    return fig


def loss_figure(runs: pd.DataFrame) -> Figure:
    """Test error against the last training loss, a panel for each proxy.

    Args:
        runs: from `repro.analysis.accuracy.proxies.runs_frame`, of one data set.
    """
    import matplotlib.pyplot as plt

    bases = list(dict.fromkeys(runs.base))
    fig, axes = plt.subplots(
        1, len(bases), figsize=(1.2 + 2.25 * len(bases), 3.5), squeeze=False, sharey=True
    )
    largest = runs.times.max()
    for ax, base in zip(axes.flat, bases, strict=True):
        mine = runs[runs.base == base]
        for (strategy, times), part in mine.groupby(["strategy", "times"], sort=False):
            style = {**_style(str(strategy)), "linestyle": ""}
            if strategy == UNSCALED:
                style |= {"color": BASE_COLOUR}
            full = times in (1, largest)
            ax.plot(
                part.loss, part.error, markersize=5, fillstyle="full" if full else "none", **style
            )
        ax.set_title(base)
    axes[0, 0].set_ylabel("test error, %")
    fig.supxlabel("training loss in the last epoch", fontsize=10)
    known = [s for s in WAYS if (runs.strategy == s).any()]
    handles = [plt.Line2D([], [], color=BASE_COLOUR, marker="o", label=UNSCALED), *_handles(known)]
    for handle in handles:
        handle.set_linestyle("")
    fig.legend(handles=handles, loc="outside upper center", ncols=7, columnspacing=1.2)
    return fig


PARETO: Mapping[str, str] = {"flops": "flops, M", "acts": "acts, M", "ms": "training, ms per image"}


def pareto_figure(means: pd.DataFrame) -> Figure:
    """Error against flops, acts and measured training time; a row for each proxy.

    The grey step joins the networks that no other beats in both.

    Args:
        means: from `repro.analysis.accuracy.proxies.by_network`, of one data set.
    """
    import matplotlib.pyplot as plt

    bases = list(dict.fromkeys(means.base))
    fig, grid = plt.subplots(
        len(bases),
        len(PARETO),
        figsize=(7.8, 0.9 + 2.5 * len(bases)),
        squeeze=False,
        sharey="row",
        sharex="col",
    )
    for axes, base in zip(grid, bases, strict=True):
        mine = means[means.base == base]
        start = mine[mine.strategy == UNSCALED].iloc[0]
        for ax, cost in zip(axes, PARETO, strict=True):
            front = pareto_front(mine, cost)
            ax.step(
                front[cost], front.error, where="post", color=GREY, linewidth=4, alpha=0.35,
                solid_capstyle="butt",
            )  # fmt: skip
            for strategy in _order(list(dict.fromkeys(mine.strategy)))[1:]:
                line = mine[mine.strategy == strategy].sort_values("times")
                ax.plot(
                    [start[cost], *line[cost]],
                    [start.error, *line.error],
                    markersize=5,
                    linewidth=1.1,
                    **_style(strategy),
                )
            ax.plot([start[cost]], [start.error], "o", color=BASE_COLOUR, markersize=6)
            log_axis(ax, "x")
        axes[0].set_title(base)
    for ax, label in zip(grid[-1], PARETO.values(), strict=True):
        ax.set_xlabel(label)
    fig.supylabel("test error, %", fontsize=10)
    known = [s for s in WAYS if (means.strategy == s).any()]
    fig.legend(handles=_handles(known), loc="outside upper center", ncols=6)
    return fig


def pareto_front(means: pd.DataFrame, cost: str) -> pd.DataFrame:
    """The networks that no other beats in error and cost, by rising cost."""
    line = means.sort_values([cost, "error"])
    best = line.error.cummin().shift(fill_value=float("inf"))
    return line[line.error < best]


def curves_figure(curves: pd.DataFrame) -> Figure:
    """Learning curves of a few runs: training loss and hold-out error by epoch.

    Args:
        curves: columns strategy, seed, epoch, loss, error.
    """
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.2), sharex=True)
    for ax, what, label in zip(
        axes, ("loss", "error"), ("training loss", "hold-out error, %"), strict=True
    ):
        seen: set[str] = set()
        for (_, strategy, _), line in curves.groupby(["base", "strategy", "seed"], sort=False):
            name = str(strategy)
            style = _style(name) if name != UNSCALED else {"color": BASE_COLOUR, "marker": "o"}
            ax.plot(
                line.epoch,
                line[what],
                label=None if name in seen else name,
                linewidth=1.3,
                markersize=4,
                **style,
            )
            seen.add(name)
        ax.set(xlabel="epoch", title=label)
        ax.set_xticks(sorted(set(curves.epoch))[:: max(1, int(curves.epoch.max()) // 8)])
    fig.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside upper center",
        ncols=min(7, curves.strategy.nunique()),
    )
    return fig
