"""Rooflines: the least time in which a device could run a network, from the description alone.

Source of the model: Searching for Fast Model Families on Datacenter Accelerators, section 2
(latency from work, bytes moved, peak rate and bandwidth). A multiply-add is two operations here,
as in every data sheet's peak rate; everywhere else in this project it is one flop.

The traffic model, per layer and iteration: a conv reads its input and its weights and writes its
output, each once, through device memory. What happens between convs depends on ``fusion``:

- ``"all"``: batch norm, activation, the residual addition and the product of squeeze-excite are
  done while a conv writes or reads; a block's shortcut and the pooling of its squeeze-excite are
  one more read of a map each.
- ``"conv"``: batch norm and activation are done by the conv; squeeze-excite (read to pool; read and
  write to multiply) and the residual addition (two reads, one write) are passes of their own.
- ``"none"``: batch norm and activation are passes too (one read, one write each), as in eager mode.

Training adds, for each conv, two products of the same size (gradients of input and of weights)
with their reads and writes, and runs every other pass about twice more; batch norm reads its input
once more for the statistics. Weights are read, their gradients written; an SGD step reads weights,
gradients and momentum and writes weights and momentum, in single precision.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

import yaml

from repro.arch import Network
from repro.complexity import out_size, placed
from repro.errors import InputError, did_you_mean
from repro.paths import root
from repro.records import Dtype, Mode

Fusion = Literal["none", "conv", "all"]
BYTES: dict[str, int] = {"fp32": 4, "tf32": 4, "fp16": 2, "bf16": 2}


class Layer(NamedTuple):
    """One conv or linear layer for one image, and the passes that follow it.

    Attributes:
        macs: multiply-adds. weights: elements. read, written: elements of input and output.
        norm, act: whether batch norm and an activation follow.
        extra: elements that squeeze-excite and the addition move, by fusion level.
        operations: forward operations: this layer and what follows it, each counted once.
        passed: elements that what follows writes, where each is a pass of its own.
    """

    macs: int
    weights: int
    read: int
    written: int
    norm: bool = False
    act: bool = False
    extra: tuple[int, int] = (0, 0)  # fusion "all", otherwise
    operations: int = 1
    passed: int = 0


def _copy(elements: int) -> Layer:
    """A reordering of a map in memory: space-to-batch and its inverse."""
    return Layer(0, 0, elements, elements, passed=elements)


def layers(net: Network) -> Iterator[Layer]:
    """Every conv and linear layer in order, squeeze-excite's two as one, and copies."""
    for repeats, part in parts(net):
        for _ in range(repeats):
            yield from part


