"""What a network costs, whoever says so: one signature, from a description to seconds.

A roofline, fitted prices, a table of measured blocks, a measurement, or a plain budget of flops,
acts, params or memory. Where the cost adds up over layers (`Additive`), thousands of networks are
charged at once as arrays, and the bill says how much of it the flops ask for: `Additive.phi`.

    roofline("V100").phi(get("EN-B0"))     # on a V100's roofline nearly nothing is left of flops
    budget("acts")(get("EN-B0"))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any, Literal

from repro import reference
from repro.arch import Network, get
from repro.errors import InputError, did_you_mean
from repro.prices.law import UNITS, fitted, named
from repro.records import Dtype, Mode, Protocol
from repro.runtime.roofline import (
    BYTES,
    Fusion,
    Layer,
    Peaks,
    device_peaks,
    layer_cost,
    parts,
)
from repro.search.budgets import KEPT, STATE

Latency = Callable[[Network], float]
"""Seconds of a network for one batch, or what a plain budget counts."""
Quantity = Literal["flops", "acts", "params", "memory"]
BATCH = 128
"""Images at once, as the second paper times."""


Bill = Callable[[Layer], tuple[Any, Any]]
"""Of a layer, or of a `Layer` of arrays: what its flops ask for, and what everything else does."""


def _biases(x: Layer) -> Any:
    """Layers without batch norm have some."""
    return x.written * (x.weights > 0) * (1 - x.norm)


def _flops(x: Layer) -> Any:
    return x.macs + _biases(x)


def _params(x: Layer) -> Any:
    """Weights, and biases, or a scale and a shift for each channel."""
    pixels = (x.macs + (x.weights == 0)) / (x.weights + (x.weights == 0))
    return x.weights + _biases(x) + 2 * x.norm * x.written / pixels


def _outputs(x: Layer) -> Any:
    """Of layers with weights: convs and the classifier."""
    return x.written * (x.weights > 0)


def _acts(x: Layer) -> Any:
    """As the first paper counts them: outputs, those of a max-pool after a conv too."""
    pooled = x.extra[0] - x.written
    return _outputs(x) + pooled * (pooled > 0) * x.norm


@dataclass(frozen=True)
class Additive:
    """A cost that adds up over layers.

    Attributes:
        name: as tables show it.
        constant: charged once for a network, and not for a piece of one.
    """

    name: str
    bill: Bill
    constant: float = 0.0

    def charged(self, net: Network) -> tuple[float, float]:
        """The whole cost of a network, and the part of it that its flops ask for."""
        whole, by_flops = self.added(parts(net))
        return whole + (not net.is_piece) * self.constant, by_flops

    def added(self, layers: Iterable[tuple[int, Iterable[Layer]]]) -> tuple[float, float]:
        """The same of layers, each group as often as is said before it; without the constant."""
        whole = by_flops = 0.0
        for times, part in layers:
            for layer in part:
                flops, rest = self.bill(layer)
                by_flops += times * flops
                whole += times * (flops + rest)
        return whole, by_flops

    def __call__(self, net: Network) -> float:
        return self.charged(net)[0]

    def phi(self, net: Network) -> float:
        """The share of the cost that flops are charged for.

        Equal to the derivative of its logarithm by that of the price of a flop: 1 where only
        flops cost, 0 where they are free.
        """
        whole, flops = self.charged(net)
        return flops / whole


def roofline(
    device: str | Peaks,
    batch: int = BATCH,
    dtype: Dtype | None = None,
    mode: Mode = "infer",
    fusion: Fusion = "all",
) -> Additive:
    """Least seconds of a batch: each layer at the slower of its two limits.

    Args:
        device: in the table of devices, or rates. dtype: by default its fastest.
        fusion: see `repro.runtime.roofline`; "all" ranks networks best among the measured ones.

    Raises:
        InputError: an unknown device, or none of its rates in this dtype.
    """
    peaks = device_peaks(device) if isinstance(device, str) else device
    kind = dtype or peaks.fastest
    rate, bandwidth = peaks.of(kind), peaks.bandwidth

    def bill(layer: Layer) -> tuple[Any, Any]:
        work, moved = layer_cost(layer, batch, kind, mode, fusion)
        compute, memory = work / rate, moved / bandwidth
        return compute * (compute >= memory), memory * (compute < memory)

    return Additive(peaks.name, bill)


def priced(
    name: str,
    flop: float,
    act: float,
    constant: float = 0.0,
    batch: int = 1,
    write: float = 0.0,
    kernel: float = 0.0,
) -> Additive:
    """Seconds of a batch by prices: of a flop, of an act (pooling apart), and of an image."""
    flop, act, write, kernel = (batch * price for price in (flop, act, write, kernel))

    def bill(x: Layer) -> tuple[Any, Any]:
        return flop * _flops(x), act * _outputs(x) + write * x.passed + kernel * x.operations

    return Additive(name, bill, batch * constant)


def on_device(device: str, batch: int = BATCH) -> Additive:
    """Seconds of a batch at inference by the prices fitted to a device, or else by its roofline.

    Args:
        device: see `repro.prices.law.named`.

    Raises:
        InputError: nothing is known of it; names all devices that anything is known of.
    """
    name, by_roofline = named(device)
    if by_roofline:
        return replace(roofline(name, batch), name=f"{name}'s roofline")
    price = fitted(name)
    of = {key[:-1]: 1e-3 * price.ms[key].value / UNITS[key] for key in price.counts}
    constant = 1e-3 * price.ms["constant"].value
    return priced(price.setting, **of, constant=constant, batch=batch)


@cache
def missed_by_rooflines() -> dict[str, float]:
    """How far rooflines are off about *ratios* of times between one base and itself grown.

    By device: the median relative error over the levels of the second paper's Table 3, for 128
    images, once each family's times are brought to the same median as its rooflines.
    """
    found = {}
    for device, column in (("V100", "v100_fp16_ms_batch128"), ("TPUv3", "tpuv3_ms_batch128")):
        off: list[float] = []
        for family in ("EfficientNet-X-B", "EfficientNet-B"):
            rows = [row for row in reference.x_results() if row.model.startswith(family)]
            nets = [get(row.model.replace("EfficientNet-", "EN-")) for row in rows]
            ms = [float(getattr(row, column)) for row in rows]
            ratios = [roofline(device)(net) / time for net, time in zip(nets, ms, strict=True)]
            off += [abs(ratio / median(ratios) - 1) for ratio in ratios]
        found[device] = median(off)
    return found


def budget(what: Quantity, batch: int = 1, dtype: Dtype = "fp32") -> Additive:
    """A plain budget: flops, acts or params of one image, or bytes that training a batch takes.

    Raises:
        InputError: another quantity.
    """
    kept = KEPT * BYTES[dtype] * batch
    bills: dict[str, Bill] = {
        "flops": lambda x: (_flops(x), 0.0),
        "acts": lambda x: (0.0, _acts(x)),
        "params": lambda x: (0.0, _params(x)),
        "memory": lambda x: (0.0, STATE * _params(x) + kept * _acts(x)),
    }
    if what not in bills:
        near = did_you_mean(what, bills)
        raise InputError(f"unknown budget {what!r}.{near} Allowed: {', '.join(bills)}")
    return Additive(what, bills[what])


def measured(protocol: Protocol, out: Path | None = None) -> Latency:
    """Seconds as this machine measures them, each network once: records in a file are not repeated.

    Raises:
        InputError: when called, that the device cannot do it or the file cannot be continued.
    """

    def seconds(net: Network) -> float:
        from repro.runtime.jobs import job, resolved
        from repro.runtime.sweep import sweep

        outcome = sweep([job(net, protocol=resolved(protocol))], out)
        if outcome.failures:
            raise InputError(f"{net.name} could not be measured: {outcome.failures[0][1]}")
        record: Any = outcome.records[0]
        middle: float = record.quartiles[1]
        return middle

    return seconds
