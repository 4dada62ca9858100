"""Judges of the second paper's rooflines: Figure 2, Table 3's intensities, Equation 2, blocks."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from typing import Literal

from repro import reference
from repro.arch import blocks, get
from repro.claims.accelerators import LEVELS, result_of
from repro.claims.claim import Claim
from repro.claims.judging import Point, Points, at_least, equals, holds, judge_function, rounds_to
from repro.complexity import out_size
from repro.reference import select
from repro.runtime.blocks import equation2, fused_gain
from repro.runtime.roofline import intensity_bounds, layers


def _drawn(device: str) -> reference.DrawnRoofline:
    (row,) = select(reference.drawn_rooflines(), device=device)
    return row


@judge_function("the paper against itself")
def ridge_over_intensity(
    claim: Claim, devices: list[str], models: list[str], bound: float
) -> Points:
    """Figure 2's ridge points are so many times the intensity of its models."""
    for device in devices:
        for model in models:
            (point,) = select(reference.drawn_intensities(), model=model)
            ratio = float(_drawn(device).ridge / point.operational_intensity)
            yield at_least(f"{model}, {device}", bound, ratio, ".1f", unit=" times")


def _intensity(row: str, name: str, batch: int) -> Point:
    printed = result_of(row).operational_intensity
    low, high = intensity_bounds(get(name), batch)
    ok = low <= printed <= high
    return holds(f"{row} as {name}", f"{printed}", f"{low:.1f} to {high:.1f}", ok)


@judge_function("our model")
def intensity_within_model(claim: Claim, nets: dict[str, str], batch: int) -> Points:
    """Table 3's intensities lie between those of our traffic model with less and more fusion.

    Less: batch norm and activation are done by the conv; more: squeeze-excite and additions too.
    """
    return [_intensity(row, name, batch) for row, name in nets.items()]


@judge_function("our model")
def intensity_tells(claim: Claim, families: list[str], among: list[str], batch: int) -> Points:
    """Where the bounds of some families contain an X row's intensity, and not of all, these do."""
    for level in LEVELS[1:]:
        points = {f: _intensity(f"EfficientNet-X-{level}", f"{f}-{level}", batch) for f in among}
        if len({point.match for point in points.values()}) > 1:
            yield from (points[family] for family in families)


def _reached(operations: float, intensity: Decimal) -> float:
    """Percent of the rate that Figure 2 allows on TPUv3 at an intensity; operations in 10^12/s."""
    roof = _drawn("TPUv3")
    allowed = min(float(intensity * roof.bandwidth_tb_s), float(roof.peak_tops))
    return 100 * operations / allowed


@judge_function("the paper against itself")
def efficiency_from_latency(claim: Claim) -> Points:
    """Table 3's efficiency column beside what its flops and TPUv3 latencies give."""
    for row in reference.x_results():
        reached = 2 * 128 * float(row.gflops / row.tpuv3_ms_batch128)
        ours = _reached(reached, row.operational_intensity)
        yield rounds_to(claim, row.model, "efficiency", row.efficiency_percent_tpuv3, ours, "%")


@judge_function("the paper against itself")
def efficiency_from_figure(claim: Claim) -> Points:
    """Table 3's efficiency column beside the points of Figure 2."""
    for point in reference.drawn_intensities():
        ours = _reached(float(point.tops), point.operational_intensity)
        said = result_of(point.model).efficiency_percent_tpuv3
        yield rounds_to(claim, point.model, "efficiency", said, ours, "%")


@judge_function("theory")
def equation2_counts(
    claim: Claim,
    kinds: dict[Literal["conv", "depthwise"], Literal["FusedMBConv", "MBConv"]],
    shapes: list[tuple[int, int, int, int]],
) -> Points:
    """Equation 2's work and elements moved beside the layers of a block without expansion.

    A fused MBConv begins with a dense conv; an MBConv is what the equation calls depthwise.
    Shapes are N, H, C, K.
    """
    for (kind, block), (n, h, c, k) in product(kinds.items(), shapes):
        found = list(layers(get(f"{block}-c{c}-e1-k{k}@{h}")))
        found = found[:1] if kind == "conv" else found
        work = n * sum(layer.macs for layer in found)
        moved = sum(n * (layer.read + layer.written) + layer.weights for layer in found)
        label = f"{kind} N={n} H={h} C={c} K={k}"
        formula = equation2(kind, n, h, c, k)
        yield equals(label, "multiply-adds", formula[0], work)
        yield equals(label, "elements moved", formula[1], moved)


@judge_function("our model")
def either_is_faster(claim: Claim, net: str, device: str, batch: int) -> Points:
    """On a roofline fusing an inner block makes it faster in one stage of a network, slower in one.

    With the kernels, maps and squeeze-excite that the stages have.
    """
    network, gains = get(net), {}
    size = out_size(network.resolution, 2)
    for b, _ in blocks(network):
        size = out_size(size, 2 if b.space_to_depth else b.stride)
        if b.skip != "none":
            label = f"{b.in_width} channels, {b.kernel}x{b.kernel} on {size} x {size}, {device}"
            se = b.se_width / b.in_width
            gains[label] = fused_gain(
                b.in_width, device, size=size, batch=batch, kernel=b.kernel, se_ratio=se
            )
    for which, what in ((max, "fused faster"), (min, "fused slower")):
        label = which(gains, key=lambda shape: gains[shape])
        ok = gains[label] > 1 if which is max else gains[label] < 1
        yield holds(label, what, f"{gains[label]:.2f} times as fast", ok)
