"""Chapter "What predicts runtime"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import pandas as pd
from pydantic import AfterValidator, Field, WithJsonSchema

from repro.analysis.scaling.alpha_family import UNITS
from repro.analysis.timing.sets import Timings
from repro.book.kit.figures import (
    FAMILY_COLOURS,
    STRATEGY_COLOURS,
    STRATEGY_MARKERS,
    dots,
    legend,
    log_axis,
    panels,
)
from repro.book.parameters import ChapterParameters
from repro.errors import did_you_mean
from repro.evidence.public import Setting, setting_of, settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREY = "#909090"
MOST_FLOPS = 4500
"""Where the axis of prices ends; an interval may go on."""


def known_setting(name: str) -> str:
    """The name of a column of the public table; anything else is an error."""
    names = [str(setting) for setting in settings()]
    if name not in names:
        raise ValueError(f"no setting of the public table.{did_you_mean(name, names)}")
    return name


SettingName = Annotated[str, AfterValidator(known_setting), WithJsonSchema({"type": "setting"})]


class Parameters(ChapterParameters):
    """Chapter "What predicts runtime"."""

    close: SettingName = Field(
        "rtx5090/infer/amp/nchw/2.9.1/eager", description="Setting drawn in detail"
    )
    beside: SettingName = Field(
        "cpu_i7_12700h/infer/fp32/nchw/2.4.0/inductor", description="Drawn beside it"
    )
    draws: int = Field(1000, ge=100, le=20_000, description="Resamples behind each interval")
    edge: float = Field(140, ge=20, le=1000, description="Acts, M, at which the paper's panels end")


HIGHLIGHTS: Mapping[str, tuple[str, str, str]] = {
    "resnet": ("ResNet, ResNeXt", "s", "#cc5fb0"),
    "regnet": ("RegNet", "D", "#d55e00"),
    "efficientnet": ("EfficientNet, MBConv nets", "o", "#0173b2"),
}
"""Families drawn in colour: their name on a page, marker and colour."""


def cloud_figure(sets: Sequence[Timings]) -> Figure:
    """Time of each network against its flops and its acts, a row of panels for each set."""
    fig, axes = panels(2 * len(sets), 2, (3.7, 2.9))
    shown = [(timings, cost) for timings in sets for cost in ("flops", "acts")]
    for ax, (timings, cost) in zip(axes, shown, strict=True):
        last = timings.frame.drop_duplicates("base", keep="last")  # at its largest image
        rest = last[~last.family.isin(HIGHLIGHTS)]
        ax.plot([], [], "o", color=GREY, markersize=3, label="others")
        ax.add_patch(dots(list(rest[cost]), list(rest.ms)))
        for family, (label, marker, colour) in HIGHLIGHTS.items():
            mine = last[last.family == family]
            ax.plot(mine[cost], mine.ms, marker, color=colour, markersize=3.5, label=label)
        log_axis(ax, "both", (0.01, 0.1, 1, 10, 100, 1000, 10_000))
        ax.set(title=timings.title, xlabel=UNITS[cost], ylabel="ms an image")
    legend(fig, axes)
    return fig


def _pair(one: str, other: str) -> tuple[Setting, Setting]:
    return setting_of(one), setting_of(other)


_NAMES = {"rtx3090": "3090", "rtx4090": "4090", "rtx5090": "5090", "pro6000maxq": "PRO 6000"}
STEPS: Mapping[str, tuple[Setting, Setting]] = (
    {
        f"4090 to 5090, {name}": _pair(
            f"rtx4090/infer/amp/nchw/2.9.1/{mode}", f"rtx5090/infer/amp/nchw/2.9.1/{mode}"
        )
        for name, mode in (("eager", "eager"), ("compiled", "inductor"))
    }
    | {
        f"eager to compiled, {_NAMES[device]}": _pair(
            f"{device}/infer/amp/nchw/2.9.1/eager", f"{device}/infer/amp/nchw/2.9.1/inductor"
        )
        for device in ("rtx4090", "rtx5090", "pro6000maxq")
    }
    | {
        f"NCHW to NHWC, {_NAMES[device]}": _pair(
            f"{device}/infer/amp/nchw/2.4.0/eager", f"{device}/infer/amp/nhwc/2.4.0/eager"
        )
        for device in ("rtx3090", "rtx4090")
    }
    | {
        "inference to training, 3090": _pair(
            "rtx3090/infer/amp/nchw/1.13/eager", "rtx3090/train/amp/nchw/1.12/eager"
        )
    }
)
"""Two settings that differ in one thing, as far as the table allows."""
SHOWN: Sequence[str] = (
    "rtx5090/infer/amp/nchw/2.9.1/eager",
    "rtx5090/infer/amp/nchw/2.9.1/inductor",
    "rtx3090/train/amp/nchw/1.12/eager",
    "cpu_i7_12700h/infer/fp32/nchw/2.4.0/inductor",
)
"""Settings in which kinds of networks are looked at."""
KINDS: Mapping[str, tuple[str, str]] = {
    "GroupNorm, EvoNorm": (r"_gn|_evos|_evob", "statistics of each map: further passes over it"),
    "GhostNet": (r"^ghost", "cheap halves of maps, made apart and concatenated"),
    "DenseNet, RDNet": (r"^densenet|^rdnet", "concatenations copy what no conv writes"),
    "MixNet": (r"^(?:tf_)?mixnet", "channels split among kernels of several sizes"),
    "ConvNeXt V2": (r"^convnextv2", "norms and GELUs, not folded into convs"),
    "NFNet": (r"^(?:dm_|eca_)?nfnet|^nf_", "weights standardised at every pass"),
    "EfficientNet": (
        r"^(?:tf_)?efficientnet_b\d ",
        "depthwise convs and squeeze-excite",
    ),
    "RegNetY, RegNetZ": (r"^regnet[yz]", "group convs and squeeze-excite"),
    "ResNet, ResNeXt": (r"^resnet\d+ |^resnext\d+_", "dense convs, or groups of many channels"),
    "MobileOne, RepVGG": (r"^mobileone|^repvgg", "counted with branches, some timed without"),
    "VGG": (r"^vgg", "most weights in the classifier"),
}
"""A pattern of timm's names, and what is peculiar to these networks."""
MODERN: Mapping[str, str] = {
    "ConvNeXt": r"^convnext_",
    "ConvNeXt V2": r"^convnextv2",
    "EfficientNetV2": r"^(?:tf_)?efficientnetv2",
}


