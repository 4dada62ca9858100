import csv

import numpy as np
import pandas as pd
import pytest

from repro.analysis.timing.predict import COUNTS, fit, held_out, report, with_counts


@pytest.fixture(scope="module")
def published(reference_folder):
    """Figure 2's points: minutes for an epoch on eight V100s, with our counts."""
    return with_counts(pd.read_csv(reference_folder / "fast_scaling_figure2_runtime.csv"))


TIME = "epoch_minutes_8xv100"


def test_counts_are_ours_and_agree_with_the_published_ones(published, reference_folder):
    with (reference_folder / "fast_scaling_figure2_runtime.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(published) == len(rows)
    for ours, row in zip(published.itertuples(), rows, strict=True):
        assert ours.gflops == pytest.approx(float(row["gflops"] or ours.gflops), abs=0.02, rel=1e-3)
    assert (published["kernels"] > 50).all()


def test_the_costs_of_a_made_up_machine_are_found():
    generator = np.random.default_rng(0)
    points = pd.DataFrame(generator.uniform(1, 50, (40, 4)), columns=list(COUNTS))
    points["time"] = 3 + 2 * points["gflops"] + 0.5 * points["macts"]
    found = fit(points, "time")
    assert found.costs == pytest.approx(
        {"gflops": 2, "macts": 0.5, "mparams": 0, "kernels": 0}, abs=1e-6
    )
    assert found.constant == pytest.approx(3)
    assert list(found.predict(points)) == pytest.approx(list(points["time"]))


def test_no_cost_is_negative():
    points = pd.DataFrame({"gflops": [1.0, 2, 3, 4], "time": [9.0, 7, 5, 3]})
    found = fit(points, "time", ["gflops"])
    assert found.costs["gflops"] == 0 and found.constant > 0


def test_a_group_is_predicted_without_having_been_seen():
    points = pd.DataFrame(
        {"base": ["a", "a", "b", "b"], "macts": [1.0, 2, 1, 2], "time": [1.0, 2, 3, 6]}
    )
    predicted = held_out(points, "time", ["macts"], "base")
    assert list(predicted) == pytest.approx([3, 6, 1, 2])


def test_on_the_published_points_several_counts_predict_unseen_strategies_better(published):
    """Leave one strategy out: one count alone, then all together."""
    found = report(published, TIME).set_index(["left_out", "counts"])["error"]
    for left_out in ("none", "base", "strategy"):
        assert found[left_out, "macts"] < found[left_out, "gflops"]
        assert found[left_out, "macts"] < found[left_out, "mparams"]
    assert found["strategy", " + ".join(COUNTS)] < found["strategy", "macts"]


def test_a_report_has_a_row_for_each_set_and_way(published):
    one_family = published[published["base"] == "EN-B0"]
    found = report(one_family, TIME, [("macts",), COUNTS])
    assert list(found["left_out"]) == ["none", "strategy"] * 2
    assert (found["worst"] >= found["error"]).all() and (found["pearson"] <= 1).all()
