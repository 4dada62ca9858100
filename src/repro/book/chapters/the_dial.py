"""Figures of the chapter "Fast compound scaling"."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import cycle
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import pandas as pd
from pydantic import AfterValidator, BeforeValidator, Field

from repro import reference
from repro.analysis.scaling.alpha_family import COMPARED, COSTS, UNITS, exponent
from repro.analysis.timing.figure2 import EDGE, correlation, line_fit
from repro.arch import alpha_strategy
from repro.book.kit.figures import FAMILY_COLOURS, STRATEGY_COLOURS, log_axis
from repro.book.parameters import ChapterParameters, Networks, Scales, differing
from repro.theory import family_powers, growth

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _known_alpha(text: str) -> str:
    alpha_strategy(text)
    return text


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int | float) else value


AlphaText = Annotated[str, BeforeValidator(_as_text), AfterValidator(_known_alpha)]


class Parameters(ChapterParameters):
    """Chapter "Fast compound scaling"."""

    bases: Networks = Field(
        ["EN-B0", "RegNetY-500MF", "RegNetY-4GF", "RegNetZ-500MF", "RegNetZ-4GF"],
        description="Zoo names of the networks to scale",
    )
    alphas: list[AlphaText] = Field(
        ["0", "1/3", "2/3", "4/5", "1"],
        min_length=2,
        description="Members of the fast scaling family: width's share of log s",
    )
    scales: Annotated[Scales, AfterValidator(differing)] = Field(
        [1, 2, 4, 8, 16, 32], description="Factors on flops to try"
    )
    seed: int = Field(0, ge=0, description="Of the bootstrap intervals")
    resamples: int = Field(
        2000, ge=100, le=100_000, description="Bootstrap resamples behind each interval"
    )
    tiers: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "laptop": {
            "alphas": ["0", "1/6", "1/3", "1/2", "2/3", "4/5", "9/10", "1"],
            "scales": [1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96],
            "resamples": 20_000,
        }
    }


COST_COLOURS: Mapping[str, str] = {"flops": "#0173b2", "params": "#909090", "acts": "#d55e00"}
MARKERS: Mapping[str, str] = {"EfficientNet": "o", "RegNetY": "s", "RegNetZ": "^"}


def _markers(frame: pd.DataFrame) -> dict[str, str]:
    """A marker for every base."""
    return dict(zip(frame.base.unique(), cycle("os^DvPX*<>")))


def dial_figure(measured: pd.DataFrame) -> Figure:
    """Exponents of acts and params along alpha: theory as lines, counted networks as markers.

    Args:
        measured: from `dial`.
    """
    import matplotlib.pyplot as plt

    grown = growth(family_powers())
    fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.8), sharex=True)
    ends = (Fraction(0), Fraction(1))
    markers = _markers(measured)
    for ax, cost in zip(axes, ("acts", "params"), strict=True):
        line = getattr(grown, cost)
        ax.axvspan(1 / 3, 1, color="#909090", alpha=0.13, linewidth=0)
        ax.plot([0, 1], [float(line(e)) for e in ends], color="#909090", label="theory")
        for base, part in measured.groupby("base", sort=False):
            ax.plot(
                part.alpha,
                part[cost],
                linestyle="",
                marker=markers[str(base)],
                color=FAMILY_COLOURS[str(part.family.iloc[0])],
                fillstyle="none",
                markeredgewidth=1.3,
                label=str(base),
            )
        ax.set_title(f"{cost} grow as s to the power …")
        ax.set_xticks([0, 1 / 3, 2 / 3, 4 / 5, 1], ["0\ndr", "1/3\ndwr", "2/3", "4/5\ndWr", "1\nw"])
    fig.supxlabel("alpha: width's share of log s", fontsize=10)
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=3)
    return fig


def relative_acts_figure(top: float = 32) -> Figure:
    """Figure 1, bottom left: relative acts against s in theory, the paper's end points as rings."""
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots()
    s = np.linspace(1, top, 200)
    for name in COMPARED:
        e = exponent(name, "acts")
        ax.plot(s, s**e, color=STRATEGY_COLOURS[name])
        ax.annotate(
            f"{name}  {top**e:.2f}",
            (top, top**e),
            xytext=(9, -3.5),
            textcoords="offset points",
            fontsize=10,
            annotation_clip=False,
        )
    for point in reference.theory_points():
        if point.scale <= top:
            ax.plot(
                point.scale,
                float(point.relative_acts),
                marker="o",
                markersize=8,
                fillstyle="none",
                color=STRATEGY_COLOURS[point.strategy],
            )
    ax.set(xlabel="scale factor s", ylabel="acts, relative to the unscaled network")
    ax.set_xticks([1, *np.arange(4, top + 1, 4)])
    ax.set_ylim(bottom=0)
    return fig


