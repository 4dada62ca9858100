"""Every published network of the first paper beside our count, and the scale factors behind it.

Source: Fast and Accurate Model Scaling, Tables 5 to 8 and Figures 1, 2 and 4 to 8; "Early
Convolutions", Table 2. Which network makes a table row is said once, in ``data/claims.yaml``. One
multiply-add is one flop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import pandas as pd

from repro import claims, reference
from repro.analysis.scaling.rounding import COSTS, Counts, span_of, spans
from repro.arch import PAPER, Network, Strategy, get, scale
from repro.book.kit.tables import PageTable, agrees_as_printed
from repro.book.kit.tables import table as page_table
from repro.claims.counting import paper_strategy
from repro.complexity import complexity
from repro.errors import InputError

MILLIONS = {"flops": 1e9, "params": 1e6, "acts": 1e6}
"""Units that are printed: flops in 10^9, params and acts in 10^6."""
PRINTED = {"flops": "gflops", "params": "mparams", "acts": "macts"}
"""Columns of the reference files."""


def in_print_units(net: Network) -> Counts:
    """Flops in 10^9, params and acts in 10^6, unrounded."""
    c = complexity(net)
    return {cost: getattr(c, cost) / MILLIONS[cost] for cost in COSTS}


READ_TO = {"flops": 0.0016, "params": 0.002, "acts": 0.002}
"""How well the drawings could be read (data/reference/README.md), in 10^9 flops, 10^6 params and
acts."""
READING = {"flops": READ_TO["flops"] + 0.0005, "params": 0.007, "acts": 0.007}
"""How far a drawn point may lie from its network: that, and half of the last digit kept."""


@dataclass(frozen=True, slots=True)
class Published:
    """A published row or point, with the network that makes it.

    Attributes:
        where: ``"Table 7"``, ``"Figure 5"`` ...
        label: the printed name of the row, or of the curve.
        base, strategy, s: the network; strategy and s are None for an unscaled one.
        values: printed or drawn flops, params, acts in 10^9, 10^6, 10^6, as far as published.
        drawn: read from a drawing rather than printed with one decimal.
    """

    where: str
    label: str
    base: str
    strategy: Strategy | None
    s: float | None
    values: Counts
    drawn: bool = False

    def network(self, base: Network | None = None) -> Network:
        """The network; with ``base``, another base scaled in the same way."""
        net = base or get(self.base)
        if self.strategy is None or self.s is None:
            return net
        return replace(scale(net, self.strategy, self.s), name=net.name)

    @property
    def recipe(self) -> str:
        """``"RegNetZ-500MF, dWr, s = 8.1"``."""
        return self.base + (f", {self.strategy.name}, s = {self.s:g}" if self.strategy else "")

    def wrong(self, net: Network) -> list[str]:
        """The costs for which a network's count cannot be what was published."""
        ours = in_print_units(net)
        return [
            cost
            for cost, value in self.values.items()
            if not (
                abs(ours[cost] - value) <= READING[cost]
                if self.drawn
                else agrees_as_printed(value, ours[cost], 1)
            )
        ]


@cache
def printed_rows() -> tuple[Published, ...]:
    """Rows of Tables 5 to 8 whose network is known, as the ledger of claims names it.

    Rows that repeat an earlier table's are there too.
    """
    printed = {(row.table, row.model): row for row in reference.table_rows()}
    rows = []
    for claim in claims.load().claims:
        if claim.judge == "table_complexity":
            a = claim.args
            row = printed[a["table"], a["row"]]
            values = {cost: float(getattr(row, column)) for cost, column in PRINTED.items()}
            # without a scale factor the row is the base itself
            strategy, s = (PAPER[a["strategy"]], float(a["s"])) if "s" in a else (None, None)
            rows.append(Published(f"Table {row.table}", row.model, a["base"], strategy, s, values))
    return tuple(rows)


@cache
def early_convolutions_rows() -> tuple[Published, ...]:
    """The RegNets of "Early Convolutions", Table 2: this paper's networks in a later paper."""
    printed = {row.model: row for row in reference.early_convolutions()}
    rows = []
    for claim in claims.load().claims:
        if claim.judge == "early_convolutions_complexity":
            for model, net in claim.args["networks"].items():
                if model.startswith("RegNet"):
                    base, strategy, s = (*net, None, None)[:3]
                    values = {c: float(getattr(printed[model], k)) for c, k in PRINTED.items()}
                    rows.append(
                        Published(
                            "Early Convolutions",
                            model,
                            base,
                            PAPER[strategy] if strategy else None,
                            float(s) if s else None,
                            values,
                        )
                    )
    return tuple(rows)


