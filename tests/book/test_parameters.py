"""Chapter parameters: strict, typed, and refused before anything starts."""

import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.book.parameters import (
    TIERS,
    chapters,
    check,
    parameters_of,
    parse_value,
    resolve,
    same_as,
)
from repro.errors import InputError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", 4),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        ("[1, 2, 4]", [1, 2, 4]),
        ("1,2,4", [1, 2, 4]),
        ("[EN-B0, ResNet-50]", ["EN-B0", "ResNet-50"]),
        ("['EN-B0']", ["EN-B0"]),
        ("None", None),
        ("null", None),
        ("True", True),
        ("true", True),
        ("EN-B0", "EN-B0"),
        ("d1_w8_g8_r1", "d1_w8_g8_r1"),
        ("'4'", "4"),
        ("1/3", "1/3"),
        ("[1,", "[1,"),
        ("{a: 1", "{a: 1"),
        ("!!python/name:os.system", "!!python/name:os.system"),
        ("2021-03-11", datetime.date(2021, 3, 11)),  # then refused by every parameter's type
    ],
)
def test_values_are_read_as_python_then_yaml_then_text(text, value):
    read = parse_value(text)
    assert read == value
    assert type(read) is type(value)


@given(st.text(max_size=40))
def test_any_text_can_be_read(text):
    parse_value(text)


@given(st.lists(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))))
def test_lists_of_numbers_come_back(numbers):
    assert parse_value(repr(numbers)) == numbers


def test_unknown_chapter_suggests_the_nearest_and_lists_all():
    with pytest.raises(InputError, match="Did you mean 'rounding-and-tables'") as error:
        parameters_of("rounding-and-table")
    assert all(name in str(error.value) for name in chapters())


def test_unknown_parameter_suggests_the_nearest():
    with pytest.raises(InputError, match=r"no parameter 'dept'\. Did you mean 'depth'"):
        check("what-scaling-costs", dept=3)


@pytest.mark.parametrize(
    ("assignment", "named"),
    [
        ("depth=0", "depth = 0"),
        ("depth=2.5", "depth = 2.5"),
        ("depth=True", "depth = True"),
        ("depth='4'", "depth = '4'"),
        ("depth=None", "depth = None"),
    ],
)
def test_wrong_sizes_are_refused_by_name(assignment, named):
    with pytest.raises(InputError) as error:
        resolve("what-scaling-costs", [assignment], "smoke")
    assert named in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("assignment", "named"),
    [
        ("scales=4", "scales = 4"),
        ("scales=[1]", "scales"),
        ("scales=[1, -2]", "scales.1 = -2"),
        ("scales=[1, .inf]", "scales.1 = inf"),
        ("scales=[1, .nan]", "scales.1 = nan"),
        ("scales=[1, two]", "scales.1 = 'two'"),
        ("scales=[1, true]", "scales.1 = True"),
        ("scales=None", "scales = None"),
    ],
)
def test_wrong_lists_are_refused_by_name(assignment, named):
    with pytest.raises(InputError) as error:
        resolve("the-dial", [assignment], "smoke")
    assert named in str(error.value)
    assert "\n" not in str(error.value)


def test_networks_are_checked_by_the_zoo():
    with pytest.raises(InputError, match="Did you mean 'EN-B0'"):
        resolve("rounding-and-tables", ["bases=[EN-B00]"], "smoke")


@pytest.mark.parametrize("assignment", ["depth", "=4", ""])
def test_an_assignment_needs_a_name_and_a_value(assignment):
    with pytest.raises(InputError, match="NAME=VALUE"):
        resolve("what-scaling-costs", [assignment], "smoke")


def test_a_value_may_hold_equals_signs():
    with pytest.raises(InputError, match="depth = 'a=b'"):
        resolve("what-scaling-costs", ["depth=a=b"], "smoke")


def test_only_what_changes_is_passed_on():
    assert resolve("what-scaling-costs", [], "smoke") == {}
    assert resolve("the-dial", ["scales=1,2"], "smoke") == {"scales": [1, 2]}


def test_an_assignment_overrides_its_tier():
    tier = resolve("rounding-and-tables", [], "laptop")
    assert len(tier["scales"]) > 6
    assert resolve("rounding-and-tables", ["scales=[1, 2]"], "laptop")["scales"] == [1, 2]


def test_unknown_tier_lists_the_tiers():
    with pytest.raises(InputError, match="unknown tier 'tiny'; allowed: smoke, laptop, gpu, paper"):
        resolve("what-scaling-costs", [], "tiny")


@pytest.mark.parametrize("chapter", chapters())
def test_defaults_and_tiers_are_valid_and_described(chapter):
    model = parameters_of(chapter)
    defaults = {name: field.default for name, field in model.model_fields.items()}
    check(chapter, **defaults)
    assert set(model.tiers) <= set(TIERS)
    for values in model.tiers.values():
        check(chapter, **values)
    assert all(field.description for field in model.model_fields.values())


def test_a_network_stands_in_a_list_once():
    with pytest.raises(InputError, match=r"'ResNet-50' stands there twice; each network once"):
        resolve("rounding-and-tables", ["bases=[ResNet-50, ResNet-50]"], "smoke")


@pytest.mark.parametrize("chapter", chapters())
def test_a_tier_keeps_what_those_below_it_change(chapter):
    for below, above in pairwise(TIERS):
        less, more = resolve(chapter, [], below), resolve(chapter, [], above)
        own = parameters_of(chapter).tiers.get(above, {})
        assert more == {**less, **own}
        assert same_as(chapter, above) == (above if own else same_as(chapter, below))


def test_large_tiers_of_a_chapter_with_a_laptop_tier_alone_are_like_it():
    assert resolve("the-dial", [], "paper")["scales"][-1] == 96


def test_alphas_are_text_or_numbers():
    def alphas(text):
        return resolve("the-dial", [f"alphas={text}"], "smoke")["alphas"]

    assert alphas("[0, 0.5, 2/3, '1']") == ["0", "0.5", "2/3", "1"]
    for wrong in ("2", "true", "two", "null"):
        with pytest.raises(InputError, match=r"alphas\.1"):
            alphas(f"[0, {wrong}]")
