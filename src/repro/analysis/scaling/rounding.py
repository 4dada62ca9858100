"""Frames of the chapter "Scaling real networks": what rounding does to a scaled network.

Source: Fast and Accurate Model Scaling, sections 3 and 6. The chapter's other halves:
`printed` (tables and figures), `recovery` (definitions that were
never published) and `repro.book.chapters.rounding_and_tables`. One multiply-add is one flop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Any

import pandas as pd

from repro.analysis.frames import counts, family, log_slope
from repro.arch import PAPER, Network, ResStage, Strategy, get, scale
from repro.arch.rounding import round_width
from repro.arch.strategy import Multipliers
from repro.complexity import complexity, out_size
from repro.errors import InputError
from repro.theory import growth, strategy_powers

COSTS = ("flops", "params", "acts")
Counts = dict[str, float]

NEAR = 1 + 1e-9
"""Breakpoints are powers of floats: equal to within this factor is equal."""


def rounding_steps(base: str, strategy: str, s: float) -> pd.DataFrame:
    """What scaling asks for and what each rounding makes of it, stage by stage.

    Args:
        base: a RegNet or ResNet of the zoo. strategy: one of the paper's. s: factor on flops.

    Returns:
        One row per stage; "wanted" columns are products before rounding.

    Raises:
        InputError: an EfficientNet, which has no group width to fit.
    """
    net, m = get(base), PAPER[strategy].multipliers(s)
    scaled = scale(net, PAPER[strategy], s)
    rows = []
    for i, (old, new) in enumerate(zip(net.stages, scaled.stages, strict=True), start=1):
        if not isinstance(old, ResStage) or not isinstance(new, ResStage):
            raise InputError(f"{base} has no group widths; choose a RegNet or a ResNet")
        rows.append(
            {
                "stage": i,
                "depth wanted": old.depth * m.d,
                "depth": new.depth,
                "width wanted": old.width * m.w,
                "to 8": round_width(old.width * m.w),
                "width": new.width,
                "group width wanted": old.group_width * m.g,
                "group width": new.group_width,
            }
        )
    return pd.DataFrame(rows)


@dataclass(frozen=True, slots=True)
class Span:
    """The scale factors from ``low`` to ``high`` that all round to the same network."""

    low: float
    high: float
    net: Network


def _breakpoints(net: Network, strategy: Strategy, low: float, high: float) -> list[float]:
    """Every s between ``low`` and ``high`` at which some rounding may change its mind.

    A size x under the exponent e, rounded to a multiple of u, changes where x s^e = (n + 1/2) u.
    """
    e = strategy_powers(strategy)
    sizes: list[tuple[float, int, object]] = [(net.resolution, 4, e.r)]
    for stage in net.stages:
        sizes += [(stage.depth, 1, e.d), (stage.width, 8, e.w)]
        if isinstance(stage, ResStage):
            sizes.append((stage.group_width, 1, e.g))  # to a whole number first, then further
    if net.is_mbconv:
        sizes += [(net.stem_width, 8, e.w), (net.head_width, 8, e.w)]
    found = set()
    for size, unit, power in set(sizes):
        exponent = float(power)  # type: ignore[arg-type]
        if not exponent or not size:
            continue
        first = math.floor(size * low**exponent / unit - 0.5)
        last = math.ceil(size * high**exponent / unit - 0.5)
        for n in range(max(0, first), last + 1):
            s = ((n + 0.5) * unit / size) ** (1 / exponent)
            if low < s < high:
                found.add(s)
    return sorted(found)


def spans(net: Network, strategy: Strategy, low: float, high: float) -> list[Span]:
    """All networks that a strategy makes of a base between two scale factors, in order.

    Exact, not sampled: the roundings change at scale factors that can be computed.

    Raises:
        InputError: ``low`` is not below ``high``, or the scaler refuses a scale between them.
    """
    if not 0 < low < high:
        raise InputError(f"scales from {low!r} to {high!r} are no range; 0 < low < high is needed")
    found: list[Span] = []
    for a, b in pairwise([low, *_breakpoints(net, strategy, low, high), high]):
        scaled = replace(scale(net, strategy, math.sqrt(a * b)), name=net.name)
        if found and found[-1].net == scaled:
            found[-1] = Span(found[-1].low, b, scaled)
        else:
            found.append(Span(a, b, scaled))
    return found


def span_of(net: Network, strategy: Strategy, s: float) -> Span:
    """The scale factors around ``s`` that give the same network as ``s``.

    They are looked for up to a factor of 1,000 away: a depth of 1, for one, has no lower end. At a
    breakpoint itself, halves that round to even may make a network that no other s makes; then
    both ends are ``s``.
    """
    at_s = replace(scale(net, strategy, s), name=net.name)
    factor = 1.1
    while True:
        around = spans(net, strategy, s / factor, s * factor)
        own = [x for x in around if x.net == at_s and x.low <= s * NEAR and s <= x.high * NEAR]
        if not own:
            return Span(s, s, at_s)
        if factor > 1000 or (around[0] is not own[0] and around[-1] is not own[-1]):
            return own[0]
        factor *= 2


def before_rounding(net: Network) -> Callable[[Multipliers], Counts]:
    """Flops, params and acts of a network whose sizes need not be whole.

    A count is a polynomial of the multipliers: linear in depth and in the area of the maps, and
    quadratic in width. Twelve counts of networks with whole multipliers fix it, and it is then
    known for fractions too. Group width follows width.

    Raises:
        InputError: when called with group width apart from width on a network with groups.
    """
    depths, widths, sides = (1, 2), (1, 2, 3), (7 * net.total_stride, 14 * net.total_stride)
    values = {
        (d, w, r): counts(_whole_multiple(net, d, w).at(r))
        for d, w, r in product(depths, widths, sides)
    }

    def at(m: Multipliers) -> Counts:
        if m.g != m.w and not net.is_mbconv:
            raise InputError("group width has to follow width here")
        area = (net.resolution * m.r) ** 2
        weights = {
            (d, w, r): _lagrange(m.d, d, depths)
            * _lagrange(m.w, w, widths)
            * _lagrange(area, r * r, [side * side for side in sides])
            for d, w, r in values
        }
        return {
            cost: sum(weight * values[node][cost] for node, weight in weights.items())
            for cost in COSTS
        }

    return at


def _whole_multiple(net: Network, d: int, w: int) -> Network:
    """Depths times ``d``, widths and group widths times ``w``, with nothing to round."""
    stages: list[Any] = []
    for stage in net.stages:
        sizes: dict[str, Any] = {"depth": stage.depth * d, "width": stage.width * w}
        if isinstance(stage, ResStage):
            sizes["group_width"] = stage.group_width * w
        stages.append(replace(stage, **sizes))  # type: ignore[type-var]
    changed: dict[str, Any] = {"stages": tuple(stages)}
    if net.is_mbconv:  # their stems and heads scale too
        changed |= {"stem_width": net.stem_width * w, "head_width": net.head_width * w}
    return replace(net, **changed)


def _lagrange(x: float, node: float, nodes: Sequence[float]) -> float:
    """The polynomial that is 1 at ``node`` and 0 at the other nodes, at ``x``."""
    return math.prod((x - other) / (node - other) for other in nodes if other != node)


def sawtooth(
    bases: Sequence[str], strategy: str, low: float, high: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """How far the flops of scaled networks miss the factor s, after and before rounding.

    Args:
        bases: zoo names. strategy: one of the paper's. low, high: range of s.

    Returns:
        Two frames with columns base, family, s, miss, where miss is flops over base flops over s
        (1 is a hit). After rounding: both ends of every span of s with one network, exact. Before
        rounding: a smooth curve at 60 scales.
    """
    after, before = [], []
    for base in bases:
        net, kind = get(base), family(base)
        flops = complexity(net).flops
        for span in spans(net, PAPER[strategy], low, high):
            ratio = complexity(span.net).flops / flops
            after += [(base, kind, s, ratio / s) for s in (span.low, span.high)]
        unrounded = before_rounding(net)
        for k in range(60):
            s = low * (high / low) ** (k / 59)
            ratio = unrounded(PAPER[strategy].multipliers(s))["flops"] / flops
            before.append((base, kind, s, ratio / s))
    columns = ["base", "family", "s", "miss"]
    return pd.DataFrame(after, columns=columns), pd.DataFrame(before, columns=columns)


def jumps(
    bases: Sequence[str], strategy: str, low: float, high: float, top: int = 2
) -> pd.DataFrame:
    """The largest jumps of the flops of each base as s grows, and what changes there.

    Args:
        bases, strategy, low, high: as for `sawtooth`. top: jumps to show for each base.

    Returns:
        Columns base, s, GF before, GF after (10^9 flops), change (a fraction), what. Largest
        first for each base.
    """
    rows = []
    for base in bases:
        found = [
            {
                "base": base,
                "s": b.low,
                "GF before": complexity(a.net).flops / 1e9,
                "GF after": complexity(b.net).flops / 1e9,
                "what": changes(a.net, b.net),
            }
            for a, b in pairwise(spans(get(base), PAPER[strategy], low, high))
        ]
        for row in found:
            row["change"] = row["GF after"] / row["GF before"] - 1  # type: ignore[operator]
        rows += sorted(found, key=lambda row: -abs(row["change"]))[:top]  # type: ignore[arg-type]
    return pd.DataFrame(rows, columns=["base", "s", "GF before", "GF after", "change", "what"])


def map_sides(base: str, resolutions: Sequence[int]) -> pd.DataFrame:
    """Sides of the maps after each stride-2 conv, and flops against what the area predicts.

    Args:
        base: zoo name. resolutions: inputs, the first is the one to compare with.

    Returns:
        Columns resolution, "maps" (``"112, 56, ..."``), area (of the input, relative), flops
        (relative).
    """
    net, rows = get(base), []
    for r in resolutions:
        sides, total = [r], net.at(r).total_stride
        while total > 1:
            sides.append(out_size(sides[-1], 2))
            total //= 2
        rows.append(
            {
                "resolution": r,
                "maps": ", ".join(map(str, sides[1:])),
                "area": (r / resolutions[0]) ** 2,
                "flops": complexity(net.at(r)).flops / complexity(net.at(resolutions[0])).flops,
            }
        )
    return pd.DataFrame(rows)


def rounded_up(bases: Sequence[str]) -> str:
    """A sentence on the bases whose own maps a conv of stride 2 rounds up; empty if there is none.

    Before rounding, flops follow the area of the input; such a base has more already at s = 1.
    """
    found = []
    for base in bases:
        net = get(base)
        side, up = net.resolution, []
        for _ in range(net.total_stride.bit_length() - 1):
            if side % 2:
                up.append(f"{side} → {out_size(side, 2)}")
            side = out_size(side, 2)
        if up:
            found.append(f"{base}, at {net.resolution} pixels ({', '.join(up)})")
    if not found:
        return ""
    return f"Bases that already have maps that were rounded up: {'; '.join(found)}."


def changes(a: Network, b: Network) -> str:
    """What differs between two networks of the same shape: ``"resolution 272 → 276; ..."``."""
    parts = []
    for what, old, new in (
        ("resolution", a.resolution, b.resolution),
        ("stem", a.stem_width, b.stem_width),
        ("head", a.head_width, b.head_width),
    ):
        if old != new:
            parts.append(f"{what} {old} → {new}")
    for what, attribute in (
        ("depth", "depth"),
        ("width", "width"),
        ("group width", "group_width"),
    ):
        sizes = [
            (i, getattr(x, attribute, 0), getattr(y, attribute, 0))
            for i, (x, y) in enumerate(zip(a.stages, b.stages, strict=True), start=1)
        ]
        moved = [(i, x, y) for i, x, y in sizes if x != y]
        if len(moved) == len(sizes) and len({(x, y) for _, x, y in moved}) == 1:
            parts.append(f"{what} {moved[0][1]} → {moved[0][2]} in all stages")
        else:
            parts += [f"{what} of stage {i} {x} → {y}" for i, x, y in moved]
    return "; ".join(parts)


def exponents(bases: Sequence[str], scales: Sequence[float]) -> pd.DataFrame:
    """Measured exponents of every base under every strategy of the paper, beside the theory's.

    Args:
        bases: zoo names. scales: at least two different factors on flops.

    Returns:
        One row per base, strategy and cost: base, family, strategy, cost, theory, before (slope
        of the counts before rounding), measured (slope of the real counts). Slopes are least
        squares of log cost on log s.
    """
    rows = []
    for base in bases:
        net = get(base)
        unrounded = before_rounding(net)
        for name, strategy in PAPER.items():
            real = [counts(scale(net, strategy, s)) for s in scales]
            smooth = [unrounded(strategy.multipliers(s)) for s in scales]
            theory = growth(strategy_powers(strategy))
            for cost in COSTS:
                rows.append(
                    {
                        "base": base,
                        "family": family(base),
                        "strategy": name,
                        "cost": cost,
                        "theory": float(getattr(theory, cost)),  # type: ignore[arg-type]
                        "before": log_slope(scales, [c[cost] for c in smooth]),
                        "measured": log_slope(scales, [c[cost] for c in real]),
                    }
                )
    return pd.DataFrame(rows)


def exponent_table(frame: pd.DataFrame, cost: str) -> pd.DataFrame:
    """One row per strategy: theory, then each base's measured exponent of one cost.

    Args:
        frame: from `exponents`. cost: flops, params or acts.
    """
    part = frame[frame.cost == cost]
    wide = part.pivot(index="strategy", columns="base", values="measured")
    wide = wide.loc[list(part.strategy.unique()), list(part.base.unique())]
    wide.insert(0, "theory", part.groupby("strategy").theory.first())
    return wide.rename_axis(columns=None).reset_index()
