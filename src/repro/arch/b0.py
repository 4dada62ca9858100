"""EfficientNet-B0, and the networks of its own search space: other choices in its seven stages.

Source of the space: Accel-NASBench (arXiv 2404.08005), whose networks keep B0's widths, strides,
stem and head, and choose expansion, kernel, repeats and squeeze-excite of each stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from repro.arch.efficientnet_x import XStage
from repro.arch.network import Network
from repro.errors import InputError


class B0Stage(NamedTuple):
    """A stage of EfficientNet-B0."""

    depth: int
    width: int
    expansion: int
    kernel: int
    stride: int


B0 = (
    B0Stage(1, 16, 1, 3, 1),
    B0Stage(2, 24, 6, 3, 2),
    B0Stage(2, 40, 6, 5, 2),
    B0Stage(3, 80, 6, 3, 2),
    B0Stage(3, 112, 6, 5, 1),
    B0Stage(4, 192, 6, 5, 2),
    B0Stage(1, 320, 6, 3, 1),
)
EXPANSIONS, KERNELS, SQUEEZE_EXCITE = (1, 4, 6), (3, 5), (0, 1)
REPEATS = ((1, 2, 3),) * 5 + ((1, 2, 3, 4),) + ((1, 2, 3),)
"""What each stage may choose; repeats by stage."""
CHOICES = {
    "e": (EXPANSIONS,) * 7,
    "k": (KERNELS,) * 7,
    "l": REPEATS,
    "se": (SQUEEZE_EXCITE,) * 7,
}
"""By the names of the reference file's columns: expansion, kernel, repeats, squeeze-excite."""


def b0_variant(
    expansions: Sequence[int],
    kernels: Sequence[int],
    repeats: Sequence[int],
    squeeze_excite: Sequence[int],
) -> Network:
    """B0 with other choices, one of each for each of the seven stages.

    Args:
        expansions: 1, 4 or 6. kernels: 3 or 5. repeats: 1 to 3, in the sixth stage to 4.
        squeeze_excite: 0 or 1; of a quarter of the block's input channels.

    Returns:
        Named by its choices: ``B0-1666666-3353553-1223341-1111111`` is B0 itself.

    Raises:
        InputError: a choice that the space does not have.
    """
    chosen = dict(zip(CHOICES, (expansions, kernels, repeats, squeeze_excite), strict=True))
    for (name, allowed), values in zip(CHOICES.items(), chosen.values(), strict=True):
        if len(values) != len(allowed):
            raise InputError(f"{name} has {len(values)} values; one for each of B0's 7 stages")
        for stage, (value, options) in enumerate(zip(values, allowed, strict=True), 1):
            if value not in options:
                raise InputError(
                    f"{name} of stage {stage} is {value!r}; allowed: {', '.join(map(str, options))}"
                )
    stages = tuple(
        XStage(
            depth=depth,
            width=b0.width,
            expansion=e,
            kernel=k,
            stride=b0.stride,
            fused=False,
            activation="silu",
            se_ratio=0.25 * se,
        )
        for b0, e, k, depth, se in zip(B0, *chosen.values(), strict=True)
    )
    return Network(
        "-".join(["B0", *("".join(map(str, values)) for values in chosen.values())]),
        stages,
        resolution=224,
        stem_width=32,
        head_width=1280,
        se_ratio=0.25,
        activation="silu",
    )
