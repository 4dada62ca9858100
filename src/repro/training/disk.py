"""Images that stay on disk, a folder per class: timm's reader, transforms and prefetching loader.

What timm leaves open is which images come when and with what randomness: here both follow from
seed, epoch and the image's number, so that a run can go on in the middle of an epoch.
"""

from __future__ import annotations

import hashlib
import random
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD, create_transform
from timm.data.loader import PrefetchLoader, fast_collate
from timm.data.readers.reader_image_folder import ReaderImageFolder
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from repro.errors import InputError
from repro.training.recipe import Recipe

TRAIN = ("train",)
TEST = ("val", "validation", "test")


@dataclass(frozen=True)
class Folder:
    """One split: files with their labels, by timm's reader."""

    reader: Any
    root: Path

    @property
    def labels(self) -> NDArray[np.int64]:
        return np.array([label for _, label in self.reader.samples], np.int64)

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.reader.class_to_idx)

    def digest(self) -> str:
        """Of names and sizes of all files: contents of a million images are not read for it."""
        text = hashlib.sha256()
        for path, _ in self.reader.samples:
            file = Path(path)
            text.update(f"{file.relative_to(self.root)} {file.stat().st_size}\n".encode())
        return text.hexdigest()[:16]


def open_folders(root: str | Path) -> tuple[Folder, Folder]:
    """The folders ``train/<class>/...`` and ``val/<class>/...`` (or ``validation``, ``test``).

    `InputError` where one is missing or empty, or the two have different classes.
    """
    train, test = _split(Path(root), TRAIN), _split(Path(root), TEST)
    if train.classes != test.classes:
        odd = sorted(set(train.classes) ^ set(test.classes))
        raise InputError(
            f"{train.root} has {len(train.classes)} classes and {test.root} {len(test.classes)}; "
            f"not in both: {', '.join(odd[:5])}{' ...' * (len(odd) > 5)}"
        )
    return train, test


def _split(root: Path, names: Sequence[str]) -> Folder:
    for name in names:
        if (root / name).is_dir():
            try:
                return Folder(ReaderImageFolder(str(root / name)), root / name)
            except RuntimeError:
                raise InputError(f"{root / name} holds no images in class folders") from None
    raise InputError(f"data folder {str(root)!r} has no {' or '.join(names)} folder in it")


class _Images(TorchDataset[tuple[Any, int]]):
    """Decodes and augments one image at a time, in a worker.

    With ``skip_corrupt``, the next image ``among`` the split's replaces one that is damaged.
    """

    def __init__(
        self,
        folder: Folder,
        among: NDArray[np.int64],
        transform: Any,
        key: tuple[int, ...],
        skip_corrupt: bool,
    ) -> None:
        self.folder, self.among, self.transform, self.key = folder, among, transform, key
        self.skip_corrupt = skip_corrupt

    def __getitem__(self, index: int) -> tuple[Any, int]:
        path, label = self.folder.reader.samples[index]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # EXIF that Pillow finds odd
                image = Image.open(path).convert("RGB")
        except (OSError, SyntaxError, ValueError) as error:
            if self.skip_corrupt:
                after = int(np.searchsorted(self.among, index)) + 1
                return self[int(self.among[after % len(self.among)])]
            # As a value: an error raised in a worker would come out wrapped in its traceback.
            return f"image {path} cannot be decoded: {str(error).splitlines()[0]}", label
        seed = int.from_bytes(hashlib.sha256(repr((*self.key, index)).encode()).digest()[:4])
        random.seed(seed)
        np.random.seed(seed)
        torch.default_generator.manual_seed(seed)
        return self.transform(image), label


def _collate(batch: list[tuple[Any, int]]) -> Any:
    for image, _ in batch:
        if isinstance(image, str):
            raise _Corrupt(_MARK + image)
    return fast_collate(batch)


_MARK = "\u241e"


class _Corrupt(Exception):
    """Names an image, behind a mark: a loader puts a worker's traceback before the text."""


def batches(
    folder: Folder,
    among: NDArray[np.int64],
    groups: list[list[int]],
    transform: Any,
    key: tuple[int, ...],
    device: torch.device,
    workers: int,
    skip_corrupt: bool,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches on the device, normalised, decoded by workers while the device is busy.

    The split's indices come ascending (``among``) and by batch (``groups``); randomness follows
    from ``key`` and index alone. `InputError` names an image that cannot be decoded.
    """
    loader = DataLoader(
        _Images(folder, among, transform, key, skip_corrupt),
        batch_sampler=groups,
        collate_fn=_collate,
        num_workers=workers,
        pin_memory=device.type == "cuda",
    )
    try:
        yield from PrefetchLoader(
            loader, mean=IMAGENET_DEFAULT_MEAN, std=IMAGENET_DEFAULT_STD, device=device
        )
    except _Corrupt as error:
        what = str(error).rpartition(_MARK)[2].strip()
        raise InputError(f"{what}; --skip-corrupt goes on without it") from None


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
