"""Chapter "Fast scaling in practice"."""

from __future__ import annotations

from pydantic import Field

from repro.book.parameters import ChapterParameters, Networks


class Parameters(ChapterParameters):
    """Chapter "Fast scaling in practice"."""

    factor: float = Field(
        3.5, gt=1, le=100, description="Flops, relative to the base, at which to compare"
    )
    networks: Networks = Field(
        ["EN-B0", "RegNetY-500MF", "RegNetZ-500MF", "RegNetY-4GF", "RegNetZ-4GF"],
        description="Zoo names of the networks whose cost is worked out",
    )
    epochs: int = Field(
        100, ge=1, le=10_000, description="Of one training; the paper's are 100, 200 and 400"
    )
    price_per_hour: float = Field(
        1.0, ge=0, le=1e6, allow_inf_nan=False, description="Of one device, in any currency"
    )
