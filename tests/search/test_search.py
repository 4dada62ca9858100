"""Blocks on rooflines, Equation 2, where fused blocks stop paying, and the scaling search."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.arch import BlockChoice, get
from repro.arch.efficientnet_x import Coefficients, coefficients
from repro.complexity import complexity
from repro.errors import InputError
from repro.runtime.blocks import break_even, cost, equation2, fused_gain, grid
from repro.runtime.roofline import Peaks
from repro.search import lacs as search

UNIT = Peaks("one operation and one byte a second", {"fp16": 1.0}, 1.0)


def test_cost_of_a_block_by_hand():
    # 2 -> 2 channels at 3 x 3, expansion 1: depthwise 3x3 and 1x1; 9 pixels, 5 images
    found = cost("MBConv-c2-e1@3", UNIT, batch=5, fusion="conv")
    assert found.flops == 5 * 9 * (2 * 9 + 2 * 2)
    maps = 5 * 9 * (2 + 2 + 2 + 2)
    addition = 3 * 5 * 9 * 2  # read both, write the sum
    assert found.bytes == 2 * (maps + addition + 2 * 9 + 2 * 2)
    assert found.intensity == 2 * found.flops / found.bytes
    assert found.params == 2 * 9 + 2 * 2 + 2 * (2 + 2)
    assert (found.name, found.device) == ("MBConv-c2-e1@3", UNIT.name)


def test_every_choice_of_the_search_space_has_a_cost():
    base = cost("MBConv-c32@28", "V100", batch=8)
    fused = cost("FusedMBConv-c32@28", "V100", batch=8)
    assert fused.flops > 4 * base.flops and fused.bytes < base.bytes
    assert fused.intensity > 5 * base.intensity
    squeezed = cost("MBConv-c32-se1@28", "V100", batch=8)
    assert squeezed.bytes > base.bytes and squeezed.params > base.params
    cut = cost("MBConv-c32-b2@28", "V100", batch=8)
    assert cut.flops == base.flops and cut.bytes > base.bytes
    swish = cost("MBConv-c32-silu@28", "V100", batch=8)
    assert (swish.flops, swish.bytes) == (base.flops, base.bytes)  # ideal: an activation is free
    reshaped, plain = (cost(f"{n}[:2]", "V100", batch=8) for n in ("EN-X-B0", "EN-TF-B0"))
    assert reshaped.flops > plain.flops and reshaped.intensity > plain.intensity


def test_a_description_and_its_name_cost_the_same():
    choice = BlockChoice("FusedMBConv", 24, 56, kernel=5, activation="silu")
    assert cost(choice, "H200") == cost(choice.name, "H200") == cost(choice.network(), "H200")


def test_grid_in_order():
    names = [c.name for c in grid(kind="MBConv", channels=(8, 16), size=(14, 7))]
    assert names == ["MBConv-c8@14", "MBConv-c8@7", "MBConv-c16@14", "MBConv-c16@7"]
    with pytest.raises(InputError, match="unknown choice 'chanels'"):
        grid(kind="MBConv", chanels=8, size=7)
    with pytest.raises(InputError, match="a block needs channels and size"):
        grid(kind="MBConv")
    with pytest.raises(InputError, match="width 0 is too small"):
        grid(kind="MBConv", channels=(8, 0), size=7)


def test_equation_2_by_hand():
    # one image of 2 x 2, 3 channels, 1 x 1 kernel
    assert equation2("conv", 1, 2, 3, 1) == (4 * 9, 2 * 4 * 3 + 9)
    assert equation2("depthwise", 1, 2, 3, 1) == (4 * 3 * 4, 4 * 4 * 3 + 3 + 9)


# Least time of an MBConv over that of the fused one, worked out apart from this code: expansion 6,
# 3x3, large batch, two bytes, every conv one kernel, no squeeze-excite, no addition.
MEASURED = Peaks("H200, rates measured", {"fp16": 790e12}, 4.3e12)
BY_HAND = {
    "V100": {16: 1.86, 24: 1.59, 32: 1.34, 40: 1.15, 48: 1.01, 64: 0.82, 96: 0.59, 128: 0.46},
    "H200": {16: 1.86, 24: 1.85, 32: 1.58, 40: 1.39, 48: 1.23, 64: 1.01, 96: 0.74, 128: 0.58},
}


@pytest.mark.parametrize("device", BY_HAND)
def test_fused_against_depthwise_as_channels_grow(device):
    peaks = MEASURED if device == "H200" else device
    for channels, ratio in BY_HAND[device].items():
        # another width behind the block leaves out the addition, and hardly changes the rest
        gain = fused_gain(channels, peaks, out=channels + 1, fusion="all")
        assert gain == pytest.approx(ratio, rel=0.03)


def test_break_even_on_three_rooflines():
    assert break_even("V100") == 48
    assert break_even(MEASURED) == 64  # 72 by the data sheet, whose rates nobody reaches
    assert break_even("H200") == 72
    assert break_even("V100", range(64, 100)) is None
    assert break_even("V100", [8, 16]) == 16
    # X-B0 fuses its stages of 24 and 40 channels and no others
    widths = [s.width for s in get("EN-X-B0").stages if s.fused]
    assert widths == [24, 40] and max(widths) <= break_even("V100")


@given(st.sampled_from(["V100", "H200"]), st.integers(1, 30), st.sampled_from([7, 14, 56]))
def test_gains_fall_with_channels(device, eighth, size):
    c = 8 * eighth
    assert fused_gain(c, device, size=size) >= fused_gain(2 * c, device, size=size) - 1e-9


@pytest.mark.parametrize(
    ("block", "device", "batch", "message"),
    [
        ("MBConv-c8@7", "V101", 1, "no device 'V101'.*Did you mean 'V100'"),
        ("MBConv-c8@7", "V100", 0, "batch 0 is not allowed"),
        ("FusedMBConv-c8-g3@7", "V100", 1, "3 groups do not divide"),
        ("EN-X-GPX-B0", "V100", 1, "unknown network 'EN-X-GPX-B0'.*Did you mean 'EN-X-GPU-B0'"),
        ("EN-X-B9", "V100", 1, "unknown network 'EN-X-B9'.*Did you mean 'EN-X-B"),
        ("MBConv-c8@7", "Xeon", 1, "no sourced peak rate of CPU in fp16"),
    ],
)
def test_bad_input(block, device, batch, message):
    with pytest.raises(InputError, match=message) as error:
        cost(block, device, batch)
    assert "\n" not in str(error.value)


def test_blocks_cost_nothing_to_import():
    code = "import sys, repro.search; print({'torch', 'numpy', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# Scaling under a latency.


def test_reward_by_hand():
    assert search.reward(80, 2.0, 2.0) == 80
    assert search.reward(80, 4.0, 2.0) == pytest.approx(80 * 2**-0.09)
    assert search.reward(80, 1.0, 2.0, exponent=-1) == 160


def test_the_stand_in_is_as_good_as_it_says():
    fit = search.stand_in()
    assert fit.residual < 0.13 and fit.held_out < 0.3  # percentage points
    assert fit.error(1, 1, 1) == pytest.approx(22.72, abs=0.1)  # EN-B0, as plotted
    # the curve of dwr at s = 11, which ends at 17.47
    assert fit.error(11**0.3333, 11**0.1667, 11**0.1667) == pytest.approx(17.47, abs=0.2)
    for factors in ((0.9, 1, 1), (1, 5, 1), (1, 1, 2.3)):
        with pytest.raises(InputError, match="is outside of what was published: 1 to"):
            fit.error(*factors)


def test_both_families_of_x_are_worth_about_the_same_to_the_stand_in():
    """Levels are meant to be of one accuracy, whatever the scaling; not fitted to either."""
    for level in ("B2", "B3", "B4", "B5"):
        errors = [
            search.evaluate(coefficients(f"{family}-{level}"), 1.0, lambda net: 1.0).error
            for family in ("EN-X", "EN-X-GPU", "EN-X-TPU")
        ]
        assert max(errors) - min(errors) < 0.5


def flops(net):
    """A latency that is flops alone."""
    return complexity(net).macs / 1e12


def test_search_keeps_to_the_target_and_beats_the_plain_family():
    target = flops(get("EN-X-B3"))
    found = search.lacs(target, flops, steps=6)
    assert (1 - search.NEAR) * target <= found.latency <= target
    assert found.latency == flops(found.network)
    plain = search.evaluate(coefficients("EN-X-B3"), target, flops)
    assert found.reward > plain.reward and found.error < plain.error


def test_search_follows_the_latency_it_is_given():
    """Where only blocks cost time the search goes wide, where only channels do it goes deep."""

    def blocks_alone(net):
        return sum(s.depth for s in net.stages) * net.resolution

    def channels_alone(net):
        return net.stem_width * net.resolution

    wide, deep = (
        search.lacs(2 * latency(get("EN-X-B0")), latency, steps=6).coefficients
        for latency in (blocks_alone, channels_alone)
    )
    assert wide.width > 2 * deep.width and deep.depth > 2 * wide.depth


def test_scaled_x_is_the_builders():
    from repro.arch.efficientnet_x import scaled

    net = get("EN-X-GPU-B4")
    assert scaled(coefficients("EN-X-GPU-B4")).stages == net.stages
    assert search.Candidate(Coefficients(1.0, 1.2, 240), 1, 1, 1).network.resolution == 240


def test_nothing_near_the_target():
    with pytest.raises(InputError, match="no scaled EfficientNet-X has a latency near 1e-09 s"):
        search.lacs(1e-9, flops, steps=3)
    with pytest.raises(InputError, match="steps 1 is not allowed"):
        search.lacs(1e-3, flops, steps=1)
