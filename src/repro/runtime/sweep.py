"""Measure many networks, in a way that can be stopped at any point and continued.

A job whose key is in the file already (same description, protocol, code, device) is skipped. Jobs
of one protocol are measured in small groups whose members take turns; a group's records are
appended as soon as it is done, so a kill loses the group under measurement and nothing else. The
largest batch that fits leaves no room for others on a GPU: there, each network is its own group.
Peak rates, memory traffic and traps are measured alone, and so are compiled networks.

Within a time limit no group is begun that would end later, by `repro.runtime.estimates` and by how
much longer the groups before took than that says; a shorter one behind it still is.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import psutil

from repro.errors import InputError
from repro.fingerprint import code_of
from repro.interrupt import kept_from_children
from repro.records import (
    Device,
    Machine,
    PeakRecord,
    Protocol,
    Result,
    TimingRecord,
    TrapRecord,
    key_of,
    stamp,
)
from repro.runtime.estimates import estimated_s, guess_batch
from repro.runtime.jobs import Job, PeakJob, Task, TrafficJob, TrapJob, unique
from repro.runtime.traffic import measure_traffic
from repro.runtime.turns import interleave
from repro.runtime.worker import Remote, Worker, WorkerDied
from repro.stored import append, report, scan

GROUP = 4
"""Networks that take turns."""
ENERGY_S = 1.0
"""Joules of shorter windows are not kept: a GPU's sensor looks at a quarter of the time only."""
STICKY = ("CUDA error", "EXECUTION_FAILED")
"""In what CUDA and its libraries say when nothing more can be done in a process."""
PRELOADED = ("repro.runtime.worker", "repro.runtime.measure", "repro.models.builder")
"""What `Worker` has imported before it forks processes for a CPU."""


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
    jobs: Sequence[Task],
    out: Path | None = None,
    group: int = GROUP,
    minutes: float | None = None,
    started: Callable[[int], None] = lambda total: None,
    done: Callable[[Task, Result | str], None] = lambda job, result: None,
    begun: Callable[[Sequence[Task], float], None] = lambda members, seconds: None,
    recording: bool = False,
) -> Outcome:
    """Measure every job that is not in the file yet.

    Args:
        jobs: what to measure. out: records file to continue; None keeps nothing.
        group: networks that take turns. minutes: begin no group that would end later than this.
        started: called with the number of jobs to measure. done: called after each of them, with
            its record or with what went wrong. begun: called before each group, with its jobs and
            the seconds that are left.
        recording: one machine for itself: the file may hold no other's records, and what the
            machine cannot do is left out.

    Raises:
        InputError: the device cannot do what a job asks, or the file cannot be continued.
    """
    jobs, clock = unique(jobs), _Clock(minutes)
    have = _existing(out)
    outcome = Outcome()
    with _Crew() as crew:
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


def _existing(out: Path | None) -> dict[str, Any]:
    """Records of a file by key; torn lines are warned about, foreign ones refused."""
    if out is None:
        return {}
    if not out.parent.is_dir():
        raise InputError(f"records file {str(out)!r}: there is no folder {str(out.parent)!r}")
    if not os.access(out if out.exists() else out.parent, os.W_OK):
        raise InputError(f"records file {str(out)!r} cannot be written")
    if not out.exists():
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


