"""A run from beginning to end: folder, data, processes, training, record."""

from __future__ import annotations

import contextlib
import gc
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import torch

from repro.arch import Network
from repro.errors import InputError
from repro.fingerprint import code_of
from repro.interrupt import handled
from repro.records import (
    DataUsed,
    Protocol,
    TrainingRecord,
    checked,
    stamp,
    training_inputs,
)
from repro.runtime import device as machine_of
from repro.runtime.estimates import check_memory
from repro.runtime.jobs import check_threads, subject_of
from repro.training.distributed import World, connect
from repro.training.folder import RunFolder, open_folder
from repro.training.loop import Outcome, Watch, train
from repro.training.plan import Options, Run
from repro.training.sources import Source, open_source
from repro.training.spec import Place, check_parts, differences, launched

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals after which a run saves its state and ends; the last comes when a terminal is closed."""
WORTH_TRYING = 20_000
"""Updates of a run that earn back the seconds in which cuDNN tries its algorithms on each conv."""


class Silent:
    """Watches without a word: for processes that do not lead."""

    def begin(self, *_: Any, **__: Any) -> None:
        """Nothing."""

    look = warn = begin


@dataclass(frozen=True)
class Stopped:
    """A run that was asked to stop: by which signal, and after how many updates."""

    signal: int
    step: int


def run(
    run: Run,
    path: Path,
    options: Options,
    watch: Watch,
    stop_asked: Callable[[], bool] = lambda: False,
) -> TrainingRecord | Stopped:
    """Carry out a run in the folder ``path``, or go on with it.

    Args:
        watch: is told how it gets on, in the leading process alone.
        stop_asked: asked before each update; stops the run as a signal of `STOPPING` does.

    Returns:
        The record, which the folder holds too; or how far it came.

    Raises:
        InputError: the folder is in use, holds another run, or the data cannot be used.
        Diverged, CannotSave: see `repro.training.loop.train`.
    """
    o = options
    with connect(o.device) as world, contextlib.ExitStack() as stack:
        watch = watch if world.leads else Silent()
        check_threads(o.threads)
        threads = o.threads or _threads(o.device)
        place = Place(device=o.device, ranks=world.size, threads=threads)
        folder = _together(world, lambda: _begin(run, path, options, place, watch, stack))
        if done := world.from_leader(folder and folder.record()):
            return done
        check_parts(run.setting, place, run.net)
        images = run.setting.recipe.batch // (place.ranks * run.setting.accumulate)
        check_memory(run.net, Protocol(device=place.device, mode="step"), images)
        torch.set_num_threads(place.threads)
        if o.device == "cuda":
            # Other runs may share the GPU's memory, and this process may have more of them.
            stack.callback(torch.cuda.empty_cache)
            stack.callback(gc.collect)
            torch.cuda.reset_peak_memory_stats()
        feed = (o.root, o.download, o.workers, o.skip_corrupt)
        source = open_source(run.setting, run.net.resolution, world, *feed)
        _agree(source.used, world, folder)
        updates = run.setting.recipe.epochs * source.steps
        torch.backends.cudnn.benchmark = o.device == "cuda" and updates >= WORTH_TRYING
        if folder and folder.description() is None:  # not before: a typing error takes no folder
            code = code_of(TrainingRecord.entry)
            more = {"code": code, "data": source.used.model_dump(mode="json")}
            folder.describe({**run.described(), "place": place.model_dump(), **more})
        net = replace(run.net, num_classes=source.used.classes)
        asked: list[int] = []
        stop = lambda: bool(asked) or stop_asked()  # noqa: E731
        with handled(asked.append, *STOPPING):
            outcome = train(net, run.setting, source, world, folder, watch, stop, o.save_every)
        if outcome.test is None:
            return Stopped(asked[0] if asked else signal.SIGTERM, outcome.progress.step)
        if skipped := source.used.skipped:
            found = ", ".join(f"{count:,} of {split}" for split, count in skipped.items())
            watch.warn(f"damaged images were passed over: {found}")
        record = _record(run, net, source, place, outcome, folder) if folder else None
        if folder and record:
            folder.finish(record, outcome.weights)
        result: TrainingRecord = world.from_leader(record)
        return result


def _threads(device: str) -> int:
    """Of each process: all cores, shared out among those on this machine."""
    here = launched().local_ranks
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    return max(1, cores // here) if device == "cpu" else 1


def _together(world: World, action: Callable[[], RunFolder]) -> RunFolder | None:
    """Do something in the leader; where that fails, all processes end, and one speaks."""
    problem, result = None, None
    if world.leads:
        try:
            result = action()
        except InputError as error:
            problem = error
    if world.from_leader(problem is not None):
        raise problem or SystemExit(2)
    return result


def _begin(
    run: Run, path: Path, options: Options, place: Place, watch: Watch, stack: contextlib.ExitStack
) -> RunFolder:
    """Take the folder, and check that it is fresh or holds this very run."""
    folder = stack.enter_context(open_folder(path))
    before, now = folder.description(), run.described()
    if not options.resume:
        folder.check_fresh()
    if before is None:
        return folder
    odd = differences(before["network"], now["network"], "network")
    if odd := odd + differences(before["setting"], now["setting"]):
        raise InputError(
            f"folder {str(path)!r} holds another run: {'; '.join(odd[:3])}"
            f"{f'; and {len(odd) - 3} more' * (len(odd) > 3)}. Resume it as it was, or choose "
            "another folder"
        )
    if place.model_dump() != (was := before["place"]):
        watch.warn(
            f"this run began on {was['device']} with {was['ranks']} processes of "
            f"{was['threads']} threads; elsewhere it ends a little differently"
        )
    if changed := _changed(before):
        watch.warn(f"code has changed since this run began: {', '.join(changed)}")
    return folder


def _agree(used: DataUsed, world: World, folder: RunFolder | None) -> None:
    """Check that labels and images are those of the leader, and of the run as it began."""
    now, problem = used.identity(), None
    if odd := differences(world.from_leader(now), now):
        problem = f"process {world.rank} has other images than process 0: {'; '.join(odd[:3])}"
    elif folder and (before := (folder.description() or {}).get("data")):
        was = checked(DataUsed, before, f"{folder.path / 'run.json'}, data")
        if odd := differences(was.identity(), now):
            problem = f"folder {str(folder.path)!r} holds a run on other images: {odd[0]}"
    if world.sum(torch.tensor(float(problem is not None))):  # all processes end, and one speaks
        raise InputError(problem) if problem else SystemExit(2)


def _changed(description: dict[str, Any]) -> tuple[str, ...]:
    """Modules that are not what they were when the run began."""
    before, now = description["code"], code_of(TrainingRecord.entry)
    return tuple(sorted(k for k in before.keys() | now.keys() if before.get(k) != now.get(k)))


def _record(
    run: Run, net: Network, source: Source, place: Place, outcome: Outcome, folder: RunFolder
) -> TrainingRecord:
    subject = subject_of(net, run.base, run.strategy, run.scale)
    setting, progress = run.setting.model_dump(mode="json"), outcome.progress
    inputs = training_inputs(subject, setting, source.used.digest, place.ranks)
    assert outcome.test is not None
    return TrainingRecord(
        **stamp(TrainingRecord.entry, inputs, machine_of.machine(place.device)),
        subject=subject,
        setting=setting,
        data=source.used,
        ranks=place.ranks,
        threads=place.threads,
        curve=outcome.curve,
        reported_epoch=outcome.reported_epoch,
        test=outcome.test,
        train_s=progress.train_s,
        data_s=progress.data_s,
        peak_bytes=outcome.peak_bytes,
        interruptions=progress.interruptions,
        other_code=_changed(folder.description() or {"code": {}}),
    )
