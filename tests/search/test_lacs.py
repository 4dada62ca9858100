"""Latency-aware scaling: the reward, the stand-in for accuracy, and the search."""

import pytest

from repro.arch import get
from repro.arch.efficientnet_x import Coefficients, coefficients, scaled
from repro.complexity import complexity
from repro.errors import InputError
from repro.runtime.roofline import device_peaks, roofline
from repro.search import lacs as search


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
    assert found.latency == flops(scaled(found.coefficients))
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
    net = get("EN-X-GPU-B4")
    assert scaled(coefficients("EN-X-GPU-B4")).stages == net.stages
    assert scaled(Coefficients(1.0, 1.2, 240)).resolution == 240


def test_nothing_near_the_target():
    with pytest.raises(InputError, match="no scaled EfficientNet-X has a latency near 1e-09 s"):
        search.lacs(1e-9, flops, steps=3)
    with pytest.raises(InputError, match="steps 1 is not allowed"):
        search.lacs(1e-3, flops, steps=1)


def test_a_rooflines_latency_is_its_least_time():
    net, peaks = get("EN-X-B0"), device_peaks("V100")
    wanted = roofline(net, peaks, 8, "fp16").ideal_s
    assert (
        search.roofline_latency("V100", 8)(net) == search.roofline_latency(peaks, 8)(net) == wanted
    )