WAYS: Mapping[str, tuple[str, str]] = {
    "eager": ("o", "#0173b2"),
    "eager, NHWC": ("^", "#4a98cc"),
    "compiled": ("s", "#029e73"),
    "training": ("D", "#d55e00"),
    "training, NHWC": ("v", "#c98205"),
}
"""Marker and colour of each way of timing."""


YEARS: Mapping[str, int] = {
    "V100": 2017,
    "Core i9-10940X": 2019,
    "RTX 3090": 2020,
    "RTX 4090": 2022,
    "Core i7-12700H": 2022,
    "RTX 5090": 2025,
    "RTX PRO 6000": 2025,
}
"""When each device was first sold."""


def settings_figure(table: pd.DataFrame) -> Figure:
    """By how much acts lead flops, and what an act costs in flops, with intervals.

    A row for each set of timings, in the table's order; a label where a device begins.
    """
    fig, axes = panels(2, 2, (3.4, 4.6), sharey=True)
    rows = range(len(table))[::-1]
    for ax, value in zip(axes, ("lead", "price"), strict=True):
        for y, row in zip(rows, table.to_dict("records"), strict=True):
            marker, colour = WAYS[row["way"]]
            ends = (row[f"{value}_low"], min(row[f"{value}_high"], MOST_FLOPS))
            ax.plot(ends, (y, y), "-", color=colour, linewidth=2, alpha=0.5)
            ax.plot(row[value], y, marker, color=colour, markersize=6, label=row["way"])
    starts = ~table.device.duplicated()
    labels = []
    for device, title, start in zip(table.device, table.timings, starts, strict=True):
        year = f", {YEARS[device]}" if device in YEARS else ""
        zoo = "the authors' zoo" if "zoo" in title else ""
        labels.append(f"{device}{year}" if start else zoo)
    axes[0].set_yticks(list(rows), labels)
    for ax in axes:
        for y in (y for y, start in zip(rows, starts, strict=True) if start):
            ax.axhline(y + 0.5, color=GREY, linewidth=0.6, alpha=0.5)
        ax.grid(visible=False, axis="y")
        ax.tick_params(axis="y", length=0)
    axes[0].axvline(0, color=GREY, linestyle=":", linewidth=1.2)
    axes[0].set(title="lead of acts over flops", xlabel="difference of r, in logarithms")
    log_axis(axes[1], "x", (50, 100, 200, 500, 1000, 2000))
    axes[1].set(title="price of an act", xlabel="flops that cost as much", xlim=(45, MOST_FLOPS))
    legend(fig, axes[:1], 5)
    return fig


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


EARLY: Mapping[str, tuple[str, str]] = {
    "EffNet": ("o", FAMILY_COLOURS["EfficientNet"]),
    "RegNetY": ("D", FAMILY_COLOURS["RegNetY"]),
    "RegNetZ": ("^", FAMILY_COLOURS["RegNetZ"]),
    "ResNet": ("s", FAMILY_COLOURS["ResNet"]),
    "ViT_P": ("P", "#7f6bc9"),
    "ViT_C": ("X", "#87912a"),
}
"""Marker and colour of the families of "Early Convolutions"."""


def per_act_figure(table: pd.DataFrame, line: tuple[float, float]) -> Figure:
    """Time of an act against the flops done for it: families, and a price list as a line.

    line: its nanoseconds of an act and of a flop.
    """
    fig, (ax,) = panels(1)
    x = 1e3 * table.flops / table.acts
    ends = pd.Series([0.0, 1.05 * x.max()])
    ax.plot(ends, line[0] + line[1] * ends, color=GREY, linestyle="--", linewidth=1.2)
    for family, (marker, colour) in EARLY.items():
        mine = table.family == family
        y = table.ms[mine] / table.acts[mine]  # ms over millions: ns
        ax.plot(x[mine], y, marker, color=colour, linestyle="-", linewidth=0.8, label=family)
    ax.set(xlabel="flops for each act", ylabel="ns for each act", xlim=(0, None), ylim=(0, None))
    legend(fig, [ax], 6)
    return fig
