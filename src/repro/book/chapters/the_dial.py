"""Figures of the chapter "The dial"."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import pandas as pd
from pydantic import AfterValidator, BeforeValidator, Field

from repro import reference
from repro.analysis.scaling.alpha_family import COMPARED, exponent
from repro.arch import alpha_strategy
from repro.book.kit.figures import FAMILY_COLOURS, STRATEGY_COLOURS, legend, panels
from repro.book.parameters import ChapterParameters, Networks, Scales, differing
from repro.theory import family_powers, growth

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _known_alpha(value: object) -> object:
    text = str(value) if isinstance(value, int | float) else value
    alpha_strategy(text)  # type: ignore[arg-type]
    return text


AlphaText = Annotated[str, BeforeValidator(_known_alpha)]


class Parameters(ChapterParameters):
    """Chapter "The dial"."""

    bases: Networks = Field(
        ["EN-B0", "RegNetY-500MF", "RegNetY-4GF", "RegNetZ-500MF", "RegNetZ-4GF"],
        description="Zoo names of the networks to scale",
    )
    alphas: list[AlphaText] = Field(
        ["0", "1/3", "2/3", "4/5", "1"],
        min_length=2,
        description="Width's shares of log s",
    )
    scales: Annotated[Scales, AfterValidator(differing)] = Field(
        [1, 2, 4, 8, 16, 32], description="Factors on flops to try"
    )
    tiers: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "laptop": {
            "alphas": ["0", "1/6", "1/3", "1/2", "2/3", "4/5", "9/10", "1"],
            "scales": [1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96],
        }
    }


GREY = "#909090"


def _markers(frame: pd.DataFrame) -> dict[str, str]:
    return dict(zip(frame.base.unique(), cycle("os^DvPX*<>")))


def dial_figure(slopes: pd.DataFrame) -> Figure:
    """Exponents of acts and params along alpha: theory as lines, counted networks as markers.

    slopes: from `exponents`, with alpha, a float, for the strategy.
    """
    fig, axes = panels(2, 2, (3.4, 3.4), sharex=True)
    markers = _markers(slopes)
    for ax, cost in zip(axes, ("acts", "params"), strict=True):
        line = getattr(growth(family_powers()), cost)
        ax.axvspan(1 / 3, 1, color=GREY, alpha=0.13, linewidth=0)
        ax.plot([0, 1], [float(line(e)) for e in (0, 1)], color=GREY, label="theory")
        for base, part in slopes.groupby("base", sort=False):
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
    fig.supxlabel("α: width's share of log s", fontsize=10)
    legend(fig, axes, columns=3)
    return fig


def relative_acts_figure(counted: pd.DataFrame) -> Figure:
    """Relative acts over relative flops: theory as lines, counted networks as markers.

    Rings are the end points that the paper's Figure 1 (bottom left) shows.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(7.2, 4.8))
    markers = _markers(counted)
    top = float(counted.s.max())
    s = np.linspace(1, top, 200)
    for name in COMPARED:
        e, colour = exponent(name, "acts"), STRATEGY_COLOURS[name]
        ax.plot(s, s**e, color=colour)
        for base, line in counted[counted.strategy == name].groupby("base", sort=False):
            style: dict[str, Any] = {"marker": markers[str(base)], "fillstyle": "none"}
            ax.plot(line.flops_ratio, line.acts_ratio, linestyle="", color=colour, **style)
        ax.annotate(
            f"{name}  {top**e:.2f}",
            (top, top**e),
            xytext=(14, -3.5),
            textcoords="offset points",
            annotation_clip=False,
        )
    for point in reference.theory_points():
        if point.scale <= top:
            place = point.scale, float(point.relative_acts)
            ax.plot(*place, marker="o", markersize=11, fillstyle="none", color=GREY)
    ax.plot([], [], color=GREY, label="theory")
    for base, marker in markers.items():
        ax.plot([], [], linestyle="", marker=marker, color=GREY, fillstyle="none", label=base)
    ax.set(
        xlabel="flops, relative to the base", ylabel="acts, relative to the base", ylim=(0, None)
    )
    ax.legend(loc="upper left")
    return fig
