"""A run's folder: who uses it, what it holds, metrics as JSON lines, the outcome.

run.json        what is trained and how      metrics.jsonl   losses and hold-out scores
checkpoints/    the last two states          weights.pt      the weights that were reported
record.jsonl    the outcome, one record      curve.svg       the learning curve
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from repro import stored
from repro.errors import InputError
from repro.paths import CannotSave, new_folder, write_whole
from repro.records import TrainingRecord
from repro.training.checkpoint import packed


class RunFolder:
    """The folder of one run; made by `open_folder`, used by one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"

    def describe(self, run: dict[str, Any]) -> None:
        """Write down what is trained here."""
        text = json.dumps(run, indent=1) + "\n"
        write_whole(self.path / "run.json", text.encode(), "Nothing was started")

    def description(self) -> dict[str, Any] | None:
        """What is trained here, or None in a fresh folder; `InputError` for a damaged file."""
        path = self.path / "run.json"
        try:
            return json.loads(path.read_text()) if path.exists() else None
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read: {error}") from None

    def check_fresh(self) -> None:
        """`InputError` where a run began here before."""
        if self.description() is not None:
            state = "a finished run" if self.record() else "an unfinished run"
            raise InputError(
                f"folder {str(self.path)!r} holds {state}; --resume goes on with it, or choose "
                "another --out"
            )

    def record(self) -> TrainingRecord | None:
        """The outcome, where the run is complete."""
        path = self.path / "record.jsonl"
        found = stored.read(path) if path.exists() else []
        return found[-1] if found else None

    def log(self, line: dict[str, Any]) -> None:
        """Append a line to the metrics, or raise `CannotSave`."""
        path = self.path / "metrics.jsonl"
        try:
            with path.open("a") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise CannotSave(path, error, "Free some space, then go on with --resume") from None

    def metrics(self) -> list[dict[str, Any]]:
        """All metrics; a line that a killed writer left unfinished is passed over."""
        path = self.path / "metrics.jsonl"
        found: list[dict[str, Any]] = []
        for line in path.read_text().splitlines() if path.exists() else ():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return found

    def forget_after(self, step: int) -> None:
        """Drop metrics of updates that will be made again."""
        lines = [line for line in self.metrics() if line["step"] <= step]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        write_whole(self.path / "metrics.jsonl", text.encode(), "Nothing was lost")

    def finish(self, record: TrainingRecord, weights: dict[str, Any]) -> None:
        """Keep the reported weights, then the record, which says that the run is complete."""
        kept = "The last checkpoint is there: free some space, then go on with --resume"
        write_whole(self.path / "weights.pt", packed(weights), kept)
        stored.append(self.path / "record.jsonl", record)


@contextlib.contextmanager
def new_place(path: Path) -> Iterator[Path]:
    """Make ``path``, or that with the next free number; taken back where nothing came into it."""
    made = new_folder(path.with_name(path.name + f"-{n}" * (n > 1)) for n in count(1))
    try:
        yield made
    finally:
        with contextlib.suppress(OSError):
            made.rmdir()


@contextlib.contextmanager
def open_folder(path: Path) -> Iterator[RunFolder]:
    """Take a folder for a run, made where it is not there.

    Raises:
        InputError: it cannot be made, or another run is using it.
    """
    with contextlib.ExitStack() as stack:
        try:
            (path / "checkpoints").mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context((path / ".lock").open("a+"))
        except OSError as error:
            raise InputError(f"folder {str(path)!r} cannot be used: {error.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with the process, also by kill
        except OSError:
            lock.seek(0)
            who = f"process {lock.read().strip() or 'unknown'}"
            raise InputError(f"folder {str(path)!r} is in use by another run ({who})") from None
        lock.truncate(0)
        print(os.getpid(), file=lock, flush=True)
        stack.callback(_remove_empty, path)
        yield RunFolder(path)


def _remove_empty(path: Path) -> None:
    """Take back a folder in which no run began: a mistake was found first. Others' files stay."""
    with contextlib.suppress(OSError):
        if not (path / "run.json").exists():
            (path / "checkpoints").rmdir()
            if [item.name for item in path.iterdir()] == [".lock"]:
                (path / ".lock").unlink()
                path.rmdir()
