"""The named sweeps, written down by code: ``python -m repro.runtime.plans`` makes their files.

Strategies here are in the authors' grammar; group width follows width in all of them, as in the
paper. A network that one block names twice (the base is every strategy at s = 1) is timed once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from repro.arch import NAMES
from repro.runtime.jobs import sweep_folder

Block = dict[str, Any]
Rows = list[list[Any]]

SMALL = ("EN-B0", "RegNetY-500MF", "RegNetZ-500MF")
LARGE = ("RegNetY-4GF", "RegNetZ-4GF")
FIGURE2_SCALES = (0.5, 1, 2, 4, 8, 16, *range(24, 97, 8))
SPARSE_SCALES = (0.5, 1, 2, 4, 8, 16, 32, 64, 96)
D, W, R, DW, DWR, TWO_THIRDS, D_W_R = (
    "d1",
    "w1_g1",
    "r1",
    "d1_w1_g1",
    "d1_w1_g1_r1",
    "d1_w4_g4_r1",
    "d1_w8_g8_r1",
)
FIGURE2_STRATEGIES = (DWR, DW, D_W_R, W)

WIDTHS = (16, 24, 32, 48, 64, 96, 128, 192)
MAPS = (112, 56, 28, 14, 7)
KINDS = ("MBConv", "FusedMBConv")
BEFORE_SE = "EN-X-B0+depthwise+swish+se-plain"
"""The step to space-to-depth without the squeeze-excite that Table 4 hides in it."""
TABLE_4 = ("EN-TF-B0", BEFORE_SE, "EN-X-B0+depthwise+swish", "EN-X-B0+swish", "EN-X-B0+relu")


def _grid(bases: Any, strategies: Any = (), scales: Any = ()) -> Rows:
    """Each base as it is, then scaled in every way; scale 1 is the base itself."""
    rows: Rows = [[base, None, None] for base in bases]
    rows += [[b, t, s] for b in bases for t in strategies for s in scales if s != 1]
    return rows


def laptop() -> list[Block]:
    """A quarter of an hour on two cores: the five bases and their versions at s = 2 and 4.

    Batch 1 for inference and 4 for training, at each network's own resolution.
    """
    models = _grid((*SMALL, *LARGE), (D, W, R, DWR, D_W_R), (2, 4))
    infer = {"device": "cpu", "mode": "infer", "batch": 1, "samples": 20, "min_time": 1.0}
    step = {"device": "cpu", "mode": "step", "batch": 4, "samples": 5, "min_time": 0, "rounds": 3}
    return [
        {"protocol": {"device": "cpu"}, "peaks": True},
        {"protocol": infer, "models": models},
        {"protocol": step, "models": models},
    ]


def smoke() -> list[Block]:
    """Twenty networks in under three minutes on two cores."""
    models = _grid((*SMALL, *LARGE), (W, DWR, D_W_R), (2,))
    protocol = {"device": "cpu", "samples": 5, "min_time": 0.3, "rounds": 2}
    return [{"protocol": protocol, "models": models}]


def paper_gpu() -> list[Block]:
    """The first paper's sweep on one GPU: under half an hour of an H200, most important first.

    "Largest batch" is the largest that fits into 32e9 bytes, the memory of the paper's V100; a
    subset is repeated with the whole memory, to show what that changes.
    """
    gpu: Block = {"device": "cuda", "dtype": "bf16", "samples": 5, "min_time": 0.2, "rounds": 2}

    def block(models: Rows, **protocol: Any) -> Block:
        return {"protocol": {**gpu, **protocol}, "models": models}

    largest: Block = {"mode": "step", "batch": "max", "memory_gb": 32}
    of_64: Block = {"mode": "step", "batch": 64}
    zoo = [name for name in NAMES if name.startswith(("EN-B", "RegNetX", "RegNetY", "ResN"))]
    rest = _grid(SMALL, (D, R, TWO_THIRDS), (2, 4, 8))
    rest += _grid(LARGE, (D, W, R, DW, DWR, TWO_THIRDS, D_W_R), (2, 4)) + _grid(zoo)
    scaled = _grid((*SMALL, *LARGE), (DWR, D_W_R), (4,))
    sparse = _grid(("EN-B0",), FIGURE2_STRATEGIES, SPARSE_SCALES) + scaled
    few = _grid(("EN-B0",), FIGURE2_STRATEGIES, (4, 48))
    pair = _grid(("EN-B0", "RegNetY-500MF"))
    return [
        *({**block([], dtype=dtype), "peaks": True} for dtype in ("bf16", "fp16", "tf32", "fp32")),
        *(block(_grid((b,), FIGURE2_STRATEGIES, FIGURE2_SCALES), **largest) for b in SMALL),
        block(rest, **largest),
        block(sparse, **of_64),
        block(sparse, batch=1),
        block(sparse, batch=64),
        block(few + scaled, **{**largest, "mode": "infer"}),
        block(few, **largest, dtype="fp16"),
        block(few, **of_64, dtype="fp16"),
        block(few, **{**largest, "memory_gb": None}),
        block(few + scaled, batch=1, compile="graph"),
        block(scaled, **of_64, compile="graph"),
        block(pair, **of_64, memory_format="contiguous"),
        block(pair, **of_64, input="zeros"),
        block(pair, **of_64, dtype="tf32"),
        block(pair, **of_64, dtype="fp32"),
        block(pair, batch=64, compile="inductor"),
    ]


def _by_width(size: int) -> list[str]:
    """Blocks and fused blocks of every width on one map, each pair together."""
    return [name for c in WIDTHS for name in _pair(c, size)]


def _pair(channels: int, size: int) -> list[str]:
    """A block and the fused block with the same channels."""
    return [f"{kind}-c{channels}@{size}" for kind in KINDS]


def _choices(size: int) -> list[str]:
    """One choice of the search space at a time, at 32 channels; and the first two stages."""
    options = ("", "-silu", "-se0.25", "-se1", "-b2")
    names = [f"MBConv-c32{option}@{size}" for option in options]
    names += [f"FusedMBConv-c32{option}@{size}" for option in ("", "-silu")]
    return [*names, "EN-TF-B0[:2]", f"{BEFORE_SE}[:2]"]


def blocks() -> list[Block]:
    """The second paper's blocks alone, and Table 4's networks: minutes on one core.

    One thread and many short samples: most blocks take less than a millisecond.
    """
    protocol = {"device": "cpu", "threads": 1, "samples": 60, "min_time": 0.2}
    sizes = (28, *(size for size in MAPS if size != 28))
    names = [name for size in sizes for name in _by_width(size)] + _choices(28) + list(TABLE_4)
    return [{"protocol": protocol, "peaks": True, "models": _grid(dict.fromkeys(names))}]


LEVELS = tuple(f"B{level}" for level in range(8))
EVERY_OTHER = ("B0", "B4", "B7")
OTHERS = (
    *("ResNet-50", "RegNetY-800MF", "RegNetY-4.0GF", "RegNetY-8.0GF"),
    *("timm/inception_v3", "timm/inception_v4", "timm/nasnetalarge"),
    *("timm/resnest101e", "timm/resnest200e", "timm/resnest269e"),
)
"""Table 3's other networks."""


