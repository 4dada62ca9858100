"""Chapter "A search space for accelerators"."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from repro.book.parameters import Channels, ChapterParameters, DeviceName


class Parameters(ChapterParameters):
    """Chapter "A search space for accelerators"."""

    devices: Annotated[list[DeviceName], Field(min_length=1)] = Field(
        ["V100", "H200"], description="Of data/devices.yaml, whose rooflines predict"
    )
    channels: Annotated[list[Channels], Field(min_length=1)] = Field(
        [16, 24, 32, 48, 64, 96, 128, 192], description="Widths of the blocks"
    )
    size: int = Field(56, ge=2, le=512, description="Pixels per side of their maps")
    kernel: Literal[3, 5, 7] = Field(3, description="Of the spatial conv")
    expansion: int = Field(6, ge=1, le=16, description="Hidden width over channels")
    batch: int = Field(128, ge=1, le=4096, description="Images at once")
    fusion: Literal["none", "conv", "all"] = Field(
        "conv", description="Done by convs: nothing, norm and activation, or all"
    )
    records: str | None = Field(None, description="Your file from `repro time NAMES --out FILE`")
