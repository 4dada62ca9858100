"""Many runs from one file: bases x ways to scale x seeds, several at a time, resumable.

The file is a YAML list of blocks, as ``repro sweep --help`` shows it. In each, bases, strategies,
scales and seeds are multiplied out; the bases themselves are runs too, unless ``unscaled: false``.
Everything else is an argument of `repro.training.plan.plan` (``set`` holds changes to the recipe).
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self, get_origin

import psutil
from pydantic import NonNegativeInt, PositiveInt, create_model, model_validator

from repro.complexity import complexity
from repro.errors import InputError
from repro.handwritten import NOT_SAID, Listed, Number, Strict, entries, file_bytes
from repro.interrupt import handled
from repro.records import Protocol, TrainingRecord
from repro.runtime.crew import Crew
from repro.runtime.estimates import memory_per_image
from repro.runtime.worker import Worker, WorkerDied
from repro.training.plan import Options, Run, plan
from repro.training.recipe import Recipe, Share

GRACE_S = 1.0
"""In which runs may save their state when a sweep is stopped."""
_PARTS: Any = {
    key: (Listed[Share] if get_origin(f.annotation) is tuple else f.annotation, NOT_SAID)
    for key, f in Recipe.model_fields.items()
}
Changes: Any = create_model("Changes", __base__=Strict, **_PARTS)
"""Any part of a recipe; its limits are `Recipe`'s own."""


class Block(Strict):
    """Axes that are multiplied out, and arguments of `plan`."""

    data: str
    bases: Listed[str]
    strategies: Listed[str] = ()
    scales: Listed[Number] = ()
    seeds: Listed[NonNegativeInt] = (0,)
    unscaled: bool = True
    set: Changes = Changes()
    resolution: PositiveInt = NOT_SAID
    same_flops: bool = False
    preset: str = NOT_SAID
    epochs: PositiveInt = NOT_SAID
    batch: PositiveInt = NOT_SAID
    images: PositiveInt | None = None
    classes: PositiveInt | None = None
    holdout: float = NOT_SAID
    accumulate: PositiveInt = NOT_SAID
    amp: str = NOT_SAID
    memory_format: str = NOT_SAID
    compile: str = NOT_SAID

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if bool(self.strategies) != bool(self.scales):
            raise ValueError("give both strategies and scales, or neither")
        if not (self.unscaled or self.scales):
            raise ValueError("unscaled false leaves nothing to train without strategies and scales")
        return self


Answer = TrainingRecord | str
"""What became of a run: its record, or why there is none."""


@dataclass(frozen=True)
class Job:
    """A run and the name of its folder."""

    name: str
    run: Run


def read(path: Path, reading: Callable[[str], str] = str) -> list[Job]:
    """The runs of a sweep file: first everything with the first seed, then with the next.

    ``reading`` makes the authors' grammar of a strategy as the file has it. `InputError` names
    the block with an unknown key or a run that cannot be planned.
    """
    jobs: dict[str, Job] = {}
    blocks = entries(file_bytes(str(path), "sweep"), str(path), Block)
    for number, (where, block) in enumerate(blocks, 1):
        try:
            for job in _block(block, reading):
                if job.name in jobs and jobs[job.name].run != job.run:
                    job = Job(f"{job.name}-block-{number}", job.run)
                jobs[job.name] = job
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
    seeds = sorted({job.run.setting.seed for job in jobs.values()})
    return [job for seed in seeds for job in jobs.values() if job.run.setting.seed == seed]


def _block(block: Block, reading: Callable[[str], str]) -> Iterator[Job]:
    given = block.model_dump(exclude_unset=True)
    changes = [f"{key}={json.dumps(value)}" for key, value in given.get("set", {}).items()]
    axes = ("bases", "strategies", "scales", "seeds", "unscaled", "set")
    rest = {key: value for key, value in given.items() if key not in axes}
    rest["preset_name"] = rest.pop("preset", None)
    ways: list[tuple[str | None, float | None]] = [(None, None)] * block.unscaled
    ways += product(map(reading, block.strategies), block.scales)
    for base, (strategy, factor), seed in product(block.bases, ways, block.seeds):
        run = plan(base, **rest, strategy=strategy, factor=factor, changes=changes, seed=seed)
        asked = f"{run.strategy.name} x{factor:g}" if run.strategy else "unscaled"
        words = f"{rest['data']} {run.base} {asked} r{run.net.resolution} seed {seed}"
        yield Job("-".join(words.replace("/", "_").replace("=", "").split()), run)


