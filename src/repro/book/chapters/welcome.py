"""The book's lead figure: the same flops, four ways, and what they cost in acts and in time.

Fast and Accurate Model Scaling, Figure 1 (bottom). The welcome page shows it, and the README.
"""

from __future__ import annotations

from statistics import correlation
from typing import TYPE_CHECKING

import pandas as pd

from repro import reference
from repro.arch import PAPER, get, scale
from repro.book.kit.figures import STRATEGY_COLOURS, STRATEGY_MARKERS, panels
from repro.complexity import complexity
from repro.theory import growth, strategy_powers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BASE = "EN-B0"

CAPTION = (
    "EfficientNet-B0 scaled in four ways. Left: acts, the number of values that all convs put "
    "out for one image, counted here. Right: minutes per ImageNet epoch on eight V100 GPUs, as "
    "published in Figure 1 of <i>Fast and Accurate Model Scaling</i>. The same networks in both "
    "panels. dwr: depth, width and resolution share the growth; dw: depth and width; dWr: mostly "
    "width; w: width alone."
)

ALT = (
    "Two panels over flops from 0.4 to about 16 billion, four lines each. Both panels show the "
    "same order: uniform compound scaling dwr grows fastest, then dw, then dWr, and width scaling "
    "w slowest, in acts on the left and in published minutes per epoch on the right."
)


def networks() -> pd.DataFrame:
    """Each network of Figure 1, bottom right: our counts beside the published epoch time."""
    rows = []
    for point in reference.epoch_time_points():
        c = complexity(scale(get(point.base), PAPER[point.strategy], point.scale))
        rows.append(
            {
                "strategy": point.strategy,
                "s": point.scale,
                "gflops": c.flops / 1e9,
                "macts": c.acts / 1e6,
                "minutes": float(point.epoch_minutes_8xv100),
            }
        )
    return pd.DataFrame(rows)


def key_numbers(frame: pd.DataFrame) -> dict[str, float]:
    """What the welcome page says in numbers.

    Args:
        frame: see `networks`.

    Returns:
        For each strategy, the epoch minutes of its largest network (``_minutes``) and the
        idealised growth of acts when flops grow 32-fold (``_growth``). For Figure 2, the
        correlation of epoch time with flops and with acts over all EN-B0 models. For Figures 4,
        6 and 8, error and minutes of EN-B0 at s = 11. And how many networks the counts cover.
    """
    numbers: dict[str, float] = {"welcome_reference": len(reference.scaled_models())}
    for row in frame.groupby("strategy", sort=False).tail(1).itertuples():
        exponent = growth(strategy_powers(PAPER[str(row.strategy)])).acts
        numbers[f"welcome_{row.strategy}_minutes"] = row.minutes  # type: ignore[assignment]
        numbers[f"welcome_{row.strategy}_growth"] = 32 ** float(exponent)  # type: ignore[arg-type]
    timed = [p for p in reference.runtime_points() if p.base == BASE]
    minutes = [float(p.epoch_minutes_8xv100) for p in timed]
    numbers["welcome_timed"] = len(timed)
    numbers["welcome_r_flops"] = correlation([float(p.gflops) for p in timed], minutes)
    numbers["welcome_r_acts"] = correlation([float(p.macts) for p in timed], minutes)
    points = reference.to_frame(reference.figure_points())
    points = points[(points.base == BASE) & (points.scale == 11) & points.figure.str.match("[468]")]
    for row in points.itertuples():
        if row.strategy in ("dwr", "dWr"):
            runs = "mean" if row.figure == "8" else "error"  # Figure 8: means of three trainings
            numbers[f"welcome_{row.strategy}_{runs}"] = row.top1_error_percent  # type: ignore
            numbers[f"welcome_{row.strategy}_4gf_minutes"] = row.epoch_minutes_8xv100  # type: ignore
    return numbers


def lead_figure(frame: pd.DataFrame) -> Figure:
    """Acts and minutes over flops, one labelled line per strategy."""
    fig, axes = panels(2, size=(3.5, 2.8))
    titles = {
        "macts": "millions of acts, counted here",
        "minutes": "minutes per epoch, as published",
    }
    for ax, (column, title) in zip(axes, titles.items(), strict=True):
        for name, line in frame.groupby("strategy", sort=False):
            colour = STRATEGY_COLOURS[str(name)]
            wide = 2.8 if name == "dWr" else 1.8
            ax.plot(
                line.gflops,
                line[column],
                marker=STRATEGY_MARKERS[str(name)],
                color=colour,
                lw=wide,
                clip_on=False,
            )
            end = line.iloc[-1]
            ax.annotate(
                f"{name}  {end[column]:.0f}",
                (end.gflops, end[column]),
                xytext=(9, 0),
                textcoords="offset points",
                va="center",
                color=colour,
                fontsize=10,
                fontweight="bold",
            )
        ax.set(title=title, xlabel="billions of flops", xticks=(0, 4, 8, 12, 16))
        ax.set(xlim=(0, 17.5), ylim=(0, None))
    return fig
