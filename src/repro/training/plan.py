"""From what a user asks for to a `Run`: which network at which size, and every default filled in.

No torch here: a sweep of hundreds of runs is planned at once.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from repro.arch import NAMES, Network, Strategy, get, scale
from repro.arch.proxies import PROXIES
from repro.complexity import complexity
from repro.errors import InputError, did_you_mean
from repro.records import checked
from repro.runtime.jobs import short_strategy
from repro.training.names import CLASSES, IN_MEMORY, RESOLUTION, check_name
from repro.training.recipe import Recipe, preset
from repro.training.spec import Setting

PRESET = {name: "small-data" for name in IN_MEMORY}
"""Recipe by default; the first paper's where nothing else is said."""
HOLDOUT = {name: 0.1 for name in IN_MEMORY}
BATCH = {"digits": 16}
"""Digits are so few that larger batches leave a large network too few updates to learn."""


@dataclass(frozen=True)
class Run:
    """A network, at the resolution that it is trained at, and how it is trained.

    ``base`` is the name of the unscaled network; the data decide on classes in the end.
    """

    net: Network
    base: str
    strategy: Strategy | None
    scale: float | None
    setting: Setting

    def described(self) -> dict[str, Any]:
        """What a resumed run must agree with, as plain values."""
        network = dataclasses.asdict(self.net)
        return {"network": network, "setting": self.setting.model_dump(mode="json")}


@dataclass(frozen=True)
class Options:
    """What changes nothing in a run's result.

    Attributes:
        root: folder of the data. workers: processes that decode images, for each that trains.
        skip_corrupt: go on without images that cannot be decoded.
        resume: go on in a folder that holds an unfinished run.
        threads: None: as many as cores for each process. save_every: seconds between checkpoints.
    """

    root: str | None = None
    download: bool = False
    workers: int = 0
    skip_corrupt: bool = False
    resume: bool = False
    device: Literal["cpu", "cuda"] = "cpu"
    threads: int | None = None
    save_every: float = 60.0


def find(name: str) -> Network:
    """A small proxy, or what `get` knows; `InputError` suggests the nearest of both."""
    try:
        return PROXIES.get(name) or get(name)
    except InputError:
        near = did_you_mean(name, PROXIES)
        if not near or near != did_you_mean(name, [*NAMES, *PROXIES]):
            raise
    raise InputError(f"unknown network {name!r}.{near} Proxies: {', '.join(PROXIES)}")


def plan(
    name: str,
    data: str,
    strategy: str | None = None,
    factor: float | None = None,
    *,
    resolution: int | None = None,
    same_flops: bool = False,
    preset_name: str | None = None,
    changes: Sequence[str] = (),
    epochs: int | None = None,
    batch: int | None = None,
    **setting: Any,
) -> Run:
    """Fill in a run, or raise `InputError` for anything unknown or out of range.

    Args:
        name, data: of a network or its description's file, of a data set.
        strategy, factor: in the authors' grammar, and on flops; both or neither.
        resolution: that the base is fed before scaling; by default its own, or the data's where
            that is smaller.
        same_flops: choose the factor by `matching_factor`.
        preset_name, changes, epochs, batch: see `repro.training.recipe.preset`; by default what
            suits the data.
        setting: the other values of `Setting`; None leaves the default.
    """
    check_name(data)
    base = find(name)
    if (strategy is None) != (factor is None):
        raise InputError("give both --strategy and --scale, or neither")
    if resolution is None:
        resolution = min(base.resolution, RESOLUTION.get(data, base.resolution))
    if resolution != base.resolution:
        base = base.at(resolution)
    if classes := setting.get("classes") or CLASSES.get(
        data
    ):  # otherwise known when the data have been read; the classifier counts little
        base = replace(base, num_classes=classes)
    net, parsed = base, None
    if strategy is not None and factor is not None:
        parsed = short_strategy(strategy)
        if same_flops:
            factor = matching_factor(base, parsed, factor)
        net = scale(base, parsed, factor)
    if batch is None and preset_name is None:
        batch = BATCH.get(data)
    _check_keys(changes)
    recipe = preset(
        preset_name or PRESET.get(data, "fast-scaling"), changes, epochs=epochs, batch=batch
    )
    given = {key: value for key, value in setting.items() if value is not None}
    values = {"holdout": HOLDOUT.get(data, 0.02), **given, "data": data, "recipe": recipe}
    return Run(net, base.name, parsed, factor, checked(Setting, values, "setting"))


def _check_keys(changes: Sequence[str]) -> None:
    """Where no key of a recipe is near the one that was given, list them all."""
    keys = Recipe.model_fields
    for change in changes:
        key, equals, _ = change.partition("=")
        if equals and key not in keys and not did_you_mean(key, keys):
            raise InputError(f"--set: a recipe has no {key!r}; it has {', '.join(keys)}")


def matching_factor(base: Network, strategy: Strategy, factor: float) -> float:
    """The factor near ``factor`` whose network, after rounding, has nearest to ``factor`` x flops.

    Small networks round coarsely: asked for 4, they give 2.8 to 4.7. The paper, too, chose so.
    """
    target = math.log(factor * complexity(base).flops)

    def miss(candidate: float) -> tuple[float, float]:
        flops = complexity(scale(base, strategy, candidate)).flops
        return round(abs(math.log(flops) - target), 9), abs(math.log(candidate / factor))

    return min((round(factor * 2 ** (k / 32), 4) for k in range(-32, 33)), key=miss)
