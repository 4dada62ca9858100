"""House style of the book's figures, and how one reaches a page.

A figure goes into the page as inline SVG rather than as an image: its text and axes take the
page's colour and font, so the same figure is legible in light and dark mode, searchable, and
small. It is deterministic to the byte.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import PathPatch

# Drawn in this colour, then replaced: what should follow the page's text colour.
_INK = "#010203"

# After the seaborn "colorblind" palette, with at least 3:1 on both of the theme's backgrounds.
STRATEGY_COLOURS: Mapping[str, str] = {
    "d": "#0173b2",
    "w": "#c98205",
    "r": "#029e73",
    "dr": "#7f6bc9",
    "dw": "#87912a",
    "wr": "#4a98cc",
    "dwr": "#d55e00",
    "alpha=2/3": "#8b5fd6",
    "dWr": "#cc5fb0",
    "orig": "#8c8c8c",
    "LACS-GPU": "#d7424f",
    "LACS-TPU": "#4a98cc",
}
"""One colour per strategy, the same in every chapter; keys are the paper's short names."""

STRATEGY_MARKERS: Mapping[str, str] = {
    "d": "v",
    "w": "s",
    "r": "^",
    "dr": "<",
    "dw": "D",
    "wr": ">",
    "dwr": "o",
    "alpha=2/3": "h",
    "dWr": "P",
    "orig": "X",
    "LACS-GPU": "*",
    "LACS-TPU": "d",
}
"""One marker per strategy: with red-green blindness dwr, dw and w have nearly the same colour."""

FAMILY_COLOURS: Mapping[str, str] = {
    "EfficientNet": "#0173b2",
    "EfficientNet-X": "#7f6bc9",
    "EfficientNet-H": "#b5651d",
    "RegNetX": "#87912a",
    "RegNetY": "#d55e00",
    "RegNetZ": "#029e73",
    "ResNet": "#cc5fb0",
    "ResNeXt": "#909090",
}
"""One colour per network family."""


def use_house_style() -> None:
    """Set matplotlib and seaborn to the house style; call once per process."""
    import matplotlib

    matplotlib.rcdefaults()  # a reader's own settings may ask for LaTeX
    matplotlib.use("agg")
    import seaborn as sns

    sns.set_theme(
        context="notebook",
        style="ticks",
        palette=list(STRATEGY_COLOURS.values()),
        rc={
            # The one font that comes with matplotlib: another machine's Arial would give another
            # layout. The page puts its own in its place.
            "font.family": "DejaVu Sans",
            "svg.fonttype": "none",
            "svg.hashsalt": "repro",
            "figure.facecolor": "none",
            "figure.figsize": (7.2, 4.0),
            "figure.constrained_layout.use": True,
            "savefig.facecolor": "none",
            "axes.facecolor": "none",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.titlesize": 11,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.labelsize": 10,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "legend.fontsize": 9,
            "legend.frameon": False,
            "lines.linewidth": 1.8,
            "lines.markersize": 5,
            "grid.alpha": 0.18,
            "grid.linewidth": 0.8,
            "grid.color": _INK,
            "text.color": _INK,
            "axes.labelcolor": _INK,
            "axes.edgecolor": _INK,
            "axes.titlecolor": _INK,
            "xtick.color": _INK,
            "ytick.color": _INK,
            "xtick.labelcolor": _INK,
            "ytick.labelcolor": _INK,
        },
    )


