"""Judges of the second paper: its tables against its authors' builder, and against themselves.

They count networks, and do the arithmetic of the paper's text on the numbers of its own tables and
figures. None of them needs a device. Rooflines and timings have files of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise, product
from math import log
from statistics import geometric_mean
from typing import Literal

from repro import reference
from repro.arch import Network, XStage, get
from repro.claims.claim import Claim
from repro.claims.judging import (
    NotTestable,
    Points,
    between,
    equals,
    holds,
    judge_function,
    rounds_to,
)
from repro.complexity import complexity, out_size
from repro.errors import InputError
from repro.reference import select

Device = Literal["TPUv3", "V100"]
Pair = tuple[str, str]
"""Two rows of Table 3: the one said to be faster, and the one that it is compared with."""
LEVELS = tuple(f"B{i}" for i in range(8))
COLUMNS: dict[Device, str] = {"TPUv3": "tpuv3_ms_batch128", "V100": "v100_fp16_ms_batch128"}


def result_of(model: str) -> reference.XResult:
    """A row of Table 3."""
    (row,) = select(reference.x_results(), model=model)
    return row


def _ms(row: reference.XResult | reference.XAblationRow, device: Device) -> Fraction:
    value: Decimal = getattr(row, COLUMNS[device])
    return Fraction(value)


def _speedup(pair: Pair, device: Device) -> Fraction:
    fast, slow = pair
    return _ms(result_of(slow), device) / _ms(result_of(fast), device)


def _percent(ratio: float | Fraction) -> float:
    return 100 * (float(ratio) - 1)


def _count(name: str, quantity: Literal["mparams", "gflops"]) -> Fraction:
    """Parameters, or multiply-adds as the second paper counts them."""
    flops, params, _ = complexity(get(name)).counted_as("efficientnet-x")
    return Fraction(params, 10**6) if quantity == "mparams" else Fraction(flops, 10**9)


Column = Literal[
    "operator", "resolution", "channels", "layers", "se_ratio", "tpu_activation", "gpu_activation"
]
_ACTIVATIONS = {"relu": "ReLU", "silu": "swish"}
_Row = tuple[str, int, int, int, str, str]
"""Operator, resolution, channels, layers, squeeze-excite ratio, activation."""


def _layout(net: Network) -> list[_Row]:
    """The description in the form of Table 1."""
    size, width = net.resolution, net.stem_width
    rows: list[_Row] = [("conv 3x3", size, width, 1, "", net.stem_activation or net.activation)]
    size = out_size(size, 2)
    for stage in net.stages:
        if not isinstance(stage, XStage):
            raise InputError(f"{net.name} is no EfficientNet-X")
        first = next(stage.blocks(width, net))[0]
        if first.space_to_depth:
            reshape = "conv 2x2 (reshaping)"
            rows.append((reshape, size, first.space_to_depth, 1, "", stage.activation))
            size = out_size(size, 2)
        fused = "fused " if stage.fused else ""
        kind = f"{fused}MBConv{stage.expansion} {first.kernel}x{first.kernel}"
        se = f"{stage.se_ratio:g}"
        rows.append((kind, size, stage.out_width, stage.depth, se, stage.activation))
        size, width = out_size(size, first.stride), stage.out_width
    return [*rows, ("conv 1x1, pool, FC", size, net.head_width, 1, "", net.activation)]


@judge_function("the authors' code")
def x_b0_layout(claim: Claim, column: Column, net: str) -> Points:
    """A column of Table 1 beside a network's description, stage by stage."""
    names = ("operator", "resolution", "channels", "layers", "se_ratio", "activation")
    index = names.index(column.removeprefix("tpu_").removeprefix("gpu_"))
    for printed, row in zip(reference.x_layout(), _layout(get(net)), strict=True):
        cell, ours = getattr(printed, column), str(row[index])
        text = "none" if cell in (None, "") else str(cell)
        yield equals(f"stage {printed.stage}", column, text, _ACTIVATIONS.get(ours, ours) or "none")


