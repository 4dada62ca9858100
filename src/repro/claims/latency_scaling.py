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
from repro.claims.judging import Point, equals, holds, judge_function
from repro.reference import select


def _bases(scaling: str) -> reference.XBases:
    (row,) = select(reference.x_bases(), scaling=scaling)
    return row


@judge_function
def bases_double_work(claim: Claim, low: float, high: float) -> list[Point]:
    """depth * width^2 * resolution^2 of every row of Table 2 lies between two bounds."""
    points = []
    for row in reference.x_bases():
        work = float(row.depth * row.width**2 * row.resolution**2)
        ok = low <= work <= high
        points.append(holds(row.scaling, f"{low:g} to {high:g}", f"{work:.3f}", ok))
    return points


@judge_function
def depth_base_largest(claim: Claim, scalings: list[str], baseline: str) -> list[Point]:
    """In Table 2 depth grows fastest, and faster than by a baseline's bases."""
    points = []
    for scaling in scalings:
        row = _bases(scaling)
        for other in ("width", "resolution"):
            value = getattr(row, other)
            text = f"{row.depth} against {value}"
            points.append(holds(scaling, f"depth above {other}", text, row.depth > value))
        before = _bases(baseline).depth
        text = f"{row.depth} against {before}"
        points.append(holds(scaling, f"depth above {baseline}'s", text, row.depth > before))
    return points


@judge_function
def builder_depth_grows_fastest(
    claim: Claim, families: list[str], levels: list[str], times: float
) -> list[Point]:
    """In the builder's coefficients depth's logarithm is so many times width's and resolution's."""
    points = []
    for family in families:
        start = coefficients(f"{family}-B0").resolution
        for level in levels:
            c = coefficients(f"{family}-{level}")
            for other, value in (("width", c.width), ("resolution", c.resolution / start)):
                found = log(c.depth) / log(value)
                label = f"{family}-{level}"
                ok = found >= times
                points.append(holds(label, f"at least {times:g} times {other}", f"{found:.2f}", ok))
    return points


@judge_function
def levels_of_family(
    claim: Claim, scaling: str, family: str, quantity: Literal["depth", "resolution"]
) -> list[Point]:
    """Table 6's depths or resolutions beside a family's: 16 blocks times depth, rounded down."""
    points = []
    for row in select(reference.x_levels(), scaling=scaling):
        c = coefficients(f"{family}-{row.level}")
        # exact: 16 * 1.1 is below 17.6 in floats, too
        ours = int(16 * Fraction(str(c.depth))) if quantity == "depth" else c.resolution
        points.append(equals(f"{family}-{row.level}", quantity, getattr(row, quantity), ours))
    return points


def _phi(level: str) -> float:
    """EfficientNet's nominal work at a level, in doublings of B0's: the exponent of the bases."""
    c = coefficients(f"EN-X-{level}")
    return log(c.depth * c.width**2 * (c.resolution / 224) ** 2, 2)


@judge_function
def levels_from_bases(claim: Claim, scaling: str, within: float) -> list[Point]:
    """Table 2's bases, raised to each level's nominal work, give Table 6 to a share of itself."""
    base = _bases(scaling)
    points = []
    for row in select(reference.x_levels(), scaling=scaling):
        phi = _phi(row.level)
        for quantity, start, printed in (
            ("depth", 16, row.depth),
            ("resolution", 224, row.resolution),
        ):
            ours = start * float(getattr(base, quantity)) ** phi
            ours = int(ours) if quantity == "depth" else round(ours)
            ok = abs(ours / printed - 1) <= within
            required = f"{printed} to {within:.0%}"
            points.append(holds(f"{scaling} {row.level}", required, str(ours), ok, quantity))
    return points


@judge_function
def searches_agree(claim: Claim, within: float) -> list[Point]:
    """Table 5: the X-B7 of the two searches differ by no more than a share."""
    a, b = reference.x_searches()
    return [
        holds(
            "X-B7",
            f"within {within:.0%}",
            f"{min(x, y)} against {max(x, y)}, {max(x, y) / min(x, y) - 1:.1%}",
            max(x, y) / min(x, y) - 1 <= within,
            quantity,
        )
        for quantity, x, y in (
            ("depth", a.x_b7_depth, b.x_b7_depth),
            ("resolution", a.x_b7_resolution, b.x_b7_resolution),
        )
    ]


@judge_function
def search_in_table6(claim: Claim, searched_at: str, scaling: str) -> list[Point]:
    """The X-B7 of a search of Table 5 is the B7 of a row of Table 6."""
    (search,) = select(reference.x_searches(), searched_at=searched_at)
    (level,) = select(reference.x_levels(), scaling=scaling, level="B7")
    label = f"search at {searched_at}, {scaling} B7"
    return [
        equals(label, "depth", search.x_b7_depth, level.depth),
        equals(label, "resolution", search.x_b7_resolution, level.resolution),
    ]


@judge_function
def same_device_deeper(claim: Claim, level: str) -> list[Point]:
    """The device whose networks Table 2 makes deeper has the deeper ones in Table 6."""
    names = ("LACS GPU", "LACS TPU")
    deeper = max(names, key=lambda name: _bases(name).depth)
    rows = [r for r in reference.x_levels() if r.level == level and r.scaling in names]
    in_table6 = max(rows, key=lambda r: r.depth).scaling
    return [equals(level, "deeper by Table 2 and by Table 6", deeper, in_table6)]


@judge_function
def changed_by_lacs(
    claim: Claim, level: str, quantity: Literal["depth", "resolution"], low: float, high: float
) -> list[Point]:
    """How much deeper or smaller (percent) Table 6's LACS networks are lies between two bounds."""
    rows = {r.scaling: getattr(r, quantity) for r in reference.x_levels() if r.level == level}
    points = []
    for scaling in ("LACS GPU", "LACS TPU"):
        change = abs(100 * float(Fraction(rows[scaling], rows["single objective"]) - 1))
        text = f"{change:.1f} %"
        ok = low <= change <= high
        points.append(holds(f"{scaling} {level}", f"{low:g} to {high:g} %", text, ok, quantity))
    return points
