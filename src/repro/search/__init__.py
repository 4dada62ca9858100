"""The second paper's search: its blocks with what they cost, its reward, and its scaling."""

from repro.search.blocks import (
    BlockCost,
    break_even,
    cost,
    equation2,
    fused_gain,
    grid,
    peaks_of,
)

__all__ = ["BlockCost", "break_even", "cost", "equation2", "fused_gain", "grid", "peaks_of"]
