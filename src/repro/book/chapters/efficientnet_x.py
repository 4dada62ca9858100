"""Figures of the chapter "EfficientNet-X"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import pandas as pd
from pydantic import Field

from repro.analysis.accelerators.x_network import Placed, placed
from repro.arch import Network
from repro.book.kit.figures import STRATEGY_COLOURS, log_axis
from repro.book.parameters import ChapterParameters
from repro.complexity import out_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Parameters(ChapterParameters):
    """Chapter "EfficientNet-X"."""

    device: Literal["cpu", "cuda"] = Field(
        "cpu", description="Whose records stand beside Table 3; where to time live"
    )


STEM, DEPTHWISE, FUSED = "#8c8c8c", STRATEGY_COLOURS["d"], STRATEGY_COLOURS["dwr"]
GPU, TPU = STRATEGY_COLOURS["d"], STRATEGY_COLOURS["w"]
_STYLES = {"Table 2": ("--", "o"), "Table 6": ("-", "s"), "builder": (":", "^")}


class Column:
    """One conv or block of a drawn network.

    Attributes:
        label: under it. kind: ``"conv"``, ``"MBConv"`` or ``"fused MBConv"``. size: pixels per side
        of the map that leaves. flops: of it, millions. swish: whether it uses swish.
    """

    def __init__(self, label: str, kind: str, size: int, flops: float, swish: bool) -> None:
        self.label, self.kind, self.size, self.flops, self.swish = label, kind, size, flops, swish


def columns(net: Network) -> list[Column]:
    """Stem, space-to-depth conv if any, every block, head conv: in order."""
    size = out_size(net.resolution, 2)
    stem = net.in_channels * 9 * net.stem_width * size**2 / 1e6
    swish = (net.stem_activation or net.activation) == "silu"
    found = [Column(str(net.stem_width), "conv", size, stem, swish)]
    for p in placed(net):
        found += _block(p)
    last = found[-1].size
    head = net.stages[-1].out_width * net.head_width * last**2 / 1e6
    found.append(Column(str(net.head_width), "conv", last, head, net.activation == "silu"))
    return found


def _block(p: Placed) -> list[Column]:
    b, flops, swish = p.block, p.flops / 1e6, p.block.activation == "silu"
    front = []
    if b.space_to_depth:
        size = out_size(p.size, 2)
        conv = 4 * b.in_width * b.space_to_depth * size**2 / 1e6
        front = [Column(str(b.space_to_depth), "conv", size, conv, swish)]
        flops -= conv
    return front + [Column(str(b.out_width), p.kind, p.out, flops, swish)] * p.repeats


def architecture(net: Network, other: Network) -> Figure:
    """A network's maps (top) and flops (bottom), block by block, beside another's flops.

    Args:
        net: drawn from its description. other: with as many blocks; rings in the lower panel.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Patch

    drawn = columns(net)
    colour = {"conv": STEM, "MBConv": DEPTHWISE, "fused MBConv": FUSED}
    fig, (top, bottom) = plt.subplots(
        2, 1, figsize=(7.6, 5.4), sharex=True, height_ratios=(1.15, 1)
    )
    for i, c in enumerate(drawn):
        top.bar(i, c.size, 0.78, color=colour[c.kind], hatch="///" if c.swish else None,
                edgecolor="white" if c.swish else "none", linewidth=0)  # fmt: skip
        top.annotate(c.label, (i, c.size), (0, 3), textcoords="offset points", ha="center",
                     fontsize=8)  # fmt: skip
        bottom.bar(i, c.flops, 0.78, color=colour[c.kind])
    log_axis(top, "y", sorted({c.size for c in drawn}))
    top.set_ylim(4, 190)
    top.grid(visible=False, axis="x")
    top.set(ylabel="pixels per side", title="Maps; numbers are channels")
    handles = [Patch(color=value, label=key) for key, value in colour.items()]
    handles.append(Patch(facecolor=STEM, hatch="///", edgecolor="white", label="hatched: swish"))
    top.legend(handles=handles, loc="upper right", ncols=2)
    # The other has no space-to-depth conv: its blocks stand where the same blocks stand here.
    where = [i for i, _ in enumerate(drawn) if not _reshapes(net, i)]
    rings = columns(other)
    if len(rings) == len(where):
        bottom.plot(where, [c.flops for c in rings], "o", mfc="none", color="#8c8c8c",
                    label=other.name)  # fmt: skip
        bottom.legend(loc="upper right")
    bottom.grid(visible=False, axis="x")
    bottom.set(ylabel="flops, M", title="Flops, a multiply-add as one")
    bottom.set_xticks(_starts(net, drawn), [str(n) for n in range(1, 1 + _stages(net))])
    bottom.set_xlabel("first conv or block of each stage, numbered as in Table 1")
    return fig


def _reshapes(net: Network, i: int) -> bool:
    return i == 1 and next(iter(placed(net))).block.space_to_depth > 0


def _stages(net: Network) -> int:
    return len(net.stages) + 2 + _reshapes(net, 1)


def _starts(net: Network, drawn: list[Column]) -> list[int]:
    """Where each stage begins, stem, reshaping conv and head counted as stages."""
    first = [0, 1] if _reshapes(net, 1) else [0]
    at = len(first)
    starts = first
    for stage in net.stages:
        starts = [*starts, at]
        at += stage.depth
    assert at == len(drawn) - 1
    return [*starts, at]


