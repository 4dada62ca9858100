"""RegNets from their four-parameter rule (Designing Network Design Spaces, CVPR 2020).

Block j has the continuous width w0 + wa j, quantised to w0 wm^k with whole k and then to a
multiple of 8; blocks of equal width form a stage.
"""

from __future__ import annotations

import math
from collections import Counter

from repro.arch.network import ResStage
from repro.arch.rounding import fit_groups, round_width
from repro.errors import InputError


def regnet_stages(
    depth: int,
    w0: int,
    wa: float,
    wm: float,
    group_width: int,
    bottleneck: float = 1.0,
    linear: bool = False,
) -> tuple[ResStage, ...]:
    """Stages of a RegNet of so many blocks; ``bottleneck`` and ``linear`` as in `ResStage`.

    Args:
        w0: initial width. wa: slope, channels per block. wm: quantisation step, above 1.
        group_width: channels per group, lowered where a stage is narrower.

    Raises:
        InputError: a parameter for which the rule has no meaning.
    """
    for name, value, usable, allowed in (
        ("depth", depth, depth >= 1, "at least 1"),
        ("w0", w0, w0 >= 1, "at least 1"),
        ("wa", wa, wa >= 0, "0 or more"),
        ("wm", wm, wm > 1, "above 1"),
        ("group_width", group_width, group_width >= 1, "at least 1"),
    ):
        if not usable:
            raise InputError(f"RegNet parameter {name} is {value}; it must be {allowed}")
    steps = (round(math.log((w0 + wa * j) / w0) / math.log(wm)) for j in range(depth))
    per_width = Counter(round_width(w0 * wm**k) for k in steps)
    stages = []
    for width in sorted(per_width):
        fitted, g = fit_groups(width, group_width, bottleneck)
        stages.append(ResStage(per_width[width], fitted, g, bottleneck, linear=linear))
    return tuple(stages)
