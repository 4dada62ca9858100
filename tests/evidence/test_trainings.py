"""Differences between ways to scale, and their intervals."""

import pytest
from made_up_trainings import GAINS, law, runs
from scipy import stats

from repro.evidence import trainings as e


def test_runs_are_found_with_what_was_asked_for():
    found = e.trained("cifar10", runs(law(GAINS)))
    assert {(t.strategy, t.times) for t in found} == {
        (None, 1),
        *((s, times) for s in GAINS if s for times in (2, 4)),
    }
    assert e.cells(found, "dwr", 4)["proxy-Y"] == pytest.approx({0: 30.95, 1: 31.0, 2: 31.05})
    assert e.trained("digits", runs(law(GAINS))) == []


def test_runs_without_their_base_are_no_evidence():
    found = e.trained("cifar10", [r for r in runs(law(GAINS)) if r.subject.strategy])
    assert found == []


def test_runs_that_tried_out_a_rate_are_not_mixed_in():
    tried = runs(law(GAINS), plan="proxy_cpu_rate")
    assert {r.subject.strategy for r in tried} == {None} and len(tried) == 12
    assert e.trained("cifar10", tried) == []
    compared = runs(law(GAINS))
    assert len(e.trained("cifar10", [*tried, *compared, *tried])) == len(compared)


def test_one_base_is_the_paired_t_test():
    a, b = [3.0, 4.5, 5.1], [2.0, 4.0, 3.9]
    found = e.difference({"x": dict(enumerate(a))}, {"x": dict(enumerate(b))})
    low, high = stats.ttest_rel(a, b).confidence_interval(e.CONFIDENCE)
    assert (found.low, found.high, found.pairs) == (pytest.approx(low), pytest.approx(high), 3)


def test_bases_may_differ_without_widening_the_interval():
    a = {"x": {0: 1.0, 1: 2.0}, "y": {0: 11.0, 1: 12.0, 2: 13.0}}
    b = {"x": {0: 0.0, 1: 0.0}, "y": {0: 0.0, 1: 0.0, 2: 0.0}}
    found = e.difference(a, b)
    # Variances 0.5 with one degree of freedom and 1 with two; the mean of means has a quarter of
    # the sum of variances over the numbers of pairs.
    pooled = (0.5 + 2 * 1.0) / 3
    half = stats.t.ppf(0.975, 3) * (pooled * (1 / 2 + 1 / 3) / 4) ** 0.5
    assert found.mean == pytest.approx((1.5 + 12) / 2)
    assert found.high - found.mean == pytest.approx(half)
    assert found.by_base == {"x": 1.5, "y": 12.0}


def test_only_pairs_count_and_a_lone_one_is_none():
    a, b = {"x": {0: 1.0, 1: 2.0, 2: 9.0}}, {"x": {0: 0.0, 1: 0.0}, "y": {0: 1.0}}
    assert e.difference(a, b).pairs == 2
    assert e.difference({"x": {0: 1.0}}, b) is None
    assert e.difference({"z": {0: 1.0, 1: 1.0}}, b) is None


def test_a_mean_of_ways_is_taken_where_all_are():
    parts = [{"x": {0: 1.0, 1: 3.0}, "y": {0: 1.0}}, {"x": {1: 5.0}}]
    assert e.averaged(parts) == {"x": {1: 4.0}}
