from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.arch import Block, MBStage, Network, ResStage, blocks, get, to_config
from repro.errors import InputError

RES = ResStage(depth=3, width=16, group_width=4, bottleneck=0.5)
MB = MBStage(depth=3, width=24, expansion=6, kernel=5, stride=2)


def test_res_blocks_by_hand():
    net = Network("tiny", (RES,), stem_width=10, se_ratio=0.25)
    first, rest = blocks(net)
    assert first == (
        Block(
            in_width=10,
            mid_width=8,
            out_width=16,
            kernel=3,
            stride=2,
            groups=2,
            se_width=2,  # 2.5 to the even 2: of the block's input, not of its bottleneck
            expand=True,
            linear=False,
            skip="projection",
            activation="relu",
        ),
        1,
    )
    assert rest == (replace(first[0], in_width=16, stride=1, se_width=4, skip="identity"), 2)


def test_linear_res_blocks_skip_only_where_shapes_agree():
    net = Network("tiny", (replace(RES, linear=True),), stem_width=16)
    assert [block.skip for block, _ in blocks(net)] == ["none", "identity"]
    assert all(block.linear for block, _ in blocks(net))


def test_a_res_block_of_equal_width_and_stride_1_needs_no_projection():
    net = Network("tiny", (replace(RES, stride=1),), stem_width=16)
    assert [block.skip for block, _ in blocks(net)] == ["identity", "identity"]


def test_mb_blocks_by_hand():
    net = Network("tiny", (MB,), stem_width=14, se_ratio=0.25, activation="silu")
    first, rest = blocks(net)
    assert first == (
        Block(
            in_width=14,
            mid_width=84,
            out_width=24,
            kernel=5,
            stride=2,
            groups=84,
            se_width=3,  # 3.5 to 3: rounded down here
            expand=True,
            linear=True,
            skip="none",
            activation="silu",
        ),
        1,
    )
    assert rest[0].mid_width == 144 and rest[0].skip == "identity" and rest[1] == 2


def test_an_mb_block_of_expansion_1_has_no_expansion():
    net = Network("tiny", (replace(MB, expansion=1),))
    assert [block.expand for block, _ in blocks(net)] == [False, False]


def test_one_block_is_yielded_once():
    assert [n for _, n in blocks(Network("tiny", (replace(RES, depth=1),)))] == [1]


@pytest.mark.parametrize(
    "name, stride", [("EN-B0", 32), ("RegNetY-4GF", 32), ("ResNet-50", 32), ("RegNetZ-4GF", 32)]
)
def test_total_stride(name, stride):
    assert get(name).total_stride == stride
    assert get(name).at(stride).resolution == stride
    with pytest.raises(InputError, match=f"resolution {stride - 1} is too small.*{stride} pixels"):
        get(name).at(stride - 1)


def test_descriptions_are_frozen():
    with pytest.raises(FrozenInstanceError):
        get("EN-B0").resolution = 1


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: Network("x", ()), "at least one stage"),
        (lambda: replace(RES, depth=0), "depth 0 is too small"),
        (lambda: replace(RES, width=-8), "width -8 is too small"),
        (lambda: replace(RES, group_width=0), "group_width 0 is too small"),
        (lambda: replace(RES, group_width=3), "3 does not divide its bottleneck of 8"),
        (lambda: replace(RES, bottleneck=0.0), "4 does not divide its bottleneck of 0"),
        (lambda: replace(RES, stride=-1), "stride -1 is too small"),
        (lambda: replace(RES, depth=2**53), "depth 9.007e\\+15 is too large"),
        (lambda: replace(MB, kernel=4), "kernel 4 is even"),
        (lambda: replace(MB, expansion=0), "expansion 0 is too small"),
        (lambda: Network("x", (RES,), stem_width=0), "stem_width 0 is too small"),
        (lambda: Network("x", (RES,), head_width=-1), "head width -1"),
        (lambda: Network("x", (RES,), num_classes=-1), "-1 cannot be negative"),
        (lambda: Network("x", (RES,), resolution=10**400), "resolution 1.000e\\+400 is too large"),
        (lambda: Network("x", (RES,), resolution=-4), "resolution -4 is too small"),
    ],
)
def test_what_cannot_be_built_cannot_be_described(make, said):
    with pytest.raises(InputError, match=said):
        make()


def test_config_has_the_keys_of_the_authors_files():
    assert to_config(Network("x", (RES, RES), se_ratio=0.25)) == {
        "type": "anynet",
        "stem_type": "simple_stem_in",
        "stem_w": 32,
        "block_type": "res_bottleneck_block",
        "depths": [3, 3],
        "widths": [16, 16],
        "strides": [2, 2],
        "bot_muls": [0.5, 0.5],
        "group_ws": [4, 4],
        "head_w": 0,
        "se_r": 0.25,
        "activation": "relu",
        "num_classes": 1000,
        "res": 224,
    }
    effnet = to_config(Network("x", (MB,), head_width=1280))
    assert (effnet["type"], effnet["exp_ratios"], effnet["kernels"]) == ("effnet", [6], [5])
    assert "group_ws" not in effnet


@given(st.integers(1, 9), st.integers(1, 40), st.integers(1, 3), st.sampled_from([1, 2]))
def test_blocks_chain_and_add_up_to_the_depth(depth, eighths, groups, stride):
    width = 8 * eighths * groups
    stages = tuple(ResStage(depth, width * (i + 1), 8 * eighths, stride=stride) for i in range(3))
    net = Network("random", stages, resolution=64)
    width_now, seen = net.stem_width, 0
    for block, repeats in blocks(net):
        assert block.in_width == width_now
        assert block.mid_width % block.groups == 0
        assert repeats == 1 or (block.in_width == block.out_width and block.stride == 1)
        width_now, seen = block.out_width, seen + repeats
    assert seen == 3 * depth
