"""The chapter "Width first or depth first?": its figures and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from repro import reference
from repro.analysis.scaling.width_or_depth import FORMS, LEVELS
from repro.arch.strategy import Strategy
from repro.book.kit.chapter import span
from repro.book.kit.figures import STRATEGY_COLOURS, STRATEGY_MARKERS, legend, panels
from repro.book.parameters import ChapterParameters
from repro.search.accuracy import Surface
from repro.search.latency import Additive
from repro.search.scaling import Scaler, lacs, shares

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Parameters(ChapterParameters):
    """Chapter "Width first or depth first?"."""

    level: Literal["B2", "B3", "B4"] = Field(
        "B4", description="Whose time is the budget where one level is drawn"
    )
    within: float = Field(
        0.12, gt=0, le=2, description="Points above the best that count as good as it"
    )
    draws: int = Field(60, ge=20, le=2000, description="Resampled surfaces behind an interval")
    tiers: ClassVar[Mapping[str, Mapping[str, Any]]] = {"laptop": {"draws": 400}}


GREY = "#8c8c8c"
SURFACES: Mapping[str, tuple[str, str, str]] = {
    "quadratic": ("#0173b2", "o", "-"),
    "norm": ("#d55e00", "s", "--"),
    "product": (GREY, "^", ":"),
}
"""Colour, marker and dashes of each accuracy surface."""
KEYS = {"2/3": "alpha=2/3", "EfficientNet": "orig"}
RULES: Mapping[str, tuple[str, str]] = {
    name: (STRATEGY_COLOURS[KEYS.get(name, name)], STRATEGY_MARKERS[KEYS.get(name, name)])
    for name in ("w", "dWr", "2/3", "dw", "dwr", "d", "r", "EfficientNet", "LACS-GPU", "LACS-TPU")
}
"""Colour and marker of each rule."""
FAMILIES = {"EN-X": "EfficientNet", "EN-X-GPU": "LACS-GPU", "EN-X-TPU": "LACS-TPU"}
"""The builder's families, each drawn as the rule that it should follow."""
DRAWN = ("w", "dWr", "2/3", "dw", "LACS-GPU", "LACS-TPU", "dwr", "EfficientNet")
"""Whose regrets are drawn, from top to bottom."""
MACHINES: Mapping[str, tuple[str, ...]] = {
    "GPUs": ("rtx3090", "rtx4090", "rtx5090", "pro6000maxq"),
    "CPUs": ("cpu_i9_10940x", "cpu_i7_12700h"),
}
"""Devices whose prices are fitted to public timings."""
BASES = {"EN-B0": ("B0", "o"), "EN-X-B0": ("X-B0", "D")}


# ---------------------------------------------------------------------------- triangles


def _corner(d: Any, w: Any, r: Any) -> tuple[Any, Any]:
    """Where shares stand in a triangle with depth left, resolution right and width on top."""
    return np.asarray(r) + np.asarray(w) / 2, np.asarray(w) * 3**0.5 / 2


def _triangle(ax: Axes, words: bool = True) -> None:
    """The frame of a triangle of shares, with a line for every fifth."""
    import matplotlib.pyplot as plt

    ax.set_axis_off()
    ax.set_aspect("equal")
    ax.set(xlim=(-0.12, 1.12), ylim=(-0.13, 0.97))
    ink = plt.rcParams["text.color"]
    for i in range(6):
        share, rest = i / 5, 1 - i / 5
        ends = ([(share, rest, 0), (share, 0, rest)], [(rest, share, 0), (0, share, rest)])
        for pair in (*ends, [(rest, 0, share), (0, rest, share)]):
            x, y = _corner(*zip(*pair, strict=True))
            ax.plot(x, y, color=ink, lw=0.9 if i == 0 else 0.6, alpha=0.8 if i == 0 else 0.15)
    corners = {"depth": (1, 0, 0), "width": (0, 1, 0), "resolution": (0, 0, 1)}
    for name, at in corners.items():
        x, y = _corner(*at)
        up = name == "width"
        label = f"all {name}" if words else name
        ax.text(
            x, y + (0.03 if up else -0.04), label, ha="center", va="bottom" if up else "top",
            fontsize=9,
        )  # fmt: skip


