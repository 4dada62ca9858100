"""Natural experiments: public ImageNet networks of equal flops, one with fewer activations.

Errors: timm's own test of public weights, one training each (``public_accuracy.csv``). Times: the
same project's (``public_timings.csv``). Counts: this project's counter on timm's modules, which
has those networks too that the table of times leaves out. One multiply-add is one flop.

A pair shares its authors and recipe, its blocks and its image size, and differs in what it is
named for; its flops agree within 12 %, or one side is read between two sizes of it. Left out are
weights whose tag is not their recipe: ResNeXt-101-64x4d ("tv_in1k", trained by torchvision's second
recipe), DPN-107 (more data than DPN-131).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from repro import reference
from repro.analysis.accuracy.published import read_at
from repro.errors import InputError
from repro.evidence.public import public_timings, setting_of
from repro.runtime.timm_networks import PREFIX, find

TRAINING = setting_of("rtx3090/train/amp/nchw/1.12/eager")
INFERENCE = setting_of("rtx5090/infer/amp/nchw/2.9.1/inductor")
SETTINGS = {"training": TRAINING, "inference": INFERENCE}
"""The only training that was timed, and the newest GPU with torch.compile."""
DEPTH, GROUPS, BOTTLENECKS = "depth", "groups", "bottlenecks"


@dataclass(frozen=True)
class Pair:
    """Networks with more and with fewer activations, by timm's names; two: read between them.

    given_up is what the second side has less of; recipes are tags of weights.
    """

    given_up: str
    more: str
    fewer: str
    networks: tuple[tuple[str, ...], tuple[str, ...]]
    recipes: tuple[str, ...]
    resolution: int = 224


_TABLE = """
depth | ResNet-152 | resnet152 | Wide-ResNet-50-2 | wide_resnet50_2 | tv tv2 | 224
depth | Res2Net-101, 4 scales | res2net101_26w_4s | Res2Net-50, 8 scales | res2net50_26w_8s | | 224
depth | RepVGG-B0 | repvgg_b0 | RepVGG-A1 to A2 | repvgg_a1 repvgg_a2 | rvgg | 224
depth | MobileNetV2 1.1d to 1.2d | mobilenetv2_110d mobilenetv2_120d \
    | MobileNetV2 1.4 | mobilenetv2_140 | ra | 224
depth | BiT 152x2 | resnetv2_152x2_bit \
    | BiT 50x3 to 101x3 | resnetv2_50x3_bit resnetv2_101x3_bit | goog_in21k_ft | 448
groups | ResNeXt-50 32x4d | resnext50_32x4d | ResNet-50 | resnet50 | tv gluon ra a1 a2 a3 tv2 | 224
groups | ResNeXt-101 32x4d | resnext101_32x4d | ResNet-101 | resnet101 | gluon | 224
groups | ResNeXt-101 32x8d | resnext101_32x8d \
    | Wide-ResNet-50-2 to 101-2 | wide_resnet50_2 wide_resnet101_2 | tv tv2 | 224
bottlenecks | ResNet-50 | resnet50 | ResNet-34 | resnet34 | tv gluon a1 a2 a3 | 224
"""
"""Given up; the side with more acts, and the other, each with timm's names; recipes; image size."""


def _pair(line: str) -> Pair:
    given_up, more, mine, fewer, others, recipes, size = map(str.strip, line.split("|"))
    tags = tuple(f"{recipe}_in1k" for recipe in recipes.split()) or ("in1k",)
    networks = (tuple(mine.split()), tuple(others.split()))
    return Pair(given_up, more, fewer, networks, tags, int(size))


PAIRS = tuple(map(_pair, _TABLE.strip().splitlines()))


@cache
def _errors() -> dict[tuple[str, str, int], float]:
    """Top-1 error in percent by network, tag and image size."""
    rows = reference.public_accuracy()
    return {(row.arch, row.tag, row.image): 100 - float(row.top1) for row in rows}


def error(network: str, recipe: str, resolution: int = 224) -> float:
    """Top-1 error of public weights, in percent.

    Raises:
        InputError: there are none.
    """
    try:
        return _errors()[network, recipe, resolution]
    except KeyError:
        raise InputError(f"no public weights {network}.{recipe} at {resolution} pixels") from None


