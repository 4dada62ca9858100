"""Names of the data sets and what is known of them without reading them."""

from __future__ import annotations

from repro.errors import InputError, did_you_mean

IN_MEMORY = ("digits", "cifar10", "tiny-imagenet")
ON_DISK = ("imagenet", "folder")
NAMES = IN_MEMORY + ON_DISK
RESOLUTION = {"digits": 32, "cifar10": 32, "tiny-imagenet": 64}
"""What the base network is fed at most by default; on disk: the network's own resolution."""
CLASSES = {"digits": 10, "cifar10": 10, "imagenet": 1000}
"""How many there must be, unless the user says otherwise."""


def check_name(name: str) -> None:
    """Raise `InputError` for a data set that is not there."""
    if name not in NAMES:
        near = did_you_mean(name, NAMES)
        raise InputError(f"unknown data set {name!r}; {', '.join(NAMES)} are there.{near}")
