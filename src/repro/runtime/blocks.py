"""What the choices of the accelerator search space cost: work, traffic, intensity, least time.

Source: Searching for Fast Model Families on Datacenter Accelerators, sections 2 and 3. Blocks are
described by `repro.arch.BlockChoice` and counted and built like any network; the traffic model and
the devices are those of `repro.runtime.roofline`.

    cost("FusedMBConv-c48@28", "V100", batch=128).ideal_s
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

from repro.arch import BlockChoice, Network, get
from repro.complexity import complexity
from repro.errors import InputError
from repro.records import Dtype
from repro.runtime.roofline import Fusion, Peaks, device_peaks, roofline


@dataclass(frozen=True, slots=True)
class BlockCost:
    """One block (or network) on one device's roofline, for a whole batch.

    Attributes:
        name: of the block. device: whose roofline.
        flops: multiply-adds. params: of the block, whatever the batch.
        bytes: moved through device memory. intensity: operations per byte, two to a multiply-add.
        ideal_s: seconds, each layer at the slower of its two limits, one after another.
    """

    name: str
    device: str
    flops: int
    params: int
    bytes: float
    intensity: float
    ideal_s: float


def peaks_of(device: str | Peaks) -> Peaks:
    """Peak rates: a name from the table of devices, or rates of one's own, measured perhaps.

    Raises:
        InputError: unknown name; the message suggests the nearest.
    """
    return device if isinstance(device, Peaks) else device_peaks(device)


def network_of(block: str | BlockChoice | Network) -> Network:
    """A block by its name or description, as a network without stem and classifier."""
    if isinstance(block, BlockChoice):
        return block.network()
    return get(block) if isinstance(block, str) else block


def cost(
    block: str | BlockChoice | Network,
    device: str | Peaks,
    batch: int = 1,
    dtype: Dtype = "fp16",
    fusion: Fusion = "conv",
) -> BlockCost:
    """Work, traffic and least time of a block at inference, without building it.

    Args:
        block: a name, a description, or any network. device: see `peaks_of`.
        batch: images. dtype: of maps and weights. fusion: see `repro.runtime.roofline`.
    """
    if batch < 1:
        raise InputError(f"batch {batch!r} is not allowed; 1 or more is")
    net, peaks = network_of(block), peaks_of(device)
    line, count = roofline(net, peaks, batch, dtype, fusion=fusion), complexity(net)
    return BlockCost(
        name=net.name,
        device=peaks.name,
        flops=batch * count.macs,
        params=count.params,
        bytes=line.bytes,
        intensity=line.intensity,
        ideal_s=line.ideal_s,
    )


def grid(**choices: Any) -> tuple[BlockChoice, ...]:
    """All combinations of choices, in order; the last named varies fastest.

    Args:
        choices: fields of `BlockChoice`, each a value or a list of values; ``kind``, ``channels``
            and ``size`` are needed.

    Raises:
        InputError: a field that does not exist or is missing, or a block that cannot be.
    """
    fields = BlockChoice.__dataclass_fields__
    for name in choices:
        if name not in fields:
            raise InputError(f"unknown choice {name!r}; choices are {', '.join(fields)}")
    if missing := [name for name in ("kind", "channels", "size") if name not in choices]:
        raise InputError(f"a block needs {' and '.join(missing)}")
    lists = [v if isinstance(v, list | tuple | range) else [v] for v in choices.values()]
    return tuple(
        BlockChoice(**dict(zip(choices, values, strict=True))) for values in product(*lists)
    )


def equation2(
    kind: Literal["conv", "depthwise"], batch: int, size: int, channels: int, kernel: int
) -> tuple[int, int]:
    """The paper's Equation 2: work W and elements moved; their ratio is its intensity.

    Args:
        kind: a dense conv, or what the paper calls depthwise: a depthwise conv and a 1x1 conv.
        batch, size, channels, kernel: N, H = W, C in and out, K; stride 1.

    W counts multiply-adds and the denominator elements. At two operations to a multiply-add and two
    bytes to an element the factors cancel, so that the ratio is in operations per byte too.
    """
    pixels, weights = batch * size * size, kernel * kernel
    if kind == "conv":
        return (
            pixels * channels**2 * weights,
            2 * pixels * channels + channels**2 * weights,
        )
    return (
        pixels * channels * (channels + weights),
        4 * pixels * channels + channels * weights + channels**2,
    )


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
        channels: in and out. choices: further fields of `BlockChoice`, the same for both.
    """
    plain, fused = (
        cost(block, device, batch, fusion=fusion).ideal_s
        for block in grid(kind=("MBConv", "FusedMBConv"), channels=channels, size=size, **choices)
    )
    return plain / fused


def break_even(
    device: str | Peaks, channels: Iterable[int] = range(8, 257, 8), **conditions: Any
) -> int | None:
    """The most channels at which a fused MBConv is still as fast as an MBConv, on a roofline.

    Args:
        device: see `peaks_of`. channels: what to try, in rising order.
        conditions: as in `fused_gain`.

    Returns:
        None where the fused block is slower from the start; the last of ``channels`` where it
        never is.
    """
    last = None
    for c in channels:
        if fused_gain(c, device, **conditions) < 1:
            break
        last = c
    return last
