"""Measure many networks, in a way that can be stopped at any point and continued.

A job whose key is in the file already (same description, protocol, code, device) is skipped. Jobs
of one protocol are measured in small groups whose members take turns; a group's records are
appended as soon as it is done, so a kill loses the group under measurement and nothing else. The
largest batch that fits leaves no room for others on a GPU: there, each network is its own group.
Peak rates, memory traffic and traps are measured alone, and so are compiled networks.

Within a time limit no group is begun that would end later, by `repro.runtime.estimates` and by how
much longer the groups before took than that says; a shorter one behind it still is.

Two timings at once would measure each other: a second one on a machine waits for the first.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import IO, Any

from repro.errors import InputError
from repro.fingerprint import code_of
from repro.records import Machine, Result, key_of
from repro.runtime.crew import Crew
from repro.runtime.estimates import estimated_s
from repro.runtime.jobs import PeakJob, Task, TrafficJob, TrapJob, unique
from repro.stored import append, report, scan

GROUP = 4
"""Networks that take turns."""


@dataclass
class Outcome:
    """What a sweep came to.

    Attributes:
        records: one for each job that has one, in the order of the jobs, old and new.
        skipped: jobs that were in the file already. left: jobs that the time limit left out.
        failures: jobs that could not be measured, and why.
        impossible: how many were left out of a recording, by what the machine cannot do.
    """

    records: list[Any] = field(default_factory=list)
    skipped: int = 0
    left: int = 0
    failures: list[tuple[Task, str]] = field(default_factory=list)
    impossible: Counter[str] = field(default_factory=Counter)


def sweep(
    jobs: Sequence[Task] | Callable[[], Sequence[Task]],
    out: Path | None = None,
    group: int = GROUP,
    minutes: float | None = None,
    started: Callable[[int], None] = lambda total: None,
    done: Callable[[Task, Result | str], None] = lambda job, result: None,
    begun: Callable[[Sequence[Task], float], None] = lambda members, seconds: None,
    recording: bool = False,
    beside: bool = False,
) -> Outcome:
    """Measure every job that is not in the file yet.

    Args:
        jobs: what to measure; or what plans it, while a GPU's process begins already.
        out: records file to continue; None keeps nothing.
        group: networks that take turns. minutes: begin no group that would end later than this.
        started: called with the number of jobs to measure. done: called after each of them, with
            its record or with what went wrong. begun: called before each group, with its jobs and
            the seconds that are left.
        recording: one machine for itself: the file may hold no other's records, and what the
            machine cannot do is left out.
        beside: do not wait for another timing on this machine; records say that there was one.

    Raises:
        InputError: the device cannot do what a job asks, or the file cannot be continued.
    """
    clock, outcome = _Clock(minutes), Outcome()
    _check_place(out)
    with contextlib.ExitStack() as stack:
        disturbed = stack.enter_context(_alone(clock, beside))
        have = _existing(out)
        crew = stack.enter_context(Crew())
        if callable(jobs):
            crew.begin()
            jobs = jobs()
        jobs = unique(jobs)
        if recording:
            jobs = crew.possible(jobs, outcome.impossible)
            _check_own(out, have.values(), crew.machine(jobs[0].protocol))
        keys = [key_of(code_of(j.entry), j.inputs(), crew.machine(j.protocol)) for j in jobs]
        todo = [job for job, key in zip(jobs, keys, strict=True) if key not in have]
        outcome.skipped, outcome.left = len(jobs) - len(todo), len(todo)
        started(len(todo))
        for members in _groups(todo, group):
            planned = sum(estimated_s(job, crew.machine(job.protocol)) for job in members)
            if not clock.allows(planned):
                continue
            begun(members, clock.left())
            with clock.running(planned):
                measured = crew.measure(members)
            for job, result in measured:
                if isinstance(result, Result):
                    if disturbed:
                        result = result.model_copy(update={"beside": True})
                    if out:
                        append(out, result)
                    have[result.key] = result
                else:
                    outcome.failures.append((job, result))
                outcome.left -= 1
                done(job, result)
    outcome.records = [have[key] for key in keys if key in have]
    return outcome


class _Clock:
    """A time limit, and how much longer things take than was planned."""

    def __init__(self, minutes: float | None) -> None:
        self.end = time.monotonic() + 60 * (float("inf") if minutes is None else minutes)
        self.planned = self.took = 1.0  # so that one short job says little

    def left(self) -> float:
        return self.end - time.monotonic()

    def allows(self, planned: float) -> bool:
        """Whether something planned so long would end in time; it may take longer, not less."""
        return planned * max(1.0, self.took / self.planned) <= self.left()

    @contextlib.contextmanager
    def running(self, planned: float) -> Iterator[None]:
        """While something runs that was planned so long."""
        start = time.monotonic()
        yield
        self.planned, self.took = self.planned + planned, self.took + time.monotonic() - start


def _check_own(out: Path | None, records: Iterable[Result], machine: Machine) -> None:
    """Refuse, with an `InputError`, a file that holds another machine's records."""
    here = machine.identity()
    for record in records:
        there = record.machine.identity()
        if odd := [f"{k} {there[k]!r}, here {v!r}" for k, v in here.items() if there[k] != v]:
            raise InputError(
                f"records file {str(out)!r} is of another machine ({'; '.join(odd)}); "
                "a recording has a file for itself: another --out"
            )


