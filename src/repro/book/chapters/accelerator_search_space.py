"""Chapter "A search space for accelerators": blocks drawn, on rooflines, and as recorded.

Source: Searching for Fast Model Families on Datacenter Accelerators, sections 3 and 5.1, Table 4.
One multiply-add is one flop; the operations of intensities count it twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import pandas as pd
from pydantic import Field

from repro import reference
from repro.analysis.accelerators.blocks import measured
from repro.analysis.accelerators.roofs import Records
from repro.arch import Block, Network, blocks, get
from repro.arch.efficientnet_x import TABLE4_STEPS
from repro.arch.pieces import alone
from repro.book.kit.figures import STRATEGY_COLOURS, legend, log_axis, panels
from repro.book.parameters import Channels, ChapterParameters, DeviceName
from repro.complexity import complexity, out_size
from repro.runtime.roofline import (
    Cost,
    Fusion,
    Roofline,
    device_peaks,
    layer_cost,
    layers,
    roofline,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Parameters(ChapterParameters):
    """Chapter "A search space for accelerators"."""

    devices: Annotated[list[DeviceName], Field(min_length=1)] = Field(
        ["V100", "H200"], description="Of data/devices.yaml, whose rooflines predict"
    )
    channels: Annotated[list[Channels], Field(min_length=1)] = Field(
        [16, 24, 32, 48, 64, 96, 128, 192], description="Widths of the blocks"
    )
    size: int = Field(56, ge=2, le=512, description="Pixels per side of their maps")
    kernel: Literal[3, 5, 7] = Field(3, description="Of the spatial conv")
    expansion: int = Field(6, ge=1, le=16, description="Hidden width over channels")
    batch: int = Field(128, ge=1, le=4096, description="Images at once")
    fusion: Literal["none", "conv", "all"] = Field(
        "conv", description="Done by convs: nothing, norm and activation, or all"
    )
    records: str | None = Field(None, description="Your file from `repro time NAMES --out FILE`")


BATCH = 128
COLOURS = tuple(STRATEGY_COLOURS[key] for key in ("d", "r", "dw", "dwr", "dr", "dWr", "w"))
GREY = STRATEGY_COLOURS["orig"]
MEMORY, ARITHMETIC = STRATEGY_COLOURS["dwr"], STRATEGY_COLOURS["d"]
HIDDEN_STEP = "+ space-to-depth, SE as before"
STEPS: Mapping[str, str] = {
    "EfficientNet-B0": TABLE4_STEPS["EfficientNet-B0"],
    HIDDEN_STEP: "EN-X-B0+depthwise+swish+se-plain",
    **{row: name for row, name in TABLE4_STEPS.items() if row != "EfficientNet-B0"},
}
"""Table 4's rows and the one that it leaves out, with the networks that make them."""


def on(net: Network, device: str, batch: int = BATCH, fusion: Fusion = "conv") -> Roofline:
    """A network on a listed device's roofline, in the device's fastest dtype."""
    peaks = device_peaks(device)
    return roofline(net, peaks, batch, peaks.fastest, fusion=fusion)


# ---------------------------------------------------------------------------- drawings


class Conv(NamedTuple):
    """A conv of a block, and its map: multiply-adds are for one image, cost is of a whole batch."""

    label: str
    channels: int
    size: int
    flops: int
    cost: Cost


def first_block(name: str) -> tuple[Block, int]:
    """A network's first block, and the pixels per side of the map that it gets."""
    net = get(name)
    return next(blocks(net))[0], net.resolution if net.is_piece else out_size(net.resolution, 2)


def convs(b: Block, size: int, batch: int = BATCH) -> Iterator[Conv]:
    """An MBConv's convs on a map of ``size`` pixels per side; squeeze-excite goes with its conv."""
    piece = alone(b, size)
    shapes = []
    if b.space_to_depth:
        size = out_size(size, 2)
        shapes.append(("2×2 conv\nstride 2", b.space_to_depth, size))
    if b.expand:
        shapes.append(("1×1 conv", b.mid_width, size))
    size = out_size(size, b.stride)
    kind = {b.mid_width: "depthwise", 1: "dense"}.get(b.groups, "in groups")
    squeeze = f"\n+ SE {b.se_width}" if b.se_width else ""
    shapes.append((f"{b.kernel}×{b.kernel} {kind}{squeeze}", b.mid_width, size))
    shapes.append(("1×1 conv", b.out_width, size))
    counted = (layer for layer in layers(piece) if layer.norm)  # squeeze-excite has none
    for shape, layer in zip(shapes, counted, strict=True):
        yield Conv(*shape, layer.macs, layer_cost(layer, batch, "fp16", "infer", "conv"))


