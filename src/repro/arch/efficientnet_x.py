"""EfficientNet-X and -H: stages on a space-to-depth map, fused convs, per-stage activations.

Source: Searching for Fast Model Families on Datacenter Accelerators (Table 1, section 5), made
exact by the authors' builder. Where the two differ the builder decides here, and `VARIANTS`
names what the paper prints instead.

Space-to-depth is a learned 2x2 stride-2 conv in front of the first block. Everything up to the
next stride-2 stage lives on a map a quarter the size with four times the channels; hidden and
squeeze widths keep following the *nominal* widths of the stage table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from repro.arch.network import Activation, Block, Network, check_sizes
from repro.arch.rounding import tf_depth, tf_width
from repro.errors import InputError, did_you_mean

Reshape = Literal["none", "enter", "leave"]


@dataclass(frozen=True, slots=True)
class XStage:
    """A stage of EfficientNet-X: MBConv or fused MBConv, perhaps on a space-to-depth map.

    Attributes:
        depth: number of blocks.
        width: nominal output channels; four times as many in fact where ``reshape`` is "enter".
        expansion: hidden width over the block's nominal input channels.
        kernel: nominal, of the spatial conv; (kernel + 1) // 2 in fact where reshaped.
        stride: nominal, of the first block.
        fused: one dense conv instead of expansion and depthwise conv.
        activation: of every layer of the stage, squeeze-excite included.
        se_ratio: squeeze width over the block's nominal input channels (floored); 0 for no
            squeeze-excite.
        reshape: "enter" for the stage that a 2x2 stride-2 conv precedes, "leave" for the one
            after it, whose first block need not halve the map any more.
        kernel_as_printed: keep the nominal kernel on the reshaped map.
    """

    depth: int
    width: int
    expansion: int
    kernel: int
    stride: int
    fused: bool
    activation: Activation
    se_ratio: float
    reshape: Reshape = "none"
    kernel_as_printed: bool = False

    def __post_init__(self) -> None:
        check_sizes(
            "stage",
            depth=self.depth,
            width=self.width,
            expansion=self.expansion,
            kernel=self.kernel,
            stride=self.stride,
        )

    @property
    def out_width(self) -> int:
        """Channels that really leave the stage."""
        return 4 * self.width if self.reshape == "enter" else self.width

    @property
    def map_stride(self) -> int:
        """Factor by which the stage shrinks the map along a side."""
        return {"none": self.stride, "enter": 2 * self.stride, "leave": 1}[self.reshape]

    def blocks(self, in_width: int, net: Network) -> Iterator[tuple[Block, int]]:
        """The first block, then the others run together; see `repro.arch.network.blocks`."""
        enter, leave = self.reshape == "enter", self.reshape == "leave"
        nominal = 4 * in_width if enter else in_width // 4 if leave else in_width
        first = self._block(in_width, nominal, 1 if leave else self.stride, first=True)
        yield first, 1
        if self.depth > 1:
            yield self._block(self.out_width, self.out_width, 1, first=False), self.depth - 1

    def _block(self, in_width: int, nominal: int, stride: int, first: bool) -> Block:
        enter = self.reshape == "enter"
        reshape_width = 4 * in_width if enter and first else 0
        squeeze = int(nominal * self.se_ratio)
        mid = nominal * self.expansion
        small = enter and not self.kernel_as_printed
        return Block(
            in_width=in_width,
            mid_width=mid,
            out_width=self.out_width,
            kernel=(self.kernel + 1) // 2 if small else self.kernel,
            stride=stride,
            groups=1 if self.fused else mid,
            se_width=max(1, squeeze // 4 if reshape_width else squeeze) if self.se_ratio else 0,
            expand=not self.fused and self.expansion != 1,
            linear=True,
            skip="identity"
            if stride == 1 and in_width == self.out_width and not reshape_width
            else "none",
            activation=self.activation,
            space_to_depth=reshape_width,
        )


# repeats, kernel, stride, expansion in X, expansion in H, width, fused, reshape, activation
_STAGES: tuple[tuple[int, int, int, int, int, int, bool, Reshape, Activation], ...] = (
    (1, 3, 1, 1, 1, 16, False, "enter", "relu"),
    (2, 3, 2, 6, 4, 24, True, "leave", "silu"),
    (2, 5, 2, 6, 4, 40, True, "none", "silu"),
    (3, 3, 2, 6, 4, 80, False, "none", "relu"),
    (3, 5, 1, 6, 6, 112, False, "none", "relu"),
    (4, 5, 2, 6, 6, 192, False, "none", "relu"),
    (1, 3, 1, 6, 6, 320, False, "none", "relu"),
)
# Width and depth coefficients, resolution. Dropout and SE coefficients go by level, below.
_OWN = {  # EfficientNet's own coefficients ("single-objective scaling")
    "B0": (1.0, 1.0, 224),
    "B1": (1.0, 1.1, 240),
    "B2": (1.1, 1.2, 260),
    "B3": (1.2, 1.4, 300),
    "B4": (1.4, 1.8, 380),
    "B5": (1.6, 2.2, 456),
    "B6": (1.8, 2.6, 528),
    "B7": (2.0, 3.1, 600),
}
_TPU = {  # the builder's latency-aware coefficients for TPUv3
    "B0": (1.0, 1.0, 224),
    "B1": (1.05, 1.09, 229),
    "B2": (1.13, 1.29, 244),
    "B3": (1.27, 1.62, 263),
    "B4": (1.54, 2.38, 299),
    "B5": (1.96, 2.76, 332),
    "B6": (2.75, 3.01, 328),
    "B7": (3.26, 3.44, 350),
}
_GPU = {  # and for V100
    "B0": (1.0, 1.0, 224),
    "B1": (1.05, 1.09, 229),
    "B2": (1.13, 1.24, 237),
    "B3": (1.31, 1.63, 255),
    "B4": (1.63, 2.4, 282),
    "B5": (1.94, 3.29, 306),
    "B6": (2.25, 4.28, 328),
    "B7": (2.58, 5.46, 350),
}
_H = {"B5": (1.92, 2.2, 456), "B6": (2.16, 2.6, 528), "B7": (2.4, 3.1, 600)}
_H_TPU = {"B5": (2.3, 2.76, 332), "B6": (3.0, 3.01, 328), "B7": (3.6, 3.44, 350)}
# The paper's Table 6 prints nominal depth (of 16, rounded down) and resolution of its LACS
# families, no widths. The depths here are the middles of the printed intervals; the widths give
# each level the nominal work of the EfficientNet of that level: an inference.
_TABLE6_GPU = {
    "B1": (1.05, 17.5 / 16, 229),
    "B2": (1.15, 20.5 / 16, 241),
    "B3": (1.31, 25.5 / 16, 258),
    "B4": (1.63, 36.5 / 16, 289),
    "B5": (1.95, 49.5 / 16, 317),
    "B6": (2.26, 62.5 / 16, 343),
    "B7": (2.59, 79.5 / 16, 368),
}
_TABLE6_TPU = {
    "B1": (1.04, 17.5 / 16, 229),
    "B2": (1.13, 20.5 / 16, 243),
    "B3": (1.27, 26.5 / 16, 263),
    "B4": (1.54, 38.5 / 16, 298),
    "B5": (1.80, 52.5 / 16, 331),
    "B6": (2.05, 68.5 / 16, 361),
    "B7": (2.31, 87.5 / 16, 391),
}
_COEFFICIENTS: Mapping[str, Mapping[str, tuple[float, float, int]]] = {
    "EN-X": _OWN,
    "EN-X-GPU": _GPU,
    "EN-X-TPU": _TPU,
    "EN-H": _H,
    "EN-H-TPU": _H_TPU,
    "EN-X-Table6-GPU": _TABLE6_GPU,
    "EN-X-Table6-TPU": _TABLE6_TPU,
}
DROPOUT = dict(zip(_OWN, (0.2, 0.2, 0.3, 0.3, 0.4, 0.4, 0.5, 0.5), strict=True))
DROP_PATH = 0.2
_SE_COEFFICIENT = {"B0": 4, "B1": 2}


class Coefficients(NamedTuple):
    """What a level multiplies B0's widths and depths by, and its resolution."""

    width: float
    depth: float
    resolution: int


