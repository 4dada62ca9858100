"""Budgets as people write them."""

import numpy as np
import pytest

from repro.errors import InputError
from repro.search.budgets import UNITS, fits, read_budget


@pytest.mark.parametrize(
    ("text", "limit", "what"),
    [
        ("5ms", 0.005, "time"),
        ("10GF", 10e9, "flops"),
        ("50Macts", 50e6, "acts"),
        ("8GB", 8e9, "memory"),
        ("2x", 2.0, "times"),
        (".5 s", 0.5, "time"),
        ("1.5Mparams", 1.5e6, "params"),
    ],
)
def test_a_number_and_a_unit(text, limit, what):
    budget = read_budget(text)
    assert budget.limit == pytest.approx(limit) and budget.what == what


def test_values_are_shown_in_the_unit_that_was_asked_in():
    assert read_budget("5ms").shown(0.00471) == "4.71 ms"
    assert read_budget("2x").shown(1.25) == "1.25x"


def test_a_limit_bears_rounding_and_no_more():
    assert fits(0.1 + 0.2, 0.3) and not fits(0.300001, 0.3)
    assert fits(np.array([1.0, 2.0]), 1.5).tolist() == [True, False]


@pytest.mark.parametrize("text", ["", " ", "ms", "5", "-5ms", "5 5ms", "1e3ms", "nan ms", "٣ms"])
def test_what_is_no_budget(text):
    with pytest.raises(InputError, match="is not allowed; a positive number and a unit"):
        read_budget(text)


def test_zero_and_unknown_units():
    with pytest.raises(InputError, match="must be above zero"):
        read_budget("0ms")
    with pytest.raises(InputError, match=r"unknown unit 'gf'\. Did you mean 'GF'\?") as error:
        read_budget("5gf")
    assert all(unit in str(error.value) for unit in UNITS)