@judge_function("our counts against the paper")
def x_counts(
    claim: Claim, table: Literal[3, 4], quantity: Literal["mparams", "gflops"], nets: dict[str, str]
) -> Points:
    """Printed params or flops of rows of Table 3 or 4 beside the networks said to make them."""
    rows: Sequence[reference.XResult | reference.XAblationRow]
    rows = reference.x_results() if table == 3 else reference.x_ablation()
    unit = "M" if quantity == "mparams" else "GF"
    for row, name in nets.items():
        printed = getattr(select(rows, model=row)[0], quantity)
        yield rounds_to(claim, row, quantity, printed, _count(name, quantity), unit)


@judge_function("our counts against the paper")
def nearest_family(claim: Claim, family: str, others: list[str], levels: list[str]) -> Points:
    """Params and flops of Table 3's X rows lie nearer to one family than to the others.

    Near is measured by the sum of the two ratios' logarithms.
    """
    for level in levels:
        row, found = result_of(f"EfficientNet-X-{level}"), {}
        for name in (family, *others):
            params, flops = (_count(f"{name}-{level}", q) for q in ("mparams", "gflops"))
            ratios = params / Fraction(row.mparams), flops / Fraction(row.gflops)
            found[name] = sum(abs(log(ratio)) for ratio in ratios)
        nearest = min(found, key=lambda name: found[name])
        text = f"{nearest}, {found[nearest]:.3f} away; then {min(found[f] for f in others):.3f}"
        yield holds(level, f"nearest: {family}", text, nearest == family)


@judge_function("the paper against itself")
def more_flops_less_time(claim: Claim, devices: list[Device], pairs: list[Pair]) -> Points:
    """In every pair the first row of Table 3 has more flops and takes less time."""
    for pair in pairs:
        more, less = (result_of(name) for name in pair)
        for device in devices:
            x, y = _ms(more, device), _ms(less, device)
            text = f"{more.gflops} against {less.gflops} GF, {float(x):g} against {float(y):g} ms"
            ok = more.gflops > less.gflops and x < y
            yield holds(f"{pair[0]}, {device}", "more flops, less time", text, ok)


@judge_function("the paper against itself")
def cost_of_all_levels(claim: Claim, readings: dict[str, str], low: float, high: float) -> Points:
    """X-B0 to X-B7 added up, over X-B0 alone, by columns of Table 3, lie between two bounds.

    Each column is a reading of what is not said; where they disagree nothing is decided.
    """
    points = []
    for name, column in readings.items():
        cells = [getattr(result_of(f"EfficientNet-X-{level}"), column) for level in LEVELS]
        points.append(between(name, low, high, float(sum(cells) / cells[0]), ".0f", " times"))
    if len({point.match for point in points}) > 1:
        found = ", ".join(f"{p.computed} by {p.label}" for p in points)
        raise NotTestable(f"Undecided: what a search costs is not said. {found}.")
    return points


@judge_function("the paper against itself")
def largest_step(claim: Claim, device: Device, step: str) -> Points:
    """One step of Table 4 gains more on a device than each of the others."""
    rows = reference.x_ablation()
    gains = {b.model: _ms(a, device) / _ms(b, device) for a, b in pairwise(rows)}
    if step not in gains:
        raise InputError(f"Table 4 has no step {step!r}; steps are {', '.join(gains)}")
    for other, gain in gains.items():
        if other != step:
            text = f"{float(gains[step]):.3f} against {float(gain):.3f}"
            yield holds(f"{step}, {device}", f"more than {other}", text, gains[step] > gain)


