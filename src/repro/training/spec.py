"""What a run's result and its record's key depend on, apart from code, network and machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PositiveInt

from repro.errors import InputError
from repro.records import Part
from repro.training.recipe import Recipe

if TYPE_CHECKING:
    import torch

    from repro.arch import Network


class Setting(Part):
    """How one network is trained on one data set.

    Attributes:
        images: train on so many only. classes: that the data must have.
        holdout: share of the training split that is kept for choices, the same at any seed.
        recipe: see `Recipe`. seed: of initial weights, order, crops, dropout.
        accumulate: parts of a batch whose gradients are added up; batch norm sees the parts.
        compile: eager, ``torch.compile``, or forward and backward as one CUDA graph.
    """

    data: str
    images: PositiveInt | None = None
    classes: PositiveInt | None = None
    holdout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    recipe: Recipe = Recipe()
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0
    accumulate: PositiveInt = 1
    amp: Literal["none", "fp16", "bf16"] = "none"
    memory_format: Literal["channels_last", "contiguous"] = "channels_last"
    compile: Literal["none", "graph", "inductor"] = "none"

    def torch_memory_format(self) -> torch.memory_format:
        """The format as torch names it."""
        import torch

        formats = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
        return formats[self.memory_format]


class Place(Part):
    """Device, processes, threads of each. A resumed run ends bit-identical only in its place."""

    device: Literal["cpu", "cuda"] = "cpu"
    ranks: PositiveInt = 1
    threads: PositiveInt = 1


@dataclass(frozen=True)
class Launched:
    """This process's number among those that train together, and among those of its machine."""

    rank: int = 0
    ranks: int = 1
    local_rank: int = 0
    local_ranks: int = 1


def launched() -> Launched:
    """As ``torchrun``, or whatever else sets its variables, has it; one process without them.

    Raises:
        InputError: a part of them alone is there, as a launcher leaves it behind, or no numbers.
    """
    names = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    there = {name: text for name in names if (text := os.environ.get(name))}
    numbers = {}
    for name, text in there.items():
        if name != "MASTER_ADDR":
            if not (text.isascii() and text.isdigit()):
                raise InputError(f"{name}={text!r} in the environment is no number; unset {name}")
            numbers[name] = int(text)
    rank, ranks = numbers.get("RANK", 0), numbers.get("WORLD_SIZE", 1)
    missing = [name for name in names[:4] if name not in there]
    if missing and (rank, ranks) != (0, 1):
        odd = {name: there[name] for name in names[:2] if name in there}
        raise InputError(
            f"{' and '.join(f'{name}={text}' for name, text in odd.items())} in the environment, "
            f"but no {', '.join(missing)}: a launcher's remains? `unset {' '.join(odd)}` trains in "
            "one process; torchrun starts several"
        )
    if rank >= ranks:
        raise InputError(f"RANK={rank} in the environment, but WORLD_SIZE={ranks}; unset both")
    if ranks == 1:
        return Launched()
    local = numbers.get("LOCAL_RANK", 0), numbers.get("LOCAL_WORLD_SIZE", ranks)
    return Launched(rank, ranks, *local)


def differences(before: Any, now: Any, where: str = "") -> list[str]:
    """What differs between two settings, as ``"lr: 2.0, now 1.0"``; nested names are joined."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = [*before, *(k for k in now if k not in before)]
        return [
            text
            for key in keys
            for text in differences(before.get(key), now.get(key), f"{where}.{key}".strip("."))
        ]
    if before == now or (isinstance(before, list | tuple) and list(before) == list(now or ())):
        return []
    return [f"{where}: {before!r}, now {now!r}"]


def check_parts(setting: Setting, place: Place, net: Network) -> None:
    """Raise `InputError` for a batch that cannot be shared out, normalised, or held by a graph."""
    parts = place.ranks * setting.accumulate
    if setting.recipe.batch % parts:
        raise InputError(
            f"batch {setting.recipe.batch} cannot be shared evenly by {place.ranks} processes x "
            f"{setting.accumulate} accumulation steps"
        )
    if setting.recipe.batch == parts and net.resolution <= net.total_stride:
        raise InputError(
            f"batch {setting.recipe.batch} gives batch norm one image at a time, and at "
            f"{net.resolution} pixels the last map of {net.name} is one value per channel: "
            "--batch, --accumulate or fewer processes for two images, or a --resolution above "
            f"{net.total_stride}"
        )
    if setting.compile == "graph":
        wrong = {
            "a CPU": place.device == "cpu",
            "several processes": place.ranks > 1,
            "accumulation": setting.accumulate > 1,
            "amp fp16": setting.amp == "fp16",
        }
        if reasons := [what for what, is_so in wrong.items() if is_so]:
            raise InputError(f"compile 'graph' cannot be combined with {reasons[0]}")
