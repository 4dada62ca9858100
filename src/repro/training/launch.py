"""Running elsewhere: on a Slurm cluster, or in processes of this machine, through submitit."""

from __future__ import annotations

import signal
import subprocess
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from repro.errors import InputError
from repro.interrupt import handled
from repro.records import TrainingRecord
from repro.training.folder import RunFolder
from repro.training.plan import Options, Run
from repro.training.run import Stopped
from repro.training.run import run as run_here
from repro.training.watch import Terminal


@dataclass(frozen=True)
class Task:
    """What each process of a job does; however it ended, started again it goes on.

    A cluster announces that it takes a machine back by submitit's signal, by SIGTERM, or not at
    all. At either signal the run saves its state and has itself queued again. The same file is
    started again, too, by a cluster that lost the machine, so that a run in the folder is never a
    surprise: whether it may be there, `submit` asks.
    """

    run: Run
    path: Path
    options: Options

    def __call__(self) -> TrainingRecord | Stopped:
        """Join the other processes of the job and train."""
        submitit, asked = _submitit(), list[int]()
        environment = submitit.helpers.TorchDistributedEnvironment()
        environment.export(set_cuda_visible_devices=False, overwrite=True)
        job, options = submitit.JobEnvironment(), replace(self.options, resume=True)
        taken_back = job._usr_sig()
        with closing(Terminal()) as watch, handled(asked.append, taken_back, signal.SIGTERM):
            result = run_here(self.run, self.path, options, watch, lambda: bool(asked))
        if isinstance(result, Stopped) and result.signal != signal.SIGINT and _is_wanted(job):
            signal.raise_signal(taken_back)  # in the leader, submitit queues the job and ends
        return result

    def checkpoint(self) -> Any:
        """What submitit queues again: the same."""
        return _submitit().helpers.DelayedSubmission(self)


def _is_wanted(job: Any) -> bool:
    """Whether a job that was asked to stop is to go on: SIGTERM comes from ``scancel``, too."""
    command = ["squeue", "--noheader", "--format=%T", "--jobs", job.job_id]
    state = ""
    if job.cluster == "slurm":
        with suppress(OSError):
            state = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return state in ("", "RUNNING")


def submit(task: Task, executor: str, ranks: int, hours: float, **sizes: Any) -> Any:
    """Queue a run on ``"slurm"``, or as ``"local"`` processes of this machine.

    Args:
        task: its folder is on a disk that all machines share; logs go to ``jobs`` in it.
        ranks: processes on each machine, one per GPU. sizes: as submitit names them.

    Returns:
        submitit's job, for `result_of`; `InputError` without Slurm here, or where the folder
        holds a run that is not to be resumed.
    """
    if not task.options.resume:
        RunFolder(task.path).check_fresh()
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


def result_of(job: Any) -> TrainingRecord | Stopped:
    """Wait for a job's end; `JobFailed` with the reason in one line."""
    job.wait()
    for number in range(job.num_tasks):
        paths = job.task(number).paths
        if not paths.result_pickle.exists():
            who = f"job {job.job_id} was killed (process {number} of {job.num_tasks})"
            again = f"the same command with --resume --out {paths.folder.parent} goes on"
            log = f"its log is {paths.stderr}"
            raise JobFailed(f"{who}, from outside or for want of memory; {again}; {log}")
    try:
        result: TrainingRecord | Stopped = job.results()[0]
    except Exception as error:  # submitit has several kinds, and puts a traceback in the text
        text = str(error).partition("\n----------------------\nYou can check")[0]
        *_, last = ["", *filter(str.strip, text.splitlines())]
        reason = last.removeprefix("repro.errors.InputError: ")
        raise JobFailed(f"the job failed: {reason}") from None
    return result


class JobFailed(RuntimeError):
    """A job ended without a result."""


def _submitit() -> Any:
    try:
        import submitit.helpers
    except ImportError:
        raise InputError("--executor needs submitit: pip install submitit") from None
    return submitit
