"""Networks that this project does not describe, by timm's names: ``timm/resnest50d``.

They are timed like described ones, at the resolution that timm gives them, with random weights.
What they do for one image is counted from the operators that they run on the meta device, where
every operator is one that `repro.counters` knows. Only what asks for one imports torch and timm.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from repro.errors import InputError, did_you_mean
from repro.records import Device, Subject

if TYPE_CHECKING:
    from repro.counters import Counts

PREFIX = "timm/"
UNCOUNTED = ("attention", "bmm", "mm", "mv", "dot", "conv", "lstm", "gru", "rnn", "fft", "sampl")
"""In the name of an operator that `repro.counters` passes over: then there is work it misses."""


@dataclass(frozen=True, slots=True)
class TimmNetwork:
    """What a job holds of a network from timm, in place of a description.

    Attributes:
        name: with ``timm/``. resolution: pixels per side of the images.
        params: trainable ones. layers: modules without parts, for estimates.
        flops, acts: for one image, by the first paper's convention; None: not all of it is counted.
    """

    name: str
    resolution: int
    params: int
    layers: int
    flops: int | None
    acts: int | None

    def at(self, resolution: int) -> TimmNetwork:
        """The network on images of another size."""
        return find(self.name, resolution)

    def build(self, device: Device) -> Any:
        """The module, with timm's random weights."""
        return create(self.name, device)

    def subject(self) -> Subject:
        """As records keep it."""
        return Subject(
            name=self.name,
            base=self.name,
            resolution=self.resolution,
            flops=self.flops,
            params=self.params,
            acts=self.acts,
        )


def is_timm_name(name: str) -> bool:
    """Whether a name is meant to be one of timm's."""
    return name.startswith(PREFIX)


@cache
def find(name: str, resolution: int | None = None) -> TimmNetwork:
    """A network of timm's (``timm/NAME``), counted, at timm's own resolution where none is given.

    Raises:
        InputError: timm has no such network (the message suggests the nearest), or it cannot be
            run on square images of three channels.
    """
    counts, size, module = counted(name, resolution)
    missed = any(word in operator for operator in counts.free for word in UNCOUNTED)
    return TimmNetwork(
        name=name,
        resolution=size,
        params=counts.params,
        layers=sum(not any(True for _ in part.children()) for part in module.modules()),
        flops=None if missed else counts.flops,
        acts=None if missed else counts.acts,
    )


def counted(name: str, resolution: int | None = None) -> tuple[Counts, int, Any]:
    """What a network of timm's does for one image, the resolution, and the module on meta.

    Raises:
        InputError: as `find`.
    """
    from timm import list_models
    from timm.models import is_model

    from repro.counters import count

    short = name.removeprefix(PREFIX)
    if not is_model(short):
        raise InputError(
            f"timm has no network {short!r}.{did_you_mean(short, list_models())}"
            " timm.list_models() has all names."
        )
    module = create(name, "meta")
    size = module.default_cfg["input_size"][-1] if resolution is None else resolution
    try:
        return count(module, (3, size, size)), size, module
    except (RuntimeError, NotImplementedError, AssertionError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{name} cannot be run on images of {size} x {size}: {reason}") from None


def create(name: str, device: str, **arguments: Any) -> Any:
    """The module, with timm's random weights; on the meta device with none.

    arguments: of its constructor, where not timm's own.
    """
    import timm
    import torch

    short = name.removeprefix(PREFIX)
    if device != "meta":
        with torch.device(device):
            return timm.create_model(short, **arguments)
    from repro.counters import Unfilled

    with torch.device(device), Unfilled():
        return timm.create_model(short, **arguments)