def group_width_left_alone(strategy: str) -> Strategy:
    """One of the paper's strategies with group width left alone: the grammar's bare ``w``."""
    return replace(PAPER[strategy], name=f"{strategy}, g alone", g=0.0)


@cache
def drawn_points() -> tuple[Published, ...]:
    """Every point drawn in Figures 1, 2 and 4 to 8, with what the drawing shows of its network.

    RegNetY's dw of Figure 2 is read with group width left alone, see `group_width_readings`.
    """
    points = []
    for p in reference.figure_points():
        figure, strategy = f"Figure {p.figure.split(';')[0]}", paper_strategy(p.strategy)
        values = {"flops": float(p.gflops)}
        points.append(Published(figure, p.strategy, p.base, strategy, p.scale, values, True))
    for o in reference.original_curve():
        figure, values = f"Figure {o.figure.split(';')[0]}", {"flops": float(o.gflops)}
        points.append(Published(figure, "orig", f"EN-{o.model}", None, None, values, True))
    for t in reference.epoch_time_points():
        values = {"flops": float(t.gflops)}
        strategy = PAPER[t.strategy]
        points.append(Published("Figure 1", t.strategy, t.base, strategy, t.scale, values, True))
    for q in reference.runtime_points():
        values = {c: float(getattr(q, k)) for c, k in PRINTED.items() if q.drawn(k)}
        alone = q.base == "RegNetY-500MF" and q.strategy == "dw"
        strategy = group_width_left_alone("dw") if alone else PAPER[q.strategy]
        points.append(Published("Figure 2", q.strategy, q.base, strategy, q.scale, values, True))
    return tuple(points)


def drawn_frame() -> pd.DataFrame:
    """All drawn points beside our counts, one row per figure, base and cost.

    Returns:
        Columns figure, base, cost, points, off (farther than the drawing could be read), worst
        (largest difference from our count, in percent of it).
    """
    groups: dict[tuple[str, str, str], list[tuple[bool, float]]] = {}
    for point in drawn_points():
        net = point.network()
        ours, wrong = in_print_units(net), point.wrong(net)
        base = "EN-B0 to B5" if point.strategy is None else point.base
        for cost, value in point.values.items():
            groups.setdefault((point.where, base, cost), []).append(
                (cost in wrong, 100 * abs(value / ours[cost] - 1))
            )
    return pd.DataFrame(
        [
            {
                "figure": figure,
                "base": base,
                "cost": cost,
                "points": len(found),
                "off": sum(off for off, _ in found),
                "worst": max(difference for _, difference in found),
            }
            for (figure, base, cost), found in sorted(groups.items())
        ]
    )


def evidence(base: str) -> tuple[Published, ...]:
    """Everything published about a base and its scaled networks, without repetitions.

    Printed rows of Tables 5 to 8 and of "Early Convolutions", then drawn points.
    """
    found: dict[object, Published] = {}
    for item in (*printed_rows(), *early_convolutions_rows(), *drawn_points()):
        if item.base == base:
            strategy = item.strategy.name if item.strategy and item.s != 1 else None
            key = (item.drawn, strategy, item.s if strategy else None, tuple(item.values.items()))
            found.setdefault(key, item)
    return tuple(found.values())


UNKNOWN = "RegNetZ-4GF-224"
"""The one row of Tables 5 to 8 whose network was never published and cannot be recovered."""


def table_frame(table: int) -> pd.DataFrame:
    """One of Tables 5 to 8, complexity columns, with the network that makes each row.

    The row that nobody outside can make (`UNKNOWN`) is set beside the only published candidate,
    RegNetZ-4GF at resolution 224, so that the difference shows.

    Returns:
        Columns model (as printed), made (how: a base, or the strategy and s that take the base
        before the arrow there), then paper and ours of flops, params and acts.
    """
    known = {row.label: row for row in printed_rows() if row.where == f"Table {table}"}
    rows = []
    for printed in reference.table_rows():
        if printed.table != table:
            continue
        if printed.model in known:
            source = known[printed.model]
            net, made = source.network(), source.base
            if source.strategy:
                made = f"{source.strategy.name}, s = {source.s:g}"
        elif printed.model == UNKNOWN:
            net, made = get("RegNetZ-4GF").at(224), "RegNetZ-4GF at 224"
        else:
            raise InputError(f"no network is known for {printed.model!r} of Table {table}")
        ours = in_print_units(net)
        row: dict[str, object] = {"model": printed.model, "made": made}
        for cost, column in PRINTED.items():
            row |= {f"paper {cost}": float(getattr(printed, column)), f"our {cost}": ours[cost]}
        rows.append(row)
    return pd.DataFrame(rows)


