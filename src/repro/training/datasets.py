"""Small data sets, decoded once and held in memory: digits, CIFAR-10, Tiny ImageNet.

A folder holds the official files, or packed ones: ``*.npz`` with the JPEG files laid end to end.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import os
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repro.errors import InputError
from repro.training.download import ARCHIVES, fetch
from repro.training.image import rgb
from repro.training.names import RESOLUTION, check_name

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    pixels: Pixels
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, which: NDArray[np.int64]) -> Split:
        return Split(self.pixels[which], self.labels[which])


@dataclass(frozen=True)
class Dataset:
    """A data set in memory, split as published (digits: by a fixed rule).

    Attributes:
        source: what was read, in words, without the folder.
        mirror: images may be mirrored without changing what they show.
        resolution: pixels that the base network is fed by default.
        digest: of the encoded images and labels, to tell one copy from another.
    """

    name: str
    source: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    mirror: bool
    resolution: int
    digest: str

    @property
    def side(self) -> int:
        """Pixels per side of a stored image."""
        return self.train.pixels.shape[2]


def load(name: str, root: str | Path | None = None, download: bool = False) -> Dataset:
    """Read a small data set, once; with ``download``, fetch its archive into an empty ``root``.

    `InputError` names a folder or an image that cannot be used.
    """
    check_name(name)
    if name == "digits":
        return _load(name, "")
    if root is None:
        raise InputError(f"data set {name!r} needs its folder: --root DIR")
    folder = Path(root)
    if download:
        folder.mkdir(parents=True, exist_ok=True)
    if not folder.is_dir():
        raise InputError(f"data folder {str(root)!r} is not there; --download fetches {name}")
    if download and not _find(name, folder):
        fetch(ARCHIVES[name], folder)
    return _load(name, str(folder.resolve()))


@lru_cache(maxsize=2)
def _load(name: str, folder: str) -> Dataset:
    if name == "digits":
        return _digits()
    found = _find(name, Path(folder))
    if not found:
        looked_for = "; ".join(
            f"{inner}/{pattern}".removeprefix("/") for inner, pattern, _ in _READERS[name]
        )
        raise InputError(
            f"data folder {folder!r} holds no {name}: looked for {looked_for}. "
            "--download fetches it"
        )
    read, paths = found
    return read(paths)


def _find(name: str, folder: Path) -> tuple[Callable[[list[Path]], Dataset], list[Path]] | None:
    """The first reader whose files are there; the folder may be the inner or the outer one."""
    for inner, pattern, read in _READERS[name]:
        for place in (folder, folder / inner):
            if paths := sorted(place.glob(pattern)):
                return read, paths
    return None


def fixed_order(labels: Labels, salt: str) -> NDArray[np.int64]:
    """All indices, classes evenly mixed, by the SHA-256 of ``"<salt>:<index in the class>"``."""
    key = np.empty(len(labels))
    for label in np.unique(labels):
        at = np.flatnonzero(labels == label)
        hashes = [hashlib.sha256(f"{salt}:{i}".encode()).digest() for i in range(len(at))]
        rank = np.empty(len(at))
        rank[sorted(range(len(at)), key=hashes.__getitem__)] = np.arange(len(at))
        key[at] = (rank + 0.5) / len(at)
    return np.lexsort((labels, key))


def split_off(
    labels: Labels, holdout: float, images: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices to train on, and to hold out for choices: the same at any seed, classes evenly."""
    order = fixed_order(labels, "hold-out")
    held = round(holdout * len(labels))
    train = order[held:]
    if images is not None:
        if images > len(train):
            raise InputError(
                f"--images {images}: only {len(train)} training images are there "
                f"beside a hold-out of {held}"
            )
        train = train[:images]
    return np.sort(train), np.sort(order[:held])


