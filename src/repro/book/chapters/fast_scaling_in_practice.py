"""Chapter "Fast scaling in practice"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd
from pydantic import Field

from repro.analysis.scaling.alpha_family import UNITS
from repro.analysis.timing.sets import Timings
from repro.book.kit.figures import (
    FAMILY_COLOURS,
    STRATEGY_COLOURS,
    STRATEGY_MARKERS,
    legend,
    log_axis,
    panels,
)
from repro.book.parameters import ChapterParameters, Networks

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Parameters(ChapterParameters):
    """Chapter "Fast scaling in practice"."""

    factor: float = Field(
        3.5, gt=1, le=100, description="Flops, relative to the base, at which to compare"
    )
    networks: Networks = Field(
        ["EN-B0", "RegNetY-500MF", "RegNetZ-500MF", "RegNetY-4GF", "RegNetZ-4GF"],
        description="Zoo names of the networks whose cost is worked out",
    )
    epochs: int = Field(
        100, ge=1, le=10_000, description="Of one training; the paper's are 100, 200 and 400"
    )
    price_per_hour: float = Field(
        1.0, ge=0, le=1e6, allow_inf_nan=False, description="Of one device, in any currency"
    )


BASES: Mapping[str, tuple[str, str]] = {
    "orig": ("#8c8c8c", "X"),
    "EN-B0": ("#0173b2", "o"),
    "RegNetY-500MF": ("#d55e00", "s"),
    "RegNetY-4GF": ("#c98205", "D"),
    "RegNetZ-500MF": ("#029e73", "^"),
    "RegNetZ-4GF": ("#87912a", "v"),
}
"""Colour and marker of each base in curves of dWr."""


def curves_figure(curves: Mapping[str, pd.DataFrame], panel: str) -> Figure:
    """Time relative to EN-B0 against flops, a panel for each machine.

    panel: ``"EN-B0"`` by every strategy (Figures 1, 4 and 6), or ``"dWr"`` from several bases
    (Figure 8).
    """
    fig, axes = panels(len(curves), 3, (3.4, 3.0), sharex=True, sharey=True)
    styles = {s: (STRATEGY_COLOURS[s], STRATEGY_MARKERS[s]) for s in STRATEGY_COLOURS}
    styles = styles if panel == "EN-B0" else dict(BASES)
    for ax, (machine, table) in zip(axes, curves.items(), strict=True):
        mine = table[table.panel == panel]
        for curve, (colour, marker) in styles.items():
            line = mine[mine.curve == curve].sort_values("flops")
            if len(line):
                dashes, label = "--" if curve == "orig" else "-", curve.replace("alpha=", "α = ")
                ax.plot(line.flops, line.relative, dashes, color=colour, marker=marker, label=label)
        log_axis(ax, "both")
        ax.set(title=machine, xlabel=UNITS["flops"])
    axes[0].set_ylabel("time, relative to EN-B0")
    legend(fig, axes, 7 if panel == "EN-B0" else 3)
    return fig


def memory_figure(sets: Sequence[Timings]) -> Figure:
    """Memory of one image's training step against acts, a panel per machine."""
    fig, axes = panels(len(sets), 2, (3.6, 3.2))
    for ax, timings in zip(axes, sets, strict=True):
        for family, marker in zip(timings.frame.family.unique(), "os^DPX", strict=False):
            part = timings.frame[timings.frame.family == family]
            colour = FAMILY_COLOURS[family]
            ax.plot(part.acts, part.memory_mb, marker, color=colour, markersize=7, label=family)
        ax.set_title(timings.title)
        ax.set(xlabel=UNITS["acts"], ylabel="memory an image, MB", xlim=(0, None), ylim=(0, None))
    legend(fig, axes[:1])
    return fig
