"""Figures and tables are numbered in the order of the page, and can be named in prose."""

import re
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from docutils import nodes
from docutils.utils import new_document
from sphinx.addnodes import pending_xref

from repro.book import show, table
from repro.book.kit.figures import use_house_style
from repro.book.site import exhibits

FRAME = pd.DataFrame({"s": [1, 2]})


@pytest.fixture(scope="module")
def figure():
    use_house_style()
    fig, ax = plt.subplots()
    ax.plot([1, 2], [1, 4])
    ax.annotate("small", (1, 1), fontsize=6)
    return show(fig, "growth", alt="a", caption="How acts grow.")._repr_html_()


def named(name):
    return table(FRAME, "Sizes.", name=name)._repr_html_()


def test_what_the_kit_makes_is_found_in_order(figure):
    html = table(FRAME, "One").html + figure + named("sizes") + '<table class="other"></table>'
    assert list(exhibits.anchors(html)) == [
        ("Table", "tab-1"),
        ("Figure", "fig-growth"),
        ("Table", "tab-sizes"),
    ]
    assert list(exhibits.anchors(named(""), tables=3)) == [("Table", "tab-4")]


def test_lists_of_claims_are_no_exhibits():
    html = named("").replace('class="repro-table"', 'class="repro-table repro-claims"')
    assert list(exhibits.anchors(html)) == []


def test_numbers_run_through_a_chapter_by_kind():
    order = {"chapters/a": "3", "chapters/w": "", "chapters/e": "B"}
    found = {
        "chapters/a": [("Figure", "fig-x"), ("Table", "tab-y"), ("Figure", "fig-z")],
        "chapters/w": [("Figure", "fig-lead")],
        "chapters/e": [("Table", "tab-1")],
    }
    assert exhibits.labels(order, found) == {
        "chapters/a": {"fig-x": "Figure 3.1", "tab-y": "Table 3.1", "fig-z": "Figure 3.2"},
        "chapters/w": {"fig-lead": "Figure 0.1"},
        "chapters/e": {"tab-1": "Table B.1"},
    }


@pytest.fixture
def env():
    return SimpleNamespace(
        docname="chapters/a",
        found_docs={"chapters/a", "chapters/b"},
        toc_secnumbers={"chapters/a": {"": (3,), "#x": None}, "chapters/b": {"": ("B",)}},
    )


@pytest.fixture
def page(env, figure):
    """A page that was read and numbered: a table without a name, and a figure."""
    document = new_document("page")
    document += nodes.raw("", named(""), format="html")
    document += nodes.raw("", figure, format="html")
    app = SimpleNamespace(env=env, config=SimpleNamespace(repro_rerun={}))
    exhibits.collect(app, document)
    return app, document


def test_captions_get_their_number_with_a_link_to_itself(page):
    app, document = page
    exhibits.renumber(app, app.env)
    exhibits.label(app, document, "chapters/a")
    first, second = (node.astext() for node in document.findall(nodes.raw))
    link = '<a class="repro-number" href="#tab-1">Table 3.1</a> Sizes.'
    assert '<div id="tab-1" class="repro-table"><table>' in first
    assert f"<caption>{link}" in first
    link = '<a class="repro-number" href="#fig-growth">Figure 3.1</a> How acts grow.'
    assert f"<figcaption>{link}" in second


def test_all_pages_are_written_again_only_if_a_number_changed(page):
    app, _ = page
    assert exhibits.renumber(app, app.env) == ["chapters/a", "chapters/b"]
    assert exhibits.renumber(app, app.env) == []
    app.env.toc_secnumbers["chapters/a"][""] = (4,)
    assert exhibits.renumber(app, app.env) == ["chapters/a", "chapters/b"]
    exhibits.forget(app, app.env, "chapters/a")
    assert exhibits.renumber(app, app.env)
    assert app.env.repro_labels == {}


def reference(target, text="", **more):
    node = pending_xref(reftype="exhibit", reftarget=target, refdoc="chapters/b", refexplicit=False)
    node.attributes |= more
    return node, nodes.inline("", text or target)


def test_prose_names_an_exhibit_of_this_page_or_of_another(page):
    app, _ = page
    app.builder = SimpleNamespace(get_relative_uri=lambda here, there: f"{there[9:]}.html")
    exhibits.renumber(app, app.env)
    made = exhibits.resolve(app, app.env, *reference("a#fig-growth"))
    assert (made["refuri"], made.astext()) == ("a.html#fig-growth", "Figure 3.1")
    made = exhibits.resolve(app, app.env, *reference("fig-growth", refdoc="chapters/a"))
    assert (made["refid"], made.astext()) == ("fig-growth", "Figure 3.1")
    made = exhibits.resolve(app, app.env, *reference("a#tab-1", "these", refexplicit=True))
    assert made.astext() == "these"
    # nothing is returned for what is not there: Sphinx warns, and the build fails
    assert exhibits.resolve(app, app.env, *reference("fig-growth")) is None
    assert exhibits.resolve(app, app.env, *reference("a#fig-other")) is None
    assert exhibits.resolve(app, app.env, *reference("a#fig-growth", reftype="doc")) is None
    # but a rerun may have fewer
    app.config.repro_rerun = {"chapters/b": "..."}
    assert exhibits.resolve(app, app.env, *reference("fig-growth")).astext() == "the figure"
    assert exhibits.resolve(app, app.env, *reference("tab-x")).astext() == "the table"


def test_a_figure_says_how_wide_its_smallest_text_needs_it(figure):
    width = float(re.search(r'viewBox="0 0 ([\d.]+)', figure)[1])
    least = int(re.search(r"--readable:(\d+)px", exhibits.readable(figure))[1])
    assert least == round(width * exhibits.LEAST_TEXT / 6)
    assert exhibits.readable("<figure>") == "<figure>"
