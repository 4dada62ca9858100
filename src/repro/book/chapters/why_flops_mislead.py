"""Figures of the two chapters on accelerators: rooflines, times, efficiency, blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import pandas as pd
from pydantic import Field

from repro import reference
from repro.analysis.accelerators.roofs import Roof
from repro.analysis.frames import family
from repro.book.kit.figures import FAMILY_COLOURS, STRATEGY_COLOURS, log_axis
from repro.book.parameters import Channels, ChapterParameters, DeviceName
from repro.runtime.timm_networks import is_timm_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Parameters(ChapterParameters):
    """Chapter "Why FLOPs mislead"."""

    devices: list[DeviceName] = Field(
        ["H200"], description="Of data/devices.yaml, beside the paper's three"
    )
    accelerator: Literal["V100", "TPUv3"] = Field(
        "V100", description="Whose latencies Equation 1 takes apart"
    )
    batch: int = Field(128, ge=1, le=4096, description="Images at once, for computed intensities")
    channels: Annotated[list[Channels], Field(min_length=1)] = Field(
        [16, 32, 64, 128, 256], description="Widths of the convs of Equation 2"
    )
    records: str | None = Field(None, description="Your file from `repro time --peaks --out FILE`")


SERIES_COLOURS: Mapping[str, str] = {
    "EfficientNet": FAMILY_COLOURS["EfficientNet"],
    "EfficientNet-X": FAMILY_COLOURS["EfficientNet-X"],
    "RegNetY": FAMILY_COLOURS["RegNetY"],
    "ResNet": FAMILY_COLOURS["ResNet"],
    "others": STRATEGY_COLOURS["orig"],
}
STYLES: Mapping[str, str] = {"Figure 2": "-", "data sheet": "--"}
"""Of rooflines by where their rates come from; measured ones are dotted."""
ROOF_COLOURS = tuple(STRATEGY_COLOURS[key] for key in ("d", "r", "dw", "dwr", "dr", "dWr", "w"))


def roofline_figure(roofs: Sequence[Roof], series: Mapping[str, pd.DataFrame]) -> Figure:
    """Rooflines above, and below on the same axis where the networks lie.

    Args:
        roofs: drawn in order. series: frames of `intensities` by the name of their row.
    """
    import matplotlib.pyplot as plt

    fig, (top, low) = plt.subplots(
        2, 1, figsize=(7.4, 6.2), sharex=True, height_ratios=[3.2, 0.34 * len(series) + 0.3]
    )
    left, right = 4.0, 800.0
    for roof, colour in zip(roofs, ROOF_COLOURS * 3, strict=False):
        x = sorted({left, min(max(roof.ridge, left), right), right})
        label = f"{roof.device} ({roof.source}, {roof.dtype})"
        top.plot(
            x,
            [roof.ideal(i) / 1e12 for i in x],
            color=colour,
            ls=STYLES.get(roof.source, ":"),
            label=label,
        )
    for p in reference.drawn_intensities():
        at, reached = float(p.operational_intensity), float(p.tops)
        tint = SERIES_COLOURS["ResNet" if p.model.startswith("ResNet") else "EfficientNet"]
        top.plot(at, reached, "o", color=tint, ms=6)
        top.annotate(
            p.model.replace("EfficientNet-", ""),
            (at, reached),
            (6, -11),
            textcoords="offset points",
            fontsize=9,
        )
    log_axis(top, "x", (5, 10, 20, 50, 100, 200, 500))
    log_axis(top, "y", (0.2, 1, 5, 20, 100, 500))
    top.set_xlim(left, right)
    top.set_ylabel("10¹² operations/s")
    fig.legend(*top.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    for y, (name, table) in enumerate(series.items()):
        colour = SERIES_COLOURS.get(name, SERIES_COLOURS["others"])
        for row in table.itertuples():
            low.plot(
                [row[3], row[4]], [y, y], color=colour, lw=7, alpha=0.28, solid_capstyle="butt"
            )
        printed = table.printed.dropna()
        low.plot(printed, [y] * len(printed), "|", color=colour, ms=13, mew=1.8)
    low.set_yticks(range(len(series)), list(series))
    low.set_ylim(len(series) - 0.5, -0.5)
    low.tick_params(axis="y", length=0)
    low.grid(axis="y", visible=False)
    low.set_xlabel("operational intensity, operations per byte (log)")
    return fig


def times_figure(table: pd.DataFrame, device: str) -> Figure:
    """Milliseconds of Table 3 against flops, and against the bytes that its columns imply."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, 2, figsize=(7.4, 3.6), sharey=True)
    panels = {"flops": (0.5, 1, 5, 20, 100), "GB moved": (5, 10, 50, 100, 200)}
    labels = {"flops": "G flops per image (log)", "GB moved": "GB moved per batch (log)"}
    for ax, (x, ticks) in zip(axes, panels.items(), strict=True):
        for name, part in table.groupby("family", sort=False):
            ax.plot(part[x], part[device], "o", color=SERIES_COLOURS[str(name)], label=name, ms=6)
        log_axis(ax, "x", ticks)
        log_axis(ax, "y", (10, 20, 50, 100, 200, 500, 1000))
        ax.set_xlabel(labels[x])
    axes[0].set_ylabel(f"{device}, ms for 128 images (log)")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return fig


