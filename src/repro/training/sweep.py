"""Many runs from one file: bases x ways to scale x seeds, several at a time, resumable.

The file is a YAML list of blocks. In each, ``bases``, ``strategies`` (authors' grammar), ``scales``
and ``seeds`` are multiplied out; the bases themselves are runs too, unless ``unscaled: false``.
Everything else is an argument of `repro.training.plan.plan` (``set`` holds changes to the recipe)::

    - data: digits
      bases: [proxy-EN]
      strategies: [d, w1_g1, dWr]
      scales: [2]
      seeds: [0, 1]
      epochs: 3
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import psutil
import yaml

from repro.complexity import complexity
from repro.errors import InputError, did_you_mean
from repro.records import Protocol, TrainingRecord
from repro.runtime.estimates import memory_per_image
from repro.runtime.worker import Worker, WorkerDied
from repro.training.plan import Run, plan

AXES = ("bases", "strategies", "scales", "seeds", "unscaled", "set")
KEYS = (
    *AXES,
    *("data", "resolution", "same_flops", "preset", "epochs", "batch", "images", "classes"),
    *("holdout", "accumulate", "amp", "memory_format", "compile"),
)


@dataclass(frozen=True)
class Job:
    """A run and the name of its folder."""

    name: str
    run: Run


def read(path: Path) -> list[Job]:
    """The runs of a sweep file: first everything with the first seed, then with the next.

    Raises:
        InputError: unreadable file, unknown key, or a run that cannot be planned; names the block.
    """
    try:
        blocks = yaml.safe_load(path.read_text())
    except OSError as error:
        raise InputError(f"sweep {str(path)!r} cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"sweep {str(path)!r} is not YAML: {reason}") from None
    if not isinstance(blocks, list) or not all(isinstance(b, dict) for b in blocks):
        raise InputError(f"sweep {str(path)!r} is not a list of blocks")
    jobs: dict[str, Job] = {}
    for number, block in enumerate(blocks, 1):
        try:
            for job in _block(block):
                if job.name in jobs and jobs[job.name].run != job.run:
                    job = Job(f"{job.name}-block-{number}", job.run)
                jobs[job.name] = job
        except (InputError, TypeError) as error:
            raise InputError(f"sweep {str(path)!r}, block {number}: {error}") from None
    seeds = sorted({job.run.setting.seed for job in jobs.values()})
    return [job for seed in seeds for job in jobs.values() if job.run.setting.seed == seed]


def _block(block: dict[str, Any]) -> Iterator[Job]:
    for key in block:
        if key not in KEYS:
            raise InputError(f"unknown key {key!r}.{did_you_mean(str(key), KEYS)}")
    for key in ("data", "bases"):
        if not block.get(key):
            raise InputError(f"{key!r} is missing")
    changes = [f"{key}={json.dumps(value)}" for key, value in (block.get("set") or {}).items()]
    rest = {key: value for key, value in block.items() if key not in AXES}
    rest["preset_name"] = rest.pop("preset", None)
    ways: list[tuple[str | None, float | None]] = list(
        product(block.get("strategies") or (), block.get("scales") or ())
    )
    if block.get("unscaled", True):
        ways.insert(0, (None, None))
    for base, (strategy, factor), seed in product(block["bases"], ways, block.get("seeds", [0])):
        run = plan(base, **rest, strategy=strategy, factor=factor, changes=changes, seed=seed)
        asked = f"{run.strategy.name} x{factor:g}" if run.strategy else "unscaled"
        words = f"{rest['data']} {base} {asked} r{run.net.resolution} seed {seed}"
        yield Job("-".join(words.replace("/", "_").replace("=", "").split()), run)


# ------------------------------------------------------------------------------ doing it


@dataclass
class Summary:
    """What a sweep came to: records by job name, and why others failed."""

    records: dict[str, TrainingRecord] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def memory_bytes(job: Job) -> float:
    """About how much memory a run takes, its data apart."""
    count, batch = complexity(job.run.net), job.run.setting.recipe.batch
    images = max(batch, 256)
    return 5 * 4 * count.params + images * memory_per_image(job.run.net, Protocol(mode="step"))


def at_a_time(jobs: list[Job], device: str, asked: int | None) -> int:
    """How many runs fit side by side: one per core on a CPU, eight on a GPU, by memory.

    Args:
        asked: the user's number; memory may lower it.
    """
    process, data = 1.5e9, 0.5e9  # an interpreter with torch; a data set and what decodes it
    if device == "cuda":
        import torch

        available, wanted = torch.cuda.mem_get_info()[0] * 0.9, asked or 8
    else:
        available = psutil.virtual_memory().available * 0.8
        wanted = asked or psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    largest = max(map(memory_bytes, jobs), default=0.0)
    return max(1, min(wanted, len(jobs), int(available // (process + data + largest))))


def sweep(
    jobs: list[Job],
    out: Path,
    options: dict[str, Any],
    together: int,
    done: Callable[[Job, TrainingRecord | str], None],
) -> Summary:
    """Carry out all runs, each in a folder of its own under ``out``.

    What is complete is not run again; what was interrupted goes on where it was.

    Args:
        options: of `repro.training.run.Options`. together: runs at a time.
        done: is told about each run as it ends: its record, or why there is none.

    Raises:
        KeyboardInterrupt: Ctrl-C; every run under way has saved its state first.
    """
    summary = Summary()
    out.mkdir(parents=True, exist_ok=True)
    with _terminated_like_interrupted(), _Team(jobs, out, options, together) as team:
        for job, answer in team.results():
            if isinstance(answer, str):
                summary.failures[job.name] = answer
            else:
                summary.records[job.name] = answer
            done(job, answer)
    return summary


Answer = TrainingRecord | str


class _Team:
    """Worker processes, each served by a thread that hands it one run after another.

    A process keeps its decoded data between runs; one that died is replaced.
    """

    def __init__(self, jobs: list[Job], out: Path, options: dict[str, Any], size: int) -> None:
        self.out, self.options = out, {**options, "resume": True}
        self.waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self.finished: queue.SimpleQueue[tuple[Job, Answer] | None] = queue.SimpleQueue()
        for job in jobs:
            self.waiting.put(job)
        self.workers: list[Worker] = []
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(size)]

    def __enter__(self) -> _Team:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        for worker in self.workers:
            worker.process.terminate()  # a run under way saves its state and ends
        for thread in self.threads:
            thread.join(60)
        for worker in self.workers:
            worker.close()

    def results(self) -> Iterator[tuple[Job, Answer]]:
        """Each run as it ends."""
        running = len(self.threads)
        while running:
            item = self.finished.get()
            if item is None:
                running -= 1
            else:
                yield item

    def _serve(self) -> None:
        worker = None
        while not self.ending.is_set():
            try:
                job = self.waiting.get_nowait()
            except queue.Empty:
                break
            if worker is None:
                worker = Worker(self.options["device"])
                self.workers.append(worker)
            arguments = (job.run, self.out / job.name, self.options, os.getpid())
            try:
                answer: Answer = worker.call("run", __name__, "run_quietly", *arguments)
            except WorkerDied as error:
                answer, worker = str(error), None
            except (InputError, RuntimeError) as error:
                answer = str(error)
            self.finished.put((job, answer))
        self.finished.put(None)


@contextlib.contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM does what Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run_quietly(run: Run, path: Path, options: dict[str, Any], boss: int) -> TrainingRecord | str:
    """One run in a worker: its record, or why it was not completed.

    Args:
        boss: the sweep's process, with which the run ends. Its own parent is another one, which
            lives as long as any worker does.
    """
    from repro.training.run import Options, Silent, Stopped
    from repro.training.run import run as carry_out

    gone = lambda: not psutil.pid_exists(boss)  # noqa: E731
    result = carry_out(run, path, Options(**options), Silent(), gone)
    return "stopped" if isinstance(result, Stopped) else result


# ------------------------------------------------------------------------------ the table


def table(summary: Summary) -> str:
    """One row per network and recipe: error over the seeds, and what it cost."""
    from statistics import fmean, stdev

    from repro.text import aligned

    groups: dict[tuple[Any, ...], list[TrainingRecord]] = {}
    for record in summary.records.values():
        how = json.dumps({**record.setting, "seed": None}, sort_keys=True)
        groups.setdefault((record.subject.name, record.subject.resolution, how), []).append(record)
    rows = []
    for records in groups.values():
        errors = [100 * r.test.error for r in records]
        spread = f"{stdev(errors):.2f}" if len(errors) > 1 else "-"
        first = records[0].subject
        rows.append(
            (
                records[0].setting["data"],
                first.base,
                first.strategy or "-",
                "-" if first.scale is None else f"{first.scale:.4g}",
                str(first.resolution),
                f"{(first.flops or 0) / 1e6:.2f}",
                f"{first.params / 1e6:.3f}",
                f"{(first.acts or 0) / 1e6:.3f}",
                f"{fmean(errors):.2f}",
                spread,
                str(len(errors)),
                f"{fmean(r.train_s for r in records):.1f}",
            )
        )
    header = (
        *("<data", "<base", "<strategy", "scale", "r", "flops (M)", "params (M)", "acts (M)"),
        *("test error (%)", "spread", "seeds", "train (s)"),
    )
    return aligned(header, rows)
