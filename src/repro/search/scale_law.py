"""The error of any base under one of the first paper's strategies, by its flops alone.

Source: the points of Fast and Accurate Model Scaling, Figures 1 and 4 to 8: four bases, one recipe.

    ScaleLaw.known().error(23.9, "dWr", 4.0)

``python -m repro.search.scale_law`` fits it and writes ``data/scale_law.json``, so that asking
needs neither numpy nor scipy; a test says when that is out of date.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from repro import reference
from repro.arch import get
from repro.arch.strategy import COMPOUND, paper_strategy
from repro.complexity import complexity
from repro.errors import InputError, did_you_mean
from repro.evidence import printed
from repro.paths import root, write_whole

if TYPE_CHECKING:
    from repro.search.accuracy import Array

FILE = "scale_law.json"
BETWEEN = ("dwr", "dw", "2/3")
"""Nobody trained LACS under this recipe; its shares of the log-flops lie among those of these."""


@dataclass(frozen=True)
class ScaleLaw:
    """Error of a base scaled by a strategy: floor + (base error - floor) s^-k, s flops' ratio.

    Attributes:
        floor: the error that no scale passes, percent.
        exponents: k by strategy. That of EfficientNet's rule follows from its own curve alone, that
            of LACS-GPU from the strategies in `BETWEEN`.
        base_errors: of the bases it is fitted to, percent. reach: the largest ratio of a network
            published under any strategy but dWr, which goes further.
        residual: root mean square of what the fit leaves, points.
        held_out: the same by base, from fits that have not seen that base's points.
        level: the same over all bases. between: what is left of it when each base may have a level
            and a slope of its own, which all its strategies share: how well they are told apart.
    """

    floor: float
    exponents: dict[str, float]
    base_errors: dict[str, float]
    reach: float
    residual: float
    held_out: dict[str, float]
    level: float
    between: float

    @classmethod
    @cache
    def fit(cls) -> ScaleLaw:
        """The fit to all published points of scaled networks, of four bases; made once."""
        return _fitted()

    @classmethod
    @cache
    def known(cls) -> ScaleLaw:
        """The same, as it stands in ``data/scale_law.json``."""
        return cls(**json.loads((root() / "data" / FILE).read_text(encoding="utf-8")))

    def error(self, base_error: float, strategy: str, ratio: float) -> float:
        """Top-1 error in percent of a base of known error, at the flops' real ratio, 1 or more.

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
        if not 1 <= ratio < float("inf"):
            raise InputError(f"flops ratio {ratio:g} is not allowed; 1 or more is")
        reducible = (base_error - self.floor) * ratio ** -self.exponents[strategy]
        return float(self.floor + reducible)


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


def _fitted() -> ScaleLaw:
    import numpy as np
    from scipy.optimize import least_squares

    from repro.search.accuracy import rms

    scaled = tuple(_scaled_points())
    names = sorted({p.strategy for p in scaled})

    def away(weights: Array, of: Sequence[_Scaled]) -> Array:
        k = np.exp(weights[1:])[[names.index(p.strategy) for p in of]]
        base, ratios, errors = np.array([(p.base_error, p.ratio, p.error) for p in of]).T
        return np.asarray(weights[0] + (base - weights[0]) * ratios**-k - errors)

    def fit(of: Sequence[_Scaled]) -> Array:
        start = np.array([15.0, *[-0.7] * len(names)])
        return np.asarray(least_squares(away, start, args=(of,)).x)

    weights = fit(scaled)
    unseen, own = {}, []
    for base in dict.fromkeys(p.base for p in scaled):
        mine = [p for p in scaled if p.base == base]
        unseen[base] = away(fit([p for p in scaled if p.base != base]), mine)
        line = np.column_stack([np.ones(len(mine)), np.log([p.ratio for p in mine])])
        own.append(unseen[base] - line @ np.linalg.lstsq(line, unseen[base], rcond=None)[0])
    floor = float(weights[0])
    exponents = dict(zip(names, np.exp(weights[1:]).tolist(), strict=True))
    exponents["EfficientNet"] = _of_original_curve(floor)
    corners = np.array([paper_strategy(name).shares for name in BETWEEN])
    parts = np.linalg.solve(corners.T, COMPOUND["LACS-GPU"].shares)
    exponents["LACS-GPU"] = float(parts @ [exponents[name] for name in BETWEEN])
    return ScaleLaw(
        floor,
        exponents,
        base_errors={p.base: p.base_error for p in scaled},
        reach=max(p.ratio for p in scaled if p.strategy != "dWr"),
        residual=rms(away(weights, scaled)),
        held_out={base: rms(errors) for base, errors in unseen.items()},
        level=rms(np.concatenate(list(unseen.values()))),
        between=rms(np.concatenate(own)),
    )


def _of_original_curve(floor: float) -> float:
    """The exponent of EfficientNet-B0 to B5: least squares on logarithms, through B0."""
    import numpy as np

    curve = reference.original_curve()
    flops = np.log([complexity(get(f"EN-{p.model}")).flops for p in curve])
    errors = np.log([float(p.top1_error_percent) - floor for p in curve])
    x, y = flops - flops[0], errors - errors[0]
    return float(-(x @ y) / (x @ x))


def renew(path: Path) -> None:
    """Write the fit, with the digits that matter."""
    digits = json.loads(
        json.dumps(asdict(ScaleLaw.fit())), parse_float=lambda x: round(float(x), 4)
    )
    write_whole(path, (json.dumps(digits, indent=1) + "\n").encode())


if __name__ == "__main__":
    renew(root() / "data" / FILE)
