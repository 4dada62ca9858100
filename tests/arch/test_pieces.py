"""Single blocks and first stages: names, geometry, counts, and what cannot be."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from repro.arch import BlockChoice, BlockStage, Network, blocks, get, scale, to_config
from repro.arch.pieces import parse
from repro.complexity import complexity
from repro.counters import count
from repro.errors import InputError
from repro.models import build
from repro.models.block import from_batch, to_batch

PIECES = [
    "MBConv-c16@14",
    "FusedMBConv-c16@14",
    "MBConv-c16-o24-e4-k5-s2-se0.25-silu@15",
    "FusedMBConv-c8-e1-k2-x3@7",
    "FusedMBConv-c8-g4@7",
    "MBConv-c8-b2@8",
    "MBConv-c8-s2-b2@8",
    "EN-X-B0[:1]",
    "EN-X-B0[:2]",
    "EN-TF-B0[:2]",
    "ResNet-50[:1]",
]


def test_counts_by_hand():
    c, m, side = 16, 96, 14
    plain, fused = (complexity(get(f"{kind}-c{c}@{side}")) for kind in ("MBConv", "FusedMBConv"))
    assert plain.macs == side**2 * (c * m + 9 * m + m * c)
    assert fused.macs == side**2 * (9 * c * m + m * c)
    assert plain.params - plain.bn_params == c * m + 9 * m + m * c
    assert (plain.bn_params, fused.bn_params) == (2 * (2 * m + c), 2 * (m + c))
    assert (plain.classifier_params, plain.classifier_acts, plain.pool_acts) == (0, 0, 0)
    assert plain.acts == side**2 * (2 * m + c)


def test_squeeze_excite_and_repeats_by_hand():
    one, three = complexity(get("MBConv-c16-se0.25@14")), complexity(get("MBConv-c16-se0.25-x3@14"))
    assert one.se_macs == 2 * 96 * 4
    assert {name: 3 * value for name, value in one.parts().items()} == three.parts()


@pytest.mark.parametrize("name", PIECES)
def test_built_counts_are_the_analytic_ones(name):
    net = get(name)
    analytic, built = complexity(net), count(build(net, device="meta"))
    assert (built.flops, built.params, built.acts) == (
        *(analytic.flops, analytic.params, analytic.acts),
    )


def test_a_block_gives_a_map_and_first_stages_give_features():
    x = torch.randn(2, 16, 15, 15)
    assert build("MBConv-c16-o24-e4-k5-s2-se0.25-silu@15")(x).shape == (2, 24, 8, 8)
    assert build("EN-X-B0[:2]").eval()(torch.randn(1, 3, 64, 64)).shape == (1, 24)


def test_space_to_depth_and_plain_stages_end_alike():
    a, b = get("EN-X-B0[:2]"), get("EN-TF-B0[:2]")
    assert a.stages[-1].out_width == b.stages[-1].out_width
    assert a.total_stride == b.total_stride


def test_first_stages_keep_stem_and_name():
    net = get("EN-X-B0+relu[:2]")
    assert (net.name, len(net.stages), net.head_width, net.num_classes) == (
        *("EN-X-B0+relu[:2]", 2, 0, 0),
    )
    assert list(blocks(net)) == list(blocks(get("EN-X-B0+relu")))[:3]


def test_space_to_batch_is_undone():
    x = torch.arange(2 * 3 * 4 * 6.0).reshape(2, 3, 4, 6)
    parts = to_batch(x, 2)
    assert parts.shape == (8, 3, 2, 3)
    assert torch.equal(parts[1], x[0, :, ::2, 1::2])
    assert torch.equal(from_batch(parts, 2), x)


def test_space_to_batch_dilates_the_spatial_conv_alone():
    torch.manual_seed(0)
    cut, whole = build("MBConv-c8-k1-b2@8").eval(), build("MBConv-c8-k1@8").eval()
    whole.load_state_dict(cut.state_dict())
    x = torch.randn(2, 8, 8, 8)
    assert torch.allclose(cut(x), whole(x), atol=1e-6)  # 1x1 convs do not see the cuts
    assert complexity(get("MBConv-c8-k3-b2@8")) == complexity(get("MBConv-c8-k3@8"))


def test_search_space_blocks_are_those_of_the_network():
    second = list(blocks(get("EN-X-B0")))[2][0]  # 24 to 24, fused, swish, squeeze ratio 1
    assert parse("FusedMBConv-c24-se1-silu@56").block() == second


CHOICES = st.builds(
    BlockChoice,
    kind=st.sampled_from(["MBConv", "FusedMBConv"]),
    channels=st.integers(1, 64),
    size=st.integers(4, 64).map(lambda n: 4 * n),
    out=st.none(),
    expansion=st.integers(1, 8),
    kernel=st.integers(1, 7),
    stride=st.just(1),
    groups=st.none(),
    se_ratio=st.just(0.0),
    activation=st.sampled_from(["relu", "silu"]),
    space_to_batch=st.sampled_from([1, 2, 4]),
    repeats=st.integers(1, 5),
)


@given(CHOICES)
def test_a_name_says_everything(choice):
    assert parse(choice.name) == choice
    assert get(choice.name) == choice.network()
    assert complexity(choice.network()).macs > 0


@pytest.mark.parametrize("name", PIECES[:3])
def test_names_are_kept(name):
    assert get(name).name == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("MBConv-c16", "cannot be read; a block is written like"),
        ("MBConv@14", "no number of channels"),
        ("MBConv-c16-c8@14", "channels is given twice"),
        ("MBConv-c16-q3@14", "unknown option 'q3'; options are c, o"),
        ("MBConv-c16-s-1@14", "stride -1 is not allowed"),
        ("MBConv-c16-k2.5@14", "kernel 2.5 is not a whole number"),
        ("MBConv-c16-k0@14", "kernel 0 is too small"),
        ("FusedMBConv-c16-g3@14", "3 groups do not divide the 16 input and 96 output"),
        ("MBConv-c16-b3@14", "14 pixels per side cannot be cut into 3 parts"),
        ("MBConv-c16-b2-se0.25@14", "squeeze width 4 is not allowed; 0 or more, and 0 with"),
        ("MBConv-c16-o8-x2@14", "from 16 to 8 channels with stride 1 cannot be repeated 2"),
        ("FuseMBConv-c16@14", "unknown block 'FuseMBConv'. Did you mean 'FusedMBConv'"),
        ("MBConv-c16@0", "resolution 0 is too small"),
        ("EN-B0[:8]", "EN-B0 has 7 stages"),
        ("EN-B0[:0]", "EN-B0 has 7 stages"),
    ],
)
def test_impossible_pieces(name, message):
    with pytest.raises(InputError) as error:
        get(name)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"stride": -1}, "block: stride -1 is too small"),
        ({"channels": -4}, "channels|width -4 is too small"),
        ({"se_ratio": -1.0}, "se_ratio -1.0 is not allowed"),
        ({"activation": "gelu"}, "activation 'gelu' is not allowed"),
    ],
)
def test_impossible_choices(values, message):
    with pytest.raises(InputError, match=message):
        BlockChoice(**({"kind": "MBConv", "channels": 8, "size": 8} | values))


def test_pieces_have_no_head_and_are_not_scaled():
    net = get("MBConv-c8@8")
    with pytest.raises(InputError, match="is a piece of a network; only whole networks"):
        scale(net, "d", 2)
    with pytest.raises(InputError, match="no classifier"):
        build(net, num_classes=10)
    stage = BlockStage(parse("MBConv-c8@8").block())
    with pytest.raises(InputError, match="must be the 3 channels of the input"):
        Network("x", (stage,), stem="none", num_classes=0)
    with pytest.raises(InputError, match="a block for 8 channels gets 32"):
        list(blocks(Network("x", (stage,))))


def test_config_of_a_piece():
    config = to_config(get("MBConv-c8-x2@8"))
    assert config["type"] == "blocks" and config["blocks"][0]["depth"] == 2
    assert config["blocks"][0]["block"]["mid_width"] == 48


def test_a_record_tells_which_block_it_was():
    from repro.runtime.jobs import job

    a, b = (job(name).subject for name in ("MBConv-c8@8", "MBConv-c8-silu@8"))
    assert a.description["stages"][0]["block"]["mid_width"] == 48
    assert a.description != b.description
    assert (a.name, a.base, a.flops) == ("MBConv-c8@8", "MBConv-c8@8", 64 * (2 * 8 + 9) * 48)
