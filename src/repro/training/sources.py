"""Where batches come from: a data set held on the device, or files on disk, behind one interface.

The training images of an epoch are the same, in the same order, in any number of processes: batch
t is positions t B to (t + 1) B of the epoch's permutation, and each process takes its slice of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.errors import InputError
from repro.records import DataUsed
from repro.training import augment, disk
from repro.training.datasets import Dataset, Split, load, split_off
from repro.training.distributed import World
from repro.training.names import CLASSES, IN_MEMORY
from repro.training.spec import Setting

Batch = tuple[Tensor, Tensor]
EVAL_BATCH = 256


class Source(Protocol):
    """What training asks of its data.

    Attributes:
        used: what is known of them. images: counts of ``train``, ``holdout``, ``test``.
        steps: updates per epoch; images beyond the last whole batch wait for the next epoch.
        skipped: indices of damaged images that were passed over.
    """

    used: DataUsed
    images: dict[str, int]
    steps: int
    skipped: list[int]

    def epoch(self, epoch: int, start: int) -> Iterator[tuple[list[Batch], Tensor]]:
        """From update ``start`` on: one batch per accumulation step, and the mixup weight.

        Images are (B, 3, S, S), normalised; labels (B,).
        """

    def evaluation(self, split: str) -> Iterator[Batch]:
        """This process's share of ``"holdout"`` or ``"test"``."""

    def gather(self, known: Sequence[int] = ()) -> None:
        """Bring ``skipped`` up to date: all processes', and those ``known`` from before."""


def open_source(
    setting: Setting,
    size: int,
    world: World,
    root: str | None = None,
    download: bool = False,
    workers: int = 0,
    skip_corrupt: bool = False,
) -> Source:
    """Open the data of a run, in crops of ``size`` pixels; for the rest see `Options`.

    `InputError` where data are missing or unusable, or too few for one batch.
    """
    if setting.data in IN_MEMORY:
        return MemorySource(load(setting.data, root, download), setting, size, world)
    if root is None:
        raise InputError(f"data set {setting.data!r} needs its folder: --root DIR")
    return DiskSource(root, setting, size, world, workers, skip_corrupt)


class _Common:
    """The part that both kinds share: fixed splits, and who takes which images of a batch."""

    def __init__(
        self,
        labels: NDArray[np.int64],
        tested: int,
        setting: Setting,
        size: int,
        world: World,
        names: tuple[str, ...],
        known: dict[str, Any],
    ) -> None:
        self.setting, self.size, self.world = setting, size, world
        self.train, self.held = split_off(labels, setting.holdout, setting.images)
        self.images = {"train": len(self.train), "holdout": len(self.held), "test": tested}
        check_classes(len(names), setting)
        self.steps = len(self.train) // setting.recipe.batch
        if not self.steps:
            raise InputError(
                f"batch {setting.recipe.batch} is larger than the {len(self.train)} training "
                "images; --batch N"
            )
        known = {**known, **self.images, "classes": len(names), "names": names}
        self.used = DataUsed(**known)
        self.skipped: list[int] = []

    def gather(self, known: Sequence[int] = ()) -> None:
        """Nothing: what is in memory is whole."""

    def _slices(self, step: int) -> Iterator[slice]:
        """Positions in the epoch that this process takes, per accumulation step of an update."""
        parts = self.world.size * self.setting.accumulate
        share = self.setting.recipe.batch // parts
        for turn in range(self.setting.accumulate):
            start = step * self.setting.recipe.batch
            start += (turn * self.world.size + self.world.rank) * share
            yield slice(start, start + share)

    def _mine(self, images: int) -> list[list[int]]:
        """Evaluation batches: every so-manyth image."""
        mine = range(self.world.rank, images, self.world.size)
        return [list(mine[i : i + EVAL_BATCH]) for i in range(0, len(mine), EVAL_BATCH)]


class MemorySource(_Common):
    """A decoded data set on the device, augmented there."""

    def __init__(self, data: Dataset, setting: Setting, size: int, world: World) -> None:
        known, tested = {"about": data.source, "digest": data.digest}, len(data.test)
        super().__init__(data.train.labels, tested, setting, size, world, data.classes, known)
        self.side, self.mirror = data.side, data.mirror
        self.format = setting.torch_memory_format()
        train = data.train.take(self.train)
        self.mean, self.std = (t.to(world.device) for t in _statistics(train))
        self.splits = {
            "train": _to_device(train, world.device),
            "holdout": _to_device(data.train.take(self.held), world.device),
            "test": _to_device(data.test, world.device),
        }
        self.box = torch.from_numpy(augment.central_box(setting.recipe, self.side, size))[None]
        self.box = self.box.to(world.device)

    def epoch(self, epoch: int, start: int) -> Iterator[tuple[list[Batch], Tensor]]:
        recipe, device = self.setting.recipe, self.world.device
        draws = augment.draw(
            recipe,
            self.setting.seed,
            epoch,
            self.images["train"],
            self.side,
            self.size,
            self.mirror,
        )
        pixels, labels = self.splits["train"]
        order, boxes, mirrored, mixup = (
            torch.from_numpy(a).to(device)
            for a in (draws.order, draws.boxes, draws.mirrored, draws.mixup)
        )
        for step in range(start, self.steps):
            micro = []
            for at in self._slices(step):
                which = order[at]
                x = pixels[which].float()
                x = augment.resample(x, boxes[at], mirrored[at], self.size, recipe.interpolation)
                if recipe.augment == "autoaugment":
                    x = augment.autoaugment(x, draws.operations[at], draws.values[at])
                micro.append((self._normalised(x), labels[which]))
            yield micro, mixup[step]

    def evaluation(self, split: str) -> Iterator[Batch]:
        pixels, labels = self.splits[split]
        for part in self._mine(len(labels)):
            at = slice(part[0], part[-1] + 1, self.world.size)
            x = pixels[at].float()
            x = augment.resample(x, self.box, None, self.size, self.setting.recipe.interpolation)
            yield self._normalised(x), labels[at]

    def _normalised(self, x: Tensor) -> Tensor:
        x = (x - self.mean) / self.std
        return x.expand(-1, 3, -1, -1).contiguous(memory_format=self.format)


