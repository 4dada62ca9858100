"""Chapter "How to time honestly"."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import mean, median
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from repro.book.kit.figures import STRATEGY_COLOURS, log_axis, panels
from repro.book.parameters import ChapterParameters, NetworkName
from repro.records import TrapRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEEN, UNSEEN = STRATEGY_COLOURS["dwr"], "#909090"
A, B = STRATEGY_COLOURS["d"], STRATEGY_COLOURS["dwr"]


def _record_of_traps(path: str) -> str:
    from repro.analysis.timing.traps import recorded  # late: few readers bring a file

    recorded(path)
    return path


class Parameters(ChapterParameters):
    """Chapter "How to time honestly"."""

    network: NetworkName = Field("EN-B0", description="Zoo network of the live timing")
    rounds: int = Field(8, ge=1, le=1000, description="Samples of each way in that live timing")
    records: Annotated[str, AfterValidator(_record_of_traps)] | None = Field(
        None, description="Your own record of the traps"
    )


def overview_figure(records: Mapping[str, TrapRecord]) -> Figure:
    """Ratios of every mistake, a dot per process and a bar at the median; a panel per record."""
    import matplotlib.pyplot as plt

    from repro.analysis.timing.traps import MISTAKES, overview

    frames = {title: overview(record) for title, record in records.items()}
    shown = {name for frame in frames.values() for name in frame["name"]}
    titles = {m.name: m.title for m in MISTAKES if m.name in shown}
    fig, axes = panels(len(frames), 2, sharex=True, sharey=True)
    fig.set_size_inches(7.4, 0.9 + 0.3 * len(titles))
    for ax, (title, frame) in zip(axes, frames.items(), strict=True):
        for name, ratios, seen in zip(frame["name"], frame.ratios, frame.seen, strict=True):
            y, colour = list(titles).index(name), SEEN if seen else UNSEEN
            ax.plot(ratios, [y] * len(ratios), "o", color=colour, ms=4, mew=0, alpha=0.55)
            ax.plot([median(ratios)] * 2, [y - 0.32, y + 0.32], color=colour, lw=2.4)
        ax.axvline(1, color=plt.rcParams["text.color"], lw=0.9)
        log_axis(ax, "x", (0.1, 0.2, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 50))
        ax.set_xlabel("time, relative to the other way (log)")
        ax.set_title(title if len(frames) > 1 else "")
        ax.grid(axis="y", visible=False)
    axes[0].set_yticks(range(len(titles)), list(titles.values()))
    axes[0].invert_yaxis()
    return fig


def typical(record: TrapRecord) -> int:
    """The process whose undisturbed samples scatter by the middle amount, the lower of two."""
    series = record.samples_s["series"]["undisturbed"]
    spread = [mean(samples) / median(samples) for samples in series]
    return sorted(range(len(spread)), key=spread.__getitem__)[(len(spread) - 1) // 2]


def series_figure(record: TrapRecord) -> Figure:
    """Samples of a typical process one after another, two ways, with mean and median."""
    ways = record.samples_s["series"]
    process = typical(record)
    truth = median(ways["undisturbed"][process])
    fig, axes = panels(2, 2, (3.5, 2.3), sharey=True)
    for ax, (way, processes) in zip(axes, ways.items(), strict=True):
        samples = [t / truth for t in processes[process]]
        ax.plot(range(1, len(samples) + 1), samples, "o", ms=4, mew=0, color=A)
        for summary, style, label in ((mean, "--", "mean"), (median, "-", "median")):
            ax.axhline(summary(samples), color=B, ls=style, lw=1.5, label=label)
        ax.set(title=way, xlabel="sample")
        log_axis(ax, "y", (1, 2, 5, 10, 20, 50, 100))
    axes[0].set_ylabel("time, undisturbed median = 1")
    axes[0].legend(loc="upper right")
    return fig


def turns_figure(record: TrapRecord, process: int = 0) -> Figure:
    """The samples of A and B in the order taken, one after the other and in turns."""
    import matplotlib.pyplot as plt

    ways = record.samples_s["turns"]
    first = ways["A, one after the other"][process]
    half, end = len(first), 2 * len(first) + 1
    order = {
        "one after the other": {"A": range(1, half + 1), "B": range(half + 1, end)},
        "in turns": {"A": range(1, end, 2), "B": range(2, end, 2)},
    }
    fig, axes = panels(2, 2, (3.5, 2.3), sharey=True)
    for ax, (title, places) in zip(axes, order.items(), strict=True):
        for name, colour, marker in (("A", A, "o"), ("B", B, "s")):
            samples = [t / median(first) for t in ways[f"{name}, {title}"][process]]
            ax.plot(places[name], samples, marker, ms=4, mew=0, color=colour, label=name)
        ax.axvline(half + 0.5, color=plt.rcParams["text.color"], lw=0.9, ls=":")
        ax.set(title=title, xlabel="sample, in the order taken")
        log_axis(ax, "y", (0.5, 1, 2, 5, 10, 20, 50, 100))
    axes[0].set_ylabel("time, A's first median = 1")
    axes[0].legend(loc="upper left")
    return fig
