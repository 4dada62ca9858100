"""Scaling by latency: which scaled network is best in a budget, by how much, and how surely.

Source: Searching for Fast Model Families on Datacenter Accelerators, section 5.2, Equations 4 and
5 (`lacs`). The paper maximises accuracy * (latency / target)^w among networks of a level's target
latency, over a grid and then a finer one around its best point; it trains and times every
candidate. Here accuracy is a `repro.search.accuracy.Surface` and latency any function of a
network. Surfaces differ by less than a tenth over wide ranges, so that the best point alone says
little: `regret` says by how much a rule is worse, `affordable` what cannot be told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from repro.arch import Network, Strategy, XStage, get
from repro.arch.efficientnet_x import Coefficients
from repro.errors import InputError
from repro.search.accuracy import BASE, Array, Of, Surface
from repro.search.budgets import fits
from repro.search.candidates import Candidates, Rule, Scaler
from repro.search.latency import Latency

EXPONENT = -0.09
"""Of latency in the paper's reward."""
NEAR = 0.03
"""Candidates are at most this share faster than the target: the paper fixes the latency."""
LARGEST = 64.0
"""Scale up to which a strategy's network is sought."""
STEPS = 40
"""Of a grid over depth and over width."""
PIXELS = 4
"""Between the images of a grid."""
HALVINGS = 32
"""Of the interval in which a rule's scale is sought."""


def reward(accuracy: Of, latency: Of, target: float) -> Of:
    """The paper's two-objective reward, of one candidate or of many; times in one unit.

    The target only multiplies every candidate's reward by the same number: it does not say which
    is best.
    """
    return accuracy * (latency / target) ** EXPONENT


def shares(factors: Sequence[float]) -> tuple[float, float, float]:
    """Of the log-flops, for depth, width and resolution: the first paper's coordinates."""
    d, w, r = (float(np.log(x)) for x in factors)
    total = d + 2 * w + 2 * r or 1.0
    return d / total, 2 * w / total, 2 * r / total


# ---------------------------------------------------------------------------- what is best


def grid(scaler: Scaler, accuracy: Surface, steps: int = STEPS) -> Candidates:
    """Every candidate of which the surface can tell the error: inside of what was published.

    Depth and width in equal steps on a logarithmic axis, pixels in steps of `PIXELS`; each network
    once, however many factors round to it. Where nothing is rounded, `triangle` and `largest` give
    all networks of one cost exactly.
    """
    depth, width, resolution = np.max([p.factors for p in accuracy.points], axis=0)
    pixels = np.arange(scaler.base.resolution, scaler.base.resolution * resolution + 1, PIXELS)
    found = scaler.candidates(
        np.geomspace(1, depth, steps)[:, None, None],
        np.geomspace(1, width, steps)[:, None],
        pixels / scaler.base.resolution,
    )
    once = np.unique(np.column_stack(found.built), axis=0, return_index=True)[1]
    known = found[np.sort(once)]
    return known[accuracy.inside(*known.built)]


def affordable(
    candidates: Candidates, target: float, accuracy: Surface, latency: Latency
) -> tuple[Candidates, Array]:
    """Those that cost no more than a target, and their errors, percent; the best first.

    Raises:
        InputError: none does.
    """
    cost = candidates.cost(latency)
    if not (kept := fits(cost, target)).any():
        raise InputError(
            f"no candidate costs as little as {target:.3g}; the least is {cost.min():.3g}"
        )
    some = candidates[kept]
    errors = accuracy.error(*some.built, extrapolate=True)
    order = np.argsort(errors, kind="stable")
    return some[order], errors[order]


def triangle(step: float = 0.05) -> Array:
    """Every rule: shares of the log-flops for depth, width and resolution (n, 3), so far apart."""
    n = round(1 / step)
    pairs = [(d, w) for d in range(n + 1) for w in range(n + 1 - d)]
    return np.array([(d, w, n - d - w) for d, w in pairs]) / n


def largest(scaler: Scaler, rules: ArrayLike, target: float, latency: Latency) -> Candidates:
    """Each rule's largest network that costs no more than a target.

    Args:
        rules: shares of the log-flops (n, 3), see `repro.arch.strategy.Strategy.shares`.

    Raises:
        InputError: the base itself costs more, or a rule never reaches the target.
    """
    exponents = np.atleast_2d(np.asarray(rules, float)) * (1, 0.5, 0.5)

    def at(logs: Array) -> Candidates:
        return scaler.candidates(*np.exp(logs[:, None] * exponents).T)

    low, high = np.zeros(len(exponents)), np.full(len(exponents), np.log(LARGEST))
    least, most = at(low).cost(latency), at(high).cost(latency)
    if not fits(least[0], target):
        name = scaler.base.name
        raise InputError(f"budget {target:.3g} is below {name} itself, which needs {least[0]:.3g}")
    if (most <= target).any():
        shares_of = ", ".join(f"{x:.2g}" for x in np.asarray(rules).reshape(-1, 3)[np.argmin(most)])
        raise InputError(
            f"budget {target:.3g} is more than {LARGEST:g} times the flops of {scaler.base.name} "
            f"take with shares {shares_of} of depth, width, resolution: {most.min():.3g}"
        )
    for _ in range(HALVINGS):  # the cost rises with the scale, in steps where it is rounded
        middle = (low + high) / 2
        keeps = at(middle).cost(latency) <= target
        low, high = np.where(keeps, middle, low), np.where(keeps, high, middle)
    return at(low)


