"""Showing how a run is getting on: a progress bar, a line per epoch, TensorBoard."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from repro.errors import InputError


class Terminal:
    """A progress bar with the time left; without a terminal, a line per epoch.

    Args:
        tensorboard: folder for TensorBoard's files, or None.
    """

    def __init__(self, tensorboard: Path | None = None) -> None:
        self.bar: Any = None
        self.writer: Any = None
        self.writer_class = _tensorboard() if tensorboard else None
        self.folder = tensorboard

    def begin(self, step: int, steps: int) -> None:
        """Draw the bar."""
        self.bar = tqdm(
            total=steps, initial=step, unit="update", disable=None, file=sys.stderr, leave=False
        )
        if self.writer_class:
            self.writer = self.writer_class(str(self.folder))

    def look(self, line: dict[str, Any]) -> None:
        """Move it."""
        if line["kind"] == "train":
            self.bar.n = line["step"]
            self.bar.set_postfix(loss=f"{line['loss']:.3f}", refresh=False)
            self.bar.refresh()
        else:
            text = f"epoch {line['epoch']}: training loss {line['train_loss']:.4f}"
            if score := line["holdout"]:
                text += f", hold-out error {100 * score['wrong'] / score['images']:.2f} %"
            tqdm.write(text, file=sys.stderr)
        if self.writer:
            for name, value in _flat(line).items():
                self.writer.add_scalar(name, value, line["step"])

    def warn(self, text: str) -> None:
        """A line of its own."""
        tqdm.write(f"warning: {text}", file=sys.stderr)

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()
        if self.writer:
            self.writer.close()


def _flat(line: dict[str, Any]) -> dict[str, float]:
    """Numbers of a line of metrics by their names in TensorBoard."""
    if line["kind"] == "train":
        return {f"train/{k}": line[k] for k in ("loss", "lr", "images_per_s", "data_share")}
    score = line["holdout"]
    if not score:
        return {}
    return {"holdout/error": score["wrong"] / score["images"], "holdout/loss": score["loss"]}


def _tensorboard() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise InputError("--tensorboard needs TensorBoard: pip install tensorboard") from None
    return SummaryWriter
