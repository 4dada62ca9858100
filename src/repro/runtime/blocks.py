"""Equation 2, and when a fused MBConv beats an MBConv on a roofline.

Source: Searching for Fast Model Families on Datacenter Accelerators, sections 2 and 3. Blocks are
networks like any other (`repro.arch.BlockChoice`), counted by `repro.runtime.roofline`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from repro.arch import BlockChoice
from repro.runtime.roofline import Fusion, Peaks, device_peaks, roofline


def equation2(
    kind: Literal["conv", "depthwise"], batch: int, size: int, channels: int, kernel: int
) -> tuple[int, int]:
    """The paper's Equation 2: work W and elements moved; their ratio is the intensity.

    W counts multiply-adds. At two operations to a multiply-add and two bytes to an element the
    factors cancel, so that the ratio is in operations per byte too.

    Args:
        kind: a dense conv, or what the paper calls depthwise: a depthwise conv and a 1x1 conv.
        batch: N. size: H = W. channels: C in and out. kernel: K; stride 1.
    """
    elements, window = batch * size * size * channels, kernel * kernel
    if kind == "conv":
        return elements * channels * window, 2 * elements + channels**2 * window
    return elements * (channels + window), 4 * elements + channels * window + channels**2


def fused_gain(
    channels: int,
    device: str | Peaks,
    size: int = 56,
    batch: int = 128,
    fusion: Fusion = "conv",
    **choices: Any,
) -> float:
    """Least time of an MBConv over that of the fused MBConv; above 1 the fused one is faster.

    Args:
        channels: in and out. device: a name in the table of devices, or rates of one's own, in
            its fastest dtype. choices: further fields of `BlockChoice`, the same for both.
    """
    peaks = device_peaks(device) if isinstance(device, str) else device
    plain, fused = (
        roofline(
            BlockChoice(kind, channels, size, **choices).network(),
            peaks,
            batch,
            peaks.fastest,
            fusion=fusion,
        ).ideal_s
        for kind in ("MBConv", "FusedMBConv")
    )
    return plain / fused


def break_even(
    device: str | Peaks, channels: Iterable[int] = range(8, 257, 8), **conditions: Any
) -> int | None:
    """The most channels at which a fused MBConv is still as fast as an MBConv, on a roofline.

    Of ``channels`` in rising order; None where the fused block is slower from the start.
    """
    last = None
    for c in channels:
        if fused_gain(c, device, **conditions) < 1:
            break
        last = c
    return last
