"""Descriptions of networks: all that is needed to count and to build one.

`blocks` turns a description into exact block geometry, which the counter and the builder both read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from math import prod
from typing import Any, Literal, Protocol

from repro.errors import InputError

Activation = Literal["relu", "silu"]
Skip = Literal["none", "identity", "projection"]
Rules = Literal["pycls", "tensorflow"]

LARGEST = 2**53
"""Sizes stay below this: above it floats skip whole numbers, and scaling is no longer exact."""


def check_sizes(what: str, **sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise InputError(f"{what}: {name} {size} is too small; at least 1 is needed")
        if size >= LARGEST:
            about = f"{Decimal(size):.3e}"
            raise InputError(f"{what}: {name} {about} is too large; it must be below 2**53")


class Stage(Protocol):
    """What a network needs to know of a stage, whatever its kind."""

    @property
    def depth(self) -> int:
        """Number of blocks."""

    @property
    def width(self) -> int:
        """Output channels (nominal in EfficientNet-X)."""

    @property
    def stride(self) -> int:
        """Of the first block (nominal in EfficientNet-X)."""

    @property
    def out_width(self) -> int:
        """Channels that really leave the stage."""

    @property
    def map_stride(self) -> int:
        """Factor by which the stage shrinks the map along a side."""

    def blocks(self, in_width: int, net: Network) -> Iterator[tuple[Block, int]]:
        """The first block, then the others, all alike, run together."""


@dataclass(frozen=True, slots=True)
class ResStage:
    """A stage of residual bottleneck blocks: RegNet, ResNet, ResNeXt ("AnyNet").

    Attributes (see also `Stage`):
        group_width: channels per group of the 3x3 conv.
        bottleneck: width of the 3x3 conv over ``width``: 1/4 in a ResNet, 1 in RegNetX and Y,
            4 in RegNetZ (an inverted bottleneck).
        linear: no activation after the last conv, and no skip where shapes differ (RegNetZ).
    """

    depth: int
    width: int
    group_width: int
    bottleneck: float = 1.0
    stride: int = 2
    linear: bool = False

    def __post_init__(self) -> None:
        check_sizes(
            "stage",
            depth=self.depth,
            width=self.width,
            group_width=self.group_width,
            stride=self.stride,
        )
        mid = self.mid_width
        if mid < 1 or mid % self.group_width:
            raise InputError(
                f"stage: group width {self.group_width} does not divide its bottleneck of "
                f"{mid} channels"
            )

    @property
    def mid_width(self) -> int:
        return round(self.width * self.bottleneck)

    @property
    def out_width(self) -> int:
        return self.width

    @property
    def map_stride(self) -> int:
        return self.stride

    def blocks(self, in_width: int, net: Network) -> Iterator[tuple[Block, int]]:
        yield self._block(in_width, self.stride, net), 1
        if self.depth > 1:
            yield self._block(self.width, 1, net), self.depth - 1

    def _block(self, in_width: int, stride: int, net: Network) -> Block:
        mid = self.mid_width
        same = in_width == self.width and stride == 1
        return Block(
            in_width=in_width,
            mid_width=mid,
            out_width=self.width,
            kernel=3,
            stride=stride,
            groups=mid // self.group_width,
            se_width=round(net.se_ratio * in_width),  # of the block's input, to nearest
            expand=True,
            linear=self.linear,
            skip="identity" if same else "none" if self.linear else "projection",
            activation=net.activation,
        )


@dataclass(frozen=True, slots=True)
class MBStage:
    """A stage of MBConv blocks (EfficientNet): expansion, depthwise conv, SE, projection.

    Attributes (see also `Stage`):
        expansion: width of the depthwise conv over the block's *input* channels.
        kernel: of the depthwise conv.
    """

    depth: int
    width: int
    expansion: int
    kernel: int = 3
    stride: int = 1

    def __post_init__(self) -> None:
        check_sizes(
            "stage",
            depth=self.depth,
            width=self.width,
            expansion=self.expansion,
            kernel=self.kernel,
            stride=self.stride,
        )
        if self.kernel % 2 == 0:
            raise InputError(f"stage: kernel {self.kernel} is even; kernels are odd")

    @property
    def out_width(self) -> int:
        return self.width

    @property
    def map_stride(self) -> int:
        return self.stride

    def blocks(self, in_width: int, net: Network) -> Iterator[tuple[Block, int]]:
        yield self._block(in_width, self.stride, net), 1
        if self.depth > 1:
            yield self._block(self.width, 1, net), self.depth - 1

    def _block(self, in_width: int, stride: int, net: Network) -> Block:
        mid = in_width * self.expansion
        return Block(
            in_width=in_width,
            mid_width=mid,
            out_width=self.width,
            kernel=self.kernel,
            stride=stride,
            groups=mid,
            se_width=int(net.se_ratio * in_width),  # floor here, nearest in a `ResStage`
            expand=self.expansion != 1,
            linear=True,
            skip="identity" if in_width == self.width and stride == 1 else "none",
            activation=net.activation,
        )


@dataclass(frozen=True, slots=True)
class Network:
    """A complete network: stem, stages, head, classifier, and the resolution it is made for.

    Attributes:
        stages: all of one kind: `ResStage`, `MBStage`, `XStage` or `BlockStage`.
        resolution: pixels per side of the square input; counts are taken there.
        stem: a conv of stride 2, 3x3 or 7x7 with max-pool; ``"none"`` for a piece of a network,
            from a feature map of ``in_channels`` to another, without head and classifier.
        head_width: channels of the 1x1 conv before pooling; 0 for none.
        se_ratio: squeeze width over the block's input channels; 0 for no squeeze-excite.
        activation: after every BN that has one; an `XStage` has its own.
        num_classes: outputs of the classifier; 0 for none.
        stem_activation: where the stem's differs from ``activation``.
        dropout: before the classifier; ``drop_path``: of the last block's branch, in training.
    """

    name: str
    stages: tuple[Stage, ...]
    resolution: int = 224
    stem_width: int = 32
    stem: Literal["conv3", "conv7_pool", "none"] = "conv3"
    head_width: int = 0
    se_ratio: float = 0.0
    activation: Activation = "relu"
    num_classes: int = 1000
    in_channels: int = 3
    stem_activation: Activation | None = None
    rules: Rules = "pycls"
    dropout: float = 0.0
    drop_path: float = 0.0

    def __post_init__(self) -> None:
        if not self.stages:
            raise InputError(f"{self.name}: a network needs at least one stage")
        if self.head_width < 0 or self.num_classes < 0:
            raise InputError(
                f"{self.name}: head width {self.head_width} and number of classes "
                f"{self.num_classes} cannot be negative"
            )
        if self.is_piece and (self.head_width or self.num_classes):
            raise InputError(
                f"{self.name}: a piece of a network has no head conv and no classifier; head width "
                f"{self.head_width} and number of classes {self.num_classes} must be 0"
            )
        if self.is_piece and self.stem_width != self.in_channels:
            raise InputError(
                f"{self.name}: without a stem its width {self.stem_width} must be the "
                f"{self.in_channels} channels of the input"
            )
        if self.resolution < self.total_stride:
            raise InputError(
                f"{self.name}: resolution {self.resolution} is too small; the strides of this "
                f"network need at least {self.total_stride} pixels per side"
            )
        check_sizes(
            self.name,
            resolution=self.resolution,
            stem_width=self.stem_width,
            head_width=self.head_width or 1,
        )

    @property
    def is_piece(self) -> bool:
        return self.stem == "none"

    @property
    def is_mbconv(self) -> bool:
        return not isinstance(self.stages[0], ResStage)

    @property
    def total_stride(self) -> int:
        stem = {"conv3": 2, "conv7_pool": 4, "none": 1}[self.stem]
        return stem * prod(s.map_stride for s in self.stages)

    def at(self, resolution: int) -> Network:
        return replace(self, resolution=resolution)


@dataclass(frozen=True, slots=True)
class Block:
    """Exact geometry of a block: [2x2/2], [1x1 expand], k x k conv, [SE], 1x1 project, [skip].
    ``groups == mid_width`` makes the spatial conv depthwise. ``expand`` is False where an MBConv
    has expansion 1 and in a fused MBConv, whose dense spatial conv widens by itself.
    ``space_to_depth`` is the width of the 2x2 stride-2 conv in front, 0 for none. With
    ``space_to_batch`` n the map is cut into n x n interleaved ones, as further images.
    """

    in_width: int
    mid_width: int
    out_width: int
    kernel: int
    stride: int
    groups: int
    se_width: int
    expand: bool
    linear: bool
    skip: Skip
    activation: Activation
    space_to_depth: int = 0
    space_to_batch: int = 1

    def __post_init__(self) -> None:
        check_sizes(
            "block",
            input_width=self.in_width,
            hidden_width=self.mid_width,
            output_width=self.out_width,
            kernel=self.kernel,
            stride=self.stride,
            groups=self.groups,
            space_to_batch=self.space_to_batch,
        )
        if self.mid_width % self.groups or self.spatial_in % self.groups:
            raise InputError(
                f"block: {self.groups} groups do not divide the {self.spatial_in} input and "
                f"{self.mid_width} output channels of its {self.kernel}x{self.kernel} conv"
            )
        if self.se_width < 0 or (self.se_width and self.space_to_batch > 1):
            raise InputError(
                f"block: squeeze width {self.se_width} is not allowed; 0 or more, and 0 with "
                "space-to-batch, where no part sees the whole map"
            )

    @property
    def spatial_in(self) -> int:
        return self.mid_width if self.expand else self.space_to_depth or self.in_width


@dataclass(frozen=True, slots=True)
class BlockStage:
    """The same block several times, given by its geometry."""

    block: Block
    depth: int = 1

    def __post_init__(self) -> None:
        check_sizes("stage", depth=self.depth)
        b = self.block
        if self.depth > 1 and (b.in_width, self.map_stride) != (b.out_width, 1):
            raise InputError(
                f"stage: a block from {b.in_width} to {b.out_width} channels with stride "
                f"{self.map_stride} cannot be repeated {self.depth} times"
            )

    @property
    def width(self) -> int:
        return self.block.out_width

    @property
    def stride(self) -> int:
        return self.block.stride

    @property
    def out_width(self) -> int:
        return self.block.out_width

    @property
    def map_stride(self) -> int:
        return self.block.stride * (2 if self.block.space_to_depth else 1)

    def blocks(self, in_width: int, net: Network) -> Iterator[tuple[Block, int]]:
        if in_width != self.block.in_width:
            raise InputError(
                f"{net.name}: a block for {self.block.in_width} channels gets {in_width}"
            )
        yield self.block, self.depth


def blocks(net: Network) -> Iterator[tuple[Block, int]]:
    """The network's blocks in order, as (block, repeats): each stage's first, then the others."""
    width = net.stem_width
    for stage in net.stages:
        yield from stage.blocks(width, net)
        width = stage.out_width


def to_config(net: Network) -> dict[str, Any]:
    common = {
        "stem_w": net.stem_width,
        "depths": [s.depth for s in net.stages],
        "widths": [s.width for s in net.stages],
        "strides": [s.stride for s in net.stages],
        "head_w": net.head_width,
        "se_r": net.se_ratio,
        "activation": net.activation,
        "num_classes": net.num_classes,
        "res": net.resolution,
    }
    first = net.stages[0]
    if isinstance(first, ResStage):
        return {
            "type": "anynet",
            "stem_type": {"conv3": "simple_stem_in", "conv7_pool": "res_stem_in"}[net.stem],
            "block_type": f"res_bottleneck_{'linear_' if first.linear else ''}block",
            **common,
            "bot_muls": _per_stage(net, "bottleneck"),
            "group_ws": _per_stage(net, "group_width"),
        }
    if isinstance(first, BlockStage):
        return {"type": "blocks", **common, "blocks": [asdict(s) for s in net.stages]}  # type: ignore[call-overload]
    kinds = {"exp_ratios": _per_stage(net, "expansion"), "kernels": _per_stage(net, "kernel")}
    if isinstance(first, MBStage):
        return {"type": "effnet", **common, **kinds}
    own = ("fused", "activation", "se_ratio", "reshape")
    return {
        "type": "effnet_x",
        **common,
        **kinds,
        "stem_activation": net.stem_activation or net.activation,
        **{f"stage_{name}": _per_stage(net, name) for name in own},
    }


def _per_stage(net: Network, attribute: str) -> list[Any]:
    return [getattr(stage, attribute) for stage in net.stages]
