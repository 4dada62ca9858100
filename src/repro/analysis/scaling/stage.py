"""Tables 1 to 3 of Fast and Accurate Model Scaling: printed, derived, and counted on torch convs.

The counts come from operators that ran, and know nothing of the formulas in `repro.theory`.
"""

from __future__ import annotations

from dataclasses import astuple
from fractions import Fraction
from functools import cache
from typing import NamedTuple

import pandas as pd

from repro.arch import PAPER
from repro.reference import exponent_rows
from repro.theory import GROUP_SCALING, Sizes, growth, measured, strategy_powers, whole_scale

DIMENSIONS = {"d": "depth", "w": "width", "g": "group_width", "r": "resolution"}


class Cost(NamedTuple):
    """Flops (one multiply-add is one), params, and output elements, for one image."""

    flops: int
    params: int
    acts: int


@cache
def counted(depth: int, width: int, group_width: int, resolution: int, kernel: int = 3) -> Cost:
    """The cost of ``depth`` convs in a row, stride 1, no bias, by running them.

    They stand on torch's meta device, where shapes are real and memory is not.
    """
    import torch
    from torch import nn

    from repro.counters import count

    padding, groups = kernel // 2, width // group_width
    with torch.device("meta"):
        convs = (
            nn.Conv2d(width, width, kernel, padding=padding, groups=groups, bias=False)
            for _ in range(depth)
        )
        seen = count(nn.Sequential(*convs), (width, resolution, resolution))
    return Cost(seen.flops, seen.params, seen.acts)


def three_ways(table: int, sizes: Sizes) -> pd.DataFrame:
    """Table 1, 2 or 3 of the paper, each exponent as printed, as derived and as counted.

    In Table 3 convs are grouped and group width is a strategy of its own. A cell holds one fraction
    and ``agree`` is "=" where the three are equal; else the cell names all three, and it is "≠".
    Sizes are unscaled; "counted at" is the scale factor at which nothing is rounded.
    """
    rows = []
    for printed in (row for row in exponent_rows() if row.table == table):
        name = printed.strategy
        powers = GROUP_SCALING[name] if table == 3 else strategy_powers(PAPER[name])
        derived, seen = astuple(growth(powers)), astuple(measured(powers, sizes, counted))
        texts = {short: getattr(printed, long) for short, long in DIMENSIONS.items()}
        cells = {
            short: _one_of({"paper": Fraction(text), "derived": getattr(powers, short)})
            for short, text in texts.items()
            if text
        }
        for cost, theory, count in zip(Cost._fields, derived, seen, strict=True):
            paper = Fraction(getattr(printed, cost))
            cells[cost] = _one_of({"paper": paper, "derived": theory, "counted": count})
        agree = not any("paper" in cell for cell in cells.values())
        at = f"s = {whole_scale(powers)}"
        rows.append({"strategy": name} | cells | {"counted at": at, "agree": "≠="[agree]})
    return pd.DataFrame(rows)


def _one_of(values: dict[str, Fraction]) -> str:
    """Equal values once; others each with its source."""
    if len(set(values.values())) == 1:
        return str(next(iter(values.values())))
    return ", ".join(f"{source} {value}" for source, value in values.items())
