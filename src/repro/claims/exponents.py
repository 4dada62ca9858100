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
from repro.claims.judging import Point, Points, between, equals, holds, judge_function, rounds_to
from repro.evidence.printed import Quantity, count, network
from repro.reference import select

COSTS = ("flops", "params", "acts")


def _exponent(claim: Claim, label: str, quantity: str, printed: str, ours: Fraction) -> Point:
    """A printed exponent: decimals are compared as printed, fractions exactly."""
    if "." in printed:
        return rounds_to(claim, label, quantity, Decimal(printed), ours)
    return equals(label, quantity, Fraction(printed), ours)


def _factors(powers: theory.Powers) -> dict[str, Fraction | theory.Linear | None]:
    """Exponents by their columns; a share of the log-flops counts width and resolution twice."""
    shares = (powers.d, 2 * powers.w, 2 * powers.r)
    return {
        **{"depth": powers.d, "width": powers.w, "group_width": powers.g, "resolution": powers.r},
        **dict(zip(("share_depth", "share_width", "share_resolution"), shares, strict=True)),
    }


@judge_function("theory")
def table_exponents(claim: Claim, table: Literal[1, 2, 3, 4], strategy: str) -> Points:
    """A row of Tables 1 to 4: every exponent derived, and measured on a real conv stage."""
    (row,) = select(reference.exponent_rows(), table=table, strategy=strategy)
    if table == 3:
        powers = theory.GROUP_SCALING[strategy]
    else:
        powers = theory.strategy_powers(paper_strategy(strategy))
    for name, ours in _factors(powers).items():
        what = name.replace("share_", "share of ").replace("_", " ")
        if (printed := getattr(row, name)) and isinstance(ours, Fraction):
            yield _exponent(claim, strategy, what, printed, ours)
    for how, found in (
        ("derived", theory.growth(powers)),
        ("measured", theory.measured(powers, theory.GROUPED if table == 3 else theory.DENSE)),
    ):
        for cost in COSTS:
            sides = getattr(row, cost), getattr(found, cost)
            yield _exponent(claim, f"{strategy}, {how}", cost, *sides)


@judge_function("theory")
def family_exponents(claim: Claim) -> Points:
    """Table 4's general row: every exponent as a function of alpha."""
    (row,) = select(reference.exponent_rows(), table=4, strategy="alpha")
    powers = theory.family_powers()
    found = theory.growth(powers)
    for name, ours in (_factors(powers) | {cost: getattr(found, cost) for cost in COSTS}).items():
        if printed := getattr(row, name):
            yield equals("alpha", name, printed, str(ours))


@judge_function("theory")
def theory_curves(claim: Claim) -> Points:
    """Figure 1, bottom left: relative acts at the right end of every curve."""
    for p in reference.theory_points():
        acts = theory.growth(theory.strategy_powers(paper_strategy(p.strategy))).acts
        assert isinstance(acts, Fraction)
        label = f"{p.strategy}, s={p.scale:g}"
        yield rounds_to(claim, label, "acts", p.relative_acts, p.scale ** float(acts))


def slope(base: str, strategy: str, quantity: Quantity, scales: list[float]) -> float:
    """Measured exponent of s: least squares on the logarithms of a real network's counts."""
    counts = [log(count(network(base, strategy, s), quantity)) for s in scales]
    return linear_regression([log(s) for s in scales], counts).slope


@judge_function("our counts against the paper")
def slopes_between(
    claim: Claim,
    bases: list[str],
    strategy: str,
    quantity: Quantity,
    scales: list[float],
    low: float,
    high: float,
) -> Points:
    """On every base the measured exponent lies between two bounds."""
    return [
        between(base, low, high, slope(base, strategy, quantity, scales), ".3f", quantity=quantity)
        for base in bases
    ]


@judge_function("our counts against the paper")
def slopes_in_order(
    claim: Claim, bases: list[str], strategies: list[str], quantity: Quantity, scales: list[float]
) -> Points:
    """On every base the measured exponents of these strategies increase in this order."""
    for base in bases:
        found = {name: slope(base, name, quantity, scales) for name in strategies}
        for a, b in pairwise(strategies):
            text = f"{found[a]:.3f} against {found[b]:.3f}"
            yield holds(base, f"{a} below {b}", text, found[a] < found[b], quantity)


@judge_function("theory")
def uniform_scaling_by_two(
    claim: Claim, depth: float, width: float, resolution: float, within: float
) -> Points:
    """Given factors are close to uniform compound scaling (dwr) by s = 2."""
    uniform = paper_strategy("dwr").multipliers(2.0)
    factors = (depth, width, resolution, depth * width**2 * resolution**2)
    wanted = (uniform.d, uniform.w, uniform.r, 2.0)
    for name, f, u in zip(("depth", "width", "resolution", "flops"), factors, wanted, strict=True):
        yield holds(name, f"{u:.3f} within {within:.0%}", f"{f:.3f}", abs(f / u - 1) <= within)
