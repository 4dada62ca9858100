"""A process that times networks on behalf of a sweep, so that none can spoil the next.

On a CPU every network gets a process of its own, forked from one that has imported torch already
and done nothing else: a fresh heap, and a start of milliseconds. On a GPU one process serves many
networks, because a CUDA context takes longer than most measurements; memory is given back between
them, and the process is replaced when anything goes wrong in it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import multiprocessing
import os
import resource
import signal
import sys
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import psutil

from repro.errors import InputError
from repro.records import Device, Machine, Protocol

HERE = "repro.runtime.worker"


class WorkerDied(RuntimeError):
    """The process ended before it answered; most likely the system took it for its memory."""


class Worker:
    """A process with networks under measurement, each known by a number.

    Args:
        device: what it will time on.
    """

    def __init__(self, device: Device) -> None:
        # CUDA does not survive a fork, so a GPU's process starts from nothing.
        context: Any = multiprocessing.get_context("forkserver" if device == "cpu" else "spawn")
        if device == "cpu":
            context.set_forkserver_preload([HERE, "repro.runtime.measure", "repro.models.builder"])
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def call(self, method: str, *arguments: Any) -> Any:
        """Have the process do something and wait for the answer.

        Raises:
            InputError: what it raised there. WorkerDied: it is gone.
        """
        try:
            self.connection.send((method, arguments))
            answer = self.connection.recv()
        except (EOFError, OSError):
            self.process.join(5)
            code = self.process.exitcode
            how = signal.Signals(-code).name if code and code < 0 else f"status {code}"
            raise WorkerDied(f"its process ended ({how}); was there enough memory?") from None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def close(self) -> None:
        """End the process: it goes by itself when idle, and is made to when busy."""
        self.connection.close()
        self.process.join(0.5)
        self.process.terminate()
        self.process.join(5)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Remote:
    """A network in a worker, able to take turns like a `repro.runtime.measure.Bench`.

    Args:
        worker: where. number: what the worker knows it by. guess: see `Bench`.
        net: a description, or what has a resolution and can ``build(device)`` itself.
    """

    def __init__(
        self, worker: Worker, number: int, net: Any, protocol: Protocol, guess: int
    ) -> None:
        self.worker, self.number = worker, number
        self.job = (net, protocol, guess)

    def prepare(self) -> None:
        self.worker.call("prepare", self.number, *self.job)

    def sample(self, count: int) -> None:
        self.worker.call("sample", self.number, count)

    def result(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.worker.call("result", self.number)
        return answer


def serve(connection: Connection) -> None:
    """The process's loop: ends when the other side is gone, for whatever reason."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    office = _Office()
    with contextlib.suppress(EOFError, OSError):
        while True:
            method, arguments = connection.recv()
            try:
                answer = getattr(office, method)(*arguments)
            except InputError as error:
                answer = error
            except Exception as error:  # whatever torch raises: the sweep goes on without this one
                answer = RuntimeError(f"{type(error).__name__}: {str(error).splitlines()[0]}")
            connection.send(answer)


class _Office:
    """What a worker can be asked to do."""

    def __init__(self) -> None:
        self.benches: dict[int, Any] = {}
        self.base_rss: dict[int, int] = {}

    def machine(self, protocol: Protocol) -> Machine:
        from repro.runtime import device
        from repro.runtime import protocol as rules

        rules.check(protocol)
        return device.machine(protocol.device)

    def prepare(self, number: int, net: Any, protocol: Protocol, guess: int) -> None:
        from repro.models.builder import build
        from repro.runtime.measure import Bench

        where = protocol.device
        self.base_rss[number] = psutil.Process().memory_info().rss
        make = getattr(net, "build", partial(build, net))
        bench = Bench(lambda: make(device=where), protocol, net.resolution, guess)
        self.benches[number] = bench
        bench.prepare()

    def sample(self, number: int, count: int) -> None:
        self.benches[number].sample(count)

    def result(self, number: int) -> dict[str, Any]:
        bench = self.benches.pop(number)
        result: dict[str, Any] = bench.result()
        if bench.protocol.device == "cpu":
            unit = 1 if sys.platform == "darwin" else 1024
            most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
            result["peak_rss"] = max(0, most - self.base_rss[number])
        return result

    def drop(self) -> None:
        """Forget every network, the memory of one that failed included."""
        self.benches.clear()
        gc.collect()

    def run(self, module: str, function: str, *arguments: Any) -> Any:
        return getattr(importlib.import_module(module), function)(*arguments)

    def pid(self) -> int:
        return os.getpid()