def rules_figure(frame: pd.DataFrame) -> Figure:
    """Every rule's shares of the log-flops in one triangle; rings: levels of the builder."""
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(6.6, 5.4))
    _triangle(ax)
    levels = frame[frame.source == "builder"]
    for family, rule in FAMILIES.items():
        some = levels[levels.rule.str.fullmatch(rf"{family}-B\d")]
        x, y = _corner(some.d, some.w, some.r)
        label = f"levels B1 to B7 of {family}"
        ring: Any = {"mfc": "none", "ls": "none", "zorder": 3, "label": label}
        ax.plot(x, y, "o", color=RULES[rule][0], markersize=6, **ring)
    aside = {
        "dw": (-10, -4, "right"),
        "LACS-GPU": (-10, -1, "right"),
        "EfficientNet": (11, -10, "left"),
        "d": (-10, 2, "right"),
    }
    for row in frame[frame.source != "builder"].itertuples():
        name = str(row.rule)
        colour, marker = RULES[name]
        x, y = _corner(row.d, row.w, row.r)
        ax.plot(x, y, marker, color=colour, markersize=14 if marker == "*" else 10)
        dx, dy, side = aside.get(name, (9, -4, "left"))
        text = name if name != "2/3" else "α = 2/3"
        ax.annotate(text, (x, y), (dx, dy), textcoords="offset points", ha=side, fontsize=9)
    ax.legend(loc="upper left", bbox_to_anchor=(-0.08, 1.0))
    return fig


def flat_figure(fields: pd.DataFrame, within: float, rules: Mapping[str, Strategy]) -> Figure:
    """How much worse than the best every rule is at one cost, a triangle for each surface.

    A shade for no more than ``within`` points, and for 2, 4 and 8 times as many; none where no
    network is known.
    """
    fig, axes = panels(len(FORMS), 3, (2.7, 2.8))
    for ax, form in zip(axes, FORMS, strict=True):
        known = fields.dropna(subset=[form])
        x, y = _corner(known.d, known.w, known.r)
        above = known[form] - known[form].min()
        levels = [0, within, 2 * within, 4 * within, 8 * within, 99]
        tones = [SURFACES["quadratic"][0] + f"{a:02x}" for a in (0xE0, 0x90, 0x58, 0x2C, 0x10)]
        ax.tricontourf(x, y, np.clip(above, 0, 98), levels=levels, colors=tones)
        _triangle(ax, words=False)
        for name, rule in rules.items():
            at = _corner(*rule.shares)
            colour, marker = RULES[name]
            style: Any = {"color": colour, "mec": "white", "mew": 0.7, "ls": "none"}
            ax.plot(*at, marker=marker, ms=13 if marker == "*" else 9, label=name, **style)
        ax.set_title(form)
    legend(fig, axes)
    return fig


# ---------------------------------------------------------------------------- one judges the other


def judged_table(frame: pd.DataFrame) -> pd.DataFrame:
    """A row a level: printed error, predicted ones of three families, and what LACS saves in time.

    Predicted: least and largest of the surfaces; * where they know no such network.
    """
    results = {r.model: r for r in reference.x_results()}
    bars = {(b.level, b.scaling): b.speedup for b in reference.speedup_bars() if b.device == "V100"}
    rows = []
    for level in frame.level.unique()[1:]:
        by = frame[frame.level == level].set_index("family")
        printed = 100 - results[f"EfficientNet-X-{level}"].top1_percent
        row = {"level": level, "printed": float(printed)}
        for family, title in zip(FAMILIES, ("own", "LACS-GPU", "LACS-TPU"), strict=True):
            one = by.loc[family]
            mark = "" if one.inside else "*"
            row[title] = span(one[list(FORMS)], ".1f") + mark
        row["faster"] = by.ms["EN-X"] / by.ms["EN-X-GPU"]
        row["faster, printed"] = float(bars[level, "LACS"] / bars[level, "single-objective"])
        rows.append(row)
    return pd.DataFrame(rows)


# ---------------------------------------------------------------------------- regrets


