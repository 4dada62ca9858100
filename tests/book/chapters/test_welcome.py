"""The welcome page: its lead figure, and the numbers that it quotes."""

import re

import pytest

from repro import reference
from repro.book.chapters import welcome as lead
from repro.book.kit.figures import use_house_style
from repro.paths import root


def test_the_lead_figure_counts_the_networks_whose_times_are_published():
    frame = lead.networks()
    assert list(frame.strategy.unique()) == ["dwr", "dw", "dWr", "w"]
    assert (frame.groupby("strategy").size() == 6).all()
    # the counted flops are the published ones, to the digits printed
    for ours, point in zip(frame.gflops, reference.epoch_time_points(), strict=True):
        assert abs(ours - float(point.gflops)) <= 0.0005000001


def test_the_lead_figures_text_holds_for_its_data():
    last = lead.networks().groupby("strategy").tail(1).set_index("strategy")
    order = ["dwr", "dw", "dWr", "w"]
    assert list(last.macts.sort_values(ascending=False).index) == order
    assert list(last.minutes.sort_values(ascending=False).index) == order
    # "slightly more arithmetic", "half as many values", "half the time"
    assert 1 < last.gflops["dWr"] / last.gflops["dwr"] < 1.1
    assert last.macts["dWr"] / last.macts["dwr"] == pytest.approx(0.5, abs=0.05)
    assert last.minutes["dWr"] / last.minutes["dwr"] == pytest.approx(0.5, abs=0.05)


def test_the_welcome_numbers():
    numbers = lead.key_numbers(lead.networks())
    assert numbers["welcome_dwr_growth"] == pytest.approx(32 ** (5 / 6))
    assert numbers["welcome_dWr_growth"] == pytest.approx(32 ** (3 / 5))
    assert numbers["welcome_w_growth"] == pytest.approx(32**0.5)
    assert numbers["welcome_timed"] == 64
    # facts about the published points that the page quotes: flops predict time, acts better
    assert 0.8 < numbers["welcome_r_flops"] < 0.83 < 0.97 < numbers["welcome_r_acts"] < 0.98
    text = (root() / "chapters" / "welcome.md").read_text(encoding="utf-8")
    quoted = re.findall(r"\{glue:text\}`([a-zA-Z0-9_]+)", text)
    assert quoted
    assert set(quoted) <= set(numbers)


def test_the_lead_figure_ends_each_line_with_its_strategy_and_value():
    use_house_style()
    frame = lead.networks()
    acts, minutes = lead.lead_figure(frame).axes
    for ax, column in ((acts, "macts"), (minutes, "minutes")):
        last = frame.groupby("strategy", sort=False).tail(1)
        written = [f"{row.strategy}  {getattr(row, column):.0f}" for row in last.itertuples()]
        assert [text.get_text() for text in ax.texts] == written
        for line, (_, part) in zip(ax.lines, frame.groupby("strategy", sort=False), strict=True):
            assert list(line.get_ydata()) == list(part[column])
            assert list(line.get_xdata()) == list(part.gflops)
    assert acts.texts[0].get_color() == minutes.texts[0].get_color()


def test_the_lead_figure_s_words_name_its_strategies():
    for strategy in lead.networks().strategy.unique():
        assert re.search(rf"\b{strategy}\b", lead.CAPTION)
        assert re.search(rf"\b{strategy}\b", lead.ALT)
