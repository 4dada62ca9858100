"""Reasons as additions, folded by network."""

from repro.book.chapters.counting_conventions import folded_sums
from repro.counters import Comparison


def test_folds_have_every_difference_and_the_first_is_open():
    comparisons = [
        Comparison("fvcore", "flops", 1000, 1100, {"batch norm": 100, "pool": 0}),
        Comparison("fvcore", "params", 5, 5, {}),
    ]
    html = folded_sums({"toy": comparisons, "other": comparisons})._repr_html_()
    assert html.count("<details") == 2
    assert html.count(" open>") == 1
    assert html.count("fvcore, flops +10.00 %") == 2
    assert "params" not in html
    assert '<td class="num">+100</td>' in html
    assert '<td class="repro-left-over">its count</td><td class="num">1,100</td>' in html
