"""What rounding does to a scaled network: exact spans of s, counts before rounding, teeth.

Source: Fast and Accurate Model Scaling, sections 3 and 6. One multiply-add is one flop.
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


def rounding_steps(base: str, strategy: str, s: float) -> pd.DataFrame:
    """What scaling asks for and what each rounding makes of it, one row per stage.

    For RegNets and ResNets: an EfficientNet has no group widths to fit.
    """
    net, m = get(base), PAPER[strategy].multipliers(s)
    rows: list[dict[str, float]] = []
    for old, new in zip(net.stages, scale(net, PAPER[strategy], s).stages, strict=True):
        assert isinstance(old, ResStage) and isinstance(new, ResStage)
        rows.append(
            {
                "stage": len(rows) + 1,
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
    breaks = set()
    for size, unit, power in set(sizes):
        exponent = float(power)  # type: ignore[arg-type]
        if not exponent or not size:
            continue
        first = math.floor(size * low**exponent / unit - 0.5)
        last = math.ceil(size * high**exponent / unit - 0.5)
        for n in range(max(0, first), last + 1):
            s = ((n + 0.5) * unit / size) ** (1 / exponent)
            if low < s < high:
                breaks.add(s)
    return sorted(breaks)


def spans(net: Network, strategy: Strategy, low: float, high: float) -> list[Span]:
    """All networks that a strategy makes of a base between two scale factors, in order.

    Exact, not sampled: the roundings change at scale factors that can be computed.

    Raises:
        InputError: ``low`` is not below ``high``, or the scaler refuses a scale between them.
    """
    if not 0 < low < high:
        raise InputError(f"scales from {low!r} to {high!r} are no range; 0 < low < high is needed")
    joined: list[Span] = []
    for a, b in pairwise([low, *_breakpoints(net, strategy, low, high), high]):
        scaled = replace(scale(net, strategy, math.sqrt(a * b)), name=net.name)
        if joined and joined[-1].net == scaled:
            joined[-1] = Span(joined[-1].low, b, scaled)
        else:
            joined.append(Span(a, b, scaled))
    return joined


def before_rounding(net: Network) -> Callable[[Multipliers], Counts]:
    """Flops, params and acts of a network whose sizes need not be whole.

    A count is a polynomial of the multipliers: linear in depth and in the area of the maps, and
    quadratic in width. Twelve counts of networks with whole multipliers fix it, and it is then
    known for fractions too. Group width has to follow width on a network with groups.
    """
    depths, widths, sides = (1, 2), (1, 2, 3), (7 * net.total_stride, 14 * net.total_stride)
    values = {
        (d, w, r): counts(_whole_multiple(net, d, w).at(r))
        for d, w, r in product(depths, widths, sides)
    }

    def at(m: Multipliers) -> Counts:
        assert m.g == m.w or net.is_mbconv
        area = (net.resolution * m.r) ** 2
        weights = {
            (d, w, r): _lagrange(m.d, d, depths)
            * _lagrange(m.w, w, widths)
            * _lagrange(area, r * r, [side * side for side in sides])
            for d, w, r in values
        }
        return {c: sum(weight * values[node][c] for node, weight in weights.items()) for c in COSTS}

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

    miss: flops over base flops over s (1 is a hit). After rounding: both ends of every span of s
    with one network, exact. Before rounding: a smooth curve at 60 scales.
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


def largest_jumps(bases: Sequence[str], strategy: str, low: float, high: float) -> pd.DataFrame:
    """The largest jump (a fraction) of each base's flops as s grows, and what changes there."""
    rows = []
    for base in bases:
        every = spans(get(base), PAPER[strategy], low, high)
        flops = [complexity(span.net).flops for span in every]
        steps = [(b / a - 1, i) for i, (a, b) in enumerate(pairwise(flops))]
        if steps:
            change, i = max(steps, key=lambda step: abs(step[0]))
            what = changes(every[i].net, every[i + 1].net)
            rows.append((base, every[i].high, flops[i] / 1e9, flops[i + 1] / 1e9, change, what))
    return pd.DataFrame(rows, columns=["base", "s", "GF before", "GF after", "change", "what"])


def changes(a: Network, b: Network) -> str:
    """What differs between two networks of the same shape: ``"resolution 272 → 276; ..."``."""
    parts = []
    for what in ("resolution", "stem_width", "head_width"):
        old, new = getattr(a, what), getattr(b, what)
        if old != new:
            parts.append(f"{what.removesuffix('_width')} {old} → {new}")
    for what in ("depth", "width", "group_width"):
        moved = [
            (i, getattr(x, what, 0), getattr(y, what, 0))
            for i, (x, y) in enumerate(zip(a.stages, b.stages, strict=True), start=1)
            if getattr(x, what, 0) != getattr(y, what, 0)
        ]
        title = what.replace("_", " ")
        if len(moved) == len(a.stages) and len({(x, y) for _, x, y in moved}) == 1:
            parts.append(f"{title} {moved[0][1]} → {moved[0][2]} in all stages")
        else:
            parts += [f"{title} of stage {i} {x} → {y}" for i, x, y in moved]
    return "; ".join(parts)


def map_sides(base: str, resolutions: Sequence[int]) -> pd.DataFrame:
    """Sides of maps after each stride-2 conv; area and flops relative to the first resolution."""
    net, rows = get(base), []
    first = complexity(net.at(resolutions[0])).flops
    for r in resolutions:
        sides, total = [r], net.at(r).total_stride
        while total > 1:
            sides.append(out_size(sides[-1], 2))
            total //= 2
        area, flops = (r / resolutions[0]) ** 2, complexity(net.at(r)).flops / first
        rows.append((r, ", ".join(map(str, sides[1:])), area, flops))
    return pd.DataFrame(rows, columns=["resolution", "maps", "area", "flops"])


def exponent_shifts(bases: Sequence[str], scales: Sequence[float]) -> pd.DataFrame:
    """How far fitted exponents of s lie from the theory's, and why.

    Exponents are least-squares slopes of log cost on log s, of two scales or more. structure:
    before rounding, less the theory's; rounding: of the real counts, less before rounding.
    """
    rows = []
    for base, (name, strategy) in product(bases, PAPER.items()):
        net = get(base)
        unrounded, theory = before_rounding(net), growth(strategy_powers(strategy))
        smooth = [unrounded(strategy.multipliers(s)) for s in scales]
        real = [counts(scale(net, strategy, s)) for s in scales]
        for cost in COSTS:
            before = log_slope(scales, [c[cost] for c in smooth])
            structure = before - float(getattr(theory, cost))
            rounding = log_slope(scales, [c[cost] for c in real]) - before
            rows.append((base, name, cost, structure, rounding))
    return pd.DataFrame(rows, columns=["base", "strategy", "cost", "structure", "rounding"])
