"""Correlations with time and exponents of time; on made-up machines with stated laws."""

import numpy as np
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


def test_correlations_beside_the_printed_ones(held, figure2):
    held(records("laptop", by_acts, CPU))
    table = correlates.correlation_table(figure2, sets.zoo(), sets.best_training(), 140)
    assert len(table) == 12
    rows = table.set_index(KEYS)
    printed, ours = (rows.loc["V100, paper's Figure 2", n] for n in ("EN-B0, as printed", "EN-B0"))
    assert list(printed[["flops", "params", "acts"]]) == [0.81, 0.56, 0.99]
    assert round(ours.flops, 2) == 0.81 and round(ours.params, 2) == 0.56
    drawn = rows.loc["V100, paper's Figure 2", "EN-B0, up to 140 M acts"]
    assert (drawn.n, ours.n) == (54, 64) and round(drawn.acts, 3) == 0.985
    cpu = rows.loc["Made-up CPU: training"]
    assert list(cpu.index) == ["together", "EfficientNet", "RegNetY", "RegNetZ"]
    assert list(cpu.acts) == pytest.approx([1] * 4) and (cpu.flops < 1).all()


@pytest.mark.parametrize(("law", "cost"), [(by_acts, "acts"), (by_flops, "flops")])
def test_time_grows_like_what_decides_it(held, law, cost):
    held(records("laptop", law, CPU))
    slopes = correlates.exponents(sets.best_training()[0], 4)
    assert len(slopes) == 25
    assert list(slopes.ms) == pytest.approx(list(slopes[cost]))


def test_published_exponents(figure2):
    slopes = correlates.exponents(figure2, 96)
    assert len(slopes) == 12
    b0 = slopes.loc["EN-B0"]
    assert b0.ms["w"] < b0.ms["dWr"] < min(b0.ms["dw"], b0.ms["dwr"])
    assert (slopes.ms < slopes.flops).all()


def test_exponents_beside_each_other_use_one_range(held, figure2):
    held(records("laptop", by_acts, CPU))
    table = correlates.exponents_beside([figure2, *sets.best_training()])
    assert list(table.columns) == ["network", "strategy", "acts", "flops", "V100", "Made-up CPU"]
    b0 = table.set_index(["network", "strategy"]).loc["EN-B0", "dwr"]
    alone = correlates.exponents(figure2, 4).loc["EN-B0", "dwr"]
    assert b0["V100"] == alone.ms and b0["Made-up CPU"] == pytest.approx(b0.acts)
    assert table["V100"].isna().sum() == 16  # d and r, and the two bases of 4 GF
    assert np.isfinite(table[["acts", "flops"]]).all(axis=None)
