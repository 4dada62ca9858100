"""Judges that need nothing but the papers' own published numbers.

They decide what a text says about its tables and figures; they reproduce no measurement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import exp, log
from statistics import correlation, linear_regression
from typing import Annotated, Literal

from pydantic import Field

from repro import reference
from repro.claims.claim import Claim
from repro.claims.judging import (
    Point,
    Points,
    at_least,
    beyond_chance,
    holds,
    in_words,
    judge_function,
    rounds_to,
)
from repro.errors import InputError
from repro.evidence.printed import Quantity, count, network, run_noise
from repro.reference import select

Cell = Annotated[tuple[int | float | str, ...], Field(min_length=3)]
"""A published value: where, the keys of its row, its column."""
PLACES: dict[str, tuple[str, tuple[str, ...]]] = {
    **{str(table): ("table_rows", ("model",)) for table in (5, 6, 7, 8)},
    "Figure 1 times": ("epoch_time_points", ("strategy", "scale")),
    "X Table 2": ("x_bases", ("scaling",)),
    "X Table 3": ("x_results", ("model",)),
    "X Table 4": ("x_ablation", ("model",)),
    "X Figure 2": ("drawn_rooflines", ("device",)),
}
"""Where a cell stands: its reference file, and the keys of a row; else "Figure 4" to "Figure 8"."""


def _cell(at: Cell) -> Decimal:
    place, *keys, column = at
    loader, names = PLACES.get(str(place), ("figure_points", ("base", "strategy", "scale")))
    if len(keys) != len(names):
        raise InputError(f"{place}: a row is told by {', '.join(names)}, not by {keys}")
    where = dict(zip(names, keys, strict=True))
    if loader == "table_rows":
        where["table"] = place
    rows = select(getattr(reference, loader)(), **where)
    if loader == "figure_points":
        rows = [r for r in rows if str(place).removeprefix("Figure ") in r.figure.split(";")]
    value = getattr(rows[0], str(column), None) if rows else None
    if not isinstance(value, Decimal):
        raise InputError(f"{place}, {' '.join(map(str, keys))}: no value {column!r} is published")
    return value


def _name(at: Cell) -> str:
    _, *keys, column = at
    return " ".join([*(key for key in keys if isinstance(key, str)), in_words(str(column))])


@judge_function("the paper against itself")
def differences(claim: Claim, pairs: list[tuple[Cell, Cell]]) -> Points:
    """First cell minus second, for each pair, beside the differences stated in the text."""
    if len(pairs) != len(claim.published):
        raise InputError(f"{len(pairs)} pairs for {len(claim.published)} published values")
    for (a, b), said in zip(pairs, claim.published, strict=True):
        label, found = f"{_name(a)} minus {_name(b)}", Fraction(_cell(a) - _cell(b))
        yield rounds_to(claim, label, "", said, found, claim.unit)


@judge_function("the paper against itself")
def ratios(claim: Claim, pairs: list[tuple[Cell, Cell]]) -> Points:
    """One cell over another, in each pair, beside the one ratio stated in the text."""
    for above, below in pairs:
        label, found = f"{_name(above)} over {_name(below)}", Fraction(_cell(above))
        yield rounds_to(claim, label, "", claim.published[0], found / Fraction(_cell(below)))


def _chance(*cells: Cell) -> float:
    """By how much a sum and difference of these errors moves from run to run: 95 %, in points.

    0 where they are no errors. Figure 8, and the columns 1x to 4x of tables, are means of three
    runs; the other figures, and what was reported elsewhere, are single runs.
    """
    if any("error" not in str(column) for *_, column in cells):
        return 0.0
    means = ("Figure 8", "1x", "2x", "4x")
    runs = [3 if {str(c[0]), str(c[-1])[-2:]} & {*means} else 1 for c in cells]
    return 1.96 * run_noise() * sum(1 / n for n in runs) ** 0.5


@judge_function("the paper against itself")
def in_order(claim: Claim, rising: list[list[Cell]], or_equal: bool = False) -> Points:
    """Published values rise along these cells; several lists may be given.

    Errors must differ by more than runs do, unless they may be equal.
    """
    sign = "<=" if or_equal else "<"
    found = []
    for a, b in (pair for cells in rising for pair in pairwise(cells)):
        x, y = _cell(a), _cell(b)
        ok = x <= y if or_equal else x < y
        point = holds("", f"{_name(a)} {sign} {_name(b)}", f"{x} against {y}", ok)
        found.append((point, float(abs(x - y)), 0.0 if or_equal else _chance(a, b)))
    return beyond_chance(found)


@judge_function("the paper against itself")
def gaps_shrink(claim: Claim, pairs: list[tuple[Cell, Cell]]) -> Points:
    """First cell minus second is smaller from pair to pair, by more than runs differ."""
    found = []
    for (a, b), (c, d) in pairwise(pairs):
        x, y = _cell(a) - _cell(b), _cell(c) - _cell(d)
        point = holds("", f"{c[1]} below {a[1]}", f"{y} against {x} points", y < x)
        found.append((point, float(abs(x - y)), _chance(a, b, c, d)))
    return beyond_chance(found)


Curve = Sequence[tuple[float, float]]


def value_at(curve: Curve, x: float) -> float | None:
    """A curve's value on the straight lines of a log-log plot; None outside of it."""
    for (x0, y0), (x1, y1) in pairwise(curve):
        if x0 <= x <= x1:
            return exp(log(y0) + log(x / x0) / log(x1 / x0) * log(y1 / y0))
    return None


