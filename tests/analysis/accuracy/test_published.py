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


def test_panels_are_the_papers():
    panels = ap.panels()
    seen = panels.groupby(["row", "base"], sort=False).strategy.unique()
    assert set(seen.index) == set(ap.FIGURES)
    assert set(seen["one dimension", "EN-B0"]) == {"d", "w", "r", "dwr", "orig"}
    assert set(seen["one dimension", "RegNetY-500MF"]) == {"d", "w", "r", "dwr"}
    assert set(seen["alpha", "RegNetZ-500MF"]) == {"dwr", "alpha=2/3", "dWr", "w"}
    assert set(seen["without r", "EN-B0"]) == {"dwr", "dw", "dWr", "w"}
    assert len(ap.large_models()) == 7 + 6 + 6 + 3 + 6


def test_networks_of_the_tables_stand_once():
    frame = ap.networks()
    assert len(frame) == frame.model.nunique() == 22
    assert frame.spread_2x.notna().all() and frame.spread_4x.isna().sum() == 2
    shown = ap.printed_table().set_index("network")
    assert shown["2x"]["RegNetZ-4GF"] == "17.0 ± 0.12" and shown["4x"]["B5"] == "–"
    longer = ap.longer_training().set_index("schedules")
    assert longer["largest"]["1x to 2x"] == pytest.approx(1.0)
    assert longer["least"]["2x to 4x"] == pytest.approx(0.0)


# ------------------------------------------------------------------ noise


def test_readings_of_the_spread_are_right_about_normal_noise():
    """Root mean square of what three runs show, times the factor, is the deviation of one."""
    runs = np.random.default_rng(0).standard_normal((200_000, 3))
    shown = {
        "standard deviation of the three": runs.std(axis=1, ddof=1),
        "standard deviation, dividing by 3 instead of 2": runs.std(axis=1),
        "half the distance of best and worst": np.ptp(runs, axis=1) / 2,
        "standard error of their mean": runs.std(axis=1, ddof=1) / math.sqrt(3),
    }
    assert set(shown) == set(ap.READINGS)
    for name, values in shown.items():
        assert ap.READINGS[name] * np.sqrt((values**2).mean()) == pytest.approx(1, abs=0.01), name


def test_single_runs_beside_means_of_three():
    twice = ap.drawn_twice()
    assert len(twice) == 9
    assert list(twice.base.unique()) == list(ap.BASES)
    one = twice[(twice.base == "EN-B0") & (twice.s == 11)].iloc[0]
    assert (one.one, one.three, round(one.difference, 2)) == (17.61, 17.73, -0.12)


def test_noise_spans_the_readings():
    table = ap.noise_table()
    assert (table.low < table["one run"]).all() and (table["one run"] < table.high).all()
    noise = ap.noise()
    assert noise.high / noise.low == pytest.approx(math.sqrt(3))
    spreads = ap.networks().spread_2x
    assert noise.low == pytest.approx(math.sqrt((spreads**2).mean()))
    twice = table[table["from"].str.startswith("drawn")]["one run"]
    assert twice.max() / twice.min() == pytest.approx(math.sqrt((4 / 3) / (2 / 3)))


# ------------------------------------------------------------------ at equal flops


def test_a_curve_is_read_along_power_laws():
    curve = ap.Curve.of([4.0, 1.0, 2.0], [20 * 4**-0.2, 20.0, 20 * 2**-0.2])
    assert curve.at(2.0)[0] == pytest.approx(20 * 2**-0.2)
    for flops in (1.3, 2.9, 5.0):  # inside, and a little beyond the end
        assert curve.at(flops)[0] == pytest.approx(20 * flops**-0.2)


def test_a_curve_knows_what_its_points_weigh():
    flops, error = [1.0, 2.0, 4.0], np.array([23.0, 20.0, 18.5])
    value, weights = ap.Curve.of(flops, error).at(2.6)
    for i in range(3):
        moved = error.copy()
        moved[i] += 1e-5
        slope = (ap.Curve.of(flops, moved).at(2.6)[0] - value) / 1e-5
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
    assert r.share == pytest.approx((20.01 - there) / (22.72 - there))
    assert top.loc[(ap.MEANS, "EN-B0")].unit < top.loc[("dWr", "EN-B0")].unit


