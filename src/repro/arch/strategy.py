"""Scaling strategies: the authors' grammar, the papers' own, and the alpha family.

A strategy is a set of weights; each says what share of the log-flops a dimension receives.
In the grammar a bare ``w`` leaves group width alone. In the paper's text and tables group width
always follows width, so the paper's ``w`` is the grammar's ``w1_g1``. The two readings give
different networks wherever convs are grouped: strings are always read by the grammar, and the
paper's strategies are the constants in `PAPER`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from numbers import Real
from typing import NamedTuple

from repro.errors import InputError

GRAMMAR = (
    "letters of d, w, g, r, each at most once (dwgr), or letters with weights joined by "
    "underscores (d1_w8_g8_r1), or one of dWr, EfficientNet, LACS-GPU, LACS-TPU; a bare w leaves "
    "group width alone"
)


class Multipliers(NamedTuple):
    """What each dimension is multiplied by: depth, width, group width, resolution."""

    d: float
    w: float
    g: float
    r: float


@dataclass(frozen=True, slots=True)
class Strategy:
    """Relative weights, not negative, of depth, width, group width and resolution."""

    name: str
    d: float = 0.0
    w: float = 0.0
    g: float = 0.0
    r: float = 0.0

    @property
    def grammar(self) -> str:
        """The strategy in the authors' grammar, for example ``d1_w8_g8_r1``."""
        # The shortest exact decimal, without the exponent that the grammar has not.
        weights = {k: Decimal(repr(float(getattr(self, k)))).normalize() for k in "dwgr"}
        return "_".join(f"{k}{v:f}" for k, v in weights.items() if v) or "d0"

    @property
    def shares(self) -> tuple[float, float, float]:
        """Of the log-flops, for depth, width and resolution; (0.1, 0.8, 0.1) for dWr."""
        total = (self.d + self.w + self.r) or 1.0
        return self.d / total, self.w / total, self.r / total

    @property
    def alpha(self) -> float:
        """Width's share of the log-flops (paper, section 5): 1 for w, 1/3 for dwr, 0 for dr."""
        return self.shares[1]

    def multipliers(self, s: float) -> Multipliers:
        """Factors on d, w, g, r that multiply flops by about ``s``.

        A share e of the log-flops gives s^e to depth, but s^(e/2) to width and resolution, which
        enter flops squared. Group width is not in the sum: it follows width. Alone, ``g`` takes
        all of s.

        Raises:
            InputError: ``s`` is not a finite positive number, or a factor would not be one.
        """
        factor = check_scale(s)
        total = self.d + self.w + self.r or self.g / 2 or 1.0
        try:
            w, g, r = (factor ** (x / (2 * total)) for x in (self.w, self.g, self.r))
            return Multipliers(factor ** (self.d / total), w, g, r)
        except OverflowError:
            raise InputError(
                f"scale {s!r} is too large for strategy {self.name!r}, whose weight of g "
                "outweighs the others"
            ) from None


def check_scale(s: float) -> float:
    """``s`` as a plain float; `InputError` unless it is a finite positive number."""
    if isinstance(s, bool) or not isinstance(s, Real):
        raise InputError(f"scale {s!r} is not a number; a finite positive number is needed")
    try:
        value = float(s)
    except OverflowError:  # a whole number beyond every float
        value = math.inf
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"scale {s!r} is not allowed; a finite positive number is needed")
    return value


def alpha_strategy(alpha: float | Fraction | str, name: str | None = None) -> Strategy:
    """A member of the paper's fast scaling family (section 5, Table 4).

    Width gets the share ``alpha`` of the log-flops, depth and resolution half of the rest each;
    group width follows width. ``alpha_strategy("4/5")`` is dWr.

    A fraction or its text keeps the weights whole numbers.

    Raises:
        InputError: ``alpha`` is no number between 0 and 1.
    """
    try:
        share = Fraction(alpha)
    except (ValueError, TypeError, ZeroDivisionError, OverflowError):
        raise InputError(f"alpha {alpha!r} is not a number between 0 and 1") from None
    if not 0 <= share <= 1:
        raise InputError(f"alpha {alpha!r} is not between 0 and 1")
    rest, width = share.denominator - share.numerator, 2 * share.numerator
    unit = math.gcd(rest, width)
    try:
        d, w = rest / unit, width / unit
    except OverflowError:
        raise InputError(f"alpha {alpha!r} is too fine a fraction") from None
    return Strategy(name or f"alpha={alpha}", d=d, w=w, g=w, r=d)


