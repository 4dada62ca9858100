"""Networks of timm's that can be scaled: by the arguments that their constructors take.

Depth and width become other arguments for each family; resolution needs none. Built on the meta
device and counted by running them there, at a few tenths of a second each.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from repro.arch.rounding import round_depth, round_resolution, round_width
from repro.arch.strategy import Multipliers, Strategy
from repro.errors import InputError
from repro.prices.counts import counts_of_run
from repro.search.advise import Grown

Arguments = dict[str, Any]


def _deep(stages: Any, factor: float) -> list[int]:
    return [round_depth(len(stage) * factor) for stage in stages]


def _wide(module: Any, factor: float, of: int = 1) -> list[int]:
    """Channels of the last four maps, which are `of` times what the constructor takes."""
    return [round_width(info["num_chs"] // of * factor) for info in module.feature_info[-4:]]


def _depths(net: Any, factor: float) -> list[int]:
    return _deep([stage.blocks for stage in net.stages], factor)


def _dims(net: Any, m: Multipliers) -> Arguments:
    return {"depths": _depths(net, m.d), "dims": _wide(net, m.w)}


def _resnet(net: Any, m: Multipliers) -> Arguments:
    stages = [net.layer1, net.layer2, net.layer3, net.layer4]
    return {"layers": _deep(stages, m.d), "channels": _wide(net, m.w, net.layer1[0].expansion)}


def _resnetv2(net: Any, m: Multipliers) -> Arguments:
    own = net.feature_info[-1]["num_chs"] / 2048
    return {"layers": _depths(net, m.d), "width_factor": own * m.w}


def _nfnet(net: Any, m: Multipliers) -> Arguments:
    own = _own("nfnet", net)
    return {"depths": _deep(net.stages, m.d), "width_factor": own.width_factor * m.w}


def _regnet(net: Any, m: Multipliers) -> Arguments:
    own = _own("regnet", net)
    return {
        "depth": round_depth(own.depth * m.d),
        "w0": round_width(own.w0 * m.w),
        "wa": own.wa * m.w / m.d,  # as wide at the end, however many blocks lie between
        "group_size": max(1, round(own.group_size * m.g)),
    }


def _own(family: str, net: Any) -> Any:
    """What timm's table says of a network."""
    return import_module(f"timm.models.{family}").model_cfgs[net.default_cfg["architecture"]]


def _rexnet(net: Any, m: Multipliers) -> Arguments:
    own = int(net.default_cfg["architecture"].rpartition("_")[2]) / 100
    return {"width_mult": own * m.w, "depth_mult": m.d}


def _fasternet(net: Any, m: Multipliers) -> Arguments:
    width = round_width(net.feature_info[0]["num_chs"] * m.w)
    return {"depths": _depths(net, m.d), "embed_dim": width}


FAMILIES: dict[str, Callable[[Any, Multipliers], Arguments]] = {
    "convnext": _dims,
    "inception_next": _dims,
    "resnet": _resnet,
    "resnetv2": _resnetv2,
    "nfnet": _nfnet,
    "regnet": _regnet,
    "rexnet": _rexnet,
    "fasternet": _fasternet,
}
"""By timm's module: the arguments of a network so much deeper and wider."""
OURS = {"efficientnet": "EN-B0", "mobilenetv3": "EN-B0", "byobnet": "ResNet-50"}
"""What comes near where timm's family takes no such argument."""


@cache
def _counted(name: str, size: int, arguments: str) -> Any:
    from repro.counters import count
    from repro.runtime.timm_networks import create

    return count(create(name, "meta", **json.loads(arguments)), (3, size, size))


class TimmBase:
    """A network of timm's (``timm/NAME``) to be scaled.

    Raises:
        InputError: timm has no such network, or its family takes no depths and widths.
    """

    def __init__(self, name: str) -> None:
        from repro.runtime.timm_networks import counted

        counts, self.resolution, self.module = counted(name, None)
        self.name = name
        self.family = type(self.module).__module__.rpartition(".")[2]
        self.base = self._grown(counts, self.resolution)
        if self.family not in FAMILIES:
            near = OURS.get(self.family, "ResNet-50")
            raise InputError(
                f"{name} takes no depths and widths in timm; these families do: "
                f"{', '.join(FAMILIES)}. Describe it in a file, from "
                f"`repro complexity {near} --json`"
            )

    def grow(self, strategy: Strategy, scale: float) -> Grown:
        """The network scaled, counted."""
        m = strategy.multipliers(scale)
        size = round_resolution(self.resolution * m.r) if m.r != 1 else self.resolution
        arguments = FAMILIES[self.family](self.module, m)
        try:
            counts = _counted(self.name, size, json.dumps(arguments))
        except (RuntimeError, ValueError, TypeError, AssertionError, ZeroDivisionError) as error:
            reason = str(error).partition("\n")[0]
            raise InputError(f"{self.name} cannot be built with {arguments}: {reason}") from None
        return self._grown(counts, size)

    def _grown(self, c: Any, size: int) -> Grown:
        return Grown(size, c.flops, c.params, c.acts, counts_of_run(c), None)
