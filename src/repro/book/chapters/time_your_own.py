"""Chapter "Time your own machine"."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from repro.book.parameters import ChapterParameters


def _file_of_timings(path: str) -> str:
    from repro.analysis.timing.overlay import mine

    mine(path)
    return path


class Parameters(ChapterParameters):
    """Chapter "Time your own machine"."""

    records: Annotated[str, AfterValidator(_file_of_timings)] | None = Field(
        None, description="Your records file; None: the book's own"
    )
    mode: Literal["infer", "train", "step"] = Field(
        "infer", description="Which of your timings to compare"
    )
    network: str = Field(
        "EN-B0", description="Whose conditions to list, by its name in the records"
    )
    device: Literal["cpu", "cuda"] = Field(
        "cpu", description="Where the page itself times two networks"
    )
