"""Advice for one network, device and budget: each strategy's largest network, and its error.

Counting, prices and the law of errors need neither numpy nor torch; only networks of timm's do.

    advise(Described(get("EN-B0")), device("rtx4090"), read_budget("2x"), error=22.72)

Two strategies are tied where their intervals overlap. An interval is one standard error each way:
how well strategies were told apart on bases that the law had not seen, and what the time's own
error is worth. What no comparison depends on, the level, is `ScaleLaw.level` less sure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from math import exp, hypot, inf, log
from typing import Literal, NamedTuple, Protocol

from repro import reference
from repro.arch import Network, Strategy, get, scale
from repro.arch.strategy import paper_strategy
from repro.complexity import complexity
from repro.errors import InputError, did_you_mean
from repro.evidence.printed import family
from repro.prices.counts import Counts, counts_of
from repro.prices.law import UNITS, Price, milliseconds, published, unlike
from repro.runtime.roofline import device_peaks, known_devices
from repro.search.budgets import KEPT, STATE, Budget, fits
from repro.search.latency import BATCH, Additive, roofline
from repro.search.scale_law import ScaleLaw

STRATEGIES = ("w", "dWr", "2/3", "dw", "dwr", "EfficientNet", "LACS-GPU", "d", "r")
MEMORY_BATCH = 32
LARGEST = 1000.0
"""Scale up to which a strategy's network is sought."""
FINE, NEAR = 0.002, 0.03
"""Scales whose logarithms are so close are one; where each has to be built, to be counted, so close
are near enough, as are costs."""
SCALED = ("EfficientNet", "RegNetY", "RegNetZ")
"""Families of which the first paper publishes scaled networks."""
Mode = Literal["infer", "train"]


class Grown(NamedTuple):
    """A network of some size; counts are of one image, ``priced`` as `repro.prices` takes them."""

    resolution: int
    flops: int
    params: int
    acts: int
    priced: Counts
    net: Network | None

    def memory(self, batch: int) -> float:
        """Bytes that training a batch in single precision takes, roughly."""
        return STATE * self.params + KEPT * 4 * batch * self.acts


class Base(Protocol):
    """What can be scaled. ``base``: itself. ``family``: as tables call it."""

    name: str
    family: str
    base: Grown

    def grow(self, strategy: Strategy, scale: float) -> Grown: ...


class Described:
    """A description to be scaled. Raises `InputError` where it is a piece of a network."""

    def __init__(self, net: Network) -> None:
        if net.is_piece:
            raise InputError(f"{net.name} is a piece of a network; only whole ones are scaled")
        self.name, self._net = net.name, net
        try:
            self.family = family(net.name)
        except InputError:  # a network of one's own
            self.family = net.name
        self.base = self._counted(net)

    def grow(self, strategy: Strategy, scale_: float) -> Grown:
        return self._counted(scale(self._net, strategy, scale_))

    def _counted(self, net: Network) -> Grown:
        count = complexity(net)
        return Grown(net.resolution, count.flops, count.params, count.acts, counts_of(net), net)


def find_base(name: str) -> Base:
    """A network to be scaled: of the zoo, of timm's (``timm/NAME``), or from a description's file.

    Raises:
        InputError: none is found, or it cannot be scaled.
    """
    if name.startswith("timm/"):
        from repro.search.timm_bases import TimmBase

        return TimmBase(name)
    return Described(get(name))


@dataclass(frozen=True)
class Charges:
    """What a device asks for: by prices fitted to it, or else by its roofline.

    Attributes:
        name: of the device. source: of what is known about it, as prose says it.
        batch: images at once on the roofline; one on a CPU.
    """

    name: str
    source: str
    price: Price | None = None
    roof: Additive | None = None
    batch: int = 1

    def ms(self, net: Grown) -> float:
        """Milliseconds of an image."""
        return milliseconds(self.price, net.priced) if self.price else self._least(net)[0]

    def phi(self, net: Grown) -> float:
        """The share of the time that flops are charged for."""
        if self.price:
            flop = self.price.ms["flops"].value / UNITS["flops"]
            return flop * net.priced.flops / self.ms(net)
        whole, flops = self._least(net)
        return flops / whole

    def _least(self, net: Grown) -> tuple[float, float]:
        if self.roof is None or net.net is None:
            raise InputError(f"the roofline of {self.name} needs a description; take fitted prices")
        whole, flops = self.roof.charged(net.net)
        return 1e3 * whole / self.batch, 1e3 * flops / self.batch

    def error(self, net: Grown) -> float | None:
        """Median relative error of `ms` on families not seen; None: nobody measured it."""
        return self.price.error(net.priced.kind) if self.price else None

    def unlike(self, net: Grown) -> str | None:
        """Why a network is unlike those that were timed, in a few words."""
        return unlike(self.price, net.priced, self.ms(net)) if self.price else None