def collapse_figure(counted: pd.DataFrame) -> Figure:
    """Acts against flops of real networks, both relative to the base, beside theory (dashed).

    Args:
        counted: from `repro.analysis.frames.scaled`, with the paper's strategy names.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(7.2, 4.8))
    markers = _markers(counted)
    x = np.array([counted.flops_ratio.min(), counted.flops_ratio.max()])
    for strategy, lines in counted.groupby("strategy", sort=False):
        colour = STRATEGY_COLOURS[str(strategy)]
        ax.plot(x, x ** exponent(str(strategy), "acts"), "--", color=colour, linewidth=1.3)
        for base, line in lines.groupby("base", sort=False):
            style: dict[str, Any] = {"marker": markers[str(base)], "fillstyle": "none"}
            ax.plot(line.flops_ratio, line.acts_ratio, linewidth=0.8, color=colour, **style)
    for strategy in counted.strategy.unique():
        ax.plot([], [], linewidth=3, color=STRATEGY_COLOURS[strategy], label=strategy)
    ax.plot([], [], "--", color="#909090", linewidth=1.3, label="theory")
    for base, marker in markers.items():
        ax.plot([], [], linestyle="", marker=marker, color="#909090", fillstyle="none", label=base)
    log_axis(ax, "both")
    ax.set(xlabel="flops, relative to the base", ylabel="acts, relative to the base")
    ax.legend(loc="upper left", ncols=2)
    return fig


def _by_strategy(ax: Axes, models: pd.DataFrame, cost: str) -> None:
    """Scatter of minutes against a cost, a colour per strategy; rings are not in the paper's."""
    for name in COMPARED:
        part = models[models.strategy == name]
        shown = part.drawn | (cost != "acts")
        for which, fill in ((part[shown], "full"), (part[~shown], "none")):
            if len(which):
                ax.plot(
                    which[cost],
                    which.minutes,
                    linestyle="",
                    marker="o",
                    markersize=4.5,
                    fillstyle=fill,
                    color=STRATEGY_COLOURS[name],
                    label=name if fill == "full" else None,
                )


def runtime_figure(times: pd.DataFrame) -> Figure:
    """Figure 2's first three panels, acts unclipped: EN-B0's minutes against each cost."""
    import matplotlib.pyplot as plt

    models = times[times.base == "EN-B0"]
    fig, axes = plt.subplots(1, 3, figsize=(7.6, 3.5), sharey=True)
    for ax, cost in zip(axes, COSTS, strict=True):
        _by_strategy(ax, models, cost)
        drawn = models[models.drawn] if cost == "acts" else models
        slope, intercept = line_fit(drawn, cost)
        ends = np.array([models[cost].min(), models[cost].max()])
        ax.plot(ends, slope * ends + intercept, color="#909090", linewidth=1.2, zorder=1)
        r = correlation(models[cost], models.minutes)
        ax.set(xlabel=UNITS[cost], title=f"{cost}: r = {r:.3f}")
    edge = EDGE
    axes[2].axvline(edge, color="#909090", linestyle=":", linewidth=1.4)
    axes[2].annotate(
        "the paper's panel\nends here",
        (edge, 4),
        xytext=(6, 0),
        textcoords="offset points",
        fontsize=9,
    )
    axes[0].set(ylabel="minutes per epoch")
    axes[0].set_ylim(0, 125)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return fig


