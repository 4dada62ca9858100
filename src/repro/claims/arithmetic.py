"""Judges that need nothing but the papers' own published numbers.

They decide what a text says about its tables and figures; they reproduce no measurement.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import exp, log
from statistics import correlation, linear_regression
from typing import Literal

from repro import reference
from repro.claims.claim import Claim
from repro.claims.judging import Point, holds, in_words, judge_function, rounds_to
from repro.errors import InputError
from repro.evidence.printed import Quantity, count, network
from repro.reference import select

Cell = tuple[int, str, str]
"""A cell of Tables 5 to 8: table, row, column."""
Place = tuple[str, str, str, float]
"""A plotted point: figure, base, strategy, scale."""


def _cell(at: Cell) -> Decimal:
    table, model, column = at
    (row,) = select(reference.table_rows(), table=table, model=model)
    value = getattr(row, column, None)
    if not isinstance(value, Decimal):
        raise InputError(f"Table {table}, {model}: no value {column!r} is published")
    return value


def _name(at: Cell) -> str:
    return f"{at[1]} {in_words(at[2])}"


@judge_function
def table_differences(claim: Claim, pairs: list[tuple[Cell, Cell]]) -> list[Point]:
    """First cell minus second, for each pair, beside the differences stated in the text."""
    if len(pairs) != len(claim.published):
        raise InputError(f"{len(pairs)} pairs for {len(claim.published)} published values")
    return [
        rounds_to(
            claim,
            f"{_name(a)} minus {_name(b)}",
            "",
            said,
            Fraction(_cell(a) - _cell(b)),
            claim.unit,
        )
        for (a, b), said in zip(pairs, claim.published, strict=True)
    ]


@judge_function
def table_ratio(claim: Claim, above: Cell, below: Cell) -> list[Point]:
    """One cell over another, beside the ratio stated in the text."""
    ratio = Fraction(_cell(above)) / Fraction(_cell(below))
    label = f"{_name(above)} over {_name(below)}"
    return [rounds_to(claim, label, "", claim.published[0], ratio)]


@judge_function
def table_order(
    claim: Claim, pairs: list[tuple[Cell, Cell]], or_equal: bool = False
) -> list[Point]:
    """In every pair the first cell is below the second."""
    sign = "<=" if or_equal else "<"
    points = []
    for a, b in pairs:
        x, y = _cell(a), _cell(b)
        ok = x <= y if or_equal else x < y
        points.append(holds("", f"{_name(a)} {sign} {_name(b)}", f"{x} against {y}", ok))
    return points


def _plotted(at: Place) -> reference.FigurePoint:
    figure, base, strategy, s = at
    rows = select(reference.figure_points(), base=base, strategy=strategy, scale=s)
    found = [row for row in rows if figure in row.figure.split(";")]
    if not found:
        raise InputError(f"Figure {figure} has no point {base} {strategy} x{s:g}")
    return found[0]


@judge_function
def figure_order(
    claim: Claim,
    column: Literal["top1_error_percent", "epoch_minutes_8xv100", "gflops"],
    points: list[Place],
) -> list[Point]:
    """A plotted quantity increases along these points."""
    found = []
    for at in points:
        value = getattr(_plotted(at), column)
        if value is None:
            raise InputError(f"Figure {at[0]} plots no {column}")
        found.append((f"{at[1]} {at[2]}", value))
    return [
        holds("", f"{a} below {b}", f"{x} < {y}", x < y, column)
        for (a, x), (b, y) in pairwise(found)
    ]


@judge_function
def width_gap_order(claim: Claim, narrower: list[tuple[Place, Place]]) -> list[Point]:
    """How much higher the error of w is than that of dwr shrinks from base to base."""
    gaps = []
    for w, dwr in narrower:
        a, b = _plotted(w), _plotted(dwr)
        gaps.append((w[1], a.top1_error_percent - b.top1_error_percent))
    return [
        holds("", f"{b} below {a}", f"{y} < {x} points", y < x) for (a, x), (b, y) in pairwise(gaps)
    ]


@judge_function
def epoch_time_order(claim: Claim, points: list[tuple[str, float]]) -> list[Point]:
    """In Figure 1, bottom right, the epoch time increases along these (strategy, s)."""
    found = []
    for strategy, s in points:
        (p,) = select(reference.epoch_time_points(), strategy=strategy, scale=s)
        found.append((strategy, p.epoch_minutes_8xv100))
    return [
        holds("", f"{a} below {b}", f"{x} < {y} min", x < y) for (a, x), (b, y) in pairwise(found)
    ]


Curve = list[tuple[float, float]]


def _time_curve(base: str) -> Curve:
    """(GF, minutes) of a curve of Figure 8; ``"orig"`` is EfficientNet-B0 to B5."""
    rows: Sequence[reference.OriginalPoint | reference.FigurePoint] = (
        reference.original_curve()
        if base == "orig"
        else select(reference.figure_points(), figure="8", base=base)
    )
    return [(float(r.gflops), float(r.epoch_minutes_8xv100 or "nan")) for r in rows]


def _minutes_at(curve: Curve, gflops: float) -> float | None:
    """Minutes at given flops on the straight lines of a log-log plot; None outside the curve."""
    for (x0, y0), (x1, y1) in pairwise(curve):
        if x0 <= gflops <= x1:
            part = log(gflops / x0) / log(x1 / x0)
            return exp(log(y0) + part * log(y1 / y0))
    return None


@judge_function
def fastest_in_figure8(
    claim: Claim, fastest: list[str], others: list[str], gflops: list[float]
) -> list[Point]:
    """At these flops one of the first curves takes less time than each of the others."""
    points = []
    for at in gflops:
        times = {base: _minutes_at(_time_curve(base), at) for base in fastest + others}
        best = min(t for base in fastest if (t := times[base]) is not None)
        for base in others:
            if (other := times[base]) is not None:
                text = f"{best:.1f} < {other:.1f} min"
                points.append(holds(f"{at:g} GF", f"below {base}", text, best < other))
    return points


@judge_function
def slower_growth_in_figure8(
    claim: Claim, curves: list[str], than: str, gflops: list[float]
) -> list[Point]:
    """Time grows with a smaller power of flops than on a reference curve, and ends up below it."""

    def power(curve: Curve) -> float:
        return linear_regression([log(x) for x, _ in curve], [log(y) for _, y in curve]).slope

    reference_curve = _time_curve(than)
    points = []
    for base in curves:
        curve = _time_curve(base)
        a, b = power(curve), power(reference_curve)
        points.append(holds(base, f"smaller power than {than}", f"{a:.2f} < {b:.2f}", a < b))
        for at in gflops:
            x, y = _minutes_at(curve, at), _minutes_at(reference_curve, at)
            if x is not None and y is not None:
                text = f"{x:.1f} < {y:.1f} min"
                points.append(holds(base, f"below {than} at {at:g} GF", text, x < y))
    return points


def _time_and_quantity(
    quantity: str, base: str | None, strategy: str | None, drawn_only: bool
) -> tuple[list[float], list[float]]:
    """Figure 2's points: a quantity and the epoch minutes. What is not drawn is counted here."""
    xs, ys = [], []
    for p in reference.runtime_points():
        if base not in (None, p.base) or strategy not in (None, p.strategy):
            continue
        if p.drawn(quantity):
            xs.append(float(getattr(p, quantity)))
        elif drawn_only:
            continue
        else:
            xs.append(float(count(network(p.base, p.strategy, p.scale), quantity)))
        ys.append(float(p.epoch_minutes_8xv100))
    return xs, ys


