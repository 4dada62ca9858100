"""How flops, params and acts grow with the scale factor s, as exact exponents.

Fast and Accurate Model Scaling, sections 3 and 5, Tables 1 to 4. In an idealised stage of d convs
of width w and group width g at resolution r, every cost is a product of powers of d, w, g and r:

    flops ~ d w g r^2        params ~ d w g        acts ~ d w r^2

and a dense conv has g = w. Scaling multiplies each of the four by a power of s, so a cost's
exponent is a sum of exponents. They are kept as fractions, or as linear functions of alpha for
the whole fast scaling family; nothing here is a float.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import lcm, log2

from repro.arch import Network, ResStage, Strategy
from repro.complexity import complexity
from repro.errors import InputError

ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Linear:
    """``const + slope * alpha``, exactly."""

    const: Fraction = ZERO
    slope: Fraction = ZERO

    def __add__(self, other: Linear | Fraction) -> Linear:
        if isinstance(other, Fraction):
            other = Linear(other)
        return Linear(self.const + other.const, self.slope + other.slope)

    def __mul__(self, factor: Fraction | int) -> Linear:
        return Linear(self.const * factor, self.slope * factor)

    __radd__ = __add__
    __rmul__ = __mul__

    def __call__(self, alpha: Fraction) -> Fraction:
        return self.const + self.slope * alpha

    def __str__(self) -> str:
        """As the paper writes it, with a for alpha: ``(1-a)/2``, ``a/2``, ``1``."""
        below = lcm(self.const.denominator, self.slope.denominator)
        const, slope = int(self.const * below), int(self.slope * below)
        if not slope:
            return str(self.const)
        times = "a" if abs(slope) == 1 else f"{abs(slope)}a"
        sign = "-" if slope < 0 else "+" if const else ""
        above = f"{const or ''}{sign}{times}"
        return above if below == 1 else f"({above})/{below}" if const else f"{above}/{below}"


Exponent = Fraction | Linear


@dataclass(frozen=True, slots=True)
class Powers:
    """What scaling multiplies each dimension by: depth by ``s^d``, width by ``s^w``, ..."""

    d: Exponent = ZERO
    w: Exponent = ZERO
    g: Exponent = ZERO
    r: Exponent = ZERO


@dataclass(frozen=True, slots=True)
class Growth:
    """Exponents of s in a stage's costs: flops grow as ``s^flops`` and so on."""

    flops: Exponent
    params: Exponent
    acts: Exponent


def strategy_powers(strategy: Strategy) -> Powers:
    """The exponents behind `Strategy.multipliers`, exactly.

    Weights are read by their shortest decimal form, so that 0.1 is one tenth.
    """
    d, w, g, r = (Fraction(str(x)) for x in (strategy.d, strategy.w, strategy.g, strategy.r))
    total = d + w + r or g / 2 or Fraction(1)
    return Powers(d / total, w / (2 * total), g / (2 * total), r / (2 * total))


def family_powers() -> Powers:
    """The fast scaling family of section 5: width's share of the log-flops is alpha.

    Depth and resolution share the rest equally; group width follows width.
    """
    rest, half = Linear(Fraction(1, 2), Fraction(-1, 2)), Fraction(1, 2)
    width = Linear(slope=half)  # width and resolution enter flops squared
    return Powers(d=rest, w=width, g=width, r=rest * half)


GROUP_SCALING: dict[str, Powers] = {
    "w": Powers(w=Fraction(1)),
    "g": Powers(g=Fraction(1)),
    "wg": Powers(w=Fraction(1, 2), g=Fraction(1, 2)),
}
"""The rows of Table 3. Its ``w`` multiplies width by all of s, unlike the grammar's bare ``w``."""


def growth(powers: Powers) -> Growth:
    """Exponents of flops, params and acts for an idealised stage of group convs.

    With ``powers.g == powers.w`` this is also the stage of dense convs of Tables 1, 2 and 4.
    """
    weights = powers.d + powers.w + powers.g
    return Growth(
        flops=weights + 2 * powers.r, params=weights, acts=powers.d + powers.w + 2 * powers.r
    )


Sizes = tuple[int, int, int, int]
"""Depth, width, group width and resolution of a stage."""
DENSE: Sizes = (2, 32, 32, 8)
GROUPED: Sizes = (2, 32, 8, 8)


def stage_cost(depth: int, width: int, group_width: int, resolution: int) -> tuple[int, int, int]:
    """(flops, params, acts) of ``depth`` 3x3 group convs, by differences of whole networks.

    Halving a network's group width takes away half of its 3x3 convs' weights and nothing else;
    doubling its depth adds equal blocks of three convs with equal outputs.
    """

    def counts(blocks: int, group_width: int) -> tuple[int, int, int]:
        stages = (ResStage(blocks, width, group_width, stride=1),)
        # The stem halves the resolution.
        c = complexity(Network("stage", stages, 2 * resolution, stem_width=width))
        return c.conv_macs, c.conv_params, c.conv_acts

    once, halved = counts(depth, group_width), counts(depth, group_width // 2)
    acts = counts(2 * depth, group_width)[2] - once[2]
    return 2 * (once[0] - halved[0]), 2 * (once[1] - halved[1]), acts // 3


def whole_scale(powers: Powers) -> int:
    """The smallest power of two that multiplies every dimension by a whole number.

    Raises:
        InputError: an exponent is negative or a function of alpha.
    """
    exponents = {name: getattr(powers, name) for name in ("d", "w", "g", "r")}
    for name, e in exponents.items():
        if not isinstance(e, Fraction) or e < 0:
            raise InputError(f"exponent {name}={e} cannot be measured; a fraction >= 0 is needed")
    return int(2 ** lcm(*(e.denominator for e in exponents.values())))


def measured(
    powers: Powers,
    sizes: Sizes = DENSE,
    cost: Callable[[int, int, int, int], tuple[int, int, int]] = stage_cost,
) -> Growth:
    """The exponents found by counting a real stage before and after scaling by `whole_scale`.

    Nothing is rounded there, so the measured exponents are exact too. ``powers`` are fractions,
    not functions of alpha; dense convs have a group width that is the width.
    """
    s = whole_scale(powers)
    exponents = (powers.d, powers.w, powers.g, powers.r)
    larger = (size * round(s ** float(e)) for size, e in zip(sizes, exponents, strict=True))  # type: ignore[arg-type]
    pairs = zip(cost(*sizes), cost(*larger), strict=True)
    # log2 of a power of two is exact.
    return Growth(*(Fraction(log2(after / before)) / Fraction(log2(s)) for before, after in pairs))
