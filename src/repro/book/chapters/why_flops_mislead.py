"""Chapter "Why FLOPs mislead": rooflines, intensities, and Equation 1 of the second paper.

Source: Searching for Fast Model Families on Datacenter Accelerators, section 2, Figure 2, Table 3.
One multiply-add is one flop; the operations of rooflines and intensities count it twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from repro import reference
from repro.analysis.accelerators.roofs import Records, Roof, drawn_roofs
from repro.analysis.timing.correlates import redrawn
from repro.arch import get
from repro.book.kit.figures import FAMILY_COLOURS, STRATEGY_COLOURS, legend, log_axis, panels
from repro.book.parameters import Channels, ChapterParameters, DeviceName
from repro.complexity import complexity
from repro.errors import InputError
from repro.records import TrafficRecord
from repro.runtime.roofline import intensity_bounds

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Accelerator = Literal["V100", "TPUv3"]


class Parameters(ChapterParameters):
    """Chapter "Why FLOPs mislead"."""

    devices: list[DeviceName] = Field(
        ["H200"], description="Of data/devices.yaml, beside the paper's three"
    )
    accelerator: Accelerator = Field("V100", description="Whose latencies Equation 1 takes apart")
    batch: int = Field(128, ge=1, le=4096, description="Images at once, for computed intensities")
    channels: Annotated[list[Channels], Field(min_length=1)] = Field(
        [16, 32, 64, 128, 256], description="Widths of the convs of Equation 2"
    )
    records: str | None = Field(None, description="Your file from `repro time --peaks --out FILE`")


LEVELS = tuple(f"B{i}" for i in range(8))
LATENCY: Mapping[Accelerator, str] = {
    "TPUv3": "tpuv3_ms_batch128",
    "V100": "v100_fp16_ms_batch128",
}
"""Columns of Table 3: milliseconds for `IMAGES` images at once."""
IMAGES = 128
SERIES: Mapping[str, Mapping[str, str]] = {
    "EfficientNet": {f"EN-TF-{level}": f"EfficientNet-{level}" for level in LEVELS},
    "EfficientNet-X": {f"EN-X-{level}": f"EfficientNet-X-{level}" for level in LEVELS},
    "RegNetY": {f"RegNetY-{size}": f"RegNetY-{size}" for size in ("800MF", "4.0GF", "8.0GF")},
    "ResNet": {name: name for name in ("ResNet-50", "ResNet-101", "ResNet-152")},
}
"""Networks whose intensity is computed: zoo name, and what Table 3 calls its row."""
COLOURS = tuple(STRATEGY_COLOURS[key] for key in ("d", "r", "dw", "dwr", "dr", "dWr", "w"))
OTHERS = STRATEGY_COLOURS["orig"]
STYLES: Mapping[str, str] = {"paper's Figure 2": "-", "data sheet": "--"}
"""Of rooflines by where their rates come from; measured ones are dotted."""


# ---------------------------------------------------------------------------- intensities


def counted_intensities(files: Records) -> dict[str, float]:
    """Operations per byte by the bytes that a GPU's counters saw, by network; the last counts."""
    counted = (r for rows in files.values() for r in rows if isinstance(r, TrafficRecord))
    return {
        r.subject.name: 2
        * complexity(get(r.subject.base)).macs
        * r.batch
        / (r.read_bytes + r.written_bytes)
        for r in counted
    }


