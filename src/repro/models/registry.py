"""Every zoo network as a model of timm's, under names that clash with none of its own.

    import timm
    import repro.models

    timm.create_model("repro_en_x_gpu_b4", num_classes=10)

`Model` is what the stored timings ran. What timm asks for beyond it stands here, as classes that
a built model is given afterwards: its weights, their names and their order stay the same.
"""

# Annotations are types here, not text: torch.fx and TorchScript read them.

import re
from collections.abc import Iterator, Sequence
from functools import partial
from numbers import Integral, Real
from typing import Any, cast

import torch
from timm.models import build_model_with_cfg, checkpoint_seq, generate_default_cfgs, register_model
from torch import Tensor, nn
from torch.nn import functional as F

from repro.arch import NAMES, Network, get
from repro.errors import InputError, did_you_mean
from repro.models.block import Block, to_batch
from repro.models.builder import build
from repro.models.model import Model


class ScriptableBlock(Block):
    """`from_batch` in other words: to TorchScript n**2 of a whole number is none."""

    def forward(self, x: Tensor) -> Tensor:
        n = self.space_to_batch
        if n == 1:
            return self._forward(x)
        y = self._forward(to_batch(x, n))
        return F.pixel_shuffle(y.unflatten(0, (-1, n * n)).transpose(1, 2).flatten(1, 2), n)


class CheckpointedStage(nn.Sequential):
    """A stage that can keep its blocks' inputs alone and compute the rest again for gradients."""

    grad_checkpointing: bool

    def forward(self, x: Tensor) -> Tensor:
        if self.grad_checkpointing and not torch.jit.is_scripting():
            return cast(Tensor, checkpoint_seq(self, x))
        for block in self:
            x = block(x)
        return x


class TimmModel(Model):
    """A `Model` that does what timm's own convolutional networks do.

    Attributes:
        feature_info: the last map of each size, as timm has it: reductions 2, 4, 8, 16 and 32.
        in_chans: channels of the images.
    """

    in_chans: int

    def forward(self, x: Tensor) -> Tensor:
        """As in `Model`, with an annotation that torch.fx can hand on."""
        return self.forward_head(self.forward_features(x))

    def group_matcher(self, coarse: bool = False) -> dict[str, str]:
        """Which parameters belong together, for a learning rate that falls from layer to layer."""
        return {"stem": r"^stem", "blocks": r"^stages\.(\d+)" + ("" if coarse else r"\.(\d+)")}

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Memory against time: see `CheckpointedStage`."""
        for stage in self.stages:
            cast(CheckpointedStage, stage).grad_checkpointing = enable

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """A fresh classifier; ``global_pool`` "" with no classes leaves the map as it is."""
        _check("num_classes", num_classes, Integral)
        super().reset_classifier(num_classes, global_pool)
        self.head_hidden_size = self.head.num_features

    def _trunk(self) -> Iterator[tuple[str, nn.Module]]:
        for name in ("stem", "stages"):
            part = self.get_submodule(name)
            if isinstance(part, nn.Sequential):
                yield from ((f"{name}.{i}", child) for i, child in enumerate(part))
            else:
                yield name, part

    def _taken(self, indices: int | Sequence[int] | None) -> list[int]:
        every = range(len(self.feature_info))
        if isinstance(indices, int):
            if not 1 <= indices <= len(every):
                raise ValueError(f"the last {indices!r} maps are not there; 1 to {len(every)} are")
            indices = every[-indices:]
        return [every[i] for i in (every if indices is None else indices)]

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | Sequence[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """As in `Model`, in the order of this ``feature_info``."""
        if output_fmt != "NCHW":
            raise ValueError(f"output_fmt {output_fmt!r} is not supported; 'NCHW' is")
        wanted = {self.feature_info[i]["module"] for i in self._taken(indices)}
        maps = []
        for name, part in self._trunk():
            x = part(x)
            if name in wanted:
                maps.append(x)
                if stop_early and len(maps) == len(wanted):
                    break
        if intermediates_only:
            return maps
        return (self.head_conv(x) if name == f"stages.{len(self.stages) - 1}" else x), maps

    def prune_intermediate_layers(
        self, indices: int | Sequence[int] = 1, prune_norm: bool = False, prune_head: bool = True
    ) -> list[int]:
        """Drop what the maps asked for do not need; returns their indices, none negative."""
        take = self._taken(indices)
        last = str(self.feature_info[max(take)]["module"]).removeprefix("stages.")
        kept = self.stages[: int(last) + 1 if last.isdigit() else 0]
        if prune_norm or prune_head or len(kept) < len(self.stages):
            self.head_conv = nn.Identity()
        self.stages = kept
        if prune_head:
            self.reset_classifier(0, "")
        return take


_ARGUMENTS: dict[str, tuple[str, type]] = {
    "num_classes": ("num_classes", Integral),
    "in_chans": ("in_channels", Integral),
    "drop_rate": ("dropout", Real),
    "drop_path_rate": ("drop_path", Real),
    "zero_init_last": ("zero_init_last", object),
    "device": ("device", object),
}
"""timm's words, what `build` calls them, and of what kind their values are."""