def families_figure(times: pd.DataFrame) -> Figure:
    """Figure 2's last panel, unclipped: minutes against acts of three families, with their lines.

    Each line is fitted to the models that the paper draws.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots()
    for name, part in times.groupby("family", sort=False):
        slope, intercept = line_fit(part[part.drawn])
        colour, marker = FAMILY_COLOURS[str(name)], MARKERS[str(name)]
        for which, fill in ((part[part.drawn], "full"), (part[~part.drawn], "none")):
            ax.plot(
                which.acts,
                which.minutes,
                linestyle="",
                marker=marker,
                markersize=4.5,
                color=colour,
                fillstyle=fill,
                alpha=0.85,
                label=f"{name}: {slope:.3f} minutes per M acts" if fill == "full" else None,
            )
        ends = np.array([part.acts.min(), part.acts[part.drawn].max()])
        ax.plot(ends, slope * ends + intercept, color=colour, linewidth=1.2)
    ax.axvline(EDGE, color="#909090", linestyle=":", linewidth=1.4)
    ax.set(xlabel=UNITS["acts"], ylabel="minutes per epoch")
    ax.legend(loc="upper left")
    return fig


def range_figure(ranges: pd.DataFrame) -> Figure:
    """Correlation with time by scale range, with 95 % intervals; Pearson beside Spearman."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.6), sharey=True)
    for ax, (method, part) in zip(axes, ranges.groupby("method", sort=False), strict=True):
        limits = list(part.limit.unique())
        for shift, cost in enumerate(COSTS):
            one = part[part.cost == cost]
            x = np.arange(len(limits)) + 0.14 * (shift - 1)
            ax.errorbar(
                x,
                one.r,
                yerr=[one.r - one.low, one.high - one.r],
                marker="o",
                color=COST_COLOURS[cost],
                linewidth=1.3,
                elinewidth=1.3,
                label=cost,
            )
        ax.set_xticks(range(len(limits)), [f"{limit:g}" for limit in limits])
        ax.set_title(str(method))
    axes[0].set_ylabel("correlation with time")
    fig.supxlabel("models with s up to", fontsize=10)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return fig


def time_exponents_figure(slopes: pd.DataFrame) -> Figure:
    """How fast time grows with s against how fast acts do, one marker per family and strategy.

    Args:
        slopes: from `time_exponents`.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(6.2, 4.6))
    ax.plot([0.4, 1.05], [0.4, 1.05], color="#909090", linewidth=1.2, zorder=1)
    ax.annotate(
        "on the line, time\ngrows like the cost",
        (0.6, 0.6),
        xytext=(8, -22),
        textcoords="offset points",
        fontsize=9,
    )
    for (fam, strategy), one in slopes.groupby(["family", "strategy"], sort=False):
        style: dict[str, Any] = {
            "marker": MARKERS[str(fam)],
            "color": STRATEGY_COLOURS[str(strategy)],
        }
        ax.plot(one.acts, one.minutes, linestyle="", markersize=8, **style)
        ax.plot(one.flops, one.minutes, linestyle="", markersize=6, fillstyle="none", **style)
    for name, marker in MARKERS.items():
        ax.plot([], [], linestyle="", marker=marker, color="#909090", label=name)
    for name in COMPARED:
        ax.plot([], [], linewidth=4, color=STRATEGY_COLOURS[name], label=name)
    ax.set(
        xlabel="exponent of acts (filled) or of flops (rings)",
        ylabel="exponent of time",
        xlim=(0.4, 1.05),
        ylim=(0.45, 1.0),
    )
    fig.legend(loc="outside right center")
    return fig