def log_axis(ax: Axes, axis: Literal["x", "y", "both"], ticks: Sequence[float] = ()) -> None:
    """A logarithmic axis with plain numbers, not powers of ten; no ticks: matplotlib chooses."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

    plain = FuncFormatter(lambda value, _: f"{value:,.10g}")
    for name in ("x", "y") if axis == "both" else (axis,):
        getattr(ax, f"set_{name}scale")("log")
        one = getattr(ax, f"{name}axis")
        one.set_major_locator(FixedLocator(list(ticks)) if ticks else LogLocator(subs=(1, 2, 5)))
        one.set_major_formatter(plain)
        one.set_minor_locator(NullLocator())


def panels(
    count: int, columns: int = 3, size: tuple[float, float] = (2.9, 2.5), **shared: Any
) -> tuple[Figure, list[Axes]]:
    """Panels side by side in one figure; places that the last row does not need stay blank.

    size: of each, in inches; a single panel is as large as a figure. shared: as for ``subplots``.
    """
    import matplotlib.pyplot as plt

    across = min(columns, count)
    down = -(-count // across)
    whole = (7.2, 4.0) if count == 1 else (size[0] * across + 0.6, size[1] * down + 0.6)
    fig, grid = plt.subplots(down, across, figsize=whole, squeeze=False, **shared)
    for ax in grid.flat[count:]:
        ax.set_axis_off()
    for ax in grid.flat[max(0, count - across) : count]:
        ax.tick_params(labelbottom=True)  # the place below it may be blank
    return fig, list(grid.flat[:count])


def dots(x: Sequence[float], y: Sequence[float], color: str = "#909090") -> PathPatch:
    """Many dots as a single path: a page is lighter by the hundreds of marks that they would be.

    Draw something else first, or set limits: a patch on its own does not stretch its axes.
    """
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    points = [point for point in zip(x, y, strict=True) for _ in range(2)]
    path = Path(points, [Path.MOVETO, Path.LINETO] * (len(points) // 2))
    path.should_simplify = False  # it would drop lines without length
    return PathPatch(path, edgecolor=color, linewidth=3, alpha=0.5, capstyle="round")


def legend(fig: Figure, axes: Sequence[Axes], columns: int = 8) -> None:
    """One legend above all panels: what any of them shows, each once."""
    entries: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    fig.legend(
        list(entries.values()),
        list(entries),
        loc="outside upper center",
        ncols=min(len(entries), columns),
    )


@dataclass(frozen=True)
class PageFigure:
    """A finished figure: inline SVG with alternative text and caption."""

    svg: str
    name: str
    alt: str
    caption: str

    def _repr_html_(self) -> str:
        return (
            f'<figure class="repro-figure" id="fig-{self.name}">'
            f'<div class="repro-scroll">{self.svg}</div>'
            f"<figcaption>{self.caption}</figcaption></figure>"
        )

    def __repr__(self) -> str:
        return f"Figure {self.name}: {self.alt}"


def show(fig: Figure, name: str, *, alt: str, caption: str) -> PageFigure:
    """Turn a matplotlib figure into what a page shows; make it a cell's last expression.

    Args:
        fig: the figure; it is closed. Use plain Unicode in labels, no mathtext.
        name: short and unique within the page; the anchor becomes ``fig-<name>``.
        alt: what someone who cannot see the figure needs to know: axes, and what it shows.
        caption: may hold inline HTML; says how to read it, and where the data come from.
    """
    import matplotlib.pyplot as plt

    buffer = io.StringIO()
    fig.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(fig)
    return PageFigure(_inline(buffer.getvalue(), name, alt), name, alt, caption)


def _inline(svg: str, name: str, alt: str) -> str:
    """Strip what an inline SVG must not have, add what a reader needs.

    Coordinates keep two decimals and ids become numbers: neither the last digits of a float nor
    a hash of them may differ from machine to machine.
    """
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    # Ids are shared by a whole page: keep only those something refers to, under this name.
    used = dict.fromkeys(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    short = {old: f"{name}-{n}" for n, old in enumerate(used)}
    svg = re.sub(r' id="([^"]+)"', lambda m: f' id="{short[m[1]]}"' if m[1] in short else "", svg)
    svg = re.sub(r'(url\(#|href="#)([^)"]+)', lambda m: m[1] + short[m[2]], svg)
    svg = svg.replace(_INK, "currentColor").replace("xlink:href", "href")
    svg = re.sub(r"font-family: [^;\"]+; ", "", svg)
    svg = re.sub(r' transform="rotate\(-0 [^"]*\)"', "", svg)
    svg = re.sub(r"<[^>]+>", lambda tag: re.sub(r"-?\d+\.\d{3,}", _two_decimals, tag[0]), svg)
    svg = re.sub(r"\n\s*", "\n", svg)
    width = re.search(r'viewBox="0 0 ([\d.]+)', svg)
    limit = f";max-width:{float(width[1]) * 4 / 3:.0f}px" if width else ""
    view = re.search(r'viewBox="[^"]+"', svg)
    start = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {view[0] if view else ""} role="img" '
        f'aria-label="{escape(alt, quote=True)}" style="font-family:sans-serif{limit}">'
    )
    return start + svg[svg.index(">") + 1 :]


def _two_decimals(number: re.Match[str]) -> str:
    rounded = f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
    return "0" if rounded == "-0" else rounded
