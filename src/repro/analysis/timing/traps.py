"""Frames and figures of the chapter "How to time honestly", from records of traps.

Every statement is a ratio of two medians taken in one process, and there is one for each process:
an effect counts as seen when all processes agree on its direction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, median, quantiles
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from repro.book.kit.figures import STRATEGY_COLOURS, log_axis
from repro.paths import root
from repro.records import TimingRecord, changed_code
from repro.runtime.trap_record import TrapRecord, load
from repro.runtime.traps import FIRST
from repro.stored import RECORD_GPU, read
from repro.text import all_or_some

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEEN, UNSEEN = STRATEGY_COLOURS["dwr"], STRATEGY_COLOURS["alpha=2/3"]
A, B = STRATEGY_COLOURS["d"], STRATEGY_COLOURS["dwr"]


class Mistake(NamedTuple):
    """Two ways in a record of traps, of which one is a mistake or a condition left unsaid."""

    title: str
    trap: str
    wrong: str
    right: str


MISTAKES: tuple[Mistake, ...] = (
    Mistake("first iteration", "warm-up", "", ""),
    Mistake("first image of a new size", "new sizes", "first call", "second call"),
    Mistake("two threads per core", "threads", "2 per core", "1 per core"),
    Mistake("one thread, not all cores", "threads", "1", "1 per core"),
    Mistake("one thread, busy machine", "busy machine", "1, beside another", "1, alone"),
    Mistake(
        "all cores, busy machine",
        "busy machine",
        "1 per core, beside another",
        "1 per core, alone",
    ),
    Mistake(
        "all cores, not one, busy machine",
        "busy machine",
        "1 per core, beside another",
        "1, beside another",
    ),
    Mistake("A, then B, load rises", "turns", "B, one after the other", "A, one after the other"),
    Mistake("zeros as input", "values", "zeros", "random"),
    Mistake("denormal numbers as input", "values", "denormal", "random"),
    Mistake("NCHW, not channels last", "memory format", "NCHW", "channels last"),
    Mistake("autograd left on", "mode", "autograd on", "inference"),
    Mistake("train mode", "mode", "train mode", "inference"),
    Mistake("cold caches, whole network", "caches", "network, cold", "network, warm"),
    Mistake("cold caches, one small conv", "caches", "small conv, cold", "small conv, warm"),
)
"""In the order of the chapter."""


def stored() -> TrapRecord:
    """The record that the chapter tells of."""
    return load(root() / "data" / "records" / "timing-traps-cpu.json")


def two_timings() -> tuple[TimingRecord, TimingRecord]:
    """The two timings of one network that the chapter asks about, in the order taken."""
    a, b = read(root() / "data" / "records" / "examples" / "two-timings.jsonl")
    return a, b


def belongs(record: Any) -> str:
    """Whether a record still belongs to the code, as a sentence."""
    changed = changed_code(record)
    if not changed:
        return "The code that measured it is the code of this page."
    return f"Changed since it was measured: {', '.join(changed)}."


def about(record: TrapRecord) -> str:
    """What was measured on what, in lines."""
    setting, machine = record.setting, record.machine
    states = (record.before, record.after)
    words = ("before", "after")
    loads = ", ".join(
        f"{'?' if state.load is None else f'{state.load:.1f}'} {word}"
        for state, word in zip(states, words, strict=True)
    )
    return "\n".join(
        (
            f"{setting['network']}, one image, {setting['threads']} thread unless said otherwise",
            f"{machine.device_name}, {setting['cores']} cores, PyTorch {machine.torch}",
            f"{record.processes} fresh processes for each trap",
            f"run queue of the last minute: {loads}",
            belongs(record),
        )
    )


# -------------------------------------------------------------------------------- ratios


def ratios(record: TrapRecord, mistake: Mistake) -> list[float]:
    """Median of the wrong way over median of the right way, for each process."""
    ways = record.samples_s[mistake.trap]
    if mistake.trap == "warm-up":
        return [p[0] / median(p[FIRST // 2 :]) for p in ways["iteration"]]
    pairs = zip(ways[mistake.wrong], ways[mistake.right], strict=True)
    return [median(wrong) / median(right) for wrong, right in pairs]


def verdict(values: Sequence[float]) -> str:
    """What processes agree on. All on one side of 1 by luck: one in 2 to the power of n - 1."""
    for word, count in (
        ("slower", sum(v > 1 for v in values)),
        ("faster", sum(v < 1 for v in values)),
    ):
        if count == len(values):
            return f"{word} in all {count}"
    return f"slower in {sum(v > 1 for v in values)} of {len(values)}"


def overview(record: TrapRecord) -> pd.DataFrame:
    """Every mistake and what it does to the time.

    Returns:
        Columns mistake, times (median over processes), from, to (quartiles), verdict, seen.
        Traps that the record leaves out are left out.
    """
    rows = []
    for mistake in MISTAKES:
        if mistake.trap in record.samples_s:
            found = ratios(record, mistake)
            low, _, high = _quartiles(found)
            rows.append(
                {
                    "mistake": mistake.title,
                    "times": median(found),
                    "from": low,
                    "to": high,
                    "verdict": verdict(found),
                    "seen": " all " in verdict(found),
                }
            )
    return pd.DataFrame(rows)


def rows(record: TrapRecord, *words: str) -> pd.DataFrame:
    """The overview as a page shows it: the mistakes whose title holds one of these words."""
    frame = overview(record)
    chosen = [any(word in title for word in words or ("",)) for title in frame.mistake]
    return frame[chosen].drop(columns="seen").rename(columns={"times": "times as long"})


def _quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) == 1:
        return (values[0],) * 3
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return low, middle, high


def of(record: TrapRecord, title: str) -> list[float]:
    """The ratios of one mistake, by its title."""
    return ratios(record, next(m for m in MISTAKES if m.title == title))


def factor(record: TrapRecord, title: str) -> float:
    """The median ratio of one mistake, by its title."""
    return median(of(record, title))


def said(record: TrapRecord, title: str) -> str:
    """What one mistake did, as the end of a sentence that stays true when the record changes."""
    found = of(record, title)
    if " all " in verdict(found):
        return f"took {median(found):.2f} times as long ({verdict(found)} processes)"
    return f"made no difference on which the {len(found)} processes agree"


def comparisons(record: TrapRecord) -> pd.DataFrame:
    """What three ways of comparing a network with itself make of it while the load rises.

    Returns:
        Columns comparison, B over A (median over processes; 1 is right), lowest, highest, and
        called different: in how many processes the quartiles of A and B do not overlap, or those
        of the pairs' ratios do not hold 1.
    """
    ways = record.samples_s["turns"]
    rows = []
    for title in ("one after the other", "in turns"):
        both = list(zip(ways[f"A, {title}"], ways[f"B, {title}"], strict=True))
        found = [median(b) / median(a) for a, b in both]
        apart = sum(_apart(_quartiles(a), _quartiles(b)) for a, b in both)
        rows.append((f"{title}, ratio of medians", found, apart))
    pairs = [[y / x for x, y in zip(a, b, strict=True)] for a, b in both]
    apart = sum(_apart(_quartiles(p), (1.0, 1.0, 1.0)) for p in pairs)
    rows.append(("in turns, median of pairs' ratios", [median(p) for p in pairs], apart))
    return pd.DataFrame(
        [(title, median(r), min(r), max(r), all_or_some(n, len(r))) for title, r, n in rows],
        columns=["comparison", "B over A", "lowest", "highest", "called different"],
    )


def _apart(a: tuple[float, float, float], b: tuple[float, float, float]) -> bool:
    return a[0] > b[2] or b[0] > a[2]


# ------------------------------------------------------------------------ single samples


def single_samples(record: TrapRecord) -> pd.DataFrame:
    """How far one number lies from the truth, for each way of making one number.

    Truth is the median of the undisturbed samples of the same process. A way is applied to every
    sample, or every ten in a row, undisturbed and disturbed.

    Returns:
        Columns one number, then for undisturbed and disturbed: half, worst: the error, in percent
        of the truth, that half of them stay within, and the largest.
    """
    ways = record.samples_s["series"]
    summaries: dict[str, tuple[int, Callable[[Sequence[float]], float]]]
    summaries = {"one sample": (1, min), "mean of ten": (10, mean)}
    summaries |= {"median of ten": (10, median), "fastest of ten": (10, min)}
    rows = []
    for title, (count, summary) in summaries.items():
        row: dict[str, object] = {"one number": title}
        for way, processes in ways.items():
            errors = [
                100 * abs(summary(samples[i : i + count]) / median(truth) - 1)
                for samples, truth in zip(processes, ways["undisturbed"], strict=True)
                for i in range(0, len(samples), count)
            ]
            row |= {f"{way}: half within": median(errors), f"{way}: worst": max(errors)}
        rows.append(row)
    return pd.DataFrame(rows)


def whole_series(record: TrapRecord) -> dict[str, float]:
    """Mean and median of the disturbed series over those of the undisturbed; middle process."""
    ways = record.samples_s["series"]
    pairs = list(zip(ways["disturbed"], ways["undisturbed"], strict=True))
    return {
        "mean": median(mean(d) / mean(u) for d, u in pairs),
        "median": median(median(d) / median(u) for d, u in pairs),
    }


# ------------------------------------------------------------------------------ TF32


def rounded(values: np.ndarray, bits: int) -> np.ndarray:
    """Single-precision numbers with this many bits after the leading one, ties to even."""
    drop = 23 - bits
    raw = values.astype(np.float32).view(np.uint32).astype(np.uint64)
    raw += (1 << (drop - 1)) - 1 + ((raw >> drop) & 1)
    return ((raw >> drop) << drop).astype(np.uint32).view(np.float32)


def precision(size: int = 512, seed: int = 0) -> pd.DataFrame:
    """What rounding its inputs does to a matrix product that is otherwise exact.

    Returns:
        Columns format, bits (after the leading one), error: root mean square of the product's
        error, relative to its root mean square.
    """
    a, b = np.random.default_rng(seed).standard_normal((2, size, size)).astype(np.float32)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    rows = []
    for name, bits in (("TF32", 10), ("bfloat16", 7)):
        product = rounded(a, bits).astype(np.float64) @ rounded(b, bits).astype(np.float64)
        error = float(np.sqrt(np.mean((product - exact) ** 2) / np.mean(exact**2)))
        rows.append({"format": name, "bits": bits, "error": error})
    return pd.DataFrame(rows)


# ---------------------------------------------------------------- what GPU records show

USUAL: Mapping[str, Any] = {"memory_format": "channels_last", "input": "random", "dtype": "bf16"}
UNUSUAL: tuple[tuple[str, Mapping[str, Any], Mapping[str, Any]], ...] = (
    ("NCHW, not channels last", {"memory_format": "contiguous"}, {}),
    ("zeros as input", {"input": "zeros"}, {}),
    ("TF32, not fp32", {"dtype": "tf32"}, {"dtype": "fp32"}),
    ("fp32, not bf16", {"dtype": "fp32"}, {}),
)
"""What is compared, and how the two protocols differ from the usual one."""


def gpu_traps(records: Iterable[Any]) -> pd.DataFrame:
    """The same network on a GPU under the usual protocol and with one condition changed.

    Returns:
        Columns device, network, mistake, times (ratio of medians), with "not waiting for the GPU"
        among the mistakes of each network. Empty where no GPU was timed so.
    """
    timings = {
        (r.machine, r.subject.name, r.batch, r.protocol): r
        for r in records
        if isinstance(r, TimingRecord) and r.machine.device == "cuda"
    }
    rows = []
    for (machine, name, batch, protocol), usual in timings.items():
        if any(getattr(protocol, key) != value for key, value in USUAL.items()):
            continue
        found = []
        for title, wrong, right in UNUSUAL:
            a, b = (
                timings.get((machine, name, batch, protocol.model_copy(update=change)))
                for change in (wrong, right)
            )
            if a and b:
                found.append((title, a.quartiles[1] / b.quartiles[1]))
        if found and usual.launch_s is not None:
            found.insert(0, ("not waiting for the GPU", usual.launch_s / usual.quartiles[1]))
        rows += [(machine.device_name, name, title, times) for title, times in found]
    return pd.DataFrame(rows, columns=["device", "network", "mistake", "times"])


def gpu_said(frame: pd.DataFrame) -> str:
    """Whether the book shows what only a GPU can show, as the end of a sentence."""
    if frame.empty:
        return "none is recorded yet, so they are explained and not shown"
    return f"they are shown on {' and '.join(sorted(set(frame.device)))}"


def gpu_traps_text(records: Sequence[Any]) -> str:
    """What stands in the place of that table where no GPU has been timed."""
    told = sum(isinstance(r, TimingRecord) and r.launch_s is not None for r in records)
    return (
        f"timings in the book that have the time of a launch: {told}\n"
        "This records a GPU, with launches, NCHW, zeros and TF32 beside the rest:\n"
        f"  {RECORD_GPU}".replace(" --out", " \\\n    --out")
    )


# ------------------------------------------------------------------------- switches


def switches() -> pd.DataFrame:
    """PyTorch's settings that change a time and that a benchmark may not mention, as they are now.

    Returns:
        Columns switch, value (on or off), on means.
    """
    import torch

    cudnn, cuda = torch.backends.cudnn, torch.backends.cuda
    rows = [
        ("torch.backends.cudnn.allow_tf32", cudnn.allow_tf32, "convs on a GPU may use TF32"),
        ("torch.backends.cuda.matmul.allow_tf32", cuda.matmul.allow_tf32, "other products, too"),
        ("torch.backends.cudnn.benchmark", cudnn.benchmark, "cuDNN tries algorithms first"),
        ("torch.is_grad_enabled()", torch.is_grad_enabled(), "all is kept for a backward pass"),
        ("module.training", torch.nn.Module().training, "batch norm computes statistics"),
    ]
    named = [(switch, "on" if value else "off", what) for switch, value, what in rows]
    return pd.DataFrame(named, columns=["switch", "value", "on means"])


# -------------------------------------------------------------------------------- figures


def overview_figure(records: Mapping[str, TrapRecord]) -> Figure:
    """Ratios of every mistake, a dot per process and a bar at the median; a panel per record.

    Args:
        records: by the title of their panel.
    """
    import matplotlib.pyplot as plt

    frames = {title: overview(record) for title, record in records.items()}
    titles = [m.title for m in MISTAKES if any(m.title in set(f.mistake) for f in frames.values())]
    size = (7.4, 0.9 + 0.3 * len(titles))
    fig, grid = plt.subplots(1, len(frames), figsize=size, squeeze=False, sharex=True, sharey=True)
    for ax, (title, record), frame in zip(grid.flat, records.items(), frames.values(), strict=True):
        for row in frame.itertuples():
            mistake = next(m for m in MISTAKES if m.title == row.mistake)
            y, colour = titles.index(str(row.mistake)), SEEN if row.seen else UNSEEN
            found = ratios(record, mistake)
            ax.plot(found, [y] * len(found), "o", color=colour, ms=4, mew=0, alpha=0.55)
            ax.plot([median(found)] * 2, [y - 0.32, y + 0.32], color=colour, lw=2.4)
        ax.axvline(1, color=plt.rcParams["text.color"], lw=0.9)
        log_axis(ax, "x", (0.1, 0.2, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 50))
        ax.set_xlabel("time, relative to the other way (log)")
        ax.set_title(title if len(frames) > 1 else "")
        ax.grid(axis="y", visible=False)
    grid[0, 0].set_yticks(range(len(titles)), titles)
    grid[0, 0].invert_yaxis()
    return fig


def warm_up_figure(record: TrapRecord) -> Figure:
    """A process's first iterations, relative to its settled ones."""
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(7.2, 2.9))
    runs = [[t / median(p[FIRST // 2 :]) for t in p] for p in _iterations(record)]
    at = range(1, FIRST + 1)
    for run in runs:
        ax.plot(at, run, color=UNSEEN, lw=0.9, alpha=0.7)
    middle = [median(step) for step in zip(*runs, strict=True)]
    ax.plot(at, middle, color=SEEN, marker="o", label=f"median of {len(runs)} processes")
    ax.set(xlabel="iteration", ylabel="time, settled = 1", xticks=[1, 5, 10, 15, 20])
    ax.set_ylim(0, None)
    ax.legend(loc="lower right")
    return fig


def _iterations(record: TrapRecord) -> tuple[tuple[float, ...], ...]:
    return record.samples_s["warm-up"]["iteration"]


def series_figure(record: TrapRecord, process: int = 0) -> Figure:
    """Samples of one process one after another, undisturbed and disturbed, mean and median."""
    import matplotlib.pyplot as plt

    ways = record.samples_s["series"]
    truth = median(ways["undisturbed"][process])
    fig, axes = plt.subplots(1, 2, figsize=(7.6, 2.9), sharey=True)
    for ax, (way, processes) in zip(axes, ways.items(), strict=True):
        samples = [t / truth for t in processes[process]]
        ax.plot(range(1, len(samples) + 1), samples, "o", ms=4, mew=0, color=A)
        for line, style, label in ((mean, "--", "mean"), (median, "-", "median")):
            ax.axhline(line(samples), color=B, ls=style, lw=1.5, label=label)
        ax.set(title=way, xlabel="sample")
        log_axis(ax, "y", (1, 2, 5, 10, 20, 50, 100))
    axes[0].set_ylabel("time, undisturbed median = 1")
    axes[0].legend(loc="upper right")
    return fig


def turns_figure(record: TrapRecord, process: int = 0) -> Figure:
    """The samples of A and B in the order taken, one after the other and in turns."""
    import matplotlib.pyplot as plt

    ways = record.samples_s["turns"]
    unit = median(ways["A, one after the other"][process])
    half = len(ways["A, one after the other"][process])
    end = 2 * half + 1
    order = {
        "one after the other": {"A": range(1, half + 1), "B": range(half + 1, end)},
        "in turns": {"A": range(1, end, 2), "B": range(2, end, 2)},
    }
    fig, axes = plt.subplots(1, 2, figsize=(7.6, 2.9), sharey=True)
    for ax, (title, places) in zip(axes, order.items(), strict=True):
        for name, colour, marker in (("A", A, "o"), ("B", B, "s")):
            samples = [t / unit for t in ways[f"{name}, {title}"][process]]
            ax.plot(places[name], samples, marker, ms=4, mew=0, color=colour, label=name)
        ax.axvline(half + 0.5, color=plt.rcParams["text.color"], lw=0.9, ls=":")
        ax.set(title=title, xlabel="sample, in the order taken")
        log_axis(ax, "y", (0.5, 1, 2, 5, 10, 20, 50, 100))
    axes[0].set_ylabel("time, A's first median = 1")
    axes[0].legend(loc="upper left")
    return fig


def here_or_named(path: str | None) -> dict[str, TrapRecord]:
    """The book's record, and the reader's beside it where one is named.

    Raises:
        InputError: the file cannot be read, or holds something else.
    """
    from repro.analysis.timing.overlay import locate

    records = {"the book's record": stored()}
    return records if path is None else {**records, "yours": load(Path(locate(path)))}