def regrets_figure(frame: pd.DataFrame, costs: Mapping[str, str]) -> Figure:
    """Points that each rule loses against the best known, a row of panels for each cost."""
    import matplotlib.pyplot as plt

    fig, axes = panels(len(costs) * len(LEVELS), 3, (2.7, 2.7), sharex=True, sharey=True)
    titles = [(cost, level) for cost in costs for level in LEVELS]
    for ax, (cost, level) in zip(axes, titles, strict=True):
        mine = frame[(frame.cost == cost) & (frame.level == level)]
        ax.axvline(0, color=plt.rcParams["text.color"], lw=0.9)
        for aside, form in zip((0.24, 0, -0.24), FORMS, strict=True):
            colour, marker, _ = SURFACES[form]
            some = mine[mine.surface == form].set_index("rule").loc[list(DRAWN)]
            at = aside - np.arange(len(some))
            ax.hlines(at, some.low, some.high, color=colour, lw=1.4, alpha=0.6)
            known = some.inside.to_numpy()
            style: Any = {"color": colour, "ls": "none", "marker": marker, "ms": 4.5}
            ax.plot(some.regret[known], at[known], label=form, **style)
            ax.plot(some.regret[~known], at[~known], mfc="none", **style)
        ax.set_title(f"{costs[cost]}, {level}")
        ax.set_yticks(-np.arange(len(DRAWN)), DRAWN)
        ax.set_xlim(-0.2, 1.25)
        ax.grid(visible=False, axis="y")
    for ax in axes[-3:]:
        ax.set_xlabel("points above the best")
    legend(fig, axes[:1])
    return fig


def regret_table(lost: pd.DataFrame) -> pd.DataFrame:
    """A row a rule, a column a cost: regrets by all surfaces, resampled; *: outside of the hull."""
    by = lost.groupby(["rule", "cost"], sort=False)
    low, high = (x.round(1).add(0.0).map("{:.1f}".format) for x in (by.low.min(), by.high.max()))
    cells = low + " to " + high + by.inside.all().map({True: "", False: "*"})
    return cells.unstack(sort=False).rename_axis(columns=None).reset_index()


def duel_table(duels: Sequence[tuple[str, pd.DataFrame]]) -> pd.DataFrame:
    """A row a bill and level: what LACS errs more than dWr by each surface, with intervals."""
    rows = []
    for bill, frame in duels:
        for level, part in frame.groupby("level", sort=False):
            row: dict[str, object] = {"charged for": bill, "level": level, "φ": part.phi.iloc[0]}
            values = part[["gap", "low", "high"]].round(2) + 0.0  # no minus before a zero
            for form, (gap, low, high) in zip(part.surface, values.to_numpy(), strict=True):
                row[form] = f"{gap:+.2f} ({low:+.2f} to {high:+.2f})"
            rows.append(row)
    return pd.DataFrame(rows)


# ---------------------------------------------------------------------------- what decides


def shares_figure(phases: pd.DataFrame, rules: Mapping[str, Strategy]) -> Figure:
    """The best shares over phi, a panel a dimension; bands: resampled surfaces. Lines: rules."""
    fig, axes = panels(3, 3, (2.7, 2.9), sharex=True, sharey=True)
    titles = {"w": "width", "d": "depth", "r": "resolution"}
    for ax, (name, title) in zip(axes, titles.items(), strict=True):
        for form in FORMS:
            colour, _, dashes = SURFACES[form]
            mine = phases[phases.surface == form]
            fit = mine[mine.draw == 0].sort_values("flop")
            drawn = mine[mine.draw > 0].groupby("flop")[name]
            low, high = drawn.quantile(0.05), drawn.quantile(0.95)
            ax.fill_between(fit.phi, low, high, color=colour, alpha=0.13, lw=0)
            ax.plot(fit.phi, fit[name], dashes, color=colour, label=form)
        for rule, strategy in rules.items():
            share = dict(zip("dwr", strategy.shares, strict=True))[name]
            colour, marker = RULES[rule]
            ax.axhline(share, color=colour, lw=0.9, alpha=0.7)
            ax.plot(1.0, share, marker, color=colour, ms=8, clip_on=False, label=rule)
        ax.set(title=f"share of {title}", xlabel="φ of the best network", xlim=(0, 1), ylim=(0, 1))
    legend(fig, axes)
    return fig