@contextlib.contextmanager
def _alone(clock: _Clock, beside: bool) -> Iterator[bool]:
    """While no other timing runs on this machine; yields whether one does nevertheless.

    All users share a file, and hold it as long as their process lives. ``REPRO_LOCK`` names
    another one, such as one for each GPU.

    Raises:
        InputError: the time limit ended before the other timing did.
    """
    path = Path(os.environ.get("REPRO_LOCK") or Path(tempfile.gettempdir(), "repro-timing.lock"))
    with contextlib.ExitStack() as stack:
        file = None
        with contextlib.suppress(OSError):  # where there is no place for a file, nobody is noticed
            if not path.exists():
                path.touch(0o644)
            file = stack.enter_context(path.open())  # another user's can be read alone
        if (taken := _taken(file)) and not beside:
            words = "another timing runs on this machine; this one waits for its end"
            warnings.warn(f"{words} (--beside does not)", stacklevel=4)
            while taken := _taken(file):
                if clock.left() <= 0:
                    raise InputError("another timing took all of the minutes on this machine")
                time.sleep(0.1)
        yield taken


def _taken(file: IO[str] | None) -> bool:
    """Whether another process holds a file; otherwise this one does now."""
    try:
        if file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _check_place(out: Path | None) -> None:
    """Refuse a records file that cannot be written, before anything is waited for."""
    if out is None:
        return
    if not out.parent.is_dir():
        raise InputError(f"records file {str(out)!r}: there is no folder {str(out.parent)!r}")
    if not os.access(out if out.exists() else out.parent, os.W_OK):
        raise InputError(f"records file {str(out)!r} cannot be written")
    if out.exists() and not (out.is_file() or out.is_dir()):  # a folder is refused when it is read
        raise InputError(f"records file {str(out)!r} cannot be continued: it is not a file")


def _existing(out: Path | None) -> dict[str, Any]:
    """Records of a file by key; torn lines are warned about, foreign ones refused."""
    if out is None or not out.exists():
        return {}
    records, problems = scan(out)
    report(problems)
    return {record.key: record for record in records.values()}


def _groups(jobs: Sequence[Task], size: int) -> Iterator[list[Task]]:
    """Runs of jobs under one protocol, cut to size.

    To 1 where a network fills the GPU, or where the compiler keeps one network at a time.
    """
    for _, run in groupby(jobs, key=lambda job: (type(job), job.protocol)):
        members = list(run)
        kind, p = type(members[0]), members[0].protocol
        alone = kind in (PeakJob, TrafficJob, TrapJob) or p.compile == "inductor"
        step = 1 if alone or (p.batch == "max" and p.device == "cuda") else size
        yield from (members[i : i + step] for i in range(0, len(members), step))
