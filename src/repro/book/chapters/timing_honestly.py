"""Chapter "How to time honestly"."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from repro.book.parameters import ChapterParameters, NetworkName


def _record_of_traps(path: str) -> str:
    # Late, as here and below: only these pages read what a reader brings.
    from repro.analysis.timing.overlay import locate
    from repro.runtime.trap_record import load

    load(locate(path))
    return path


class Parameters(ChapterParameters):
    """Chapter "How to time honestly"."""

    network: NetworkName = Field(
        "EN-B0", description="Zoo name of the network that is timed while the page runs"
    )
    rounds: int = Field(8, ge=1, le=1000, description="Samples of each way in that live timing")
    records: Annotated[str, AfterValidator(_record_of_traps)] | None = Field(
        None, description="Your own record of the traps"
    )