class Regrets(NamedTuple):
    """How much more error rules make than the best that a surface knows, in points.

    Attributes:
        networks: each rule's largest in the budget.
        values: (rules,). draws: (draws, rules), of surfaces that the points could have given.
        inside: whether the surface knows such networks; otherwise the value is extrapolated.
    """

    networks: Candidates
    values: Array
    draws: Array
    inside: NDArray[np.bool_]


def regret(
    candidates: Candidates,
    strategies: Sequence[Strategy],
    target: float,
    accuracy: Surface,
    latency: Latency,
    draws: Sequence[Surface] = (),
) -> Regrets:
    """What strategies lose against the best candidate at equal cost.

    The best is found anew for each of the ``draws``. The difference of two strategies' regrets
    does not depend on the best.

    Raises:
        InputError: see `affordable` and `largest`.
    """
    own = largest(candidates.scaler, [s.shares for s in strategies], target, latency)
    some, _ = affordable(candidates, target, accuracy, latency)

    def lost(surface: Surface) -> Array:
        least = surface.error(*some.built, extrapolate=True).min()
        return surface.error(*own.built, extrapolate=True) - least

    values, drawn = lost(accuracy), np.array([lost(surface) for surface in draws])
    return Regrets(own, values, drawn, accuracy.inside(*own.built))


# ---------------------------------------------------------------------------- the procedure


class Found(NamedTuple):
    """A scaled network: its factors, its cost, its predicted error in percent and its reward."""

    coefficients: Coefficients
    latency: float
    error: float
    reward: float


def of_b0(net: Network, rounding: Rule | None = None) -> Scaler:
    """EfficientNet-B0 or one of its relatives, to be scaled: what a `Surface` can judge.

    Rounded as its authors do, unless said otherwise. An EfficientNet-X has the squeeze-excite of
    the levels above B1, which B0's own is four times as wide as.

    Raises:
        InputError: a network of other depths or widths.
    """
    b0 = get(BASE)
    if [(s.depth, s.width) for s in net.stages] != [(s.depth, s.width) for s in b0.stages]:
        raise InputError(
            f"{net.name} has not {BASE}'s depths and widths, and errors are published of {BASE}'s "
            "alone; allowed: EN-B0, EN-TF-B0, EN-X-B0 and its variants"
        )
    if all(isinstance(stage, XStage) for stage in net.stages):
        stages: Any = net.stages
        plain = tuple(replace(s, se_ratio=min(s.se_ratio, b0.se_ratio)) for s in stages)
        net = replace(net, stages=plain, se_ratio=b0.se_ratio)
    return Scaler(net, rounding or ("nearest" if net.rules == "pycls" else "up"))


def lacs(
    target: float, latency: Latency, accuracy: Surface, scaler: Scaler, steps: int = 12
) -> Found:
    """The best scaled network that is no slower than a target, as the paper searches it.

    For each depth and width the resolution is the largest that keeps to the target, so that the
    reward compares networks of practically one latency.

    Args:
        target: seconds, or what ``latency`` gives.
        steps: of the grid over depth and over width, equal on a logarithmic axis; the finer grid
            around its best point has the same number.

    Raises:
        InputError: no candidate comes near the target, or fewer than two steps.
    """
    if steps < 2:
        raise InputError(f"steps {steps!r} is not allowed; 2 or more is")
    *most, tallest = np.max([p.factors for p in accuracy.points], axis=0)
    low, high = np.ones(2), np.array(most)
    found: list[Found] = []
    for _ in range(2):
        depth, width = np.array([*product(*np.geomspace(low, high, steps).T)]).T
        tried = _at_target(scaler, depth, width, tallest, target, latency)
        cost = tried.cost(latency)
        good = (cost <= target) & (cost >= (1 - NEAR) * target) & accuracy.inside(*tried.built)
        if good.any():
            some, cost = tried[good], cost[good]
            errors = accuracy.error(*some.built, extrapolate=True)
            rewards = reward(100 - errors, cost, target)
            i = int(np.argmax(rewards))
            d, w, r = (float(x[i]) for x in some.asked)
            of = Coefficients(w, d, round(r * scaler.base.resolution))
            found.append(Found(of, float(cost[i]), float(errors[i]), float(rewards[i])))
        if not found:
            raise InputError(f"no scaled {scaler.base.name} has a latency near {target:g}")
        best = max(found, key=lambda one: one.reward)
        middle = np.array([best.coefficients.depth, best.coefficients.width])
        step = (high / low) ** (1 / (steps - 1))
        low, high = np.maximum(1, middle / step), np.minimum(most, middle * step)
    return best


def _at_target(
    scaler: Scaler, depth: Array, width: Array, tallest: float, target: float, latency: Latency
) -> Candidates:
    """For each depth and width the network with the largest image that keeps to the target."""
    size = scaler.base.resolution
    low, high = np.full(len(depth), size), np.full(len(depth), int(size * tallest) + 1)
    while (high - low > 1).any():
        middle = (low + high) // 2
        keeps = scaler.candidates(depth, width, middle / size).cost(latency) <= target
        low, high = np.where(keeps, middle, low), np.where(keeps, high, middle)
    return scaler.candidates(depth, width, low / size)