def pairing_figure(frame: pd.DataFrame) -> Figure:
    """Whose parameters (left) and whose latency (middle, right) the X rows of Table 3 print.

    Args:
        frame: from `repro.analysis.accelerators.efficientnet_x.pairing`.
    """
    import matplotlib.pyplot as plt

    fig, (params, v100, tpu) = plt.subplots(1, 3, figsize=(8.6, 3.5))
    single, lacs = STRATEGY_COLOURS["w"], STRATEGY_COLOURS["d"]
    params.plot(frame.level, frame.own, color=single)
    for key, style in (("gpu", "-"), ("tpu", "--")):
        params.plot(frame.level, frame[key], color=lacs, linestyle=style)
    params.plot(frame.level, frame.printed, "o", color=STRATEGY_COLOURS["dwr"])
    log_axis(params, "y", (10, 20, 50, 100, 200))
    params.set(title="Parameters, M", xlabel="level")
    for ax, key, title in ((v100, "v100", "Speed-up, V100"), (tpu, "tpuv3", "Speed-up, TPUv3")):
        ax.plot(frame.level, frame[f"{key}_single"], color=single, label="single-objective scaling")
        ax.plot(frame.level, frame[f"{key}_lacs"], color=lacs, label="LACS (parameters: code)")
        row = frame[f"{key}_row"]
        ax.plot(frame.level, row, "o", color=STRATEGY_COLOURS["dwr"], label="Table 3, row X")
        ax.set(title=title, xlabel="level")
        ax.set_ylim(1.1, 2.35)
    handles, labels = v100.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=3)
    return fig


def speedups_figure(frame: pd.DataFrame, printed: Mapping[str, pd.Series]) -> Figure:
    """How many times as fast as EfficientNet each level was recorded, a panel per machine and way.

    Args:
        frame: from `x_times.speedups`. printed: Figure 3's bars by level, by title;
            beside batches of 128.
    """
    import matplotlib.pyplot as plt

    panels = list(frame.groupby(["machine", "way"], sort=False)) or [(("", ""), frame)]
    across = min(2, len(panels))
    down = -(-len(panels) // across)
    size = (6.6, 4.2) if len(panels) == 1 else (7.6, 3.1 * down + 0.8)
    fig, grid = plt.subplots(down, across, figsize=size, squeeze=False, sharex=True, sharey=True)
    levels = sorted(set(frame.level)) or ["B0"]
    for ax, (title, part) in zip(grid.flat, panels, strict=False):
        machine, way = map(str, title)
        shown = printed.items() if "128" in way else ()  # the paper's batch
        for (name, bars), style in zip(shown, ("-", "--"), strict=False):
            values = [bars[level] for level in levels]
            ax.plot(range(len(levels)), values, style, color="#8c8c8c", lw=1.2, label=name)
        lines = list(part.groupby(["family", "activation"], sort=False))
        for i, ((family, activation), line) in enumerate(lines):
            colour, marker = _LINES.get((str(family), str(activation)), ("#8c8c8c", "x"))
            aside = 0.06 * (i - (len(lines) - 1) / 2)  # that intervals do not hide each other
            at = [levels.index(level) + aside for level in line.level]
            ax.vlines(at, line.low, line.high, color=colour, lw=3, alpha=0.3)
            label = f"{family}, {activation}"
            ax.plot(at, line.times, marker=marker, color=colour, label=label)
        ax.axhline(1, color=plt.rcParams["text.color"], lw=0.9, ls=":")
        ax.set_xticks(range(len(levels)), levels)
        ax.set_title(f"{machine}\n{way}", fontsize=10)
    for ax in grid[:, 0]:
        ax.set_ylabel("times as fast")
    for ax in grid[-1]:
        ax.set_xlabel("level")
    for ax in grid.flat[len(panels) :]:
        ax.set_axis_off()
    named = dict(
        pair[::-1] for ax in grid.flat for pair in zip(*ax.get_legend_handles_labels(), strict=True)
    )
    fig.legend(named.values(), named.keys(), loc="outside upper center", ncols=2)
    return fig


_LINES = {
    ("EN-X", "ReLU"): (STRATEGY_COLOURS["w"], "s"),
    ("EN-X", "mixed"): (STRATEGY_COLOURS["dwr"], "o"),
    ("EN-X", "swish"): (STRATEGY_COLOURS["dWr"], "v"),
    ("EN-X-GPU", "ReLU"): (STRATEGY_COLOURS["d"], "D"),
    ("EN-X-GPU", "mixed"): (STRATEGY_COLOURS["wr"], "^"),
    ("EN-X-TPU", "mixed"): (STRATEGY_COLOURS["r"], "P"),
}
"""Colour and marker of each family and activation that is compared."""


def lacs_figure(frame: pd.DataFrame) -> Figure:
    """Depth and resolution of the LACS families by source.

    Args:
        frame: from `repro.analysis.accelerators.efficientnet_x.lacs`.
    """
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, 2, figsize=(7.6, 3.9))
    quantities = (("depth", "Nominal depth, blocks"), ("resolution", "Resolution, pixels"))
    for ax, (key, title) in zip(axes, quantities, strict=True):
        _families(ax, frame, key)
        ax.set(title=title, xlabel="level")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=2)
    return fig


def _families(ax: Axes, frame: pd.DataFrame, key: str) -> None:
    for (source, device), part in frame.groupby(["source", "device"], sort=False):
        line, marker = _STYLES[str(source)]
        ax.plot(
            part.level,
            part[key],
            linestyle=line,
            marker=marker,
            color=GPU if device == "GPU" else TPU,
            label=f"{source}, {device}",
        )
