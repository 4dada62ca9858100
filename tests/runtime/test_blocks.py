"""Equation 2, and where fused blocks stop paying."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.arch import get
from repro.errors import InputError
from repro.runtime.blocks import break_even, equation2, fused_gain
from repro.runtime.roofline import Peaks, device_peaks, roofline

UNIT = Peaks("one operation and one byte a second", {"fp16": 1.0}, 1.0)


def test_cost_of_a_block_by_hand():
    # 2 -> 2 channels at 3 x 3, expansion 1: depthwise 3x3 and 1x1; 9 pixels, 5 images
    found = roofline(get("MBConv-c2-e1@3"), UNIT, batch=5, dtype="fp16")
    assert found.operations == 2 * 5 * 9 * (2 * 9 + 2 * 2)
    maps = 5 * 9 * (2 + 2 + 2 + 2)
    addition = 3 * 5 * 9 * 2  # read both, write the sum
    assert found.bytes == 2 * (maps + addition + 2 * 9 + 2 * 2)


def cost(name):
    return roofline(get(name), device_peaks("V100"), 8, "fp16")


def test_every_choice_of_the_search_space_has_a_cost():
    base, fused = cost("MBConv-c32@28"), cost("FusedMBConv-c32@28")
    assert fused.operations > 4 * base.operations and fused.bytes < base.bytes
    assert cost("MBConv-c32-se1@28").bytes > base.bytes
    cut = cost("MBConv-c32-b2@28")
    assert cut.operations == base.operations and cut.bytes > base.bytes
    assert cost("MBConv-c32-silu@28") == base  # ideal: an activation is free
    reshaped, plain = (cost(f"{n}[:2]") for n in ("EN-X-B0", "EN-TF-B0"))
    assert reshaped.operations > plain.operations and reshaped.intensity > plain.intensity


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
    ("device", "choices", "message"),
    [
        ("V101", {}, "no device 'V101'.*Did you mean 'V100'"),
        ("V100", {"groups": 3}, "3 groups do not divide"),
    ],
)
def test_bad_input(device, choices, message):
    with pytest.raises(InputError, match=message):
        fused_gain(8, device, **choices)


def test_every_listed_device_has_a_break_even():
    assert break_even("TPUv3") in range(40, 57)  # nearly a V100
    assert break_even("CPU") < break_even("V100")


def test_blocks_cost_nothing_to_import():
    code = "import sys, repro.runtime.blocks; print({'torch', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
