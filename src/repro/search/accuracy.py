"""Accuracy as an explicit function, with the error that it makes on what it has not seen.

Sources: the top-1 errors that Fast and Accurate Model Scaling plots (Figures 1 and 4 to 8), all
of one recipe.

`Surface` says the error of EfficientNet-B0 with other depth, width and resolution. Its factors are
those of the network **as built**: the builder rounds repeats up in every stage, so that a nominal
depth of 1.1 makes 23 blocks of 16.

    Surface.fit("norm").error(1.4, 1.2, 1.1)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations_with_replacement
from typing import Generic, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares
from scipy.spatial import Delaunay

from repro import reference
from repro.arch import Network, get
from repro.errors import InputError, did_you_mean
from repro.evidence import printed

Array = NDArray[np.float64]
Form = Literal["quadratic", "norm", "product", "additive"]
FORMS: tuple[Form, ...] = ("quadratic", "norm", "product", "additive")
"""The first two fit best and are shown together; the simpler two dissent."""
BASE = "EN-B0"
Of = TypeVar("Of", float, Array)


class Factors(NamedTuple, Generic[Of]):
    """Depth, width and resolution over those of a base: of a network, or of many as arrays."""

    depth: Of
    width: Of
    resolution: Of


class Point(NamedTuple):
    """A published top-1 error in percent, of a scaled EN-B0, and the curve that it is drawn on."""

    curve: str
    factors: Factors[float]
    error: float


def built(net: Network, base: Network) -> Factors[float]:
    """Factors of a network as built: blocks, geometric mean of the stages' widths, pixels a side.

    Raises:
        InputError: another number of stages than the base has.
    """
    if len(net.stages) != len(base.stages):
        raise InputError(
            f"{net.name} has {len(net.stages)} stages, its base {base.name} {len(base.stages)}; "
            "factors need the same number"
        )
    blocks, of_base = (sum(stage.depth for stage in n.stages) for n in (net, base))
    ratios = [a.width / b.width for a, b in zip(net.stages, base.stages, strict=True)]
    width = float(np.exp(np.mean(np.log(ratios))))
    return Factors(blocks / of_base, width, net.resolution / base.resolution)


@cache
def points() -> tuple[Point, ...]:
    """Published errors of scaled EN-B0; B0 itself, drawn on every curve, stands once, as "base"."""
    drawn = [
        (p.strategy, printed.network(p.base, p.strategy, p.scale), p.top1_error_percent)
        for p in reference.figure_points()
        if p.base == BASE
    ]
    drawn += [
        ("EfficientNet", get(f"EN-{p.model}"), p.top1_error_percent)
        for p in reference.original_curve()
    ]
    base = get(BASE)
    found: dict[tuple[Factors[float], float], Point] = {}
    for curve, net, error in drawn:
        factors, value = built(net, base), float(error)
        own = "base" if factors == (1, 1, 1) else curve
        found.setdefault((factors, value), Point(own, factors, value))
    return tuple(found.values())


@cache
def printed_spread() -> float:
    """Spread of one network's error, points: root mean square of those printed at 200 epochs."""
    spreads = [float(r.spread_2x) for r in reference.table_rows() if r.spread_2x is not None]
    return float(np.sqrt(np.mean(np.square(spreads))))


# ---------------------------------------------------------------------------- forms


def _logs(form: Form, weights: Array, logs: Array) -> Array:
    """Logarithm of the error by a form's weights, from logarithms of factors (..., 3)."""
    if form == "quadratic":
        return np.asarray(_terms(logs) @ weights)
    floor = np.exp(weights[0])
    if form == "product":
        return np.asarray(np.log(floor + np.exp(weights[1] - logs @ np.exp(weights[2:]))))
    parts = weights[1:4] - logs * np.exp(weights[4:7])  # logarithms of a_i x_i^-p_i
    q = np.exp(weights[7]) if form == "norm" else 1.0
    return np.asarray(np.log(floor + np.exp(np.logaddexp.reduce(q * parts, axis=-1) / q)))


def _terms(logs: Array) -> Array:
    """1, logarithms, and their products in pairs: (..., 3) give (..., 10)."""
    one, two = np.array([*combinations_with_replacement(range(3), 2)]).T
    ones = np.ones_like(logs[..., :1])
    return np.concatenate([ones, logs, logs[..., one] * logs[..., two]], axis=-1)


STARTS: dict[Form, list[list[float]]] = {
    "norm": [[2.5, 1, 1, 1, -0.5, -0.5, -0.5, q] for q in (-1.0, 0.0, 1.0)],
    "product": [[2.5, 2, -0.5, -0.5, -0.5]],
    "additive": [[2.5, 1, 1, 1, -0.5, -0.5, -0.5]],
}
"""Logarithms of: floor; amounts a; powers p of depth, width, resolution; power q of the norm."""


TETHER = 0.01
"""Points of error that a weight of 1 counts as: where points determine none, none runs away."""


