"""What the traps of timing did, from their records: chapter "How to time honestly".

Every statement is a ratio of two medians taken in one process, and there is one for each process:
an effect counts as seen when all processes agree on its direction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median, quantiles
from typing import NamedTuple

import pandas as pd

from repro.analysis.timing.overlay import mine
from repro.records import TimingRecord, TrapRecord
from repro.runtime.traps import FIRST
from repro.stored import read, record_files, stored
from repro.text import all_or_some


class Mistake(NamedTuple):
    """Two ways in a record of traps, of which one is a mistake or a condition left unsaid."""

    name: str
    title: str
    trap: str
    wrong: str
    right: str


BUSY = "beside another"
ALONE, BESIDE = "1 per core, alone", f"1 per core, {BUSY}"
BLOCK_KEPT, NET_KEPT = "block, kept", "network, kept"
AFTER = "one after the other"
MISTAKES: tuple[Mistake, ...] = (
    Mistake("first", "first iteration", "warm-up", "", ""),
    Mistake("new", "first image of a new size", "new sizes", "first call", "second call"),
    Mistake("over", "two threads per core", "threads", "2 per core", "1 per core"),
    Mistake("single", "one thread, not all cores", "threads", "1", "1 per core"),
    Mistake(
        "busy_one", "one thread, busy machine", "busy machine", "1, beside another", "1, alone"
    ),
    Mistake("busy_all", "all cores, busy machine", "busy machine", BESIDE, ALONE),
    Mistake(
        "busy_choice", "all cores, not one, busy machine", "busy machine", BESIDE, f"1, {BUSY}"
    ),
    Mistake("apart", "A, then B, load rises", "turns", f"B, {AFTER}", f"A, {AFTER}"),
    Mistake("zeros", "zeros as input", "values", "zeros", "random"),
    Mistake("denormal", "denormal numbers as input", "values", "denormal", "random"),
    Mistake("nchw", "NCHW, not channels last", "memory format", "NCHW", "channels last"),
    Mistake("grad", "autograd left on", "mode", "autograd on", "inference"),
    Mistake("train", "train mode", "mode", "train mode", "inference"),
    Mistake(
        "given_block", "memory given back, one block", "allocator", "block, given back", BLOCK_KEPT
    ),
    Mistake(
        "given_net", "memory given back, network", "allocator", "network, given back", NET_KEPT
    ),
    Mistake("cold_net", "cold caches, whole network", "caches", "network, cold", "network, warm"),
    Mistake(
        "cold_conv", "cold caches, one small conv", "caches", "small conv, cold", "small conv, warm"
    ),
)
"""In the order of the chapter."""


def recorded(path: str | None = None) -> TrapRecord:
    """The latest record of the traps in a reader's file, or among the book's.

    Raises:
        InputError: there is none, or the file cannot be read.
    """
    if path is not None:
        latest: TrapRecord = mine(path, TrapRecord)[-1]
        return latest
    files = [f for f in record_files() if f.stem.startswith("timing-traps")]
    return next(r for r in reversed(stored(*files)) if isinstance(r, TrapRecord))


def two_timings() -> tuple[TimingRecord, TimingRecord]:
    """The two timings of one network that the chapter asks about, in the order taken."""
    a, b = read(record_files()[0].parent / "examples" / "two-timings.jsonl")
    return a, b


def same_blocks_by_allocator() -> dict[str, tuple[TimingRecord, TimingRecord]]:
    """An MBConv and the fused MBConv, timed with memory given back and with memory kept."""
    records = read(record_files()[0].parent / "examples" / "allocator.jsonl")
    pairs = zip(records[::2], records[1::2], strict=True)
    return {str(plain.protocol.allocator): (plain, fused) for plain, fused in pairs}


def ratios(record: TrapRecord, mistake: Mistake) -> list[float]:
    """Median of the wrong way over median of the right way, for each process."""
    ways = record.samples_s[mistake.trap]
    if mistake.trap == "warm-up":
        return [p[0] / median(p[FIRST // 2 :]) for p in ways["iteration"]]
    pairs = zip(ways[mistake.wrong], ways[mistake.right], strict=True)
    return [median(wrong) / median(right) for wrong, right in pairs]


def verdict(values: Sequence[float]) -> str:
    """What processes agree on. All on one side of 1 by luck: one in 2 to the power of n - 1."""
    if all(v < 1 for v in values):
        return f"faster in all {len(values)}"
    return f"slower in {all_or_some(sum(v > 1 for v in values), len(values))}"


def overview(record: TrapRecord) -> pd.DataFrame:
    """Every mistake on record and what it does to the time: median, quartiles over processes."""
    rows = []
    for mistake in MISTAKES:
        if mistake.trap in record.samples_s:
            values = ratios(record, mistake)
            low, middle, high = _quartiles(values)
            agreed, titles = verdict(values), (mistake.name, mistake.title)
            rows.append((*titles, middle, low, high, agreed, " all " in agreed, values))
    columns = ["name", "mistake", "times as long", "from", "to", "verdict", "seen", "ratios"]
    return pd.DataFrame(rows, columns=columns)


def _quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) == 1:
        return (values[0],) * 3
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return low, middle, high


def comparisons(record: TrapRecord) -> dict[str, list[float]]:
    """A network compared with itself while the load rises: B over A in each process; 1 is right."""
    ways, rows = record.samples_s["turns"], {}
    for title in (AFTER, "in turns"):
        both = list(zip(ways[f"A, {title}"], ways[f"B, {title}"], strict=True))
        rows[title] = [median(b) / median(a) for a, b in both]
    rows["pairs"] = [median(y / x for x, y in zip(a, b, strict=True)) for a, b in both]
    return rows


def called_different(record: TrapRecord, title: str = AFTER) -> int:
    """In how many processes the quartiles of A and B, which are one network, do not overlap."""
    ways = record.samples_s["turns"]
    both = zip(ways[f"A, {title}"], ways[f"B, {title}"], strict=True)
    quartiles = [(_quartiles(a), _quartiles(b)) for a, b in both]
    return sum(a[0] > b[2] or b[0] > a[2] for a, b in quartiles)


def errors_of_one_number(
    record: TrapRecord, count: int, summary: Callable[[Sequence[float]], float]
) -> list[float]:
    """How far one number made of disturbed samples lies from the truth, in percent of it.

    Truth is the median of the undisturbed samples of the same process; count: of samples in a row.
    """
    ways = record.samples_s["series"]
    return [
        100 * abs(summary(samples[i : i + count]) / median(truth) - 1)
        for samples, truth in zip(ways["disturbed"], ways["undisturbed"], strict=True)
        for i in range(0, len(samples), count)
    ]
