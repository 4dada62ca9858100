"""A run from beginning to end: folder, data, processes, training, record."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import torch

from repro.arch import Network
from repro.errors import InputError
from repro.fingerprint import code_of
from repro.records import DataUsed, Subject, TrainingRecord, stamp, training_inputs
from repro.runtime import device as machine_of
from repro.runtime.jobs import subject_of
from repro.training.distributed import World, connect, ranks
from repro.training.folder import RunFolder, check_resumable, open_folder
from repro.training.loop import Outcome, Watch, train
from repro.training.plan import Run
from repro.training.sources import Source, open_source
from repro.training.spec import Place, check_parts


@dataclass(frozen=True)
class Options:
    """What changes nothing in a run's result.

    Attributes:
        root: folder of the data. download: fetch them. workers: processes that decode images.
        skip_corrupt: go on without images that cannot be decoded.
        resume: go on in a folder that holds an unfinished run.
        device, threads: where to compute; threads None: as many as cores for each process.
        save_every: seconds between checkpoints.
    """

    root: str | None = None
    download: bool = False
    workers: int = 0
    skip_corrupt: bool = False
    resume: bool = False
    device: Literal["cpu", "cuda"] = "cpu"
    threads: int | None = None
    save_every: float = 60.0


class Silent:
    """Watches without a word: for processes that do not lead."""

    def begin(self, step: int, steps: int) -> None:
        """Nothing."""

    def look(self, line: dict[str, Any]) -> None:
        """Nothing."""

    def warn(self, text: str) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Stopped:
    """A run that was asked to stop: by which signal, and after how many updates."""

    signal: int
    step: int


class Followers(SystemExit):
    """Ends a process whose leader has already said what is wrong."""


def run(
    run: Run,
    path: Path,
    options: Options,
    watch: Watch,
    stop_asked: Callable[[], bool] = lambda: False,
) -> TrainingRecord | Stopped:
    """Carry out a run, or go on with it.

    Args:
        path: its folder. watch: is told how it gets on; in the leading process alone.
        stop_asked: asked before each update; stops the run like SIGTERM, which does so anyway.

    Returns:
        The record, which the folder holds too; or, after SIGTERM or Ctrl-C, how far it came.

    Raises:
        InputError: the folder is in use, holds another run, or the data cannot be used.
        Diverged, CannotSave: see `repro.training.loop.train`.
    """
    with connect(options.device) as world, contextlib.ExitStack() as stack:
        watch = watch if world.leads else Silent()
        here = int(os.environ.get("LOCAL_WORLD_SIZE", world.size))
        threads = options.threads or _threads(options.device, here)
        place = Place(device=options.device, ranks=world.size, threads=threads)
        folder = _together(world, lambda: _begin(run, path, options, place, watch, stack))
        if done := world.from_leader(folder and folder.record()):
            return done
        check_parts(run.setting, place)
        torch.set_num_threads(threads)
        if options.device == "cuda":
            stack.callback(_give_back)
            torch.cuda.reset_peak_memory_stats()
            torch.backends.cudnn.benchmark = True
        source = open_source(
            run.setting,
            run.net.resolution,
            world,
            options.root,
            options.download,
            options.workers,
            options.skip_corrupt,
        )
        if folder and folder.description() is None:  # not before: a typing error takes no folder
            code = code_of(TrainingRecord.entry)
            folder.describe({**run.described(), "place": place.model_dump(), "code": code})
        net = replace(run.net, num_classes=len(source.classes))
        with _signals() as asked:
            outcome = train(
                net,
                run.setting,
                source,
                world,
                folder,
                watch,
                lambda: bool(asked) or stop_asked(),
                options.save_every,
            )
        if outcome.test is None:
            return Stopped(asked[0] if asked else signal.SIGTERM, outcome.progress.step)
        record = _record(run, net, source, place, outcome, folder) if folder else None
        if folder and record:
            folder.finish(record, outcome.weights)
        result: TrainingRecord = world.from_leader(record)
        return result


def _give_back() -> None:
    """Free the GPU's memory: other runs may share it, and this process may have more of them."""
    gc.collect()
    torch.cuda.empty_cache()


def _threads(device: str, processes: int) -> int:
    """Of each process: all cores, shared out among those on this machine."""
    import psutil

    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    return max(1, cores // processes) if device == "cpu" else 1


def _together(world: World, action: Callable[[], RunFolder]) -> RunFolder | None:
    """Do something in the leader; where that fails, all processes end, and one speaks."""
    problem, result = None, None
    if world.leads:
        try:
            result = action()
        except InputError as error:
            problem = error
    failed = world.from_leader(problem is not None)
    if problem:
        raise problem
    if failed:
        raise Followers(2)
    return result


def _begin(
    run: Run, path: Path, options: Options, place: Place, watch: Watch, stack: contextlib.ExitStack
) -> RunFolder:
    """Take the folder, and check that it is fresh or holds this very run."""
    folder = stack.enter_context(open_folder(path))
    before = folder.description()
    if before is None:
        return folder
    if not options.resume:
        state = "a finished run" if folder.record() else "an unfinished run"
        raise InputError(
            f"folder {str(path)!r} holds {state}; --resume goes on with it, or choose another --out"
        )
    check_resumable(before, run.described(), path)
    if place.model_dump() != before["place"]:
        watch.warn(
            "this run began on {device} with {ranks} processes of {threads} threads".format(
                **before["place"]
            )
            + "; elsewhere it ends a little differently"
        )
    if changed := _changed(before):
        watch.warn(f"code has changed since this run began: {', '.join(changed)}")
    return folder


def _changed(description: dict[str, Any]) -> tuple[str, ...]:
    """Modules that are not what they were when the run began."""
    before, now = description["code"], code_of(TrainingRecord.entry)
    return tuple(sorted(k for k in before.keys() | now.keys() if before.get(k) != now.get(k)))


def _record(
    run: Run, net: Network, source: Source, place: Place, outcome: Outcome, folder: RunFolder
) -> TrainingRecord:
    subject: Subject = subject_of(net, run.base, run.strategy, run.scale)
    setting = run.setting.model_dump(mode="json")
    assert outcome.test is not None
    inputs = training_inputs(subject, setting, source.digest, place.ranks)
    machine = machine_of.machine(place.device)
    return TrainingRecord(
        **stamp(TrainingRecord.entry, inputs, machine),
        subject=subject,
        setting=setting,
        data=DataUsed(
            about=source.about,
            digest=source.digest,
            classes=len(source.classes),
            **source.images,
        ),
        ranks=place.ranks,
        threads=place.threads,
        curve=outcome.curve,
        reported_epoch=outcome.reported_epoch,
        test=outcome.test,
        train_s=outcome.progress.train_s,
        data_s=outcome.progress.data_s,
        peak_bytes=outcome.peak_bytes,
        interruptions=outcome.progress.interruptions,
        other_code=_changed(folder.description() or {"code": {}}),
    )


@contextlib.contextmanager
def _signals() -> Iterator[list[int]]:
    """Collects SIGTERM and Ctrl-C in place of dying from them; a second one of them kills."""
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield asked  # signals are for the main thread
        return

    def ask(number: int, _: FrameType | None) -> None:
        asked.append(number)
        signal.signal(number, before[number])

    before = {int(number): signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        for number in before:
            signal.signal(number, ask)
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


__all__ = ["Options", "Silent", "Stopped", "ranks", "run"]
