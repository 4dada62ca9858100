"""The learning curve: as text for a terminal, and as an SVG file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

Point = tuple[float, float]
WIDTH, HEIGHT = 60, 9


def points(metrics: Sequence[dict[str, Any]]) -> tuple[list[Point], list[Point]]:
    """From a run's metrics: (epoch, training loss), and (epoch, hold-out error in percent)."""
    loss = [(m["epoch"], m["loss"]) for m in metrics if m["kind"] == "train"]
    judged = [m for m in metrics if m["kind"] == "epoch" and m["holdout"]]
    error = [(m["epoch"], 100 * m["holdout"]["wrong"] / m["holdout"]["images"]) for m in judged]
    return loss, error


def as_text(metrics: Sequence[dict[str, Any]], epochs: int) -> str:
    """Both curves, drawn with characters."""
    loss, error = points(metrics)
    parts = [_plot("training loss", loss, epochs, "*")] if loss else []
    if error:
        parts.append(_plot("hold-out error, %", error, epochs, "o"))
    return "\n\n".join(parts)


def _plot(title: str, curve: Sequence[Point], epochs: int, mark: str) -> str:
    low, high = min(y for _, y in curve), max(y for _, y in curve)
    spread = high - low or 1.0
    rows = [[" "] * (WIDTH + 1) for _ in range(HEIGHT)]
    for x, y in curve:
        rows[round((high - y) / spread * (HEIGHT - 1))][round(x / epochs * WIDTH)] = mark
    labels = [f"{high:.3g}", *[""] * (HEIGHT - 2), f"{low:.3g}" if low < high else ""]
    margin = max(map(len, labels))
    lines = [
        f"{label:>{margin}} |{''.join(row)}".rstrip()
        for label, row in zip(labels, rows, strict=True)
    ]
    axis = f"{'':>{margin}} +{'-' * WIDTH}"
    ends = f"{'':>{margin}}  0{f'epoch {epochs}':>{WIDTH - 1}}"
    return "\n".join([title, *lines, axis, ends])


def save(metrics: Sequence[dict[str, Any]], title: str, path: Path) -> None:
    """Both curves side by side as an SVG, the same bytes for the same metrics."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3), layout="constrained")
    names = ("training loss", "hold-out error (%)")
    for place, (name, curve) in enumerate(zip(names, points(metrics), strict=True), 1):
        axes = figure.add_subplot(1, 2, place)
        axes.plot(*zip(*curve, strict=True) if curve else ((), ()), color="#0173b2", marker=".")
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.suptitle(title)
    with mpl.rc_context({"svg.hashsalt": "repro", "svg.fonttype": "none"}):
        figure.savefig(path, format="svg", metadata={"Date": None})
