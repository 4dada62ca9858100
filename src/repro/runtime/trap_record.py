"""The record of the traps of timing: ``python -m repro.runtime.trap_record --out FILE.json``.

One file is one record: every trap of `repro.runtime.traps`, each in several fresh processes, so
that a statement about one rests on repetitions that share nothing.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PositiveInt, ValidationError

from repro.errors import InputError
from repro.records import Positive, Result, State, stamp
from repro.runtime import device
from repro.runtime.traps import TRAPS, Setting, here, measure

PROCESSES = 10

Runs = Annotated[tuple[tuple[Positive, ...], ...], Field(min_length=1)]
"""Samples in seconds, in the order taken, of each process."""


class TrapRecord(Result):
    """Every trap on one machine.

    Attributes:
        setting: of type `repro.runtime.traps.Setting`. processes: that each trap ran in.
        samples_s: by trap and by way. before, after: state of the machine.
    """

    entry: ClassVar[str] = "repro.runtime.traps"
    kind: Literal["traps"] = "traps"
    setting: dict[str, Any]
    processes: PositiveInt
    samples_s: dict[str, dict[str, Runs]]
    before: State
    after: State

    def inputs(self) -> dict[str, Any]:
        return {"kind": "traps", "setting": self.setting, "processes": self.processes}


def record(
    setting: Setting,
    names: Sequence[str] = (),
    processes: int = PROCESSES,
    done: Callable[[str], None] = lambda name: None,
) -> TrapRecord:
    """Measure traps, each in fresh processes of its own, the traps alternating.

    Args:
        names: of traps; all when empty.
        done: called with a trap's name whenever one process of it has finished.

    Raises:
        InputError: a trap is not known.
    """
    inputs = {"kind": "traps", "setting": asdict(setting), "processes": processes}
    start = stamp(TrapRecord.entry, inputs, device.machine("cpu"))
    before = device.state("cpu")
    found: dict[str, dict[str, list[tuple[float, ...]]]] = {}
    # Forked from a process that has imported torch and done nothing: fresh, and soon there.
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([TrapRecord.entry])
    with ProcessPoolExecutor(1, context, max_tasks_per_child=1) as pool:
        for _ in range(processes):
            for name in names or TRAPS:
                for way, taken in pool.submit(measure, name, setting).result().items():
                    rounded = tuple(round(s, 7) for s in taken)
                    found.setdefault(name, {}).setdefault(way, []).append(rounded)
                done(name)
    return TrapRecord(
        **start,
        setting=asdict(setting),
        processes=processes,
        samples_s={name: {w: tuple(s) for w, s in ways.items()} for name, ways in found.items()},
        before=before,
        after=device.state("cpu"),
    )


def write(path: Path, result: TrapRecord) -> None:
    """Keep a record, whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    partial = path.with_name(f"{path.name}.unfinished")
    try:
        partial.write_text(result.model_dump_json() + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise InputError(f"record {str(path)!r} cannot be written: {error.strerror}") from None


def load(path: Path | str) -> TrapRecord:
    """A record of traps.

    Raises:
        InputError: the file cannot be read, or holds something else.
    """
    try:
        return TrapRecord.model_validate_json(Path(path).read_bytes())
    except OSError as error:
        raise InputError(f"record {str(path)!r} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{str(path)!r} is no record of traps: {where} {first['msg']}".replace(":  ", ": ")
        ) from None


def main(words: Sequence[str] | None = None) -> int:
    """The command line; 2 for bad input, with one line on standard error."""
    parser = argparse.ArgumentParser(f"python -m {__spec__.name if __spec__ else __name__}")
    parser.add_argument("--out", type=Path, required=True, help="file to write, JSON")
    parser.add_argument("--only", nargs="+", default=[], metavar="TRAP", help=", ".join(TRAPS))
    parser.add_argument("--network", default=Setting.network, help="zoo name")
    parser.add_argument("--processes", type=int, default=PROCESSES, help="of each trap")
    parser.add_argument("--rounds", type=int, default=Setting.rounds, help="in each process")
    chosen = parser.parse_args(words)
    begun = time.monotonic()

    def tell(name: str) -> None:
        print(f"{time.monotonic() - begun:5.0f} s  {name}", file=sys.stderr, flush=True)

    try:
        if chosen.processes < 1:
            raise InputError(f"processes {chosen.processes} is not allowed; 1 or more")
        if not chosen.out.parent.is_dir():
            raise InputError(f"there is no folder {str(chosen.out.parent)!r}")
        setting = here(chosen.network, chosen.rounds)
        write(chosen.out, record(setting, chosen.only, chosen.processes, tell))
    except InputError as error:
        print("error:", error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