def _digits() -> Dataset:
    """scikit-learn's embedded digits; by a fixed rule, a fifth is for testing."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    pixels = np.rint(pixels * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
    whole = Split(pixels, labels.astype(np.int64))
    order = fixed_order(whole.labels, "digits")
    tested = len(order) // 5
    return Dataset(
        "digits",
        "scikit-learn's digits (8 x 8)",
        whole.take(np.sort(order[tested:])),
        whole.take(np.sort(order[:tested])),
        tuple("0123456789"),
        mirror=False,
        resolution=RESOLUTION["digits"],
        digest=_digest([whole.pixels, whole.labels]),
    )


def _packed(name: str, source: str, paths: list[Path], test: str) -> Dataset:
    """Packed files; of several parts, labels run on."""
    splits: dict[str, list[tuple[Pixels, Labels]]] = {"train": [], test: []}
    encoded: list[Any] = []
    names: list[str] = []
    for path in paths:
        try:
            with np.load(path) as file:
                first = int(file["classes"][0]) if "classes" in file else 0
                for split, parts in splits.items():
                    jpeg, offset = file[f"{split}_jpeg"], file[f"{split}_offset"]
                    labels = file[f"{split}_y"].astype(np.int64) - first + len(names)
                    images = (jpeg[a:b].tobytes() for a, b in pairwise(offset))
                    where = [f"{path}, {split} image {i}" for i in range(len(labels))]
                    parts.append((_decode(images, where), labels))
                    encoded += [jpeg, labels]
                names += [str(n) for n in file["names"]]
        except (OSError, KeyError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"packed file {str(path)!r} cannot be read: {error}") from None
    both = {
        split: Split(*(np.concatenate(column) for column in zip(*parts, strict=True)))
        for split, parts in splits.items()
    }
    return Dataset(
        name,
        source,
        both["train"],
        both[test],
        tuple(names),
        mirror=True,
        resolution=RESOLUTION[name],
        digest=_digest(encoded),
    )


def _packed_cifar(paths: list[Path]) -> Dataset:
    return _packed("cifar10", "CIFAR-10, re-encoded as JPEG", paths, "test")


def _packed_tiny(paths: list[Path]) -> Dataset:
    parts = ", ".join(path.stem.rpartition("part")[2] for path in paths)
    source = f"Tiny ImageNet, packed parts {parts} ({25 * len(paths)} of 200 classes)"
    return _packed("tiny-imagenet", source, paths, "val")


_CIFAR_RECORD = 1 + 3 * 32 * 32
_CIFAR_BATCH = 10_000


def _cifar_binary(paths: list[Path]) -> Dataset:
    """The official binary version: one byte of label, 3072 of pixels, per image."""
    folder = paths[0].parent
    names = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
    batches = []
    for name in names:
        data = np.frombuffer(_bytes(folder / name), np.uint8)
        if data.size != _CIFAR_BATCH * _CIFAR_RECORD:
            raise InputError(
                f"{folder / name} has {data.size} bytes; {_CIFAR_BATCH * _CIFAR_RECORD} are right"
            )
        batches.append(data.reshape(-1, _CIFAR_RECORD))
    classes = _bytes(folder / "batches.meta.txt").decode().split()
    train, test = np.concatenate(batches[:5]), batches[5]
    splits = [
        Split(rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0].astype(np.int64))
        for rows in (train, test)
    ]
    return Dataset(
        "cifar10",
        "CIFAR-10, official binary version",
        splits[0],
        splits[1],
        tuple(classes),
        mirror=True,
        resolution=RESOLUTION["cifar10"],
        digest=_digest([train, test]),
    )


class _ArraysAlone(pickle.Unpickler):
    """Reads what the official Python version holds, and nothing that could run."""

    def find_class(self, module: str, name: str) -> Any:
        home = module.replace("numpy.core", "numpy._core")
        if (home, name) in _ARRAY_PARTS:
            return getattr(importlib.import_module(home), name)
        raise pickle.UnpicklingError(f"{module}.{name} has no place in it")


_ARRAY_PARTS = {
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


def _cifar_python(paths: list[Path]) -> Dataset:
    """The official Python version, as torchvision keeps it."""
    folder = paths[0].parent
    batches = []
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"]:
        content = io.BytesIO(_bytes(folder / name))
        try:
            batches.append(_ArraysAlone(content, encoding="bytes").load())
        except Exception as error:  # a damaged pickle raises whatever it likes
            raise InputError(f"{folder / name} cannot be read: {error}") from None
    *data, meta = batches
    splits = [
        Split(
            np.concatenate([b[b"data"] for b in part]).reshape(-1, 3, 32, 32),
            np.concatenate([b[b"labels"] for b in part]).astype(np.int64),
        )
        for part in (data[:5], data[5:])
    ]
    return Dataset(
        "cifar10",
        "CIFAR-10, official Python version",
        splits[0],
        splits[1],
        tuple(name.decode() for name in meta[b"label_names"]),
        mirror=True,
        resolution=RESOLUTION["cifar10"],
        digest=_digest(array for s in splits for array in (s.pixels, s.labels)),
    )


def _tiny_folder(paths: list[Path]) -> Dataset:
    """The official folder: train/<wnid>/images, val/images with val_annotations.txt."""
    folder = paths[0].parent
    wnids = _bytes(paths[0]).decode().split()
    label = {wnid: i for i, wnid in enumerate(wnids)}
    train = [
        (path, label[wnid])
        for wnid in wnids
        for path in sorted((folder / "train" / wnid / "images").glob("*.JPEG"))
    ]
    lines = _bytes(folder / "val" / "val_annotations.txt").decode().splitlines()
    val = [
        (folder / "val" / "images" / file, label[wnid])
        for file, wnid, *_ in (line.split("\t") for line in lines)
        if wnid in label
    ]
    if len({at for _, at in train}) < len(wnids):
        lacking = sorted(set(wnids) - {wnids[at] for _, at in train})
        raise InputError(f"{folder}: no training images for {len(lacking)} of {len(wnids)} classes")
    digest, splits = hashlib.sha256(), []
    for files in (train, val):
        contents = [_bytes(path) for path, _ in files]
        for content in contents:
            digest.update(content)
        pixels = _decode(contents, [str(path) for path, _ in files])
        splits.append(Split(pixels, np.array([at for _, at in files], np.int64)))
    return Dataset(
        "tiny-imagenet",
        f"Tiny ImageNet, official files ({len(wnids)} classes)",
        splits[0],
        splits[1],
        tuple(wnids),
        mirror=True,
        resolution=RESOLUTION["tiny-imagenet"],
        digest=digest.hexdigest()[:16],
    )


# Folder that the archive makes, files that tell that this is it, reader.
_READERS: dict[str, list[tuple[str, str, Callable[[list[Path]], Dataset]]]] = {
    "cifar10": [
        ("cifar-10-batches-bin", "data_batch_1.bin", _cifar_binary),
        ("cifar-10-batches-py", "data_batch_1", _cifar_python),
        ("", "cifar10_jpeg.npz", _packed_cifar),
    ],
    "tiny-imagenet": [
        ("tiny-imagenet-200", "wnids.txt", _tiny_folder),
        ("", "tiny_imagenet_part*.npz", _packed_tiny),
    ],
}


def _pixels(content: bytes, where: str) -> Pixels:
    return np.asarray(rgb(io.BytesIO(content), where)).transpose(2, 0, 1)


def _decode(contents: Iterable[bytes], where: Sequence[str]) -> Pixels:
    """Many images of one size, on all cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        decoded: Iterator[Pixels] = pool.map(_pixels, contents, where)
        images = list(decoded)
    for image, name in zip(images, where, strict=True):
        if image.shape != images[0].shape or image.shape[1] != image.shape[2]:
            size = f"{image.shape[2]} x {image.shape[1]}"
            raise InputError(f"image {name} is {size}; all are square and of one size here")
    return np.stack(images)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None


def _digest(arrays: Iterable[NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]
