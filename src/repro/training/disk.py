"""Images that stay on disk, a folder per class: timm's transforms and prefetching loader.

What timm leaves open is which images come when and with what randomness: here both follow from
seed, epoch and the image's number, so that a run can go on in the middle of an epoch. Labels, too,
follow from names alone; timm's reader lets a hash seed decide between ``a`` and ``A``.
"""

from __future__ import annotations

import hashlib
import os
import random
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD, create_transform
from timm.data.loader import PrefetchLoader, fast_collate
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from repro.errors import InputError
from repro.training.image import rgb, shown
from repro.training.recipe import Recipe

TRAIN = ("train",)
TEST = ("val", "validation", "test")
ENDINGS = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Of images, in any case: those that torchvision reads."""
REASONS = 12
"""Named for files left out, at most: every file may have an ending of its own."""

Samples = list[tuple[str, int]]
"""Paths, with their labels."""


@dataclass(frozen=True)
class Folders:
    """Both splits, and what was found beside their images.

    Attributes:
        digest: of names and sizes of all images: the contents of a million are not read for it.
        left_out: how many files and folders were not read, by reason.
    """

    train: Samples
    test: Samples
    classes: tuple[str, ...]
    about: str
    digest: str
    left_out: dict[str, int]


def open_folders(root: str | Path, skip_corrupt: bool = False) -> Folders:
    """The folders ``train/<class>/...`` and ``val/<class>/...`` (or ``validation``, ``test``).

    Images in folders inside a class folder are of that class, as in torchvision, and classes are
    in the order of their names' bytes. A link is followed; what was read before is left out.

    `InputError` where a folder is missing, empty or closed, the two have different classes, a link
    leads nowhere (unless ``skip_corrupt``), or one file is in two classes or in both splits.
    """
    scan = _Scan(skip_corrupt)
    try:
        train, classes, images = scan.split(Path(root), TRAIN)
        test, others, tested = scan.split(Path(root), TEST)
    except OSError as error:
        where = shown(str(error.filename))
        raise InputError(f"{where} cannot be read: {error.strerror}") from None
    if classes != others:
        odd = sorted(set(classes) ^ set(others))
        raise InputError(
            f"{train} has {len(classes)} classes and {test} {len(others)}; "
            f"not in both: {', '.join(odd[:5])}{' ...' * (len(odd) > 5)}"
        )
    about = f"class folders in {train.name} and {test.name}"
    about += f", with {scan.inner} folders inside them" * bool(scan.inner)
    why = dict(scan.left_out.most_common(REASONS))
    if rest := scan.left_out.total() - sum(why.values()):
        why["others"] = rest
    return Folders(images, tested, classes, about, scan.digest.hexdigest()[:16], why)


class _Scan:
    """Reads the names in folders, and remembers what was read and what was not."""

    def __init__(self, skip_corrupt: bool) -> None:
        self.skip_corrupt = skip_corrupt
        self.digest = hashlib.sha256()
        self.left_out: Counter[str] = Counter()
        self.inner = 0
        self.first: dict[tuple[int, int], str] = {}
        """The path by which each image was found, by device and number of its file."""

    def split(self, root: Path, names: Sequence[str]) -> tuple[Path, tuple[str, ...], Samples]:
        place = next((root / name for name in names if (root / name).is_dir()), None)
        if place is None:
            raise InputError(f"data folder {str(root)!r} has no {' or '.join(names)} folder in it")
        above = {_identity(path.stat()) for path in (place, *place.resolve().parents)}
        cut = len(str(place)) - len(place.name)
        classes: list[str] = []
        samples: Samples = []
        for entry, status in self.entries(str(place)):
            if not S_ISDIR(status.st_mode):
                self.left_out["beside the class folders"] += 1
                continue
            before, walked = len(samples), {*above, _identity(status)}
            for path, size in self.images(entry.path, entry.path + os.sep, walked):
                self.digest.update(os.fsencode(f"{path[cut:]} {size}\n"))
                samples.append((path, len(classes)))
            if len(samples) == before:
                raise InputError(
                    f"{shown(entry.path)} holds no images; a class is a folder of files that end "
                    f"in {', '.join(ENDINGS)}"
                )
            classes.append(shown(entry.name))
        if not classes:
            raise InputError(f"{place} holds no images in class folders")
        return place, tuple(classes), samples

    def images(
        self, folder: str, top: str, walked: set[tuple[int, int]]
    ) -> Iterator[tuple[str, int]]:
        """Paths and sizes of the images in a folder, and in those inside it that are new."""
        for entry, status in self.entries(folder):
            identity = _identity(status)
            _, dot, ending = entry.name.lower().rpartition(".")
            if S_ISDIR(status.st_mode):
                if identity in walked:  # also one further up, which would never end
                    self.left_out["folders linked to again"] += 1
                    continue
                walked.add(identity)
                self.inner += 1
                yield from self.images(entry.path, top, walked)
            elif not S_ISREG(status.st_mode):  # a pipe would be waited for
                self.left_out["not plain files"] += 1
            elif dot + ending not in ENDINGS:
                self.left_out[f".{shown(ending)}" if dot else "without an ending"] += 1
            elif (first := self.first.setdefault(identity, entry.path)) == entry.path:
                yield entry.path, status.st_size
            elif first.startswith(top):
                self.left_out["linked to again"] += 1
            else:
                raise InputError(
                    f"{shown(first)} and {shown(entry.path)} are one file; an image is of one "
                    "class and one split"
                )

    def entries(self, folder: str) -> Iterator[tuple[os.DirEntry[str], os.stat_result]]:
        """What is in a folder, in an order that neither a locale nor a hash seed decides."""
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: os.fsencode(entry.name))
        for entry in entries:
            if entry.name.startswith("."):
                self.left_out["hidden"] += 1
                continue
            try:
                status = entry.stat()
            except OSError as error:
                if not entry.is_symlink():
                    raise
                if not self.skip_corrupt:
                    raise InputError(
                        f"link {shown(entry.path)} leads nowhere: {error.strerror}; "
                        "--skip-corrupt goes on without it"
                    ) from None
                self.left_out["broken links"] += 1
                continue
            yield entry, status


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


class _Images(TorchDataset[tuple[Any, int]]):
    """Decodes and augments one image at a time, in a worker; see `batches`."""

    def __init__(
        self,
        samples: Samples,
        transform: Any,
        key: tuple[int, ...],
        damaged: Tensor | None = None,
        among: NDArray[np.int64] | None = None,
    ) -> None:
        self.samples, self.transform, self.key = samples, transform, key
        self.damaged, self.among = damaged, among

    def __getitem__(self, index: int) -> tuple[Any, int]:
        """The image, or None for a damaged one, or what to tell: see `_collate`."""
        label = 0
        for at in self._turns(index):
            path, label = self.samples[at]
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # EXIF that Pillow finds odd
                    image = rgb(path, shown(path))
            except InputError as error:
                if self.damaged is None:
                    return f"{error}; --skip-corrupt goes on without it", label
                self.damaged[at] = 1
                continue
            seed = int.from_bytes(hashlib.sha256(repr((*self.key, at)).encode()).digest()[:4])
            random.seed(seed)
            np.random.seed(seed)
            torch.default_generator.manual_seed(seed)
            return self.transform(image), label
        return None if self.among is None else "no image to train on can be decoded", label

    def _turns(self, index: int) -> Iterator[int]:
        """The image itself; where others may replace it, those after it that may be sound."""
        yield index
        if self.among is not None and self.damaged is not None:
            after = np.searchsorted(self.among, index) + 1
            for step in range(len(self.among) - 1):
                other = int(self.among[(after + step) % len(self.among)])
                if not self.damaged[other]:
                    yield other


def _collate(batch: list[tuple[Any, int]]) -> Any:
    # Text comes as a value: an error raised in a worker would come out wrapped in its traceback.
    for image, _ in batch:
        if isinstance(image, str):
            raise _Corrupt(_MARK + image)
    sound = [pair for pair in batch if pair[0] is not None]
    return fast_collate(sound) if sound else (torch.zeros(0, 3, 1, 1), torch.zeros(0))


_MARK = "\u241e"


class _Corrupt(Exception):
    """Names an image, behind a mark: a loader puts a worker's traceback before the text."""


