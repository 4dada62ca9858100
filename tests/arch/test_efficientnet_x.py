"""The second paper's networks: the authors' counts to the unit, and block by block."""

import csv

import pytest
import torch
from torch import nn

from repro.arch import NAMES, blocks, get
from repro.arch.efficientnet_x import TABLE4_STEPS, VARIANTS, coefficients
from repro.complexity import complexity
from repro.counters import count
from repro.errors import InputError
from repro.models import Block as BuiltBlock
from repro.models import build
from repro.paths import root

X_NAMES = [name for name in NAMES if get(name).rules == "tensorflow"]


def name_of(model: str) -> str:
    """The zoo's name of a model in the reference file."""
    name = model.replace("efficientnet", "EN").upper()
    return name.replace("EN-B", "EN-TF-B")


def reference_rows():
    with (root() / "data/reference/efficientnet_x_complexity.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("row", reference_rows(), ids=lambda row: row["model"])
def test_counts_are_those_of_the_authors_builder(row):
    net = get(name_of(row["model"]))
    counted = complexity(net).counted_as("efficientnet-x")
    assert counted == (int(row["flops"]), int(row["params"]), int(row["acts"]))
    assert net.resolution == int(row["resolution"])


# repeats, space-to-depth, fused, kernel, stride, in, hidden, SE width, out, activation, skip
X_B0 = [
    (1, 128, False, 2, 1, 32, 128, 32, 64, "relu", False),
    (1, 0, True, 3, 1, 64, 96, 16, 24, "silu", False),
    (1, 0, True, 3, 1, 24, 144, 24, 24, "silu", True),
    (1, 0, True, 5, 2, 24, 144, 24, 40, "silu", False),
    (1, 0, True, 5, 1, 40, 240, 40, 40, "silu", True),
    (1, 0, False, 3, 2, 40, 240, 40, 80, "relu", False),
    (2, 0, False, 3, 1, 80, 480, 80, 80, "relu", True),
    (1, 0, False, 5, 1, 80, 480, 80, 112, "relu", False),
    (2, 0, False, 5, 1, 112, 672, 112, 112, "relu", True),
    (1, 0, False, 5, 2, 112, 672, 112, 192, "relu", False),
    (3, 0, False, 5, 1, 192, 1152, 192, 192, "relu", True),
    (1, 0, False, 3, 1, 192, 1152, 192, 320, "relu", False),
]
# depth above 1 on the reshaped map, and an SE coefficient of 2
X_B1_FIRST = [
    (1, 128, False, 2, 1, 32, 128, 16, 64, "relu", False),
    (1, 0, False, 2, 1, 64, 64, 32, 64, "relu", True),
    (1, 0, True, 3, 1, 64, 96, 8, 24, "silu", False),
    (2, 0, True, 3, 1, 24, 144, 12, 24, "silu", True),
]


def rows_of(name: str):
    return [
        (
            *(repeats, b.space_to_depth, b.groups == 1, b.kernel, b.stride, b.in_width),
            *(b.mid_width, b.se_width, b.out_width, b.activation, b.skip == "identity"),
        )
        for b, repeats in blocks(get(name))
    ]


def test_x_b0_and_x_b1_block_by_block():
    assert rows_of("EN-X-B0") == X_B0
    assert rows_of("EN-X-B1")[:4] == X_B1_FIRST


@pytest.mark.parametrize(
    ("name", "total", "skips"),
    [
        *(("EN-X-B0", 16, 9), ("EN-X-B1", 23, 16), ("EN-X-B7", 55, 48), ("EN-H-B5", 39, 32)),
        *(("EN-X-TPU-B7", 58, 51), ("EN-X-GPU-B7", 90, 83)),
    ],
)
def test_numbers_of_blocks_and_skips(name, total, skips):
    pairs = list(blocks(get(name)))
    assert sum(repeats for _, repeats in pairs) == total
    assert sum(repeats for b, repeats in pairs if b.skip == "identity") == skips
    model = build(name, device="meta")
    built = [m for m in model.modules() if isinstance(m, BuiltBlock)]
    assert len(built) == total
    assert sum(b.skip is not None for b in built) == skips


@pytest.mark.parametrize("name", X_NAMES)
def test_built_counts_are_the_analytic_ones(name):
    analytic, built = complexity(get(name)), count(build(name, device="meta"))
    assert (built.flops, built.params, built.acts) == (
        *(analytic.flops, analytic.params, analytic.acts),
    )


def swish_blocks(name: str) -> int:
    model = build(name, device="meta")
    built = [m for m in model.modules() if isinstance(m, BuiltBlock)]
    kinds = [{type(m) for m in b.modules() if isinstance(m, nn.SiLU | nn.ReLU)} for b in built]
    assert all(len(kind) == 1 for kind in kinds)  # squeeze-excite uses the block's own
    return sum(kind == {nn.SiLU} for kind in kinds)


def test_activation_census():
    assert swish_blocks("EN-X-B0") == 4
    assert swish_blocks("EN-X-B0+relu") == 0
    assert swish_blocks("EN-X-B0+swish") == 16
    stem = build("EN-X-TPU-B0+swish-stem", device="meta").stem
    assert isinstance(stem.bn.act, nn.SiLU)
    assert isinstance(build("EN-X-TPU-B0", device="meta").stem.bn.act, nn.ReLU)


def test_variants_change_what_they_name():
    assert get("EN-X-B0+k3").name == "EN-X-B0+k3"
    base, k3, se = (complexity(get(n)) for n in ("EN-X-B0", "EN-X-B0+k3", "EN-X-B0+se-table1"))
    assert k3.params - base.params == 128 * (9 - 4)  # one depthwise conv, 3x3 for 2x2
    assert round(k3.macs / 1e9, 3) == 0.922 and round(base.macs / 1e9, 3) == 0.920
    assert round(se.params / 1e6, 2) == 5.71 and se.conv_params == base.conv_params
    with pytest.raises(InputError, match=r"'se-tabel1' of EN-X-B0\. Did you mean 'se-table1'"):
        get("EN-X-B0+se-tabel1")
    assert {name for name, *_ in ALL_VARIANTS} == set(VARIANTS)


# EN-X-B0 so changed: millions of parameters, 1e9 multiply-adds.
ALL_VARIANTS = [
    *(("relu", 7.58, 0.920), ("swish", 7.58, 0.920), ("swish-stem", 7.58, 0.920)),
    *(("k3", 7.58, 0.922), ("se-table1", 5.71, 0.919), ("se-plain", 5.70, 0.919)),
    # 8.88 if the squeeze width behind the 2x2 conv were not divided by 4
    *(("se-table1-hidden", 8.85, 0.922), ("depthwise", 7.21, 0.456)),
]


@pytest.mark.parametrize(("name", "mparams", "gflops"), ALL_VARIANTS)
def test_counts_of_the_variants(name, mparams, gflops):
    c = complexity(get(f"EN-X-B0+{name}"))
    assert (round(c.params / 1e6, 2), round(c.macs / 1e9, 3)) == (mparams, gflops)


def test_table_4_steps_and_the_hidden_squeeze_excite():
    counts = [complexity(get(name)) for name in TABLE4_STEPS.values()]
    assert [round(c.params / 1e6, 2) for c in counts] == [5.29, 7.21, 7.58, 7.58]
    assert [round(c.macs / 1e9, 3) for c in counts] == [0.386, 0.456, 0.920, 0.920]
    plain = complexity(get("EN-X-B0+depthwise+swish+se-plain"))
    assert (round(plain.params / 1e6, 2), round(plain.macs / 1e9, 3)) == (5.32, 0.454)
    assert swish_blocks(TABLE4_STEPS["+ fused conv"]) == 16
    assert swish_blocks(TABLE4_STEPS["+ activation"]) == 0


def test_coefficients_by_name():
    assert coefficients("EN-X-GPU-B7") == (2.58, 5.46, 350)
    assert coefficients("EN-X-B4").depth == 1.8
    with pytest.raises(
        InputError, match=r"coefficients of 'EN-X-GPU-B8' .* Did you mean 'EN-X-GPU-B"
    ):
        coefficients("EN-X-GPU-B8")


@pytest.mark.parametrize("level", ["B1", "B4", "B7"])
@pytest.mark.parametrize("device", ["GPU", "TPU"])
def test_table_6_families_have_the_printed_depth_and_equal_work(level, device):
    net, plain = get(f"EN-X-Table6-{device}-{level}"), get(f"EN-TF-{level}")
    printed = {"GPU": {"B1": 17, "B4": 36, "B7": 79}, "TPU": {"B1": 17, "B4": 38, "B7": 87}}
    resolution = {
        "GPU": {"B1": 229, "B4": 289, "B7": 368},
        "TPU": {"B1": 229, "B4": 298, "B7": 391},
    }
    assert net.resolution == resolution[device][level]
    nominal = printed[device][level]
    # rounding each stage up adds less than one block to each of the seven
    assert nominal <= sum(s.depth for s in net.stages) < nominal + 8
    own = complexity(get(f"EN-X-{level}")).macs
    assert 0.9 < complexity(net).macs / own < 1.1 or level == "B1"
    assert plain.resolution != net.resolution


def test_forward_and_backward_in_channels_last():
    torch.manual_seed(0)
    model = build("EN-X-B0").to(memory_format=torch.channels_last)
    x = torch.randn(2, 3, 77, 77).to(memory_format=torch.channels_last)  # odd: SAME is uneven
    logits = model(x)
    assert logits.shape == (2, 1000)
    logits.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_padding_and_batch_norm_follow_the_rules():
    same = build("EN-TF-B0", device="meta")
    assert {(m.eps, m.momentum) for m in same.modules() if isinstance(m, nn.BatchNorm2d)} == {
        (1e-3, 0.01)
    }
    # an even map, stride 2: SAME pads right and bottom alone, so the first pixel is the centre's
    x = torch.zeros(1, 3, 8, 8)
    x[..., 0, 0] = 1
    tf, pycls = build("EN-TF-B0"), build("EN-B0")
    with torch.no_grad():
        for model in (tf, pycls):
            model.stem.conv.weight.fill_(0)
            model.stem.conv.weight[..., 0, 0] = 1
        assert tf.stem.conv(x)[0, 0, 0, 0] == 3
        assert pycls.stem.conv(x)[0, 0, 0, 0] == 0
