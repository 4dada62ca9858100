"""EfficientNet-B0, and what its own search space chooses in its seven stages.

Source of the space: Accel-NASBench (arXiv 2404.08005), whose networks keep B0's widths, strides,
stem and head, and choose expansion, kernel, repeats and squeeze-excite of each stage.
"""

from __future__ import annotations

from typing import NamedTuple


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