PAPER: dict[str, Strategy] = {
    "d": Strategy("d", d=1),
    "w": Strategy("w", w=1, g=1),
    "r": Strategy("r", r=1),
    "dw": Strategy("dw", d=1, w=1, g=1),
    "wr": Strategy("wr", w=1, g=1, r=1),
    "dr": Strategy("dr", d=1, r=1),
    "dwr": Strategy("dwr", d=1, w=1, g=1, r=1),
    "dWr": Strategy("dWr", d=1, w=8, g=8, r=1),
}
"""The paper's strategies by the paper's short names; group width follows width in all of them."""


def by_factors(name: str, depth: float, width: float, resolution: float) -> Strategy:
    """The strategy that multiplies depth, width and resolution so, at some scale.

    A compound rule is printed by its factors; in shares of the log-flops the second paper's, too,
    gives width the most, because width and resolution enter flops squared.

    Raises:
        InputError: a factor below 1.
    """
    if min(depth, width, resolution) < 1:
        raise InputError(f"factors {depth:g}, {width:g}, {resolution:g} must be 1 or more")
    d, w, r = (round(math.log(x), 4) for x in (depth, width**2, resolution**2))
    return Strategy(name, d=d, w=w, g=w, r=r)


COMPOUND: dict[str, Strategy] = {
    "EfficientNet": by_factors("EfficientNet", 1.2, 1.1, 1.15),
    "LACS-GPU": by_factors("LACS-GPU", 1.28, 1.17, 1.07),
    "LACS-TPU": by_factors("LACS-TPU", 1.25, 1.17, 1.09),
}
"""Compound rules by the factors that Table 2 of the second paper prints."""
NAMED: dict[str, Strategy] = {"dWr": PAPER["dWr"], **COMPOUND}
"""What the grammar has names for."""


def paper_strategy(name: str) -> Strategy:
    """A strategy as the papers name it: ``dWr``, ``LACS-GPU``, or ``2/3`` for an alpha."""
    known = PAPER | COMPOUND
    return known[name] if name in known else alpha_strategy(name)


_LETTERS = re.compile(r"[dwgr]+")
_PART = re.compile(r"([dwgr])([0-9]+(?:\.[0-9]+)?)")


def parse_strategy(text: str) -> Strategy:
    """Read the authors' grammar: ``wr``, ``d1_w8_g8_r1``, ``d0.1_w0.8`` ..., or one of `NAMED`.

    Raises:
        InputError: the text is not in the grammar.
    """
    if text in NAMED:
        return NAMED[text]
    if _LETTERS.fullmatch(text):
        pairs = [(letter, 1.0) for letter in text]
    else:
        matches = [_PART.fullmatch(part) for part in text.split("_")]
        pairs = [(m[1], float(m[2])) for m in matches if m]
        if len(pairs) != len(matches):
            raise InputError(
                f"strategy {text!r} cannot be read.{_other_case(text)} Allowed: {GRAMMAR}"
            )
    weights = dict(pairs)
    if len(weights) != len(pairs):
        raise InputError(f"strategy {text!r} names a dimension twice; allowed: {GRAMMAR}")
    if not math.isfinite(2 * sum(weights.values())):
        raise InputError(f"strategy {text!r} has weights too large to add up")
    return Strategy(text, **weights)


def _other_case(text: str) -> str:
    """A question after what would be read if its letters were small, or the alias."""
    lower = text.lower()
    if lower == text or not re.fullmatch(r"[dwgr0-9._]+", lower):
        return ""
    meant = ["dWr"] * (lower == "dwr") + [lower]
    return f" Did you mean {' or '.join(map(repr, meant))}?"