def efficiency_figure(table: pd.DataFrame) -> Figure:
    """Printed efficiency beside what the printed latency gives, a row per network."""
    import matplotlib.pyplot as plt

    ordered = table.sort_values("ratio", kind="stable")
    fig, ax = plt.subplots(figsize=(7.4, 0.9 + 0.245 * len(ordered)))
    y = range(len(ordered))
    printed, ours = STRATEGY_COLOURS["dwr"], STRATEGY_COLOURS["d"]
    ax.hlines(y, ordered.printed, ordered["by latency"], color=STRATEGY_COLOURS["orig"], lw=1.2)
    ax.plot(ordered["by latency"], y, "s", color=ours, label="by printed latency")
    ax.plot(ordered.printed, y, "o", color=printed, label="printed")
    ax.set_yticks(y, list(ordered.model))
    ax.set(xlabel="percent of the TPUv3 roofline", xlim=(0, 80))
    ax.set_ylim(-0.7, len(ordered) - 0.3)
    ax.tick_params(axis="y", length=0)
    fig.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return fig


def recorded_figure(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Recorded milliseconds against flops, a panel per machine and way, a colour per family."""
    import matplotlib.pyplot as plt

    count = max(1, len(tables))
    across = min(2, count)
    down = -(-count // across)
    size = (7.2, 3.9) if count == 1 else (7.4, 3.3 * down + 0.4)
    fig, grid = plt.subplots(down, across, figsize=size, squeeze=False)
    for ax, (title, table) in zip(grid.flat, tables.items(), strict=False):
        for name, part in table.groupby(table.base.map(_family), sort=False):
            colour = FAMILY_COLOURS.get(str(name), SERIES_COLOURS["others"])
            ax.plot(part.flops, part.ms, "o", color=colour, label=name)
        log_axis(ax, "both")
        ax.set(title=title, xlabel="G flops per image (log)", ylabel="ms per batch (log)")
    for ax in grid.flat[len(tables) :]:
        ax.set_axis_off()
    named = dict(
        pair[::-1] for ax in grid.flat for pair in zip(*ax.get_legend_handles_labels(), strict=True)
    )
    if named:
        fig.legend(named.values(), named.keys(), loc="outside upper center", ncols=4)
    return fig


def _family(base: str) -> str:
    return "timm's" if is_timm_name(base) else family(base)


def widths_figure(table: pd.DataFrame, devices: Sequence[str]) -> Figure:
    """Ideal time of an MBConv over that of a fused MBConv, against channels; a line per device."""
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(7.2, 3.8))
    for device, colour in zip(devices, ROOF_COLOURS * 3, strict=False):
        ax.plot(table.channels, table[device], "o-", color=colour, label=device)
    ax.axhline(1, color=plt.rcParams["text.color"], lw=0.9, ls=":")
    log_axis(ax, "x", list(table.channels))
    log_axis(ax, "y", (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5))
    ax.set(xlabel="channels (log)", ylabel="fused: times as fast (log)")
    ax.legend()
    return fig


def gains_figure(gains: pd.DataFrame) -> Figure:
    """Recorded gain of fusing against channels, a line per map; right, what the roofline says.

    Args:
        gains: from `repro.analysis.accelerators.blocks.fused_gains`. A row of panels per machine.
    """
    import matplotlib.pyplot as plt

    machines = list(dict.fromkeys(gains.machine)) or [""]
    fig, grid = plt.subplots(
        len(machines),
        2,
        figsize=(7.6, 3.3 * len(machines) + 0.4),
        squeeze=False,
        sharex=True,
        sharey=True,
    )
    sizes = sorted(set(gains["map"]), reverse=True)
    for (left, right), machine in zip(grid, machines, strict=True):
        for size, colour, marker in zip(sizes, ROOF_COLOURS, "osD^vPX", strict=False):
            part = gains[(gains.machine == machine) & (gains["map"] == size)]
            part = part.sort_values("channels")
            style = {"color": colour, "marker": marker, "label": f"{size} × {size}"}
            left.fill_between(part.channels, part.low, part.high, color=colour, alpha=0.2, lw=0)
            left.plot(part.channels, part.measured, **style)
            right.plot(part.channels, part["by roofline"].astype(float), **style)
        left.set(title=machine, ylabel="fused: times as fast (log)")
        right.set_title("by its roofline")
        for ax in (left, right):
            ax.axhline(1, color=plt.rcParams["text.color"], lw=0.9, ls=":")
            log_axis(ax, "x", sorted(set(gains.channels)))
            log_axis(ax, "y", (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5))
    for ax in grid[-1]:
        ax.set_xlabel("channels (log)")
    fig.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    return fig
