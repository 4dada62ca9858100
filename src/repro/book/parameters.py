"""What each chapter can be run with: names, types, ranges, help, and the tiers.

One pydantic model per chapter. The chapter's parameters cell holds the same names and defaults
as plain literals (papermill needs those); a test keeps the two equal.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from repro.arch import alpha_strategy, get, parse_strategy
from repro.errors import InputError, did_you_mean

Tier = Literal["smoke", "laptop", "gpu", "paper"]
TIERS: tuple[str, ...] = get_args(Tier)


def _known_network(name: str) -> str:
    get(name)
    return name


def _known_strategy(text: str) -> str:
    parse_strategy(text)
    return text


def _no_repeats(names: list[str]) -> list[str]:
    for i, name in enumerate(names):
        if name in names[:i]:
            raise ValueError(f"{name!r} stands there twice; each network once")
    return names


NetworkName = Annotated[str, AfterValidator(_known_network)]
StrategyText = Annotated[str, AfterValidator(_known_strategy)]
Scale = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
Scales = Annotated[list[Scale], Field(min_length=2, max_length=50)]
Networks = Annotated[list[NetworkName], Field(min_length=1), AfterValidator(_no_repeats)]


class Parameters(BaseModel):
    """Base of every chapter's parameters; unknown names and other types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    tiers: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """What a tier changes, beside what the tiers below it do."""


def _differing(scales: list[float]) -> list[float]:
    if len(set(scales)) < 2:
        raise ValueError("a slope needs at least two different scales")
    return scales


class WhatScalingCosts(Parameters):
    """Chapter "What scaling costs"."""

    depth: int = Field(4, ge=1, le=100, description="Convs in the example stage")
    width: int = Field(
        64, ge=8, le=4096, multiple_of=8, description="Channels of the example stage"
    )
    resolution: int = Field(32, ge=1, le=1024, description="Pixels per side of its maps")
    scales: Annotated[Scales, AfterValidator(_differing)] = Field(
        [1, 2, 4, 8, 16, 32], description="Factors on flops to try"
    )


class ScalingRealNetworks(Parameters):
    """Chapter "Scaling real networks"."""

    bases: Networks = Field(
        ["EN-B0", "RegNetY-500MF", "RegNetY-4GF", "RegNetZ-500MF", "RegNetZ-4GF"],
        description="Zoo names of the networks to scale",
    )
    scales: Annotated[Scales, AfterValidator(_differing)] = Field(
        [1, 2, 4, 8, 16, 32], description="Factors on flops to try"
    )
    strategy: Literal["d", "w", "r", "dw", "wr", "dr", "dwr", "dWr"] = Field(
        "dWr", description="The paper's strategy whose rounding is drawn"
    )
    most_blocks: int = Field(
        30, ge=26, le=40, description="Blocks of the deepest RegNetY that the search tries"
    )
    resolution_step: int = Field(
        16, ge=4, le=16, multiple_of=4, description="Between the resolutions that it tries"
    )
    tiers: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "laptop": {
            "scales": [1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96],
            "most_blocks": 40,
            "resolution_step": 4,
        }
    }


def _known_alpha(text: str) -> str:
    alpha_strategy(text)
    return text


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int | float) else value


AlphaText = Annotated[str, BeforeValidator(_as_text), AfterValidator(_known_alpha)]


class FastCompoundScaling(Parameters):
    """Chapter "Fast compound scaling"."""

    bases: Networks = Field(
        ["EN-B0", "RegNetY-500MF", "RegNetY-4GF", "RegNetZ-500MF", "RegNetZ-4GF"],
        description="Zoo names of the networks to scale",
    )
    alphas: list[AlphaText] = Field(
        ["0", "1/3", "2/3", "4/5", "1"],
        min_length=2,
        description="Members of the fast scaling family: width's share of log s",
    )
    scales: Annotated[Scales, AfterValidator(_differing)] = Field(
        [1, 2, 4, 8, 16, 32], description="Factors on flops to try"
    )
    seed: int = Field(0, ge=0, description="Of the bootstrap intervals")
    resamples: int = Field(
        2000, ge=100, le=100_000, description="Bootstrap resamples behind each interval"
    )
    tiers: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "laptop": {
            "alphas": ["0", "1/6", "1/3", "1/2", "2/3", "4/5", "9/10", "1"],
            "scales": [1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96],
            "resamples": 20_000,
        }
    }


