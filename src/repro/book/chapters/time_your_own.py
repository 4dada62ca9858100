"""Chapter "Time your own machine"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from repro.book.kit.figures import STRATEGY_COLOURS, legend, log_axis, panels
from repro.book.parameters import ChapterParameters

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


def _file_of_timings(path: str) -> str:
    from repro.analysis.timing.overlay import mine  # late: few readers bring a file

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
        "cpu", description="Device of the live timing of two networks"
    )


def overlay_figure(frame: DataFrame, mean: float, names: tuple[str, str]) -> Figure:
    """Times per image over activations, ours hollow and theirs filled; their ratio, mean dashed."""
    import matplotlib.pyplot as plt

    ink = plt.rcParams["text.color"]
    fig, (left, right) = panels(2, 2, (3.8, 3.4), sharex=True)
    for strategy, part in frame.dropna(subset=["macts"]).groupby("strategy", sort=False):
        colour = STRATEGY_COLOURS.get(str(strategy), ink if strategy == "base" else "#8c8c8c")
        left.vlines(part.macts, part.ours, part.theirs, color=colour, lw=0.8, alpha=0.4)
        left.plot(part.macts, part.ours, "o", mfc="none", mew=1.2, color=colour)
        left.plot(part.macts, part.theirs, "o", mew=0, color=colour, label=strategy)
        right.plot(part.macts, part.ratio, "o", mew=0, color=colour)
    for name, fill in zip(names, ("none", ink), strict=True):
        left.plot([], [], "o", color=ink, mfc=fill, label=name)
    right.axhline(mean, color=ink, lw=0.9, ls="--")
    for ax in (left, right):
        log_axis(ax, "both")
        ax.set_xlabel("activations, millions (log)")
    left.set(title="time", ylabel="ms per image (log)")
    right.set(title="ratio", ylabel=f"{names[1]} / {names[0]} (log)")
    legend(fig, [left])
    return fig
