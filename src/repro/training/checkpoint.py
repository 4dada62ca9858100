"""Checkpoints: written whole or not at all, checked when read, the one before kept.

A checkpoint's name ends in a digest of its bytes: damage of any kind is noticed, and the one
before it is used. They are read with ``weights_only``, so that a file from elsewhere runs nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from repro.errors import InputError

KEPT = 2


class CannotSave(OSError):
    """A checkpoint or a result could not be written; what was there before still is."""

    def __init__(self, path: Path, error: OSError, kept: str) -> None:
        super().__init__(f"{path} cannot be written: {error.strerror}. {kept}")


def write_whole(path: Path, data: bytes, kept: str) -> None:
    """Write a file complete or not at all; then `CannotSave` says, in a sentence, what is kept."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise CannotSave(path, error, kept) from None


def packed(content: Any) -> bytes:
    """What `torch.save` makes of it."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def save(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Write the state after ``step`` updates, or `CannotSave`; drop all but the last `KEPT`."""
    data, kept = packed(state), "No checkpoint was written before"
    if there := existing(folder):
        kept = f"The checkpoint of step {step_of(there[-1])} is kept: free some space and --resume"
    path = folder / f"{step:08d}-{_digest(data)}.pt"
    write_whole(path, data, kept)
    for old in existing(folder)[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def existing(folder: Path) -> list[Path]:
    """Checkpoints by step."""
    return sorted(folder.glob("[0-9]*-*.pt"))


def step_of(path: Path) -> int:
    """How many updates a checkpoint has behind it."""
    return int(path.name.partition("-")[0])


def last_intact(folder: Path, warn: Callable[[str], None]) -> Path | None:
    """The last undamaged checkpoint, or None; damaged ones are told and get another ending."""
    for path in reversed(existing(folder)):
        with contextlib.suppress(OSError):
            if _digest(path.read_bytes()) == path.stem.partition("-")[2]:
                return path
        warn(f"checkpoint {path} is damaged; the one before it is used")
        with contextlib.suppress(OSError):
            path.rename(path.with_suffix(".damaged"))
    return None


def read(path: Path) -> dict[str, Any]:
    """A checkpoint's contents, on the CPU; `InputError` for all but tensors and plain values."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever unpickling finds wrong
        raise InputError(
            f"checkpoint {path} cannot be read: {str(error).splitlines()[0]}"
        ) from None
    return state


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
