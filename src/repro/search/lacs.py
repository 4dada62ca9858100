"""Latency-aware compound scaling (LACS): the best depth, width and resolution at a given latency.

Source: Searching for Fast Model Families on Datacenter Accelerators, section 5.2, Equations 4 and
5. The paper maximises accuracy * (latency / target)^w among networks of a level's target latency,
over a grid and then a finer one around its best point.

The paper trains and times every candidate. Here latency is any function of a network, by default
the roofline of a device, and accuracy is a **stand-in**: the ImageNet errors that Fast and Accurate
Model Scaling plots for EfficientNet-B0 scaled in many ways, as a quadratic in the logarithms of its
three factors. It knows how error goes with depth, width and resolution in that network and that
training; it does not know what an EfficientNet-X would reach.

    lacs(0.045, roofline_latency("V100")).coefficients
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement

import numpy as np

from repro import reference
from repro.arch import PAPER, Network, alpha_strategy
from repro.arch.efficientnet_x import Coefficients, scaled
from repro.errors import InputError
from repro.records import Dtype
from repro.runtime.blocks import peaks_of
from repro.runtime.roofline import Fusion, Peaks, ideal_time

EXPONENT = -0.09
"""Of latency in the paper's reward."""
BASE, BLOCKS = 224, 16
"""Resolution of B0, and its blocks."""
NEAR = 0.03
"""Candidates are at most this share faster than the target: the paper fixes the latency."""


def reward(accuracy: float, latency: float, target: float, exponent: float = EXPONENT) -> float:
    """The paper's two-objective reward; times in one unit."""
    return accuracy * (latency / target) ** exponent


# ---------------------------------------------------------------------------- accuracy


def _terms(factors: np.ndarray) -> np.ndarray:
    """1, logarithms, and their products in pairs; factors (n, 3) give (n, 10)."""
    logs = np.log(factors)
    pairs = [logs[:, i] * logs[:, j] for i, j in combinations_with_replacement(range(3), 2)]
    return np.column_stack([np.ones(len(logs)), logs, *pairs])


def _published() -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Factors on depth, width, resolution (n, 3), top-1 errors in percent, and strategies."""
    factors, errors, names = [], [], []
    for p in reference.figure_points():
        if p.base == "EN-B0":
            strategy = PAPER.get(p.strategy) or alpha_strategy(p.strategy)
            m = strategy.multipliers(p.scale)
            factors.append((m.d, m.w, m.r))
            errors.append(float(p.top1_error_percent))
            names.append(p.strategy)
    return np.array(factors), np.array(errors), names


def _fit(factors: np.ndarray, errors: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(_terms(factors), np.log(errors), rcond=None)[0]


@dataclass(frozen=True)
class StandIn:
    """A stand-in for accuracy, fitted to published errors of scaled EN-B0.

    Attributes:
        weights: of `_terms`, for the logarithm of the error.
        residual: root mean square of what the fit leaves, in percentage points.
        held_out: the same for strategies that the fit has not seen, one left out at a time.
        limits: the largest factors on depth, width and resolution that were published.
    """

    weights: tuple[float, ...]
    residual: float
    held_out: float
    limits: tuple[float, float, float]

    def error(self, depth: float, width: float, resolution: float) -> float:
        """Top-1 error in percent by factors on EN-B0's depth, width and resolution.

        Raises:
            InputError: a factor below 1, or larger than any that was published.
        """
        factors = (depth, width, resolution)
        for name, value, limit in zip(
            ("depth", "width", "resolution"), factors, self.limits, strict=True
        ):
            if not 1 <= value <= limit:
                raise InputError(
                    f"factor {value:g} on {name} is outside of what was published: 1 to {limit:.3g}"
                )
        return float(np.exp(_terms(np.array([factors])) @ self.weights)[0])


@cache
def stand_in() -> StandIn:
    """The fit to all published errors, with what it leaves, seen and unseen."""
    factors, errors, names = _published()
    weights = _fit(factors, errors)
    unseen = np.empty_like(errors)
    for name in set(names):
        out = np.array([n == name for n in names])
        unseen[out] = np.exp(_terms(factors[out]) @ _fit(factors[~out], errors[~out]))

    def rms(predicted: np.ndarray) -> float:
        return float(np.sqrt(np.mean((predicted - errors) ** 2)))

    d, w, r = factors.max(axis=0)
    return StandIn(
        tuple(map(float, weights)),
        rms(np.exp(_terms(factors) @ weights)),
        rms(unseen),
        (float(d), float(w), float(r)),
    )


# ---------------------------------------------------------------------------- the search


@dataclass(frozen=True)
class Candidate:
    """A scaled EfficientNet-X: its factors, its latency in seconds, and what it is worth."""

    coefficients: Coefficients
    latency: float
    error: float
    reward: float

    @property
    def network(self) -> Network:
        """Its description."""
        return scaled(self.coefficients)


def roofline_latency(
    device: str | Peaks, batch: int = 128, dtype: Dtype = "fp16", fusion: Fusion = "conv"
) -> Callable[[Network], float]:
    """Least seconds for a batch on a device's roofline, as a function of a network."""
    peaks = peaks_of(device)
    return lambda net: ideal_time(net, peaks, batch=batch, dtype=dtype, fusion=fusion)