def parts(net: Network) -> Iterator[tuple[int, list[Layer]]]:
    """Layers by the stem, each kind of block, and what follows; with how often they run."""

    def conv(
        width_in: int,
        width_out: int,
        size_in: int,
        size_out: int,
        kernel: int = 1,
        groups: int = 1,
        act: bool = True,
        extra: tuple[int, int] = (0, 0),
        more: int = 0,
    ) -> Layer:
        weights = kernel * kernel * width_in // groups * width_out
        written = width_out * size_out**2
        product = (extra[1] - extra[0]) // 2  # as much as a pass that reads and writes it moves
        return Layer(
            macs=weights * size_out**2,
            weights=weights,
            read=width_in * size_in**2,
            written=written,
            norm=True,
            act=act,
            extra=extra,
            operations=2 + act + more,
            passed=(1 + act) * written + product,
        )

    size, width = net.resolution, net.stem_width
    if not net.is_piece:
        inner, size = size, out_size(size, 2)
        pooled = width * out_size(size, 2) ** 2 if net.stem == "conv7_pool" else 0
        kernel = 3 if net.stem == "conv3" else 7
        moved, more = pooled and width * size**2 + pooled, int(pooled > 0)
        stem = conv(net.in_channels, width, inner, size, kernel, extra=(moved, moved), more=more)
        yield 1, [stem._replace(passed=stem.passed + pooled)]
    for _, (b, size, _), repeats in placed(net):
        part = []
        if b.space_to_depth:
            inner, size = size, out_size(size, 2)
            part.append(conv(b.in_width, b.space_to_depth, inner, size, 2))
        if b.space_to_batch > 1:
            part.append(_copy(b.in_width * size**2))
        inner, size = size, out_size(size, b.stride)
        mid, out = b.mid_width * size**2, b.out_width * size**2
        if b.expand:
            part.append(conv(b.in_width, b.mid_width, inner, inner))
        # Squeeze-excite: read to pool; and, unless fused, read and write to multiply.
        extra, more = ((mid, 3 * mid), 2) if b.se_width else ((0, 0), 0)
        part.append(
            conv(b.spatial_in, b.mid_width, inner, size, b.kernel, b.groups, extra=extra, more=more)
        )
        if b.se_width:
            weights, vectors = 2 * b.mid_width * b.se_width, b.mid_width + b.se_width
            passed = vectors + b.mid_width  # pooled, squeezed, excited
            part.append(Layer(weights, weights, vectors, vectors, operations=4, passed=passed))
        if b.skip == "projection":
            part.append(conv(b.in_width, b.out_width, inner, size, act=False))
        # The addition: read the shortcut; and, unless fused, read and write the branch.
        extra, more = ((out, 3 * out), 1) if b.skip != "none" else ((0, 0), 0)
        last = not b.linear
        part.append(conv(b.mid_width, b.out_width, size, size, act=last, extra=extra, more=more))
        if b.space_to_batch > 1:
            part.append(_copy(out))
        yield repeats, part  # those after the first have its map: their stride is 1
        width = b.out_width
    if net.is_piece:
        return
    head = []
    if net.head_width:
        head.append(conv(width, net.head_width, size, size))
        width = net.head_width
    features = width * size**2
    weights, extra = width * net.num_classes, (features, features)
    head.append(Layer(weights, weights, width, net.num_classes, False, False, extra, 2, width))
    yield 1, head


def kernel_count(net: Network) -> int:
    """Operations of one eager forward pass: convs, norms, activations, poolings, products, sums."""
    return sum(layer.operations for layer in layers(net))


class Cost(NamedTuple):
    """Operations (multiply-adds twice) and bytes of one layer in one iteration."""

    operations: float
    bytes: float


def layer_cost(layer: Layer, batch: int, dtype: Dtype, mode: Mode, fusion: Fusion) -> Cost:
    """One layer's operations and bytes for a whole batch, by the model at the top of this file.

    Works on a `Layer` of arrays, too: many layers at once.
    """
    training = mode != "infer"
    maps = layer.read + layer.written
    passes = layer.extra[0] if fusion == "all" else layer.extra[1]
    if fusion == "none":
        passes += 2 * layer.written * (layer.norm + layer.act)
    if training:
        # Gradient of the input: read the output's, write the input's. Gradient of the weights:
        # read the output's gradient and the input.
        maps += 2 * (layer.read + layer.written)
        passes = 3 * passes + layer.written * layer.norm
    element = BYTES[dtype]
    traffic = 1.0 * element * (maps * batch + passes * batch + layer.weights)
    if training:
        traffic += layer.weights * (element + 4)
    if mode == "step":
        traffic += 20 * layer.weights
    return Cost(2.0 * layer.macs * batch * (3 if training else 1), traffic)


@dataclass(frozen=True, slots=True)
class Peaks:
    """A device's rates: operations per second by dtype (None: unknown), bytes per second."""

    name: str
    operations: dict[str, float | None]
    bandwidth: float
    memory_bytes: float | None = None

    def of(self, dtype: Dtype) -> float:
        """Operations per second in a dtype; `InputError` where the table has none."""
        rate = self.operations.get(dtype)
        if rate is None:
            raise InputError(f"no sourced peak rate of {self.name} in {dtype}")
        return rate

    @property
    def fastest(self) -> Dtype:
        """The dtype of least bytes whose rate is known; `InputError` where none is."""
        order: tuple[Dtype, ...] = ("fp16", "bf16", "tf32", "fp32")
        for dtype in order:
            if self.operations.get(dtype):
                return dtype
        raise InputError(f"no peak rate of {self.name} is known")