class CountingConventions(Parameters):
    """Page "Counting conventions"."""

    networks: Networks = Field(
        ["EN-B0", "ResNet-50", "RegNetY-4.0GF", "RegNetZ-500MF", "EN-X-B0"],
        description="Zoo names of the networks to count with every counter",
    )


def _known_device(name: str) -> str:
    # Late, since two chapters alone read the table of devices.
    from repro.runtime.roofline import device_peaks

    device_peaks(name)
    return name


DeviceName = Annotated[str, AfterValidator(_known_device)]
Channels = Annotated[int, Field(ge=8, le=1024)]


class WhyFlopsMislead(Parameters):
    """Chapter "Why FLOPs mislead"."""

    devices: list[DeviceName] = Field(
        ["H200"], description="Of data/devices.yaml, beside the paper's three"
    )
    accelerator: Literal["V100", "TPUv3"] = Field(
        "V100", description="Whose latencies Equation 1 takes apart"
    )
    batch: int = Field(128, ge=1, le=4096, description="Images at once, for computed intensities")
    channels: Annotated[list[Channels], Field(min_length=1)] = Field(
        [16, 32, 64, 128, 256], description="Widths of the convs of Equation 2"
    )
    records: str | None = Field(None, description="Your file from `repro time --peaks --out FILE`")


class AcceleratorSearchSpace(Parameters):
    """Chapter "A search space for accelerators"."""

    devices: Annotated[list[DeviceName], Field(min_length=1)] = Field(
        ["V100", "H200"], description="Of data/devices.yaml, whose rooflines predict"
    )
    channels: Annotated[list[Channels], Field(min_length=1)] = Field(
        [16, 24, 32, 48, 64, 96, 128, 192], description="Widths of the blocks"
    )
    size: int = Field(56, ge=2, le=512, description="Pixels per side of their maps")
    kernel: Literal[3, 5, 7] = Field(3, description="Of the spatial conv")
    expansion: int = Field(6, ge=1, le=16, description="Hidden width over channels")
    batch: int = Field(128, ge=1, le=4096, description="Images at once")
    fusion: Literal["none", "conv", "all"] = Field(
        "conv", description="Done by convs: nothing, norm and activation, or all"
    )
    records: str | None = Field(None, description="Your file from `repro time NAMES --out FILE`")


def _known_paper(key: str) -> str:
    # Late, since only this page reads the ledger.
    from repro.book.scoreboard import check_paper

    check_paper(key)
    return key


class Scoreboard(Parameters):
    """Page "Scoreboard"."""

    paper: Annotated[str, AfterValidator(_known_paper)] = Field(
        "all", description="Key of one paper of data/claims.yaml, or all"
    )
    unfold: bool = Field(False, description="Open every group, for print")


def _record_of_traps(path: str) -> str:
    # Late, as here and below: only these pages read what a reader brings.
    from repro.book.own_records import locate
    from repro.runtime.trap_record import load

    load(locate(path))
    return path


class TimingHonestly(Parameters):
    """Chapter "How to time honestly"."""

    network: NetworkName = Field(
        "EN-B0", description="Zoo name of the network that is timed while the page runs"
    )
    rounds: int = Field(8, ge=1, le=1000, description="Samples of each way in that live timing")
    records: Annotated[str, AfterValidator(_record_of_traps)] | None = Field(
        None, description="Your own record of the traps"
    )


def _file_of_timings(path: str) -> str:
    from repro.book.own_records import mine

    mine(path)
    return path


class TimeYourOwn(Parameters):
    """Chapter "Time your own machine"."""

    records: Annotated[str, AfterValidator(_file_of_timings)] | None = Field(
        None, description="Your records file; None: the book's own"
    )
    mode: Literal["infer", "train", "step"] = Field(
        "infer", description="Which of your timings to compare"
    )
    network: str = Field(
        "EN-B0", description="Whose conditions to list, by its name in the records"
    )
    device: Literal["cpu", "cuda"] = Field(
        "cpu", description="Where the page itself times two networks"
    )


