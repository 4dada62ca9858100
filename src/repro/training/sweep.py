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
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import psutil
import yaml

from repro.complexity import complexity
from repro.errors import InputError, did_you_mean
from repro.interrupt import handled
from repro.records import Protocol, TrainingRecord
from repro.runtime.estimates import memory_per_image
from repro.runtime.worker import Worker, WorkerDied
from repro.training.plan import Options, Run, plan

AXES = ("bases", "strategies", "scales", "seeds", "unscaled", "set")
KEYS = (
    *AXES,
    *("data", "resolution", "same_flops", "preset", "epochs", "batch", "images", "classes"),
    *("holdout", "accumulate", "amp", "memory_format", "compile"),
)


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
    try:
        blocks = yaml.safe_load(path.read_text())
    except OSError as error:
        raise InputError(f"sweep {str(path)!r} cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise InputError(
            f"sweep {str(path)!r} is not YAML: {' '.join(str(error).split())}"
        ) from None
    if not isinstance(blocks, list) or not all(isinstance(b, dict) for b in blocks):
        raise InputError(f"sweep {str(path)!r} is not a list of blocks")
    jobs: dict[str, Job] = {}
    for number, block in enumerate(blocks, 1):
        try:
            for job in _block(block, reading):
                if job.name in jobs and jobs[job.name].run != job.run:
                    job = Job(f"{job.name}-block-{number}", job.run)
                jobs[job.name] = job
        except (InputError, TypeError) as error:
            raise InputError(f"sweep {str(path)!r}, block {number}: {error}") from None
    seeds = sorted({job.run.setting.seed for job in jobs.values()})
    return [job for seed in seeds for job in jobs.values() if job.run.setting.seed == seed]


def _block(block: dict[str, Any], reading: Callable[[str], str]) -> Iterator[Job]:
    for key in block:
        if key not in KEYS:
            raise InputError(f"unknown key {key!r}.{did_you_mean(str(key), KEYS)}")
    for key in ("data", "bases"):
        if not block.get(key):
            raise InputError(f"{key!r} is missing")
    changes = [f"{key}={json.dumps(value)}" for key, value in (block.get("set") or {}).items()]
    rest = {key: value for key, value in block.items() if key not in AXES}
    rest["preset_name"] = rest.pop("preset", None)
    ways: list[tuple[str | None, float | None]] = [(None, None)] * block.get("unscaled", True)
    ways += product(map(reading, block.get("strategies") or ()), block.get("scales") or ())
    for base, (strategy, factor), seed in product(block["bases"], ways, block.get("seeds", [0])):
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
        KeyboardInterrupt: Ctrl-C or SIGTERM; every run under way has saved its state first.
    """
    options = replace(options, resume=True)
    workers: list[Worker] = []
    mine, ending = threading.local(), threading.Event()

    def carry_out(job: Job) -> Answer:
        if getattr(mine, "worker", None) is None:
            mine.worker = Worker(options.device)
            workers.append(mine.worker)
        if ending.is_set():
            return "stopped"
        arguments = (job.run, out / job.name, options, os.getpid())
        try:
            answer: Answer = mine.worker.call("run", __name__, "run_quietly", *arguments)
        except WorkerDied as error:
            mine.worker, answer = None, str(error)
        except (InputError, RuntimeError) as error:
            answer = str(error)
        return answer

    out.mkdir(parents=True, exist_ok=True)
    answers: dict[str, Answer] = {}
    interrupt = lambda number: signal.default_int_handler(number, None)  # noqa: E731
    with handled(interrupt, signal.SIGTERM), ThreadPoolExecutor(together) as pool:
        futures = {pool.submit(carry_out, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                job = futures[future]
                answers[job.name] = future.result()
                done(job, answers[job.name])
        finally:
            ending.set()
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in workers:
                worker.process.terminate()  # a run under way saves its state and ends
            wait(futures, timeout=60)
            for worker in workers:
                worker.close()
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
