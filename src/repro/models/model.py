"""The whole network as a module that a timm user can handle: features, head, classifier.

Names follow timm where timm has a name: ``forward_features``, ``forward_head``,
``forward_intermediates``, ``feature_info``, ``reset_classifier``, ``default_cfg``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.layers import ClassifierHead, calculate_drop_path_rates
from torch import Tensor, nn

from repro.arch import Network, blocks
from repro.errors import InputError
from repro.models.block import Block, Device, conv_layer
from repro.models.init import init_weights


def check_num_classes(num_classes: int) -> None:
    """Raise `InputError` for a negative number."""
    if num_classes < 0:
        raise InputError(f"num_classes {num_classes!r} is not allowed; 0 or more is")


def _stem(net: Network, device: Device) -> nn.Module:
    if net.is_piece:
        return nn.Identity()
    kernel = 3 if net.stem == "conv3" else 7
    layer = conv_layer(net.stem_activation or net.activation, net.rules, device)
    conv = layer(net.in_channels, net.stem_width, kernel, stride=2)
    if net.stem == "conv3":
        return conv
    return nn.Sequential(conv, nn.MaxPool2d(3, stride=2, padding=1))


def _stages(net: Network, drop_path: float, device: Device) -> nn.Sequential:
    geometry = iter([block for block, repeats in blocks(net) for _ in range(repeats)])
    depths = [stage.depth for stage in net.stages]
    total = sum(depths)
    if net.rules == "tensorflow":  # in proportion to i / total, so the last one stays below
        rates: Iterator[Any] = (drop_path * i / total for i in range(total))
    else:
        rates = iter(calculate_drop_path_rates(drop_path, total))
    return nn.Sequential(
        *(
            nn.Sequential(
                *(Block(next(geometry), net.rules, next(rates), device) for _ in range(depth))
            )
            for depth in depths
        )
    )


class Model(nn.Module):
    """Stem, stages, optional head conv, pooling and classifier of a `Network`.

    Made by `repro.models.build`. Input (N, in_channels, H, W), output (N, num_classes), or the
    pooled features (N, num_features) where there is no classifier; a piece of a network gives its
    feature map. The input need not have the description's resolution.

    Attributes:
        net: the description.
        num_classes, num_features: outputs of the classifier, and its inputs.
        feature_info: channels and reduction of each feature map: the stem's, then one per stage.
        default_cfg, pretrained_cfg: input size and normalisation as timm's data pipeline reads
            them. There are no pretrained weights.
    """

    def __init__(
        self,
        net: Network,
        drop_path: float = 0.0,
        dropout: float = 0.0,
        zero_init_last: bool = False,
        device: Device = None,
    ) -> None:
        super().__init__()
        self.net = net
        self.num_classes = net.num_classes
        last_width = net.stages[-1].out_width
        self.num_features = self.head_hidden_size = net.head_width or last_width

        self.stem = _stem(net, device)
        self.stages = _stages(net, drop_path, device)
        self.head_conv = (
            conv_layer(net.activation, net.rules, device)(last_width, net.head_width, 1)
            if net.head_width
            else nn.Identity()
        )
        # A piece of a network keeps its map.
        self.head = ClassifierHead(
            self.num_features,
            net.num_classes,
            pool_type="" if net.is_piece else "avg",
            drop_rate=dropout,
            device=device,
        )
        self.apply(partial(init_weights, rules=net.rules))
        if zero_init_last and not net.is_mbconv:
            for module in self.modules():
                if isinstance(module, Block):
                    nn.init.zeros_(module.project.bn.weight)

        reduction = {"conv3": 2, "conv7_pool": 4, "none": 1}[net.stem]
        self.feature_info = [{"num_chs": net.stem_width, "reduction": reduction, "module": "stem"}]
        for i, stage in enumerate(net.stages):
            reduction *= stage.map_stride
            self.feature_info.append(
                {"num_chs": stage.out_width, "reduction": reduction, "module": f"stages.{i}"}
            )
        self.default_cfg = self.pretrained_cfg = {
            "url": "",
            "architecture": net.name,
            "num_classes": net.num_classes,
            "input_size": (net.in_channels, net.resolution, net.resolution),
            "crop_pct": 224 / 256,
            "interpolation": "bilinear",
            "mean": IMAGENET_DEFAULT_MEAN,
            "std": IMAGENET_DEFAULT_STD,
            "first_conv": "stem.conv" if net.stem == "conv3" else "stem.0.conv",
            "classifier": "head.fc",
        }

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))

    def forward_features(self, x: Tensor) -> Tensor:
        """Everything up to pooling: (N, num_features, h, w)."""
        return self.head_conv(self.stages(self.stem(x)))

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Pooling and classifier; the pooled features (N, num_features) with ``pre_logits``."""
        return self.head(x, pre_logits=pre_logits)

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | Sequence[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """Feature maps in the order of ``feature_info``.

        Args:
            x: images.
            indices: which maps: all, the last so many, or a list (negative from the end).
            norm: ignored, as in timm's own convolutional networks.
            stop_early: do not run stages after the last map asked for.
            output_fmt: ``"NCHW"`` alone.
            intermediates_only: leave out the final features.

        Returns:
            The maps, or ``(final features, maps)``.
        """
        if output_fmt != "NCHW":
            raise ValueError(f"output_fmt {output_fmt!r} is not supported; 'NCHW' is")
        take = list(range(len(self.feature_info)))
        if isinstance(indices, int):
            if not 1 <= indices <= len(take):
                raise ValueError(f"the last {indices!r} maps are not there; 1 to {len(take)} are")
            take = take[-indices:]
        elif indices is not None:
            take = [take[i] for i in indices]
        stages = list(self.stages)[: max(take) if stop_early else None]
        x = self.stem(x)
        maps = [x] if 0 in take else []
        for i, stage in enumerate(stages, start=1):
            x = stage(x)
            if i in take:
                maps.append(x)
        if intermediates_only:
            return maps
        return (self.head_conv(x) if len(stages) == len(self.stages) else x), maps

    def get_classifier(self) -> nn.Module:
        """The last linear layer, or an identity where there is none."""
        return self.head.fc

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """A fresh classifier for another number of classes; 0 removes it."""
        check_num_classes(num_classes)
        self.net = replace(self.net, num_classes=num_classes)
        self.num_classes = self.default_cfg["num_classes"] = num_classes
        self.head.reset(num_classes, pool_type=global_pool)
        # A head without classifier has no parameters to tell where and in what type to make one.
        like = next(self.parameters())
        self.head.fc.to(like.device, like.dtype)
        self.head.fc.apply(partial(init_weights, rules=self.net.rules))

    def extra_repr(self) -> str:
        return self.net.name
