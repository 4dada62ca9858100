from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.arch import (
    NAMES,
    PAPER,
    MBStage,
    Network,
    ResStage,
    alpha_strategy,
    get,
    parse_strategy,
    scale,
    to_config,
)
from repro.arch.scaling import scale_by
from repro.arch.strategy import Multipliers
from repro.errors import InputError

TYPES = ["d", "w", "g", "r", "dw", "wr", "dr", "dwr", "dwgr", "w1_g1", "d1_w8_g8_r1", "d1_w8_r1"]

bases = st.sampled_from(NAMES).map(get)
types = st.sampled_from(TYPES)
scales = st.floats(1 / 8, 128)


def scaled_or_none(net, strategy, s):
    """The scaled network, or None where the result would be too small for its strides."""
    try:
        return scale(net, strategy, s)
    except InputError as error:
        assert s < 1 and "is too small" in str(error)
        return None


def test_res_by_hand():
    net = Network("tiny", (ResStage(depth=3, width=24, group_width=8),), resolution=64)
    # depth 3 x 2; width 24 x 2^(1/2) = 33.9 -> 32; group width 8 x 2^(1/2) = 11.3 -> 11 -> 8
    assert scale(net, "d", 2).stages == (ResStage(6, 24, 8),)
    assert scale(net, "w", 2).stages == (ResStage(3, 32, 8),)
    assert scale(net, "w1_g1", 2).stages == (ResStage(3, 32, 8),)
    # at 4: width 48; group width 16
    assert scale(net, "w", 4).stages == (ResStage(3, 48, 8),)
    assert scale(net, "w1_g1", 4).stages == (ResStage(3, 48, 16),)
    # at 9: width 72 in three groups of 24
    assert scale(net, "w1_g1", 9).stages == (ResStage(3, 72, 24),)
    assert scale(net, "r", 2).resolution == 92  # 64 x 2^(1/2) = 90.5
    assert (scale(net, "w", 4).stem_width, scale(net, "w", 4).head_width) == (32, 0)


def test_mb_by_hand():
    net = Network("tiny", (MBStage(3, 24, 6, 5, 2),), stem_width=16, head_width=64)
    wide = scale(net, "w", 4)
    assert wide.stages == (MBStage(3, 48, 6, 5, 2),)
    assert (wide.stem_width, wide.head_width) == (32, 128)  # an EfficientNet's grow with width
    assert scale(net, "d", 0.5).stages[0].depth == 2  # 1.5 to the even 2
    assert scale(replace(net, head_width=0), "w", 4).head_width == 0


def test_a_scaled_network_says_what_it_is():
    assert scale(get("EN-B0"), "d1_w8_g8_r1", 8.2).name == "EN-B0 d1_w8_g8_r1 x8.2"
    assert scale(get("EN-B0"), PAPER["dWr"], 4).name == "EN-B0 dWr x4"


def test_every_row_of_the_authors_code(reference_rows):
    """Stage lists equal, and the multipliers equal to the last bit."""
    wrong = []
    for row in reference_rows:
        net, strategy = get(row["base"]), row["scale_type"]
        if strategy:
            m = parse_strategy(strategy).multipliers(row["scale"])
            net = scale(net, strategy, row["scale"])
            if m._asdict() != {k: row[k] for k in "dwgr"}:
                wrong.append((net.name, m))
            if row.get("alpha") is not None:
                assert parse_strategy(strategy).alpha == pytest.approx(row["alpha"])
        if to_config(net) != row["config"]:
            wrong.append((net.name, to_config(net), row["config"]))
    assert len(reference_rows) == 998
    assert not wrong


def test_the_two_readings_of_w():
    for name in ("RegNetY-4.0GF", "ResNet-50", "RegNetZ-4GF"):
        grammar, paper = scale(get(name), "w", 4), scale(get(name), PAPER["w"], 4)
        assert grammar.stages != paper.stages
        assert paper.stages == scale(get(name), "w1_g1", 4).stages
    # depthwise convs stay depthwise under both
    assert scale(get("EN-B0"), "w", 4).stages == scale(get("EN-B0"), PAPER["w"], 4).stages


@pytest.mark.parametrize("name", NAMES)
def test_scale_1_changes_nothing(name):
    base = get(name)
    for strategy in [*PAPER.values(), *TYPES, "d0", "d3_w14_g14_r3"]:
        assert to_config(scale(base, strategy, 1)) == to_config(base)


@given(bases, st.sampled_from(["0", "1/3", "2/3", "4/5", "1"]), st.floats(0.5, 32))
def test_the_alpha_family_is_the_grammar(base, alpha, s):
    by_alpha = alpha_strategy(alpha)
    assert scale(base, by_alpha, s).stages == scale(base, by_alpha.grammar, s).stages


