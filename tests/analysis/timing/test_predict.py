"""Prices found by a fit, errors on what it has not seen, and rooflines."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_up_timings import CPU, by_acts, by_all, records

from repro.analysis.timing import predict, sets
from repro.analysis.timing.predict import COUNTS, fit, held_out

ASSUMED = {"V100, paper's Figure 2": "fp16", "V100, authors' zoo": "fp32"}


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


def test_on_the_published_points_several_counts_predict_unseen_networks_better(figure2):
    errors = predict.held_out_errors([figure2]).set_index(["left_out", "counts"]).error
    for left_out in ("family", "strategy"):
        assert errors[left_out, "flops + acts"] < errors[left_out, "acts"]
        assert errors[left_out, "acts"] < errors[left_out, "flops"]
        assert errors[left_out, "acts"] < errors[left_out, "params"]


def test_a_set_without_strategies_or_rates_has_fewer_errors():
    errors = predict.held_out_errors([sets.zoo()])
    assert set(errors.left_out) == {"family"} and "roofline" not in set(errors.counts)


def test_the_predictor_finds_a_law_even_for_the_unseen(held):
    held(records("laptop", by_all, CPU))
    timings = sets.best_training()[0]
    errors = predict.held_out_errors([timings]).set_index("counts").error
    assert errors[" + ".join(COUNTS)].max() == pytest.approx(0, abs=1e-4)
    assert errors["acts"].min() > 0.01
    # training takes three times as long as the law says: 3 ns an act, 9 ns a thousand flops
    assert predict.balance(timings) == pytest.approx(1e-9 / 3e-12, rel=1e-2)


def test_flops_that_are_free_have_no_balance(held):
    held(records("laptop", by_acts, CPU))
    assert predict.balance(sets.best_training()[0]) > 1e5


def test_the_price_list_misses_plain_residual_networks(figure2):
    wanted = pd.DataFrame({"base": ["ResNet-50"], "strategy": [""], "s": [1.0]})
    ms = predict.fitted(figure2).predict(sets.with_counts(wanted))[0]
    assert ms * sets.IMAGENET_IMAGES / 60e3 / 8 > 1.5 * 3.5  # fitted to squeeze-excite alone


def test_a_machine_on_its_roofline(figure2):
    (ideal,) = predict.with_roofline([figure2], ASSUMED, "none")
    assert (ideal.frame.roofline > 0).all()
    assert (ideal.frame.ms > ideal.frame.roofline).all()  # no V100 beats its roof
    perfect = replace(ideal, frame=ideal.frame.assign(ms=ideal.frame.roofline))
    errors = predict.held_out_errors([perfect]).set_index("counts").error
    assert errors["roofline"].max() == pytest.approx(0, abs=1e-9)


def test_peaks_are_measured_ones_where_there_are(held, figure2):
    made = records("laptop", by_acts, CPU, peak=2e11)
    held(made)
    cpu = sets.best_training()[0]
    assert predict.peaks_of(cpu, "fp32").of("fp32") == 2e11
    assert predict.peaks_of(figure2, "fp16").name == "V100"
    assert "roofline" in predict.with_roofline([cpu], ASSUMED, "none")[0].frame
    held(made[1:])
    assert predict.peaks_of(cpu, "fp32") is None
    assert "roofline" not in predict.with_roofline([cpu], ASSUMED, "none")[0].frame
