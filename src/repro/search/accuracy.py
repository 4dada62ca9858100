"""Accuracy as an explicit function, with the error that it makes on what it has not seen.

Sources: the top-1 errors that Fast and Accurate Model Scaling plots (Figures 1, 4, 6 and 8, and
the means over bases in Figures 5 and 7), trained by one recipe.

`Surface` says the error of EfficientNet-B0 with other depth, width and resolution. Its factors are
those of the network **as built**: the builder rounds repeats up in every stage, so that a nominal
depth of 1.1 makes 23 blocks of 16. `ScaleLaw` says the error of any base scaled by one of the
paper's strategies. `accuracies` reads a reader's own.

    Surface.fit("norm").error(1.4, 1.2, 1.1)
    ScaleLaw.fit().error(23.9, "dWr", 4.0)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from repro.arch import Network

Form = Literal["quadratic", "norm", "product", "additive"]
FORMS: tuple[Form, ...] = ("quadratic", "norm", "product", "additive")
"""Shown together: the first two fit, the third dissents, the last is there to fail."""
Array = NDArray[np.float64]
Accuracy = Callable[[Network], float]
"""A network's top-1 error in percent: any function, such as a reader's own."""


class Factors(NamedTuple):
    """What a network's depth, width and resolution are, over those of its base."""

    depth: float
    width: float
    resolution: float


class Point(NamedTuple):
    """A published error: of which curve, of which network, in percent."""

    curve: str
    factors: Factors
    error: float


def built(net: Network, base: Network) -> Factors:
    """Factors of a network as built: blocks, geometric mean of the stages' widths, pixels a side.

    Raises:
        InputError: another number of stages than the base has.
    """
    raise NotImplementedError


@dataclass(frozen=True)
class Surface:
    """Top-1 error of EfficientNet-B0 by its factors as built, fitted to published points.

    Attributes:
        form: see `FORMS`. weights: its parameters.
        points: what it is fitted to.
        residual: root mean square of what the fit leaves, in percentage points.
        held_out: the same for whole curves that the fit has not seen, one left out at a time.
        worst: the largest of these errors. one_out: `held_out` for single networks left out.
    """

    form: Form
    weights: tuple[float, ...]
    points: tuple[Point, ...]
    residual: float
    held_out: float
    worst: float
    one_out: float

    @classmethod
    def fit(cls, form: Form = "quadratic") -> Surface:
        """The fit of one form to all published points of EN-B0; made once.

        Raises:
            InputError: an unknown form.
        """
        raise NotImplementedError

    def inside(
        self, depth: ArrayLike, width: ArrayLike, resolution: ArrayLike
    ) -> NDArray[np.bool_]:
        """Whether factors lie in the convex hull, in logarithms, of the published networks'."""
        raise NotImplementedError

    def error(
        self,
        depth: ArrayLike,
        width: ArrayLike,
        resolution: ArrayLike,
        extrapolate: bool = False,
    ) -> Array:
        """Top-1 error in percent; factors may be arrays, which are broadcast.

        Args:
            extrapolate: answer outside of the hull too; say there which answers these are
                (`inside`).

        Raises:
            InputError: factors outside of the hull, or not finite and positive.
        """
        raise NotImplementedError

    def of(self, net: Network, extrapolate: bool = False) -> float:
        """Top-1 error of a scaled EfficientNet-B0 (or -X-B0, as far as the surface can tell)."""
        raise NotImplementedError

    def bootstrap(self, seed: int, n: int) -> tuple[Surface, ...]:
        """Surfaces that the published points could as well have given.

        What is independent is drawn anew: each curve's weight in the fit, exponentially (the
        Bayesian bootstrap: no curve is ever wholly absent, without which a direction would be
        undetermined), and each network's error, with the paper's printed spread. `residual`,
        `held_out`, `worst` and `one_out` stay those of this fit.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class ScaleLaw:
    """Error of a base scaled by a strategy: floor + (base error - floor) s^-k, s real flops' ratio.

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
        """The fit to all published points of scaled networks; made once."""
        raise NotImplementedError

    def error(self, base_error: float, strategy: str, ratio: ArrayLike) -> Array:
        """Top-1 error in percent of a base of known error, at real flops' ratios.

        Raises:
            InputError: an unknown strategy, an error not above the floor, or a ratio not positive.
        """
        raise NotImplementedError
