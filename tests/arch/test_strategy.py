import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from repro import reference
from repro.arch import PAPER, Strategy, alpha_strategy, parse_strategy
from repro.arch.strategy import COMPOUND, by_factors, paper_strategy
from repro.errors import InputError


def weights(strategy):
    return strategy.d, strategy.w, strategy.g, strategy.r


@pytest.mark.parametrize(
    "text, expected",
    [
        ("d", (1, 0, 0, 0)),
        ("w", (0, 1, 0, 0)),  # a bare w leaves group width alone
        ("g", (0, 0, 1, 0)),
        ("r", (0, 0, 0, 1)),
        ("wg", (0, 1, 1, 0)),
        ("dwgr", (1, 1, 1, 1)),
        ("rgwd", (1, 1, 1, 1)),
        ("w1_g1", (0, 1, 1, 0)),
        ("d1_w8_g8_r1", (1, 8, 8, 1)),
        ("r1_d1", (1, 0, 0, 1)),
        ("d0.1_w0.8_g0.8_r0.1", (0.1, 0.8, 0.8, 0.1)),
        ("d0_w1", (0, 1, 0, 0)),
        ("dWr", (1, 8, 8, 1)),
    ],
)
def test_grammar(text, expected):
    assert weights(parse_strategy(text)) == expected
    assert parse_strategy(text).name == text


@pytest.mark.parametrize(
    "text",
    [
        *["", " ", "_", "x", "D", "dx", "DWR", "dWR", "Wr", "1d", "d 1", " d", "d ", "d\n"],
        *["d_", "_d", "d1_", "_d1", "d1__w1", "d_w", "d1_w", "d1w1", "d1-w1", "d1,w1"],
        *["w-1", "w+1", "d1e5", "d1.", "d.5", "d1.2.3", "dnan", "dinf", "d0x1", "d1_000"],
        *["d٣", "d１", "d²", "ｄ", "d1\u200b", "\udcff", "d\x00"],
        *["dd", "dwd", "d1_d2", "w1_g1_w1", "d9" * 2],
        *["d" + "9" * 400, "d" + "9" * 308 + "_w" + "9" * 308],
    ],
)
def test_what_is_not_in_the_grammar_is_an_error_that_names_it(text):
    with pytest.raises(InputError) as caught:
        parse_strategy(text)
    assert repr(text) in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text() | st.text("dwgr_0123456789.-+eW "))
def test_any_text_is_read_by_the_grammar_or_refused(text):
    try:
        parsed = parse_strategy(text)
    except InputError:
        return
    assert text == "dWr" or re.fullmatch(r"[dwgr]{1,4}|[dwgr0-9._]+", text)
    assert all(math.isfinite(weight) and weight >= 0 for weight in weights(parsed))


WEIGHT = st.integers(0, 10**9) | st.decimals(0, 1000, places=7).map(lambda d: f"{d:f}")
GRAMMAR = st.permutations("dwgr").flatmap(
    lambda letters: st.lists(WEIGHT, min_size=1, max_size=4).map(
        lambda numbers: "_".join(f"{k}{v}" for k, v in zip(letters, numbers, strict=False))
    )
)


@given(GRAMMAR)
@example("d0.0000001_w1000000000")  # no exponents, no digits lost
@example("d0_w0")
def test_the_grammar_round_trips(text):
    parsed = parse_strategy(text)
    again = parse_strategy(parsed.grammar)
    assert weights(again) == weights(parsed)
    assert again.grammar == parsed.grammar


@pytest.mark.parametrize(
    "name, grammar, bare",
    [
        ("d", "d1", "d"),
        ("w", "w1_g1", "wg"),
        ("r", "r1", "r"),
        ("dw", "d1_w1_g1", "dwg"),
        ("wr", "w1_g1_r1", "wgr"),
        ("dr", "d1_r1", "dr"),
        ("dwr", "d1_w1_g1_r1", "dwgr"),
        ("dWr", "d1_w8_g8_r1", "dWr"),
    ],
)
def test_in_the_papers_strategies_group_width_follows_width(name, grammar, bare):
    assert PAPER[name].grammar == grammar
    assert weights(PAPER[name]) == weights(parse_strategy(grammar)) == weights(parse_strategy(bare))
    assert PAPER[name].g == PAPER[name].w


def test_the_paper_has_eight():
    assert list(PAPER) == ["d", "w", "r", "dw", "wr", "dr", "dwr", "dWr"]


@pytest.mark.parametrize(
    "alpha, grammar, paper",
    [
        ("4/5", "d1_w8_g8_r1", "dWr"),
        ("2/3", "d1_w4_g4_r1", None),
        ("1/3", "d1_w1_g1_r1", "dwr"),
        ("1", "w1_g1", "w"),
        ("0", "d1_r1", "dr"),
        ("0.8", "d1_w8_g8_r1", "dWr"),
    ],
)
def test_alpha_family(alpha, grammar, paper):
    strategy = alpha_strategy(alpha)
    assert strategy.grammar == grammar
    assert strategy.alpha == pytest.approx(float(Fraction(alpha)))
    if paper:
        assert weights(strategy) == weights(PAPER[paper])


