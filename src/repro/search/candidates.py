"""Networks scaled from one base, thousands at once: their counts and costs as arrays.

A network's cost is linear in its blocks, and each of its counts a product of one factor by width
and one by resolution. So a base is described once a width and once a resolution, and any number of
triplets are then a product of arrays.

    scaler = Scaler(get("EN-B0"), "nearest")
    scaler.candidates(1.2, 1.1, [1.0, 1.15]).cost(roofline("V100"))
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from repro.arch import Network
from repro.arch.scaling import scale_by
from repro.arch.strategy import Multipliers
from repro.errors import InputError
from repro.runtime.roofline import Layer, parts
from repro.search.accuracy import Array, Factors, built
from repro.search.latency import Additive, Latency

Rule = Literal["nearest", "up", "none"]
"""How blocks, channels and pixels are rounded; "none" is for explanations."""


class Scaler:
    """One base under one rounding rule: networks scaled from it, and their counts as arrays.

    Raises:
        InputError: a piece of a network.
    """

    def __init__(self, base: Network, rounding: Rule = "up") -> None:
        if base.is_piece:
            raise InputError(f"{base.name} is a piece of a network; only whole ones are scaled")
        self.base, self.rounding = base, rounding
        self.depths = np.array([stage.depth for stage in base.stages], float)
        self.start, self.stages = _two_deep(base)
        if rounding == "none":
            # each count is a power of each factor: by how much it grows where that doubles
            doubled = (scale_by(base, Multipliers(1, 2, 2, 1)), base.at(2 * base.resolution))
            grown = (_two_deep(net)[0] for net in doubled)
            self._powers = [np.log2(_ratio(counts, self.start)) for counts in grown]
        self._wide, self._tall = cache(self._widened), cache(self._enlarged)
        self._counted = cache(lambda net: _two_deep(net)[0])

    def network(self, depth: float, width: float, resolution: float) -> Network:
        """The description for these factors; `InputError` where nothing is rounded."""
        if self.rounding == "none":
            raise InputError("rounding 'none' has counts and no networks; allowed: nearest, up")
        return scale_by(self.base, Multipliers(depth, width, width, resolution), self.rounding)

    def candidates(self, depth: ArrayLike, width: ArrayLike, resolution: ArrayLike) -> Candidates:
        """Networks by their factors, which are broadcast against each other.

        Raises:
            InputError: a factor below 1, or not a number.
        """
        asked = np.broadcast_arrays(*(np.asarray(x, float) for x in (depth, width, resolution)))
        d, w, r = (x.ravel() for x in asked)
        for name, values in zip(Factors._fields, (d, w, r), strict=True):
            if not (np.isfinite(values).all() and (values >= 1).all()):
                raise InputError(f"{name} {values.min():g} is not allowed; factors are 1 or more")
        some_w, at_w = np.unique(w, return_inverse=True)
        some_r, at_r = np.unique(r, return_inverse=True)
        if self.rounding == "none":
            by_width, by_resolution = self._powers
            wide, built_w = self.start[:, None] * _raised(some_w, by_width), some_w
            tall, built_r = _raised(some_r, by_resolution), some_r
        else:
            wide, built_w = _stacked(map(self._wide, some_w.tolist()))
            tall, built_r = _stacked(map(self._tall, some_r.tolist()))
        pairs, row = np.unique(at_w * len(some_r) + at_r, return_inverse=True)
        by_w, by_r = np.divmod(pairs, len(some_r))
        depths = self._deepened(d)
        made = Factors(depths.sum(1) / self.depths.sum(), built_w[at_w], built_r[at_r])
        counts = wide[:, by_w] * tall[:, by_r]
        return Candidates(self, Factors(d, w, r), made, depths, row, counts)

    def _deepened(self, factors: Array) -> Array:
        exact = factors[:, None] * self.depths
        if self.rounding == "none":
            return exact
        return np.ceil(exact) if self.rounding == "up" else np.maximum(1, np.rint(exact))

    def _widened(self, factor: float) -> tuple[Array, float]:
        """Counts of the base so widened, each stage two blocks deep; and its width as built."""
        net = self.network(1, factor, 1)
        return self._counts(net), built(net, self.base).width

    def _enlarged(self, factor: float) -> tuple[Array, float]:
        """What a resolution multiplies each of the base's counts by; and it, over the base's."""
        net = self.network(1, 1, factor)
        return _ratio(self._counts(net), self.start), net.resolution / self.base.resolution

    def _counts(self, net: Network) -> Array:
        """Counts of a network two blocks deep; many factors round to one network."""
        return self._counted(replace(net, name=self.base.name))


def _two_deep(net: Network) -> tuple[Array, NDArray[np.intp]]:
    """Counts (8, layers) of a network with two blocks a stage, and what each layer belongs to.

    Zero: it is there once. From 1 on: it is the stage's second block, there depth - 1 times.
    """
    stages: Any = tuple(replace(cast(Any, stage), depth=2) for stage in net.stages)
    found = [part for _, part in parts(replace(net, stages=stages))]
    # stem, first and second block of each stage, head
    belongs = [n // 2 if n % 2 == 0 and 0 < n <= 2 * len(stages) else 0 for n in range(len(found))]
    of_layers = np.repeat(belongs, [len(part) for part in found])
    layers = [x for part in found for x in part]
    rows = [(x.macs, x.weights, x.read, x.written, x.norm, x.act, *x.extra) for x in layers]
    return np.array(rows, float).T, of_layers


def _ratio(counts: Array, start: Array) -> Array:
    """Counts over others, and 1 where there are none."""
    return np.divide(counts, start, where=start > 0, out=np.ones_like(counts))


def _raised(factors: Array, powers: Array) -> Array:
    """Factors (n,) to powers (8, layers), as (8, n, layers)."""
    return np.asarray(factors[None, :, None] ** powers[:, None, :])


def _stacked(rows: Iterable[tuple[Array, float]]) -> tuple[Array, Array]:
    counts, factors = zip(*rows, strict=True)
    return np.stack(counts, 1), np.array(factors)


@dataclass(frozen=True)
class Candidates:
    """Networks of one `Scaler`, as arrays; never built nor described unless asked for.

    Attributes:
        asked: factors as given, each (n,). built: as rounding makes them.
        depths: blocks (n, stages). row: of ``counts``, for each network (n,).
        counts: (8, rows, layers), as a `Layer` has them, ``extra`` in two places; of networks two
            blocks deep in each stage, one for each width and resolution.
    """

    scaler: Scaler
    asked: Factors[Array]
    built: Factors[Array]
    depths: Array
    row: NDArray[np.intp]
    counts: Array

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, chosen: Any) -> Candidates:
        """Some of them: by a mask, a slice or places; one by its place."""
        some = np.atleast_1d(np.arange(len(self))[chosen])
        asked, made = (Factors(*(x[some] for x in f)) for f in (self.asked, self.built))
        return replace(self, asked=asked, built=made, depths=self.depths[some], row=self.row[some])

    def network(self, place: int = 0) -> Network:
        """One of them, described."""
        return self.scaler.network(*(float(x[place]) for x in self.asked))

    def charged(self, latency: Latency) -> tuple[Array, Array]:
        """The cost of each network, and the part of it that flops are charged for.

        That part is only known of a cost that adds up over layers; otherwise it is nan.
        """
        if not isinstance(latency, Additive):
            each = [latency(self.network(i)) for i in range(len(self))]
            return np.array(each), np.full(len(self), np.nan)
        once = self.scaler.stages[:, None] == np.arange(self.depths.shape[1] + 1)
        runs = np.column_stack([np.ones(len(self)), self.depths - 1])
        counts: Any = self.counts
        macs, weights, read, written, norm, act, less, more = counts
        bill = latency.bill(Layer(macs, weights, read, written, norm, act, (less, more)))
        sums = (np.broadcast_to(x, macs.shape) @ once for x in bill)
        by_flops, rest = ((x[self.row] * runs).sum(1) for x in sums)
        return by_flops + rest + latency.constant, by_flops

    def cost(self, latency: Latency) -> Array:
        """Seconds of each network, or what a plain budget counts."""
        return self.charged(latency)[0]

    def phi(self, latency: Additive) -> Array:
        """The share of each network's cost that flops are charged for."""
        whole, by_flops = self.charged(latency)
        return by_flops / whole
