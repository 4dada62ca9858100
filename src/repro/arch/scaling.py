"""``scale``: a pure function from a description to a description.

Source: Fast and Accurate Model Scaling, sections 3 and 5, with the roundings of the authors'
code. Two things are easy to get wrong and are checked against that code row by row: EfficientNet
stems and heads scale with width while those of RegNets and ResNets do not, and widths are rounded
to a multiple of 8 before they are made compatible with the group width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from repro.arch.network import Network, ResStage, Stage
from repro.arch.rounding import (
    fit_groups,
    round_depth,
    round_group_width,
    round_resolution,
    round_width,
    tf_depth,
    tf_width,
)
from repro.arch.strategy import Multipliers, Strategy, parse_strategy
from repro.errors import InputError

Rounding = Literal["nearest", "up"]


class _Rules(NamedTuple):
    """How a stage's blocks, channels and the image's pixels per side are rounded."""

    depth: Callable[[float], int]
    width: Callable[[float], int]
    resolution: Callable[[float], int]


ROUNDING: Mapping[Rounding, _Rules] = {
    "nearest": _Rules(round_depth, round_width, round_resolution),
    "up": _Rules(tf_depth, tf_width, round),
}
"""The first paper's scaler rounds to nearest; the second's builder rounds repeats up, which adds
up over stages: EN-B0 at depth 1.1 has 23 blocks and not 17.6. Pixels are what is asked for."""


def _scale_stage(stage: Any, m: Multipliers, rules: _Rules) -> Stage:
    # MBConv stages of both papers: depth and (nominal) width alone
    new = {"depth": rules.depth(stage.depth * m.d), "width": rules.width(stage.width * m.w)}
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
    name = f"{net.name} {strategy.name} x{float(s):.12g}"
    return _scaled(net, m, ROUNDING["nearest"], name, f"scale {s!r}")


def scale_by(net: Network, m: Multipliers, rounding: Rounding = "nearest") -> Network:
    """The network with its dimensions multiplied, whoever chose the factors.

    Raises:
        InputError: a piece of a network, too large a factor, or a result too small for its strides.
    """
    name = f"{net.name} d{m.d:.4g} w{m.w:.4g} r{m.r:.4g}"
    return _scaled(net, m, ROUNDING[rounding], name, "a factor")


def _scaled(net: Network, m: Multipliers, rules: _Rules, name: str, what: str) -> Network:
    if net.is_piece:
        raise InputError(f"{net.name} is a piece of a network; only whole networks are scaled")
    try:
        scaled: dict[str, Any] = {
            "stages": tuple(_scale_stage(stage, m, rules) for stage in net.stages),
            # some of EfficientNet-X's resolutions are no multiples of 4; unscaled, they stay
            "resolution": rules.resolution(net.resolution * m.r) if m.r != 1 else net.resolution,
        }
        if net.is_mbconv:
            scaled["stem_width"] = rules.width(net.stem_width * m.w)
            scaled["head_width"] = rules.width(net.head_width * m.w) if net.head_width else 0
    except (OverflowError, InputError) as error:
        raise InputError(f"{what} is too large: {name} cannot be counted ({error})") from None
    return replace(net, name=name, **scaled)
