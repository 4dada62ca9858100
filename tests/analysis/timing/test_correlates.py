"""Correlations with time and their intervals; on made-up machines with stated laws."""

import numpy as np
import pandas as pd
import pytest
from made_up_timings import CPU, by_acts, by_flops, records

from repro.analysis.timing import correlates, sets

KEYS = ["timings", "networks"]


@pytest.fixture(scope="module")
def figure2():
    return sets.figure2()


def test_pearson_and_spearman():
    assert correlates.correlation([1, 2, 3], [2, 4, 6]) == pytest.approx(1)
    assert correlates.correlation([1, 2, 3], [1, 3, 2]) == pytest.approx(0.5)
    assert correlates.correlation([1, 2, 3], [1, 8, 27]) < 1
    assert correlates.correlation([1, 2, 3], [1, 8, 27], rank=True) == pytest.approx(1)
    assert correlates.correlation([1, 1, 2], [1, 1, 5], rank=True) == pytest.approx(1)


def test_whole_groups_are_redrawn():
    groups = pd.Series(["a", "a", "b", "c"])
    times, number = correlates.redrawn(groups, 50)
    assert list(number) == [0, 0, 1, 2] and times.shape == (50, 3)
    assert (times.sum(axis=1) == 3).all() and times.max() > 1
    assert (times == correlates.redrawn(groups, 50)[0]).all()


def made_up(generator, families, rows, slope):
    """Time follows acts; in each family flops are acts times a constant of its own."""
    acts = generator.uniform(1, 100, (families, rows))
    flops = acts * np.exp(slope * generator.normal(size=(families, 1)))
    frame = pd.DataFrame({"acts": acts.ravel(), "flops": flops.ravel()})
    family = np.repeat([f"f{i}" for i in range(families)], rows)
    return frame.assign(params=1.0 + frame.index, ms=frame.acts, family=family)


def test_a_lead_is_as_sure_as_there_are_families_not_rows():
    frame = made_up(np.random.default_rng(0), 8, 40, 0.8)
    families, rows = (
        correlates.lead(frame, groups, 400, logs=True)
        for groups in (frame.family, pd.Series(frame.index))
    )
    for found in (families, rows):
        assert found["acts"] == pytest.approx(1) and 0 < found["low"] < found["lead"]
        assert found["lead"] == found["acts"] - found["flops"]
    assert families["high"] - families["low"] > 1.5 * (rows["high"] - rows["low"])


def test_resamples_that_change_nothing_have_no_width():
    frame = made_up(np.random.default_rng(1), 3, 5, 0.5)
    one = correlates.lead(frame, pd.Series("all", index=frame.index), 20)
    assert one["low"] == pytest.approx(one["lead"]) == pytest.approx(one["high"])


def test_correlations_beside_the_printed_ones(held, figure2):
    held(records("laptop", by_acts, CPU))
    table = correlates.correlation_table(figure2, sets.zoo(), sets.best_training(), 140, 200)
    assert len(table) == 9
    rows = table.set_index(KEYS)
    printed, ours = (rows.loc["V100, paper's Figure 2", n] for n in ("EN-B0, as printed", "EN-B0"))
    assert list(printed[["flops", "params", "acts"]]) == [0.81, 0.56, 0.99]
    assert round(ours.flops, 2) == 0.81 and round(ours.params, 2) == 0.56
    drawn = rows.loc["V100, paper's Figure 2", "EN-B0, up to 140 M acts"]
    assert (drawn.n, ours.n) == (54, 64) and round(drawn.acts, 3) == 0.985
    cpu = rows.loc["Made-up CPU: training", "together"]
    assert cpu.acts == pytest.approx(1) and cpu.low > 0


def test_curves_of_figure2_say_less_than_its_points(figure2):
    frame = figure2.frame
    assert correlates.curves(frame).nunique() == 12
    curves = correlates.lead(frame, correlates.curves(frame), 400)
    points = correlates.lead(frame, pd.Series(frame.index), 400)
    assert curves["high"] - curves["low"] > 1.5 * (points["high"] - points["low"])


@pytest.mark.parametrize(("law", "ahead"), [(by_acts, "acts"), (by_flops, "flops")])
def test_inside_families_and_between_them(held, law, ahead):
    held(records("laptop", law, CPU))
    found = correlates.within_and_across(sets.best_training()[0].frame, 8)
    assert found[f"within_{ahead}"] == pytest.approx(1)
    assert found[f"across_{ahead}"] == pytest.approx(1)
    assert (found["led_of"], found["led"]) == (3, 3 if ahead == "acts" else 0)
