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
        sizes = ("depth", "width", "expansion", "kernel", "stride")
        check_sizes("stage", **{name: getattr(self, name) for name in sizes})

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
        yield self._block(in_width, nominal, 1 if leave else self.stride, first=True), 1
        if self.depth > 1:
            yield self._block(self.out_width, self.out_width, 1, first=False), self.depth - 1

    def _block(self, in_width: int, nominal: int, stride: int, first: bool) -> Block:
        enter = self.reshape == "enter"
        reshape_width = 4 * in_width if enter and first else 0
        squeeze = int(nominal * self.se_ratio)
        mid = nominal * self.expansion
        small = enter and not self.kernel_as_printed
        same = stride == 1 and in_width == self.out_width and not reshape_width
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
            skip="identity" if same else "none",
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
LEVELS = ("B0", "B1", "B2", "B3", "B4", "B5", "B6", "B7")


class Coefficients(NamedTuple):
    """What a level multiplies B0's widths and depths by, and its resolution."""

    width: float
    depth: float
    resolution: int


def _levels(*columns: Sequence[float]) -> dict[str, Coefficients]:
    """Coefficients of the last levels from their widths, depths and resolutions."""
    rows = [Coefficients(w, d, int(r)) for w, d, r in zip(*columns, strict=True)]
    return dict(zip(LEVELS[-len(rows) :], rows, strict=True))


# EfficientNet's own ("single-objective scaling"). Dropout and SE coefficients go by level, below.
OWN = _levels(
    (1.0, 1.0, 1.1, 1.2, 1.4, 1.6, 1.8, 2.0),
    (1.0, 1.1, 1.2, 1.4, 1.8, 2.2, 2.6, 3.1),
    (224, 240, 260, 300, 380, 456, 528, 600),
)
_COEFFICIENTS: Mapping[str, Mapping[str, Coefficients]] = {
    "EN-X": OWN,
    "EN-X-GPU": _levels(  # the builder's latency-aware coefficients for V100, and for TPUv3
        (1.0, 1.05, 1.13, 1.31, 1.63, 1.94, 2.25, 2.58),
        (1.0, 1.09, 1.24, 1.63, 2.4, 3.29, 4.28, 5.46),
        (224, 229, 237, 255, 282, 306, 328, 350),
    ),
    "EN-X-TPU": _levels(
        (1.0, 1.05, 1.13, 1.27, 1.54, 1.96, 2.75, 3.26),
        (1.0, 1.09, 1.29, 1.62, 2.38, 2.76, 3.01, 3.44),
        (224, 229, 244, 263, 299, 332, 328, 350),
    ),
    "EN-H": _levels((1.92, 2.16, 2.4), (2.2, 2.6, 3.1), (456, 528, 600)),
    "EN-H-TPU": _levels((2.3, 3.0, 3.6), (2.76, 3.01, 3.44), (332, 328, 350)),
    # The paper's Table 6 prints nominal depth (of 16, rounded down) and resolution of its LACS
    # families, no widths. The depths here are the middles of the printed intervals; the widths
    # give each level the nominal work of the EfficientNet of that level: an inference.
    "EN-X-Table6-GPU": _levels(
        (1.05, 1.15, 1.31, 1.63, 1.95, 2.26, 2.59),
        [n / 16 for n in (17.5, 20.5, 25.5, 36.5, 49.5, 62.5, 79.5)],
        (229, 241, 258, 289, 317, 343, 368),
    ),
    "EN-X-Table6-TPU": _levels(
        (1.04, 1.13, 1.27, 1.54, 1.80, 2.05, 2.31),
        [n / 16 for n in (17.5, 20.5, 26.5, 38.5, 52.5, 68.5, 87.5)],
        (229, 243, 263, 298, 331, 361, 391),
    ),
}
DROPOUT = dict(zip(LEVELS, (0.2, 0.2, 0.3, 0.3, 0.4, 0.4, 0.5, 0.5), strict=True))
DROP_PATH = 0.2
_SE_COEFFICIENT = {"B0": 4, "B1": 2}


def coefficients(name: str) -> Coefficients:
    """Of one of `NAMES`; ``EN-X-B4`` has EfficientNet-B4's own.

    Raises:
        InputError: another name.
    """
    family, _, level = name.rpartition("-")
    if level not in _COEFFICIENTS.get(family, {}):
        raise InputError(f"no coefficients of {name!r} are known.{did_you_mean(name, NAMES)}")
    return _COEFFICIENTS[family][level]


NAMES = tuple(f"{f}-{level}" for f, levels in _COEFFICIENTS.items() for level in levels)
"""All names: the authors' 30 first, then the 14 that follow the paper's Table 6."""


def _stages(net: Network, change: Callable[[int, XStage], XStage]) -> Network:
    stages = [s for s in net.stages if isinstance(s, XStage)]
    return replace(net, stages=tuple(change(i, s) for i, s in enumerate(stages)))


def _activation(net: Network, activation: Activation) -> Network:
    changed = _stages(net, lambda _, s: replace(s, activation=activation))
    return replace(changed, activation=activation)


def _printed_kernel(net: Network) -> Network:
    return _stages(
        net, lambda _, s: replace(s, kernel_as_printed=True) if s.reshape == "enter" else s
    )


def _se(*ratios: float, of_hidden: bool = False) -> Callable[[Network], Network]:
    return lambda net: _stages(
        net, lambda i, s: replace(s, se_ratio=ratios[i] * (s.expansion if of_hidden else 1))
    )


_TABLE1_SE = (1.0, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25)  # stages 3 to 9 there


VARIANTS: Mapping[str, tuple[Callable[[Network], Network], str]] = {
    "relu": (lambda net: _activation(net, "relu"), "ReLU throughout: the paper's GPU network"),
    "swish": (lambda net: _activation(net, "silu"), "swish throughout, for comparison"),
    "swish-stem": (
        lambda net: replace(net, stem_activation="silu"),
        "swish after the stem: the paper's TPU network",
    ),
    "k3": (_printed_kernel, "3x3 depthwise convs on the reshaped map, as Table 1 prints"),
    "se-table1": (
        _se(*_TABLE1_SE),
        "squeeze-excite ratios as Table 1 prints, of the block's input",
    ),
    "se-table1-hidden": (_se(*_TABLE1_SE, of_hidden=True), "the same, of the hidden width"),
    "se-plain": (_se(*[0.25] * 7), "squeeze-excite ratio 0.25 throughout, as in EfficientNet"),
    "depthwise": (
        lambda net: _stages(net, lambda _, s: replace(s, fused=False)),
        "depthwise convs throughout: nothing fused",
    ),
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
        se_coefficient: 4 at B0, 2 at B1, 1 above. high: the stages of EfficientNet-H.

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
