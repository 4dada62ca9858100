"""Latency-aware compound scaling (LACS): the best depth, width and resolution at a given latency.

Source: Searching for Fast Model Families on Datacenter Accelerators, section 5.2, Equations 4 and
5. The paper maximises accuracy * (latency / target)^w among networks of a level's target latency,
over a grid and then a finer one around its best point; it trains and times every candidate.

Here latency is any function of a network, for example a roofline, and accuracy is a **stand-in**:
the ImageNet errors that Fast and Accurate Model Scaling plots for EfficientNet-B0 scaled in many
ways, as a quadratic in the logarithms of its three factors. It does not know what an
EfficientNet-X would reach.

    lacs(0.045, roofline_latency("V100")).coefficients
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement, product
from typing import NamedTuple

import numpy as np

from repro import reference
from repro.arch import PAPER, Network, alpha_strategy
from repro.arch.efficientnet_x import Coefficients, scaled
from repro.errors import InputError
from repro.runtime.roofline import Peaks, device_peaks, roofline

EXPONENT = -0.09
"""Of latency in the paper's reward."""
BASE, BLOCKS = 224, 16
"""Resolution of B0, and its blocks."""
NEAR = 0.03
"""Candidates are at most this share faster than the target: the paper fixes the latency."""
Latency = Callable[[Network], float]
"""Seconds of a network, for one batch."""


def reward(accuracy: float, latency: float, target: float, exponent: float = EXPONENT) -> float:
    """The paper's two-objective reward; times in one unit."""
    return accuracy * (latency / target) ** exponent


def _terms(factors: np.ndarray) -> np.ndarray:
    """1, logarithms, and their products in pairs; factors (n, 3) give (n, 10)."""
    logs = np.log(factors)
    pairs = [logs[:, i] * logs[:, j] for i, j in combinations_with_replacement(range(3), 2)]
    return np.column_stack([np.ones(len(logs)), logs, *pairs])


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
    limits: tuple[float, ...]

    def error(self, depth: float, width: float, resolution: float) -> float:
        """Top-1 error in percent by factors on EN-B0's depth, width and resolution.

        Raises:
            InputError: a factor below 1, or larger than any that was published.
        """
        factors = (depth, width, resolution)
        names = ("depth", "width", "resolution")
        for name, value, limit in zip(names, factors, self.limits, strict=True):
            if not 1 <= value <= limit:
                raise InputError(
                    f"factor {value:g} on {name} is outside of what was published: 1 to {limit:.3g}"
                )
        return float(np.exp(_terms(np.array([factors])) @ self.weights)[0])


@cache
def stand_in() -> StandIn:
    """The fit to all published errors, with what it leaves, seen and unseen."""
    points = [p for p in reference.figure_points() if p.base == "EN-B0"]
    names = np.array([p.strategy for p in points])
    errors = np.array([float(p.top1_error_percent) for p in points])
    rules = [PAPER.get(p.strategy) or alpha_strategy(p.strategy) for p in points]
    grown = [rule.multipliers(p.scale) for rule, p in zip(rules, points, strict=True)]
    factors = np.array([(m.d, m.w, m.r) for m in grown])
    weights = _fit(factors, errors)
    unseen = np.empty_like(errors)
    for name in set(names):
        out = names == name
        unseen[out] = np.exp(_terms(factors[out]) @ _fit(factors[~out], errors[~out]))
    seen = np.exp(_terms(factors) @ weights)
    residual, held_out = (float(np.sqrt(np.mean((p - errors) ** 2))) for p in (seen, unseen))
    return StandIn(tuple(weights.tolist()), residual, held_out, tuple(factors.max(axis=0).tolist()))


class Candidate(NamedTuple):
    """A scaled EfficientNet-X: its factors, its latency in seconds, and what it is worth."""

    coefficients: Coefficients
    latency: float
    error: float
    reward: float


def roofline_latency(device: str | Peaks, batch: int = 128) -> Latency:
    """Least seconds for a batch on a device's roofline, in its fastest dtype."""
    peaks = device_peaks(device) if isinstance(device, str) else device
    return lambda net: roofline(net, peaks, batch, peaks.fastest).ideal_s


def built_depth(net: Network) -> float:
    """Blocks of a network over those of B0.

    The builder rounds repeats up in each stage, so that by the coefficient alone the blocks gained
    by rounding would cost time and give nothing.
    """
    return sum(stage.depth for stage in net.stages) / BLOCKS


def evaluate(c: Coefficients, target: float, latency: Latency) -> Candidate:
    """One candidate: described, timed by the given function, and rewarded."""
    net = scaled(c)
    seconds = latency(net)
    error = stand_in().error(built_depth(net), c.width, c.resolution / BASE)
    return Candidate(c, seconds, error, reward(100 - error, seconds, target))


def _largest_image(depth: float, width: float, target: float, latency: Latency) -> Candidate | None:
    """The largest image that keeps to the target; None where no image comes near it."""
    limits = stand_in().limits
    if built_depth(scaled(Coefficients(width, depth, BASE))) > limits[0]:
        return None
    sizes = range(BASE, int(BASE * limits[2]) + 1)
    fit = bisect_right(
        sizes, target, key=lambda size: latency(scaled(Coefficients(width, depth, size)))
    )
    found = evaluate(Coefficients(width, depth, sizes[max(fit - 1, 0)]), target, latency)
    return found if (1 - NEAR) * target <= found.latency <= target else None


def lacs(target: float, latency: Latency, steps: int = 12) -> Candidate:
    """The best scaled EfficientNet-X that is no slower than a target.

    For each depth and width the resolution is the largest that keeps to the target, so that the
    reward compares networks of practically one latency. Two candidates whose errors differ by less
    than `StandIn.held_out` are equally good as far as the stand-in can tell.

    Args:
        target: seconds. latency: of a network, see `roofline_latency`.
        steps: of the grid over depth and over width, equal on a logarithmic axis; the finer grid
            around its best point has the same number.

    Raises:
        InputError: no candidate comes near the target, or fewer than two steps.
    """
    if steps < 2:
        raise InputError(f"steps {steps!r} is not allowed; 2 or more is")
    limits = np.array(stand_in().limits[:2])
    low, high, found = np.ones(2), limits, []
    for _ in range(2):
        grid = np.geomspace(low, high, steps)
        tried = (_largest_image(d, w, target, latency) for d, w in product(*grid.T.tolist()))
        found += [candidate for candidate in tried if candidate]
        if not found:
            raise InputError(f"no scaled EfficientNet-X has a latency near {target:g} s")
        best = max(found, key=lambda candidate: candidate.reward)
        middle = np.array([best.coefficients.depth, best.coefficients.width])
        step = (high / low) ** (1 / (steps - 1))
        low, high = np.maximum(1, middle / step), np.minimum(limits, middle * step)
    return best
