"""The stage of chapter "What scaling costs": by hand, by formula, by operators, by the paper."""

from fractions import Fraction

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.analysis.scaling import stage
from repro.analysis.scaling.stage import ALPHA, COSTS, Stage, counted, derive
from repro.arch import PAPER
from repro.book import show
from repro.book.chapters import what_scaling_costs as stage_figures
from repro.book.kit.figures import use_house_style
from repro.errors import InputError
from repro.theory import GROUP_SCALING, Growth, family_powers, growth, strategy_powers

HALF = Fraction(1, 2)


def test_a_conv_small_enough_for_a_pencil() -> None:
    # 4 x 4 pixels of 2 channels: 32 elements, 3 * 3 * 2 = 18 products in each, 2 * 18 weights.
    tiny = Stage(depth=1, width=2, resolution=4)
    assert stage.by_formula(tiny) == counted(tiny) == (32 * 18, 36, 32)


def test_three_group_convs_by_pencil() -> None:
    # 5 x 5 pixels of 4 channels in two groups; 1 * 1 * 2 products to an element.
    small = Stage(depth=3, width=4, resolution=5, group_width=2, kernel=1)
    assert stage.by_formula(small) == counted(small) == (3 * 100 * 2, 3 * 8, 3 * 100)


@settings(max_examples=30, deadline=None)
@given(
    depth=st.integers(1, 4),
    groups=st.integers(1, 6),
    group_width=st.integers(1, 9),
    resolution=st.integers(1, 20),
    kernel=st.sampled_from([1, 3, 5, 7]),
)
def test_formulas_equal_the_operators_that_ran(
    depth: int, groups: int, group_width: int, resolution: int, kernel: int
) -> None:
    some = Stage(depth, groups * group_width, resolution, group_width, kernel)
    assert stage.by_formula(some) == counted(some)


@pytest.mark.parametrize("name", PAPER)
def test_derivation_agrees_with_theory(name: str) -> None:
    weights = {x: getattr(PAPER[name], x) for x in "dwr" if getattr(PAPER[name], x)}
    derived = derive(weights).growth
    expected = growth(strategy_powers(PAPER[name]))
    assert {c: str(derived[c]) for c in COSTS} == {c: str(getattr(expected, c)) for c in COSTS}


@pytest.mark.parametrize("name", GROUP_SCALING)
def test_group_width_derivation_agrees_with_theory(name: str) -> None:
    derivation = derive(name, grouped=True)
    expected = growth(GROUP_SCALING[name])
    assert [str(derivation.growth[c]) for c in COSTS] == [str(getattr(expected, c)) for c in COSTS]
    assert derivation.fractions() == {x: getattr(GROUP_SCALING[name], x) for x in name}


@pytest.mark.parametrize("alpha", [Fraction(0), Fraction(1, 3), Fraction(4, 5), Fraction(1)])
def test_the_family_keeps_alpha_as_a_symbol(alpha: Fraction) -> None:
    family = derive({"d": (1 - ALPHA) / 2, "w": ALPHA, "r": (1 - ALPHA) / 2})
    whole = growth(family_powers())
    assert isinstance(whole, Growth)
    for cost in COSTS:
        expected = getattr(whole, cost)
        value = family.growth[cost].subs(ALPHA, sp.Rational(alpha.numerator, alpha.denominator))
        assert Fraction(str(value)) == (expected(alpha) if callable(expected) else expected)


def test_counts_find_the_exponents_without_the_formulas(monkeypatch: pytest.MonkeyPatch) -> None:
    dwr = derive("dwr").fractions()
    assert stage.whole_scale(dwr) == 64
    monkeypatch.setattr(stage, "stage_cost", None)
    assert stage.counted_exponents(Stage(3, 16, 7), dwr) == {
        "flops": 1,
        "params": Fraction(2, 3),
        "acts": Fraction(5, 6),
    }


def test_counts_notice_a_stage_that_the_strategy_was_not_made_for() -> None:
    # Width alone on group convs: flops fall short of s, which is why g has to follow.
    grouped = Stage(2, 32, 8, group_width=4)
    assert stage.counted_exponents(grouped, {"w": HALF})["flops"] == HALF


@pytest.mark.parametrize(("number", "strategies"), [(1, 3), (2, 4), (3, 3)])
def test_tables_1_to_3_agree_three_ways(number: int, strategies: int) -> None:
    frame = stage.three_ways(number, Stage(4, 64, 32, 4 if number == 3 else None))
    assert stage.agreement([frame]) == (3 * strategies, 3 * strategies)


def test_a_stage_that_does_not_follow_the_table_would_show() -> None:
    frame = stage.three_ways(1, Stage(4, 64, 32, group_width=8))  # Table 1 is about dense convs
    assert frame[frame["agree"] == "≠"][["strategy", "cost"]].to_numpy().tolist() == [
        ["w", "flops"],
        ["w", "params"],
    ]