def coefficients(name: str) -> Coefficients:
    """Of one of `NAMES`; ``EN-X-B4`` has EfficientNet-B4's own.

    Raises:
        InputError: another name.
    """
    family, _, level = name.rpartition("-")
    if level not in _COEFFICIENTS.get(family, {}):
        raise InputError(f"no coefficients of {name!r} are known.{did_you_mean(name, NAMES)}")
    return Coefficients(*_COEFFICIENTS[family][level])


NAMES = tuple(f"{f}-{level}" for f, levels in _COEFFICIENTS.items() for level in levels)
"""All names: the authors' 30 first, then the 14 that follow the paper's Table 6."""


def _stages(net: Network, change: Callable[[int, XStage], XStage]) -> Network:
    stages = [s for s in net.stages if isinstance(s, XStage)]
    return replace(net, stages=tuple(change(i, s) for i, s in enumerate(stages)))


def _activation(net: Network, activation: Activation) -> Network:
    changed = _stages(net, lambda _, s: replace(s, activation=activation))
    return replace(changed, activation=activation)


def _swish_stem(net: Network) -> Network:
    return replace(net, stem_activation="silu")


def _printed_kernel(net: Network) -> Network:
    return _stages(
        net, lambda _, s: replace(s, kernel_as_printed=True) if s.reshape == "enter" else s
    )


