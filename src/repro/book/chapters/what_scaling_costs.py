"""Drawings of the chapter "What scaling costs": volumes are activations, areas are weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import cos, radians, sin
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from repro.analysis.scaling.stage import COSTS, derive
from repro.book.kit.figures import STRATEGY_COLOURS, STRATEGY_MARKERS, log_axis
from repro.book.parameters import ChapterParameters, Scales, differing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame


class Parameters(ChapterParameters):
    """Chapter "What scaling costs"."""

    depth: int = Field(4, ge=1, le=100, description="Convs in the example stage")
    width: int = Field(
        64, ge=8, le=4096, multiple_of=8, description="Channels of the example stage"
    )
    resolution: int = Field(32, ge=1, le=1024, description="Pixels per side of its maps")
    scales: Annotated[Scales, AfterValidator(differing)] = Field(
        [1, 2, 4, 8, 16, 32], description="Factors on flops to try"
    )


GREY = "#8c8c8c"
_TILT = radians(32)
_RECEDE = 0.5  # how much the third dimension is foreshortened


def _project(x: float, y: float, z: float) -> tuple[float, float]:
    """From space (x right, y up, z away) onto the paper."""
    return x + _RECEDE * z * cos(_TILT), y + _RECEDE * z * sin(_TILT)


@dataclass(frozen=True)
class Box:
    """A box in space: corner ``(x, y, z)`` and sizes; x is to the right, y up, z away."""

    x: float
    y: float
    z: float
    wide: float
    high: float
    deep: float

    def faces(self) -> list[list[tuple[float, float]]]:
        """The three visible faces on the paper: top, right side, front."""
        x0, y0, z0 = self.x, self.y, self.z
        x1, y1, z1 = x0 + self.wide, y0 + self.high, z0 + self.deep
        corners = [
            [(x0, y1, z0), (x1, y1, z0), (x1, y1, z1), (x0, y1, z1)],
            [(x1, y0, z0), (x1, y1, z0), (x1, y1, z1), (x1, y0, z1)],
            [(x0, y0, z0), (x1, y0, z0), (x1, y1, z0), (x0, y1, z0)],
        ]
        return [[_project(*corner) for corner in face] for face in corners]


def _draw_box(
    ax: Axes, box: Box, colour: str, opacity: float = 1.0, ink: str | None = None
) -> None:
    import matplotlib.colors as mc
    from matplotlib.patches import Polygon

    rgb = mc.to_rgb(colour)
    lighter = tuple(c + (1 - c) * 0.35 for c in rgb)
    darker = tuple(c * 0.72 for c in rgb)
    for face, shade in zip(box.faces(), (lighter, darker, rgb), strict=True):
        ax.add_patch(
            Polygon(
                face,
                facecolor=(*shade, opacity),
                edgecolor=ink or tuple(c * 0.5 for c in rgb),
                linewidth=0.6,
                joinstyle="round",
            )
        )


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
        _draw_box(ax, Box(x, 0, 0, channels, side, side), colour, 0.22, colour)
    _draw_box(ax, Box(0, y, z, channels, k, k), accent, 0.85)
    _draw_box(ax, Box(apart + 1, y + 1, z + 1, 1, 1, 1), accent)
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


def _factor(power: Fraction, s: float) -> str:
    """``s ** power`` as people say it: ``×4`` or ``×2.83``."""
    return f"×{s ** float(power):.3g}"


def volumes(strategies: Iterable[str], s: float) -> Figure:
    """A dense stage as books on a shelf: every book is one conv's output, volume is activations.

    Args:
        strategies: by letters; each gets a row below the unscaled stage of two convs.
        s: factor on flops.
    """
    fig, ax = _canvas()
    wide, side = 1.0, 2.3
    rows: list[tuple[str, str, Mapping[str, Fraction], list[Fraction]]] = [
        ("base", GREY, {}, [Fraction(0)] * 3)
    ]
    for name in strategies:
        d = derive(name)
        growth = [Fraction(str(d.growth[cost])) for cost in COSTS]
        rows.append((name, STRATEGY_COLOURS[name], d.fractions(), growth))
    y, bars_x, unit = 0.0, 19.6, 1.5
    for name, colour, powers, growth in rows:
        size = {x: s ** float(powers.get(x, 0)) for x in "dwr"}
        r, w = side * size["r"], wide * size["w"]
        height = _project(0, r, r)[1]
        y -= height
        step = w + _RECEDE * r * cos(_TILT) * 0.62 + 0.25
        for i in range(round(2 * size["d"])):
            _draw_box(ax, Box(i * step, y, 0, w, r, r), colour)
        middle = y + height / 2
        what = {"d": "depth", "w": "width", "r": "resolution"}
        ax.text(-1.2, middle, name, ha="right", va="center", fontsize=12, weight="bold")
        parts = [f"{what[x]} {_factor(p, s)}" for x, p in powers.items()] or ["unscaled"]
        ax.text(-1.2, middle - 0.95, ", ".join(parts), ha="right", va="center", fontsize=8.5)
        for i, (cost, power) in enumerate(zip(COSTS, growth, strict=True)):
            level = middle + 0.95 * (1 - i)
            length = unit * s ** float(power)
            strong = cost == "acts"
            ax.barh(
                level,
                length,
                0.62,
                left=bars_x,
                color=colour,
                alpha=1 if strong else 0.45,
                edgecolor="none",
            )
            ax.text(bars_x - 0.3, level, cost, ha="right", va="center", fontsize=8.5)
            ax.text(
                bars_x + length + 0.3,
                level,
                _factor(power, s),
                ha="left",
                va="center",
                fontsize=8.5,
                weight="bold" if strong else "normal",
            )
        y -= 1.5
    return _fit(fig, (-6.3, bars_x + unit * s + 2.2), (y + 1.2, 0.3))


def group_matrices(width: int = 8, group_width: int = 2, factor: int = 4) -> Figure:
    """Weights of a group conv as a matrix of output by input channels, scaled three ways.

    Args:
        width, group_width: of the unscaled conv, drawn to scale.
        factor: on flops; a perfect square.
    """
    from matplotlib.patches import Rectangle

    root = round(factor**0.5)
    fig, ax = _canvas()
    panels = [
        ("base", width, group_width),
        (f"w ×{factor}", width * factor, group_width),
        (f"g ×{factor}", width, group_width * factor),
        (f"w ×{root}, g ×{root}", width * root, group_width * root),
    ]
    left = 0.0
    for title, w, g in panels:
        colour = GREY if title == "base" else STRATEGY_COLOURS["w"]
        left += max(0, 11 - w) / 2  # room for the words below a small matrix
        for i in range(w // g):
            corner = (left + i * g, w - (i + 1) * g)
            ax.add_patch(Rectangle(corner, g, g, facecolor=colour, edgecolor="none"))
        ax.add_patch(Rectangle((left, 0), w, w, facecolor=colour, alpha=0.13, edgecolor="none"))
        middle = left + w / 2
        ax.text(middle, w + 1, title, ha="center", va="bottom", fontsize=10, weight="bold")
        area = w * g // (width * group_width)
        costs = (f"flops ×{area}", f"params ×{area}", f"acts ×{w // width}")
        _words(ax, middle, -2.2, costs, 2.2, fontsize=9)
        if w == max(panel[1] for panel in panels):
            _words(ax, left + w * 0.7, w * 0.82, ["columns:", "input channels"], 1.9, fontsize=8.5)
            _words(ax, left + w * 0.28, w * 0.24, ["rows:", "output channels"], 1.9, fontsize=8.5)
        left += w + max(0, 11 - w) / 2 + 4
    return _fit(fig, (-0.5, left - 3.5), (-8, width * factor + 4))


def growth_curves(
    frame: DataFrame, published: Iterable[tuple[float, float]], scales: Sequence[float]
) -> Figure:
    """Relative acts and params over s: theory as lines, a counted stage as markers.

    Args:
        frame: from `repro.analysis.scaling.stage.sweep`.
        published: points of the paper's Figure 1, as s and relative acts.
        scales: where to put ticks.
    """
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, 2, figsize=(8.2, 4.3), sharex=True, sharey=True)
    for ax, cost in zip(axes, ("acts", "params"), strict=True):
        drawn: dict[float, list[str]] = {}
        for name, part in frame.groupby("strategy", sort=False):
            drawn.setdefault(part[f"{cost}_power"].iloc[0], []).append(str(name))
        for power, names in drawn.items():
            ends = [min(scales), max(scales)]
            ax.plot(ends, [x**power for x in ends], color=STRATEGY_COLOURS[names[0]], lw=1.4)
            ax.annotate(
                ", ".join(names),
                (ends[1], ends[1] ** power),
                (8, 0),
                textcoords="offset points",
                va="center",
                fontsize=9.5,
                weight="bold",
            )
            for i, name in enumerate(names):
                part = frame[frame.strategy == name]
                # Equal points would hide one another: later ones are smaller.
                ax.plot(
                    part.s,
                    part[cost],
                    ls="none",
                    marker=STRATEGY_MARKERS[name],
                    ms=9 - 2.6 * i,
                    mfc="none",
                    mew=1.3,
                    color=STRATEGY_COLOURS[name],
                )
        log_axis(ax, "x", scales)
        log_axis(ax, "y", scales)
        # Room for the names at the right ends.
        span = max(scales) / min(scales)
        ax.set_xlim(min(scales) / span**0.06, max(scales) * span**0.3)
        ax.set(title=cost, xlabel="scale factor s")
    for s, value in published:
        axes[0].plot(s, value, marker="x", ms=8, mew=1.6, color=plt.rcParams["text.color"])
    axes[0].set_ylabel("relative to the unscaled stage")
    return fig