def _draw_map(ax: Axes, x: float, y: float, channels: int, size: int) -> float:
    """A map as a box whose volume is its acts, standing on y; returns its right end."""
    from matplotlib.patches import Polygon

    wide, high = channels / 100, size / 40
    deep = 0.4 * high
    for face, opacity in (
        ([(0, 0), (wide, 0), (wide, high), (0, high)], 0.55),
        ([(0, high), (wide, high), (wide + deep, high + deep), (deep, high + deep)], 0.3),
        ([(wide, 0), (wide + deep, deep), (wide + deep, high + deep), (wide, high)], 0.8),
    ):
        corners = [(x + dx, y + dy) for dx, dy in face]
        ax.add_patch(Polygon(corners, facecolor=GREY, edgecolor=GREY, alpha=opacity, lw=0.6))
    shape = f"{channels} ch.\n{size} × {size}"
    ax.text(x + wide / 2, y - 0.1, shape, ha="center", va="top", fontsize=8.5)
    return x + wide + deep


def blocks_figure(drawn: Mapping[str, str], device: str) -> Figure:
    """Blocks as chains of maps, drawn from their descriptions: boxes are maps, volume is acts.

    A network stands for its first block. Colour: what limits a conv on the device, for 128 images.
    """
    import matplotlib.pyplot as plt

    peaks = device_peaks(device)
    ridge = peaks.of(peaks.fastest) / peaks.bandwidth
    fig, ax = plt.subplots()
    y, right, arrow = 0.0, 0.0, 2.3
    for title, name in drawn.items():
        b, size = first_block(name)
        top = 1.4 * size / 40
        y -= top + 0.9
        ax.text(0, y + top + 0.4, title, weight="bold", va="bottom", fontsize=10)
        x = _draw_map(ax, 0, y, b.in_width, size)
        start = x - 0.3
        for conv in convs(b, size):
            intensity = conv.cost.operations / conv.cost.bytes
            colour = MEMORY if intensity < ridge else ARITHMETIC
            line = {"arrowstyle": "-|>", "color": colour, "lw": 2}
            ax.annotate("", (x + arrow - 0.1, y + 0.55), (x + 0.1, y + 0.55), arrowprops=line)
            text: dict[str, Any] = {"ha": "center", "fontsize": 8.5}
            ax.text(x + arrow / 2, y + 0.65, conv.label, va="bottom", **text)
            count = f"{conv.flops / 1e6:.1f} MF\n{intensity:.0f} op/byte"
            ax.text(x + arrow / 2, y + 0.45, count, va="top", **text)
            x = _draw_map(ax, x + arrow, y, conv.channels, conv.size)
        if b.skip != "none":
            over = y + top + 0.25
            ax.plot([start, start, x - 0.3], [y + top, over, over], color=GREY, lw=1.2)
            line = {"arrowstyle": "-|>", "color": GREY, "shrinkA": 0, "shrinkB": 0}
            ax.annotate("", (x - 0.3, y + top), (x - 0.3, over), arrowprops=line)
            ax.text(x, over, "+", va="center", fontsize=10)
        right, y = max(right, x), y - 0.7
    for label, colour in (("waits for memory", MEMORY), ("limited by arithmetic", ARITHMETIC)):
        ax.plot([], [], color=colour, lw=2, label=f"{label} ({device})")
    legend(fig, [ax])
    ax.set(xlim=(-0.5, right + 0.4), ylim=(y, 0), aspect="equal")
    ax.set_axis_off()
    fig.set_size_inches(7.4, 7.4 * -y / (right + 0.9) + 0.4)
    return fig


# ---------------------------------------------------------------------------- fused or not


def widths_figure(table: pd.DataFrame) -> Figure:
    """How many times as fast a fused MBConv is against channels: a line per device."""
    fig, [ax] = panels(1)
    for device, colour in zip(table.columns[1:], COLOURS * 3, strict=False):
        ax.plot(table.channels, table[device], "o-", color=colour, label=device)
    _gain_axes(ax, list(table.channels))
    legend(fig, [ax])
    return fig


def _gain_axes(ax: Axes, channels: Sequence[float]) -> None:
    ax.axhline(1, color=GREY, lw=1.2, ls=":")
    log_axis(ax, "x", channels)
    log_axis(ax, "y", (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5))
    ax.set(xlabel="channels (log)", ylabel="fused: times as fast (log)")