def below(
    curves: Mapping[str, Curve], lower: list[str], others: list[str], at: list[float], unit: str
) -> Iterator[Point]:
    """At these flops one of the first curves lies below each of the others, where both are."""
    for x in at:
        best = [y for name in lower if (y := value_at(curves[name], x)) is not None]
        for name in others:
            other = value_at(curves[name], x)
            if best and other is not None:
                text = f"{min(best):.4g} against {other:.4g} {unit}"
                yield holds(f"{x:g} GF", f"below {name}", text, min(best) < other)


def _time_curve(base: str) -> Curve:
    """(GF, minutes) of a curve of Figure 8; ``"orig"`` is EfficientNet-B0 to B5."""
    rows: Sequence[reference.OriginalPoint | reference.FigurePoint] = (
        reference.original_curve()
        if base == "orig"
        else select(reference.figure_points(), figure="8", base=base)
    )
    return [(float(r.gflops), float(r.epoch_minutes_8xv100 or "nan")) for r in rows]


@judge_function("the paper against itself")
def fastest_in_figure8(
    claim: Claim, fastest: list[str], others: list[str], gflops: list[float]
) -> Points:
    """At these flops one of the first curves takes less time than each of the others."""
    curves = {base: _time_curve(base) for base in fastest + others}
    return list(below(curves, fastest, others, gflops, "min"))


@judge_function("the paper against itself")
def slower_growth_in_figure8(
    claim: Claim, curves: list[str], than: str, gflops: list[float]
) -> Points:
    """Time grows with a smaller power of flops than on a reference curve, and ends up below it."""

    def power(base: str) -> float:
        logs = [(log(x), log(y)) for x, y in _time_curve(base)]
        return linear_regression(*zip(*logs, strict=True)).slope

    for base in curves:
        a, b = power(base), power(than)
        yield holds(base, f"smaller power than {than}", f"{a:.2f} against {b:.2f}", a < b)
        lines = {name: _time_curve(name) for name in (base, than)}
        yield from below(lines, [base], [than], gflops, "min")


def _time_and_quantity(
    quantity: str, base: str, strategy: str | None, drawn_only: bool
) -> tuple[list[float], list[float]]:
    """Figure 2's points: a quantity and the epoch minutes. What is not drawn is counted here."""
    xs, ys = [], []
    for p in reference.runtime_points():
        if base not in ("all", p.base) or strategy not in (None, p.strategy):
            continue
        if p.drawn(quantity):
            xs.append(float(getattr(p, quantity)))
        elif drawn_only:
            continue
        else:
            xs.append(float(count(network(p.base, p.strategy, p.scale), quantity)))
        ys.append(float(p.epoch_minutes_8xv100))
    return xs, ys


@judge_function("the paper against itself")
def pearson(
    claim: Claim,
    panel: Literal["flops", "params", "acts", "families"] | None = None,
    base: str = "EN-B0",
    drawn_only: bool = True,
) -> Points:
    """Every correlation printed in a panel of Figure 2, recomputed from its drawn points.

    Without a panel: that of acts and time on one base beside the ledger's published value.
    """
    quantity = {"flops": "gflops", "params": "mparams"}.get(panel or "", "macts")
    printed = [(base, claim.published[0])] if panel is None else []
    printed += [(p.group, p.pearson_r) for p in reference.printed_pearson() if p.panel == panel]
    for group, r in printed:
        by_base = panel in (None, "families")
        strategy = None if by_base or group == "all" else group
        xs, ys = _time_and_quantity(quantity, group if by_base else base, strategy, drawn_only)
        yield rounds_to(claim, f"{group}, {len(xs)} models", "r", r, correlation(xs, ys))


@judge_function("the paper against itself")
def pearson_at_least(claim: Claim, quantity: Quantity, bases: list[str], bound: float) -> Points:
    """Within every base the correlation reaches the bound, without rounding."""
    for base in bases:
        xs, ys = _time_and_quantity(quantity, base, None, drawn_only=True)
        r = correlation(xs, ys)
        yield at_least(f"r of {base}, {len(xs)} models", bound, r, ".4f")


@judge_function("the paper against itself")
def fitted_line(claim: Claim, base: str, quantity: Quantity, drawn_only: bool) -> Points:
    """Slope and intercept of minutes over a quantity, beside the line drawn in Figure 2."""
    xs, ys = _time_and_quantity(quantity, base, None, drawn_only)
    line, label = linear_regression(xs, ys), f"{base}, {len(xs)} models"
    for name, said in zip(("slope", "intercept"), claim.published, strict=True):
        yield rounds_to(claim, label, name, said, getattr(line, name))
