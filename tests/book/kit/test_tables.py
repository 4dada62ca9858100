"""Tables of pages: what a cell shows, and when ours agrees with print."""

from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.book import table
from repro.book.kit.tables import LONG, agrees_as_printed


def test_numbers_are_set_right_and_formatted():
    frame = pd.DataFrame({"model": ["EN-B0"], "flops": [385_868_928], "acts": [6.747]})
    html = table(frame, "Counts", formats={"flops": ",d", "acts": ".2f"})._repr_html_()
    assert '<th scope="col">model</th>' in html
    assert '<td class="num">385,868,928</td>' in html
    assert '<td class="num">6.75</td>' in html
    assert "<caption>Counts</caption>" in html


def test_whole_numbers_stay_whole_beside_floats():
    big = 2**53 + 1  # a float cannot hold it
    frame = pd.DataFrame({"s": [0.5, 1.0], "flops": [big, 7]})
    assert f"{big:,d}" in table(frame, "c", formats={"flops": ",d"}).html


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT])
def test_missing_values_show_as_a_dash(missing):
    frame = pd.DataFrame({"a": pd.Series([missing, "x"], dtype=object)})
    assert "<td>–</td>" in table(frame, "c").html


def test_missing_numbers_show_as_a_dash_despite_a_format():
    frame = pd.DataFrame({"a": [1.5, float("nan")]})
    html = table(frame, "c", formats={"a": ".1f"}).html
    assert '<td class="num">1.5</td>' in html
    assert '<td class="num">–</td>' in html


def test_cells_are_escaped_and_captions_may_hold_markup():
    result = table(pd.DataFrame({"<a>": ["<script>"]}), "<b>w</b> and g")
    assert "&lt;script&gt;" in result.html
    assert "&lt;a&gt;" in result.html
    assert "<caption><b>w</b> and g</caption>" in result.html
    assert repr(result) == "Table: w and g"


def test_backticks_set_code():
    html = table(pd.DataFrame({"way": ["`repro list` & more", "a ` alone"]}), "c").html
    assert "<td><code>repro list</code> &amp; more</td>" in html
    assert "<td>a ` alone</td>" in html


def test_marks_and_long_cells_get_their_class():
    frame = pd.DataFrame({"verdict": ["reproduced", "x" * (LONG + 1), "y" * LONG]})
    html = table(frame, "c", marks={"reproduced": "repro-good"}).html
    assert '<td class="repro-good">reproduced</td>' in html
    assert f'<td class="long">{"x" * (LONG + 1)}</td>' in html
    assert f"<td>{'y' * LONG}</td>" in html


def test_lists_in_cells_do_not_break_it():
    assert "[1, 2]" in table(pd.DataFrame({"widths": [[1, 2]]}), "c").html


@pytest.mark.parametrize(
    ("printed", "computed", "decimals", "agrees"),
    [
        (0.4, 0.386, 1, True),
        (0.4, 0.35, 1, True),  # a half may be rounded either way
        (0.4, 0.45, 1, True),
        (0.4, 0.3499, 1, False),
        (0.4, 0.4501, 1, False),
        (16.2, 16.15, 1, True),
        (4, 4.49, 0, True),
        (4, 4.51, 0, False),
    ],
)
def test_agreement_is_rounding_to_the_printed_digits(printed, computed, decimals, agrees):
    assert agrees_as_printed(printed, computed, decimals) is agrees


@given(st.decimals(0, 10_000, places=4), st.integers(0, 3))
def test_what_is_rounded_agrees_and_the_next_digit_does_not(value, decimals):
    printed = round(value, decimals)
    step = Decimal(1).scaleb(-decimals)
    assert agrees_as_printed(float(printed), float(value), decimals)
    assert not agrees_as_printed(float(printed + 2 * step), float(value), decimals)