@judge_function("the paper against itself")
def speedup_mean(
    claim: Claim, devices: dict[Device, Literal["%", "times"]], pairs: list[Pair]
) -> Points:
    """Geometric means of speed-ups in Table 3 beside those of the text, one a device."""
    for (device, unit), said in zip(devices.items(), claim.published, strict=True):
        mean = geometric_mean([_speedup(pair, device) for pair in pairs])
        ours, what = (_percent(mean), "faster") if unit == "%" else (mean, "as fast")
        yield rounds_to(claim, f"{device}, mean of {len(pairs)}", what, said, ours, unit)


@judge_function("the paper against itself")
def speedup_reaches(
    claim: Claim, devices: list[Device], over: dict[str, list[Pair]], at_least: float
) -> Points:
    """Over each family, on each device, the largest speed-up of Table 3 reaches a bound."""
    for (family, pairs), device in product(over.items(), devices):
        best = max(pairs, key=lambda pair: _speedup(pair, device))
        found = _speedup(best, device)
        text = f"{float(found):.2f}, {best[0]} over {best[1]}"
        yield holds(f"{family}, {device}", f"at least {at_least:g}", text, found >= at_least)


def _bars(device: Device, scaling: str, levels: Sequence[str]) -> dict[str, Decimal]:
    rows = select(reference.speedup_bars(), device=device, scaling=scaling)
    return {row.level: row.speedup for row in rows if row.level in levels}


@judge_function("the paper against itself")
def bars_against_table(claim: Claim, scaling: str) -> Points:
    """Figure 3's bars beside the speed-ups of Table 3's latencies, on both devices."""
    for device in COLUMNS:
        for level, bar in _bars(device, scaling, LEVELS).items():
            ours = _speedup((f"EfficientNet-X-{level}", f"EfficientNet-{level}"), device)
            yield rounds_to(claim, f"{level}, {device}", "speed-up", bar, ours)


@judge_function("the paper against itself")
def bars_mean(
    claim: Claim, scaling: str, levels: list[list[str]], over: str | None = None
) -> Points:
    """Mean speed-up of Figure 3's bars, or of one kind over another, in percent, and the text's.

    One number is said of each device, or one of both. Each list of levels is a reading.
    """
    said = dict(zip(COLUMNS, claim.published * (2 // len(claim.published)), strict=True))
    for chosen, device in product(levels, COLUMNS):
        mean = geometric_mean(list(_bars(device, scaling, chosen).values()))
        if over:
            mean /= geometric_mean(list(_bars(device, over, chosen).values()))
        label = f"{device}, {' to '.join(dict.fromkeys((chosen[0], chosen[-1])))}"
        yield rounds_to(claim, label, "faster", said[device], _percent(mean), "%")


@judge_function("the paper against itself")
def latency_belongs_to(claim: Claim, scaling: str, other: str, levels: list[str]) -> Points:
    """Table 3's latencies give the bars of one scaling in Figure 3 rather than of the other."""
    for device in COLUMNS:
        mine, others = _bars(device, scaling, levels), _bars(device, other, levels)
        for level in levels:
            pair = (f"EfficientNet-X-{level}", f"EfficientNet-{level}")
            ratio = _speedup(pair, device)
            near, far = (abs(float(ratio - Fraction(b[level]))) for b in (mine, others))
            text = f"{near:.3f} from {scaling}, {far:.3f} from {other}"
            yield holds(f"{level}, {device}", f"nearer to {scaling}", text, near < far)


@judge_function("the paper against itself")
def generation_gains(claim: Claim) -> Points:
    """Figure 4: mean gain of X, of EfficientNet, and of the first over the second in percent."""
    means = []
    for family in ("EfficientNet-X", "EfficientNet"):
        rows = select(reference.generation_bars(), family=family)
        means.append(geometric_mean([row.speedup for row in rows if row.level in LEVELS]))
        said = claim.published[len(means) - 1]
        yield rounds_to(claim, family, "times as fast", said, means[-1])
    more = _percent(means[0] / means[1])
    yield rounds_to(claim, "X over EfficientNet", "%", claim.published[2], more)