def built_depth(net: Network) -> float:
    """Blocks of a network over those of B0."""
    return sum(stage.depth for stage in net.stages) / BLOCKS


def evaluate(c: Coefficients, target: float, latency: Callable[[Network], float]) -> Candidate:
    """One candidate: described, timed by the given function, and rewarded.

    Its depth is that of the network: blocks over B0's. The builder rounds repeats up in each stage,
    so that by the coefficient alone the blocks gained by rounding would cost time and give nothing.
    """
    net = scaled(c)
    seconds = latency(net)
    error = stand_in().error(built_depth(net), c.width, c.resolution / BASE)
    return Candidate(c, seconds, error, reward(100 - error, seconds, target))


def _largest_image(
    width: float, depth: float, target: float, latency: Callable[[Network], float]
) -> Candidate | None:
    """The largest image that keeps to the target; None where no image comes near it."""
    low, high = BASE, int(BASE * stand_in().limits[2])
    if built_depth(scaled(Coefficients(width, depth, low))) > stand_in().limits[0]:
        return None
    smallest, largest = (latency(scaled(Coefficients(width, depth, r))) for r in (low, high))
    if smallest > target or largest < (1 - NEAR) * target:
        return None
    while low < high:
        middle = (low + high + 1) // 2
        net = scaled(Coefficients(width, depth, middle))
        low, high = (middle, high) if latency(net) <= target else (low, middle - 1)
    found = evaluate(Coefficients(width, depth, low), target, latency)
    return found if found.latency >= (1 - NEAR) * target else None


def _best(
    depths: Iterable[float],
    widths: Iterable[float],
    target: float,
    latency: Callable[[Network], float],
) -> Candidate | None:
    pairs = [(float(w), float(d)) for d in depths for w in widths]
    found = [_largest_image(w, d, target, latency) for w, d in pairs]
    return max((c for c in found if c), key=lambda c: c.reward, default=None)


def lacs(target: float, latency: Callable[[Network], float], steps: int = 12) -> Candidate:
    """The best scaled EfficientNet-X that is no slower than a target.

    Args:
        target: seconds. latency: of a network, in seconds; see `roofline_latency`.
        steps: of the grid over depth and over width, equal on a logarithmic axis; the finer grid
            around its best point has the same number.

    Raises:
        InputError: no candidate comes near the target, or fewer than two steps.

    For each depth and width the resolution is the largest that keeps to the target, so that the
    reward compares networks of practically one latency, as the paper's constraint demands. Two
    candidates whose errors differ by less than `StandIn.held_out` are equally good as far as the
    stand-in can tell.
    """
    if steps < 2:
        raise InputError(f"steps {steps!r} is not allowed; 2 or more is")
    max_depth, max_width, _ = stand_in().limits
    depths, widths = (np.geomspace(1, limit, steps) for limit in (max_depth, max_width))
    best = _best(depths, widths, target, latency)
    if best is None:
        raise InputError(f"no scaled EfficientNet-X has a latency near {target:g} s")
    c = best.coefficients
    finer = _best(
        _around(c.depth, depths[1] / depths[0], max_depth, steps),
        _around(c.width, widths[1] / widths[0], max_width, steps),
        target,
        latency,
    )
    return max((best, finer or best), key=lambda c: c.reward)


def _around(value: float, ratio: float, limit: float, steps: int) -> np.ndarray:
    """A finer grid: from one coarse step below a value to one above it."""
    return np.geomspace(max(1.0, value / ratio), min(limit, value * ratio), steps)
