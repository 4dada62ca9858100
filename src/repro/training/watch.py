"""Showing how a run is getting on: a progress bar, a line per epoch."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm


class Terminal:
    """A progress bar with the time left; without a terminal, a line per epoch.

    Args:
        headline: what is trained, said once nothing stands in its way.
    """

    def __init__(self, headline: str = "") -> None:
        self.headline = headline
        self.bar: Any = None

    def begin(self, step: int, steps: int) -> None:
        if self.headline:
            print(self.headline, file=sys.stderr)
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
