"""The published errors, their noise, and differences at equal flops."""

import math

import numpy as np
import pandas as pd
import pytest

from repro.analysis.accuracy import published as ap


def test_every_plotted_error_is_there_once():
    points = ap.points()
    assert len(points) == 103 + 6
    assert points.groupby("runs").size().to_dict() == {1: 103 - 22, 3: 22 + 6}
    assert set(points.strategy) == {"d", "w", "r", "dwr", "dw", "alpha=2/3", "dWr", "orig"}


def test_networks_of_the_tables_stand_once():
    frame = ap.networks()
    assert len(frame) == frame.model.nunique() == 22
    assert frame.spread_2x.notna().all() and frame.spread_4x.isna().sum() == 2
    row = frame.set_index("model").loc["RegNetZ-4GF"]
    assert (row.error_2x, row.spread_2x) == (17.0, 0.12)
    assert (frame.error_1x - frame.error_2x).max() == pytest.approx(1.0)


# ------------------------------------------------------------------ noise


def test_readings_of_the_spread_are_right_about_normal_noise():
    """Root mean square of what three runs show, times the factor, is the deviation of one."""
    runs = np.random.default_rng(0).standard_normal((200_000, 3))
    deviation = runs.std(axis=1, ddof=1)
    between = (runs.std(axis=1), np.ptp(runs, axis=1) / 2)
    least = np.sqrt((deviation**2).mean())
    assert least == pytest.approx(1, abs=0.01)
    most = np.sqrt((deviation**2 / 3).mean())
    assert math.sqrt(3) * most == pytest.approx(1, abs=0.01)
    for values in between:
        assert most < np.sqrt((values**2).mean()) < least


def test_noise_spans_the_readings():
    noise, spreads = ap.noise(), ap.networks().spread_2x
    assert noise.low == pytest.approx(math.sqrt((spreads**2).mean()))
    assert noise.high / noise.low == pytest.approx(math.sqrt(3))
    assert noise.halves(2.0)[0] == pytest.approx(1.96 * 2 * noise.low)


def test_single_runs_beside_means_of_three():
    twice = ap.drawn_twice()
    assert len(twice) == 9 and set(twice.index.get_level_values("base")) == set(ap.BASES)
    assert twice["EN-B0", 11] == pytest.approx(17.61 - 17.73)
    noise = ap.noise_of_drawn_twice()
    assert noise.high / noise.low == pytest.approx(math.sqrt((4 / 3) / (2 / 3)))
    assert ap.noise().low < noise.low < noise.high < ap.noise().high


def test_an_interval_of_few_draws_is_wide():
    three = pd.Series([-1.0, 0.0, 1.0])
    assert ap.half_of_draws(three) == pytest.approx(4.303 / math.sqrt(3), abs=1e-3)


# ------------------------------------------------------------------ at equal flops


def curve(flops, error):
    return pd.DataFrame({"flops": flops, "error": error})


def test_a_curve_is_read_along_power_laws():
    line = curve([1.0, 2.0, 4.0], [20.0, 20 * 2**-0.2, 20 * 4**-0.2])
    assert ap.read_at(line, 2.0)[0] == pytest.approx(20 * 2**-0.2)
    for flops in (1.3, 2.9, 5.0):  # inside, and a little beyond the end
        assert ap.read_at(line, flops)[0] == pytest.approx(20 * flops**-0.2)


def test_a_curve_knows_what_its_points_weigh():
    flops, error = [1.0, 2.0, 4.0], np.array([23.0, 20.0, 18.5])
    value, weights = ap.read_at(curve(flops, error), 2.6)
    for i in range(3):
        moved = error.copy()
        moved[i] += 1e-5
        slope = (ap.read_at(curve(flops, moved), 2.6)[0] - value) / 1e-5
        assert weights[i] == pytest.approx(slope, abs=1e-4)


def test_gaps_are_zero_where_a_strategy_is_dwr(monkeypatch):
    points = ap.points()
    dwr = points[(points.strategy == "dwr") & (points.runs == 1)]
    made = pd.concat([dwr, dwr.assign(strategy="w"), points[points.runs == 3]])
    monkeypatch.setattr(ap, "points", lambda: made)
    gaps = ap.gaps()
    mine = gaps[gaps.strategy == "w"]
    assert len(mine) == len(dwr[(dwr.s > 1) & (dwr.flops < ap.TOP)])
    assert mine.gap.abs().max() < 1e-9
    assert list(mine.unit) == pytest.approx([math.sqrt(2)] * len(mine))


def test_gaps_of_known_points():
    top = ap.at_the_top(ap.gaps()).set_index(["strategy", "base"])
    assert len(top) == 20
    r = top.loc["r", "EN-B0"]
    # dwr at 1.981 GF lies between 19.67 at 1.119 and 18.57 at 2.107
    share = math.log(1.981 / 1.119) / math.log(2.107 / 1.119)
    there = math.exp((1 - share) * math.log(19.67) + share * math.log(18.57))
    assert r.gap == pytest.approx(20.01 - there)
    assert r.gain == pytest.approx(22.72 - there)
    assert top.loc[(ap.MEANS, "EN-B0")].unit < top.loc[("dWr", "EN-B0")].unit


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1.0, "worse"),
        (-1.0, "better"),
        (0.3, "worse?"),
        (-0.3, "better?"),
        (0.1, "within noise"),
    ],
)
def test_verdicts_depend_on_both_noises(value, words):
    assert ap.verdict(value, 1.0, ap.Noise(0.1, 0.2)) == words


def test_the_mean_over_bases_has_less_noise():
    gaps, noise = ap.gaps(), ap.noise()
    top, mean = ap.at_the_top(gaps), ap.pooled(gaps)
    mine = top[top.strategy == "dWr"]
    assert mean.gap["dWr"] == pytest.approx(mine.gap.mean())
    assert mean.unit["dWr"] == pytest.approx(math.sqrt((mine.unit**2).sum()) / 3)
    assert len(top[top.strategy == "dw"]) == 2
    verdicts = {s: ap.verdict(mean.gap[s], mean.unit[s], noise) for s in ap.STRATEGIES}
    assert {s for s, v in verdicts.items() if v == "within noise"} == {"dWr", "alpha=2/3"}
    assert set(verdicts.values()) == {"within noise", "worse"}


def test_the_original_networks_lie_below_dwr_scaled_wide():
    found = ap.beside_original()
    assert found.flops.max() < 10.266  # nothing beyond the largest original
    last = found.iloc[-1]
    share = math.log(8.065 / 4.394) / math.log(10.266 / 4.394)
    there = math.exp((1 - share) * math.log(17.435) + share * math.log(16.673))
    assert last.gap == pytest.approx(17.33 - there, abs=0.002)
    # Two neighbours' means of three, and a mean of three of its own.
    assert last.unit == pytest.approx(math.sqrt((1 + share**2 + (1 - share) ** 2) / 3), abs=0.01)
    assert ap.verdict(last.gap, last.unit, ap.noise()) == "worse"
