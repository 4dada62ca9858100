"""Tables 1 to 3 on a stage of torch convs: by hand, by operators, by the paper."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.analysis.scaling import stage
from repro.analysis.scaling.stage import counted, three_ways
from repro.arch import PAPER
from repro.theory import Growth, Powers, growth, measured, stage_cost, strategy_powers

DENSE, GROUPED = (4, 64, 64, 32), (4, 64, 4, 32)


def test_a_conv_small_enough_for_a_pencil():
    # 4 x 4 pixels of 2 channels: 32 elements, 3 * 3 * 2 = 18 products in each, 2 * 18 weights.
    assert counted(1, 2, 2, 4) == (32 * 18, 36, 32)


def test_three_group_convs_by_pencil():
    # 5 x 5 pixels of 4 channels in two groups; 1 * 1 * 2 products to an element.
    assert counted(3, 4, 2, 5, kernel=1) == (3 * 100 * 2, 3 * 8, 3 * 100)


@settings(max_examples=30, deadline=None)
@given(
    depth=st.integers(1, 4),
    groups=st.integers(1, 6),
    half=st.integers(1, 5),
    resolution=st.integers(1, 20),
)
def test_the_books_counter_equals_the_operators_that_ran(depth, groups, half, resolution):
    sizes = (depth, 2 * half * groups, 2 * half, resolution)
    assert stage_cost(*sizes) == counted(*sizes)


@pytest.mark.parametrize("name", PAPER)
def test_operators_find_the_derived_exponents(name):
    powers = strategy_powers(PAPER[name])
    assert measured(powers, (2, 16, 16, 7), counted) == growth(powers)


def test_counts_notice_a_stage_that_the_strategy_was_not_made_for():
    # Width alone on group convs: flops fall short of s, which is why g has to follow.
    alone = measured(Powers(w=Fraction(1, 2)), (2, 32, 4, 8), counted)
    assert alone == Growth(*[Fraction(1, 2)] * 3)


@pytest.mark.parametrize(
    ("table", "sizes", "strategies"), [(1, DENSE, 3), (2, DENSE, 4), (3, GROUPED, 3)]
)
def test_tables_1_to_3_agree_three_ways(table, sizes, strategies):
    assert list(three_ways(table, sizes).agree) == ["="] * strategies


def test_a_row_reads_like_the_papers():
    row = three_ways(2, DENSE).set_index("strategy").loc["dwr"]
    assert row.to_dict() == {
        **{"d": "1/3", "w": "1/6", "r": "1/6", "flops": "1", "params": "2/3", "acts": "5/6"},
        **{"counted at": "s = 64", "agree": "="},
    }


@pytest.mark.parametrize(
    ("field", "wrong", "cell"),
    [
        ("acts", "2/3", "paper 2/3, derived 3/4, counted 3/4"),
        ("width", "1/3", "paper 1/3, derived 1/4"),
    ],
)
def test_a_misprint_would_show(field, wrong, cell, monkeypatch):
    (row,) = (r for r in stage.exponent_rows() if (r.table, r.strategy) == (2, "dw"))
    monkeypatch.setattr(stage, "exponent_rows", lambda: [row._replace(**{field: wrong})])
    found = three_ways(2, DENSE).iloc[0]
    assert found["agree"] == "≠"
    assert cell in list(found)
