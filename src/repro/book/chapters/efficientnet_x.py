"""The chapter "EfficientNet-X": its figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
from pydantic import Field

from repro import reference
from repro.analysis.accelerators.efficientnet_x import LEVELS, speedups
from repro.analysis.accelerators.x_network import pieces
from repro.book.kit.figures import FAMILY_COLOURS, STRATEGY_COLOURS, legend, log_axis, panels
from repro.book.parameters import ChapterParameters

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from repro.arch import Network


class Parameters(ChapterParameters):
    """Chapter "EfficientNet-X"."""

    device: Literal["cpu", "cuda"] = Field(
        "cpu", description="Whose recorded times are drawn; where to time live"
    )


GREY = "#8c8c8c"
KINDS = {"conv": GREY, "MBConv": STRATEGY_COLOURS["d"], "fused MBConv": STRATEGY_COLOURS["dwr"]}
SCALINGS = {
    "single objective": STRATEGY_COLOURS["orig"],
    "LACS GPU": STRATEGY_COLOURS["LACS-GPU"],
    "LACS TPU": STRATEGY_COLOURS["LACS-TPU"],
}
"""Colours of the kinds of blocks, and of the ways to scale."""
OWN = "EfficientNet's scaling"


def blocks_figure(net: Network, plain: Network) -> Figure:
    """A network's maps (top) and flops (bottom), block by block, beside another's flops.

    plain: with as many blocks; rings in the lower panel.
    """
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D

    drawn, rings = pieces(net), pieces(plain)
    fig, (top, bottom) = plt.subplots(
        2, 1, figsize=(7.6, 5.4), sharex=True, height_ratios=(1.15, 1)
    )
    for i, piece in enumerate(drawn):
        fill = "none" if piece.activation == "swish" else KINDS[piece.kind]
        top.plot(i, piece.size, "o", color=KINDS[piece.kind], mfc=fill, markersize=7)
        top.annotate(
            f"{piece.channels}", (i, piece.size), (0, 6), textcoords="offset points", ha="center",
            fontsize=8,
        )  # fmt: skip
        bottom.bar(i, piece.flops / 1e6, 0.78, color=KINDS[piece.kind])
    log_axis(top, "y", sorted({piece.size for piece in drawn}))
    top.set(ylim=(4, 190), ylabel="pixels per side", title="Maps put out; numbers are channels")
    dot: Any = {"marker": "o", "markersize": 7, "ls": "none"}
    handles = [Line2D([], [], color=value, label=key, **dot) for key, value in KINDS.items()]
    handles.append(Line2D([], [], color=GREY, mfc="none", label="open: swish", **dot))
    top.legend(handles=handles, loc="upper right", ncols=2)
    # The other has no reshaping conv; all else stands where the same stands here.
    where = [i for i, piece in enumerate(drawn) if piece.stage != 2]
    heights = [piece.flops / 1e6 for piece in rings]
    name = plain.name.replace("EN-TF", "EfficientNet")
    bottom.plot(where, heights, "o", mfc="none", color=plt.rcParams["text.color"], label=name)
    bottom.legend(loc="upper right")
    bottom.set(ylabel="flops, M", title="Flops, a multiply-add as one")
    stages = [piece.stage for piece in drawn]
    starts = sorted(set(stages))
    bottom.set_xticks([stages.index(stage) for stage in starts], [str(stage) for stage in starts])
    bottom.set_xlabel("first conv or block of each stage, numbered as in the paper's Table 1")
    for ax in (top, bottom):
        ax.grid(visible=False, axis="x")
    return fig


def _bars(ax: Axes, heights: Mapping[str, list[float]], colours: list[str], title: str) -> None:
    """Two bars side by side for each level and for the mean, from 1 upwards."""
    labels = [*LEVELS, "mean"]
    for aside, (name, values), colour in zip((-0.2, 0.2), heights.items(), colours, strict=True):
        at = [i + aside for i in range(len(labels))]
        ax.bar(at, [v - 1 for v in values], 0.38, bottom=1, color=colour, label=name)
    ax.set_xticks(range(len(labels)), labels)
    ax.set(title=title, ylabel="times as fast")
    ax.grid(visible=False, axis="x")


def figure3() -> Figure:
    """Figure 3: speed-up of X over EfficientNet; dots are ratios of Table 3's latencies."""
    import matplotlib.pyplot as plt

    fig, axes = panels(2, 2, size=(4.0, 3.0), sharey=True)
    bars = reference.speedup_bars()
    by_latency = speedups()
    for ax, device, lacs in zip(axes, ("V100", "TPUv3"), list(SCALINGS)[1:], strict=True):
        heights = {
            title: [float(b.speedup) for b in bars if (b.device, b.scaling) == (device, scaling)]
            for title, scaling in ((OWN, "single-objective"), (lacs, "LACS"))
        }
        _bars(ax, heights, [SCALINGS["single objective"], SCALINGS[lacs]], device)
        dots = by_latency[by_latency.device == device].latency
        at = [i + 0.2 for i in range(len(dots))]
        ax.plot(at, dots, "o", color=plt.rcParams["text.color"], label="by printed latencies")
    legend(fig, axes)
    return fig


def figure4() -> Figure:
    """Figure 4: how many times as fast a TPUv3 is as a TPUv2."""
    fig, (ax,) = panels(1)
    fig.set_size_inches(6.4, 2.6)
    heights = {
        family: [float(b.speedup) for b in reference.generation_bars() if b.family == family]
        for family in ("EfficientNet", "EfficientNet-X")
    }
    _bars(ax, heights, [FAMILY_COLOURS[name] for name in heights], "TPUv3 over TPUv2")
    ax.legend(loc="upper left", ncols=2)
    ax.set_ylim(1, 2.3)
    return fig


def table6_figure() -> Figure:
    """Table 6: nominal depth and resolution of every level, by scaling."""
    fig, axes = panels(2, 2, size=(3.8, 3.0))
    titles = {"depth": "Nominal depth, blocks", "resolution": "Pixels per side"}
    for ax, (column, title) in zip(axes, titles.items(), strict=True):
        for (scaling, colour), marker in zip(SCALINGS.items(), "so^", strict=True):
            values = [getattr(r, column) for r in reference.x_levels() if r.scaling == scaling]
            label = scaling if scaling.startswith("LACS") else OWN
            ax.plot(LEVELS, values, marker=marker, color=colour, label=label)
        ax.set(title=title, xlabel="level", ylim=(0, None))
    legend(fig, axes)
    return fig


def today_figure(frame: pd.DataFrame) -> Figure:
    """Flops and recorded time of X networks over those of the EfficientNet of their level."""
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(6.8, 1.4 + 0.34 * max(len(frame), 3)))
    at = [-i for i in range(len(frame))]
    ax.plot(frame.flops, at, "o", mfc="none", color=GREY, label="flops")
    ax.hlines(at, frame.low, frame.high, color=FAMILY_COLOURS["EfficientNet-X"], lw=5, alpha=0.3)
    ax.plot(frame.time, at, "D", color=FAMILY_COLOURS["EfficientNet-X"], label="time")
    ax.axvline(1, color=plt.rcParams["text.color"], lw=0.9, ls=":")
    ax.set_yticks(at, frame.network)
    ax.set_xlim(0, None)
    ax.set(xlabel="over the EfficientNet of the same level")
    ax.grid(visible=False, axis="y")
    fig.legend(loc="outside upper center", ncols=2)
    return fig
