"""What a network costs, whoever says so: one signature, from a description to seconds.

A roofline, fitted prices, a table of measured blocks, a measurement, or a plain budget of flops,
acts, params or memory. Where the cost adds up over layers (`Additive`), thousands of networks are
charged at once as arrays, and the bill says how much of it the flops ask for: `Additive.phi`.

    roofline("V100").phi(get("EN-B0"))     # on a V100's roofline nearly nothing is left of flops
    budget("acts")(get("EN-B0"))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from repro.arch import Network
from repro.errors import InputError, did_you_mean
from repro.prices.law import UNITS, published
from repro.records import Dtype, Mode, Protocol
from repro.runtime.roofline import (
    BYTES,
    Fusion,
    Layer,
    Peaks,
    device_peaks,
    known_devices,
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
        whole, by_flops = 0.0 if net.is_piece else self.constant, 0.0
        for times, part in parts(net):
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


def priced(name: str, flop: float, act: float, constant: float = 0.0, batch: int = 1) -> Additive:
    """Seconds of a batch by prices: of a flop, of an act (pooling apart), and of an image."""
    flop, act = batch * flop, batch * act
    return Additive(name, lambda x: (flop * _flops(x), act * _outputs(x)), batch * constant)


def fitted(device: str, batch: int = BATCH) -> Additive:
    """Seconds of a batch by the two prices fitted to what others have timed at inference.

    Args:
        device: or a setting by its full name, as in `repro.prices.published`. Of several settings
            the one of least held-out error; an eager one where there is any.

    Raises:
        InputError: nothing is fitted for it; names all devices that anything is known of.
    """
    prices = published("two prices")
    fits = [p for p in prices if device == p.setting] or [
        p for p in prices if (device, "infer") == (p.device, p.mode)
    ]
    if not fits:
        names = dict.fromkeys(p.device for p in prices)
        near = did_you_mean(device, [*names, *known_devices()])
        raise InputError(
            f"unknown device {device!r}.{near} Rooflines: {', '.join(known_devices())}; "
            f"fitted prices: {', '.join(names)}"
        )
    best = min(fits, key=lambda p: (p.compiled, p.errors["all"]))
    ms = {name: 1e-3 * best.ms[name].value / UNITS[name] for name in best.ms}
    return priced(best.setting, ms["flops"], ms["acts"], ms["constant"], batch)


def on_device(name: str, batch: int = BATCH) -> Additive:
    """Seconds of a batch on a device: by its roofline, or else by the prices `fitted` to it."""
    return (roofline if name in known_devices() else fitted)(name, batch)


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
        median: float = record.quartiles[1]
        return median

    return seconds
