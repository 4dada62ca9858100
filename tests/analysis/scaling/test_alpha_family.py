"""The alpha family: Table 4, and real networks along it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from repro import reference
from repro.analysis.frames import scaled
from repro.analysis.scaling import alpha_family as fast
from repro.arch import PAPER, alpha_strategy
from repro.theory import family_powers, growth

SCALES = [1, 2, 4, 8, 16, 32]


def test_table4_follows_from_alpha() -> None:
    table = fast.table4()
    assert list(table.strategy) == ["any", "dr", "dwr", "dWr", "w"]
    assert (table.agree == "=").all()
    assert (table.params[0], table.acts[0]) == ("(1+α)/2", "(2-α)/2")
    assert (table.params[3], table.acts[3]) == ("0.90 (9/10)", "0.60 (3/5)")


def test_table4_verdict_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row for row in reference.exponent_rows() if row.table == 4]
    wrong = tuple(row._replace(acts="0.61") for row in rows[1:])
    monkeypatch.setattr(reference, "exponent_rows", lambda: wrong)
    assert (fast.table4().agree == "≠").all()


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
    for point in reference.theory_points():
        ours = point.scale ** fast.exponent(point.strategy, "acts")
        assert round(ours, 2) == float(point.relative_acts)


def test_the_dial_on_a_real_network_is_near_theory() -> None:
    family = {alpha: alpha_strategy(alpha) for alpha in ("1/3", "4/5", "1")}
    frame = fast.exponents(scaled(["RegNetZ-4GF"], family, SCALES))
    theory = pd.Series([5 / 6, 3 / 5, 1 / 2])
    assert (frame.acts < theory).all()
    assert (theory - frame.acts).max() < 0.06
    assert frame.acts.is_monotonic_decreasing
    assert frame.params.is_monotonic_increasing


def test_exponents_by_hand() -> None:
    counts = scaled(["EN-B0"], {"w": PAPER["w"]}, [1, 4])
    by_hand = np.log(counts.acts[1] / counts.acts[0]) / np.log(4)
    (row,) = fast.exponents(counts).to_dict("records")
    assert (row["base"], row["family"], row["strategy"]) == ("EN-B0", "EfficientNet", "w")
    assert row["acts"] == pytest.approx(by_hand)


def test_equal_flops_interpolates_and_says_where_it_cannot() -> None:
    # acts = flops^0.8 under dwr and flops^0.6 under dWr, params = flops under both
    frame = pd.DataFrame(
        {"base": "x", "strategy": name, "flops_ratio": f, "acts": f**e, "params": f}
        for name, e in (("dwr", 0.8), ("dWr", 0.6))
        for f in (1.0, 10.0, 100.0)
    )
    assert fast.at_equal_flops(frame, "acts", 20) == [pytest.approx(20**-0.2)]
    assert fast.at_equal_flops(frame, "params", 20) == [pytest.approx(1)]
    assert np.isnan(fast.at_equal_flops(frame, "acts", 101)[0])


def test_networks_stand_below_theory_in_the_order_given() -> None:
    four = {name: PAPER[name] for name in fast.COMPARED}
    table = fast.by_network(scaled(["RegNetZ-500MF", "EN-B0"], four, SCALES), 16)
    assert list(table.network) == ["theory", "RegNetZ-500MF", "EN-B0"]
    assert list(table.columns[1:5]) == list(fast.COMPARED)
    assert table["acts, dWr/dwr"][0] == pytest.approx(16 ** (3 / 5 - 5 / 6))
    assert round(table.dWr[1], 6) == 0.552737


def test_shapes_keep_the_unscaled_network_first() -> None:
    frame = fast.shapes("EN-B0", ["dwr", "dWr"], 32).set_index("strategy")
    assert frame.blocks["unscaled"] == 16
    assert frame.resolution["unscaled"] == 224 < frame.resolution["dWr"] < frame.resolution["dwr"]
    assert frame["acts, M"]["dWr"] == pytest.approx(52.04, abs=0.005)


def test_rounded_numbers_stay_plain() -> None:
    assert fast.rounded({"a": 3, "b": np.float64(1 / 3)}) == {"a": 3, "b": 0.333333}