@pytest.mark.parametrize(("field", "wrong"), [("acts", "2/3"), ("width", "1/3")])
def test_a_misprint_would_show(field: str, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [r for r in stage.exponent_rows() if (r.table, r.strategy) == (2, "dw")]
    monkeypatch.setattr(stage, "exponent_rows", lambda: [rows[0]._replace(**{field: wrong})])
    frame = stage.three_ways(2, Stage(4, 64, 32))
    assert stage.agreement([frame])[0] < 3
    html = stage.three_ways_table(frame, "caption").html
    assert "repro-off" in html and "≠" in html


def test_page_table_shows_powers_of_s() -> None:
    html = stage.three_ways_table(stage.three_ways(2, Stage(4, 64, 32)), "caption").html
    assert html.count("<tr>") == html.count("</tr>") == 1 + 4 * 3
    assert html.count('rowspan="3"') == 4 * 3
    assert "<td>s<sup>5/6</sup></td>" * 3 in html
    assert "s = 64<br>d × 4<br>w × 2<br>r × 2" in html
    assert "repro-off" not in html


def test_algebra_is_written_out() -> None:
    lines = stage.algebra(derive("wr")).data.split(r"\\")
    assert lines[2].strip().removesuffix(r" \end{aligned}") == (
        r"a' &= d \left(s^{1/4} w\right) \left(s^{1/4} r\right)^{2}"
        r" = s^{\frac{1}{4} + 2 \cdot \frac{1}{4}} \; a = s^{3/4} \; a"
    )
    assert stage.algebra(derive("r")).data.split(r"\\")[1].strip().endswith(r"s^{0} \; p = p")


def test_scaling_rounds_to_whole_numbers_and_never_to_nothing() -> None:
    base = Stage(1, 3, 4)
    assert base.scaled(derive("dwr").fractions(), 1) == base
    assert base.scaled(derive("d").fractions(), 0.01) == base
    assert base.scaled(derive("w").fractions(), 2) == Stage(1, 4, 4)  # 4.24 channels


def test_fitted_exponents_are_exact_where_nothing_is_rounded() -> None:
    fits = stage.fits(stage.sweep(Stage(2, 16, 8), ["dwr"], [1, 64])).iloc[0]
    for cost in COSTS:
        assert fits[f"{cost}, fitted"] == pytest.approx(fits[f"{cost}, theory"], abs=1e-12)


def test_sweep_counts_what_it_says() -> None:
    row = stage.sweep(Stage(4, 64, 32), ["w"], [2]).iloc[0]
    assert (row["depth"], row["width"], row["resolution"]) == (4, 91, 32)
    assert row["acts"] == 91 / 64
    assert row["flops"] == (91 / 64) ** 2


def test_scaled_counts_start_from_the_base() -> None:
    frame = stage.scaled_counts(Stage(4, 64, 32), ["r"], 4)
    assert frame["strategy"].tolist() == ["base", "r"]
    assert frame["acts"].tolist() == [4 * 64 * 32**2, 4 * 64 * 64**2]
    assert frame["params"].nunique() == 1


def test_two_networks_are_the_published_ones() -> None:
    frame = stage.two_networks().set_index("model")
    assert frame["minutes an epoch"].tolist() == [2.8, 3.5, 1.25]
    # Tables 5 and 8 print 6.7 and 11.3 million acts.
    assert frame["acts, M"].iloc[:2].tolist() == pytest.approx([6.748036, 11.315688])


@pytest.mark.parametrize(
    ("shares", "grouped", "named"), [("dx", False, "'x'"), ("wg", False, "'g'")]
)
def test_unknown_dimensions_are_named(shares: str, grouped: bool, named: str) -> None:
    with pytest.raises(InputError, match=named):
        derive(shares, grouped)


def test_groups_must_fit() -> None:
    with pytest.raises(InputError, match="group width 3 does not divide width 8"):
        Stage(1, 8, 4, group_width=3)


def _figures() -> dict[str, str]:
    use_house_style()
    base, order, scales = Stage(4, 64, 32), ["d", "dwr", "dw", "w"], [1, 2, 4]
    figures = {
        "conv": stage_figures.one_conv(),
        "volumes": stage_figures.volumes(["d", "w", "r"], 4),
        "groups": stage_figures.group_matrices(),
        "growth": stage_figures.growth_curves(stage.sweep(base, order, scales), [(4, 2.0)], scales),
    }
    return {name: show(fig, name, alt=name, caption="").svg for name, fig in figures.items()}


def test_volumes_show_one_box_for_each_conv() -> None:
    boxes = stage_figures.volumes(["d", "w", "r"], 4).axes[0].patches
    bars = 4 * 3
    assert len(boxes) - bars == 3 * (2 + 8 + 2 + 2)  # three faces of each


def test_figures_are_deterministic_and_say_what_they_show() -> None:
    first = _figures()
    assert first == _figures()
    assert "k² w multiply-adds" in first["conv"]
    # Depth and resolution multiply acts by 4, width by 2; only width's acts are bold and ×2.
    assert first["volumes"].count(">×2<") == 1
    assert [first["groups"].count(f">acts ×{n}<") for n in (1, 2, 4)] == [2, 1, 1]
    assert first["groups"].count(">flops ×4<") == 3
    assert ">dwr<" in first["growth"]