@cache
def _seconds(network: str, resolution: int) -> dict[str, float]:
    for row in public_timings():
        if (row.model, row.resolution) == (network, resolution):
            return {k: row.seconds.get(s, math.nan) for k, s in SETTINGS.items()}
    return dict.fromkeys(SETTINGS, math.nan)


def network(name: str, recipe: str, resolution: int = 224) -> dict[str, float]:
    """One network: flops in G, acts in M, error in percent, milliseconds of an image by `SETTINGS`.

    A time is NaN where nobody measured it.
    """
    counted = find(f"{PREFIX}{name}", resolution)
    if counted.flops is None or counted.acts is None:
        raise InputError(f"{name} cannot be counted")
    times = {key: 1e3 * t for key, t in _seconds(name, resolution).items()}
    counts = {"flops": counted.flops / 1e9, "acts": counted.acts / 1e6}
    return counts | {"error": error(name, recipe, resolution)} | times


def _side(names: Sequence[str], recipe: str, resolution: int, flops: float) -> dict[str, float]:
    """A side of a pair: its one network, or what lies at these flops between its two.

    unit: standard error of the error if one run's deviation is 1.
    """
    if len(names) == 1:
        return network(names[0], recipe, resolution) | {"unit": 1.0}
    rows = pd.DataFrame([network(name, recipe, resolution) for name in names])
    rows = rows.sort_values("flops")
    if not rows.flops.min() <= flops <= rows.flops.max():
        raise InputError(f"{flops:.2f} GF do not lie between {' and '.join(names)}")
    x = np.log(rows.flops)
    read = {
        key: float(np.exp(np.interp(math.log(flops), x, np.log(rows[key]))))
        for key in ("acts", *SETTINGS)
    }
    there, weights = read_at(rows, flops)
    return read | {"flops": flops, "error": there, "unit": float(np.sqrt((weights**2).sum()))}


def pairs(chosen: Sequence[Pair] = PAIRS) -> pd.DataFrame:
    """Each pair under each recipe: both sides' counts, errors, times, and their difference.

    Columns end in ``_more`` and ``_fewer``; gap: error of the side with fewer activations less the
    other's, in points; unit: its standard error if one run's deviation is 1.
    """
    rows = []
    for pair in chosen:
        for recipe in pair.recipes:
            alone = next(names[0] for names in pair.networks if len(names) == 1)
            flops = network(alone, recipe, pair.resolution)["flops"]
            more, fewer = (_side(n, recipe, pair.resolution, flops) for n in pair.networks)
            row: dict[str, object] = {"given_up": pair.given_up, "more": pair.more}
            row |= {"fewer": pair.fewer, "recipe": recipe}
            row |= {f"{key}_more": value for key, value in more.items()}
            row |= {f"{key}_fewer": value for key, value in fewer.items()}
            row |= {"gap": fewer["error"] - more["error"]}
            rows.append(row | {"unit": math.hypot(more["unit"], fewer["unit"])})
    return pd.DataFrame(rows)


def by_pair(found: pd.DataFrame) -> pd.DataFrame:
    """Each pair once: the mean of `pairs` over its recipes, which are independent trainings.

    flops, acts and times: of the side with fewer activations over the other's.
    """
    groups = found.groupby(["given_up", "more", "fewer"], sort=False)
    mean = groups.gap.mean().to_frame()
    mean["unit"] = groups.unit.agg(lambda u: math.sqrt((u**2).sum()) / len(u))
    for key in ("flops", "acts", *SETTINGS):
        mean[key] = groups[f"{key}_fewer"].first() / groups[f"{key}_more"].first()
    return mean.reset_index()


def over_designs(pairs: pd.DataFrame, given_up: str) -> tuple[float, float]:
    """The mean gap of `by_pair` where this was given up, and its standard error in one run's."""
    mine = pairs[pairs.given_up == given_up]
    return float(mine.gap.mean()), math.sqrt((mine.unit**2).sum()) / len(mine)


def recipes_alone(first: str, second: str, resolution: int = 224) -> pd.Series:
    """By how many points the second recipe lowers the error, for all networks with both."""
    found = {
        name: error(name, first, resolution) - error(name, second, resolution)
        for name, tag, image in _errors()
        if tag == first and image == resolution and (name, second, resolution) in _errors()
    }
    return pd.Series(found)


def binomial(error: float, images: int = 50_000) -> float:
    """Standard error of an error in percent, if the images are a random draw."""
    return math.sqrt(error * (100 - error) / images)
