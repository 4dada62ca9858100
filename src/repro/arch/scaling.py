"""``scale``: a pure function from a description to a description.

Source: Fast and Accurate Model Scaling, sections 3 and 5, with the roundings of the authors'
code. Two things are easy to get wrong and are checked against that code row by row: EfficientNet
stems and heads scale with width while those of RegNets and ResNets do not, and widths are rounded
to a multiple of 8 before they are made compatible with the group width.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from repro.arch.network import Network, ResStage, Stage
from repro.arch.rounding import (
    fit_groups,
    round_depth,
    round_group_width,
    round_resolution,
    round_width,
)
from repro.arch.strategy import Multipliers, Strategy, parse_strategy
from repro.errors import InputError


def _scale_stage(stage: Any, m: Multipliers) -> Stage:
    # MBConv stages of both papers: depth and (nominal) width alone
    new = {"depth": round_depth(stage.depth * m.d), "width": round_width(stage.width * m.w)}
    if isinstance(stage, ResStage):
        group_width = round_group_width(stage.group_width * m.g)
        new["width"], new["group_width"] = fit_groups(new["width"], group_width, stage.bottleneck)
    scaled: Stage = replace(stage, **new)
    return scaled


def scale(net: Network, strategy: Strategy | str, s: float) -> Network:
    """The network scaled so that its flops grow by about ``s``.

    Args:
        strategy: a `Strategy` (for the paper's, ``PAPER["dWr"]``), or a string in the authors'
            grammar, where a bare ``w`` leaves group width alone.
        s: finite and positive, may be below 1.

    Raises:
        InputError: unreadable strategy, impossible scale, or a result too small for its strides.
    """
    if isinstance(strategy, str):
        strategy = parse_strategy(strategy)
    m = strategy.multipliers(s)
    if net.is_piece:
        raise InputError(f"{net.name} is a piece of a network; only whole networks are scaled")
    name = f"{net.name} {strategy.name} x{float(s):.12g}"
    try:
        scaled: dict[str, Any] = {
            "stages": tuple(_scale_stage(stage, m) for stage in net.stages),
            # some of EfficientNet-X's resolutions are no multiples of 4; unscaled, they stay
            "resolution": round_resolution(net.resolution * m.r) if m.r != 1 else net.resolution,
        }
        if net.is_mbconv:
            scaled["stem_width"] = round_width(net.stem_width * m.w)
            scaled["head_width"] = round_width(net.head_width * m.w) if net.head_width else 0
    except (OverflowError, InputError) as error:
        raise InputError(f"scale {s!r} is too large: {name} cannot be counted ({error})") from None
    return replace(net, name=name, **scaled)
