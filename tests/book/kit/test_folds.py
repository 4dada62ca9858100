"""Folds."""

import pandas as pd

from repro.book.kit.folds import folded
from repro.book.kit.tables import table


def test_a_folded_table_says_what_is_in_it():
    html = folded("Rows", "1 < 2", table(pd.DataFrame({"n": [1, 2]}), "Numbers."))._repr_html_()
    assert html.count("<details") == html.count("<table") == 1
    assert "<span>1 &lt; 2</span>" in html and " open" not in html
