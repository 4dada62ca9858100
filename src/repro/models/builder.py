"""``build``: a name or a description becomes a module."""

from __future__ import annotations

from dataclasses import replace

from repro.arch import Network, get
from repro.errors import InputError
from repro.models.block import Device
from repro.models.model import Model, check_num_classes


def _fraction(name: str, value: float) -> float:
    if not 0 <= value < 1:
        raise InputError(f"{name} {value!r} is not allowed; from 0 up to but without 1")
    return value


def build(
    net_or_name: Network | str,
    *,
    num_classes: int | None = None,
    in_channels: int | None = None,
    drop_path: float = 0.0,
    dropout: float = 0.0,
    zero_init_last: bool = False,
    device: Device = None,
) -> Model:
    """The network as a trainable module with the authors' initial weights.

    Args:
        net_or_name: a description, scaled or not, or a zoo name.
        num_classes: outputs of the classifier, 0 for none; the description's where left out.
        in_channels: of the images; the description's where left out.
        drop_path: stochastic depth. The last block's residual branch is dropped with this
            probability, the first one's never, others in proportion. The first paper uses none.
        dropout: before the classifier. The first paper uses none.
        zero_init_last: start each ResNet or RegNet block as its skip, see `repro.models.init`.
        device: where to make it; ``"meta"`` makes shapes without memory.

    Raises:
        InputError: unknown name, or an argument out of its range.

    Batch norm has eps 1e-5 and momentum 0.1 in every family, squeeze-excite the network's own
    activation. In pycls the drop rate of an EfficientNet is the same in all blocks; growing with
    depth is the rule of the original EfficientNet and of timm.
    """
    net = get(net_or_name) if isinstance(net_or_name, str) else net_or_name
    if num_classes is not None:
        check_num_classes(num_classes)
        net = replace(net, num_classes=num_classes)
    if in_channels is not None:
        if in_channels < 1:
            raise InputError(f"in_channels {in_channels!r} is not allowed; 1 or more is")
        net = replace(net, in_channels=in_channels)
    return Model(
        net,
        drop_path=_fraction("drop_path", drop_path),
        dropout=_fraction("dropout", dropout),
        zero_init_last=zero_init_last,
        device=device,
    )