def comparison(frame: pd.DataFrame, caption: str) -> PageTable:
    """A `table_frame` for a page, narrow: each cell holds the printed value and ours.

    The sign between them says whether ours rounds to the printed digit.
    """
    out = frame.rename(columns={"made": "made by"})[["model", "made by"]].copy()
    marks = {}
    for cost, title in (("flops", "GF"), ("params", "params, M"), ("acts", "acts, M")):
        cells = []
        for paper, ours in zip(frame[f"paper {cost}"], frame[f"our {cost}"], strict=True):
            sign = "=" if agrees_as_printed(paper, ours, 1) else "≠"
            cells.append(f"{paper:.1f} {sign} {ours:.2f}")
            if sign == "≠":
                marks[cells[-1]] = "repro-off"
        out[title] = cells
    return page_table(out, caption, formats={k: "" for k in out.columns[2:]}, marks=marks)


def tally(frames: Sequence[pd.DataFrame]) -> tuple[int, int]:
    """Of the rows of some `table_frame`s: how many agree in all three columns, and how many."""
    agree = [
        all(
            agrees_as_printed(paper, ours, 1)
            for paper, ours in zip(row[2::2], row[3::2], strict=True)
        )
        for frame in frames
        for row in frame.itertuples(index=False)
    ]
    return sum(agree), len(agree)


def scale_intervals() -> pd.DataFrame:
    """Which scale factors can make each dWr network of Figure 8 and of Tables 7 and 8.

    Returns:
        One row per network: base, where, s; low and high: the interval of s that rounds to the
        very same network; networks, from, to: how many neighbouring networks all fit what was
        published, and the s that they span; power: the power of two nearest to s, and whether
        "inside" those; gflops of the network, and of the one at the power of two.
    """
    groups: dict[tuple[str, float], list[Published]] = {}
    for item in (*printed_rows(), *drawn_points()):
        if item.where in ("Table 7", "Table 8", "Figure 8") and item.strategy and item.s != 1:
            assert item.s is not None
            groups.setdefault((item.base, item.s), []).append(item)
    rows = []
    for (base, s), items in sorted(groups.items()):
        net = get(base)
        own = span_of(net, PAPER["dWr"], s)
        fit = [
            span
            for span in spans(net, PAPER["dWr"], s / 1.25, s * 1.25)
            if not any(item.wrong(span.net) for item in items)
        ]
        if not fit:
            raise InputError(f"no network fits what was published of {base}, dWr, s = {s:g}")
        power = 2.0 ** round(math.log2(s))
        rows.append(
            {
                "base": base,
                "where": ", ".join(dict.fromkeys(item.where for item in items)),
                "s": s,
                "low": own.low,
                "high": own.high,
                "networks": len(fit),
                "from": min(span.low for span in fit),
                "to": max(span.high for span in fit),
                "power": power,
                "inside": any(span.low <= power <= span.high for span in fit),
                "gflops": complexity(own.net).flops / 1e9,
                "at power": complexity(scale(net, PAPER["dWr"], power)).flops / 1e9,
            }
        )
    return pd.DataFrame(rows)


def interval_table(frame: pd.DataFrame) -> pd.DataFrame:
    """`scale_intervals` with its intervals as text, for a page."""

    def interval(low: str, high: str) -> list[str]:
        return [f"{a:.3f}–{b:.3f}" for a, b in zip(frame[low], frame[high], strict=True)]

    span = [
        text if n > 1 else "–"
        for text, n in zip(interval("from", "to"), frame.networks, strict=True)
    ]
    return pd.DataFrame(
        {
            "base": frame.base,
            "s": [f"{s:g}" for s in frame.s],
            "same network for": interval("low", "high"),
            "GF": frame.gflops,
            "fit": frame.networks,
            "they span": span,
            "2ⁿ": [f"{power:g}" for power in frame.power],
            "fits": ["yes" if inside else "no" for inside in frame.inside],
            "GF at 2ⁿ": frame["at power"],
        }
    )


