"""How timm's EfficientNet-X and -H differ from the authors' networks, read off both as built.

timm has efficientnet_x_b3, _x_b5 and efficientnet_h_b5, the latter two with weights of its own
training. Their speed is comparable; their accuracy is that of other networks. Widths, repeats,
the 2x2 conv, hidden widths, skips and head are the same. What cannot show in these three: timm has
no squeeze-excite coefficient (the authors' is 4 at B0 and 2 at B1), and it rounds squeeze widths
to nearest where the authors floor.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import timm
import torch
from torch import nn

from repro.models.builder import build
from repro.models.model import Model

TIMM_MODELS = {
    "efficientnet_x_b3": "EN-X-B3",
    "efficientnet_x_b5": "EN-X-B5",
    "efficientnet_h_b5": "EN-H-B5",
}
"""timm's name to ours."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which timm's network is not the authors'.

    Attributes:
        model: timm's name. what: the property.
        authors, timm: its values, as read off the built networks.
        params: how many more parameters timm's network has for it; 0 where it costs none.
    """

    model: str
    what: str
    authors: str
    timm: str
    params: int = 0


def params_of(model: nn.Module) -> int:
    """Number of parameters, all trainable."""
    return sum(p.numel() for p in model.parameters())


def both(name: str) -> tuple[Model, Any]:
    """The authors' network and timm's, without memory."""
    with torch.device("meta"):
        theirs = timm.create_model(name)
    return build(TIMM_MODELS[name], device="meta"), theirs


def _activations(modules: Iterable[nn.Module]) -> str:
    """Names of the activation functions in these modules."""
    kinds = (nn.ReLU, nn.SiLU)
    names = {type(m).__name__ for part in modules for m in part.modules() if isinstance(m, kinds)}
    return ", ".join(sorted(names))


def _paddings(model: nn.Module) -> str:
    """How the spatial convs pad, in numbers of convs."""
    convs = [m for m in model.modules() if isinstance(m, nn.Conv2d) and m.kernel_size[0] > 1]
    # timm pads a 2x2 conv as SAME by a subclass that pads by itself
    same = sum(type(conv) is not nn.Conv2d for conv in convs)
    # stride 1 and an odd kernel: symmetric padding is SAME
    alike = sum(
        type(c) is nn.Conv2d and c.stride[0] == 1 and c.kernel_size[0] % 2 == 1 for c in convs
    )
    other = len(convs) - same - alike
    return f"{same + alike} convs as SAME, {other} symmetric" if other else "SAME in every conv"


def _norms(model: nn.Module) -> str:
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    return ", ".join(sorted({f"eps {m.eps:g}, momentum {m.momentum:g}" for m in norms}))


def _differences(name: str) -> list[Difference]:
    ours, theirs = both(name)
    found: list[Difference] = []

    def compare(what: str, values: Iterable[object], params: int = 0) -> None:
        authors, timms = map(str, values)
        if authors != timms:
            found.append(Difference(name, what, authors, timms, params))

    stages: tuple[Any, Any] = (ours.stages, theirs.blocks)
    a_stages, t_stages = ([list(stage) for stage in parts] for parts in stages)
    fused = (_flat(a_stages[1:3]), _flat(t_stages[1:3]))
    others = (
        [ours.stem, ours.head_conv, *_flat(a_stages[:1] + a_stages[3:])],
        [theirs.bn1, theirs.bn2, *_flat(t_stages[:1] + t_stages[3:])],
    )
    compare("activation of the fused stages", map(_activations, fused))
    compare("activation everywhere else", map(_activations, others))
    compare("padding", map(_paddings, (ours, theirs)))
    compare("batch norm", map(_norms, (ours, theirs)))
    net = ours.net
    rates = (f"{net.dropout:g}, {net.drop_path:g}", f"{theirs.drop_rate:g}, {_drop_path(theirs):g}")
    compare("dropout and stochastic depth by default", rates)
    sizes = net.resolution, theirs.default_cfg["input_size"][1]
    compare("pixels per side by default", sizes)
    for i, (a, t) in enumerate(zip(_flat(a_stages), _flat(t_stages), strict=True), 1):
        convs = a.spatial.conv, t.conv_exp if hasattr(t, "conv_exp") else t.conv_dw
        kernels = (f"{conv.kernel_size[0]}x{conv.kernel_size[0]}" for conv in convs)
        more = convs[1].weight.numel() - convs[0].weight.numel()
        compare(f"spatial conv of block {i}", kernels, more)
        squeezes = a.se.fc1.out_channels, t.se.conv_reduce.out_channels
        compare(f"squeeze width of block {i}", squeezes, params_of(t.se) - params_of(a.se))
    return found


def _flat(stages: Iterable[Iterable[Any]]) -> list[Any]:
    return [block for stage in stages for block in stage]


def _drop_path(model: nn.Module) -> float:
    """The largest drop rate of a residual branch."""
    return max((getattr(m, "drop_prob", None) or 0.0 for m in model.modules()), default=0.0)


def timm_differences() -> tuple[Difference, ...]:
    """Every difference of the three models, found on the built networks; builds all six on meta."""
    return tuple(d for name in TIMM_MODELS for d in _differences(name))