@judge_function
def pearson_panel(
    claim: Claim, panel: Literal["flops", "params", "acts", "families"]
) -> list[Point]:
    """Every correlation printed in a panel of Figure 2, recomputed from its drawn points."""
    points = []
    quantity = {"flops": "gflops", "params": "mparams"}.get(panel, "macts")
    for printed in select(reference.printed_pearson(), panel=panel):
        group = None if printed.group == "all" else printed.group
        base, strategy = (group, None) if panel == "families" else ("EN-B0", group)
        xs, ys = _time_and_quantity(quantity, base, strategy, drawn_only=True)
        label = f"{printed.group}, {len(xs)} models"
        points.append(rounds_to(claim, label, "r", printed.pearson_r, correlation(xs, ys)))
    return points


@judge_function
def pearson(
    claim: Claim, base: str, quantity: Quantity, drawn_only: bool, strategy: str | None = None
) -> list[Point]:
    """One correlation of Figure 2 beside the ledger's published value."""
    xs, ys = _time_and_quantity(quantity, base, strategy, drawn_only)
    label = f"{base}, {len(xs)} models"
    return [rounds_to(claim, label, "r", claim.published[0], correlation(xs, ys))]


@judge_function
def pearson_at_least(
    claim: Claim, quantity: Quantity, bases: list[str], bound: Decimal
) -> list[Point]:
    """Within every base the correlation reaches the bound, without rounding."""
    points = []
    for base in bases:
        xs, ys = _time_and_quantity(quantity, base, None, drawn_only=True)
        r = correlation(xs, ys)
        ok = Decimal(r) >= bound
        points.append(holds(f"{base}, {len(xs)} models", f"at least {bound}", f"{r:.4f}", ok, "r"))
    return points


@judge_function
def fitted_line(claim: Claim, base: str, quantity: Quantity, drawn_only: bool) -> list[Point]:
    """Slope and intercept of minutes over a quantity, beside the line drawn in Figure 2."""
    xs, ys = _time_and_quantity(quantity, base, None, drawn_only)
    line = linear_regression(xs, ys)
    label = f"{base}, {len(xs)} models"
    return [
        rounds_to(claim, label, name, said, value)
        for name, said, value in zip(
            ("slope", "intercept"), claim.published, (line.slope, line.intercept), strict=True
        )
    ]
