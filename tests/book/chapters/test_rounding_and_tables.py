"""Figures of the chapter: each shows what its frame holds."""

import pytest

from repro.analysis.scaling.recovery import head_scan, heads_that_fit
from repro.analysis.scaling.rounding import exponents, sawtooth
from repro.book.chapters import rounding_and_tables as figures
from repro.book.kit.chapter import setup
from repro.book.kit.figures import show


@pytest.fixture(autouse=True)
def house_style():
    setup()


def svg(fig):
    page = show(fig, "test", alt="alt", caption="caption")._repr_html_()
    assert "$" not in page and "<svg" in page
    return page


@pytest.mark.parametrize("bases", [["EN-B0"], ["EN-B0", "RegNetY-500MF", "ResNet-50"]])
def test_sawtooth_has_a_panel_for_each_base(bases):
    fig = figures.sawtooth_figure(*sawtooth(bases, "d", 1, 4), [1, 2, 4])
    assert [ax.get_title(loc="left") for ax in fig.axes if ax.axison] == bases
    assert "before rounding" in svg(fig)


def test_exponents_have_a_marker_for_every_base_and_strategy():
    frame = exponents(["EN-B0", "RegNetZ-4GF"], [1, 2, 4])
    fig = figures.exponent_figure(frame)
    counted = [line for line in fig.axes[2].lines if line.get_label() == "RegNetZ-4GF"]
    acts = frame[(frame.cost == "acts") & (frame.base == "RegNetZ-4GF")]
    assert list(counted[0].get_xdata()) == list(acts.measured - acts.theory)
    assert "RegNetZ-4GF" in svg(fig)


def test_two_readings_differ_in_dw_alone():
    fig = figures.two_readings_figure()
    lines = {line.get_label(): line.get_ydata() for line in fig.axes[0].lines}
    assert max(abs(lines["dw, g stays"])) < 0.2 < max(abs(lines["dw, g follows w"]))
    svg(fig)


def test_head_bars_span_the_widths_that_fit():
    scan = head_scan()
    fig = figures.head_figure(scan)
    fit = heads_that_fit(scan)
    last = fig.axes[0].patches[-1]
    assert last.get_x() == min(fit) - 0.5
    assert last.get_x() + last.get_width() == max(fit) + 0.5
    svg(fig)
