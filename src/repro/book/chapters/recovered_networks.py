"""Page "Recovered networks": definitions found from printed counts, labels of two networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from pydantic import Field

from repro.analysis.scaling.recovery import Search, searched_rows
from repro.arch import PAPER, Network, get, scale
from repro.book.kit.chapter import span
from repro.book.kit.figures import FAMILY_COLOURS, STRATEGY_COLOURS
from repro.book.parameters import ChapterParameters
from repro.evidence.printed import drawn_points, group_width_left_alone, in_print_units

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Parameters(ChapterParameters):
    """Page "Recovered networks"."""

    most_blocks: int = Field(
        30, ge=26, le=40, description="Blocks of the deepest RegNetY that the search tries"
    )
    resolution_step: int = Field(
        16, ge=4, le=16, multiple_of=4, description="Between the resolutions that it tries"
    )
    tiers: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "laptop": {"most_blocks": 40, "resolution_step": 4}
    }


GREY = "#8c8c8c"


# ----------------------------------------------------------------------------- the search


def funnel(searches: Iterable[Search]) -> pd.DataFrame:
    """Columns: network, step, networks left."""
    rows: list[tuple[str, str, int]] = []
    for result in searches:
        rows.append((result.base, "all RegNets of the space", result.size))
        for row, nets in zip(searched_rows(result.base), result.left, strict=True):
            printed = " / ".join(f"{value:.1f}" for value in row.values.values())
            verb = "dWr takes it to" if row.strategy else "prints as"
            rows.append(("", f"{verb} {printed} ({row.where}, {row.label})", len(nets)))
    return pd.DataFrame(rows, columns=["network", "step", "left"])


def described(net: Network) -> dict[str, object]:
    """Depths, widths, group widths and resolution of a RegNet, for a table."""

    def listed(size: str) -> list[str]:
        return [str(getattr(stage, size)) for stage in net.stages]

    groups = ", ".join(dict.fromkeys(listed("group_width")))
    sizes = {"depths": ", ".join(listed("depth")), "widths": ", ".join(listed("width"))}
    return {**sizes, "g": groups, "r": net.resolution}


def definitions(searches: Mapping[str, Search]) -> pd.DataFrame:
    """The zoo's recovered networks: depths, widths, g, r; alone: whether a search left just it."""
    rows = []
    for base, result in searches.items():
        ours = described(get(base))
        alone = [described(net) for net in result.survivors] == [ours]
        rows.append({"network": base} | ours | {"alone": "yes" if alone else "no"})
    return pd.DataFrame(rows)


def broken_summary(broken: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Frames of `recovery.broken` by kind of change: fewest and most numbers that break."""
    rows = []
    for base, frame in broken.items():
        for change, part in frame.groupby("change", sort=False):
            row: dict[str, object] = {"network": base, "change": change, "networks": len(part)}
            for column in ("printed", "drawn"):
                row[column] = f"{span(part[column], 'd')} of {frame.attrs[column]}"
            rows.append(row)
    return pd.DataFrame(rows)


def head_figure(scan: pd.DataFrame, low: int = 930, high: int = 1070) -> Figure:
    """The head widths that each printed row of a RegNetZ allows, as bars, from low to high."""
    import matplotlib.pyplot as plt

    shown = scan[[bool(f.any()) for f in scan.fits]]
    every = [*shown.fits, np.all(list(shown.fits), axis=0)]
    labels = [f"{row.row} ({row.where})" for row in shown.itertuples()] + ["all of them"]
    fig, ax = plt.subplots(figsize=(7.2, 0.34 * len(shown) + 1.7))
    for y, fits in enumerate(every):
        colour = FAMILY_COLOURS["RegNetZ"] if y == len(shown) else GREY
        widths = np.flatnonzero(fits[low : high + 1]) + low
        for run in np.split(widths, np.flatnonzero(np.diff(widths) > 1) + 1):
            ax.barh(y, len(run), left=run[0] - 0.5, height=0.62, color=colour)
    ax.set_yticks(range(len(labels)), labels)
    ax.set(xlim=(low, high), ylim=(len(labels) - 0.4, -0.6), xlabel="width of RegNetZ's head conv")
    red = STRATEGY_COLOURS["dwr"]
    for width in (1000, 1024):
        ax.axvline(width, color=red, linewidth=1.2, linestyle=(0, (4, 3)))
        ax.text(width, -0.62, str(width), color=red, ha="center", va="bottom", fontsize=9)
    ax.grid(axis="y", visible=False)
    return fig


# ------------------------------------------------------------------ one label, two networks


def same_label() -> pd.DataFrame:
    """Pairs of networks that go by one label; flops in 10^9, params and acts in 10^6."""
    z, y = get("RegNetZ-500MF"), get("RegNetY-500MF")
    pairs = []
    for target, s7, s8 in ((1, 2, 1.9), (2, 4, 3.85), (4, 8, 8.1)):
        where = "Figure 8, Tables 7, 8" if target == 4 else "Figure 8"
        label = f"RegNetZ, dWr, {target} GF"
        pairs.append((label, "Figure 7", f"s = {s7}", scale(z, PAPER["dWr"], s7)))
        pairs.append(("", where, f"s = {s8}", scale(z, PAPER["dWr"], s8)))
    pairs += [
        ("RegNetY, 4 GF", "Table 6, “-224”", "RegNetY-4.0GF", get("RegNetY-4.0GF")),
        ("", "Figure 8, Tables 6–8", "RegNetY-4GF", get("RegNetY-4GF")),
        ("RegNetY, w, s = 8.2", "Figure 5", "g follows w", scale(y, PAPER["w"], 8.2)),
        ("", "the grammar's w", "g stays 4", scale(y, "w", 8.2)),
        ("RegNetY, dw, s = 96", "the paper's text", "g follows w", scale(y, PAPER["dw"], 96)),
        ("", "Figure 2, as drawn", "g stays 4", scale(y, "dw", 96)),
    ]
    rows = [
        {"label": label, "where": where, "network": made} | in_print_units(net)
        for label, where, made, net in pairs
    ]
    return pd.DataFrame(rows)


def group_width_readings() -> pd.DataFrame:
    """Which reading of w each RegNet curve of Figures 1, 2, 5, 7 and 8 was drawn with.

    off: how many points lie farther from the count than the drawing could be read.
    """
    columns = ["off if g follows w", "off if g stays"]
    rows = []
    for p in drawn_points():
        if p.base.startswith("RegNet") and p.label in PAPER and PAPER[p.label].w:
            ways = PAPER[p.label], group_width_left_alone(p.label)
            off = [bool(p.wrong(replace(p, strategy=way).network())) for way in ways]
            rows.append((p.where, p.base, p.label, 1, *off))
    keys = ["figure", "base", "strategy"]
    return pd.DataFrame(rows, columns=[*keys, "points", *columns]).groupby(keys).sum().reset_index()