class DiskSource(_Common):
    """Files in class folders, decoded and augmented by timm's pipeline."""

    def __init__(
        self,
        root: str,
        setting: Setting,
        size: int,
        world: World,
        workers: int,
        skip_corrupt: bool,
    ) -> None:
        self.folders = found = disk.open_folders(root, skip_corrupt)
        known = {"about": found.about, "digest": found.digest, "left_out": found.left_out}
        labels = np.array([label for _, label in found.train], np.int64)
        super().__init__(labels, len(found.test), setting, size, world, found.classes, known)
        self.augmented = disk.train_transform(setting.recipe, size)
        self.plain = disk.eval_transform(setting.recipe, size)
        self.options: dict[str, Any] = {"device": world.device, "workers": workers}
        self.damaged: Tensor | None = None  # a mark for each file: of training, then of the test
        if skip_corrupt:
            files = len(found.train) + len(found.test)
            self.damaged = torch.zeros(files, dtype=torch.uint8).share_memory_()
        self.format = setting.torch_memory_format()

    def epoch(self, epoch: int, start: int) -> Iterator[tuple[list[Batch], Tensor]]:
        setting = self.setting
        order = self.train[
            np.random.default_rng([setting.seed, epoch]).permutation(len(self.train))
        ]
        mixup = augment.mixup_weights(setting.recipe, setting.seed, epoch, self.steps)
        weights = torch.from_numpy(mixup).to(self.world.device)
        groups = [
            order[at].tolist() for step in range(start, self.steps) for at in self._slices(step)
        ]
        key = (setting.seed, epoch)
        options = {**self.options, "damaged": self.damaged, "among": self.train}
        stream = disk.batches(self.folders.train, groups, self.augmented, key, **options)
        for step in range(start, self.steps):
            micro = [self._formatted(next(stream)) for _ in range(setting.accumulate)]
            yield micro, weights[step]

    def evaluation(self, split: str) -> Iterator[Batch]:
        samples, index, damaged = self.folders.train, self.held, self.damaged
        if split == "test":
            samples, index = self.folders.test, np.arange(self.images["test"])
            damaged = None if damaged is None else damaged[-len(index) :]
        groups = [index[part].tolist() for part in self._mine(len(index))]
        for batch in disk.batches(
            samples, groups, self.plain, (0,), damaged=damaged, **self.options
        ):
            yield self._formatted(batch)
        self.gather()
        if self.used.skipped.get(split) == len(index):
            raise InputError(f"none of the {len(index)} images of the {split} split can be decoded")

    def gather(self, known: Sequence[int] = ()) -> None:
        found = {*self.skipped, *known}
        if self.damaged is not None:
            found |= {*self.world.sum(self.damaged.int()).nonzero().flatten().tolist()}
        if len(found) > len(self.skipped):
            self.skipped = sorted(found)
            tested = len(self.folders.train) + np.arange(self.images["test"])
            splits = {"train": self.train, "holdout": self.held, "test": tested}
            counts = {name: int(np.isin(self.skipped, at).sum()) for name, at in splits.items()}
            skipped = {name: count for name, count in counts.items() if count}
            self.used = self.used.model_copy(update={"skipped": skipped})

    def _formatted(self, batch: Batch) -> Batch:
        return batch[0].contiguous(memory_format=self.format), batch[1]


def check_classes(found: int, setting: Setting) -> None:
    """Refuse, with an `InputError`, data whose classes are not as many as expected."""
    expected = setting.classes or CLASSES.get(setting.data)
    if expected and found != expected:
        raise InputError(
            f"data set {setting.data!r} has {found} classes in this folder, not {expected}; "
            f"--classes {found} says that this is meant"
        )


def _statistics(split: Split) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation per channel, (C, 1, 1), exact: from counts of the 256 values."""
    channels = split.pixels.swapaxes(0, 1).reshape(split.pixels.shape[1], -1)
    counts = np.stack([np.bincount(c, minlength=256) for c in channels]).astype(np.float64)
    share, values = counts / counts.sum(1, keepdims=True), np.arange(256)
    mean = (share * values).sum(1)
    std = np.sqrt((share * values**2).sum(1) - mean**2)
    mean, std = mean[:, None, None], np.maximum(std, 1.0)[:, None, None]
    return torch.from_numpy(mean).float(), torch.from_numpy(std).float()


def _to_device(split: Split, device: torch.device) -> Batch:
    pixels, labels = torch.from_numpy(split.pixels), torch.from_numpy(split.labels)
    return pixels.to(device), labels.to(device)