class _Crew:
    """The processes of a sweep, and the measuring of groups with them."""

    def __init__(self) -> None:
        self.workers: list[Worker] = []
        self.shared: Worker | None = None
        self.machines: dict[str, Machine] = {}
        self.serving = False

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self.dismiss(everyone=True)

    def worker(self, device: Device) -> Worker:
        """A process of its own on a CPU, the one that all share on a GPU."""
        if device == "cuda":
            if self.shared is None:
                with kept_from_children():
                    self.shared = Worker(device)
                self.shared.call("run", __name__, "settle")
            return self.shared
        with kept_from_children():
            forkserver.set_forkserver_preload(list(PRELOADED))
            forkserver.ensure_running()
        # The first waits for the server's imports, and Ctrl-C should not wait with it. Later ones
        # take milliseconds, in which an interrupted handshake would have the server complain.
        with kept_from_children() if self.serving else contextlib.nullcontext():
            self.workers.append(Worker(device))
        self.serving = True
        return self.workers[-1]

    def dismiss(self, everyone: bool = False) -> None:
        """End the processes of the last group, or all."""
        for worker in self.workers:
            worker.close()
        self.workers = []
        if everyone and self.shared:
            self.shared.close()
            self.shared = None

    def machine(self, protocol: Protocol) -> Machine:
        """The machine that would follow a protocol.

        Raises:
            InputError: it cannot.
        """
        key = protocol.model_dump_json(include={"device", "dtype", "compile", "mode"})
        if key not in self.machines:
            self.machines[key] = self.worker(protocol.device).call("machine", protocol)
            self.dismiss()
        return self.machines[key]

    def possible(self, jobs: Sequence[Task], impossible: Counter[str]) -> list[Task]:
        """The jobs whose protocol the machine can follow; why not is counted for the others.

        Raises:
            InputError: it can follow none.
        """
        able: list[Task] = []
        for job in jobs:
            try:
                self.machine(job.protocol)
                able.append(job)
            except InputError as error:
                impossible[str(error)] += 1
        if not able:
            raise InputError(next(iter(impossible), "there is nothing to measure"))
        return able

    def measure(self, members: Sequence[Task]) -> list[tuple[Task, Result | str]]:
        """Measure a group; where a process is lost, each member alone, to find out which it was."""
        try:
            if isinstance(members[0], PeakJob):
                return [(members[0], self._peaks(members[0]))]
            if isinstance(members[0], TrafficJob):
                return [(members[0], measure_traffic(members[0]))]
            if isinstance(members[0], TrapJob):
                return [(members[0], self._traps(members[0]))]
            return self._together([job for job in members if isinstance(job, Job)])
        except (InputError, RuntimeError) as error:
            if _lost(error):
                self.dismiss(everyone=True)
            if len(members) == 1:
                return [(members[0], str(error))]
            return [pair for job in members for pair in self.measure([job])]
        finally:
            self.dismiss()

    def _peaks(self, job: PeakJob) -> Result:
        protocol = job.protocol
        start = stamp(job.entry, job.inputs(), self.machine(protocol))
        worker = self.worker(protocol.device)
        rates = worker.call("run", job.entry, "measure_peaks", protocol)
        return PeakRecord(**start, protocol=protocol, **rates)

    def _traps(self, job: TrapJob) -> Result:
        """Each trap in fresh processes of its own, the traps alternating."""
        from repro.runtime import device
        from repro.runtime.traps import TRAPS, Setting

        start = stamp(job.entry, job.inputs(), self.machine(job.protocol))
        before, setting = device.state("cpu"), Setting(**job.setting)
        samples: dict[str, dict[str, Any]] = {name: {} for name in TRAPS}
        for _ in range(job.processes):
            for name, ways in samples.items():
                taken = self.worker("cpu").call("run", job.entry, "measure", name, setting)
                self.dismiss()
                for way, seconds in taken.items():
                    ways.setdefault(way, []).append(tuple(round(s, 7) for s in seconds))
        return TrapRecord(
            **start,
            setting=job.setting,
            processes=job.processes,
            samples_s=samples,
            before=before,
            after=device.state("cpu"),
        )

    def _together(self, jobs: Sequence[Job]) -> list[tuple[Task, Result | str]]:
        """Networks in turns; one that cannot go on leaves the others to themselves.

        Raises:
            RuntimeError: the process of several is lost.
        """
        protocol = jobs[0].protocol
        machine = self.machine(protocol)
        memory = machine.memory_bytes
        if protocol.device == "cpu":
            memory = psutil.virtual_memory().available // 2
        turns = []
        for number, job in enumerate(jobs):
            worker, guess = self.worker(protocol.device), guess_batch(job, memory)
            turns.append(_Turn(Remote(worker, number, job.net, protocol, guess)))
            turns[-1].prepare()
        going = [turn for turn in turns if not turn.problem]
        interleave(going, protocol.samples, protocol.rounds)
        results: list[tuple[Task, Result | str]] = []
        for job, turn in zip(jobs, turns, strict=True):
            measured = turn.result()
            if turn.problem:
                results.append((job, turn.problem))
                continue
            start = stamp(job.entry, job.inputs(), machine)
            record = TimingRecord(**start, subject=job.subject, protocol=protocol, **measured)
            parts = min(protocol.rounds, protocol.samples) if len(going) > 1 else 1
            if sum(record.samples_s) * record.iterations / parts < ENERGY_S:
                record = record.model_copy(update={"energy_j": None})
            results.append((job, record))
        return results


def settle() -> None:
    """In a process that many networks share: have the collector pass over what will stay.

    It looks for what one network left before the next is built, and would look at all of torch.
    """
    for module in PRELOADED:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)  # some libraries complain about what outlives them


class _Turn:
    """A network in a worker that takes turns until something goes wrong with it alone.

    Attributes:
        problem: what went wrong; empty while nothing did.
    """

    def __init__(self, remote: Remote) -> None:
        self.remote, self.problem = remote, ""

    def prepare(self) -> None:
        self._ask(self.remote.prepare)

    def sample(self, count: int) -> None:
        self._ask(lambda: self.remote.sample(count))

    def result(self) -> dict[str, Any]:
        return self._ask(self.remote.result) or {}

    def _ask(self, question: Callable[[], Any]) -> Any:
        if self.problem:
            return None
        try:
            return question()
        except (InputError, RuntimeError) as error:
            if _lost(error):
                raise
            self.problem = str(error)
        # A worker forgets a network whose result was asked for, and it may serve the next one.
        with contextlib.suppress(InputError, RuntimeError):
            self.remote.result()
        self.remote.worker.call("run", "gc", "collect")
        return None


def _lost(error: Exception) -> bool:
    """Whether an error took with it the process in which it happened."""
    return isinstance(error, WorkerDied) or any(words in str(error) for words in STICKY)
