"""Judges of how the second paper scales: its bases, searches and levels, Tables 2, 5 and 6.

They do the arithmetic of the paper's text on its own tables and on its authors' coefficients.
"""

from __future__ import annotations

from fractions import Fraction
from math import log
from typing import Literal

from repro import reference
from repro.arch.efficientnet_x import coefficients
from repro.claims.claim import Claim
from repro.claims.judging import Points, at_least, between, equals, holds, judge_function
from repro.reference import select


def _bases(scaling: str) -> reference.XBases:
    (row,) = select(reference.x_bases(), scaling=scaling)
    return row


@judge_function("the paper against itself")
def bases_double_work(claim: Claim, low: float, high: float) -> Points:
    """depth * width^2 * resolution^2 of every row of Table 2 lies between two bounds."""
    return [
        between(row.scaling, low, high, float(row.depth * row.width**2 * row.resolution**2), ".3f")
        for row in reference.x_bases()
    ]


@judge_function("the authors' code")
def builder_depth_grows_fastest(
    claim: Claim, families: list[str], levels: list[str], times: float
) -> Points:
    """In the builder's coefficients depth's logarithm is so many times width's and resolution's."""
    for family in families:
        start = coefficients(f"{family}-B0").resolution
        for level in levels:
            c = coefficients(f"{family}-{level}")
            for other, value in (("width", c.width), ("resolution", c.resolution / start)):
                found = log(c.depth) / log(value)
                unit = f" times {other}"
                yield at_least(f"{family}-{level}", times, found, ".2f", unit=unit)


@judge_function("the authors' code")
def builder_deeper(claim: Claim, family: str, than: str, levels: list[str]) -> Points:
    """In the builder's coefficients one family is deeper than another at every level."""
    for level in levels:
        a, b = (coefficients(f"{name}-{level}").depth for name in (family, than))
        required = f"above {b:g}, that of {than}-{level}"
        yield holds(f"{family}-{level}", required, f"{a:g}", a > b, "depth")


@judge_function("the authors' code")
def levels_of_family(
    claim: Claim, scaling: str, family: str, quantity: Literal["depth", "resolution"]
) -> Points:
    """Table 6's depths or resolutions beside a family's: 16 blocks times depth, rounded down."""
    for row in select(reference.x_levels(), scaling=scaling):
        c = coefficients(f"{family}-{row.level}")
        # exact: 16 * 1.1 is below 17.6 in floats, too
        ours = int(16 * Fraction(str(c.depth))) if quantity == "depth" else c.resolution
        yield equals(f"{family}-{row.level}", quantity, getattr(row, quantity), ours)


@judge_function("the paper against itself")
def levels_from_bases(claim: Claim, scaling: str, within: float) -> Points:
    """Table 2's bases, raised to each level's nominal work, give Table 6 to a share of itself."""
    base = _bases(scaling)
    for row in select(reference.x_levels(), scaling=scaling):
        c = coefficients(f"EN-X-{row.level}")
        phi = log(c.depth * c.width**2 * (c.resolution / 224) ** 2, 2)  # doublings of B0's work
        for quantity, start in (("depth", 16), ("resolution", 224)):
            printed, found = getattr(row, quantity), start * float(getattr(base, quantity)) ** phi
            ours = int(found) if quantity == "depth" else round(found)
            required, ok = f"{printed} to {within:.0%}", abs(ours / printed - 1) <= within
            yield holds(f"{scaling} {row.level}", required, str(ours), ok, quantity)


@judge_function("the paper against itself")
def searches_agree(claim: Claim, within: float) -> Points:
    """Table 5: the X-B7 of the two searches differ by no more than a share."""
    a, b = reference.x_searches()
    for quantity in ("depth", "resolution"):
        low, high = sorted(getattr(search, f"x_b7_{quantity}") for search in (a, b))
        more = high / low - 1
        text = f"{low} against {high}, {more:.1%}"
        yield holds("X-B7", f"within {within:.0%}", text, more <= within, quantity)


@judge_function("the paper against itself")
def search_in_table6(claim: Claim, searched_at: str, scaling: str) -> Points:
    """The X-B7 of a search of Table 5 is the B7 of a row of Table 6."""
    (search,) = select(reference.x_searches(), searched_at=searched_at)
    (level,) = select(reference.x_levels(), scaling=scaling, level="B7")
    label = f"search at {searched_at}, {scaling} B7"
    yield equals(label, "depth", search.x_b7_depth, level.depth)
    yield equals(label, "resolution", search.x_b7_resolution, level.resolution)


@judge_function("the paper against itself")
def same_device_deeper(claim: Claim, level: str) -> Points:
    """The device whose networks Table 2 makes deeper has the deeper ones in Table 6."""
    names = ("LACS GPU", "LACS TPU")
    deeper = max(names, key=lambda name: _bases(name).depth)
    rows = [r for r in reference.x_levels() if r.level == level and r.scaling in names]
    in_table6 = max(rows, key=lambda r: r.depth).scaling
    return [equals(level, "deeper by Table 2 and by Table 6", deeper, in_table6)]


@judge_function("the paper against itself")
def changed_by_lacs(
    claim: Claim, level: str, quantity: Literal["depth", "resolution"], low: float, high: float
) -> Points:
    """How much deeper or smaller (percent) Table 6's LACS networks are lies between two bounds."""
    rows = {r.scaling: getattr(r, quantity) for r in reference.x_levels() if r.level == level}
    for scaling in ("LACS GPU", "LACS TPU"):
        change = abs(100 * float(Fraction(rows[scaling], rows["single objective"]) - 1))
        yield between(f"{scaling} {level}", low, high, change, ".1f", " %", quantity)
