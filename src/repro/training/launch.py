"""Running elsewhere: on a Slurm cluster, or in processes of this machine, through submitit."""

from __future__ import annotations

import dataclasses
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from repro.errors import InputError
from repro.records import TrainingRecord
from repro.training.plan import Run
from repro.training.run import Options, Stopped
from repro.training.run import run as run_here
from repro.training.watch import Terminal


@dataclass(frozen=True)
class Cluster:
    """What to ask a cluster for.

    Attributes:
        executor: ``"slurm"``, or ``"local"`` for processes of this machine.
        nodes, ranks: machines, and processes on each (one per GPU, with GPUs).
        hours: time limit. cores: of each process. memory_gb: of each machine.
        partition: Slurm's, or its default.
    """

    executor: Literal["local", "slurm"]
    nodes: int = 1
    ranks: int = 1
    hours: float = 24.0
    cores: int = 1
    memory_gb: float | None = None
    partition: str | None = None


class Task:
    """What a cluster's process does. A preempted job is queued again and goes on where its last
    checkpoint was.

    Args:
        run, path, options: see `repro.training.run.run`.
    """

    def __init__(self, run: Run, path: Path, options: Options) -> None:
        self.run, self.path, self.options = run, path, options

    def __call__(self) -> TrainingRecord | Stopped:
        """Join the other processes of the job and train."""
        submitit = _submitit()
        submitit.helpers.TorchDistributedEnvironment().export(set_cuda_visible_devices=False)
        watch = Terminal()
        try:
            return run_here(self.run, self.path, self.options, watch)
        finally:
            watch.close()

    def checkpoint(self) -> Any:
        """Asked by submitit before a job is preempted or runs out of time."""
        options = dataclasses.replace(self.options, resume=True)
        return _submitit().helpers.DelayedSubmission(Task(self.run, self.path, options))


def submit(run: Run, path: Path, options: Options, cluster: Cluster) -> Any:
    """Queue a run.

    Args:
        path: the run's folder, on a disk that all machines share; logs go to ``path/jobs``.

    Returns:
        submitit's job; its ``results()`` wait for the end, one per process.

    Raises:
        InputError: submitit is not installed, or there is no Slurm here.
    """
    submitit = _submitit()
    try:
        executor = submitit.AutoExecutor(folder=path.resolve() / "jobs", cluster=cluster.executor)
    except (RuntimeError, ValueError) as error:
        raise InputError(f"executor {cluster.executor!r} cannot be used here: {error}") from None
    executor.update_parameters(
        name=path.name,
        nodes=cluster.nodes,
        tasks_per_node=cluster.ranks,
        gpus_per_node=cluster.ranks if options.device == "cuda" else 0,
        cpus_per_task=cluster.cores,
        timeout_min=max(1, round(60 * cluster.hours)),
        **({"mem_gb": cluster.memory_gb} if cluster.memory_gb else {}),
        **({"slurm_partition": cluster.partition} if cluster.partition else {}),
    )
    return executor.submit(Task(run, path.resolve(), options))


def _submitit() -> Any:
    try:
        module = importlib.import_module("submitit")
        importlib.import_module("submitit.helpers")
    except ImportError:
        raise InputError("--executor needs submitit: pip install submitit") from None
    return module
