"""Pieces of networks, to be counted, built and timed alone: one block, or the first stages.

Source: Searching for Fast Model Families on Datacenter Accelerators, section 3: the choices of its
search space. A piece is a `Network` like any other, so whatever works on networks works on it.

A block's name says what it is: ``FusedMBConv-c24-k5-silu@56`` is a fused MBConv from 24 channels to
24, 5x5, with swish, on a map of 56 x 56.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from repro.arch.network import Activation, Block, BlockStage, Network
from repro.errors import InputError, did_you_mean

Kind = Literal["MBConv", "FusedMBConv"]
KINDS: tuple[Kind, ...] = ("MBConv", "FusedMBConv")


@dataclass(frozen=True, slots=True)
class BlockChoice:
    """One point of the block search space.

    Attributes:
        kind: MBConv (expansion, depthwise conv, projection) or fused MBConv (one dense conv in
            place of the first two).
        channels: of the input map. size: its pixels per side.
        out: channels of the output; as many as of the input where left out.
        expansion: hidden width over ``channels``. kernel, stride: of the spatial conv.
        groups: of the spatial conv, where neither depthwise nor dense.
        se_ratio: squeeze width over ``channels`` (floored, at least 1); 0 for none.
        activation: of all layers.
        space_to_batch: n cuts the map into n x n further images.
        repeats: how many of these blocks in a row.

    Raises:
        InputError: a size below 1, groups that do not divide the channels, a map that cannot be
            cut or a block that cannot be repeated.
    """

    kind: Kind
    channels: int
    size: int
    out: int | None = None
    expansion: int = 6
    kernel: int = 3
    stride: int = 1
    groups: int | None = None
    se_ratio: float = 0.0
    activation: Activation = "relu"
    space_to_batch: int = 1
    repeats: int = 1

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(
                f"unknown block {self.kind!r}.{did_you_mean(self.kind, KINDS)}"
                f" Allowed: {', '.join(KINDS)}"
            )
        if self.activation not in ("relu", "silu"):
            raise InputError(f"activation {self.activation!r} is not allowed; relu and silu are")
        if not 0 <= self.se_ratio <= 16:
            raise InputError(f"se_ratio {self.se_ratio!r} is not allowed; from 0 to 16")
        cut = self.space_to_batch * self.stride
        if self.space_to_batch > 1 and self.size % cut:
            raise InputError(
                f"a map of {self.size} pixels per side cannot be cut into {self.space_to_batch} "
                f"parts for a stride of {self.stride}"
            )
        self.network()  # the rest is checked where it is used

    @property
    def name(self) -> str:
        """What `parse` reads: everything that differs from the defaults."""
        parts: list[str] = [self.kind, f"c{self.channels}"]
        if self.out not in (None, self.channels):
            parts.append(f"o{self.out}")
        parts += [
            f"{letter}{getattr(self, field):g}"
            for letter, field in _OPTIONS.items()
            if field not in ("channels", "out") and getattr(self, field) != _DEFAULTS[field]
        ]
        if self.activation != _DEFAULTS["activation"]:
            parts.append(self.activation)
        return "-".join(parts) + f"@{self.size}"

    def block(self) -> Block:
        """The block's geometry."""
        mid = self.channels * self.expansion
        fused = self.kind == "FusedMBConv"
        out = self.channels if self.out is None else self.out
        same = out == self.channels and self.stride == 1
        return Block(
            in_width=self.channels,
            mid_width=mid,
            out_width=out,
            kernel=self.kernel,
            stride=self.stride,
            groups=self.groups or (1 if fused else mid),
            se_width=max(1, int(self.se_ratio * self.channels)) if self.se_ratio else 0,
            expand=not fused and self.expansion != 1,
            linear=True,
            skip="identity" if same else "none",
            activation=self.activation,
            space_to_batch=self.space_to_batch,
        )

    def network(self) -> Network:
        """The block alone, with the second paper's padding and batch norm."""
        piece = alone(self.block(), self.size, self.repeats)
        return replace(piece, name=self.name, activation=self.activation, rules="tensorflow")


def alone(block: Block, size: int, repeats: int = 1) -> Network:
    """A block as a network of its own, on a map of ``size`` pixels per side: no stem, no head."""
    return Network(
        "block",
        (BlockStage(block, repeats),),
        resolution=size,
        stem="none",
        stem_width=block.in_width,
        in_channels=block.in_width,
        num_classes=0,
    )


_OPTIONS = {
    "c": "channels",
    "o": "out",
    "e": "expansion",
    "k": "kernel",
    "s": "stride",
    "g": "groups",
    "se": "se_ratio",
    "b": "space_to_batch",
    "x": "repeats",
}
_DEFAULTS = {name: f.default for name, f in BlockChoice.__dataclass_fields__.items()}
_OPTION = re.compile(r"([a-z]+)([0-9]{1,9}(?:\.[0-9]{1,9})?)")
_NEGATIVE = re.compile(r"-([a-z]+)(-[0-9.]+)")
_NAME = re.compile(r"([A-Za-z]*MBConv)((?:-[^-@]+)*)@([0-9]{1,9})")


def parse(name: str) -> BlockChoice:
    """Read a block's name.

    Args:
        name: kind, ``-c`` with the channels, further options in any order, ``@`` with the map's
            size: o output channels, e expansion, k kernel, s stride, g groups, se squeeze ratio,
            b space-to-batch, x repeats, relu or silu.

    Raises:
        InputError: not of that form, an option twice, or a block that cannot be.
    """
    match = _NAME.fullmatch(name)
    if not match:
        raise InputError(
            f"block {name!r} cannot be read; a block is written like FusedMBConv-c48-k5@28: "
            "channels after c, pixels per side of the map after @"
        )
    if negative := _NEGATIVE.search(match[2]):
        field = _OPTIONS.get(negative[1], negative[1])
        raise InputError(f"block {name!r}: {field} {negative[2]} is not allowed; positive ones are")
    values: dict[str, object] = {"kind": match[1], "size": int(match[3])}
    for text in match[2].split("-")[1:]:
        field, value = _option(name, text)
        if field in values:
            raise InputError(f"block {name!r}: {field} is given twice")
        values[field] = value
    if "channels" not in values:
        raise InputError(f"block {name!r}: no number of channels; write it as -c48")
    return BlockChoice(**values)  # type: ignore[arg-type]


def _option(name: str, text: str) -> tuple[str, object]:
    """A field of `BlockChoice` and its value."""
    if text in ("relu", "silu"):
        return "activation", text
    match = _OPTION.fullmatch(text)
    if not match or match[1] not in _OPTIONS:
        raise InputError(
            f"block {name!r}: unknown option {text!r}; options are {', '.join(_OPTIONS)} with a "
            "number, relu, silu"
        )
    field = _OPTIONS[match[1]]
    if field == "se_ratio":
        return field, float(match[2])
    if not match[2].isdigit():
        raise InputError(f"block {name!r}: {field} {match[2]} is not a whole number")
    return field, int(match[2])


def first_stages(net: Network, count: int) -> Network:
    """Stem and first stages, pooled, no head conv and classifier; `InputError`: not so many."""
    if not 1 <= count <= len(net.stages):
        raise InputError(
            f"{net.name} has {len(net.stages)} stages; the first {count} are not there"
        )
    name = f"{net.name}[:{count}]"
    return replace(net, name=name, stages=net.stages[:count], head_width=0, num_classes=0)
