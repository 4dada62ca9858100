"""Parameters, opening table and drawings of the chapter "What scaling costs"."""

from __future__ import annotations

from collections.abc import Iterable
from math import cos, radians, sin
from typing import TYPE_CHECKING, Any

import pandas as pd
from pydantic import Field

from repro.arch import PAPER, Strategy, get
from repro.book.kit.figures import STRATEGY_COLOURS
from repro.book.parameters import ChapterParameters
from repro.complexity import complexity
from repro.reference import table_rows
from repro.theory import growth, strategy_powers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Point3 = tuple[float, float, float]


class Parameters(ChapterParameters):
    """Chapter "What scaling costs"."""

    depth: int = Field(4, ge=1, le=100, description="Convs in the example stage")
    width: int = Field(
        64, ge=8, le=4096, multiple_of=8, description="Channels of the example stage"
    )
    resolution: int = Field(32, ge=1, le=1024, description="Pixels per side of its maps")


def two_networks() -> pd.DataFrame:
    """EN-B0 and ResNet-50: counts, and published minutes for an epoch; last row, their ratio.

    Minutes are from Tables 5 and 8 of the paper, on eight V100 GPUs.
    """
    minutes = {row.model: float(row.epoch_minutes_8xv100) for row in table_rows()}
    rows = {}
    for name, printed in {"EN-B0": "B0", "ResNet-50": "ResNet50"}.items():
        c = complexity(get(name))
        rows[name] = [c.flops / 1e9, c.params / 1e6, c.acts / 1e6, minutes[printed]]
    frame = pd.DataFrame.from_dict(
        rows, "index", columns=["flops, G", "params, M", "acts, M", "minutes an epoch"]
    )
    frame.loc["ResNet-50 over EN-B0"] = frame.loc["ResNet-50"] / frame.loc["EN-B0"]
    return frame.rename_axis("network").reset_index()


GREY = "#8c8c8c"
_TILT = radians(32)
_RECEDE = 0.5  # how much the third dimension is foreshortened


def _project(x: float, y: float, z: float) -> tuple[float, float]:
    """From space (x right, y up, z away) onto the paper."""
    return x + _RECEDE * z * cos(_TILT), y + _RECEDE * z * sin(_TILT)


def _draw_box(ax: Axes, corner: Point3, sizes: Point3, colour: str, opacity: float = 1) -> None:
    """The three visible faces of a box: top, right side, front."""
    import matplotlib.colors as mc
    from matplotlib.patches import Polygon

    (x, y, z), (wide, high, deep) = corner, sizes
    across, up, away = (wide, 0, 0), (0, high, 0), (0, 0, deep)
    rgb = mc.to_rgb(colour)
    faces = {
        tuple(c + (1 - c) * 0.35 for c in rgb): ((x, y + high, z), across, away),
        tuple(c * 0.72 for c in rgb): ((x + wide, y, z), up, away),
        rgb: ((x, y, z), across, up),
    }
    edge = tuple(c * 0.5 for c in rgb) if opacity > 0.5 else rgb
    for shade, (start, one, other) in faces.items():
        # Projection is linear: corners may be added up on the paper.
        (x0, y0), (x1, y1), (x2, y2) = (_project(*p) for p in (start, one, other))
        points = [(x0, y0), (x0 + x1, y0 + y1), (x0 + x1 + x2, y0 + y1 + y2), (x0 + x2, y0 + y2)]
        style: dict[str, Any] = {
            "facecolor": (*shade, opacity),
            "edgecolor": edge,
            "linewidth": 0.6,
        }
        ax.add_patch(Polygon(points, joinstyle="round", **style))


def _canvas() -> tuple[Figure, Axes]:
    """A figure for drawing to scale, without axes; `_fit` gives it its size."""
    import matplotlib.pyplot as plt

    fig = plt.figure(layout="none")
    ax = fig.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    return fig, ax


def _fit(fig: Figure, across: tuple[float, float], up: tuple[float, float]) -> Figure:
    """Show these limits at the page's width, equal units both ways."""
    fig.axes[0].set(xlim=across, ylim=up)
    fig.set_size_inches(7.2, 7.2 * (up[1] - up[0]) / (across[1] - across[0]))
    return fig


def _words(
    ax: Axes, x: float, y: float, lines: Iterable[str], step: float, **how: str | float
) -> None:
    """Lines of text from ``y`` down, each placed by itself so that every font centres them."""
    for i, line in enumerate(lines):
        weight = "bold" if line.startswith("acts") else "normal"
        style = {"ha": "center", "va": "center", "fontsize": 9.5, "weight": weight} | how
        ax.text(x, y - i * step, line, **style)  # type: ignore[arg-type]


