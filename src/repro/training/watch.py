"""Showing how a run is getting on: a progress bar, a line per epoch."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm

from repro.records import DataUsed


class Terminal:
    """A progress bar with the time left; without a terminal, a line per epoch.

    Args:
        headline: what is trained, said once nothing stands in its way.
    """

    def __init__(self, headline: str = "") -> None:
        self.headline = headline
        self.bar: Any = None

    def begin(self, step: int, steps: int, data: DataUsed) -> None:
        for text in filter(None, (self.headline, *_told(data))):
            print(text, file=sys.stderr)
        self.bar = tqdm(
            total=steps, initial=step, unit="update", disable=None, file=sys.stderr, leave=False
        )

    def look(self, line: dict[str, Any]) -> None:
        if line["kind"] == "train":
            self.bar.n = line["step"]
            self.bar.set_postfix(loss=f"{line['loss']:.3f}", refresh=False)
            self.bar.refresh()
        else:
            text = f"epoch {line['epoch']}: training loss {line['train_loss']:.4f}"
            if score := line["holdout"]:
                text += f", hold-out error {100 * score['wrong'] / score['images']:.2f} %"
            tqdm.write(text, file=sys.stderr)

    def warn(self, text: str) -> None:
        tqdm.write(f"warning: {text}", file=sys.stderr)

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()


def _told(data: DataUsed) -> list[str]:
    """What is trained on, and what of it is not read."""
    names = ", ".join(data.names[:5]) + ", ..." * (len(data.names) > 5)
    counts = f"{data.train:,} images to train on, {data.holdout:,} held out, {data.test:,} to test"
    left_out = ", ".join(f"{count:,} {why}" for why, count in data.left_out.items())
    classes = f"{data.classes} class{'es' * (data.classes > 1)} ({names})"
    lines = [f"{data.about}: {classes}; {counts}"]
    return [*lines, f"left out: {left_out}"] if left_out else lines