def test_alpha_names_itself():
    assert alpha_strategy("4/5").name == "alpha=4/5"
    assert alpha_strategy(Fraction(4, 5), "mine").name == "mine"


def test_alpha_as_a_float_scales_alike():
    ours, exact = alpha_strategy(0.8).multipliers(8), PAPER["dWr"].multipliers(8)
    assert ours == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize(
    "alpha", ["x", "", "1/0", "2", "-1", "1.0001", 2, -0.1, None, math.nan, math.inf, "1e-400"]
)
def test_alpha_outside_0_to_1(alpha):
    with pytest.raises(InputError, match="alpha"):
        alpha_strategy(alpha)


def test_multipliers_by_hand():
    # width and resolution enter flops squared, so a whole share of 4 doubles them
    assert PAPER["d"].multipliers(4) == (4, 1, 1, 1)
    assert PAPER["w"].multipliers(4) == (1, 2, 2, 1)
    assert PAPER["r"].multipliers(4) == (1, 1, 1, 2)
    assert PAPER["dr"].multipliers(16) == (4, 1, 1, 2)
    assert parse_strategy("w").multipliers(4) == (1, 2, 1, 1)
    assert parse_strategy("g").multipliers(4) == (1, 1, 4, 1)  # alone, g takes all of s
    assert parse_strategy("d0").multipliers(4) == (1, 1, 1, 1)


@given(GRAMMAR, st.floats(1 / 64, 64))
def test_the_nominal_product_is_the_scale(text, s):
    strategy = parse_strategy(text)
    try:
        m = strategy.multipliers(s)
    except InputError:
        assert strategy.g > strategy.d + strategy.w + strategy.r
        return
    expected = s if strategy.d + strategy.w + strategy.r else 1
    assert m.d * m.w**2 * m.r**2 == pytest.approx(expected, rel=1e-9)


@given(st.fractions(0, 1, max_denominator=1000), st.floats(1 / 64, 64))
def test_the_alpha_family_follows_table_4(alpha, s):
    m, a = alpha_strategy(alpha).multipliers(s), float(alpha)
    assert m.d == pytest.approx(s ** ((1 - a) / 2))
    assert m.w == m.g == pytest.approx(s ** (a / 2))
    assert m.r == pytest.approx(s ** ((1 - a) / 4))


@pytest.mark.parametrize(
    "s",
    [
        0,
        -1,
        -0.0,
        math.nan,
        math.inf,
        -math.inf,
        10**400,
        Fraction(1, 10**400),
        True,
        "4",
        None,
        4j,
    ],
)
def test_impossible_scales(s):
    with pytest.raises(InputError, match=r"scale.*a finite positive number is needed"):
        PAPER["d"].multipliers(s)


def test_scales_from_numpy_are_numbers():
    for four in (np.float32(4), np.float64(4), np.int64(4), Fraction(4)):
        assert PAPER["dWr"].multipliers(four) == PAPER["dWr"].multipliers(4)


def test_a_group_width_beyond_every_number_is_an_error():
    with pytest.raises(InputError, match="scale 4 is too large for strategy 'd1_g10000'"):
        parse_strategy("d1_g10000").multipliers(4)


def test_alpha_of_a_strategy_that_scales_nothing():
    assert Strategy("nothing").alpha == 0
    assert Strategy("nothing").grammar == "d0"


def test_shares_of_the_log_flops():
    assert PAPER["dWr"].shares == pytest.approx((0.1, 0.8, 0.1))
    assert PAPER["dwr"].shares == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert PAPER["r"].shares == (0, 0, 1) and Strategy("none").shares == (0, 0, 0)


def test_compound_rules_are_those_of_table_2():
    """At the scale that their factors multiply flops by, they give these factors back."""
    rows = reference.x_bases()
    assert [row.scaling for row in rows] == ["accuracy only", "LACS GPU", "LACS TPU"]
    for row, rule in zip(rows, COMPOUND.values(), strict=True):
        m = rule.multipliers(float(row.depth * row.width**2 * row.resolution**2))
        assert (m.d, m.w, m.g, m.r) == pytest.approx(
            tuple(map(float, (row.depth, row.width, row.width, row.resolution))), rel=1e-4
        )


def test_depth_leads_lacs_as_a_multiplier_and_width_in_flops():
    for name in ("LACS-GPU", "LACS-TPU"):
        m = COMPOUND[name].multipliers(2)
        assert m.d > m.w > m.r
        d, w, r = COMPOUND[name].shares
        assert w > d > r


def test_compound_rules_have_names():
    assert parse_strategy("LACS-GPU") is COMPOUND["LACS-GPU"] is paper_strategy("LACS-GPU")
    assert (
        parse_strategy(COMPOUND["EfficientNet"].grammar).shares == COMPOUND["EfficientNet"].shares
    )
    assert paper_strategy("2/3").shares == pytest.approx((1 / 6, 2 / 3, 1 / 6))
    with pytest.raises(InputError, match=r"factors 0.9, 1, 1 must be 1 or more"):
        by_factors("smaller", 0.9, 1, 1)
