"""Prices found by a fit, and errors on what it has not seen."""

import numpy as np
import pandas as pd
import pytest
from made_up_timings import CPU, by_all, records

from repro.analysis.timing import predict, sets
from repro.analysis.timing.predict import COUNTS, fit, held_out


@pytest.fixture(scope="module")
def figure2():
    return sets.figure2()


def test_the_costs_of_a_made_up_machine_are_found():
    generator = np.random.default_rng(0)
    points = pd.DataFrame(generator.uniform(1, 50, (40, 4)), columns=list(COUNTS))
    points["time"] = 3 + 2 * points["flops"] + 0.5 * points["acts"]
    found = fit(points, "time")
    assert found.costs == pytest.approx(
        {"flops": 2, "acts": 0.5, "params": 0, "kernels": 0}, abs=1e-6
    )
    assert found.constant == pytest.approx(3)
    assert list(found.predict(points)) == pytest.approx(list(points["time"]))


def test_no_cost_is_negative():
    points = pd.DataFrame({"flops": [1.0, 2, 3, 4], "time": [9.0, 7, 5, 3]})
    found = fit(points, "time", ["flops"])
    assert found.costs["flops"] == 0 and found.constant > 0


def test_a_group_is_predicted_without_having_been_seen():
    points = pd.DataFrame(
        {"base": ["a", "a", "b", "b"], "acts": [1.0, 2, 1, 2], "time": [1.0, 2, 3, 6]}
    )
    assert list(held_out(points, "time", ["acts"], "base")) == pytest.approx([3, 6, 1, 2])


def test_on_the_published_points_two_counts_predict_unseen_networks_better(figure2):
    for left_out in ("family", "strategy"):
        error = {
            counts: predict.unseen_error(figure2, counts, left_out)
            for counts in (("flops", "acts"), ("acts",), ("flops",), ("params",))
        }
        assert error["flops", "acts"] < error["acts",] < min(error["flops",], error["params",])


def test_the_predictor_finds_a_law_even_for_the_unseen(held):
    held(records("laptop", by_all, CPU))
    timings = sets.best_training()[0]
    for left_out in ("family", "strategy"):
        assert predict.unseen_error(timings, COUNTS, left_out) == pytest.approx(0, abs=1e-4)
        assert predict.unseen_error(timings, ["acts"], left_out) > 0.01
    # milliseconds for a million acts and a billion flops
    costs = predict.fitted(timings).costs
    assert costs["acts"] / costs["flops"] == pytest.approx(1e-9 * 1e6 / (3e-12 * 1e9), rel=1e-2)


def test_the_price_list_misses_plain_residual_networks(figure2):
    wanted = pd.DataFrame({"base": ["ResNet-50"], "strategy": [""], "s": [1.0]})
    ms = predict.fitted(figure2).predict(sets.with_counts(wanted))[0]
    assert ms * sets.IMAGENET_IMAGES / 60e3 / 8 > 1.5 * 3.5  # fitted to squeeze-excite alone