def gains_figure(gains: pd.DataFrame) -> Figure:
    """Recorded gain of fusing against channels, a line per map; dashed, the machine's roofline."""
    machines = list(dict.fromkeys(gains.machine)) or ["no machine"]
    fig, axes = panels(len(machines), 2, (3.7, 3.3), sharey=True)
    sizes = sorted(set(gains["map"]), reverse=True)
    for ax, machine in zip(axes, machines, strict=True):
        for size, colour, marker in zip(sizes, COLOURS, "osD^vPX", strict=False):
            part = gains[(gains.machine == machine) & (gains["map"] == size)]
            part = part.sort_values("channels")
            ax.fill_between(part.channels, part.low, part.high, color=colour, alpha=0.2, lw=0)
            line: dict[str, Any] = {"color": colour, "marker": marker, "label": f"{size} × {size}"}
            ax.plot(part.channels, part.measured, **line)
            roof = part["by roofline"].astype(float)
            label = "by roofline" if size == sizes[-1] else None
            ax.plot(part.channels, roof, color=GREY, ls="--", lw=1.2, label=label)
        ax.set_title(machine)
        _gain_axes(ax, sorted(set(gains.channels)))
    legend(fig, axes, 6)
    return fig


# ---------------------------------------------------------------------------- choices, and Table 4

CHOICES: Mapping[str, tuple[str, str]] = {
    "swish for ReLU, MBConv": ("MBConv-c32-silu@28", "MBConv-c32@28"),
    "swish for ReLU, fused MBConv": ("FusedMBConv-c32-silu@28", "FusedMBConv-c32@28"),
    "squeeze-excite, ratio 0.25": ("MBConv-c32-se0.25@28", "MBConv-c32@28"),
    "squeeze-excite, ratio 1 for 0.25": ("MBConv-c32-se1@28", "MBConv-c32-se0.25@28"),
    "space-to-batch, 2 × 2 parts": ("MBConv-c32-b2@28", "MBConv-c32@28"),
    "fused for depthwise": ("FusedMBConv-c32@28", "MBConv-c32@28"),
    "space-to-depth": (f"{STEPS[HIDDEN_STEP]}[:2]", f"{STEPS['EfficientNet-B0']}[:2]"),
}
"""With a choice and without it: blocks of 32 channels at 28 x 28; stem and first two stages."""


def choices_table(files: Records, devices: Sequence[str], batch: int = BATCH) -> pd.DataFrame:
    """What each of `CHOICES` multiplies flops, bytes, least and measured time by."""
    pairs = [(get(a), get(b)) for a, b in CHOICES.values()]

    def ratios(value: Callable[[Network], float]) -> list[float]:
        return [value(a) / value(b) for a, b in pairs]

    columns: dict[str, list[Any]] = {
        "choice": list(CHOICES),
        "flops": ratios(lambda net: complexity(net).macs),
        "bytes": ratios(lambda net: on(net, devices[0], batch).bytes),
    }
    for device in devices:
        columns[f"time, {device}"] = ratios(lambda net, d=device: on(net, d, batch).ideal_s)  # type: ignore[misc]
    table = pd.DataFrame(columns)
    for machine, part in measured(files, CHOICES).groupby("machine", sort=False):
        text = part.apply(lambda r: f"{r.measured:.2f} ({r.low:.2f} to {r.high:.2f})", axis=1)
        table[machine] = table.choice.map(dict(zip(part.comparison, text, strict=True)))
    return table


def table4(device: str, batch: int = BATCH) -> pd.DataFrame:
    """Table 4 with the step that it hides; what is not printed is missing."""
    paper = reference.to_frame(reference.x_ablation()).set_index("model").reindex(list(STEPS))
    nets = [get(name) for name in STEPS.values()]
    flops, params, _ = zip(*(complexity(n).counted_as("efficientnet-x") for n in nets), strict=True)
    columns = {
        "TPUv3 ms": paper.tpuv3_ms_batch128,
        "V100 ms": paper.v100_fp16_ms_batch128,
        f"least ms, {device}": [1e3 * on(net, device, batch).ideal_s for net in nets],
        "params, paper": paper.mparams,
        "params, ours": [p / 1e6 for p in params],
        "flops, paper": paper.gflops,
        "flops, ours": [f / 1e9 for f in flops],
    }
    return pd.DataFrame(columns, index=paper.index).reset_index(names="row")