def _se(*ratios: float, of_hidden: bool = False) -> Callable[[Network], Network]:
    return lambda net: _stages(
        net, lambda i, s: replace(s, se_ratio=ratios[i] * (s.expansion if of_hidden else 1))
    )


_TABLE1_SE = (1.0, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25)  # stages 3 to 9 there


def _depthwise(net: Network) -> Network:
    return _stages(net, lambda _, s: replace(s, fused=False))


VARIANTS: Mapping[str, tuple[Callable[[Network], Network], str]] = {
    "relu": (lambda net: _activation(net, "relu"), "ReLU throughout: the paper's GPU network"),
    "swish": (lambda net: _activation(net, "silu"), "swish throughout, for comparison"),
    "swish-stem": (_swish_stem, "swish after the stem: the paper's TPU network"),
    "k3": (_printed_kernel, "3x3 depthwise convs on the reshaped map, as Table 1 prints"),
    "se-table1": (
        _se(*_TABLE1_SE),
        "squeeze-excite ratios as Table 1 prints, of the block's input",
    ),
    "se-table1-hidden": (_se(*_TABLE1_SE, of_hidden=True), "the same, of the hidden width"),
    "se-plain": (_se(*[0.25] * 7), "squeeze-excite ratio 0.25 throughout, as in EfficientNet"),
    "depthwise": (_depthwise, "depthwise convs throughout: nothing fused"),
}
"""What the paper prints and the authors' builder does otherwise, and steps on the way from
EfficientNet to EfficientNet-X; ``EN-X-GPU-B0+relu``."""

TABLE4_STEPS: Mapping[str, str] = {
    "EfficientNet-B0": "EN-TF-B0",
    "+ space-to-depth": "EN-X-B0+depthwise+swish",
    "+ fused conv": "EN-X-B0+swish",
    "+ activation": "EN-X-B0+relu",
}
"""The network of each row of Table 4 on a GPU. The step to space-to-depth silently contains a
fourfold squeeze-excite; without it, the network is ``EN-X-B0+depthwise+swish+se-plain``."""


def scaled(
    c: Coefficients,
    name: str = "EN-X",
    se_coefficient: int = 1,
    high: bool = False,
    dropout: float = 0.2,
) -> Network:
    """EfficientNet-X by any coefficients: the builder's rounding, whoever found them.

    Args:
        c: factors on B0's widths and depths, and the resolution.
        name: of the network. se_coefficient: 4 at B0, 2 at B1, 1 above.
        high: the stages of EfficientNet-H. dropout: that the authors train with.

    Raises:
        InputError: a factor that leaves nothing, or is too large.
    """
    se_ratio = 0.25 * se_coefficient
    return Network(
        name,
        tuple(
            XStage(
                depth=tf_depth(c.depth * repeats),
                width=tf_width(c.width * out),
                expansion=e_h if high else e_x,
                kernel=kernel,
                stride=stride,
                fused=fused,
                activation=activation,
                se_ratio=se_ratio,
                reshape=reshape,
            )
            for repeats, kernel, stride, e_x, e_h, out, fused, reshape, activation in _STAGES
        ),
        resolution=c.resolution,
        stem_width=tf_width(c.width * 32),
        head_width=tf_width(c.width * 1280),
        se_ratio=se_ratio,
        activation="relu",
        rules="tensorflow",
        dropout=dropout,
        drop_path=DROP_PATH,
    )


def make(name: str, variants: Sequence[str] = ()) -> Network:
    """One of `NAMES`, changed by the named `VARIANTS` in order.

    Raises:
        InputError: unknown variant; the message suggests the nearest.
    """
    family, _, level = name.rpartition("-")
    net = scaled(
        coefficients(name),
        name,
        _SE_COEFFICIENT.get(level, 1),
        high=family.startswith("EN-H"),
        dropout=DROPOUT[level],
    )
    for variant in variants:
        if variant not in VARIANTS:
            raise InputError(
                f"unknown variant {variant!r} of {name}.{did_you_mean(variant, VARIANTS)}"
                f" Variants: {', '.join(VARIANTS)}"
            )
        net = VARIANTS[variant][0](net)
    return replace(net, name="+".join([name, *variants]))