def one_conv() -> Figure:
    """One k x k conv as boxes: the inputs that meet in one element of the output."""
    fig, ax = _canvas()
    side, channels, k, apart = 7.0, 4.0, 3.0, 19.0
    y = z = 2.0
    colour, accent = STRATEGY_COLOURS["d"], STRATEGY_COLOURS["dwr"]
    for x in (0.0, apart):
        _draw_box(ax, (x, 0, 0), (channels, side, side), colour, 0.22)
    _draw_box(ax, (0, y, z), (channels, k, k), accent, 0.85)
    _draw_box(ax, (apart + 1, y + 1, z + 1), (1, 1, 1), accent)
    for dy, dz in ((0, 0), (k, 0), (0, k), (k, k)):
        start = _project(channels, y + dy, z + dz)
        end = _project(apart + 1, y + 1 + dy / k, z + 1 + dz / k)
        ax.plot(*zip(start, end, strict=True), color=accent, lw=0.8, ls=(0, (4, 2)))

    for x, title in ((0.0, "input"), (apart, "output")):
        ax.text(x + channels / 2, -0.35, "w channels", fontsize=9.5, ha="center", va="top")
        ax.text(x - 0.3, 0.9, "r", fontsize=9.5, ha="right", va="center")
        corner = _project(x + channels + 0.3, -0.2, side / 2)
        ax.text(*corner, "r", fontsize=9.5, ha="left", va="top")
        above = _project(x + channels / 2, side + 0.3, side)
        ax.text(*above, title, fontsize=9.5, ha="center", va="bottom")
    middle = (channels + apart) / 2 + 1.4
    _words(ax, middle, 7.7, ["k × k × w inputs meet", "as many weights:"], 0.85)
    _words(ax, middle, 1.4, ["k² w multiply-adds"], 0.85)
    _words(ax, apart + channels + 4, 4.8, ["one of", "w r² elements"], 0.85, ha="left")
    return _fit(fig, (-1.2, apart + channels + 9.6), (-1.4, side + 2.8))


def volumes(s: int = 4) -> Figure:
    """A dense stage as books on a shelf: every book is one conv's output, volume is activations.

    Rows: the unscaled stage of two convs, then d, w and r, each spending ``s`` times the flops.
    """
    fig, ax = _canvas()
    wide, side, bars_x, unit, y = 1.0, 2.3, 19.6, 1.5, 0.0
    right: dict[str, Any] = {"ha": "right", "va": "center"}
    what = {"base": "unscaled", "d": "depth", "w": "width", "r": "resolution"}
    for name, title in what.items():
        powers = strategy_powers(PAPER.get(name, Strategy("base")))
        d, w, r = (s ** float(getattr(powers, x)) for x in "dwr")
        size = {"d": d, "w": w, "r": r}
        colour = STRATEGY_COLOURS.get(name, GREY)
        r, w = side * r, wide * w
        height = _project(0, r, r)[1]
        y -= height
        step = w + _RECEDE * r * cos(_TILT) * 0.62 + 0.25
        for i in range(round(2 * d)):
            _draw_box(ax, (i * step, y, 0), (w, r, r), colour)
        middle = y + height / 2
        title += f" ×{size[name]:.3g}" if name in size else ""
        ax.text(-1.2, middle, name, fontsize=12, weight="bold", **right)
        ax.text(-1.2, middle - 0.95, title, fontsize=8.5, **right)
        for level, cost in zip((0.95, 0, -0.95), ("flops", "params", "acts"), strict=True):
            at, times = middle + level, s ** float(getattr(growth(powers), cost))
            weight, opacity = ("bold", 1) if cost == "acts" else ("normal", 0.45)
            ax.barh(
                at, unit * times, 0.62, left=bars_x, color=colour, alpha=opacity, edgecolor="none"
            )
            ax.text(bars_x - 0.3, at, cost, fontsize=8.5, **right)
            end = bars_x + unit * times + 0.3
            ax.text(end, at, f"×{times:.3g}", va="center", fontsize=8.5, weight=weight)
        y -= 1.5
    return _fit(fig, (-6.3, bars_x + unit * s + 2.2), (y + 1.2, 0.3))


def group_matrices() -> Figure:
    """Weights of a group conv as a matrix of output by input channels, scaled three ways."""
    from matplotlib.patches import Rectangle

    fig, ax = _canvas()
    left = 0.0
    shapes = {"base": (8, 2), "w ×4": (32, 2), "g ×4": (8, 8), "w ×2, g ×2": (16, 4)}
    for title, (w, g) in shapes.items():
        colour = GREY if title == "base" else STRATEGY_COLOURS["w"]
        left += max(0, 11 - w) / 2  # room for the words below a small matrix
        for i in range(w // g):
            corner = (left + i * g, w - (i + 1) * g)
            ax.add_patch(Rectangle(corner, g, g, facecolor=colour, edgecolor="none"))
        ax.add_patch(Rectangle((left, 0), w, w, facecolor=colour, alpha=0.13, edgecolor="none"))
        middle = left + w / 2
        ax.text(middle, w + 1, title, ha="center", va="bottom", fontsize=10, weight="bold")
        costs = (f"flops ×{w * g // 16}", f"params ×{w * g // 16}", f"acts ×{w // 8}")
        _words(ax, middle, -2.2, costs, 2.2, fontsize=9)
        if w == 32:
            _words(ax, left + w * 0.7, w * 0.82, ["columns:", "input channels"], 1.9, fontsize=8.5)
            _words(ax, left + w * 0.28, w * 0.24, ["rows:", "output channels"], 1.9, fontsize=8.5)
        left += w + max(0, 11 - w) / 2 + 4
    return _fit(fig, (-0.5, left - 3.5), (-8, 36))
