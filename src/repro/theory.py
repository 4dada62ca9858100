"""How flops, params and acts grow with the scale factor s, as exact exponents.

Fast and Accurate Model Scaling, sections 3 and 5, Tables 1 to 4. In an idealised stage of d convs
of width w and group width g at resolution r, every cost is a product of powers of d, w, g and r:

    flops ~ d w g r^2        params ~ d w g        acts ~ d w r^2

and a dense conv has g = w. Scaling multiplies each of the four by a power of s, so a cost's
exponent is a sum of exponents. They are kept as fractions, or as linear functions of alpha for
the whole fast scaling family; nothing here is a float. `measured` finds the same exponents by
counting a real stage with the counter that the rest of the book uses.
"""

from __future__ import annotations

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
        """As the paper writes it: ``(1-a)/2``, ``a/2``, ``1``."""
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
    share_w = Linear(slope=Fraction(1))
    share_d = share_r = Linear(Fraction(1, 2), Fraction(-1, 2))
    half = Fraction(1, 2)  # width and resolution enter flops squared
    return Powers(d=share_d, w=share_w * half, g=share_w * half, r=share_r * half)


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


def _stage_cost(depth: int, width: int, group_width: int, resolution: int) -> tuple[int, int, int]:
    """(flops, params, acts) of ``depth`` 3x3 group convs, by differences of whole networks.

    Doubling a network's depth adds ``depth`` equal blocks and nothing else; halving their group
    width takes away half of the 3x3 convs' weights and nothing else.
    """

    def blocks_cost(group_width: int) -> tuple[int, int, int]:
        shallow, deep = (
            complexity(
                Network(
                    "stage",
                    (ResStage(blocks, width, group_width, stride=1),),
                    resolution,
                    stem_width=width,
                )
            )
            for blocks in (depth, 2 * depth)
        )
        return (
            deep.conv_macs - shallow.conv_macs,
            deep.conv_params - shallow.conv_params,
            deep.conv_acts - shallow.conv_acts,
        )

    full, halved = blocks_cost(group_width), blocks_cost(group_width // 2)
    # A block holds three convs with equal outputs; the 3x3 is one of them.
    return 2 * (full[0] - halved[0]), 2 * (full[1] - halved[1]), full[2] // 3


def measured(powers: Powers, dense: bool = True) -> Growth:
    """The exponents found by counting a real stage before and after scaling.

    The scale factor is the smallest power of two for which every dimension is multiplied by a
    whole number, so nothing is rounded and the measured exponents are exact too.

    Args:
        powers: fractions, not functions of alpha.
        dense: start from a dense stage (g = w); else from group width 8 in width 32.

    Raises:
        InputError: an exponent is negative or a function of alpha.
    """
    exponents = []
    for name in ("d", "w", "g", "r"):
        e = getattr(powers, name)
        if not isinstance(e, Fraction) or e < 0:
            raise InputError(f"exponent {name}={e} cannot be measured; a fraction >= 0 is needed")
        exponents.append(e)
    bits = lcm(*(e.denominator for e in exponents))  # s = 2^bits
    base = (2, 32, 32 if dense else 8, 8)
    scaled = [size << int(e * bits) for size, e in zip(base, exponents, strict=True)]
    before, after = _stage_cost(*base), _stage_cost(*scaled)
    # log2 of a power of two is exact.
    return Growth(*(Fraction(log2(b / a)) / bits for a, b in zip(before, after, strict=True)))
