"""The error of any base under one of the first paper's strategies, by its flops alone.

Source: the points of Fast and Accurate Model Scaling, Figures 1 and 4 to 8: four bases, one recipe.

    ScaleLaw.fit().error(23.9, "dWr", 4.0)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import least_squares

from repro import reference
from repro.arch import get
from repro.complexity import complexity
from repro.errors import InputError, did_you_mean
from repro.evidence import printed
from repro.search.accuracy import Array, rms


@dataclass(frozen=True)
class ScaleLaw:
    """Error of a base scaled by a strategy: floor + (base error - floor) s^-k, s flops' ratio.

    Attributes:
        floor: the error that no scale passes, percent.
        exponents: k by strategy.
        residual: root mean square of what the fit leaves, points.
        held_out: the same by base, from fits that have not seen that base's points.
    """

    floor: float
    exponents: dict[str, float]
    residual: float
    held_out: dict[str, float]

    @classmethod
    def fit(cls) -> ScaleLaw:
        """The fit to all published points of scaled networks, of four bases; made once."""
        return _scale_law()

    def error(self, base_error: float, strategy: str, ratio: ArrayLike) -> Array:
        """Top-1 error in percent of a base of known error, at the flops' real ratios, 1 or more.

        Raises:
            InputError: an unknown strategy, an error not above the floor, or a ratio below 1.
        """
        if strategy not in self.exponents:
            near = did_you_mean(strategy, self.exponents)
            known = ", ".join(self.exponents)
            raise InputError(f"no exponent of strategy {strategy!r} is known.{near} Known: {known}")
        if not self.floor < base_error < 100:
            raise InputError(
                f"error {base_error:g} is not allowed; between {self.floor:.2f}, below which this "
                "law knows nothing, and 100"
            )
        ratios = np.asarray(ratio, dtype=float)
        if wrong := [r for r in ratios.ravel().tolist() if not 1 <= r < np.inf]:
            raise InputError(f"flops ratio {wrong[0]:g} is not allowed; 1 or more is")
        return np.asarray(
            self.floor + (base_error - self.floor) * ratios ** -self.exponents[strategy]
        )


class _Scaled(NamedTuple):
    base: str
    strategy: str
    ratio: float
    base_error: float
    error: float


def _scaled_points() -> Iterator[_Scaled]:
    """Published points beyond their base, with the real ratio of their flops."""
    drawn = reference.figure_points()
    bases = {p[:3]: float(p.top1_error_percent) for p in drawn if p.scale == 1}  # by curve
    for p in drawn:
        if p.scale > 1:
            nets = printed.network(p.base, p.strategy, p.scale), get(p.base)
            more, less = (complexity(net).flops for net in nets)
            error = float(p.top1_error_percent)
            yield _Scaled(p.base, p.strategy, more / less, bases[p[:3]], error)


@cache
def _scale_law() -> ScaleLaw:
    scaled = tuple(_scaled_points())
    names = sorted({p.strategy for p in scaled})

    def predicted(weights: Array, of: Sequence[_Scaled]) -> Array:
        k = np.exp(weights[1:])[[names.index(p.strategy) for p in of]]
        base = np.array([p.base_error for p in of])
        ratios = np.array([p.ratio for p in of])
        return np.asarray(weights[0] + (base - weights[0]) * ratios**-k)

    def away(weights: Array, of: Sequence[_Scaled]) -> Array:
        return predicted(weights, of) - [p.error for p in of]

    def fit(of: Sequence[_Scaled]) -> Array:
        start = np.array([15.0, *[-0.7] * len(names)])
        return np.asarray(least_squares(away, start, args=(of,)).x)

    weights = fit(scaled)
    held_out = {}
    for base in dict.fromkeys(p.base for p in scaled):
        others = [p for p in scaled if p.base != base]
        held_out[base] = rms(away(fit(others), [p for p in scaled if p.base == base]))
    exponents = dict(zip(names, np.exp(weights[1:]).tolist(), strict=True))
    return ScaleLaw(float(weights[0]), exponents, rms(away(weights, scaled)), held_out)
