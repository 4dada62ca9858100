"""Tables of pages: what a cell shows, and when ours agrees with print."""

import pandas as pd
import pytest

from repro.book import beside, table
from repro.book.kit.tables import LONG


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


def test_beside_marks_agreement_disagreement_and_gaps():
    frame = pd.DataFrame(
        {
            "model": ["B0", "B1", "B2"],
            "printed": [5.3, 7.8, float("nan")],
            "ours": [5.289, 7.6, 9.1],
        }
    )
    html = beside(
        frame, {"params, M": ("printed", "ours", 1)}, "By <i>count</i>", keep=["model"]
    ).html
    assert '<td class="repro-good">=</td>' in html
    assert '<td class="repro-off">≠</td>' in html
    assert html.count("<td>–</td>") == 1  # no verdict where nothing is printed
    assert '<td class="num">5.3</td><td class="num">5.29</td>' in html
    assert '<th scope="col"></th>' in html  # the column of verdicts has no heading


def test_beside_is_named_without_markup():
    frame = pd.DataFrame({"model": ["B0"], "p": [1.0], "o": [1.0]})
    assert repr(beside(frame, {"f": ("p", "o", 1)}, "<b>F</b>", keep=["model"])) == "Table: F"
