"""What of a network a price is asked for: flops, acts, writes, kernels; and its kind.

A conv's outputs are acts. What batch norm, activation functions, products and sums write after it
are writes: in eager mode each is a pass over memory of its own, compiled most of them vanish.
All are for one image. For a description they follow from its blocks, without torch; a network of
timm's is run on the meta device, and counts come out as in timm's own table.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, NamedTuple

from repro.arch import Network
from repro.complexity import complexity, placed
from repro.errors import InputError
from repro.runtime.roofline import parts

Kind = Literal["dense", "grouped", "depthwise", "attention", "transformer"]
NOTICED = 0.02
"""The share of acts from which on depthwise, or grouped, convs give a network its kind."""


class Counts(NamedTuple):
    """Counts of one image.

    Attributes:
        flops: multiply-adds, and bias additions where the first paper counts them.
        acts: outputs of convs and linear layers, without pooling.
        writes: elements that all other operators write. kernels: operators that compute.
    """

    flops: float
    acts: float
    writes: float
    kernels: float
    kind: Kind


def _kind(acts: float, depthwise: float, grouped: float) -> Kind:
    if depthwise > NOTICED * acts:
        return "depthwise"
    return "grouped" if grouped > NOTICED * acts else "dense"


def counts_of(net: Network) -> Counts:
    """Counts of a description at its own resolution."""
    total = complexity(net)
    acts = total.acts - total.pool_acts
    layers = [(times, layer) for times, part in parts(net) for layer in part]
    writes = sum(times * layer.passed for times, layer in layers)
    kernels = sum(times * layer.operations for times, layer in layers)
    depthwise = grouped = 0
    for _, one, repeats in placed(net):
        mid, groups = one.block.mid_width, one.block.groups
        if groups > 1:
            put_out = repeats * mid * one.size_out**2
            depthwise += put_out * (groups == mid)
            grouped += put_out * (groups != mid)
    kind = _kind(acts, depthwise, grouped)
    return Counts(total.flops, acts, writes, kernels, kind)


@cache
def timm_counts(name: str, resolution: int | None = None) -> tuple[Counts, int]:
    """Counts of a network of timm's (``timm/NAME``), and the resolution they are for.

    By default timm's own. Imports torch and timm.

    Raises:
        InputError: timm has no such network, or it cannot be run at this resolution.
    """
    if resolution is not None and resolution < 1:
        raise InputError(
            f"{name}: resolution {resolution} is not allowed; a whole number from 1 on is needed"
        )
    from repro.runtime.timm_networks import counted

    c, size, _ = counted(name, resolution)
    return counts_of_run(c), size


def counts_of_run(c: Any) -> Counts:
    """Counts of a module that was run, from `repro.counters.count`."""
    acts = c.conv_acts + c.linear_acts
    kind: Kind = _kind(acts, c.depthwise_acts, c.grouped_acts)
    if c.attention_macs:
        kind = "transformer" if 2 * c.conv_acts < acts else "attention"
    macs = c.conv_macs + c.linear_macs
    return Counts(macs, acts, c.written - acts, c.kernels, kind)


def counts_of_timed(subject: Any) -> Counts:
    """Counts of what a timing record says was run.

    Raises:
        InputError: its base is not a network that can be counted, or a piece of one.
    """
    from repro.arch import get, parse_strategy, scale

    if subject.base.startswith("timm/"):
        return timm_counts(subject.base, subject.resolution)[0]
    net = get(subject.base)
    if subject.grammar is not None:
        net = scale(net, parse_strategy(subject.grammar), subject.scale)
    if net.is_piece:
        raise InputError(f"{subject.base} is a piece of a network")
    return counts_of(net.at(subject.resolution))
