"""Frames that several chapters start from."""

import pytest

from repro.analysis.frames import counts, family, log_slope, scaled
from repro.arch import NAMES, PAPER, get
from repro.complexity import complexity


@pytest.mark.parametrize("name", NAMES)
def test_every_zoo_network_has_a_family(name):
    assert family(name)


def test_counts_are_the_counters():
    c = complexity(get("ResNet-50"))
    assert counts(get("ResNet-50")) == {
        "resolution": 224,
        "flops": c.flops,
        "params": c.params,
        "acts": c.acts,
    }


def test_scaled_has_a_row_for_each_combination_in_order():
    frame = scaled(["EN-B0", "ResNet-50"], {"d": PAPER["d"], "w": PAPER["w"]}, [1, 2])
    assert list(zip(frame.base, frame.strategy, frame.s, strict=True)) == [
        (base, name, s) for base in ("EN-B0", "ResNet-50") for name in "dw" for s in (1, 2)
    ]
    unscaled = frame[frame.s == 1]
    assert (unscaled[["flops_ratio", "params_ratio", "acts_ratio"]] == 1).all(axis=None)
    assert set(frame[frame.base == "EN-B0"].family) == {"EfficientNet"}


def test_depth_doubles_what_it_should_and_width_spares_acts():
    frame = scaled(["RegNetY-4GF"], {"d": PAPER["d"], "w": PAPER["w"]}, [8]).set_index("strategy")
    assert frame.flops_ratio["d"] == pytest.approx(8, rel=0.1)
    assert frame.acts_ratio["w"] == pytest.approx(8**0.5, rel=0.1)


def test_slope_of_a_power_law_is_its_exponent():
    scales = [1, 2, 4, 8, 32]
    assert log_slope(scales, [3 * s**0.6 for s in scales]) == pytest.approx(0.6)
