from fractions import Fraction as F

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.arch import PAPER, alpha_strategy, parse_strategy
from repro.errors import InputError
from repro.theory import (
    GROUP_SCALING,
    GROUPED,
    Growth,
    Linear,
    Powers,
    family_powers,
    growth,
    measured,
    stage_cost,
    strategy_powers,
    whole_scale,
)

# Tables 1 and 2, by hand: flops, params, acts.
TABLES_1_AND_2 = {
    "d": (1, 1, 1),
    "w": (1, 1, F(1, 2)),
    "r": (1, 0, 1),
    "dw": (1, 1, F(3, 4)),
    "wr": (1, F(1, 2), F(3, 4)),
    "dr": (1, F(1, 2), 1),
    "dwr": (1, F(2, 3), F(5, 6)),
    "dWr": (1, F(9, 10), F(3, 5)),
}
TABLE_3 = {"w": (1, 1, 1), "g": (1, 1, 0), "wg": (1, 1, F(1, 2))}


@pytest.mark.parametrize("name", PAPER)
def test_paper_strategies(name):
    powers = strategy_powers(PAPER[name])
    assert growth(powers) == Growth(*map(F, TABLES_1_AND_2[name]))
    assert measured(powers) == growth(powers)


@pytest.mark.parametrize("name", TABLE_3)
def test_group_width_scaling(name):
    powers = GROUP_SCALING[name]
    assert growth(powers) == Growth(*map(F, TABLE_3[name]))
    assert measured(powers, GROUPED) == growth(powers)


def test_a_stage_by_pencil():
    # 3 convs on 4 x 4 pixels of 6 channels, 2 to a group: 9 * 2 products to an element.
    assert stage_cost(3, 6, 2, 4) == (3 * 96 * 18, 3 * 6 * 18, 3 * 96)


def test_nothing_is_rounded_at_the_whole_scale():
    assert [whole_scale(strategy_powers(PAPER[x])) for x in ("d", "w", "dr", "dwr")] == [
        *(2, 4, 16, 64)
    ]


def test_powers_are_those_of_the_multipliers():
    for strategy in (*PAPER.values(), parse_strategy("g"), parse_strategy("d0.1_w0.8_r0.1")):
        powers = strategy_powers(strategy)
        expected = strategy.multipliers(7.0)
        for name in "dwgr":
            assert 7.0 ** float(getattr(powers, name)) == pytest.approx(getattr(expected, name))


def test_decimal_weights_are_read_exactly():
    assert strategy_powers(parse_strategy("d0.1_w0.8_g0.8_r0.1")) == strategy_powers(PAPER["dWr"])


def test_bare_w_leaves_flops_of_group_convs_at_the_square_root():
    assert growth(strategy_powers(parse_strategy("w"))).flops == F(1, 2)


def test_family_is_table_4():
    powers, costs = family_powers(), growth(family_powers())
    assert [str(e) for e in (powers.d, powers.w, powers.r)] == ["(1-a)/2", "a/2", "(1-a)/4"]
    assert [str(e) for e in (costs.flops, costs.params, costs.acts)] == ["1", "(1+a)/2", "(2-a)/2"]


@given(st.fractions(min_value=0, max_value=1, max_denominator=12))
def test_family_agrees_with_its_members(alpha):
    member, family = growth(strategy_powers(alpha_strategy(alpha))), growth(family_powers())
    for cost in ("flops", "params", "acts"):
        assert getattr(family, cost)(alpha) == getattr(member, cost)


@given(st.fractions(min_value=0, max_value=1, max_denominator=8))
def test_counting_a_stage_gives_the_derived_exponents(alpha):
    powers = strategy_powers(alpha_strategy(alpha))
    assert measured(powers) == growth(powers)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Linear(), "0"),
        (Linear(F(1, 2)), "1/2"),
        (Linear(slope=F(1)), "a"),
        (Linear(slope=F(-2, 3)), "-2a/3"),
        (Linear(F(1), F(1)), "1+a"),
        (Linear(F(1), F(-3, 2)), "(2-3a)/2"),
    ],
)
def test_linear_reads_like_the_paper(value, text):
    assert str(value) == text


def test_linear_arithmetic():
    a = Linear(F(1), F(2))
    assert (F(1, 2) + a * 2)(F(1, 4)) == F(1, 2) + 2 * (1 + F(1, 2))
    assert 3 * a == a + a + a


@pytest.mark.parametrize("powers", [Powers(d=F(-1)), family_powers()])
def test_unmeasurable_powers(powers):
    with pytest.raises(InputError, match="exponent d="):
        measured(powers)
