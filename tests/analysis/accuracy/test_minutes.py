"""Errors at equal minutes: where the minutes come from, and what is read between points."""

import math

import pandas as pd
import pytest

from repro import reference
from repro.analysis.accuracy import minutes
from repro.analysis.accuracy.published import BASES, MEANS


@pytest.fixture(scope="module")
def curves():
    return minutes.curves()


def one(curves, **where):
    for column, value in where.items():
        curves = curves[curves[column] == value]
    (row,) = curves.itertuples()
    return row


def test_minutes_are_those_of_the_figure_where_it_shows_them(curves):
    shown = reference.select(reference.figure_points(), figure="6;1", scale=11)[0]
    mine = one(curves, base="EN-B0", strategy="dWr", s=11)
    assert mine.minutes == float(shown.epoch_minutes_8xv100)
    assert set(curves.base) == set(BASES) and curves.minutes.notna().all()


def test_other_minutes_are_figure_2s_at_equal_flops(curves):
    timed = reference.select(
        reference.runtime_points(), base="RegNetZ-500MF", strategy="w", scale=2
    )[0]
    mine = one(curves, base="RegNetZ-500MF", strategy="w", s=2)
    assert mine.minutes == pytest.approx(float(timed.epoch_minutes_8xv100))
    between = one(curves, base="RegNetY-500MF", strategy="w", s=4.1)
    share = math.log(1.988 / 1.943) / math.log(3.780 / 1.943)
    assert between.minutes == pytest.approx(4.47 * (6.15 / 4.47) ** share)
    # alpha = 2/3 was not timed on the RegNets
    assert set(curves.base[curves.strategy == "alpha=2/3"]) == {"EN-B0"}


def power(factor, runs=1, minutes=(2.0, 4.0, 8.0)):
    error = [factor * m**-0.2 for m in minutes]
    return pd.DataFrame({"minutes": minutes, "error": error, "runs": runs})


def test_power_laws_are_read_exactly():
    gap, unit = minutes.between(power(20), power(21), 5.0)
    assert gap == pytest.approx(-(5**-0.2))
    share = math.log(5 / 4) / math.log(2)
    # errors move by nearly the weights themselves
    assert unit == pytest.approx(math.sqrt(2 * (share**2 + (1 - share) ** 2)), abs=0.05)
    at_a_point = minutes.between(power(20), power(21, runs=3), 4.0)[1]
    assert at_a_point == pytest.approx(math.sqrt(1 + 1 / 3))


@pytest.mark.parametrize("at", [1.9, 8.1])
def test_nothing_is_read_beyond_the_ends(at):
    assert all(map(math.isnan, minutes.between(power(20), power(21), at)))


def test_a_known_difference(curves):
    """dWr's 17.61 at 11.14 minutes; dwr between 18.57 at 9.84 and 17.47 at 17.38."""
    above = minutes.above_dwr(curves)
    last = above[(above.base == "EN-B0") & (above.strategy == "dWr")].iloc[-1]
    share = math.log(11.14 / 9.84) / math.log(17.38 / 9.84)
    there = math.exp((1 - share) * math.log(18.57) + share * math.log(17.47))
    assert last.gap == pytest.approx(17.61 - there)
    ends = curves[curves.strategy == "dwr"].groupby("base").minutes.max()
    assert (above.minutes <= above.base.map(ends)).all()


def test_all_bases_reach_all_multiples(curves):
    found = minutes.at_equal_minutes(curves)
    assert len(found) == len(minutes.PAIRS) * 3 * len(minutes.TIMES)
    assert found.gap.notna().all()
    again = minutes.at_equal_minutes(curves, ((MEANS, MEANS),))
    assert list(again.gap) == [0] * 9


def test_three_bases_are_three_draws():
    made = {"pair": ["a"] * 3, "times": 2.0, "gap": [-1.0, 0.0, 1.0], "unit": [1.0, 2.0, 2.0]}
    (row,) = minutes.over_bases(pd.DataFrame(made)).itertuples()
    assert (row.gap, row.unit) == (0, pytest.approx(1))
    assert row.between == pytest.approx(4.303 / math.sqrt(3), abs=1e-3)
