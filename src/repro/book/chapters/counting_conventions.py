"""Page "Counting conventions"."""

from __future__ import annotations

from pydantic import Field

from repro.book.parameters import ChapterParameters, Networks


class Parameters(ChapterParameters):
    """Page "Counting conventions"."""

    networks: Networks = Field(
        ["EN-B0", "ResNet-50", "RegNetY-4.0GF", "RegNetZ-500MF", "EN-X-B0"],
        description="Zoo names of the networks to count with every counter",
    )
