"""Judges of the second paper's rooflines: Figure 2, Table 3's intensities, Equation 2, blocks."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from repro import reference
from repro.arch import get
from repro.claims.accelerators import result_of
from repro.claims.claim import Claim
from repro.claims.judging import Points, at_least, equals, holds, judge_function, rounds_to
from repro.reference import select
from repro.runtime.blocks import equation2, fused_gain
from repro.runtime.roofline import intensity_bounds, layers


def _drawn(device: str) -> reference.DrawnRoofline:
    (row,) = select(reference.drawn_rooflines(), device=device)
    return row


@judge_function
def ridge_over_intensity(
    claim: Claim, devices: list[str], models: list[str], bound: float
) -> Points:
    """Figure 2's ridge points are so many times the intensity of its models."""
    for device in devices:
        for model in models:
            (point,) = select(reference.drawn_intensities(), model=model)
            ratio = float(_drawn(device).ridge / point.operational_intensity)
            yield at_least(f"{model}, {device}", bound, ratio, ".1f", unit=" times")


@judge_function
def intensity_within_model(claim: Claim, nets: dict[str, str], batch: int) -> Points:
    """Table 3's intensities lie between those of our traffic model with less and more fusion.

    Less: batch norm and activation are done by the conv; more: squeeze-excite and additions too.
    """
    for row, name in nets.items():
        printed = result_of(row).operational_intensity
        low, high = intensity_bounds(get(name), batch)
        ok = low <= printed <= high
        yield holds(f"{row} as {name}", f"{printed}", f"{low:.1f} to {high:.1f}", ok)


def _reached(operations: float, intensity: Decimal) -> float:
    """Percent of the rate that Figure 2 allows on TPUv3 at an intensity; operations in 10^12/s."""
    roof = _drawn("TPUv3")
    allowed = min(float(intensity * roof.bandwidth_tb_s), float(roof.peak_tops))
    return 100 * operations / allowed


@judge_function
def efficiency_from_latency(claim: Claim, models: list[str] | None = None) -> Points:
    """Table 3's efficiency column beside what its flops and TPUv3 latencies give."""
    for row in reference.x_results():
        if models is None or row.model in models:
            reached = 2 * 128 * float(row.gflops / row.tpuv3_ms_batch128)
            ours = _reached(reached, row.operational_intensity)
            said = row.efficiency_percent_tpuv3
            yield rounds_to(claim, row.model, "efficiency", said, ours, "%")


@judge_function
def efficiency_from_figure(claim: Claim) -> Points:
    """Table 3's efficiency column beside the points of Figure 2."""
    for point in reference.drawn_intensities():
        ours = _reached(float(point.tops), point.operational_intensity)
        said = result_of(point.model).efficiency_percent_tpuv3
        yield rounds_to(claim, point.model, "efficiency", said, ours, "%")


@judge_function
def equation2_counts(
    claim: Claim,
    kind: Literal["conv", "depthwise"],
    block: Literal["FusedMBConv", "MBConv"],
    shapes: list[tuple[int, int, int, int]],
) -> Points:
    """Equation 2's work and elements moved beside the layers of a block without expansion.

    A fused MBConv begins with a dense conv; an MBConv is what the equation calls depthwise.
    Shapes are N, H, C, K.
    """
    for n, h, c, k in shapes:
        found = list(layers(get(f"{block}-c{c}-e1-k{k}@{h}")))
        found = found[:1] if kind == "conv" else found
        work = n * sum(layer.macs for layer in found)
        moved = sum(n * (layer.read + layer.written) + layer.weights for layer in found)
        label = f"N={n} H={h} C={c} K={k}"
        formula = equation2(kind, n, h, c, k)
        yield equals(label, "multiply-adds", formula[0], work)
        yield equals(label, "elements moved", formula[1], moved)


@judge_function
def fused_wins_then_loses(
    claim: Claim, device: str, faster: list[int], slower: list[int], size: int, batch: int
) -> Points:
    """On a roofline the fused MBConv is the faster one at some widths, the slower one at others."""
    for c in faster + slower:
        gain = fused_gain(c, device, size=size, batch=batch)
        required = "fused faster" if c in faster else "fused slower"
        ok = gain > 1 if c in faster else gain < 1
        label = f"{c} channels, {device}"
        yield holds(label, required, f"{gain:.2f} times as fast", ok)
