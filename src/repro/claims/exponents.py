"""Judges of the theory: Tables 1 to 4, and how real networks follow them."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import log
from statistics import linear_regression
from typing import Literal

from repro import reference, theory
from repro.arch.strategy import paper_strategy
from repro.claims.claim import Claim
from repro.claims.judging import Point, equals, holds, judge_function, rounds_to
from repro.evidence.printed import Quantity, count, network
from repro.reference import select

COSTS = ("flops", "params", "acts")


def _exponent(claim: Claim, label: str, quantity: str, printed: str, ours: Fraction) -> Point:
    """A printed exponent: decimals are compared as printed, fractions exactly."""
    if "." in printed:
        return rounds_to(claim, label, quantity, Decimal(printed), ours)
    return equals(label, quantity, Fraction(printed), ours)


@judge_function
def table_exponents(claim: Claim, table: Literal[1, 2, 3, 4], strategy: str) -> list[Point]:
    """A row of Tables 1 to 4: every exponent derived, and measured on a real conv stage."""
    (row,) = select(reference.exponent_rows(), table=table, strategy=strategy)
    if table == 3:
        powers = theory.GROUP_SCALING[strategy]
    else:
        powers = theory.strategy_powers(paper_strategy(strategy))
    factors = {
        "depth": (row.depth, powers.d),
        "width": (row.width, powers.w),
        "group width": (row.group_width, powers.g),
        "resolution": (row.resolution, powers.r),
        "share of depth": (row.share_depth, powers.d),
        "share of width": (row.share_width, 2 * powers.w),
        "share of resolution": (row.share_resolution, 2 * powers.r),
    }
    points = [
        _exponent(claim, strategy, name, printed, ours)
        for name, (printed, ours) in factors.items()
        if printed and isinstance(ours, Fraction)
    ]
    for how, found in (
        ("derived", theory.growth(powers)),
        ("measured", theory.measured(powers, theory.GROUPED if table == 3 else theory.DENSE)),
    ):
        points += [
            _exponent(claim, f"{strategy}, {how}", cost, getattr(row, cost), getattr(found, cost))
            for cost in COSTS
        ]
    return points


@judge_function
def family_exponents(claim: Claim) -> list[Point]:
    """Table 4's general row: every exponent as a function of alpha."""
    (row,) = select(reference.exponent_rows(), table=4, strategy="alpha")
    powers = theory.family_powers()
    found = theory.growth(powers)
    ours = {
        "depth": powers.d,
        "width": powers.w,
        "resolution": powers.r,
        "share_depth": powers.d,
        "share_width": 2 * powers.w,
        "share_resolution": 2 * powers.r,
        **{cost: getattr(found, cost) for cost in COSTS},
    }
    return [equals("alpha", name, getattr(row, name), str(e)) for name, e in ours.items()]


@judge_function
def theory_curves(claim: Claim) -> list[Point]:
    """Figure 1, bottom left: relative acts at the right end of every curve."""
    points = []
    for p in reference.theory_points():
        acts = theory.growth(theory.strategy_powers(paper_strategy(p.strategy))).acts
        assert isinstance(acts, Fraction)
        label = f"{p.strategy}, s={p.scale:g}"
        points.append(rounds_to(claim, label, "acts", p.relative_acts, p.scale ** float(acts)))
    return points


def slope(base: str, strategy: str, quantity: Quantity, scales: list[float]) -> float:
    """Measured exponent of s: least squares on the logarithms of a real network's counts."""
    counts = [log(count(network(base, strategy, s), quantity)) for s in scales]
    return linear_regression([log(s) for s in scales], counts).slope


@judge_function
def slopes_between(
    claim: Claim,
    bases: list[str],
    strategy: str,
    quantity: Quantity,
    scales: list[float],
    low: float,
    high: float,
) -> list[Point]:
    """On every base the measured exponent lies between two bounds."""
    points = []
    for base in bases:
        found = slope(base, strategy, quantity, scales)
        ok = low <= found <= high
        points.append(holds(base, f"{low:g} to {high:g}", f"{found:.3f}", ok, quantity))
    return points


@judge_function
def slopes_in_order(
    claim: Claim, bases: list[str], strategies: list[str], quantity: Quantity, scales: list[float]
) -> list[Point]:
    """On every base the measured exponents of these strategies increase in this order."""
    points = []
    for base in bases:
        found = {name: slope(base, name, quantity, scales) for name in strategies}
        for a, b in pairwise(strategies):
            text = f"{found[a]:.3f} < {found[b]:.3f}"
            points.append(holds(base, f"{a} below {b}", text, found[a] < found[b], quantity))
    return points


@judge_function
def uniform_scaling_by_two(
    claim: Claim, depth: float, width: float, resolution: float, within: float
) -> list[Point]:
    """Given factors are close to uniform compound scaling (dwr) by s = 2."""
    uniform = paper_strategy("dwr").multipliers(2.0)
    pairs = {
        "depth": (depth, uniform.d),
        "width": (width, uniform.w),
        "resolution": (resolution, uniform.r),
        "flops": (depth * width**2 * resolution**2, 2.0),
    }
    return [
        holds(name, f"{u:.3f} within {within:.0%}", f"{f:.3f}", abs(f / u - 1) <= within)
        for name, (f, u) in pairs.items()
    ]