def _paper_families(levels: Iterable[str]) -> list[str]:
    """EfficientNet and the paper's two X families for a GPU, level by level.

    Its GPU networks are ReLU throughout; those for a TPU have the stem's swish.
    """
    families = ("EN-TF-{}", "EN-X-{}+relu", "EN-X-GPU-{}+relu", "EN-X-TPU-{}+swish-stem")
    return [family.format(level) for level in levels for family in families]


def efficientnet_x() -> list[Block]:
    """The second paper's sweep on one GPU: under half an hour of an H200, most important first.

    Inference in half precision, as in its Table 3: at 128 images (halved where memory ends), and
    one by one. Four networks take turns, which are those of one level where families are compared.
    """
    gpu: Block = {"device": "cuda", "mode": "infer", "dtype": "fp16", "batch": 128}
    gpu |= {"samples": 10, "min_time": 0.2, "rounds": 2}

    def block(names: Iterable[str], **protocol: Any) -> Block:
        return {"protocol": {**gpu, **protocol}, "models": _grid(dict.fromkeys(names))}

    def traffic(names: Iterable[str], **protocol: Any) -> Block:
        return {**block(names, **protocol), "traffic": True}

    families = _paper_families(LEVELS)
    few = _paper_families(EVERY_OTHER)
    mixed = [f"{family}-{level}" for family in ("EN-X", "EN-X-GPU", "EN-X-TPU") for level in LEVELS]
    code = [name for name in NAMES if name.startswith(("EN-B", "EN-H", "EN-X-Table6"))]
    table6 = [f"{name}+relu" for name in NAMES if name.startswith("EN-X-Table6-GPU")]
    activations = [f"EN-X{kind}" for kind in ("-B0+relu", "-B0", "-B0+swish")]
    deep = [f"EN-X-GPU-B4{kind}" for kind in ("+relu", "", "+swish")]
    by_width = [name for size in MAPS for name in _by_width(size)]
    return [
        *({**block([], dtype=dtype), "peaks": True} for dtype in ("fp16", "bf16")),
        block(families),
        block([*TABLE_4, *activations, *deep]),
        block(OTHERS),
        block([*_by_width(56), *_choices(56)], samples=20),
        traffic(["EN-TF-B0", "EN-X-B0+relu", "EN-X-B0"]),
        block(families, batch=1),
        block(families, batch=1, compile="graph"),
        block(by_width, samples=20),
        block([*few, *TABLE_4, *activations, *deep], compile="graph"),
        block(families, dtype="bf16"),
        block([*mixed, *table6, *code]),
        block([*activations, "EN-TF-B0"], compile="inductor"),
        block([*mixed, *table6, *code, *OTHERS], batch=1),
        traffic(["MBConv-c32@56", "FusedMBConv-c32@56"]),
        block([*TABLE_4, *activations], dtype="bf16"),
        block([name for c in (32, 64, 96) for name in _pair(c, 56)], compile="inductor"),
        block([*deep, "EN-TF-B4"], compile="inductor"),
    ]


PLANS = {
    "laptop": laptop,
    "smoke": smoke,
    "blocks": blocks,
    "paper-gpu": paper_gpu,
    "efficientnet-x": efficientnet_x,
}


def as_text(blocks: list[Block]) -> str:
    """A sweep's file: one block a line."""
    return "[\n" + ",\n".join(map(json.dumps, blocks)) + "\n]\n"


if __name__ == "__main__":
    sweep_folder().mkdir(exist_ok=True)
    for name, plan in PLANS.items():
        (sweep_folder() / f"{name}.json").write_text(as_text(plan()))