def _check(name: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        allowed = "a whole number" if kind is Integral else "a number"
        raise InputError(f"{name} {value!r} is not allowed; {allowed} is")


def _create(
    net: Network, global_pool: str = "avg", dtype: torch.dtype | None = None, **arguments: Any
) -> TimmModel:
    """`build` in timm's words, and the classes above."""
    ours = {}
    for name, value in arguments.items():
        if name not in _ARGUMENTS:
            allowed = [*_ARGUMENTS, "global_pool", "dtype"]
            raise InputError(
                f"a network of this zoo takes no argument {name!r}.{did_you_mean(name, allowed)}"
                f" Allowed: {', '.join(allowed)}"
            )
        word, kind = _ARGUMENTS[name]
        _check(name, value, kind)
        ours[word] = value
    plain = build(net, **ours).to(dtype)
    for module in plain.modules():
        if isinstance(module, Block):
            module.__class__ = ScriptableBlock
    for stage in plain.stages:
        stage.__class__ = CheckpointedStage
    plain.__class__ = TimmModel
    model = cast(TimmModel, plain)
    model.in_chans = plain.net.in_channels
    model.set_grad_checkpointing(False)
    stem = {"num_chs": net.stem_width, "reduction": 2, "module": "stem.0"}  # before its max-pool
    maps = {2: stem} | {info["reduction"]: info for info in model.feature_info}
    model.feature_info = list(maps.values())
    if global_pool != "avg":
        model.reset_classifier(model.num_classes, global_pool)
    return model


def timm_name(name: str) -> str:
    """What timm calls a zoo network: ``RegNetY-4.0GF`` is ``repro_regnety_4_0gf``."""
    return "repro_" + re.sub(r"[^0-9a-z]+", "_", name.lower())


def _cfg(net: Network) -> dict[str, Any]:
    """What timm wants to know before it makes a network; mean and deviation are its defaults."""
    side = -(-net.resolution // net.total_stride)
    return {
        "num_classes": net.num_classes,
        "input_size": (net.in_channels, net.resolution, net.resolution),
        "pool_size": (side, side),
        "crop_pct": 224 / 256,
        "interpolation": "bilinear",
        "first_conv": "stem.conv" if net.stem == "conv3" else "stem.0.conv",
        "classifier": "head.fc",
    }


def _register(key: str, net: Network) -> None:
    def create(
        pretrained: bool = False, feature_cfg: dict[str, Any] | None = None, **arguments: Any
    ) -> nn.Module:
        return build_model_with_cfg(
            partial(_create, net),
            key,
            pretrained,
            feature_cfg={"flatten_sequential": True, **(feature_cfg or {})},
            **arguments,
        )

    create.__name__ = create.__qualname__ = key
    create.__doc__ = f"{net.name} of the zoo; see `repro.models.build`."
    register_model(create)


ZOO = {timm_name(name): get(name) for name in NAMES}
"""Every zoo network by timm's name."""

__all__ = ["ZOO", "TimmModel", "timm_name"]  # timm adds what is registered
default_cfgs = generate_default_cfgs({key: _cfg(net) for key, net in ZOO.items()})
for _key, _net in ZOO.items():
    _register(_key, _net)