def _fitted(
    form: Form, logs: Array, errors: Array, start: Array | None = None, curves: Array | None = None
) -> Array:
    """Weights of a form by least squares: of the error, or of its logarithm where quadratic.

    Args:
        start: of the search for the least, where one is known. curves: weight of each point.
    """
    root = np.sqrt(np.ones(len(errors)) if curves is None else curves)
    if form == "quadratic":
        least = np.linalg.lstsq(root[:, None] * _terms(logs), root * np.log(errors), rcond=None)
        return np.asarray(least[0])
    starts = [start] if start is not None else [np.array(s, dtype=float) for s in STARTS[form]]

    def off(weights: Array) -> Array:
        with np.errstate(all="ignore"):
            away = root * (np.exp(_logs(form, weights, logs)) - errors)
        return np.nan_to_num(np.append(away, TETHER * weights), nan=1e3, posinf=1e3)

    found = [least_squares(off, s, method="lm", max_nfev=2000) for s in starts]
    return np.asarray(min(found, key=lambda fit: fit.cost).x)


# ---------------------------------------------------------------------------- surface


@dataclass(frozen=True)
class Surface:
    """Top-1 error of EfficientNet-B0 by its factors as built, fitted to published points.

    Attributes:
        form: see `FORMS`. weights: its parameters. points: what it is fitted to.
        residual: root mean square of what the fit leaves, in percentage points.
        held_out: the same for whole curves that the fit has not seen, one left out at a time; B0,
            which is on all of them, stays.
    """

    form: Form
    weights: tuple[float, ...]
    points: tuple[Point, ...]
    residual: float
    held_out: float

    @classmethod
    @cache
    def fit(cls, form: Form = "quadratic") -> Surface:
        """The fit of one form to all published points of EN-B0; made once.

        Raises:
            InputError: an unknown form.
        """
        if form not in FORMS:
            near = did_you_mean(str(form), FORMS)
            raise InputError(f"unknown form {form!r}.{near} Forms: {', '.join(FORMS)}")
        of = points()
        logs, errors = _arrays(of)
        weights = _fitted(form, logs, errors)
        curves = np.array([p.curve for p in of])
        unseen = []
        for curve in dict.fromkeys(curves.tolist()):
            if curve != "base":
                out = curves == curve
                others = _fitted(form, logs[~out], errors[~out], weights)
                unseen.append(np.exp(_logs(form, others, logs[out])) - errors[out])
        left = rms(np.exp(_logs(form, weights, logs)) - errors)
        return cls(form, tuple(weights.tolist()), of, left, rms(np.concatenate(unseen)))

    def inside(
        self, depth: ArrayLike, width: ArrayLike, resolution: ArrayLike
    ) -> NDArray[np.bool_]:
        """Whether factors lie in the convex hull, in logarithms, of the published networks'."""
        return np.asarray(_known(_log_factors(depth, width, resolution)))

    def error(
        self,
        depth: ArrayLike,
        width: ArrayLike,
        resolution: ArrayLike,
        extrapolate: bool = False,
    ) -> Array:
        """Top-1 error in percent; factors may be arrays, which are broadcast.

        Args:
            extrapolate: answer outside of the hull too; which answers those are, `inside` says.

        Raises:
            InputError: factors outside of the hull, or not finite and positive.
        """
        logs = _log_factors(depth, width, resolution)
        if not extrapolate and not (known := _known(logs)).all():
            d, w, r = np.exp(logs[~known][0])
            raise InputError(
                f"depth x {d:.3g}, width x {w:.3g}, resolution x {r:.3g} is outside of what "
                "was published of EN-B0; extrapolate=True answers nevertheless"
            )
        return np.exp(_logs(self.form, np.array(self.weights), logs))

    def bootstrap(self, seed: int, n: int) -> tuple[Surface, ...]:
        """Surfaces that other trainings of other curves could have given.

        What is independent is drawn anew: each curve's weight in the fit, exponentially (the
        Bayesian bootstrap: no curve is ever wholly absent, and so no direction undetermined), and
        each point's error, with the printed spread. All but the weights stays that of this fit.
        """
        draw = np.random.default_rng(seed)
        logs, errors = _arrays(self.points)
        names, curve = np.unique([p.curve for p in self.points], return_inverse=True)
        start, found = np.array(self.weights), []
        for _ in range(n):
            weights = draw.exponential(size=len(names))[curve]
            trained = errors + draw.normal(0, printed_spread(), len(errors))
            fit = _fitted(self.form, logs, trained, start, weights)
            found.append(replace(self, weights=tuple(fit.tolist())))
        return tuple(found)


def _log_factors(*factors: ArrayLike) -> Array:
    """Logarithms of broadcast factors, along the last axis."""
    values = np.stack(np.broadcast_arrays(*factors), axis=-1).astype(float)
    bad = ~(np.isfinite(values) & (values > 0))
    if bad.any():
        raise InputError(f"factor {values[bad][0]:g} is not allowed; finite positive ones are")
    return np.asarray(np.log(values))


def _arrays(of: Sequence[Point]) -> tuple[Array, Array]:
    """Logarithms of factors (n, 3), and errors (n,)."""
    return np.log([p.factors for p in of]), np.array([p.error for p in of])


@cache
def _hull() -> Delaunay:
    return Delaunay(np.unique(_arrays(points())[0], axis=0))


def _known(logs: Array) -> NDArray[np.bool_]:
    """Whether logarithms of factors lie in the hull of the published networks'."""
    return np.asarray(_hull().find_simplex(logs, tol=1e-9) >= 0)


def rms(values: Array) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(values**2)))