class WhatPredictsRuntime(Parameters):
    """Chapter "What predicts runtime"."""

    edge: float = Field(140, ge=20, le=1000, description="Acts, M, at which the paper's panels end")
    figure2_dtype: Literal["fp16", "fp32"] = Field(
        "fp16", description="Assumed for Figure 2, whose precision is not stated"
    )
    zoo_dtype: Literal["fp16", "fp32"] = Field(
        "fp32", description="Assumed for the zoo's times, likewise"
    )
    fusion: Literal["none", "conv", "all"] = Field(
        "none", description="Traffic model: what convs do along the way; none is eager"
    )
    seed: int = Field(0, ge=0, description="Of the bootstrap intervals")
    resamples: int = Field(
        2000, ge=100, le=100_000, description="Bootstrap resamples behind each interval"
    )
    tiers: ClassVar[Mapping[str, Mapping[str, Any]]] = {"laptop": {"resamples": 20_000}}


class FastScalingInPractice(Parameters):
    """Chapter "Fast scaling in practice"."""

    factor: float = Field(
        3.5, gt=1, le=100, description="Flops, relative to the base, at which to compare"
    )
    networks: Networks = Field(
        ["EN-B0", "RegNetY-500MF", "RegNetZ-500MF", "RegNetY-4GF", "RegNetZ-4GF"],
        description="Zoo names of the networks whose cost is worked out",
    )
    epochs: int = Field(
        100, ge=1, le=10_000, description="Of one training; the paper's are 100, 200 and 400"
    )
    price_per_hour: float = Field(
        1.0, ge=0, le=1e6, allow_inf_nan=False, description="Of one device, in any currency"
    )


def _file_of_trainings(path: str) -> str:
    from repro.book.accuracy_proxy import read_trainings

    read_trainings(path)
    return path


def _known_proxy(name: str) -> str:
    from repro.training.proxy import PROXIES

    if name not in PROXIES:
        raise ValueError(f"{', '.join(PROXIES)} are there.{did_you_mean(name, PROXIES)}")
    return name


Way = Literal["d", "w", "r", "dwr", "alpha=2/3", "dWr"]
Ways = Annotated[list[Way], Field(min_length=1), AfterValidator(_no_repeats)]
Proxies = Annotated[
    list[Annotated[str, AfterValidator(_known_proxy)]],
    Field(min_length=1),
    AfterValidator(_no_repeats),
]
_WAYS: list[Way] = ["d", "w", "r", "dwr", "alpha=2/3", "dWr"]


class DoesAccuracySurvive(Parameters):
    """Chapter "Does accuracy survive?"."""

    records: Annotated[str, AfterValidator(_file_of_trainings)] | None = Field(
        None, description="Your file of training runs; None: the book's own"
    )
    data: Literal["digits", "cifar10", "tiny-imagenet"] = Field(
        "digits", description="What the page itself trains on"
    )
    root: str | None = Field(
        None, validate_default=True, description="Folder of these images; digits need none"
    )
    proxies: Proxies = Field(["proxy-EN"], description="Bases that the page itself trains")
    ways: Ways = Field(["w", "dwr"], description="How it scales them, to four times the flops")
    seeds: int = Field(1, ge=1, le=20, description="Runs of each")
    epochs: int = Field(3, ge=1, le=1000, description="Of each of these runs")
    device: Literal["cpu", "cuda"] = Field("cpu", description="Where the page itself trains")
    network: NetworkName = Field("EN-B0", description="Zoo network to price on ImageNet")
    scale: Scale = Field(11, description="Factor on its flops")
    strategies: Ways = Field(["dwr", "dWr"], description="How it is scaled")
    imagenet_epochs: int = Field(
        200, ge=1, le=10_000, description="Of one training there; the paper's 2x schedule"
    )
    tiers: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "laptop": {"ways": _WAYS, "seeds": 3, "epochs": 10},
        "gpu": {"proxies": ["proxy-EN", "proxy-Y", "proxy-Z"], "epochs": 20, "device": "cuda"},
        # Commands for all strategies; what the page itself trains is as in smoke again.
        "paper": {
            "strategies": _WAYS,
            "proxies": ["proxy-EN"],
            "ways": ["w", "dwr"],
            "seeds": 1,
            "epochs": 3,
            "device": "cpu",
        },
    }

    @field_validator("root")
    @classmethod
    def _root_where_needed(cls, root: str | None, info: ValidationInfo) -> str | None:
        data = info.data.get("data", "digits")
        if data != "digits" and root is None:
            raise ValueError(f"data set {data!r} needs its folder")
        return root


