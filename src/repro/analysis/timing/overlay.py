"""A reader's records laid over the book's: chapter "Time your own machine".

Two timings of one network are laid over each other by the time that one image takes, whatever the
batch. What else differs between them is listed, not corrected for.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import groupby
from math import exp, log
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
from scipy.stats import spearmanr

from repro.book.kit.figures import STRATEGY_COLOURS, log_axis
from repro.errors import InputError
from repro.paths import root
from repro.records import Mode, TimingRecord, changed_code
from repro.runtime.compare import Difference, differences
from repro.stored import RECORD_GPU, machine_name, read, stored
from repro.text import aligned

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CONDITIONS = ("device", "dtype", "compile", "memory_format", "input", "batch", "threads")
"""Of a protocol, the most important first: where several runs could be compared, they choose."""


def locate(path: str) -> str:
    """A reader's file, wherever a chapter is executed.

    A relative path is looked for in the folder of this process, in the folder where the command
    was typed, and in the project's.

    Raises:
        InputError: it is in none of them.
    """
    folders = [Path.cwd(), Path(os.environ.get("PWD") or "."), root()]
    for folder in folders:
        if (folder / path).is_file():
            return str(folder / path)
    raise InputError(f"records file {path!r} is not there; give its full path")


def mine(path: str) -> list[TimingRecord]:
    """The timings of a reader's file.

    Raises:
        InputError: no such file, a line that is no record of this version, or no timing at all.
    """
    timings = [r for r in read(locate(path)) if isinstance(r, TimingRecord)]
    if not timings:
        raise InputError(f"records file {path!r} holds no timing; `repro time --out` makes some")
    return timings


def ours() -> list[TimingRecord]:
    """The timings of the book."""
    return [r for r in stored() if isinstance(r, TimingRecord)]


class Run(NamedTuple):
    """Timings of one machine under one protocol, by the network that was timed."""

    title: str
    records: dict[str, TimingRecord]

    @property
    def mode(self) -> str:
        return self._any.protocol.mode

    @property
    def _any(self) -> TimingRecord:
        return next(iter(self.records.values()))


def runs(timings: Iterable[TimingRecord]) -> list[Run]:
    """Timings sorted into runs, the one with most networks first."""

    def way(r: TimingRecord) -> tuple[str, ...]:
        # How long it was measured does not make a run another run.
        sampling = {"samples", "min_time", "rounds"}
        return (machine_name(r), r.machine.torch, r.protocol.model_dump_json(exclude=sampling))

    found = []
    for _, group in groupby(sorted(timings, key=way), key=way):
        members = list(group)
        found.append(Run(title(members[0]), {_network(r): r for r in members}))
    return sorted(found, key=lambda run: (-len(run.records), run.title))


def title(record: TimingRecord) -> str:
    """A run's machine and protocol in words; what is usual goes without saying."""
    p, usual = record.protocol, type(record.protocol)()
    words = [machine_name(record), p.mode, p.dtype, f"batch {p.batch}"]
    words += [f"within {p.memory_gb:g} GB"] if p.memory_gb else []
    words += [
        str(getattr(p, name))
        for name in ("compile", "memory_format", "input")
        if getattr(p, name) != getattr(usual, name)
    ]
    return ", ".join(words)


def _network(record: TimingRecord) -> str:
    """What makes a network the same in two files: its description; its name where it has none."""
    subject = record.subject
    return repr((subject.description or subject.name, subject.resolution))


class Pair(NamedTuple):
    """A run of the reader's, and the one of the book's that is nearest to it."""

    ours: Run
    theirs: Run

    @property
    def common(self) -> list[tuple[TimingRecord, TimingRecord]]:
        """Ours and theirs of each network that both have, in the order of ours."""
        both = self.theirs.records
        return [(r, both[n]) for n, r in self.ours.records.items() if n in both]


def nearest(run: Run, book: Sequence[Run]) -> Pair:
    """The book's run of the same mode that shares networks and most conditions with this one.

    Raises:
        InputError: none shares a network and the mode.
    """

    def rank(other: Run) -> tuple[object, ...]:
        pair, (a, b) = Pair(other, run), (other._any, run._any)
        same = [getattr(a.protocol, name) == getattr(b.protocol, name) for name in CONDITIONS]
        return (same[0], len(pair.common), *same)

    fitting = [o for o in book if o.mode == run.mode and Pair(o, run).common]
    if not fitting:
        raise InputError(
            f"no run of the book has a network in common with {run.title!r}; "
            "`repro time --sweep smoke` times some that it has"
        )
    return Pair(max(fitting, key=rank), run)


def example(book: Sequence[Run]) -> Pair:
    """The book laid over itself: training steps over inference, on one machine.

    Raises:
        InputError: the book has no such pair of runs.
    """
    pairs = [
        Pair(a, b)
        for a in book
        for b in book
        if (a.mode, b.mode) == ("infer", "step")
        and machine_name(a._any) == machine_name(b._any)
        and Pair(a, b).common
    ]
    if not pairs:
        raise InputError("data/records has no machine with both inference and training steps")
    return max(pairs, key=lambda pair: len(pair.common))


def laid_over(path: str | None, mode: Mode) -> list[Pair]:
    """Every run of the reader's file in this mode with the book's nearest, or the example.

    Raises:
        InputError: the file cannot be used, or has nothing to compare.
    """
    book = runs(ours())
    if path is None:
        return [example(book)]
    theirs = runs(mine(path))
    chosen = [run for run in theirs if run.mode == mode]
    if not chosen:
        there = ", ".join(sorted({run.mode for run in theirs}))
        raise InputError(f"records file {path!r} has no timing in mode {mode!r}, only {there}")
    return [nearest(run, book) for run in chosen]


