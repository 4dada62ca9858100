"""Checkpoints: written whole or not at all, checked when read, the one before kept.

A checkpoint's name ends in a digest of its bytes: damage of any kind is noticed, and the one
before it is used. They are read with ``weights_only``, so that a file from elsewhere runs nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from repro.errors import InputError
from repro.paths import write_whole

KEPT = 2


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
