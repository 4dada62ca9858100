"""A run's folder: who uses it, what it holds, metrics as JSON lines, the outcome.

run.json        what is trained and how      metrics.jsonl   losses and hold-out scores
checkpoints/    the last two states          weights.pt      the weights that were reported
record.jsonl    the outcome, one record      curve.svg       the learning curve
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from repro import stored
from repro.errors import InputError
from repro.records import TrainingRecord
from repro.training.checkpoint import CannotSave, write_whole
from repro.training.spec import differences


class RunFolder:
    """The folder of one run; made by `open_folder`, used by one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"

    # -------------------------------------------------------------------------- what it is for

    def describe(self, run: dict[str, Any]) -> None:
        """Write down what is trained here."""
        text = json.dumps(run, indent=1) + "\n"
        write_whole(self.path / "run.json", text.encode(), "Nothing was started")

    def description(self) -> dict[str, Any] | None:
        """What is trained here, or None in a fresh folder.

        Raises:
            InputError: the file is damaged.
        """
        path = self.path / "run.json"
        try:
            run: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read: {error}") from None
        return run

    def record(self) -> TrainingRecord | None:
        """The outcome, where the run is complete."""
        path = self.path / "record.jsonl"
        found = stored.read(path) if path.exists() else []
        return found[-1] if found else None

    # -------------------------------------------------------------------------- metrics

    def log(self, line: dict[str, Any]) -> None:
        """Append a line to the metrics.

        Raises:
            CannotSave: full disk and the like.
        """
        path = self.path / "metrics.jsonl"
        try:
            with path.open("a") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise CannotSave(path, error, "Free some space, then go on with --resume") from None

    def metrics(self) -> list[dict[str, Any]]:
        """All metrics; a line that a killed writer left unfinished is passed over."""
        path = self.path / "metrics.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        found = []
        for line in lines:
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return found

    def forget_after(self, step: int) -> None:
        """Drop metrics of updates that will be made again."""
        lines = [line for line in self.metrics() if line["step"] <= step]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        write_whole(self.path / "metrics.jsonl", text.encode(), "Nothing was lost")

    # -------------------------------------------------------------------------- the end

    def finish(self, record: TrainingRecord, weights: dict[str, Any]) -> None:
        """Keep the reported weights, then the record, which says that the run is complete."""
        buffer = io.BytesIO()
        torch.save(weights, buffer)
        kept = "The last checkpoint is there: free some space, then go on with --resume"
        write_whole(self.path / "weights.pt", buffer.getvalue(), kept)
        stored.append(self.path / "record.jsonl", record)


@contextlib.contextmanager
def open_folder(path: Path) -> Iterator[RunFolder]:
    """Take a folder for a run, made where it is not there.

    Raises:
        InputError: it cannot be made, or another run is using it.
    """
    try:
        (path / "checkpoints").mkdir(parents=True, exist_ok=True)
        lock = os.open(path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InputError(f"folder {str(path)!r} cannot be used: {error.strerror}") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with the process, also by kill
        except OSError:
            who = os.pread(lock, 32, 0).decode(errors="replace").strip()
            raise InputError(
                f"folder {str(path)!r} is in use by another run"
                + (f" (process {who})" if who else "")
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        try:
            yield RunFolder(path)
        finally:
            if not (path / "run.json").exists():
                _remove_empty(path)
    finally:
        os.close(lock)


def _remove_empty(path: Path) -> None:
    """Take back a folder in which no run began: a mistake was found first. Others' files stay."""
    with contextlib.suppress(OSError):
        (path / "checkpoints").rmdir()
        if sorted(item.name for item in path.iterdir()) == [".lock"]:
            (path / ".lock").unlink()
            path.rmdir()


def check_resumable(before: dict[str, Any] | None, now: dict[str, Any], path: Path) -> None:
    """Refuse to go on with another configuration than the one the folder holds.

    Raises:
        InputError: names the first differences.
    """
    if before is None:
        return
    odd = differences(before["network"], now["network"], "network")
    odd += differences(before["setting"], now["setting"])
    if odd:
        raise InputError(
            f"folder {str(path)!r} holds another run: {'; '.join(odd[:3])}"
            f"{f'; and {len(odd) - 3} more' * (len(odd) > 3)}. Resume it as it was, or choose "
            "another folder"
        )