def batches(
    samples: Samples,
    groups: list[list[int]],
    transform: Any,
    key: tuple[int, ...],
    device: torch.device,
    workers: int,
    damaged: Tensor | None = None,
    among: NDArray[np.int64] | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches on the device, normalised, decoded by workers while the device is busy.

    Randomness follows from ``key`` and an image's index alone. Without ``damaged``, `InputError`
    names an image that cannot be decoded. With it, in memory that workers share, a 1 is put there
    at the image's index; the next sound image ``among`` these indices, which ascend, replaces it,
    or, without them, nothing does: in an evaluation no image counts twice.
    """
    loader = DataLoader(
        _Images(samples, transform, key, damaged, among),
        batch_sampler=groups,
        collate_fn=_collate,
        num_workers=workers,
        pin_memory=device.type == "cuda",
    )
    normalised = PrefetchLoader(
        loader, mean=IMAGENET_DEFAULT_MEAN, std=IMAGENET_DEFAULT_STD, device=device
    )
    try:
        yield from (batch for batch in normalised if len(batch[1]))
    except _Corrupt as error:
        raise InputError(str(error).rpartition(_MARK)[2].strip()) from None


def train_transform(recipe: Recipe, size: int) -> Any:
    """timm's training transform for a recipe; `InputError` for a crop of images in memory."""
    if recipe.crop == "shift":
        raise InputError("crop 'shift' is for small data sets; on disk: area, none")
    if recipe.crop == "none":
        return eval_transform(recipe, size)
    transform: Any = create_transform(
        size,
        is_training=True,
        scale=recipe.area,
        hflip=0.5 if recipe.flip else 0.0,
        color_jitter=0.0,
        auto_augment="v0" if recipe.augment == "autoaugment" else None,
        interpolation=recipe.interpolation,
        use_prefetcher=True,
    )
    for step in transform.transforms:
        for operation in (o for pair in getattr(step, "policy", ()) for o in pair):
            if operation.name == "Posterize":  # 0 bits would leave a black image
                operation.level_fn = _at_least_one_bit
    return transform


def _at_least_one_bit(level: float, _: Any) -> tuple[int]:
    return (max(1, int(level / 10 * 4)),)


def eval_transform(recipe: Recipe, size: int) -> Any:
    """Resize to ``test_resize`` times the size, central crop."""
    return create_transform(
        size,
        is_training=False,
        crop_pct=1 / recipe.test_resize,
        interpolation=recipe.interpolation,
        use_prefetcher=True,
    )
