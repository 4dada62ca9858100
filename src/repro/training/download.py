"""Official archives of data sets: fetched with a progress bar, checked, unpacked."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro.errors import InputError


@dataclass(frozen=True)
class Archive:
    """Where an archive is, how large, and its SHA-256."""

    url: str
    size: int
    sha256: str


ARCHIVES = {
    "cifar10": Archive(
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        170_052_171,
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    ),
    "tiny-imagenet": Archive(
        "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
        248_100_043,
        "6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821",
    ),
}
"""CIFAR-10's binary version holds plain bytes: nothing in it has to be unpickled."""


def fetch(archive: Archive, folder: Path) -> None:
    """Download an archive and unpack it in a folder, once its checksum is found right.

    `InputError` where it cannot be fetched, is another file, or does not fit on the disk.
    """
    name = archive.url.rpartition("/")[2]
    with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as place:
        packed, unpacked = Path(place, name), Path(place, "unpacked")
        try:
            found = _download(archive, packed)
            if found != archive.sha256:
                raise InputError(
                    f"{archive.url}: its SHA-256 is {found}, not {archive.sha256}; it was cut "
                    "short, or is another file than the one expected"
                )
            safely: Any = None if name.endswith(".zip") else "data"  # zip's reader does so anyway
            shutil.unpack_archive(packed, unpacked, filter=safely)
            for item in unpacked.iterdir():
                item.rename(folder / item.name)
        except OSError as error:
            reason = getattr(error, "reason", None) or error.strerror or error
            raise InputError(f"{archive.url} cannot be fetched into {folder}: {reason}") from None


def _download(archive: Archive, to: Path) -> str:
    """Fetch to a file; the SHA-256 of what came."""
    from tqdm import tqdm

    request = urllib.request.Request(archive.url, headers={"User-Agent": "repro"})
    show = {"total": archive.size, "desc": to.name, "disable": None, "leave": False}
    with urllib.request.urlopen(request, timeout=60) as source, to.open("w+b") as file:
        with tqdm.wrapattr(source, "read", **show) as watched:
            shutil.copyfileobj(watched, file)
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()
