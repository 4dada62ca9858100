"""Width first or depth first: both papers in one set of coordinates, and their regrets."""

import numpy as np
import pandas as pd
import pytest

from repro import reference
from repro.analysis.scaling import width_or_depth as frames
from repro.search.latency import budget, priced


def test_every_rule_has_shares_that_add_up():
    found = frames.rule_shares()
    assert np.allclose(found[["d", "w", "r"]].sum(axis=1), 1)
    rules = found.set_index("rule")
    assert rules.loc["dWr", ["d", "w", "r"]].tolist() == pytest.approx([0.1, 0.8, 0.1])
    assert rules.loc["EN-X-GPU-B7", "w"] == pytest.approx(rules.loc["EN-X-GPU-B4", "w"], abs=0.01)
    # in flops width leads what was found by latency, depth never by more than a hair
    lacs = rules[rules.index.str.contains("GPU|TPU")]
    assert (lacs.w > lacs.r).all() and (lacs.w - lacs.d).min() > -0.02
    assert rules.loc["LACS-GPU"].w > rules.loc["LACS-GPU"].d


def test_minutes_are_drawn_or_lie_between_those_of_figure_2():
    found = frames.minutes().set_index(["base", "strategy", "flops"])
    drawn = next(p for p in reference.figure_points() if p.epoch_minutes_8xv100 is not None)
    row = found.loc[(drawn.base, drawn.strategy, float(drawn.gflops))]
    assert row.minutes == float(drawn.epoch_minutes_8xv100) and not row.estimated
    # the curve of dw: 1.795 G lie between 1.510 (7.01 minutes) and 2.963 (11.28)
    between = found.loc[("EN-B0", "dw", 1.795)]
    share = np.log(1.795 / 1.510) / np.log(2.963 / 1.510)
    assert between.estimated
    assert between.minutes == pytest.approx(7.01 * (11.28 / 7.01) ** share, rel=1e-3)


@pytest.mark.parametrize("what", ["minutes", "flops"])
def test_errors_at_equal_cost_lie_on_the_curves(what):
    points, found = frames.minutes(), frames.at_equal(what)
    for row in found.itertuples():
        curve = points[(points.base == row.base) & (points.strategy == row.strategy)]
        assert curve.error.min() <= row.error <= curve.error.max()
        assert getattr(row, what) <= curve[what].max()
    of_b0 = found[found.base == "EN-B0"]
    assert of_b0.error.is_monotonic_increasing and of_b0[what].nunique() == 1
    # one curve ends there
    ends = points[points.base == "EN-B0"].groupby("strategy")[what].max()
    assert ends.min() == of_b0[what].iloc[0]


def test_regrets_are_of_the_rules_and_levels_asked_for():
    found = frames.regrets(
        "none", ("dWr", "r"), ("B2",), {"acts": budget("acts")}, ("norm",), draws=4
    )
    assert found.rule.tolist() == ["dWr", "r"]
    assert (found.low <= found.high).all() and found.used.tolist() == pytest.approx([1, 1])
    one, other = found.itertuples()
    assert (one.gap, one.gap_low, one.gap_high) == (0, 0, 0)
    assert other.gap == pytest.approx(other.regret - one.regret) and other.gap > 0.5
    assert (one.d, one.w, one.r)[1] == pytest.approx(one.d**4, rel=1e-6)  # 0.8 / 2 against 0.1


def test_the_dearer_a_flop_the_deeper_the_best():
    found = frames.phase("B2", (1e-4, 0.5), ("norm",), draws=2, step=0.1)
    fit = found[found.draw == 0]
    assert len(found) == 6 and fit.phi_base.is_monotonic_increasing
    assert fit.d.iloc[1] > fit.d.iloc[0] and fit.w.iloc[0] > fit.w.iloc[1]
    cheap = priced("a balance", 1e-4, 1.0)
    assert fit.phi_base.iloc[0] == cheap.phi(frames.scaler().base)


def test_a_field_is_of_one_cost_and_knows_what_is_not_known():
    found = frames.field(budget("flops"), "B4", ("norm",), step=0.25)
    assert len(found) == 15 and (found.phi == 1).all()
    alone = found[(found.d == 1) | (found.r == 1)]
    assert alone.norm.isna().all() and found.norm.notna().any()


def test_judged_is_wrong_nowhere_by_much_where_it_is_known():
    """Predicted errors of X order the levels, and the families of a level lie close together."""
    found = frames.judged(("norm",))
    assert found.groupby("level").norm.mean().is_monotonic_decreasing
    known = found[found.inside].groupby("level").norm
    assert (known.max() - known.min()).max() < 0.5
    assert found.loc[found.level == "B0", "ms"].nunique() == 1


def test_flat_is_around_the_best_and_rounding_up_makes_steps():
    row = frames.flat("B3", forms=("norm",)).iloc[0]
    for name in ("depth", "width", "resolution"):
        assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]
    assert row.d + row.w + row.r == pytest.approx(1)
    # nothing between 16 and 23 blocks can be had by rounding up
    up = frames.flat("B1", forms=("norm",), rounding="up").iloc[0]
    assert up.depth == 1 or up.depth >= 23 / 16


def test_a_duel_is_the_difference_of_two_regrets():
    """By prices or on a roofline; the less a flop costs, the better for the wide rule."""
    cost = {"V100": frames.costs()["V100"]}
    lost = frames.regrets("none", frames.PAIR, ("B2",), cost, ("norm",), draws=4)
    (one,) = frames.duel(cost, levels=("B2",), forms=("norm",), draws=4).itertuples()
    deep = lost[lost.rule == "LACS-GPU"].iloc[0]
    assert one.gap == pytest.approx(deep.gap)
    assert (one.low, one.high) == pytest.approx((deep.gap_low, deep.gap_high))
    assert 0 < one.phi_base < one.phi < 1 and one.inside
    prices = {f"{flop}": priced("", flop, 1.0) for flop in (1e-4, 1e-2, 1.0)}
    law = frames.duel(prices, levels=("B3",), forms=("norm",), draws=1)
    assert law.phi.is_monotonic_increasing and law.gap.is_monotonic_decreasing


def test_what_is_charged_once_decides_nothing():
    costs = {f"{c:g}": priced("", 1e-3, 1.0, constant=c) for c in (0, 1e7)}
    one, other = frames.duel(costs, levels=("B2",), forms=("norm",), draws=1).itertuples()
    assert one[2:] == other[2:]


def test_where_two_rules_are_even_by_hand():
    paths = [("B2", "norm", 0.2, 0.3), ("B2", "norm", 0.6, -0.1), ("B2", "norm", 0.9, -0.2)]
    paths += [("B3", "norm", 0.2, 0.3), ("B3", "norm", 0.6, 0.1)]
    found = frames.even(pd.DataFrame(paths, columns=["level", "surface", "phi", "gap"]))
    assert found.phi.tolist() == pytest.approx([0.5, 1])