def same_label() -> pd.DataFrame:
    """Pairs of networks that go by one label, with their counts.

    Returns:
        Columns label, where, network, flops (10^9), params, acts (10^6).
    """
    pairs: list[tuple[str, str, str, Network]] = []
    z, y = get("RegNetZ-500MF"), get("RegNetY-500MF")
    for target, (s7, s8) in {1: (2, 1.9), 2: (4, 3.85), 4: (8, 8.1)}.items():
        label = f"RegNetZ, dWr, {target} GF"
        where = "Figure 8, Tables 7, 8" if target == 4 else "Figure 8"
        pairs += [
            (label, "Figure 7", f"s = {s7}", scale(z, PAPER["dWr"], s7)),
            (label, where, f"s = {s8}", scale(z, PAPER["dWr"], s8)),
        ]
    label = "RegNetY, 4 GF, searched"
    pairs += [
        (label, "Table 6, “-224”", "RegNetY-4.0GF", get("RegNetY-4.0GF")),
        (label, "Figure 8, Tables 6–8", "RegNetY-4GF", get("RegNetY-4GF")),
    ]
    label = "RegNetY, w, s = 8.2"
    pairs += [
        (label, "Figure 5", "g follows w", scale(y, PAPER["w"], 8.2)),
        (label, "the grammar's w", "g stays 4", scale(y, "w", 8.2)),
    ]
    label = "RegNetY, dw, s = 96"
    pairs += [
        (label, "the paper's text", "g follows w", scale(y, PAPER["dw"], 96)),
        (label, "Figure 2, as drawn", "g stays 4", scale(y, "dw", 96)),
    ]
    return pd.DataFrame(
        [
            {"label": label, "where": where, "network": recipe} | in_print_units(net)
            for label, where, recipe, net in pairs
        ]
    )


def group_width_readings() -> pd.DataFrame:
    """Which reading of w each RegNet curve of Figures 1, 2, 5, 7 and 8 was drawn with.

    A point decides when the two readings give it different counts.

    Returns:
        One row per figure, base and strategy that scales width: figure, base, strategy, points,
        and how many of them are off if g follows w, and if g stays. A point is off when it lies
        farther from the count than the drawing could be read.
    """
    rows: dict[tuple[str, str, str], list[tuple[bool, bool]]] = {}
    for p in drawn_points():
        if p.base.startswith("RegNet") and p.strategy and p.strategy.w and p.label in PAPER:
            follows, stays = (
                bool(replace(p, strategy=reading).wrong(replace(p, strategy=reading).network()))
                for reading in (PAPER[p.label], group_width_left_alone(p.label))
            )
            rows.setdefault((p.where, p.base, p.label), []).append((follows, stays))
    return pd.DataFrame(
        [
            {
                "figure": figure,
                "base": base,
                "strategy": strategy,
                "points": len(off),
                "off if g follows w": sum(follows for follows, _ in off),
                "off if g stays": sum(stays for _, stays in off),
            }
            for (figure, base, strategy), off in sorted(rows.items())
        ]
    )


def largest_difference(base: str, strategy: str) -> tuple[float, float]:
    """How far apart the flops of the two readings of w get on Figure 2's scales.

    Returns:
        The difference in percent, and the scale factor at which it is largest.
    """
    ratios = []
    for s in sorted({p.scale for p in reference.runtime_points() if p.base == base}):
        follows, stays = (
            complexity(scale(get(base), reading, s)).flops
            for reading in (PAPER[strategy], group_width_left_alone(strategy))
        )
        ratios.append((100 * abs(follows / stays - 1), s))
    return max(ratios)


def off_if_g_follows(base: str, strategy: str) -> list[float]:
    """The scale factors at which Figure 2 cannot show a strategy with group width following."""
    read = (
        replace(p, strategy=PAPER[strategy])
        for p in drawn_points()
        if p.where == "Figure 2" and (p.base, p.label) == (base, strategy)
    )
    return [p.s for p in read if p.s is not None and p.wrong(p.network())]


def ledger_value(claim: str) -> float:
    """The published value that ``data/claims.yaml`` itself holds for a claim.

    Raises:
        InputError: no such claim, or one without a single value of its own.
    """
    values = [c.published for c in claims.load().claims if c.id == claim]
    if len(values) != 1 or len(values[0]) != 1:
        raise InputError(f"the ledger holds no single value for claim {claim!r}")
    return float(values[0][0])
