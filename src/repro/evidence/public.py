"""What the world has measured: some six hundred networks of timm on devices of today.

Source: ``results`` of huggingface/pytorch-image-models, see ``data/reference/README.md``. A family
is one source file of timm: its networks share their blocks, so they are no independent draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

from repro import reference
from repro.errors import InputError

MODES = ("eager", "inductor")


class Setting(NamedTuple):
    """How a column of the table was measured; ``str`` gives the column's name.

    ``mode``: "eager", or "inductor" for torch.compile. ``torch`` is its version.
    """

    device: str
    what: Literal["infer", "train"]
    dtype: str
    layout: str
    torch: str
    mode: Literal["eager", "inductor"]

    def __str__(self) -> str:
        return "/".join(self)


def setting_of(name: str) -> Setting:
    """The parts of a column's name.

    Raises:
        InputError: not the name of a setting.
    """
    parts = name.split("/")
    if len(parts) != 6 or parts[1] not in ("infer", "train") or parts[5] not in MODES:
        raise InputError(
            f"{name!r} is no setting: device/what/dtype/layout/torch/mode is needed, "
            f"what one of infer, train, mode one of {', '.join(MODES)}"
        )
    return Setting._make(parts)


@dataclass(frozen=True, slots=True)
class Public:
    """A network of the table at one image size, with its counts for one image.

    ``seconds``: of one image, in each setting that was measured. ``gflops`` and ``macts`` have two
    decimals, so those of the smallest networks are known to a few percent.
    """

    model: str
    family: str
    resolution: int
    gflops: float
    macts: float
    mparams: float
    seconds: Mapping[Setting, float]


@cache
def public_timings() -> tuple[Public, ...]:
    """The networks of the table, in its order."""
    rows = reference.public_timings()
    settings = {name: setting_of(name) for row in rows for name in row.images_per_s}
    return tuple(
        Public(
            row.model,
            row.module,
            row.image,
            float(row.gmacs),
            float(row.macts),
            float(row.mparams),
            {settings[name]: 1 / float(rate) for name, rate in row.images_per_s.items()},
        )
        for row in rows
    )


@cache
def settings() -> tuple[Setting, ...]:
    """All settings of the table: by device, inference before training, eager before compiled."""
    found = {setting: None for row in public_timings() for setting in row.seconds}
    devices = list(dict.fromkeys(setting.device for setting in found))
    return tuple(
        sorted(found, key=lambda s: (devices.index(s.device), s.what, MODES.index(s.mode)))
    )
