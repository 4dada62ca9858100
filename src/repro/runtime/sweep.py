"""Measure many networks, in a way that can be stopped at any point and continued.

A job whose key is in the file already (same description, protocol, code, device) is skipped. Jobs
of one protocol are measured in small groups whose members take turns; a group's records are
appended as soon as it is done, so a kill loses the group under measurement and nothing else. The
largest batch that fits leaves no room for others on a GPU: there, each network is its own group.
Peak rates, memory traffic and traps are measured alone, and so are compiled networks.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
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
PRELOADED = ("repro.runtime.worker", "repro.runtime.measure", "repro.models.builder")
"""What `Worker` has imported before it forks processes for a CPU."""


@dataclass
class Outcome:
    """What a sweep came to.

    Attributes:
        records: one for each job that has one, in the order of the jobs, old and new.
        skipped: jobs that were in the file already. left: jobs that the time limit left out.
        failures: jobs that could not be measured, and why.
    """

    records: list[Any] = field(default_factory=list)
    skipped: int = 0
    left: int = 0
    failures: list[tuple[Task, str]] = field(default_factory=list)


def sweep(
    jobs: Sequence[Task],
    out: Path | None = None,
    group: int = GROUP,
    minutes: float | None = None,
    started: Callable[[int], None] = lambda total: None,
    done: Callable[[Task, Result | str], None] = lambda job, result: None,
) -> Outcome:
    """Measure every job that is not in the file yet.

    Args:
        jobs: what to measure. out: records file to continue; None keeps nothing.
        group: networks that take turns. minutes: begin no group that would end later than this.
        started: called with the number of jobs to measure. done: called after each of them, with
            its record or with what went wrong.

    Raises:
        InputError: the device cannot do what a job asks, or the file cannot be continued.
    """
    jobs, end = unique(jobs), time.monotonic() + 60 * (float("inf") if minutes is None else minutes)
    have = _existing(out)
    outcome = Outcome()
    with _Crew() as crew:
        keys = [key_of(code_of(j.entry), j.inputs(), crew.machine(j.protocol)) for j in jobs]
        todo = [job for job, key in zip(jobs, keys, strict=True) if key not in have]
        outcome.skipped, outcome.left = len(jobs) - len(todo), len(todo)
        started(len(todo))
        for members in _groups(todo, group):
            if time.monotonic() + sum(map(estimated_s, members)) > end:
                break
            for job, result in crew.measure(members):
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
            with kept_from_children():
                self.shared = self.shared or Worker(device)
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

    def measure(self, members: Sequence[Task]) -> list[tuple[Task, Result | str]]:
        """Measure a group; where that fails, each member alone, to find out which it was."""
        try:
            if isinstance(members[0], PeakJob):
                return [(members[0], self._peaks(members[0]))]
            if isinstance(members[0], TrafficJob):
                return [(members[0], measure_traffic(members[0]))]
            if isinstance(members[0], TrapJob):
                return [(members[0], self._traps(members[0]))]
            jobs = [job for job in members if isinstance(job, Job)]
            return list(zip(jobs, self._together(jobs), strict=True))
        except (InputError, WorkerDied, RuntimeError) as error:
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

    def _together(self, jobs: Sequence[Job]) -> list[Result]:
        protocol = jobs[0].protocol
        machine = self.machine(protocol)
        memory = machine.memory_bytes
        if protocol.device == "cpu":
            memory = psutil.virtual_memory().available // 2
        remotes: list[Remote] = []
        for number, job in enumerate(jobs):
            worker = self.worker(protocol.device)
            guess = guess_batch(job, memory)
            remotes.append(Remote(worker, number, job.net, protocol, guess))
            remotes[-1].prepare()
        interleave(remotes, protocol.samples, protocol.rounds)
        return [
            TimingRecord(
                **stamp(job.entry, job.inputs(), machine),
                subject=job.subject,
                protocol=protocol,
                **remote.result(),
            )
            for job, remote in zip(jobs, remotes, strict=True)
        ]
