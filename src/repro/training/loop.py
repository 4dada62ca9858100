"""The training loop: epochs of updates, a look at the hold-out after each, the test split once.

It can be killed at any moment. What an update does follows from the weights before it and from its
number alone, so a run that goes on from a checkpoint ends as if nothing had happened.
"""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from repro.arch import Network
from repro.errors import InputError
from repro.records import DataUsed, EpochScore, Score
from repro.training import checkpoint
from repro.training.distributed import StopTogether, World
from repro.training.folder import RunFolder
from repro.training.sources import Source
from repro.training.spec import Setting, differences
from repro.training.trainer import Diverged, Pace, Trainer

LOOK_EVERY = 20
"""Updates between two looks at the losses, at most: on a GPU each look waits for it."""
LOOKS_PER_EPOCH = 8


class Watch(Protocol):
    """Who is told how a run is getting on."""

    def begin(self, step: int, steps: int, data: DataUsed) -> None:
        """The run starts, or goes on, after ``step`` of ``steps`` updates."""

    def look(self, line: dict[str, Any]) -> None:
        """A line of metrics was written."""

    def warn(self, text: str) -> None:
        """Something is odd, but the run goes on."""


@dataclass
class Progress:
    """What has happened so far, as far as the outcome needs it; a part of every checkpoint.

    ``data`` is the images' identity, ``pending`` the losses since the last line of metrics,
    ``best`` the best epoch on the hold-out with its weights.
    """

    data: dict[str, Any]
    step: int = 0
    epoch_loss: float = 0.0
    pending: list[float] = field(default_factory=list)
    curve: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Any] | None = None
    train_s: float = 0.0
    data_s: float = 0.0
    interruptions: int = 0


@dataclass(frozen=True)
class Outcome:
    """What a run came to. ``test`` is None when it was stopped before its end."""

    progress: Progress
    curve: tuple[EpochScore, ...]
    weights: dict[str, Any]
    reported_epoch: int
    test: Score | None
    peak_bytes: int | None


def train(
    net: Network,
    setting: Setting,
    source: Source,
    world: World,
    folder: RunFolder | None,
    watch: Watch,
    stop_asked: Callable[[], bool] = lambda: False,
    save_every: float = 60.0,
) -> Outcome:
    """Train a network to the end, or until asked to stop.

    Args:
        net: with the data's classes and resolution. folder: None in processes that do not lead.
        stop_asked: whether this process was asked to stop; then all save and return.
        save_every: seconds between checkpoints at least; the end of a run always has one.

    Raises:
        Diverged: a loss was no number; the last checkpoint is from before.
        CannotSave: full disk. InputError: a damaged image, or a folder of other images' run.
    """
    recipe = setting.recipe
    steps, last = source.steps, source.steps * recipe.epochs
    trainer = Trainer(net, setting, world, Pace(steps, source.images["train"]))
    progress = _go_on(trainer, source, world, folder, watch)
    log = _Log(trainer, source, folder, watch, progress, save_every)
    stop = StopTogether(world)
    watch.begin(progress.step, last, source.used)
    try:
        while progress.step < last:
            epoch, start = divmod(progress.step, steps)
            stream = source.epoch(epoch, start)
            while progress.step < (epoch + 1) * steps:
                if stop(stop_asked()):
                    log.save()
                    return _outcome(trainer, progress, None)
                log.timer()
                try:
                    micro, mixup = next(stream)
                except InputError:  # an image cannot be decoded; what was learned is kept
                    if world.size == 1:  # others wait for this process elsewhere
                        log.save()
                    raise
                log.got_data()
                loss = trainer.update(micro, mixup, progress.step)
                progress.step += 1
                log.add(loss)
            log.end_epoch(epoch + 1)
        log.save()
        with _Reported(trainer, progress):
            test = trainer.evaluate(source.evaluation("test"))
            return _outcome(trainer, progress, test)
    finally:
        stop.close()


def _go_on(
    trainer: Trainer, source: Source, world: World, folder: RunFolder | None, watch: Watch
) -> Progress:
    """Take over the last intact checkpoint, the leader's choice; a fresh start without one."""
    data = source.used.identity()
    path = folder and checkpoint.last_intact(folder.checkpoints, watch.warn)
    path = world.from_leader(path)
    if path is None:
        if folder:
            folder.forget_after(-1)
        return Progress(data)
    state = checkpoint.read(path)
    progress = Progress(**state["progress"])
    if odd := differences(progress.data, data):
        raise InputError(
            f"{path.parent} is of a run on other images than those in --root now: {odd[0]}"
        )
    source.gather(state["skipped"])
    trainer.restore(state["trainer"])
    progress.interruptions += 1
    if folder:
        folder.forget_after(progress.step)
    return progress


