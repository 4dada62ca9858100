"""Chapter "Fast scaling in practice"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd
from pydantic import Field

from repro.analysis.accuracy.minutes import PAIRS, TIMES, at_equal_minutes, between, over_bases
from repro.analysis.accuracy.published import BASES as SCALED
from repro.analysis.accuracy.published import MEANS, REFERENCE, STRATEGIES, Noise, above
from repro.analysis.scaling.alpha_family import UNITS
from repro.analysis.timing.sets import Timings
from repro.book.kit.chapter import span
from repro.book.kit.figures import (
    FAMILY_COLOURS,
    STRATEGY_COLOURS,
    STRATEGY_MARKERS,
    legend,
    log_axis,
    panels,
)
from repro.book.kit.strategies import errors_and_gaps
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
FARTHEST = 20
"""Minutes to which errors are drawn: no epoch under a strategy that is compared takes longer."""
MEAN = "mean"


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


def minutes_figure(points: pd.DataFrame, gaps: pd.DataFrame, noise: Noise) -> Figure:
    """Errors against minutes of an epoch, and below them their distance from dwr at equal minutes.

    The bands hold 95 % of the differences of two runs of equally good networks, at the smaller and
    at the larger reading of the noise.
    """
    fig = errors_and_gaps(
        points[points.minutes <= FARTHEST],
        gaps[gaps.minutes <= FARTHEST],
        over="minutes",
        bases=SCALED,
        strategies=("orig", *STRATEGIES, REFERENCE),
        reference=REFERENCE,
        halves=noise.halves(2**0.5),
        label="minutes of an epoch on eight V100s",
        ticks=(2.5, 5, 10, 20),
    )
    below = fig.axes[len(SCALED)]
    below.set_ylim(-1.2, 1.2)
    below.set_yticks([x / 10 for x in range(-12, 13, 4)])
    return fig


def minutes_table(points: pd.DataFrame, noise: Noise) -> pd.DataFrame:
    """Differences of error at equal minutes, a row for each multiple of a base's minutes.

    After each multiple the mean over the bases; in brackets: 95 % half widths at the two noises.
    """
    rows: list[dict[str, object]] = []
    found = at_equal_minutes(points)
    every = pd.concat([found, over_bases(found).assign(base=MEAN, minutes=float("nan"))])
    for factor in TIMES:
        for base in (*SCALED, MEAN):
            mine = every[(every.base == base) & (every.times == factor)]
            row = {"times": factor, "base": base, "minutes": mine.minutes.iloc[0]}
            for pair, gap, unit in zip(mine.pair, mine.gap, mine.unit, strict=True):
                half = span(noise.halves(unit), ".2f")
                row[pair.replace(MEANS, "dWr")] = f"{gap:+.2f} (± {half})"
            rows.append(row)
    return pd.DataFrame(rows)


def minutes_numbers(points: pd.DataFrame, gaps: pd.DataFrame, noise: Noise) -> dict[str, str]:
    """What the prose quotes of errors at equal minutes, by glue name."""
    found = at_equal_minutes(points)
    mean = over_bases(found)
    wide, plain = (f"{first} − {second}" for first, second in PAIRS)
    last = mean[mean.times == TIMES[-1]].set_index("pair")
    on_z = found[(found.pair == plain) & (found.base == "RegNetZ-500MF")]
    numbers = {
        "fsp_noise": span((noise.low, noise.high), ".2f"),
        "fsp_times": f"{TIMES[-1]:g}",
        "fsp_wide": f"{-last.gap[wide]:.2f}",
        "fsp_wide_half": span(noise.halves(last.unit[wide]), ".2f"),
        "fsp_wide_between": f"{last['between'][wide]:.1f}",
        "fsp_plain_means": span(-mean.gap[mean.pair == plain], ".2f"),
        "fsp_plain_half": span(noise.halves(last.unit[plain]), ".2f"),
        "fsp_plain_RegNetZ": ", ".join(f"{gap:+.2f}" for gap in on_z.gap),
    }
    b0 = {name: part for name, part in points[points.base == "EN-B0"].groupby("strategy")}
    late = gaps[(gaps.base == "EN-B0") & gaps.minutes.between(6, 12)].groupby("strategy").gap
    for key, strategy in (("means", MEANS), ("single", "dWr")):
        numbers[f"fsp_late_{key}"] = span(-late.get_group(strategy), ".1f")
    numbers["fsp_until"] = span(better_until(b0["w"], b0[MEANS], noise), ".1f")
    numbers["fsp_w_ends"] = f"{b0['w'].minutes.max():.1f}"
    within = b0[MEANS][b0[MEANS].minutes <= b0["orig"].minutes.max()]
    numbers["fsp_orig"] = span(-above(b0["orig"], within, "minutes").gap, ".1f")
    return numbers


def better_until(first: pd.DataFrame, second: pd.DataFrame, noise: Noise) -> tuple[float, float]:
    """Minutes, to a tenth, to which one curve lies below another by more than chance.

    At the larger noise, and at the smaller; 0 where it never does.
    """
    ends = [0.0, 0.0]
    for tenth in range(10, 10 * FARTHEST):
        gap, unit = between(first, second, tenth / 10)
        for i, half in enumerate(noise.halves(unit)[::-1]):
            if gap < -half:
                ends[i] = tenth / 10
    return ends[0], ends[1]


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
