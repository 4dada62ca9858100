"""The one block: [2x2/2], [1x1 expand], k x k conv, [squeeze-excite], 1x1 project, [skip].

Fast and Accurate Model Scaling, Figure 3 (RegNet Y and Z); MBConv is the same shape with a
depthwise conv, a fused MBConv with a dense one. All layers are timm's.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from timm.layers import ConvNormAct, DropPath, SEModule, get_act_layer
from torch import Tensor, nn

from repro import arch

Device = str | torch.device | None


# What the two papers' codes do differently in every layer; sizes of maps are the same.
_RULES: dict[arch.Rules, dict[str, Any]] = {
    "pycls": {"padding": "", "norm": {"eps": 1e-5, "momentum": 0.1}},
    "tensorflow": {"padding": "same", "norm": {"eps": 1e-3, "momentum": 0.01}},
}


def conv_layer(activation: str, rules: arch.Rules, device: Device = None) -> partial[ConvNormAct]:
    """Conv without bias, batch norm, activation: the layer that everything is made of.

    Args:
        activation: timm's name of it. ReLU works in place, as in the authors' code; SiLU does
            not, because its gradient needs the input and autograd would copy it first.
        rules: "pycls" pads symmetrically and has BN eps 1e-5, momentum 0.1. "tensorflow" pads the
            bottom and right more where padding is uneven ("SAME"), with BN eps 1e-3, momentum
            0.01 (a decay of 0.99).
        device: where the parameters live.

    Returns:
        ``ConvNormAct`` with these arguments set.
    """
    norm_kwargs = {"inplace": activation == "relu", **_RULES[rules]["norm"]}
    return partial(
        ConvNormAct,
        act_layer=activation,
        padding=_RULES[rules]["padding"],
        norm_kwargs=norm_kwargs,
        device=device,
    )


def to_batch(x: Tensor, n: int) -> Tensor:
    """(N, C, H, W) -> (N n n, C, H/n, W/n): every n-th pixel of every n-th row is an image.

    One copy, in channels-last order; H and W must be multiples of n.
    """
    batch, channels, height, width = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(batch, height // n, n, width // n, n, channels)
    parts = rows.permute(0, 2, 4, 1, 3, 5).reshape(-1, height // n, width // n, channels)
    return parts.permute(0, 3, 1, 2)


def from_batch(x: Tensor, n: int) -> Tensor:
    """The inverse of `to_batch`: (N n n, C, H, W) -> (N, C, n H, n W)."""
    parts, channels, height, width = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(parts // n**2, n, n, height, width, channels)
    whole = rows.permute(0, 3, 1, 4, 2, 5).reshape(-1, n * height, n * width, channels)
    return whole.permute(0, 3, 1, 2)


class Block(nn.Module):
    """A block built to the exact geometry of an `arch.Block`.

    Args:
        block: the geometry.
        rules: see `conv_layer`.
        drop_path: probability of dropping the residual branch of a sample while training;
            without effect on a block that has no skip.
        device: where the parameters live.

    Shapes: (N, in_width, H, W) -> (N, out_width, H', W'), H' = ceil(H / stride), twice smaller with
    space-to-depth.
    """

    def __init__(
        self,
        block: arch.Block,
        rules: arch.Rules = "pycls",
        drop_path: float = 0.0,
        device: Device = None,
    ) -> None:
        super().__init__()
        b = block
        self.space_to_batch = b.space_to_batch
        conv = conv_layer(b.activation, rules, device)
        act = get_act_layer(b.activation)
        self.space_to_depth = (
            conv(b.in_width, b.space_to_depth, 2, stride=2) if b.space_to_depth else nn.Identity()
        )
        self.expand = conv(b.in_width, b.mid_width, 1) if b.expand else nn.Identity()
        self.spatial = conv(b.spatial_in, b.mid_width, b.kernel, stride=b.stride, groups=b.groups)
        self.se = (
            SEModule(b.mid_width, rd_channels=b.se_width, act_layer=act, device=device)
            if b.se_width
            else nn.Identity()
        )
        self.project = conv(b.mid_width, b.out_width, 1, apply_act=False)
        self.skip: nn.Module | None = None
        if b.skip == "projection":
            self.skip = conv(b.in_width, b.out_width, 1, stride=b.stride, apply_act=False)
        elif b.skip == "identity":
            self.skip = nn.Identity()
        self.drop_path = DropPath(drop_path) if drop_path and self.skip else nn.Identity()
        self.act = nn.Identity() if b.linear else act(inplace=b.activation == "relu")

    def forward(self, x: Tensor) -> Tensor:
        if self.space_to_batch == 1:
            return self._forward(x)
        return from_batch(self._forward(to_batch(x, self.space_to_batch)), self.space_to_batch)

    def _forward(self, x: Tensor) -> Tensor:
        y = self.project(self.se(self.spatial(self.expand(self.space_to_depth(x)))))
        if self.skip is not None:
            y = self.drop_path(y) + self.skip(x)
        return self.act(y)