def intensities(
    names: Mapping[str, str], batch: int = IMAGES, counted: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Operations per byte in half precision: printed, with less and more fusion, and counted.

    names: zoo names, each with its row in Table 3; what there is none of is missing.
    """
    printed = {r.model: float(r.operational_intensity) for r in reference.x_results()}
    rows = [
        (name, printed.get(row), *intensity_bounds(get(name), batch), (counted or {}).get(name))
        for name, row in names.items()
    ]
    return pd.DataFrame(rows, columns=["network", "printed", "less", "more", "counted"])


def roofline_figure(roofs: Sequence[Roof], series: Mapping[str, pd.DataFrame]) -> Figure:
    """Rooflines above, and below on the same axis where the networks lie.

    A roof that a later one nearly covers is drawn broad beneath it.
    """
    import matplotlib.pyplot as plt

    heights = [3.2, 0.15 * sum(map(len, series.values()))]
    fig, (top, low) = plt.subplots(2, 1, sharex=True, height_ratios=heights)
    fig.set_size_inches(7.4, 1.4 + sum(heights))
    left, right = 4.0, 800.0
    for i, (roof, colour) in enumerate(zip(roofs, COLOURS * 3, strict=False)):
        x = sorted({left, min(max(roof.ridge, left), right), right})
        covered = any(roof.near(other) for other in roofs[i + 1 :])
        top.plot(
            x,
            [roof.ideal(intensity) / 1e12 for intensity in x],
            color=colour,
            ls=STYLES.get(roof.source, ":"),
            lw=7 if covered else 1.8,
            alpha=0.4 if covered else 1,
            label=f"{roof.device} ({roof.source}, {roof.dtype})",
        )
    for p in reference.drawn_intensities():
        at = float(p.operational_intensity), float(p.tops)
        family = "ResNet" if p.model.startswith("ResNet") else "EfficientNet"
        top.plot(*at, "o", color=FAMILY_COLOURS[family], ms=6)
        name = p.model.replace("EfficientNet-", "")
        top.annotate(name, at, (6, -11), textcoords="offset points", fontsize=9)
    log_axis(top, "x", (5, 10, 20, 50, 100, 200, 500))
    log_axis(top, "y", (0.2, 1, 5, 20, 100, 500))
    top.set(xlim=(left, right), ylabel="10¹² operations/s (log)")
    legend(fig, [top], 2)
    names: list[str] = []
    for family, table in series.items():
        colour, y = FAMILY_COLOURS[family], range(len(names), len(names) + len(table))
        low.hlines(y, table.less, table.more, color=colour, lw=6, alpha=0.3)
        low.plot(table.printed, y, "|", color=colour, ms=8, mew=2)
        low.plot(table.counted, y, "x", color=colour)
        names += table.network.str.replace("EN-TF|EN", "EfficientNet", regex=True).tolist()
    low.set_yticks(range(len(names)), names, fontsize=8)
    low.tick_params(axis="y", length=0)
    low.grid(axis="y", visible=False)
    low.set(ylim=(len(names) - 0.5, -0.5), xlabel="operational intensity, operations/byte (log)")
    return fig


def kinds_figure(table: pd.DataFrame, roofs: Iterable[Roof]) -> Figure:
    """Intensity against channels, a line per kind of conv; the ridges of devices across it."""
    fig, [ax] = panels(1)
    channels, *kinds = table.columns
    for kind, colour, marker in zip(kinds, COLOURS, "osD^vPX", strict=False):
        ax.plot(table[channels], table[kind], color=colour, marker=marker, label=kind)
    for roof in roofs:
        ax.axhline(roof.ridge, color=OTHERS, lw=1.2, ls=":")
        ax.annotate(
            f"ridge of {roof.device}",
            (1, roof.ridge),
            (-2, 2),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            fontsize=8,
        )
    log_axis(ax, "x", list(table[channels]))
    log_axis(ax, "y", (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000))
    ax.set(xlabel="channels (log)", ylabel="operations per byte (log)")
    legend(fig, [ax], 3)
    return fig


# ---------------------------------------------------------------------------- times


def factors(device: Accelerator) -> pd.DataFrame:
    """Equation 1 solved for each level: where X's speed-up over EfficientNet comes from.

    Work, intensity and latency as printed in Table 3, the roofline as drawn in Figure 2; ratios of
    X over EfficientNet. roofline: rate (C_ideal) over work, the speed-up if both ran at their
    rooflines; left: printed over roofline, which is left to execution efficiency.
    """
    roof = next(r for r in drawn_roofs() if r.device == device)
    table = reference.to_frame(reference.x_results()).set_index("model")
    table["rate"] = table.operational_intensity.map(roof.ideal)
    x, plain = (table.loc[list(SERIES[f].values())] for f in ("EfficientNet-X", "EfficientNet"))
    over = x.reset_index(drop=True) / plain.reset_index(drop=True)
    made = pd.DataFrame({"level": LEVELS, "work": over.gflops, "rate": over.rate})
    made["roofline"] = made.rate / made.work
    made["printed"] = 1 / over[LATENCY[device]]
    return made.assign(left=made.printed / made.roofline)


def published() -> pd.DataFrame:
    """Table 3, and GB moved: for a batch of `IMAGES`, by its flops and intensity."""
    table = reference.to_frame(reference.x_results())
    return table.assign(moved=2 * IMAGES * table.gflops / table.operational_intensity)


def misled(x: Sequence[float] | pd.Series, time: Sequence[float] | pd.Series) -> float:
    """Share of pairs in which the one with more x takes less time. Ties are left out.

    Raises:
        InputError: no two differ in both.
    """
    pairs = combinations(zip(x, time, strict=True), 2)
    apart = [sign for (a, b), (c, d) in pairs if (sign := (a - c) * (b - d))]
    if not apart:
        raise InputError("no two networks differ in both")
    return sum(sign < 0 for sign in apart) / len(apart)


def misled_less(table: pd.DataFrame, time: str, draws: int = 2000) -> tuple[float, float]:
    """In how many percent fewer of the pairs bytes mislead than flops: 95 % of resamples.

    A resample draws whole families again.
    """
    times, number = redrawn(table.model.str.extract("^([A-Za-z]+(?:-X)?)")[0], draws)
    weights = times[:, number]
    t = table[time].to_numpy(float)
    shares = []
    for x in (table.gflops.to_numpy(float), table.moved.to_numpy(float)):
        signs = np.subtract.outer(x, x) * np.subtract.outer(t, t)
        wrong, apart = (((weights @ s) * weights).sum(1) for s in (signs < 0, signs != 0))
        shares.append(100 * wrong / np.where(apart, apart, np.nan))
    low, high = np.nanpercentile(shares[0] - shares[1], (2.5, 97.5))
    return float(low), float(high)


def times_figure(table: pd.DataFrame, device: Accelerator) -> Figure:
    """Milliseconds of Table 3 against flops, and against the bytes that its columns imply."""
    fig, axes = panels(2, 2, (3.4, 3.1), sharey=True)
    family = table.model.str.extract("^(EfficientNet-X|EfficientNet|RegNetY)")[0].fillna("others")
    for name, part in table.groupby(family, sort=False):
        look = {"color": FAMILY_COLOURS.get(str(name), OTHERS), "label": name, "ms": 6}
        for ax, x in zip(axes, (part.gflops, part.moved), strict=True):
            ax.plot(x, part[LATENCY[device]], "o", **look)
    log_axis(axes[0], "x", (0.5, 1, 5, 20, 100))
    log_axis(axes[1], "x", (5, 10, 50, 100, 200))
    log_axis(axes[0], "y", (10, 20, 50, 100, 200, 500, 1000))
    axes[0].set(xlabel="G flops per image (log)", ylabel=f"{device}, ms for {IMAGES} images (log)")
    axes[1].set_xlabel("GB moved per batch (log)")
    legend(fig, axes, 4)
    return fig