def at_a_time(jobs: list[Job], device: str, asked: int | None) -> int:
    """How many runs fit side by side: as many as asked, cores, or eight on a GPU; by memory."""
    largest = 0.0
    for run in (job.run for job in jobs):
        images = max(run.setting.recipe.batch, 256)
        maps = images * memory_per_image(run.net, Protocol(mode="step"))
        largest = max(largest, 5 * 4 * complexity(run.net).params + maps)
    process, data = 1.5e9, 0.5e9  # an interpreter with torch; a data set and what decodes it
    if device == "cuda":
        import torch

        available, wanted = torch.cuda.mem_get_info()[0] * 0.9, asked or 8
    else:
        available = psutil.virtual_memory().available * 0.8
        wanted = asked or psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    return max(1, min(wanted, len(jobs), int(available // (process + data + largest))))


def sweep(
    jobs: list[Job],
    out: Path,
    options: Options,
    together: int,
    done: Callable[[Job, Answer], None],
) -> dict[str, Answer]:
    """Carry out all runs, each in a folder of its own under ``out``.

    What is complete is not run again; what was interrupted goes on where it was. Each thread
    hands one run after another to a process of its own, which keeps its decoded data between
    them; one that died is replaced.

    Returns:
        By job name, in the jobs' order: the record, or why there is none.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM. Runs under way have `GRACE_S` to save their state;
            one that takes longer goes on from its last checkpoint.
    """
    options = replace(options, resume=True)
    workers: list[Worker] = []
    idle: SimpleQueue[Worker] = SimpleQueue()
    crew, ending = Crew(), threading.Event()

    def hire() -> Worker:
        workers.append(worker := crew.hire(options.device))
        return worker

    def carry_out(job: Job) -> Answer:
        worker = idle.get()
        arguments = (job.run, out / job.name, options, os.getpid())
        try:
            if ending.is_set():
                return "stopped"
            answer: Answer = worker.call("run", __name__, "run_quietly", *arguments)
        except WorkerDied as error:
            answer = str(error)
            if not ending.is_set():
                worker = hire()
        except (InputError, RuntimeError) as error:
            answer = str(error)
        finally:
            idle.put(worker)
        return answer

    out.mkdir(parents=True, exist_ok=True)
    answers: dict[str, Answer] = {}
    interrupt = lambda number: signal.default_int_handler(number, None)  # noqa: E731
    both = (signal.SIGINT, signal.SIGTERM)
    with handled(interrupt, *both), ThreadPoolExecutor(together) as pool:
        futures: dict[Future[Answer], Job] = {}
        try:
            # Not in the threads: the first waits for imports, and threads cannot be interrupted.
            for _ in range(together):
                idle.put(hire())
            futures |= {pool.submit(carry_out, job): job for job in jobs}
            for future in as_completed(futures):
                job = futures[future]
                answers[job.name] = future.result()
                done(job, answers[job.name])
        finally:
            with handled(lambda number: None, *both):
                ending.set()
                pool.shutdown(wait=False, cancel_futures=True)
                for worker in workers:
                    worker.process.terminate()  # a run under way saves its state and ends
                wait([f for f in futures if not f.cancelled()], timeout=GRACE_S)
                for worker in workers:
                    worker.process.kill()
    return {job.name: answers[job.name] for job in jobs}


def run_quietly(run: Run, path: Path, options: Options, boss: int) -> Answer:
    """One run in a worker; it ends with the ``boss``, the sweep's process, not its own parent."""
    from repro.training.run import Silent, Stopped
    from repro.training.run import run as carry_out

    result = carry_out(run, path, options, Silent(), lambda: not psutil.pid_exists(boss))
    return "stopped" if isinstance(result, Stopped) else result


def table(records: Sequence[TrainingRecord]) -> str:
    """One row per network and recipe: error over the seeds, and what it cost."""
    from statistics import fmean, stdev

    from repro.text import aligned

    groups: dict[tuple[Any, ...], list[TrainingRecord]] = {}
    for record in records:
        how = json.dumps({**record.setting, "seed": None}, sort_keys=True)
        groups.setdefault((record.subject.name, record.subject.resolution, how), []).append(record)
    rows = []
    for group in groups.values():
        errors, net = [100 * r.test.error for r in group], group[0].subject
        scale = "-" if net.scale is None else f"{net.scale:.4g}"
        counts = ((net.flops or 0) / 1e6, net.params / 1e6, (net.acts or 0) / 1e6)
        spread = f"{stdev(errors):.2f}" if len(errors) > 1 else "-"
        seconds = f"{fmean(r.train_s for r in group):.1f}"
        rows.append(
            (
                *(group[0].setting["data"], net.base, net.strategy or "-", scale),
                *(str(net.resolution), *"{:.2f} {:.3f} {:.3f}".format(*counts).split()),
                *(f"{fmean(errors):.2f}", spread, str(len(errors)), seconds),
            )
        )
    header = (
        *("<data", "<base", "<strategy", "scale", "r", "flops (M)", "params (M)", "acts (M)"),
        *("test error (%)", "spread", "seeds", "train (s)"),
    )
    return aligned(header, rows)