class _Log:
    """Losses, times, checkpoints on their way to the folder; a GPU waits only for a look."""

    def __init__(
        self,
        trainer: Trainer,
        source: Source,
        folder: RunFolder | None,
        watch: Watch,
        progress: Progress,
        save_every: float,
    ) -> None:
        self.trainer, self.source, self.folder, self.watch = trainer, source, folder, watch
        self.progress, self.steps, self.save_every = progress, source.steps, save_every
        self.look_every = max(1, min(LOOK_EVERY, source.steps // LOOKS_PER_EPOCH))
        self.losses: list[torch.Tensor] = []
        self.started = self.saved = time.monotonic()
        self.waited = self.asked = 0.0
        self.timed = 0

    def timer(self) -> None:
        self.asked = time.monotonic()
        if not self.losses:
            self.started, self.waited = self.asked, 0.0

    def got_data(self) -> None:
        self.waited += time.monotonic() - self.asked

    def add(self, loss: torch.Tensor) -> None:
        """After an update: its loss. Looks and saves now and then, and looks at an epoch's end."""
        self.losses.append(loss)
        epoch_is_over = self.progress.step % self.steps == 0
        if len(self.losses) + len(self.progress.pending) >= self.look_every or epoch_is_over:
            self.look()
            if not epoch_is_over:
                self.save_if_due()

    def look(self) -> None:
        """Write a line about the updates since the last one."""
        self.fetch()
        progress, losses = self.progress, self.progress.pending
        seconds = time.monotonic() - self.started
        self.write(
            {
                "kind": "train",
                "step": progress.step,
                "epoch": progress.step / self.steps,
                "loss": sum(losses) / len(losses),
                "lr": self.trainer.optimizer.param_groups[0]["lr"],
                "images_per_s": self.timed * self.trainer.setting.recipe.batch / seconds,
                "data_share": self.waited / seconds,
            }
        )
        progress.pending = []

    def fetch(self) -> None:
        """Get the last losses from the device, the mean over all processes; or `Diverged`."""
        if not self.losses:
            return
        world, progress = self.trainer.world, self.progress
        losses = (world.sum(torch.stack(self.losses)) / world.size).tolist()
        self.source.gather()
        self.timed, self.losses = len(losses), []
        for number, loss in enumerate(losses, progress.step - len(losses) + 1):
            if not math.isfinite(loss):
                raise Diverged(f"the loss became {loss} at update {number}{self._kept()}")
            progress.epoch_loss += loss
        progress.pending += losses
        progress.train_s += time.monotonic() - self.started
        progress.data_s += self.waited

    def end_epoch(self, epoch: int) -> None:
        """Judge the hold-out, remember the best weights, write a line, save now and then."""
        trainer, source, progress = self.trainer, self.source, self.progress
        self.check_weights()
        score = None
        if source.images["holdout"]:
            score = trainer.evaluate(source.evaluation("holdout"))
            if progress.best is None or score.wrong < progress.best["wrong"]:
                weights = trainer.judged.state_dict()
                kept = {name: value.to("cpu", copy=True) for name, value in weights.items()}
                progress.best = {"epoch": epoch, "wrong": score.wrong, "weights": kept}
        line = EpochScore(epoch=epoch, train_loss=progress.epoch_loss / self.steps, holdout=score)
        progress.curve.append(line.model_dump())
        progress.epoch_loss = 0.0
        self.write({"kind": "epoch", "step": progress.step, **line.model_dump()})
        self.save_if_due()

    def write(self, line: dict[str, Any]) -> None:
        if self.folder:
            self.folder.log(line)
        self.watch.look(line)

    def check_weights(self) -> None:
        if not self.trainer.is_finite():
            raise Diverged(f"a weight became nan or infinite{self._kept()}")

    def save_if_due(self) -> None:
        if time.monotonic() - self.saved >= self.save_every:
            self.save()

    def save(self) -> None:
        """Write a checkpoint, in the leader: only of a state that is sound, losses looked at."""
        self.fetch()
        self.check_weights()
        if self.folder:
            progress, skipped = vars(self.progress), self.source.skipped
            state = {"trainer": self.trainer.state(), "progress": progress, "skipped": skipped}
            checkpoint.save(self.folder.checkpoints, self.progress.step, state)
        self.saved = time.monotonic()

    def _kept(self) -> str:
        advice = "a lower learning rate may help: --set lr=..."
        there = checkpoint.existing(self.folder.checkpoints) if self.folder else []
        if not there:
            return f"; nothing was saved before; {advice}"
        return f"; the state after update {checkpoint.step_of(there[-1])} is kept; {advice}"


class _Reported:
    """Puts the weights that are to be reported into the judged network, for a while."""

    def __init__(self, trainer: Trainer, progress: Progress) -> None:
        self.model = trainer.judged
        self.best = progress.best if trainer.setting.recipe.report == "best" else None

    def __enter__(self) -> None:
        if self.best:
            self.last = {k: v.clone() for k, v in self.model.state_dict().items()}
            self.model.load_state_dict(self.best["weights"])

    def __exit__(self, *_: object) -> None:
        if self.best:
            self.model.load_state_dict(self.last)


def _outcome(trainer: Trainer, progress: Progress, test: Score | None) -> Outcome:
    best = progress.best if trainer.setting.recipe.report == "best" else None
    if trainer.world.device.type == "cuda":
        peak: int | None = torch.cuda.max_memory_allocated()
    else:
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return Outcome(
        progress,
        tuple(EpochScore(**line) for line in progress.curve),
        {k: v.cpu().clone() for k, v in trainer.judged.state_dict().items()},
        best["epoch"] if best else len(progress.curve),
        test,
        peak,
    )
