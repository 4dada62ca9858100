"""Running elsewhere: on a Slurm cluster, or in processes of this machine, through submitit."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from repro.errors import InputError
from repro.records import TrainingRecord
from repro.training.plan import Options, Run
from repro.training.run import Stopped
from repro.training.run import run as run_here
from repro.training.watch import Terminal


@dataclass(frozen=True)
class Task:
    """What each process of a job does; preempted, the job is queued again and goes on."""

    run: Run
    path: Path
    options: Options

    def __call__(self) -> TrainingRecord | Stopped:
        """Join the other processes of the job and train."""
        environment = _submitit().helpers.TorchDistributedEnvironment()
        environment.export(set_cuda_visible_devices=False)
        with closing(Terminal()) as watch:
            return run_here(self.run, self.path, self.options, watch)

    def checkpoint(self) -> Any:
        """Asked by submitit before a job is preempted or runs out of time."""
        again = replace(self, options=replace(self.options, resume=True))
        return _submitit().helpers.DelayedSubmission(again)


def submit(task: Task, executor: str, ranks: int, hours: float, **sizes: Any) -> Any:
    """Queue a run on ``"slurm"``, or as ``"local"`` processes of this machine.

    Args:
        task: its folder is on a disk that all machines share; logs go to ``jobs`` in it.
        ranks: processes on each machine, one per GPU. sizes: as submitit names them.

    Returns:
        submitit's job, whose ``results()`` wait for the end; `InputError` without Slurm here.
    """
    try:
        queue = _submitit().AutoExecutor(folder=task.path / "jobs", cluster=executor)
    except (RuntimeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"executor {executor!r} cannot be used here: {error}") from None
    queue.update_parameters(
        name=task.path.name,
        tasks_per_node=ranks,
        gpus_per_node=ranks if task.options.device == "cuda" else 0,
        timeout_min=max(1, round(60 * hours)),
        **{name: value for name, value in sizes.items() if value is not None},
    )
    return queue.submit(task)


def _submitit() -> Any:
    try:
        import submitit.helpers
    except ImportError:
        raise InputError("--executor needs submitit: pip install submitit") from None
    return submitit
