"""Figures reach a page as deterministic inline SVG in the page's colours."""

import re

import matplotlib.pyplot as plt
import pytest

from repro.book import STRATEGY_COLOURS, STRATEGY_MARKERS, log_axis, show
from repro.book.kit.figures import FAMILY_COLOURS, use_house_style


@pytest.fixture(autouse=True)
def house_style():
    import matplotlib

    matplotlib.rcParams["text.usetex"] = True  # as a reader's own settings may say
    use_house_style()
    assert not matplotlib.rcParams["text.usetex"]
    yield
    plt.close("all")


def drawn():
    fig, ax = plt.subplots()
    ax.plot([1, 2, 4], [1, 3, 9], marker="o", label="dWr")
    ax.set(xlabel="scale factor s", ylabel="√s × acts")
    ax.legend()
    return fig


def test_svg_is_the_same_each_time():
    first, second = (show(drawn(), "acts", alt="a", caption="c").svg for _ in range(2))
    assert first == second


def test_svg_holds_no_date_no_comment_and_no_doctype():
    svg = show(drawn(), "acts", alt="a", caption="c").svg
    assert svg.startswith("<svg ")
    assert svg.endswith("</svg>")
    for unwanted in ("<!--", "<?xml", "DOCTYPE", "metadata", "dc:date", "xlink"):
        assert unwanted not in svg


def test_text_stays_text_in_the_pages_colour():
    svg = show(drawn(), "acts", alt="a", caption="c").svg
    assert "√s × acts" in svg
    assert "currentColor" in svg
    assert "#010203" not in svg
    assert "DejaVu" not in svg
    assert 'style="font-family:sans-serif;' in svg


def test_coordinates_are_rounded_and_labels_are_not():
    fig, ax = plt.subplots()
    ax.plot([0, 1 / 3], [0, 1], label="0.12345")
    ax.legend()
    svg = show(fig, "acts", alt="0.12345", caption="c").svg
    assert ">0.12345<" in svg
    assert 'aria-label="0.12345"' in svg
    tags = "".join(re.findall(r"<[^>]+>", svg[svg.index(">") + 1 :]))
    assert re.findall(r"\d\.\d{2}\D", tags)
    assert not re.findall(r"\d\.\d{3,}", tags)


def test_layout_does_not_depend_on_installed_fonts():
    _, ax = plt.subplots()
    assert ax.title.get_fontname() == "DejaVu Sans"


def test_ids_are_only_those_in_use_and_carry_the_figures_name():
    svg = show(drawn(), "acts", alt="a", caption="c").svg
    ids = re.findall(r' id="([^"]+)"', svg)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    assert ids
    assert set(ids) == used
    assert len(ids) == len(set(ids))
    assert all(name.startswith("acts-") for name in ids)


def test_page_figure_has_anchor_alternative_text_and_caption():
    figure = show(drawn(), "acts", alt='acts "grow" <fast>', caption="How <i>acts</i> grow.")
    html = figure._repr_html_()
    assert 'id="fig-acts"' in html
    assert 'role="img"' in html
    assert 'aria-label="acts &quot;grow&quot; &lt;fast&gt;"' in html
    assert "<figcaption>How <i>acts</i> grow.</figcaption>" in html
    assert repr(figure) == 'Figure acts: acts "grow" <fast>'


def test_show_closes_the_figure():
    before = len(plt.get_fignums())
    show(drawn(), "acts", alt="a", caption="c")
    assert len(plt.get_fignums()) == before


def test_log_axis_prints_plain_numbers():
    fig, ax = plt.subplots()
    ax.plot([1, 32], [1000, 20000])
    log_axis(ax, "x", [1, 2, 32])
    log_axis(ax, "y")
    fig.canvas.draw()
    assert [t.get_text() for t in ax.get_xticklabels()] == ["1", "2", "32"]
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert "1,000" in labels
    assert not any("$" in label for label in labels)


def test_log_axis_both():
    fig, ax = plt.subplots()
    ax.plot([1, 32], [1, 20])
    log_axis(ax, "both", [1, 4, 16])
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    fig.canvas.draw()
    assert [t.get_text() for t in ax.get_yticklabels()] == ["1", "4", "16"]


def test_strategies_can_be_told_apart_without_colour():
    assert STRATEGY_MARKERS.keys() == STRATEGY_COLOURS.keys()
    assert len(set(STRATEGY_MARKERS.values())) == len(STRATEGY_MARKERS)


def luminance(colour):
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    r, g, b = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colour", sorted({*STRATEGY_COLOURS.values(), *FAMILY_COLOURS.values()}))
def test_colours_can_be_told_from_the_theme_backgrounds(colour):
    assert contrast(colour, "#ffffff") > 3
    assert contrast(colour, "#121212") > 3
