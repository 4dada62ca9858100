"""What a sweep came to, for a terminal (ASCII table and bars) and as an SVG file."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from repro.records import PeakRecord, TimingRecord, TrafficRecord
from repro.text import aligned

WIDTH = 40
LEVELS = "_.-=+*#"


def number(value: float) -> str:
    """Four significant digits, thousands apart, never with an exponent: 19,160 or 0.00123."""
    return f"{Decimal(f'{value:.4g}'):,f}"


def table(records: Sequence[TimingRecord]) -> str:
    """Medians with quartiles, throughput and memory, one line per record."""
    header = ("<model", "<mode", "<dtype", "batch", "ms", "quartiles", "images/s", "memory (MB)")
    return aligned(header, [_cells(record) for record in records])


def _cells(record: TimingRecord) -> tuple[str, ...]:
    low, middle, high = (number(1e3 * t) for t in record.quartiles)
    memory = record.peak_rss if record.peak_allocated is None else record.peak_allocated
    return (
        record.subject.name,
        record.protocol.mode,
        record.protocol.dtype,
        f"{record.batch}" + "*" * bool(record.halvings),
        middle,
        f"{low} to {high}",
        number(record.images_per_s),
        "-" if memory is None else f"{memory / 1e6:.0f}",
    )


def bars(records: Sequence[TimingRecord]) -> str:
    """Time per image as bars: ``=`` to the median, the quartiles in brackets."""
    times = [[t / r.batch for t in r.quartiles] for r in records]
    unit = WIDTH / max(high for _, _, high in times)
    rows = []
    for record, (low, middle, high) in zip(records, times, strict=True):
        bar = list("=" * max(1, round(middle * unit)) + " " * (WIDTH + 2))
        bar[round(low * unit)], bar[round(high * unit)] = "[", "]"
        rows.append((record.subject.name, number(1e3 * middle), "".join(bar).rstrip()))
    return aligned(("<model", "ms/image", "<median and quartiles"), rows)


def trace(record: TimingRecord) -> str:
    """Every iteration of warm-up, a bar, then every timed sample: height is time."""
    both = [*record.warmup_s, *record.samples_s]
    least, most = min(both), max(both)
    step = (most - least) / (len(LEVELS) - 1) or 1.0
    drawn = "".join(LEVELS[round((t - least) / step)] for t in both)
    cut = len(record.warmup_s)
    return (
        f"{drawn[:cut]}|{drawn[cut:]}   warm-up | samples of {record.iterations} "
        f"iteration{'s' * (record.iterations > 1)}, "
        f"{number(1e3 * least)} to {number(1e3 * most)} ms\n"
        f"each mark is one time, the height its length: from {LEVELS[0]} (shortest) through "
        f"{' '.join(LEVELS[1:-1])} to {LEVELS[-1]} (longest)"
    )


def summary(records: Sequence[object]) -> str:
    """Everything that the terminal shows after a sweep."""
    timings = [r for r in records if isinstance(r, TimingRecord)]
    paragraphs = []
    if timings:
        paragraphs = [table(timings), bars(timings)]
        if len(timings) == 1:
            paragraphs.append(trace(timings[0]))
        if any(r.halvings for r in timings):
            paragraphs.append("* batch halved until it fitted in memory")
        if unsettled := [r.subject.name for r in timings if not r.settled]:
            paragraphs.append(f"did not settle while warming up: {', '.join(unsettled)}")
    for r in records:
        if isinstance(r, PeakRecord):
            paragraphs.append(
                f"{r.machine.device_name}, {r.protocol.dtype}: at best "
                f"{number(max(r.matmul_flops) / 1e12)} TFLOP/s in a matrix product, "
                + (f"{number(max(r.conv_flops) / 1e12)} in a conv, " if r.conv_flops else "")
                + f"{number(max(r.copy_bytes) / 1e9)} GB/s in a copy"
            )
        if isinstance(r, TrafficRecord):
            paragraphs.append(
                f"{r.subject.name}, {r.protocol.dtype} batch {r.batch}: "
                f"{number(r.read_bytes / 1e9)} GB read and "
                f"{number(r.written_bytes / 1e9)} GB written in {r.launches} kernels"
            )
    return "\n\n".join(paragraphs)


def save_figure(records: Sequence[TimingRecord], path: Path) -> None:
    """Time per image with quartiles as an SVG, the same bytes for the same records."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 0.6 + 0.32 * len(records)), layout="constrained")
    axes = figure.add_subplot()
    times = [[1e3 * t / r.batch for t in r.quartiles] for r in records]
    axes.barh(
        [r.subject.name for r in records],
        [middle for _, middle, _ in times],
        xerr=[[m - low for low, m, _ in times], [high - m for _, m, high in times]],
        color="#4c72b0",
        capsize=2,
    )
    axes.invert_yaxis()
    first = records[0]
    axes.set_xlabel(f"ms per image ({first.protocol.mode}, {first.machine.device_name})")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    with mpl.rc_context({"svg.hashsalt": "repro", "svg.fonttype": "none"}):
        figure.savefig(path, format="svg", metadata={"Date": None})
