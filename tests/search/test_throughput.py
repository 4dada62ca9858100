"""Times of networks of B0's space: counts of blocks by hand, then the published throughputs."""

from decimal import Decimal

import numpy as np
import pytest

from repro import reference
from repro.errors import InputError
from repro.search import throughput as search
from repro.search.space import EFFICIENTNET
from repro.search.table import codes

DEVICES = list(search.DEVICES)


def test_blocks_are_counted():
    (counts,) = search.block_counts(codes([("1666666", "3353553", "1223341", "1111110")]))
    constant, (first, others) = counts[0], counts[1:].reshape(2, 7, 3, 2, 2)
    assert constant == 1
    assert first.sum() == 7 and others.sum() == 16 - 7  # B0 has 16 blocks
    assert first.sum(axis=(1, 2, 3)).tolist() == [1] * 7
    assert others.sum(axis=(1, 2, 3)).tolist() == [0, 1, 1, 2, 2, 3, 0]
    assert first[0, 0, 0, 1] == 1  # expansion 1, kernel 3, squeeze-excite
    assert others[5, 2, 1, 1] == 3  # expansion 6, kernel 5
    assert first[6, 2, 0, 0] == 1  # without squeeze-excite


def test_prices_by_hand():
    counts = np.array([[1.0, 1], [1, 2], [1, 5]])
    assert search.prices(counts, counts @ [3, 2]) == pytest.approx([3, 2])
    assert search.prices(counts, np.array([9.0, 5, 1]))[1] == 0  # no price is negative


def test_errors_by_hand():
    found = search.time_errors(np.array([1.1, 2.0, 2.0]), np.array([1.0, 2.0, 4.0]))
    assert found.median == pytest.approx(0.1)
    assert found.tau == pytest.approx(2 / 6**0.5)  # a tie among the predictions


@pytest.mark.parametrize("device", DEVICES)
def test_laws_are_judged_on_networks_that_they_have_not_seen(device):
    found = search.laws(device)
    assert tuple(found) == search.LAWS
    medians = [found[law].median for law in ("flops", "acts", "roofline", *search.LAWS[4:])]
    assert medians == sorted(medians, reverse=True)  # each law is better than the one before
    assert found["blocks and pairs"].median < 0.025
    assert found["flops"].tau < 0.7 < found["acts"].tau < found["roofline"].tau


def test_the_model_predicts_what_it_was_fitted_to():
    points, ms = search.measured("A100")
    off = abs(search.throughput("A100").ms(points) / ms - 1)
    assert np.median(off) < search.throughput("A100").held_out.median


@pytest.mark.parametrize("device", DEVICES)
def test_every_network_of_the_space_takes_time(device):
    """Also those that are far from any that was timed: the smallest and the largest."""
    sample = EFFICIENTNET.sample(np.random.default_rng(0), 2000)
    ends = np.array([np.zeros(28), EFFICIENTNET.counts - 1], np.int8)
    ms = search.throughput(device).ms(np.concatenate([ends, sample]))
    assert ms.min() > 0 and ms[0] < np.median(ms) < ms[1]


def test_unknown_device():
    with pytest.raises(InputError, match=r"unknown device 'TPUv4'\. Did you mean 'TPUv"):
        search.throughput("TPUv4")


@pytest.mark.parametrize("rate", ["0", "-5", "NaN", "Infinity"])
def test_a_rate_that_is_none_is_named_by_its_line(monkeypatch, rate):
    rows = list(reference.b0_space()[:3])
    rows[1] = rows[1]._replace(a100_img_s=Decimal(rate))
    monkeypatch.setattr(reference, "b0_space", lambda: rows)
    with pytest.raises(InputError, match=r"accel_nasbench\.csv, line 3: a100_img_s cannot be"):
        search.milliseconds("A100")
