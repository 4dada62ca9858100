"""EfficientNet-X piece by piece, and beside the paper's Table 1.

Source: Searching for Fast Model Families on Datacenter Accelerators, Table 1. One multiply-add is
one flop; the second paper counts multiply-adds alone, and so does this module.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from repro import reference
from repro.arch import Network, XStage, get
from repro.arch.efficientnet_x import VARIANTS
from repro.arch.pieces import alone
from repro.complexity import complexity, out_size

ACTIVATIONS = {"relu": "ReLU", "silu": "swish"}


class Piece(NamedTuple):
    """A block of a network, or a conv outside of the blocks.

    Stages are numbered as in Table 1: 1 stem, 2 reshaping conv, 3 to 9 blocks, 10 head. Size
    (pixels per side) and channels are of the map that leaves, kernel is of the spatial conv. Flops
    are multiply-adds, squeeze-excite included; params include batch norm.
    """

    stage: int
    kind: str
    kernel: int
    size: int
    channels: int
    flops: int
    params: int
    activation: str


def pieces(net: Network) -> list[Piece]:
    """All of an EfficientNet or EfficientNet-X but the classifier, in order."""

    def conv(stage: int, kernel: int, width: int, size: int, channels: int, act: str) -> Piece:
        weights = kernel**2 * width * channels
        flops, params = weights * size**2, weights + 2 * channels
        return Piece(stage, "conv", kernel, size, channels, flops, params, ACTIVATIONS[act])

    size, width = out_size(net.resolution, 2), net.stem_width
    stem_activation = net.stem_activation or net.activation
    parts = [conv(1, 3, net.in_channels, size, width, stem_activation)]
    for number, stage in enumerate(net.stages, 3):
        for block, repeats in stage.blocks(width, net):
            flops, params, _ = complexity(alone(block, size)).counted_as("efficientnet-x")
            if reshaped := block.space_to_depth:
                size = out_size(size, 2)
                parts.append(conv(2, 2, block.in_width, size, reshaped, block.activation))
                flops, params = flops - parts[-1].flops, params - parts[-1].params
            size = out_size(size, block.stride)
            kind = "fused MBConv" if block.groups == 1 else "MBConv"
            act = ACTIVATIONS[block.activation]
            block_piece = Piece(
                number, kind, block.kernel, size, block.out_width, flops, params, act
            )
            parts += [block_piece] * repeats
        width = stage.out_width
    return [*parts, conv(10, 1, width, size, net.head_width, net.activation)]


def table1(net: Network, plain: Network) -> pd.DataFrame:
    """Table 1 stage by stage, what it costs, and what another network's same stage costs.

    "printed → counted" where the described network has something else. Flops and plain in millions,
    the head's without the classifier; plain is missing where the other has no such stage.
    """
    ours, others = pieces(net), pieces(plain)
    size, rows = net.resolution, []
    for printed in reference.x_layout():
        mine = [p for p in ours if p.stage == printed.stage]
        theirs = [p.flops for p in others if p.stage == printed.stage]
        last = mine[-1]
        stage = net.stages[printed.stage - 3] if last.kind != "conv" else None
        operator, se = printed.operator, "–"
        if isinstance(stage, XStage):
            operator = f"{last.kind}{stage.expansion} {mine[0].kernel}x{mine[0].kernel}"
            se = f"{stage.se_ratio:g}"
        cells = {
            "operator": (printed.operator, operator),
            "input": (printed.resolution, size),
            "out": (printed.channels, last.channels),
            "n": (printed.layers, len(mine)),
            "SE": ("–" if printed.se_ratio is None else printed.se_ratio, se),
            "TPU": (printed.tpu_activation, last.activation),
            "GPU": (printed.gpu_activation, last.activation),
        }
        rows.append(
            {"stage": printed.stage}
            | {column: _arrow(str(a), str(b)) for column, (a, b) in cells.items()}
            | {"flops": sum(p.flops for p in mine) / 1e6}
            | {"plain": sum(theirs) / 1e6 if theirs else float("nan")}
        )
        size = last.size
    return pd.DataFrame(rows)


def _arrow(printed: str, counted: str) -> str:
    """``"MBConv1 3x3 → 2x2"``: the first words that both share stand once."""
    shared = printed.rpartition(" ")[0] + " "
    return printed if printed == counted else f"{printed} → {counted.removeprefix(shared)}"


def readings(base: str = "EN-X-B0") -> pd.DataFrame:
    """A network as its authors build it, and each named variant, as the second paper counts."""
    names = {base: "as the authors' code builds it"}
    names |= {f"{base}+{name}": what for name, (_, what) in VARIANTS.items()}
    rows = []
    for name, what in names.items():
        flops, params, _ = complexity(get(name)).counted_as("efficientnet-x")
        rows.append((name, what, params / 1e6, flops / 1e9))
    return pd.DataFrame(rows, columns=["network", "what it is", "params, M", "flops, G"])