@dataclass(frozen=True, slots=True)
class Roofline:
    """Operations (two to a multiply-add), bytes and least seconds of one iteration.

    Layers run one after another, each at the slower of its two limits.
    """

    operations: float
    bytes: float
    ideal_s: float

    @property
    def intensity(self) -> float:
        """Operations per byte."""
        return self.operations / self.bytes


def roofline(
    net: Network,
    peaks: Peaks,
    batch: int = 1,
    dtype: Dtype = "fp32",
    mode: Mode = "infer",
    fusion: Fusion = "conv",
) -> Roofline:
    """Work, traffic and least time of a network.

    Args:
        net: counted at its own resolution. peaks: from `device_peaks` or a `PeakRecord`.
        batch: images per iteration. dtype: of maps and weights. fusion: see the top of this file.
    """
    rate, bandwidth = peaks.of(dtype), peaks.bandwidth
    costs = [layer_cost(layer, batch, dtype, mode, fusion) for layer in layers(net)]
    work, moved = sum(c.operations for c in costs), sum(c.bytes for c in costs)
    ideal = sum(max(c.operations / rate, c.bytes / bandwidth) for c in costs)
    return Roofline(work, moved, ideal)


def intensity_bounds(net: Network, batch: int = 1, dtype: Dtype = "fp16") -> tuple[float, float]:
    """Operations per byte at inference with less fusion (``"conv"``) and with more (``"all"``)."""
    any_device = Peaks("any", dict.fromkeys(BYTES, 1.0), 1.0)  # intensity depends on none
    less = roofline(net, any_device, batch, dtype, fusion="conv").intensity
    return less, roofline(net, any_device, batch, dtype, fusion="all").intensity


# ---------------------------------------------------------------------------- known devices


@cache
def known_devices() -> dict[str, dict[str, Any]]:
    """The table of devices by short name, each value with its source."""
    text = (root() / "data" / "devices.yaml").read_text(encoding="utf-8")
    table: dict[str, dict[str, Any]] = yaml.safe_load(text)["devices"]
    return table


def device_peaks(name: str) -> Peaks:
    """Peak rates of a device by its short name in the table or its driver's; else `InputError`."""
    table = known_devices()
    short = name if name in table else _short_name(name, table)

    def value(key: str, unit: float) -> float | None:
        number = table[short][key]["value"]
        return None if number is None else number * unit

    operations = {d: value(f"{d}_tflops", 1e12) for d in BYTES}
    return Peaks(short, operations, value("bandwidth_gb_s", 1e9) or 0.0, value("memory_gb", 1e9))


def _short_name(name: str, table: dict[str, dict[str, Any]]) -> str:
    for short, row in table.items():
        if any(re.search(rf"(?<!\w){re.escape(words)}(?!\w)", name) for words in row["called"]):
            return short
    raise InputError(
        f"no device {name!r} in data/devices.yaml; known: {', '.join(table)}."
        f"{did_you_mean(name, table)}"
    )


def recorded_peaks(records: list[Any], device_name: str) -> Peaks:
    """The best sample of each dtype among a device's `PeakRecord`s; `InputError` without any."""
    mine = [r for r in records if r.kind == "peak" and r.machine.device_name == device_name]
    if not mine:
        raise InputError(f"no peak rates of {device_name!r} were recorded")
    rates: dict[str, float | None] = dict.fromkeys(BYTES)
    for record in mine:
        rates[record.protocol.dtype] = record.flops
    bandwidth = max(max(r.copy_bytes) for r in mine)
    return Peaks(device_name, rates, bandwidth, mine[0].machine.memory_bytes)
