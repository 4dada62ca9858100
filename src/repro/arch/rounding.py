"""The rounding rules of the authors' scaler: to nearest, exact halves to even.

Python's ``round`` is that rule already; halves do occur (bottleneck 360 with group width 16),
so a half-up rule gives other networks.
"""

from __future__ import annotations

import math


def round_depth(depth: float) -> int:
    """Number of blocks: nearest integer, at least 1."""
    return max(1, round(depth))


def round_width(width: float, divisor: int = 8) -> int:
    """Channels: nearest multiple of ``divisor``, at least one of them."""
    return max(1, round(width / divisor)) * divisor


def round_group_width(group_width: float) -> int:
    """Channels per group: 1 and 2 stay, 3 to 5 become 4, the rest a multiple of 8.

    Rounded twice on purpose, first to an integer and then to a multiple of 8, as the authors do.
    """
    g = max(1, round(group_width))
    return g if g <= 2 else 4 if g <= 5 else round_width(g)


def round_resolution(resolution: float) -> int:
    """Pixels per side: nearest multiple of 4 (not of 8 or 32). May be 0 for a tiny input."""
    return round(resolution / 4) * 4


def tf_width(width: float) -> int:
    """EfficientNet's own rule: nearest multiple of 8, halves up, never 10 % below the target.

    Source: EfficientNet (ICML 2019), its authors' code; EfficientNet-X's builder keeps it.
    """
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * width else rounded


def tf_depth(depth: float) -> int:
    """EfficientNet's own rule for blocks of a stage: rounded up."""
    return math.ceil(depth)


def fit_groups(width: int, group_width: int, bottleneck: float) -> tuple[int, int]:
    """Adjust ``(width, group_width)`` until the bottleneck divides into whole groups.

    The group width is lowered to the bottleneck's width where it is larger (and is not rounded
    again); then the bottleneck moves to the nearest multiple of the group width and the block's
    width follows.

    ``bottleneck``, its width over the output width, is at most 1 or a whole number.

    Source: Fast and Accurate Model Scaling, section 3.5 (g = w where g > w, else w to a multiple
    of g); the order of the roundings is that of the authors' code.
    """
    mid = max(1, int(width * bottleneck))
    g = min(group_width, mid)
    modulus = math.lcm(g, int(bottleneck)) if bottleneck > 1 else g
    mid = max(modulus, round(mid / modulus) * modulus)
    return int(mid / bottleneck), g
