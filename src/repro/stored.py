"""The records that the project holds in ``data/records/``, and what to call their machines.

A file put there is picked up by everything that asks here: the runtime chapters and the judges of
claims about time.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from repro.paths import root
from repro.records import PeakRecord, TimingRecord, read

RECORD_GPU = (
    "repro time --sweep paper-gpu --device cuda --chunk I/N --out data/records/gpu-NAME.jsonl"
)
"""The command that records what a GPU is needed for, part I of N."""
RECORD_X = (
    "repro time --sweep efficientnet-x --chunk I/3 --minutes 9.3"
    " --out data/records/efficientnet-x-gpu.jsonl"
)
"""The same for the second paper: networks, blocks, peak rates and memory traffic."""


def record_files() -> list[Path]:
    """Every records file of the project, by name."""
    return sorted((root() / "data" / "records").glob("*.jsonl"))


def stored(*files: Path) -> tuple[Any, ...]:
    """All records of these files, or of every file of the project, in order.

    A file is read again when it has changed.

    Raises:
        InputError: a file cannot be read, or holds something else than records of this version.
    """
    chosen = files or tuple(record_files())
    return _read(tuple((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in chosen))


@cache
def _read(files: tuple[tuple[str, int, int], ...]) -> tuple[Any, ...]:
    return tuple(read(*(path for path, _, _ in files)))


def machine_name(record: TimingRecord | PeakRecord) -> str:
    """What tables call the machine of a record: the device, and on a CPU the threads used."""
    name, threads = record.machine.device_name, record.protocol.threads
    if record.machine.device != "cpu" or threads is None:
        return name
    return f"{name}, {threads} thread{'s' if threads > 1 else ''}"
