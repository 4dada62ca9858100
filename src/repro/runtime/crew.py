"""The processes that measure a sweep's jobs, and what is done where something goes wrong in one.

On a CPU each network has a process of its own; on a GPU all share one, which is replaced when it
is lost. What goes wrong with one network of a group leaves the others to themselves.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import os
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import forkserver
from typing import Any

import psutil

from repro.errors import InputError
from repro.interrupt import kept_from_children
from repro.records import (
    Device,
    Machine,
    PeakRecord,
    Protocol,
    Result,
    TimingRecord,
    TrapRecord,
    stamp,
)
from repro.runtime.estimates import guess_batch
from repro.runtime.jobs import Job, PeakJob, Task, TrafficJob, TrapJob
from repro.runtime.traffic import measure_traffic
from repro.runtime.turns import interleave
from repro.runtime.worker import Remote, Worker, WorkerDied

ENERGY_S = 1.0
"""Joules of shorter windows are not kept: a GPU's sensor looks at a quarter of the time only."""
STICKY = ("CUDA error", "EXECUTION_FAILED")
"""In what CUDA and its libraries say when nothing more can be done in a process."""
PRELOADED = ("repro.runtime.worker", "repro.runtime.measure", "repro.models.builder")
"""What `Worker` has imported before it forks processes for a CPU."""


class Crew:
    """The processes of a sweep, and the measuring of groups with them."""

    def __init__(self) -> None:
        self.workers: list[Worker] = []
        self.shared: Worker | None = None
        self.settled: Future[Any] | None = None
        self.machines: dict[str, Machine] = {}
        self.serving = False

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self.dismiss(everyone=True)

    def begin(self) -> None:
        """Start the process that all share on a GPU; its imports take seconds."""
        if self.shared is None:
            self.shared = self.hire("cuda")
            thread = ThreadPoolExecutor(1)
            with kept_from_children():
                self.settled = thread.submit(self.shared.call, "run", __name__, "settle")
            thread.shutdown(wait=False)

    def worker(self, device: Device) -> Worker:
        """A process of its own on a CPU, the one that all share on a GPU."""
        if device == "cuda":
            self.begin()
            assert self.shared and self.settled
            self.settled.result()
            return self.shared
        self.workers.append(self.hire(device))
        return self.workers[-1]

    def hire(self, device: Device) -> Worker:
        """A new process, which Ctrl-C does not reach."""
        if device == "cuda":
            with kept_from_children():
                return Worker(device)
        try:
            with kept_from_children():
                forkserver.set_forkserver_preload(list(PRELOADED))
                forkserver.ensure_running()
            # The first waits for the server's imports, and Ctrl-C should not wait with it. Later
            # ones take milliseconds, in which the server would complain of a broken handshake.
            with kept_from_children() if self.serving else contextlib.nullcontext():
                worker = Worker(device)
        except KeyboardInterrupt:  # so would one that imports yet, and it holds what we print to
            if server := getattr(forkserver, "_forkserver")._forkserver_pid:  # noqa: B009
                os.kill(server, signal.SIGKILL)
            raise
        self.serving = True
        return worker

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
