"""Files of records: reading and appending them, and those that the project holds.

A file put into ``data/records/`` is picked up by everything that asks here: the chapters about time
and the judges of claims about it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import warnings
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from repro.errors import InputError
from repro.paths import root
from repro.records import RECORD, SCHEMA, PeakRecord, Result, TimingRecord, first_error

RECORD_GPU = "repro record --device cuda --minutes 10 --out data/records/gpu.jsonl"
"""The command that records what a GPU is needed for, what decides most first."""
BEGINNING = b'{"schema_version"'
"""Of every record."""


_ALONE: ContextVar[Path | None] = ContextVar("_ALONE", default=None)


def record_files() -> list[Path]:
    """Every records file of the project, by name."""
    if alone := _ALONE.get():
        return [alone] if alone.exists() else []
    return sorted((root() / "data" / "records").glob("*.jsonl"))


@contextlib.contextmanager
def only(file: Path) -> Iterator[None]:
    """Within, this file, which need not exist yet, stands for all of the project's."""
    token = _ALONE.set(file)
    try:
        yield
    finally:
        _ALONE.reset(token)


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
    """What tables call the machine of a record: the device, and on a CPU the threads used.

    A CPU whose process gave its memory back at every layer counts as another machine.
    """
    name, threads = record.machine.device_name, record.protocol.threads
    if record.machine.device != "cpu" or threads is None:
        return name
    gives_back = ", memory given back" * (record.protocol.allocator == "system")
    return f"{name}, {threads} thread{'s' if threads > 1 else ''}{gives_back}"


class Problem(NamedTuple):
    """A line that is no record of this version; ``torn``: not even JSON, by a killed writer."""

    path: str
    line: int
    torn: bool
    reason: str

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.reason}"


class TornLine(UserWarning):
    """A records file holds a line that a killed writer left unfinished."""


def append(path: Path | str, record: Any) -> None:
    """Add one record to a file, whole or not at all, and wait until it is on the disk.

    A torn last line, left by a writer that was killed, is ended first; it stays where it is.

    Raises:
        InputError: the file cannot be written (missing folder, full disk ...); it then holds what
            it held before.
    """
    line = RECORD.dump_json(record) + b"\n"
    RECORD.validate_json(line)  # what cannot be read back is not written
    try:
        with _locked(path) as file:
            size = os.fstat(file).st_size
            torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
            data = b"\n" + line if torn else line
            try:
                written = os.write(file, data)
                if written < len(data):
                    raise OSError(28, "No space left on device")
                os.fsync(file)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(file, size)
                raise
    except OSError as error:
        raise InputError(
            f"records file {str(path)!r} cannot be written: {error.strerror}; "
            "the last record was not kept, earlier ones are"
        ) from None


@contextlib.contextmanager
def _locked(path: Path | str) -> Iterator[int]:
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)  # released when the file is closed, also by a kill
        yield file
    finally:
        os.close(file)


def scan(path: Path | str) -> tuple[dict[int, Any], list[Problem]]:
    """Every record of a file by its line, in order, and every line that is none.

    Raises:
        InputError: the file cannot be read at all, or holds text and no record, nor a torn one.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"records file {str(path)!r} cannot be read: {error.strerror}") from None
    records: dict[int, Any] = {}
    problems: list[Problem] = []
    lines = data.split(b"\n")
    for number, line in enumerate(lines, 1):
        if line.strip():
            record = _parse(line)
            if isinstance(record, Result):
                records[number] = record
            else:
                problems.append(Problem(str(path), number, *record))
    for problem in problems:
        line = lines[problem.line - 1]
        begins_one = line[: len(BEGINNING)] == BEGINNING[: len(line)]
        if problem.torn and not records and not begins_one:
            raise InputError(
                f"{str(path)!r} is not a records file: line {problem.line} is no JSON; "
                "`repro time ... --out FILE.jsonl` makes one"
            )
    return records, problems


def _parse(line: bytes) -> Result | tuple[bool, str]:
    """A record, or whether the line is torn and what is wrong with it."""
    try:
        data = json.loads(line)
    except ValueError:
        return True, "not a complete JSON line; its writer was probably killed"
    if not isinstance(data, dict) or "schema_version" not in data:
        return False, "not a record: no schema_version"
    if data["schema_version"] != SCHEMA:
        version = data["schema_version"]
        return False, f"a record of version {version!r}; this code reads version {SCHEMA}"
    try:
        record: Result = RECORD.validate_json(line)
    except ValidationError as error:
        return False, f"not a valid record: {first_error(error)}"
    return record


def read(*paths: Path | str) -> list[Any]:
    """The records of files, in order; a torn line becomes a `TornLine` warning.

    Raises:
        InputError: a file cannot be read, or holds a line of another version or another kind.
    """
    records: list[Any] = []
    for path in paths:
        found, problems = scan(path)
        report(problems)
        records += found.values()
    return records


def report(problems: Iterable[Problem]) -> None:
    """Warn about torn lines, refuse foreign ones."""
    for problem in problems:
        if not problem.torn:
            raise InputError(str(problem))
        warnings.warn(TornLine(str(problem)), stacklevel=3)
