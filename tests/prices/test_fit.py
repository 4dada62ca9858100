"""Prices are found again, none is negative, and errors and intervals are of whole families."""

import numpy as np
import pytest

from repro.prices import fit as f
from repro.prices.counts import Counts
from repro.prices.law import LAWS, published
from repro.prices.sources import Timed, Timings

RANDOM = np.random.default_rng(0)


def networks(number, law, families=4):
    counts = [Counts(*RANDOM.uniform(1e8, 1e10, 4), "dense") for _ in range(number)]
    return tuple(
        Timed(str(i), f"family {i % families}", f"family {i % families}", c, law(c))
        for i, c in enumerate(counts)
    )


def timings(number, law, families=4):
    return Timings("d/infer", "d", "infer", False, networks(number, law, families))


def test_prices_are_found_again():
    counts = RANDOM.uniform(1, 50, (40, 3)) * [1e9, 1e6, 1.0]
    found = f.fit(counts, counts @ [2e-9, 5e-7, 0] + 3)
    assert found == pytest.approx([2e-9, 5e-7, 0, 3], abs=1e-12, rel=1e-5)
    assert f.times(found, counts) == pytest.approx(counts @ [2e-9, 5e-7, 0] + 3)


def test_a_few_slow_networks_do_not_set_the_prices():
    counts = RANDOM.uniform(1, 50, (60, 1))
    seconds = 2 * counts[:, 0] + 1
    seconds[:6] *= 4
    assert f.fit(counts, seconds) == pytest.approx([2, 1], rel=0.02)


def test_no_price_is_negative():
    found = f.fit(np.array([[1.0], [2], [3], [4]]), np.array([9.0, 7, 5, 3]))
    assert found[0] == 0 and found[1] > 0


def test_a_group_is_predicted_without_having_been_seen():
    counts, seconds = np.array([[1.0], [2], [1], [2]]), np.array([1.0, 2, 3, 6])
    assert f.held_out(counts, seconds, list("aabb")) == pytest.approx([3, 6, 1, 2])


def test_intervals_are_of_whole_units():
    """Every network of a family is off by the same: copies of it make nothing more certain."""
    counts = np.repeat(RANDOM.uniform(1, 50, (8, 1)), 20, axis=0)
    seconds = counts[:, 0] * np.repeat(RANDOM.uniform(1, 2, 8), 20)
    by_family = f.resampled(counts, seconds, [str(i // 20) for i in range(160)])[:, 0]
    singly = f.resampled(counts, seconds, [str(i) for i in range(160)])[:, 0]
    assert np.ptp(by_family) > 2 * np.ptp(singly)


def test_a_further_price_is_kept_where_it_helps_on_families_not_seen():
    two = f.price(timings(60, lambda c: 1e-12 * c.flops + 1e-11 * c.acts))
    assert two.counts == LAWS[0] and two.in_flops["acts"].value == pytest.approx(10, rel=1e-3)
    assert two.ms["flops"].value == pytest.approx(1, rel=1e-3)  # a millisecond for 1e9
    three = f.price(timings(60, lambda c: 1e-12 * c.flops + 1e-11 * c.writes))
    assert three.counts == LAWS[1] and three.errors["all"] < 1e-3


def test_one_family_is_held_out_network_by_network():
    found = f.price(timings(20, lambda c: 1e-12 * c.flops, families=1))
    assert found.families == 1 and found.errors["all"] < 1e-3


@pytest.fixture(scope="module")
def everything():
    return f.everything()


def test_the_stored_prices_are_up_to_date(everything):
    text = (f.root() / "data" / "prices.yaml").read_text(encoding="utf-8")
    assert f"inputs: {f.digest(everything)}" in text, "python -m repro.prices.fit renews it"
    assert [t.setting for t in everything] == [price.setting for price in published()]


@pytest.mark.parametrize("setting", ["v100/train/zoo", "rtx3090/train/amp/nchw/1.12/eager"])
def test_the_stored_prices_come_out_again(everything, setting):
    (timings,) = [t for t in everything if t.setting == setting]
    found = f.price(timings)
    (stored,) = [price for price in published() if price.setting == setting]
    assert stored.counts == found.counts
    for name, values in found.ms.items():
        assert stored.ms[name] == pytest.approx(values, rel=1e-3)
    assert stored.errors == pytest.approx(found.errors, rel=1e-3)