class EfficientNetX(Parameters):
    """Chapter "EfficientNet-X"."""

    device: Literal["cpu", "cuda"] = Field(
        "cpu", description="Whose records stand beside Table 3; where to time live"
    )


CHAPTERS: Mapping[str, type[Parameters]] = {
    "what-scaling-costs": WhatScalingCosts,
    "scaling-real-networks": ScalingRealNetworks,
    "fast-compound-scaling": FastCompoundScaling,
    "why-flops-mislead": WhyFlopsMislead,
    "accelerator-search-space": AcceleratorSearchSpace,
    "what-predicts-runtime": WhatPredictsRuntime,
    "fast-scaling-in-practice": FastScalingInPractice,
    "does-accuracy-survive": DoesAccuracySurvive,
    "efficientnet-x": EfficientNetX,
    "counting-conventions": CountingConventions,
    "timing-honestly": TimingHonestly,
    "time-your-own": TimeYourOwn,
    "scoreboard": Scoreboard,
}
"""Every executable chapter by its file's stem."""


def parameters_of(chapter: str) -> type[Parameters]:
    """The parameter model of a chapter.

    Raises:
        InputError: no such chapter; the message suggests the nearest.
    """
    if chapter not in CHAPTERS:
        raise InputError(
            f"unknown chapter {chapter!r}.{did_you_mean(chapter, CHAPTERS)}"
            f" Chapters: {', '.join(CHAPTERS)}"
        )
    return CHAPTERS[chapter]


def check(chapter: str, **values: Any) -> Parameters:
    """Validate a chapter's parameters.

    Args:
        chapter: the file's stem, for example ``"scaling-real-networks"``.
        values: parameters by name; the rest keep their defaults.

    Raises:
        InputError: unknown name (suggests the nearest), wrong type, value out of range.
    """
    model = parameters_of(chapter)
    for name in values:
        if name not in model.model_fields:
            allowed = ", ".join(model.model_fields) or "none"
            raise InputError(
                f"chapter {chapter} has no parameter {name!r}."
                f"{did_you_mean(name, model.model_fields)} Parameters: {allowed}"
            )
    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(
            f"parameter {where} = {first['input']!r} of chapter {chapter}: {message}"
        ) from None


def same_as(chapter: str, tier: str) -> str:
    """The least tier in which a chapter computes the same as in this one."""
    tiers = parameters_of(chapter).tiers
    below = TIERS[: TIERS.index(tier) + 1]
    return next((t for t in reversed(below) if tiers.get(t)), TIERS[0])


def parse_value(text: str) -> Any:
    """A value from the command line: Python or YAML notation, else plain text.

    ``4``, ``0.5``, ``[1, 2, 4]``, ``1,2,4``, ``[EN-B0, ResNet-50]``, ``None``, ``null``, ``true``,
    ``EN-B0``.
    """
    try:
        value = ast.literal_eval(text)
        return list(value) if isinstance(value, tuple) else value  # 1, 2, 4 without brackets
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return text


def resolve(chapter: str, assignments: list[str], tier: str) -> dict[str, Any]:
    """The parameters that a run changes, from ``-p NAME=VALUE`` words and a tier.

    Returns:
        What the tier and those below it change, overridden by the assignments; validated.

    Raises:
        InputError: unknown chapter, tier or name; malformed assignment; wrong type or range.
    """
    model = parameters_of(chapter)
    if tier not in TIERS:
        raise InputError(f"unknown tier {tier!r}; allowed: {', '.join(TIERS)}")
    values: dict[str, Any] = {}
    for lower in TIERS[: TIERS.index(tier) + 1]:
        values |= model.tiers.get(lower, {})
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name:
            raise InputError(f"-p {assignment!r} is not of the form NAME=VALUE")
        values[name.strip()] = parse_value(text)
    checked = check(chapter, **values)
    # Whole numbers stay whole; what the model reads as something else (0.5 as "0.5") does not.
    made = {name: getattr(checked, name) for name in values}
    return {name: value if made[name] == value else made[name] for name, value in values.items()}