@given(bases, types, scales)
def test_scaled_networks_are_sound(base, strategy, s):
    net = scaled_or_none(base, strategy, s)
    if net is None:
        return
    assert net.resolution % 4 == 0 or net.resolution == base.resolution
    assert net.resolution >= net.total_stride
    assert len(net.stages) == len(base.stages)
    for stage, was in zip(net.stages, base.stages, strict=True):
        assert stage.depth >= 1
        assert stage.stride == was.stride
        if isinstance(stage, ResStage):
            assert stage.bottleneck == was.bottleneck
            assert stage.mid_width == stage.width * stage.bottleneck
            assert stage.mid_width % stage.group_width == 0
        else:
            assert stage.width % 8 == 0
            assert (stage.expansion, stage.kernel) == (was.expansion, was.kernel)
    if not base.is_mbconv:
        assert (net.stem_width, net.head_width) == (base.stem_width, base.head_width)


@given(bases, types, scales)
def test_only_the_dimensions_of_a_strategy_change(base, strategy, s):
    net = scaled_or_none(base, strategy, s)
    if net is None:
        return
    weights = parse_strategy(strategy)
    if not weights.r:
        assert net.resolution == base.resolution
    if not weights.d:
        assert [x.depth for x in net.stages] == [x.depth for x in base.stages]
    if not weights.w and not weights.g:
        assert [x.width for x in net.stages] == [x.width for x in base.stages]


@given(bases, types, scales, scales)
def test_depth_and_resolution_never_shrink_as_the_scale_grows(base, strategy, s, t):
    small, large = (scaled_or_none(base, strategy, x) for x in sorted((s, t)))
    if small is None or large is None:
        return
    assert small.resolution <= large.resolution
    for a, b in zip(small.stages, large.stages, strict=True):
        assert a.depth <= b.depth


@given(st.sampled_from([n for n in NAMES if n.startswith("EN")]), scales)
def test_group_width_means_nothing_to_an_efficientnet(name, s):
    for bare, coupled in (("w", "w1_g1"), ("dwr", "dwgr"), ("d1_w8_r1", "d1_w8_g8_r1")):
        a, b = (scaled_or_none(get(name), strategy, s) for strategy in (bare, coupled))
        assert (a and to_config(a)) == (b and to_config(b))


@given(bases, types | st.sampled_from(["d1_g9999", "g5", "d0"]), st.floats() | st.floats(0))
def test_any_scale_gives_a_network_or_an_input_error(base, strategy, s):
    try:
        net = scale(base, strategy, s)
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert s > 0
    assert max(net.resolution, *(max(x.depth, x.width) for x in net.stages)) < 2**53


@pytest.mark.parametrize("strategy", TYPES[:-1])
def test_a_scale_beyond_exact_arithmetic_is_refused(strategy):
    if strategy == "g":  # held to the width of each stage
        assert scale(get("ResNet-50"), "g", 1e300).stages == scale(get("ResNet-50"), "g", 1).stages
        return
    with pytest.raises(InputError, match="too large"):
        scale(get("ResNet-50"), strategy, 1e300)


def test_a_network_too_small_for_its_strides_is_named():
    with pytest.raises(InputError, match=r"EN-B0 r x0\.01: resolution 24 is too small.* 32 pixels"):
        scale(get("EN-B0"), "r", 0.01)


def test_rounding_up_by_hand():
    net = Network("tiny", (MBStage(3, 24, 6, 5, 2),), stem_width=16, head_width=64)
    m = Multipliers(d=1.1, w=1.2, g=1.2, r=1.05)
    up, nearest = (scale_by(net, m, rule) for rule in ("up", "nearest"))
    # 3.3 blocks; 28.8, 19.2 and 76.8 channels; 235.2 pixels
    assert (up.stages, nearest.stages) == ((MBStage(4, 32, 6, 5, 2),), (MBStage(3, 32, 6, 5, 2),))
    assert (up.stem_width, up.head_width, up.resolution) == (24, 80, 235)
    assert (nearest.stem_width, nearest.head_width, nearest.resolution) == (16, 80, 236)
    # half of 16 and 24 is up by the builder and to even by the scaler: 20
    m = Multipliers(1, 20 / 24, 1, 1)
    assert scale_by(net, m, "up").stages[0].width == 24 and scale_by(net, m).stages[0].width == 16
    assert scale_by(net, m).name == "tiny d1 w0.8333 r1"


def test_factors_that_cannot_be():
    with pytest.raises(InputError, match=r"a factor is too large: EN-B0 d1e[+]30 w1 r1 cannot be"):
        scale_by(get("EN-B0"), Multipliers(1e30, 1, 1, 1))
    with pytest.raises(InputError, match="is a piece of a network"):
        scale_by(get("MBConv-c8@7"), Multipliers(1, 1, 1, 1))