def device(name: str, mode: Mode = "infer", compiled: bool = False) -> Charges:
    """Prices fitted to a device, or its roofline.

    Of several settings the one of least error; compiled, or not, where there is no other.

    Raises:
        InputError: an unknown device (the nearest is suggested), or no prices in this mode.
    """
    priced, rooflines = devices()
    if name in priced:
        right = [p for p in published() if (p.device, p.mode) == (name, mode)]
        if not right:
            raise InputError(f"device {name!r} has no prices for mode {mode!r}; allowed: infer")
        price = min(right, key=lambda p: (p.compiled != compiled, p.errors["all"]))
        return Charges(name, f"prices from {price.networks} networks, {price.setting}", price)
    if name in rooflines:
        batch = 1 if name == "CPU" else BATCH
        roof, images = roofline(name, batch, mode=mode), f"{batch} image{'s' * (batch > 1)}"
        source = f"roofline, {device_peaks(name).fastest}, the least that {images} at once can take"
        return Charges(name, source, roof=roof, batch=batch)
    raise InputError(
        f"unknown device {name!r}.{did_you_mean(name, [*rooflines, *priced])} Fitted prices: "
        f"{', '.join(priced)}; rooflines: {', '.join(rooflines)}"
    )


def devices() -> tuple[list[str], list[str]]:
    """What `device` knows: those with fitted prices, and those with a roofline."""
    return list(dict.fromkeys(p.device for p in published())), list(known_devices())


class Advice(NamedTuple):
    """A strategy's largest network within a budget; the first nine are fixed words of `--json`.

    Attributes:
        scale: as `repro.arch.scale` takes it. memory: bytes, see `Grown.memory`.
        ms: of an image. ms_error: relative, see `Charges`. warning: see `Charges.unlike`.
        top1_error: percent; None where the base's is unknown.
        gap: points more than dWr's network in the same budget; with an unknown error of the base,
            as if that were middling among those that the law is fitted to.
        band: half of the interval by which strategies are compared, points.
        tied: whether it overlaps that of the best. extrapolated: beyond `ScaleLaw.reach`.
    """

    strategy: str
    scale: float
    flops: int
    params: int
    acts: int
    ms: float
    ms_error: float | None
    top1_error: float | None
    tied: bool
    resolution: int
    memory: float
    gap: float
    band: float
    warning: str | None
    extrapolated: bool


def known_error(name: str) -> tuple[float, str] | None:
    """A base's published top-1 error in percent, and where; the law's own recipe comes first."""
    for point in reference.figure_points():
        if point.base == name and point.scale == 1:
            return float(point.top1_error_percent), "Fast and Accurate Model Scaling"
    for own in reference.original_curve():
        if f"EN-{own.model}" == name:
            return float(own.top1_error_percent), "Fast and Accurate Model Scaling"
    for row in reference.zoo_timings():
        if row.model.replace("EfficientNet-", "EN-") == name:
            return float(row.top1_err), "its authors' model zoo, a shorter training"
    return None


