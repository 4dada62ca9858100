"""Showing how a run is getting on: a progress bar, a line per epoch."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm


class Terminal:
    """A progress bar with the time left; without a terminal, a line per epoch."""

    bar: Any = None

    def begin(self, step: int, steps: int) -> None:
        """Draw the bar."""
        self.bar = tqdm(
            total=steps, initial=step, unit="update", disable=None, file=sys.stderr, leave=False
        )

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

    def warn(self, text: str) -> None:
        """A line of its own."""
        tqdm.write(f"warning: {text}", file=sys.stderr)

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()