def test_the_mean_gap_knows_that_its_reference_is_shared():
    """Monte Carlo: the standard error of mean gaps under noise of one."""
    gaps = ap.gaps()
    mine = gaps[(gaps.base == "RegNetY-500MF") & (gaps.strategy == "w")]
    weights = np.array(list(mine.weights))
    rng = np.random.default_rng(0)
    own = rng.standard_normal((100_000, len(mine)))
    dwr = rng.standard_normal((100_000, weights.shape[1]))
    simulated = (own - dwr @ weights.T).mean(axis=1).std()
    found = ap.along(gaps).set_index(["strategy", "base"]).unit["w", "RegNetY-500MF"]
    assert found == pytest.approx(simulated, rel=0.02)


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


def test_tables_of_gaps_agree_with_the_verdicts():
    gaps, noise = ap.gaps(), ap.noise()
    table = ap.gap_table(gaps, noise)
    assert set(table[table.strategy == "r"].verdict) == {"worse"}
    assert set(table[table.strategy.isin(["dWr", "alpha=2/3"])].verdict) == {"within noise"}
    pooled = ap.pooled(gaps, noise).set_index("strategy")
    assert pooled.networks["dw"] == 2 and pooled.networks["dWr"] == 3
    single = table[table.strategy == "dWr"].gap
    assert pooled.gap["dWr"] == pytest.approx(single.mean())
    assert not any(str(x) == "-0.0" for x in table["% of gain"])


def test_the_original_networks_lie_below_dwr_scaled_wide():
    found = ap.beside_original()
    assert found.flops.max() < 10.266  # nothing beyond the largest original
    last = found.iloc[-1]
    share = math.log(8.065 / 4.394) / math.log(10.266 / 4.394)
    there = math.exp((1 - share) * math.log(17.435) + share * math.log(16.673))
    assert last.gap == pytest.approx(17.33 - there, abs=0.002)
    assert list(ap.original_table(found, ap.noise()).verdict)[-1] == "worse"


def test_straight_losses_are_found_again(monkeypatch):
    """Points made by the model itself give back its slopes."""
    loss = {"dwr": 0.0, "d": 0.2, "w": 0.1, "r": 0.6, "dw": 0.0, "alpha=2/3": -0.05, "dWr": 0.03}
    points = ap.points()
    points = points[(points.runs == 1)].copy()
    start = points.groupby("base").flops.transform("min")
    x = np.log2(points.flops / start)
    points["error"] = 22 - 2 * x + 0.2 * x**2 + points.strategy.map(loss) * x
    monkeypatch.setattr(ap, "points", lambda: points)
    found = ap.per_doubling()
    assert list(found.loss) == pytest.approx([loss[s] for s in found.strategy], abs=1e-6)
    assert found.residual.max() < 1e-6
    table = ap.doubling_table(found).set_index("strategy")
    assert list(table.columns) == list(ap.BASES)
    assert pd.isna(table["RegNetY-500MF"]["dw"])


def test_stated_differences_are_the_tables():
    table = ap.stated_table().set_index("difference")
    text = table["4x"]["searched over scaled, RegNetY 4 GF"]
    low, high = 1.96 * math.hypot(0.06, 0.09) / math.sqrt(3), 1.96 * math.hypot(0.06, 0.09)
    assert text == f"0.6 ± {low:.2f} to {high:.2f}"


def test_key_numbers_are_plain_and_named_for_the_chapter():
    numbers = ap.numbers()
    assert all(name.startswith("das_") for name in [*numbers, *ap.words()])
    assert all(isinstance(v, int | float) and math.isfinite(v) for v in numbers.values())
    assert ap.words()["das_fast_text"] == "all 6"
