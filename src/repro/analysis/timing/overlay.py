"""A reader's timings laid over the book's: chapter "Time your own machine".

Two timings of one network are laid over each other by the time that one image takes, whatever the
batch. What else differs between them is listed, not corrected for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pandas as pd

from repro.errors import InputError
from repro.paths import locate
from repro.records import Mode, Result, TimingRecord, TrapRecord
from repro.runtime.compare import differences
from repro.stored import machine_name, read, stored

CONDITIONS = ("device", "dtype", "compile", "memory_format", "input", "batch", "threads")
"""Of a protocol, the most important first: where several runs could be compared, they choose."""


def mine(path: str, kind: type[Result] = TimingRecord) -> list[Any]:
    """The records of one kind in a reader's file.

    Raises:
        InputError: no such file, a line that is no record of this version, or none of this kind.
    """
    found = [r for r in read(locate(path)) if isinstance(r, kind)]
    if not found:
        title, option = ("record of traps", " --traps") if kind is TrapRecord else ("timing", "")
        raise InputError(
            f"records file {path!r} holds no {title}; `repro time{option} --out` makes one"
        )
    return found


class Run(NamedTuple):
    """Timings of one machine under one protocol, by the network that was timed."""

    title: str
    records: dict[str, TimingRecord]

    @property
    def sample(self) -> TimingRecord:
        """Any of its timings: machine and protocol are the same in all."""
        return next(iter(self.records.values()))


def runs(timings: Iterable[TimingRecord]) -> list[Run]:
    """Timings sorted into runs, the one with most networks first."""
    found: dict[tuple[str, ...], Run] = {}
    for r in timings:
        # How long it was measured does not make a run another run.
        sampling = {"samples", "min_time", "rounds"}
        way = machine_name(r), r.machine.torch, r.protocol.model_dump_json(exclude=sampling)
        # A network is the same in two files by its description, or by its name without one.
        network = repr((r.subject.description or r.subject.name, r.subject.resolution))
        found.setdefault(way, Run(title(r), {})).records[network] = r
    return sorted(found.values(), key=lambda run: (-len(run.records), run.title))


def title(record: TimingRecord) -> str:
    """A run's machine and protocol in words; what is usual goes without saying."""
    p, usual = record.protocol, type(record.protocol)()
    words = [machine_name(record), p.mode, p.dtype, f"batch {p.batch}"]
    words += [f"within {p.memory_gb:g} GB"] if p.memory_gb else []
    odd = ("compile", "memory_format", "input")
    return ", ".join(words + [getattr(p, o) for o in odd if getattr(p, o) != getattr(usual, o)])


class Pair(NamedTuple):
    """A run of the reader's, and the one of the book's that is nearest to it."""

    ours: Run
    theirs: Run

    @property
    def common(self) -> list[tuple[TimingRecord, TimingRecord]]:
        """Ours and theirs of each network that both have, in the order of ours."""
        both = self.theirs.records
        return [(r, both[n]) for n, r in self.ours.records.items() if n in both]

    def of(self, name: str) -> tuple[TimingRecord, TimingRecord]:
        """Ours and theirs of a network by its name, or of the first where it is not common."""
        return next((p for p in self.common if p[0].subject.name == name), self.common[0])


def laid_over(path: str | None, mode: Mode) -> Pair:
    """The largest run of a reader's file in this mode, and the book's nearest.

    Without a path the book is laid over itself, training steps over inference.

    Raises:
        InputError: the file cannot be used, or nothing in it can be compared.
    """
    book = runs(r for r in stored() if isinstance(r, TimingRecord))
    theirs = book if path is None else runs(mine(path))
    wanted = "step" if path is None else mode
    run = next((run for run in theirs if run.sample.protocol.mode == wanted), None)
    if run is None:
        there = ", ".join(sorted({run.sample.protocol.mode for run in theirs}))
        raise InputError(f"records file {path!r} has no timing in mode {mode!r}, only {there}")
    return nearest(run, book, "infer" if path is None else mode)


def nearest(run: Run, book: Sequence[Run], mode: Mode) -> Pair:
    """The book's run in a mode that shares networks and most conditions with this one.

    Raises:
        InputError: none shares a network.
    """

    def rank(pair: Pair) -> tuple[object, ...]:
        ours, theirs = pair.ours.sample.protocol, pair.theirs.sample.protocol
        same = [getattr(ours, name) == getattr(theirs, name) for name in CONDITIONS]
        return (same[0], len(pair.common), *same)

    pairs = [Pair(other, run) for other in book if other.sample.protocol.mode == mode]
    fitting = [pair for pair in pairs if pair.common]
    if not fitting:
        raise InputError(
            f"no run of the book has a network in common with {run.title!r}; "
            "`repro time --sweep smoke` times some that it has"
        )
    return max(fitting, key=rank)


def networks(pair: Pair) -> pd.DataFrame:
    """The networks of a pair: counts of one image, ours and theirs in milliseconds per image.

    ratio: theirs over ours; apart: whether quartiles do not overlap.
    """
    rows = []
    for a, b in pair.common:
        (low_a, x, high_a), (low_b, y, high_b) = (
            [1e3 * t / r.batch for t in r.quartiles] for r in (a, b)
        )
        subject = a.subject
        counts = [
            None if c is None else c / u for c, u in ((subject.flops, 1e9), (subject.acts, 1e6))
        ]
        names = subject.name, subject.strategy or "base", subject.base
        rows.append((*names, *counts, x, y, y / x, low_a > high_b or low_b > high_a))
    columns = ["network", "strategy", "base", "gflops", "macts", "ours", "theirs", "ratio", "apart"]
    return pd.DataFrame(rows, columns=columns)


def conditions(a: TimingRecord, b: TimingRecord) -> pd.DataFrame:
    """What differs between two timings; commit and batch asked for, left out, change nothing."""
    rows = [
        (d.condition, _short(d.a), _short(d.b), d.why)
        for d in differences(a, b)
        if d.condition not in ("commit", "batch asked for")
    ]
    return pd.DataFrame(rows, columns=["condition", "A", "B", "why it may matter"])


def _short(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
