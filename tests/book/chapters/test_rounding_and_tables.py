"""Page "Rounding and the papers' tables": the sawtooth, and printed beside counted."""

import pytest

from repro import reference
from repro.analysis.scaling.rounding import sawtooth
from repro.book.chapters import rounding_and_tables as page
from repro.book.kit.chapter import setup
from repro.book.kit.figures import show


@pytest.mark.parametrize("bases", [["EN-B0"], ["EN-B0", "RegNetY-500MF", "ResNet-50"]])
def test_sawtooth_has_a_panel_for_each_base(bases):
    setup()
    fig = page.sawtooth_figure(*sawtooth(bases, "d", 1, 4), [1, 2, 4])
    assert [ax.get_title(loc="left") for ax in fig.axes if ax.axison] == bases
    html = show(fig, "test", alt="alt", caption="caption")._repr_html_()
    assert "before rounding" in html and "$" not in html


def test_every_printed_row_stands_once():
    frames = [page.printed_frame(f"Table {n}") for n in (5, 6, 7, 8)]
    models = [model for frame in frames for model in frame.model]
    every = [row.model for row in reference.table_rows()]
    assert sorted(models) == sorted(set(every))
    assert sum(frame.attrs["repeats"] for frame in frames) == len(every) - len(models)
    assert sum(frame.attrs["agree"] for frame in frames) == len(models) - 1


def test_a_row_shows_printed_and_counted_and_the_other_tables():
    row = page.printed_frame("Table 6").set_index("model").loc["RegNetY-4GF"]
    assert row.GF == "4.1 = 4.10" and row["also in"] == "7, 8"
    assert row["1×, %"] == "18.8 ± 0.04" and row.minutes == "7.7"


def test_the_unknown_row_is_shown_to_differ():
    row = page.printed_frame("Table 6").set_index("model").loc["RegNetZ-4GF-224"]
    assert row["acts, M"] == "20.8 ≠ 18.58"
    assert page.printed_tables().html.count('"repro-off"') == 3 + 2


def test_the_later_paper_has_columns_of_its_own():
    frame = page.printed_frame(page.EARLY)
    assert len(frame) == 15 and "also in" not in frame and "IN-21k, %" in frame
