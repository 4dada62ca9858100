"""Every base network by name.

Sources: the authors' model zoo (RegNetX, RegNetY, ResNet, ResNeXt, EN-B0 to B5), EfficientNet's
own coefficients (EN-B6, B7), ClassyVision's RegNetZ trunks, the second paper's builder
(`repro.arch.efficientnet_x`; EN-TF-B0 to B7 are its EfficientNets), and, for the paper's own
RegNetY-500MF and RegNetY-4GF, definitions recovered from its figures.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from repro.arch import efficientnet_x, pieces
from repro.arch.b0 import B0
from repro.arch.description import read_description
from repro.arch.network import MBStage, Network, ResStage
from repro.arch.regnet import regnet_stages
from repro.arch.rounding import tf_depth, tf_width
from repro.errors import InputError, did_you_mean

# Generator parameters: depth, w0, wa, wm, group width.
_REGNETX = {
    "200MF": (13, 24, 36.44, 2.49, 8),
    "400MF": (22, 24, 24.48, 2.54, 16),
    "600MF": (16, 48, 36.97, 2.24, 24),
    "800MF": (16, 56, 35.73, 2.28, 16),
    "1.6GF": (18, 80, 34.01, 2.25, 24),
    "3.2GF": (25, 88, 26.31, 2.25, 48),
    "4.0GF": (23, 96, 38.65, 2.43, 40),
    "6.4GF": (17, 184, 60.83, 2.07, 56),
    "8.0GF": (23, 80, 49.56, 2.88, 120),
    "12GF": (19, 168, 73.36, 2.37, 112),
    "16GF": (22, 216, 55.59, 2.1, 128),
    "32GF": (23, 320, 69.86, 2.0, 168),
}
_REGNETY = {
    "200MF": (13, 24, 36.44, 2.49, 8),
    "400MF": (16, 48, 27.89, 2.09, 8),
    "600MF": (15, 48, 32.54, 2.32, 16),
    "800MF": (14, 56, 38.84, 2.4, 16),
    "1.6GF": (27, 48, 20.71, 2.65, 24),
    "3.2GF": (21, 80, 42.63, 2.66, 24),
    "4.0GF": (22, 96, 31.41, 2.24, 64),
    "6.4GF": (25, 112, 33.22, 2.27, 72),
    "8.0GF": (17, 192, 76.82, 2.19, 56),
    "12GF": (19, 168, 73.36, 2.37, 112),
    "16GF": (18, 200, 106.23, 2.48, 112),
    "32GF": (20, 232, 115.89, 2.53, 232),
}
# Resolution, then generator parameters.
_REGNETZ = {"500MF": (224, (21, 16, 10.7, 2.51, 4)), "4GF": (256, (28, 48, 14.5, 2.226, 8))}
REGNETZ_HEAD = 1000
"""Width of RegNetZ's head conv; inferred, the only round number that fits the published counts."""

# Never published: recovered by searching all stage lists against the paper's Table 6 and
# Figure 2, then confirmed by every scaled point of Figures 5, 7 and 8 (depths, widths, g, r).
_RECOVERED_REGNETY = {
    "500MF": ((1, 4, 9, 3), (32, 88, 248, 688), 4, 224),
    "4GF": ((2, 6, 16, 2), (96, 192, 512, 1216), 32, 240),
}
_RESNET_DEPTHS = {
    "50": (3, 4, 6, 3),
    "101": (3, 4, 23, 3),
    "152": (3, 8, 36, 3),
    "200": (3, 24, 36, 3),
}


def _efficientnet(level: str) -> Network:
    w, d, r = efficientnet_x.OWN[level]
    return Network(
        f"EN-{level}",
        tuple(
            MBStage(tf_depth(d * depth), tf_width(w * width), e, k, s)
            for depth, width, e, k, s in B0
        ),
        resolution=r,
        stem_width=tf_width(w * 32),
        head_width=tf_width(w * 1280),
        se_ratio=0.25,
        activation="silu",
    )


def _tf_efficientnet(level: str) -> Network:
    """The same network by the second paper's rules: its control."""
    net = replace(_efficientnet(level), name=f"EN-TF-{level}", rules="tensorflow")
    x = efficientnet_x
    return replace(net, dropout=x.DROPOUT[level], drop_path=x.DROP_PATH)


def _regnet(letter: str, size: str) -> Network:
    parameters, se_ratio = (_REGNETX[size], 0.0) if letter == "X" else (_REGNETY[size], 0.25)
    return Network(f"RegNet{letter}-{size}", regnet_stages(*parameters), se_ratio=se_ratio)


