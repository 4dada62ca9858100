"""What a run's result and its record's key depend on, apart from code, network and machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

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
    seed: NonNegativeInt = 0
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