# ------------------------------------------------------------------------------- tables


def networks(pair: Pair) -> pd.DataFrame:
    """The networks of a pair.

    Returns:
        Columns network, strategy ("base" where unscaled), base; gflops, macts (one image); ours,
        theirs (milliseconds per image); ratio (theirs over ours), and apart: whether quartiles do
        not overlap.
    """
    rows = []
    for a, b in pair.common:
        (low_a, x, high_a), (low_b, y, high_b) = (
            [1e3 * t / r.batch for t in r.quartiles] for r in (a, b)
        )
        rows.append(
            {
                "network": a.subject.name,
                "strategy": a.subject.strategy or "base",
                "base": a.subject.base,
                "gflops": None if a.subject.flops is None else a.subject.flops / 1e9,
                "macts": None if a.subject.acts is None else a.subject.acts / 1e6,
                "ours": x,
                "theirs": y,
                "ratio": y / x,
                "apart": low_a > high_b or low_b > high_a,
            }
        )
    return pd.DataFrame(rows)


def summary(pairs: Sequence[Pair]) -> pd.DataFrame:
    """One row per pair.

    Returns:
        Columns yours, ours (titles), networks (in common), ratio (geometric mean of yours over
        ours), quartiles (of the ratios, as text), rank correlation (missing below three networks).
    """
    rows = []
    for pair in pairs:
        frame = networks(pair)
        ratio = list(frame.ratio)
        low, _, high = quantiles(ratio, n=4, method="inclusive") if len(ratio) > 1 else ratio * 3
        enough = len(ratio) > 2
        rows.append(
            {
                "yours": pair.theirs.title,
                "ours": pair.ours.title,
                "networks": len(ratio),
                "ratio": exp(sum(map(log, ratio)) / len(ratio)),
                "quartiles": f"{low:.2f} to {high:.2f}",
                "rank correlation": spearmanr(frame.ours, frame.theirs)[0] if enough else None,
            }
        )
    return pd.DataFrame(rows)


def differing(pair: Pair, name: str) -> tuple[str, list[Difference]]:
    """What `repro compare` finds between the two timings of one network.

    Args:
        name: of the network, as its record has it; the first common one where it is not common.

    Returns:
        The network's name, and the conditions.
    """
    a, b = next((p for p in pair.common if p[0].subject.name == name), pair.common[0])
    return a.subject.name, differences(a, b)


def conditions(found: Sequence[Difference]) -> pd.DataFrame:
    """Differences as a table; the commit, which says nothing by itself, is left out.

    Returns:
        Columns condition, A, B, why it may matter.
    """
    rows = [
        (d.condition, _short(d.a), _short(d.b), d.why) for d in found if d.condition != "commit"
    ]
    return pd.DataFrame(rows, columns=["condition", "A", "B", "why it may matter"])


def _short(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def recorded() -> str:
    """Which machines the book has timed, how, and what is still to be recorded, as text."""
    rows = []
    for run in runs(ours()):
        changed = any(changed_code(r) for r in run.records.values())
        rows.append((run.title, str(len(run.records)), "changed since" if changed else "the same"))
    text = aligned(("<machine and protocol", "networks", "<code"), rows) if rows else "nothing yet"
    if any(r.machine.device == "cuda" for r in ours()):
        return text
    return f"{text}\n\nNo GPU is recorded yet. This records one:\n  {RECORD_GPU}"


# ------------------------------------------------------------------------------- figure


def overlay_figure(pair: Pair, names: tuple[str, str] = ("ours", "yours")) -> Figure:
    """Times per image over activations, ours hollow and theirs filled; and their ratio.

    Args:
        names: what the legend calls the two.
    """
    import matplotlib.pyplot as plt

    frame = networks(pair).dropna(subset=["macts"])
    fig, (left, right) = plt.subplots(1, 2, figsize=(8.2, 4.0), sharex=True)
    ink = plt.rcParams["text.color"]
    for strategy, part in frame.groupby("strategy", sort=False):
        colour = STRATEGY_COLOURS.get(str(strategy), ink if strategy == "base" else "#8c8c8c")
        left.vlines(part.macts, part.ours, part.theirs, color=colour, lw=0.8, alpha=0.4)
        left.plot(part.macts, part.ours, "o", mfc="none", mew=1.2, color=colour)
        left.plot(part.macts, part.theirs, "o", mew=0, color=colour, label=strategy)
        right.plot(part.macts, part.ratio, "o", mew=0, color=colour)
    mean = exp(frame.ratio.map(log).mean())
    right.axhline(mean, color=ink, lw=0.9, ls="--")
    for ax in (left, right):
        log_axis(ax, "both")
        ax.set_xlabel("activations, millions (log)")
    left.set(title="time", ylabel="ms per image (log)")
    right.set(title="ratio", ylabel=f"{names[1]} / {names[0]} (log)")
    handles, labels = left.get_legend_handles_labels()
    for name, fill in zip(names, ("none", ink), strict=True):
        handles.append(plt.Line2D([], [], marker="o", ls="none", color=ink, mfc=fill))
        labels.append(name)
    fig.legend(handles, labels, loc="outside upper center", ncols=min(8, len(labels)))
    return fig