def duel_figure(law: pd.DataFrame, roofs: pd.DataFrame, priced: pd.DataFrame) -> Figure:
    """LACS's error less dWr's over phi, a panel a level; below, where devices stand.

    Lines: two prices, of a flop and an act, in any proportion. Markers: rooflines, which know no
    such prices; of both bases. Ticks below: devices by prices fitted to public timings.
    """
    import matplotlib.pyplot as plt

    fig, grid = plt.subplots(
        2, len(LEVELS), figsize=(9.4, 4.9), sharex=True, sharey="row", height_ratios=(3.2, 1)
    )
    ink = plt.rcParams["text.color"]
    for top, below, level in zip(*grid, LEVELS, strict=True):
        top.axhline(0, color=ink, lw=0.9)
        for form in FORMS:
            colour, _, dashes = SURFACES[form]
            on = law[(law.level == level) & (law.surface == form)].sort_values("phi")
            top.fill_between(on.phi, on.low, on.high, color=colour, alpha=0.13, lw=0)
            top.plot(on.phi, on.gap, dashes, color=colour, label=form)
            for base, (_, marker) in BASES.items():
                mine = roofs[roofs.base == base]
                some = mine[(mine.level == level) & (mine.surface == form)]
                fill = colour if base == "EN-B0" else "none"
                top.plot(some.phi, some.gap, marker, color=colour, mfc=fill, ms=5)
        for base, (name, marker) in BASES.items():
            fill = GREY if base == "EN-B0" else "none"
            top.plot([], [], marker, color=GREY, mfc=fill, label=f"{name} on rooflines")
        top.set_title(f"at the time of {level}")
        rows = [(base, kind) for base in BASES for kind in MACHINES]
        for i, (base, kind) in enumerate(rows):
            mine = priced[(priced.base == base) & (priced.level == level)]
            some = mine[mine.cost.isin(MACHINES[kind])]
            below.plot(some.phi, [-i] * len(some), "|", color=ink, ms=11, mew=1.8)
        below.set_yticks([-i for i in range(len(rows))], [f"{BASES[b][0]}, {k}" for b, k in rows])
        below.set(xlabel="φ", xlim=(0, 1), ylim=(-len(rows) + 0.4, 0.6))
    grid[0][0].set_ylabel("LACS less dWr, points")
    grid[0][0].annotate(
        "dWr errs less", (0.97, 0.96), xycoords="axes fraction", ha="right", va="top", fontsize=9
    )
    grid[0][0].annotate(
        "LACS errs less", (0.03, 0.04), xycoords="axes fraction", ha="left", va="bottom", fontsize=9
    )
    legend(fig, list(grid[0]))
    return fig


# ---------------------------------------------------------------------------- the procedure


def lacs_table(start: Scaler, cost: Additive, limits: Mapping[str, float]) -> pd.DataFrame:
    """What LACS finds within each level's time, below what the paper printed.

    Factors are for twice the flops, as the printed ones nearly are; shares: of the log-flops.
    """
    rows: list[tuple[object, ...]] = []
    searched = {r.searched_at: r for r in reference.x_searches()}
    bases = {r.scaling: r for r in reference.x_bases()}
    printed = {f"Table 2, {name[5:]}": bases[name] for name in ("LACS GPU", "LACS TPU")}
    # the other search of Table 5 found the rule of Table 2
    for title, r in (printed | {"Table 5, at X-B1": searched["X-B1"]}).items():
        factors = [float(x) for x in (r.depth, r.width, r.resolution)]
        rows.append((title, "", *factors, *shares(factors), float("nan")))
    for level, limit in limits.items():
        for form in FORMS:
            best = lacs(limit, cost, Surface.fit(form), start)
            c = best.coefficients
            own = shares((c.depth, c.width, c.resolution / start.base.resolution))
            factors = (2 ** np.divide(own, (1, 2, 2))).tolist()
            rows.append((f"ours, at X-{level}", form, *factors, *own, best.error))
    names = ["LACS", "surface", "depth", "width", "resolution", "d", "w", "r", "error"]
    return pd.DataFrame(rows, columns=names)