def _recovered_regnety(size: str) -> Network:
    depths, widths, g, r = _RECOVERED_REGNETY[size]
    stages = tuple(ResStage(d, w, g) for d, w in zip(depths, widths, strict=True))
    return Network(f"RegNetY-{size}", stages, resolution=r, se_ratio=0.25)


def _regnetz(size: str, head: int | None = None) -> Network:
    resolution, parameters = _REGNETZ[size]
    return Network(
        f"RegNetZ-{size}" + ("" if head is None else f"-head{head}"),
        regnet_stages(*parameters, bottleneck=4.0, linear=True),
        resolution=resolution,
        head_width=REGNETZ_HEAD if head is None else head,
        se_ratio=0.25,
        activation="silu",
    )


def _resnet(size: str, name: str, bottleneck: float, group_widths: tuple[int, ...]) -> Network:
    stages = tuple(
        ResStage(d, w, g, bottleneck, stride)
        for d, w, g, stride in zip(
            _RESNET_DEPTHS[size], (256, 512, 1024, 2048), group_widths, (1, 2, 2, 2), strict=True
        )
    )
    return Network(name, stages, stem_width=64, stem="conv7_pool")


def _makers() -> dict[str, Callable[[], Network]]:
    makers: dict[str, Callable[[], Network]] = {}
    for level in efficientnet_x.OWN:
        makers[f"EN-{level}"] = partial(_efficientnet, level)
    for size in _REGNETX:
        makers[f"RegNetX-{size}"] = partial(_regnet, "X", size)
    for size in _REGNETY:
        makers[f"RegNetY-{size}"] = partial(_regnet, "Y", size)
    for size in _RECOVERED_REGNETY:
        makers[f"RegNetY-{size}"] = partial(_recovered_regnety, size)
    for size in _REGNETZ:
        makers[f"RegNetZ-{size}"] = partial(_regnetz, size)
    for size in _RESNET_DEPTHS:
        name = f"ResNet-{size}"
        makers[name] = partial(_resnet, size, name, 0.25, (64, 128, 256, 512))
    for size in ("50", "101", "152"):
        name = f"ResNeXt-{size}"
        makers[name] = partial(_resnet, size, name, 0.5, (4, 8, 16, 32))
    for level in efficientnet_x.OWN:
        makers[f"EN-TF-{level}"] = partial(_tf_efficientnet, level)
    for name in efficientnet_x.NAMES:
        makers[name] = partial(efficientnet_x.make, name)
    return makers


_MAKERS = _makers()
NAMES: tuple[str, ...] = tuple(_MAKERS)
"""Every zoo name, in the order of the book's tables."""

_ALIASES = {f"R-{n}-1x64d": f"ResNet-{n}" for n in _RESNET_DEPTHS} | {
    f"X-{n}-32x4d": f"ResNeXt-{n}" for n in ("50", "101", "152")
}
_FIRST_STAGES = re.compile(r"(.+)\[:([0-9]{1,2})\]")
_REGNETZ_WITH_HEAD = re.compile(r"RegNetZ-(500MF|4GF)-head([0-9]{1,5})")


@cache
def get(name: str) -> Network:
    """The description of a zoo network.

    Args:
        name: one of `NAMES`, the authors' file name of a ResNet or ResNeXt (``R-50-1x64d``,
            ``X-50-32x4d``), a RegNetZ with another head conv (``RegNetZ-4GF-head1024``, with
            0 for none), or an EfficientNet-X with what the paper prints and its authors' builder
            does otherwise (``EN-X-GPU-B0+relu``, see `repro.arch.efficientnet_x.VARIANTS`); of any
            of them the stem and first stages alone (``EN-X-B0[:2]``); one block
            (``FusedMBConv-c48@28``, see `repro.arch.pieces`); or a description file
            (``mine.json``, see `repro.arch.description`).

    Raises:
        InputError: unknown name; the message suggests the nearest.
    """
    if name.endswith(".json"):
        return read_description(Path(name))
    if maker := _MAKERS.get(_ALIASES.get(name, name)):
        return maker()
    if match := _REGNETZ_WITH_HEAD.fullmatch(name):
        return _regnetz(match[1], int(match[2]))
    if "MBConv" in name:
        return pieces.parse(name).network()
    if match := _FIRST_STAGES.fullmatch(name):
        return pieces.first_stages(get(match[1]), int(match[2]))
    base, *variants = name.split("+")
    if variants and base in efficientnet_x.NAMES:
        return efficientnet_x.make(base, variants)
    usual = re.sub("efficientnet", "EN", name, flags=re.IGNORECASE)
    raise InputError(
        f"unknown network {name!r}.{did_you_mean(usual, [*NAMES, *_ALIASES])}"
        " `repro list` prints all names."
    )
