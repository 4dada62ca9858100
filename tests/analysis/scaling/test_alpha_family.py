"""Frames, statistics and figures of the chapter "Fast compound scaling"."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from repro import reference
from repro.analysis.frames import scaled
from repro.analysis.scaling import alpha_family as fast
from repro.analysis.timing import figure2 as published
from repro.arch import PAPER, get
from repro.book.chapters import the_dial as figures
from repro.book.kit.figures import show, use_house_style
from repro.book.parameters import check
from repro.complexity import complexity
from repro.errors import InputError
from repro.theory import family_powers, growth

SCALES = [1, 2, 4, 8, 16, 32]
FOUR = {name: PAPER[name] for name in fast.COMPARED}


@pytest.fixture(scope="module")
def times() -> pd.DataFrame:
    return published.published_times()


@pytest.fixture(scope="module")
def b0(times: pd.DataFrame) -> pd.DataFrame:
    return times[times.base == "EN-B0"]


@pytest.fixture(scope="module")
def counted() -> pd.DataFrame:
    return scaled(["EN-B0", "RegNetZ-500MF"], FOUR, SCALES)


# ------------------------------------------------------------------ the family


def test_table4_follows_from_alpha() -> None:
    table = fast.table4()
    assert list(table.strategy) == ["any", "dr", "dwr", "dWr", "w"]
    assert (table[[" ", "  ", "   "]] == "=").all().all()
    dWr = table.set_index("strategy").loc["dWr"]
    assert (dWr["params, ours"], dWr["acts, ours"]) == ("9/10", "3/5")


def test_table4_verdict_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row for row in reference.exponent_rows() if row.table == 4]
    wrong = [r._replace(acts="0.61") for r in rows]
    monkeypatch.setattr(reference, "exponent_rows", lambda: tuple(wrong[1:]))
    assert (fast.table4()["   "] == "≠").all()


def test_printed_width_shares_are_alpha() -> None:
    printed = [row for row in reference.exponent_rows() if row.table == 4 and row.alpha != "a"]
    assert len(printed) == 4
    assert all(Fraction(row.share_width) == Fraction(row.alpha) for row in printed)


def test_acts_depend_on_widths_share_alone() -> None:
    acts, params = growth(family_powers()).acts, growth(family_powers()).params
    for alpha in (Fraction(0), Fraction(1, 3), Fraction(4, 5), Fraction(1)):
        share_r = (1 - alpha) / 2
        assert acts(alpha) == 1 - alpha / 2
        assert params(alpha) == 1 - share_r


def test_figure1_end_points_are_the_published_ones() -> None:
    frame = fast.relative_acts()
    assert list(frame.strategy) == ["dwr", "dw", "dWr", "w"]
    assert list(frame.ours.round(2)) == list(frame.paper) == [17.96, 13.45, 8.00, 5.66]


def test_dial_on_real_networks_is_near_theory() -> None:
    frame = fast.dial(["RegNetZ-4GF"], ["1/3", "4/5", "1"], SCALES)
    assert list(frame.alpha) == [1 / 3, 0.8, 1.0]
    theory = 1 - frame.alpha / 2
    assert (frame.acts < theory).all()
    assert (theory - frame.acts).max() < 0.06
    assert frame.acts.is_monotonic_decreasing
    assert frame.params.is_monotonic_increasing


def test_exponents_by_hand() -> None:
    counts = scaled(["EN-B0"], {"w": PAPER["w"]}, [1, 4])
    by_hand = np.log(counts.acts[1] / counts.acts[0]) / np.log(4)
    table = fast.exponent_table(counts, "acts")
    assert list(table.network) == ["theory", "EN-B0"]
    assert list(table.w) == [0.5, pytest.approx(by_hand)]


def test_equal_flops_interpolates_and_says_where_it_cannot() -> None:
    # acts = flops^0.8 under dwr and flops^0.6 under dWr, params = flops under both
    rows = [
        {"base": "x", "strategy": name, "flops_ratio": f, "acts": f**e, "params": f}
        for name, e in (("dwr", 0.8), ("dWr", 0.6))
        for f in (1.0, 10.0, 100.0)
    ]
    frame = pd.DataFrame(rows)
    at = fast.at_equal_flops(frame, 20).iloc[1]
    assert at.acts == pytest.approx(20**-0.2)
    assert at.params == pytest.approx(1)
    assert fast.at_equal_flops(frame, 101).iloc[1][["acts", "params"]].isna().all()
    theory = fast.at_equal_flops(frame, 32).iloc[0]
    assert theory.acts == pytest.approx(8 / 32 ** (5 / 6))


def test_outside_depth_is_what_doubling_depth_leaves() -> None:
    # A stage of a plain stride-1 net would be all depth; these have stems, heads and strides.
    net = get("RegNetZ-500MF")
    stem = 32 * 112 * 112
    share = fast.outside_depth("RegNetZ-500MF")
    assert stem / complexity(net).acts < share < 0.5


def test_shapes_keep_the_unscaled_network_first() -> None:
    frame = fast.shapes("EN-B0", ["dwr", "dWr"], 32).set_index("strategy")
    assert frame.blocks["unscaled"] == 16
    assert frame.resolution["unscaled"] == 224 < frame.resolution["dWr"] < frame.resolution["dwr"]
    assert frame["acts, M"]["dWr"] == pytest.approx(52.04, abs=0.005)


def test_numbers_for_prose_are_plain_and_rounded(counted: pd.DataFrame) -> None:
    numbers = fast.counted_numbers(counted, 16)
    assert all(type(value) is float for value in numbers.values())
    assert numbers["fcs_dWr_acts_low"] == 0.552737
    assert numbers["fcs_theory_dwr"] == round(32 ** (5 / 6), 6)


# ------------------------------------------------------------------ the published runtimes


def test_figure2_as_the_paper_draws_it(times: pd.DataFrame, b0: pd.DataFrame) -> None:
    assert (len(times), len(b0), int(b0.drawn.sum())) == (187, 64, 54)
    assert list(times[~times.drawn].base.unique()) == ["EN-B0"]
    assert list(b0.strategy.unique()) == list(fast.COMPARED)


def test_every_printed_correlation_is_that_of_the_models_drawn(times: pd.DataFrame) -> None:
    table = published.printed_beside_ours(times)
    assert len(table) == 19
    assert (table[" "] == "=").all()


def test_the_headline_is_another_over_all_models(times: pd.DataFrame) -> None:
    table = published.printed_beside_ours(times).set_index(["time against", "models"])
    acts = table.loc[("acts", "all")]
    assert (acts["r, printed"], acts["n, drawn"], acts["n, all"]) == (0.99, 54, 64)
    assert (round(acts["r, drawn"], 3), round(acts["r, all"], 3)) == (0.985, 0.974)
    assert acts["  "] == "≠"


def test_correlations_agree_with_scipy(b0: pd.DataFrame) -> None:
    from scipy import stats

    for cost in fast.COSTS:
        pearson = stats.pearsonr(b0[cost], b0.minutes).statistic
        spearman = stats.spearmanr(b0[cost], b0.minutes).statistic
        assert published.correlation(b0[cost], b0.minutes) == pytest.approx(pearson)
        assert published.correlation(b0[cost], b0.minutes, rank=True) == pytest.approx(spearman)


def test_correlation_by_hand() -> None:
    assert published.correlation([1, 2, 3], [2, 4, 6]) == pytest.approx(1)
    assert published.correlation([1, 2, 3], [1, 3, 2]) == pytest.approx(0.5)
    assert published.correlation([1, 2, 3], [1, 8, 27]) < 1
    assert published.correlation([1, 2, 3], [1, 8, 27], rank=True) == pytest.approx(1)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (8, (0.927, 0.791, 0.998)),
        (16, (0.916, 0.709, 0.997)),
        (32, (0.895, 0.671, 0.996)),
        (48, (0.874, 0.608, 0.994)),
        (96, (0.814, 0.557, 0.974)),
    ],
)
def test_correlations_by_range(b0: pd.DataFrame, limit: float, expected: tuple[float, ...]) -> None:
    frame = published.by_range(b0, [limit], seed=0, resamples=100)
    pearson = frame[frame.method == "Pearson"].set_index("cost")
    assert tuple(round(pearson.r[cost], 3) for cost in fast.COSTS) == expected
    assert (frame.low < frame.r).all()
    assert (frame.r < frame.high).all()


def test_range_table_has_a_row_per_range(b0: pd.DataFrame) -> None:
    table = published.range_table(published.by_range(b0, [8, 96], seed=0, resamples=100))
    assert list(table.models) == [20, 64]
    assert round(table["Spearman, acts"][1], 3) == 0.995


def test_bootstrap_is_seeded_and_paired(b0: pd.DataFrame) -> None:
    def draw(cost: str, seed: int) -> np.ndarray:
        return published.bootstrap(b0[cost], b0.minutes, seed=seed, resamples=500)

    assert np.array_equal(draw("acts", 1), draw("acts", 1))
    assert not np.array_equal(draw("acts", 1), draw("acts", 2))
    # resampled as pairs, acts lead flops in every draw although their intervals are wide
    assert (draw("acts", 1) > draw("flops", 1)).all()
    twice = published.bootstrap(2 * b0.acts, b0.minutes, seed=1, resamples=500)
    assert np.allclose(twice, draw("acts", 1))


def test_bootstrap_interval_covers_a_known_correlation() -> None:
    rng = np.random.default_rng(7)
    covered = 0
    for trial in range(60):
        x = rng.normal(size=80)
        y = 0.8 * x + 0.6 * rng.normal(size=80)  # correlation 0.8
        low, high = published.interval(published.bootstrap(x, y, seed=trial, resamples=400))
        covered += low < 0.8 < high
    assert 51 <= covered < 60  # 95 % nominal; percentile intervals cover a little less


def test_models_beyond_the_edge_lie_on_both_sides_of_the_line(times: pd.DataFrame) -> None:
    frame = published.beyond_the_edge(times)
    assert len(frame) == 10
    assert (frame[frame.strategy == "dwr"].ratio < 0.92).all()
    assert (frame[frame.strategy == "dw"].ratio > 1.18).all()


def test_lines_are_the_ones_the_paper_draws(times: pd.DataFrame) -> None:
    drawn = times[times.drawn]
    slopes = {base: published.line_fit(part)[0] for base, part in drawn.groupby("base")}
    rounded = {base: round(slope, 3) for base, slope in slopes.items()}
    assert rounded == {"EN-B0": 0.508, "RegNetZ-500MF": 0.771, "RegNetY-500MF": 0.594}


def test_panel_edge_changes_the_coefficient(b0: pd.DataFrame) -> None:
    frame = published.by_panel_edge(b0, [140, 250])
    assert list(frame.models) == [54, 64]
    assert list(frame.r.round(3)) == [0.985, 0.974]


def test_partial_correlation_finds_what_drives() -> None:
    rng = np.random.default_rng(3)
    flops = np.exp(rng.normal(size=200))
    acts = flops**0.7 * np.exp(0.3 * rng.normal(size=200))
    frame = pd.DataFrame({"flops": flops, "acts": acts, "minutes": 2 * acts**0.9})
    assert published.partial_correlation(frame, "acts", "flops") == pytest.approx(1)
    noisy = frame.assign(minutes=frame.minutes * np.exp(0.1 * rng.normal(size=200)))
    assert abs(published.partial_correlation(noisy, "flops", "acts")) < 0.2
    assert published.log_correlation(frame, "acts") == pytest.approx(1)


def test_at_equal_flops_acts_drive_the_published_times(times: pd.DataFrame) -> None:
    table = published.partial_table(times).set_index("network")
    assert (table["acts given flops"] > 0.95).all()
    assert (table["params given flops"] < 0).all()
    assert abs(table["flops given acts"]["EN-B0"]) < 0.1 < table["flops given acts"].max()


def test_time_grows_between_acts_and_flops(times: pd.DataFrame) -> None:
    frame = published.time_exponents(times)
    assert len(frame) == 12
    assert (frame.acts < frame.minutes).all()
    assert (frame.minutes < frame.flops).all()
    short = frame[frame["largest s"] < 96]
    assert list(zip(short.base, short.strategy, short.models, strict=True)) == [
        ("RegNetZ-500MF", "dwr", 11)
    ]


def test_time_numbers_are_plain(times: pd.DataFrame) -> None:
    numbers = published.numbers(times, seed=0, resamples=100)
    assert {type(value) for value in numbers.values()} == {int, float}
    assert (numbers["fcs_as_drawn"], numbers["fcs_as_all"]) == (19, 16)
    assert numbers["fcs_n_beyond"] == numbers["fcs_n_all"] - numbers["fcs_n_drawn"] == 10


# ------------------------------------------------------------------ published accuracy


def test_published_errors_near_4_gf() -> None:
    frame = fast.published_errors().set_index(["network", "strategy"])
    b0 = frame.loc["EN-B0"]
    assert dict(b0["error, %"]) == {
        "dwr": 17.47, "dw": 17.90, "alpha=2/3": 17.66, "dWr": 17.61, "w": 18.16,
    }  # fmt: skip
    assert b0.minutes["dWr"] == 11.14
    assert round(b0["against dwr"]["dWr"], 2) == 0.14
    assert frame["flops, G"].between(3.5, 4.3).all()


def test_published_speed_near_16_gf() -> None:
    frame = fast.published_speed().set_index("strategy")
    assert frame["times as fast as dwr"].round(2).to_dict() == {
        "dwr": 1.00, "dw": 1.20, "dWr": 2.04, "w": 2.61,
    }  # fmt: skip
    numbers = fast.published_numbers()
    assert numbers["fcs_speedup"] == pytest.approx(53.77 / 26.35, abs=1e-6)
    assert 0 < numbers["fcs_spread_low"] < numbers["fcs_spread_high"] < 0.2


# ------------------------------------------------------------------ figures and parameters


def test_figures_are_deterministic_and_label_what_they_show(
    times: pd.DataFrame, b0: pd.DataFrame, counted: pd.DataFrame
) -> None:
    use_house_style()
    ranges = published.by_range(b0, [8, 96], seed=0, resamples=100)
    dial = fast.dial(["EN-B0", "RegNetY-4GF"], ["0", "4/5"], [1, 4])
    makers = {
        "dial": (lambda: figures.dial_figure(dial), ["RegNetY-4GF", "theory", "dWr"]),
        "theory": (figures.relative_acts_figure, ["17.96", "8.00"]),
        "collapse": (lambda: figures.collapse_figure(counted), ["RegNetZ-500MF", "dwr"]),
        "runtime": (lambda: figures.runtime_figure(times), ["r = 0.974", "r = 0.814"]),
        "families": (lambda: figures.families_figure(times), ["0.771 minutes per M acts"]),
        "ranges": (lambda: figures.range_figure(ranges), ["Pearson", "Spearman"]),
        "growth": (
            lambda: figures.time_exponents_figure(published.time_exponents(times)),
            ["exponent of time", "RegNetZ"],
        ),
    }
    for name, (make, texts) in makers.items():
        first, second = (show(make(), name, alt="a", caption="c").svg for _ in range(2))
        assert first == second
        words = " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", first))
        words += " ".join(re.findall(r"<tspan[^>]*>([^<]*)</tspan>", first))
        for text in texts:
            assert text in words.replace("  ", " "), (name, text)


def test_parameters_are_checked() -> None:
    check("the-dial", alphas=["1/2", "0.9"], scales=[1, 2.5])
    with pytest.raises(InputError, match=r"alpha '4/3' is not between 0 and 1"):
        check("the-dial", alphas=["1", "4/3"])
    with pytest.raises(InputError, match="two different scales"):
        check("the-dial", scales=[4, 4])
    with pytest.raises(InputError, match="resamples"):
        check("the-dial", resamples=5)
