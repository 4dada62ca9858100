"""EfficientNet-X block by block, and its description beside the paper's Table 1.

Source: Searching for Fast Model Families on Datacenter Accelerators, Table 1. One multiply-add is
one flop; the second paper counts multiply-adds alone, and so does this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from repro import claims
from repro.arch import Block, BlockStage, Network, XStage, blocks, get
from repro.arch.efficientnet_x import VARIANTS
from repro.complexity import complexity, out_size

ACTIVATIONS = {"relu": "ReLU", "silu": "swish"}
_COLUMNS = {
    "x-table1-operators": "operator",
    "x-table1-resolutions": "input",
    "x-table1-channels": "out",
    "x-table1-layers": "n",
    "x-table1-se": "SE",
    "x-table1-tpu-activations": "TPU",
    "x-table1-gpu-activations": "GPU",
}
"""The ledger's claims about Table 1, and what the page calls its columns."""


def table1() -> tuple[pd.DataFrame, dict[str, str]]:
    """Table 1 beside the authors' builder: each cell as printed, "printed → builder" where not.

    Returns:
        The frame, one row per printed stage, and marks for its differing cells.
    """
    judged = {c.id: claims.judge(c) for c in claims.load().claims if c.id in _COLUMNS}
    frame = pd.DataFrame({"#": range(1, 1 + len(judged["x-table1-layers"].points))})
    marks: dict[str, str] = {}
    for claim, column in _COLUMNS.items():
        cells = []
        for point in judged[claim].points:
            text = "–" if point.published == "none" else point.published
            if point.match != "yes":
                text = f"{text} → {point.computed.removeprefix(_shared(text, point.computed))}"
                marks[text] = "repro-off"
            cells.append(text)
        frame[column] = cells
    return frame, marks


def _shared(a: str, b: str) -> str:
    """The first words that two texts share: "MBConv1 " of "MBConv1 3x3" and "MBConv1 2x2"."""
    first, _, _ = a.rpartition(" ")
    return f"{first} " if first and b.startswith(f"{first} ") else ""


class Placed(NamedTuple):
    """A block where it stands.

    Attributes:
        stage: its number in Table 1, from 3 on. block: the geometry. repeats: how often in a row.
        size: pixels per side of the map that the first of them gets. flops, params: of one of them.
    """

    stage: int
    block: Block
    repeats: int
    size: int
    flops: int
    params: int

    @property
    def out(self) -> int:
        """Pixels per side of the map that leaves."""
        size = out_size(self.size, 2) if self.block.space_to_depth else self.size
        return out_size(size, self.block.stride)

    @property
    def kind(self) -> str:
        """What Table 1 calls it, without expansion and kernel."""
        return "fused MBConv" if self.block.groups == 1 else "MBConv"


def placed(net: Network) -> Iterator[Placed]:
    """The blocks of an EfficientNet or EfficientNet-X, each with what one of it costs."""
    size, width = out_size(net.resolution, 2), net.stem_width
    for number, stage in enumerate(net.stages, 3):
        for block, repeats in stage.blocks(width, net):
            alone = Network(
                "block",
                (BlockStage(block),),
                resolution=size,
                stem="none",
                stem_width=block.in_width,
                in_channels=block.in_width,
                num_classes=0,
            )
            flops, params, _ = complexity(alone).counted_as("efficientnet-x")
            yield (here := Placed(number, block, repeats, size, flops, params))
            size = here.out
        width = stage.out_width


def block_frame(net: Network) -> pd.DataFrame:
    """One row per run of equal blocks.

    Returns:
        Columns stage, blocks, operator, map, in, hidden, SE, out, activation, skip; MF and kparams
        of the whole run: millions of flops, thousands of parameters.
    """
    rows = []
    for p in placed(net):
        b = p.block
        before = "2×2/2, " if b.space_to_depth else ""
        stride = f"/{b.stride}" if b.stride > 1 else ""
        rows.append(
            {
                "stage": p.stage,
                "blocks": p.repeats,
                "operator": f"{before}{p.kind} {b.kernel}×{b.kernel}{stride}",
                "map": f"{p.size} → {p.out}" if p.size != p.out else str(p.size),
                "in": b.in_width,
                "hidden": b.mid_width,
                "SE": b.se_width,
                "out": b.out_width,
                "activation": ACTIVATIONS[b.activation],
                "skip": "yes" if b.skip != "none" else "",
                "MF": p.repeats * p.flops / 1e6,
                "kparams": p.repeats * p.params / 1e3,
            }
        )
    return pd.DataFrame(rows)


def fused_share(net: Network) -> dict[str, float]:
    """Percent of a network's flops and of its parameters that its fused blocks have."""
    flops, params, _ = complexity(net).counted_as("efficientnet-x")
    fused = [p for p in placed(net) if p.kind == "fused MBConv"]
    return {
        "flops": 100 * sum(p.repeats * p.flops for p in fused) / flops,
        "params": 100 * sum(p.repeats * p.params for p in fused) / params,
    }


def variants(base: str = "EN-X-B0") -> pd.DataFrame:
    """A network as its authors build it, and each named variant of it.

    Returns:
        Columns network, what, mparams, gflops, swish blocks (of all blocks, how many).
    """
    rows = []
    names = {base: "as the authors' code builds it"}
    names |= {f"{base}+{name}": what for name, (_, what) in VARIANTS.items()}
    for name, what in names.items():
        net = get(name)
        flops, params, _ = complexity(net).counted_as("efficientnet-x")
        swish = sum(n for b, n in blocks(net) if b.activation == "silu")
        rows.append(
            {
                "network": name,
                "what": what,
                "mparams": params / 1e6,
                "gflops": flops / 1e9,
                "swish blocks": f"{swish} of {sum(n for _, n in blocks(net))}",
            }
        )
    return pd.DataFrame(rows)


def is_x(net: Network) -> bool:
    """Whether a network is of the EfficientNet-X kind."""
    return isinstance(net.stages[0], XStage)
