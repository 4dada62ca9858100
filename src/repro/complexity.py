"""Exact flops, params and activations of a description, kept in parts. No torch, no building.

The parts exist because every counter in use is a sum of some of them: the first paper's code
counts biases and the classifier's outputs, the second paper's does neither. One multiply-add is
one flop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Literal, NamedTuple

from repro.arch.network import Block, Network, Rules, blocks
from repro.arch.pieces import alone

Convention = Literal["pycls", "efficientnet-x"]


@dataclass(frozen=True, slots=True)
class Complexity:
    """The parts of a network's cost for one image at the network's resolution.

    Attributes:
        conv_macs: multiply-adds of convs outside SE.
        se_macs: multiply-adds of the two 1x1 convs of every squeeze-excite.
        classifier_macs: multiply-adds of the classifier.
        se_biases, classifier_biases: bias additions; these layers alone have biases.
        conv_params: weights of convs outside SE. bn_params: BN scales and shifts.
        se_params, classifier_params: weights and biases.
        conv_acts: output elements of convs outside SE. se_acts: of SE convs.
        classifier_acts: the classifier's outputs. pool_acts: of the stem's max-pool.
    """

    conv_macs: int
    se_macs: int
    classifier_macs: int
    se_biases: int
    classifier_biases: int
    conv_params: int
    bn_params: int
    se_params: int
    classifier_params: int
    conv_acts: int
    se_acts: int
    classifier_acts: int
    pool_acts: int

    @property
    def macs(self) -> int:
        """Multiply-adds alone: convs, SE and classifier, no biases."""
        return self.conv_macs + self.se_macs + self.classifier_macs

    @property
    def flops(self) -> int:
        """Flops as the first paper's code counts them: multiply-adds and bias additions."""
        return self.macs + self.se_biases + self.classifier_biases

    @property
    def params(self) -> int:
        """Trainable parameters."""
        return self.conv_params + self.bn_params + self.se_params + self.classifier_params

    @property
    def acts(self) -> int:
        """Activations as the first paper's code counts them: convs, SE, classifier, max-pool.

        The paper's text says convs alone; its code, and so its tables, count these four.
        """
        return self.conv_acts + self.se_acts + self.classifier_acts + self.pool_acts

    def counted_as(self, convention: Convention) -> tuple[int, int, int]:
        """``(flops, params, acts)`` as the first paper counts them ("pycls") or the second.

        The second counts no bias additions, and activations of convs and SE alone.
        """
        if convention == "pycls":
            return self.flops, self.params, self.acts
        return self.macs, self.params, self.conv_acts + self.se_acts

    def parts(self) -> dict[str, int]:
        """All parts by name."""
        return asdict(self)


def out_size(size: int, stride: int) -> int:
    """Side of the map after a conv or pool that is padded to keep size / stride, rounded up."""
    return (size - 1) // stride + 1


class Placed(NamedTuple):
    """A block on a map of ``size`` pixels a side, padded and normalised by the rules of a paper."""

    block: Block
    size: int
    rules: Rules

    @property
    def name(self) -> str:
        """Its geometry, written as `repro.arch.pieces` does; hidden width after h."""
        b = self.block
        squeeze = f"-se{b.se_width}" * bool(b.se_width) + f"-{b.activation}"
        reshaped = f"-s2d{b.space_to_depth}" * bool(b.space_to_depth)
        kind = "FusedMBConv" if b.groups == 1 else "MBConv"
        widths = f"c{b.in_width}-h{b.mid_width}-o{b.out_width}"
        return f"{kind}-{widths}-k{b.kernel}-s{b.stride}{squeeze}{reshaped}@{self.size}"

    @property
    def size_out(self) -> int:
        """Of the map that it puts out."""
        return out_size(self.size, self.block.stride * (2 if self.block.space_to_depth else 1))

    def network(self) -> Network:
        """The block alone."""
        piece = alone(self.block, self.size)
        return replace(piece, name=self.name, rules=self.rules, activation=self.block.activation)


def placed(net: Network) -> Iterator[tuple[int, Placed, int]]:
    """A network's blocks where they stand: number of the stage, block, how often it runs."""
    size, width = net.resolution, net.stem_width
    for _ in range({"none": 0, "conv3": 1, "conv7_pool": 2}[net.stem]):
        size = out_size(size, 2)
    for number, stage in enumerate(net.stages, 1):
        for block, repeats in stage.blocks(width, net):
            one = Placed(block, size, net.rules)
            yield number, one, repeats
            size = one.size_out
        width = stage.out_width


def complexity(net: Network) -> Complexity:
    """Count a network for one image at ``net.resolution``, without building it.

    Source: the conventions of Fast and Accurate Model Scaling, section 3.1, made exact by the
    authors' code. BN, activation functions, pooling, SE's product and residual additions are no
    flops; BN counts in params alone.
    """
    # Plain integers rather than objects: a grid counts thousands of networks.
    macs = weights = acts = bn = se_macs = se_units = pool = 0
    size = net.resolution
    width = net.stem_width
    if not net.is_piece:
        size = out_size(size, 2)
        stem_weights = (9 if net.stem == "conv3" else 49) * net.in_channels * width
        macs += stem_weights * size * size
        weights += stem_weights
        acts += width * size * size
        bn += width
    if net.stem == "conv7_pool":
        size = out_size(size, 2)
        pool = width * size * size

    for b, repeats in blocks(net):
        if b.space_to_depth:
            size = out_size(size, 2)
            reshape = 4 * b.in_width * b.space_to_depth
            macs += repeats * reshape * size * size
            weights += repeats * reshape
            acts += repeats * b.space_to_depth * size * size
            bn += repeats * b.space_to_depth
        inner, outer = size * size, out_size(size, b.stride) ** 2
        size = out_size(size, b.stride)
        expand = b.in_width * b.mid_width if b.expand else 0
        spatial = b.kernel * b.kernel * b.mid_width * (b.spatial_in // b.groups)
        after = b.mid_width * b.out_width
        b_acts = b.mid_width * outer + b.out_width * outer
        b_bn = b.mid_width + b.out_width
        if b.expand:
            b_acts += b.mid_width * inner
            b_bn += b.mid_width
        if b.skip == "projection":
            after += b.in_width * b.out_width
            b_acts += b.out_width * outer
            b_bn += b.out_width
        macs += repeats * (expand * inner + (spatial + after) * outer)
        weights += repeats * (expand + spatial + after)
        acts += repeats * b_acts
        bn += repeats * b_bn
        if b.se_width:
            se_macs += repeats * 2 * b.mid_width * b.se_width
            se_units += repeats * (b.mid_width + b.se_width)
        width = b.out_width

    if net.head_width:
        macs += width * net.head_width * size * size
        weights += width * net.head_width
        acts += net.head_width * size * size
        bn += net.head_width
        width = net.head_width
    classes = net.num_classes
    return Complexity(
        conv_macs=macs,
        se_macs=se_macs,
        classifier_macs=width * classes,
        se_biases=se_units,
        classifier_biases=classes,
        conv_params=weights,
        bn_params=2 * bn,
        se_params=se_macs + se_units,
        classifier_params=width * classes + classes,
        conv_acts=acts,
        se_acts=se_units,
        classifier_acts=classes,
        pool_acts=pool,
    )