def advise(
    base: Base,
    charges: Charges,
    budget: Budget,
    error: float | None = None,
    batch: int = MEMORY_BATCH,
    strategies: Iterable[str] = STRATEGIES,
    progress: Callable[[], None] = lambda: None,
) -> list[Advice]:
    """What each strategy gives in a budget: those tied with the best first, the least memory first.

    Args:
        budget: of an image, or of a batch where it is memory; "2x" is twice the base's time.
        error: of the base, percent. batch: for memory. progress: called for each strategy.

    Raises:
        InputError: the base itself needs more, no strategy reaches the budget, or an error that the
            law knows nothing of. Strategies that do not reach it are left out.
    """
    own, cost, law = base.base, _cost(charges, budget, batch), ScaleLaw.known()
    start = charges.ms(own)
    limit = budget.limit * (start if budget.what == "times" else 1.0)
    if not fits(cost(own), limit):
        raise InputError(
            f"budget {budget.text!r} is too small: {base.name} itself needs "
            f"{budget.shown(cost(own) * budget.limit / limit)}"
        )
    levels = [error] if error is not None else list(law.base_errors.values())
    found: dict[str, tuple[float, Grown, list[float]]] = {}
    for name in strategies:
        if reached := _largest(base, paper_strategy(name), cost, limit):
            ratio = max(1.0, reached[1].flops / own.flops)
            found[name] = *reached, [law.error(level, name, ratio) for level in levels]
        progress()
    if not found:
        raise InputError(
            f"budget {budget.text!r} is more than any strategy takes at {LARGEST:,.0f} times the "
            f"flops of {base.name}"
        )
    *_, standard = found.get("dWr") or next(iter(found.values()))
    rows = []
    for name, (factor, grown, errors) in found.items():
        gaps = [one - other for one, other in zip(errors, standard, strict=True)]
        ms, off = charges.ms(grown), charges.error(grown)
        worth = 0.0  # what an error of the time is, in points of top-1
        if off and ms > start and budget.what in ("time", "times"):
            reducible = sum(errors) / len(errors) - law.floor
            slope = log(max(1.0, grown.flops / own.flops)) / log(ms / start)
            worth = reducible * law.exponents[name] * slope * off
        row = Advice(
            strategy=name,
            scale=factor,
            resolution=grown.resolution,
            flops=grown.flops,
            params=grown.params,
            acts=grown.acts,
            memory=grown.memory(batch),
            ms=ms,
            ms_error=off,
            top1_error=errors[0] if error is not None else None,
            gap=sum(gaps) / len(gaps),
            band=hypot(law.between, worth, (max(gaps) - min(gaps)) / 2),
            tied=True,
            warning=charges.unlike(grown),
            extrapolated=grown.flops > law.reach * own.flops,
        )
        rows.append(row)
    best = min(rows, key=lambda row: row.gap)
    rows = [row._replace(tied=row.gap - row.band <= best.gap + best.band) for row in rows]
    return sorted(rows, key=lambda r: (not r.tied, r.memory if r.tied else r.gap, r.params))


def _cost(charges: Charges, budget: Budget, batch: int) -> Callable[[Grown], float]:
    """What a budget limits, in its own units; for a multiple of the base's time, milliseconds."""
    return {
        "time": lambda g: charges.ms(g) / 1e3,
        "times": charges.ms,
        "flops": lambda g: float(g.flops),
        "acts": lambda g: float(g.acts),
        "params": lambda g: float(g.params),
        "memory": lambda g: g.memory(batch),
    }[budget.what]


def _largest(
    base: Base, strategy: Strategy, cost: Callable[[Grown], float], limit: float
) -> tuple[float, Grown] | None:
    """The largest scale that keeps to a limit, and its network; None: beyond `LARGEST`.

    By a power law through what is known, and by halves where the steps of rounding stop that.
    """
    own = cost(base.base)
    enough, fine = (limit, FINE) if base.base.net else (limit * (1 - NEAR), NEAR)
    low, best, high = (0.0, own), (1.0, base.base), (log(LARGEST), inf)
    at = log(limit / own)
    for look in count():
        factor = float(f"{exp(at):.4g}")
        if low[1] >= enough or high[0] - low[0] < fine or factor == best[0]:
            break
        grown = base.grow(strategy, factor)
        point = log(factor), cost(grown)
        if point[1] <= limit:
            low, best = point, (factor, grown)
        else:
            high = point
        at = (low[0] + high[0]) / 2
        if high[1] < inf and look % 3:
            share = log(limit / low[1]) / log(high[1] / low[1])
            at = low[0] + min(0.95, max(0.05, share)) * (high[0] - low[0])
        elif low[1] > own and high[1] == inf:
            at = min(high[0], 1.02 * low[0] * log(limit / own) / log(low[1] / own))
    return None if log(LARGEST) - low[0] < fine else best
