"""What a sweep or a training run came to, in characters for a terminal; learning curves as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from repro.records import PeakRecord, TimingRecord, TrafficRecord
from repro.text import aligned

WIDTH, HEIGHT = 60, 9
Point = tuple[float, float]


def number(value: float) -> str:
    """Four significant digits, thousands apart, never with an exponent: 19,160 or 0.00123."""
    return f"{Decimal(f'{value:.4g}'):,f}"


def plot(title: str, points: Sequence[Point], end: str, marks: str = "*") -> str:
    """Points (x from 0 to 1, called ``end``) in characters; the last mark stands for the rest."""
    low, high = min(y for _, y in points), max(y for _, y in points)
    rows = [[" "] * (WIDTH + 1) for _ in range(HEIGHT)]
    for (x, y), mark in zip(points, marks.ljust(len(points), marks[-1]), strict=True):
        rows[round((high - y) / (high - low or 1.0) * (HEIGHT - 1))][round(x * WIDTH)] = mark
    labels = [number(high), *[""] * (HEIGHT - 2), number(low) if low < high else ""]
    margin = max(map(len, labels))
    lines = [f"{a:>{margin}} |{''.join(row)}".rstrip() for a, row in zip(labels, rows, strict=True)]
    axis = [f"{'':>{margin}} +{'-' * WIDTH}", f"{'':>{margin}}  0{end:>{WIDTH - 1}}"]
    return "\n".join([title, *lines, *axis])


def summary(records: Sequence[object]) -> str:
    """Everything that the terminal shows after a sweep."""
    timings = [r for r in records if isinstance(r, TimingRecord)]
    paragraphs = []
    if timings:
        head = ("<model", "<mode", "<dtype", "batch", "ms", "quartiles", "images/s", "memory (MB)")
        paragraphs.append(aligned(head, map(_cells, timings)))
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
    if len(timings) == 1:
        warm_up, times = timings[0].warmup_s, timings[0].warmup_s + timings[0].samples_s
        points = [((i + 1) / len(times), 1e3 * t) for i, t in enumerate(times)]
        title = "ms of each iteration of warm-up (.), then of each sample (*)"
        paragraphs.append(plot(title, points, "in the order taken", "." * len(warm_up) + "*"))
    if any(r.halvings for r in timings):
        paragraphs.append("* batch halved until it fitted in memory")
    if unsettled := [r.subject.name for r in timings if not r.settled]:
        paragraphs.append(f"did not settle while warming up: {', '.join(unsettled)}")
    return "\n\n".join(paragraphs)


def _cells(r: TimingRecord) -> tuple[str, ...]:
    low, middle, high = (number(1e3 * t) for t in r.quartiles)
    memory = r.peak_rss if r.peak_allocated is None else r.peak_allocated
    size = "-" if memory is None else f"{memory / 1e6:.0f}"
    how = (r.protocol.mode, r.protocol.dtype, f"{r.batch}" + "*" * bool(r.halvings))
    return r.subject.name, *how, middle, f"{low} to {high}", number(r.images_per_s), size


def learning_curves(metrics: Sequence[dict[str, Any]]) -> dict[str, list[Point]]:
    """From a run's metrics: by epoch, the training loss and the hold-out error in percent."""
    judged = [m for m in metrics if m["kind"] == "epoch" and m["holdout"]]
    error = [(m["epoch"], 100 * m["holdout"]["wrong"] / m["holdout"]["images"]) for m in judged]
    loss = [(m["epoch"], m["loss"]) for m in metrics if m["kind"] == "train"]
    return {"training loss": loss, "hold-out error, %": error}


def curves_text(metrics: Sequence[dict[str, Any]], epochs: int) -> str:
    """Both learning curves in characters; one without points is left out."""
    curves = {name: curve for name, curve in learning_curves(metrics).items() if curve}
    scaled = {name: [(x / epochs, y) for x, y in curve] for name, curve in curves.items()}
    return "\n\n".join(plot(name, curve, f"epoch {epochs}") for name, curve in scaled.items())


def save_curves(metrics: Sequence[dict[str, Any]], path: Path) -> None:
    """Both learning curves side by side as an SVG, the same bytes for the same metrics."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()  # a reader's own settings may ask for LaTeX
        mpl.rcParams.update({"svg.hashsalt": "repro", "svg.fonttype": "none"})
        figure = Figure(figsize=(8, 3), layout="constrained")
        curves = learning_curves(metrics)
        for axes, (name, curve) in zip(figure.subplots(1, 2), curves.items(), strict=True):
            axes.plot([x for x, _ in curve], [y for _, y in curve], color="#0173b2", marker=".")
            axes.set(xlabel="epoch", ylabel=name)
            axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, format="svg", metadata={"Date": None})
