"""Every chapter rerun with one changed parameter: a page and a notebook that read well."""

import re

import nbformat
import pytest
from bs4 import BeautifulSoup

from repro.book.parameters import chapters, parameters_of
from repro.book.rerun import report
from repro.book.rerun.page import relink, render, write_index
from repro.book.run import run_chapter
from repro.paths import root

LEFT_OVER = re.compile(r"\{glue|:::\{|\{cite|\{doc\}|\{ref\}|\{term\}|\{exhibit\}")
OUTSIDE = re.compile(r'<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)="(?!data:|#)[^"]*"')

CHANGED = {
    "what-scaling-costs": "depth=8",
    "the-dial": "scales=[1, 2, 8]",
    "why-flops-mislead": "batch=64",
    "timing-honestly": "rounds=4",
    "what-predicts-runtime": "edge=120.0",
    "fast-scaling-in-practice": "factor=3.0",
    "does-accuracy-survive": "epochs=1",
    "accelerator-search-space": "kernel=5",
    "searching-for-a-base-network": "device=TPUv3",
    "efficientnet-x": "device=cpu",
    "width-first-or-depth-first": "within=0.2",
    "scale-your-own-network": "budget=3x",
    "time-your-own": "mode=train",
    "rounding-and-tables": "bases=[ResNet-50, EN-B0]",
    "recovered-networks": "most_blocks=26",
    "counting-conventions": "networks=[EN-B0]",
    "discrepancies": "unfold=True",
    "scoreboard": "paper=li2021searching",
}
"""One changed parameter for each chapter that has any."""


@pytest.fixture(scope="module")
def rerun():
    """What the builder was given for each chapter that was rerun."""
    return {}


@pytest.mark.parametrize("stem", chapters())
def test_a_rerun_ends_in_a_notebook_that_reads_well(stem, tmp_path, capsys, monkeypatch, rerun):
    # One build of the book makes all pages, below.
    monkeypatch.setattr(report, "render", lambda notebooks, folder: rerun.update(notebooks) or {})
    words = [CHANGED[stem]] if parameters_of(stem).model_fields else []
    target = tmp_path / "mine" / f"{stem}.ipynb"
    if words:
        assert run_chapter(stem, words, out=target.parent) == 0
    else:  # its cells would do what they did when it was stored
        target.parent.mkdir()
        executed = tmp_path / "executed.ipynb"
        executed.write_bytes((root() / "chapters" / target.name).read_bytes())
        report.finish(stem, {}, executed, target)
    out = capsys.readouterr().out
    assert out.startswith(f"Done: {target.with_suffix('.html')}\n")
    assert not re.search(r"\d\.\d{9}", out)
    notebook = nbformat.read(target, as_version=4)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert not LEFT_OVER.search(prose), LEFT_OVER.search(prose)
    if words:
        name = words[0].partition("=")[0]
        assert f"Changed: {name} = " in out and f"Changed: `{name} = " in prose


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of the book's builder
def test_their_pages_read_well(rerun, tmp_path):
    render(rerun, tmp_path)
    for stem in rerun:
        page = (tmp_path / f"{stem}.html").read_text()
        article = page[page.index("<article") : page.index("</article>")]
        assert not LEFT_OVER.search(article), LEFT_OVER.search(article)
        assert "data-pointer" not in page
        assert 'class="system-message' not in article
        assert not OUTSIDE.search(page), OUTSIDE.search(page)
        assert f'href="{stem}.ipynb"' in page


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A page of a project in a temporary folder, and a book that may hold another page."""
    monkeypatch.setenv("REPRO_ROOT", str(tmp_path / "book"))
    (tmp_path / "book" / "data").mkdir(parents=True)
    return tmp_path / "project" / "chapters" / "one.html", tmp_path / "runs" / "one" / "one.html"


LINKS = (
    '<a class="x" href="two.html#part">two</a> <a href="#here">here</a> '
    '<a href="https://example.org/">out</a> <a href="one.html#here">self</a> '
    '<a download="" href="../_sources/chapters/one.ipynb">download</a> '
    '<form action="../search.html"></form>'
)


def relinked(page, target):
    soup = BeautifulSoup(LINKS, "html.parser")
    relink(soup, page, target)
    return str(soup)


def test_without_a_built_book_links_to_it_are_plain_text(made):
    assert relinked(*made) == (
        '<a class="x">two</a> <a href="#here">here</a> '
        '<a href="https://example.org/">out</a> <a href="#here">self</a> '
        '<a href="one.ipynb">download</a> <form action=""></form>'
    )


def test_with_a_built_book_they_lead_there(made, tmp_path):
    html = tmp_path / "book" / "_build" / "html"
    (html / "chapters").mkdir(parents=True)
    for name in ("chapters/two.html", "search.html"):
        (html / name).write_text("")
    linked = relinked(*made)
    assert 'href="../../book/_build/html/chapters/two.html#part"' in linked
    assert 'action="../../book/_build/html/search.html"' in linked


def test_the_index_lists_own_runs_newest_first(tmp_path):
    for name, when in (("a-1", "2026-01-01"), ("a-2", "2026-02-01"), ("other", None)):
        about = {"title": "A & B", "changed": f"in {name}", "differs": "1 table", "when": when}
        notebook = nbformat.v4.new_notebook(metadata={"rerun": about} if when else {})
        (tmp_path / name).mkdir()
        nbformat.write(notebook, tmp_path / name / "a.ipynb")
    (tmp_path / "a-2" / "a.html").write_text("")
    text = write_index(tmp_path).read_text()
    assert re.findall(r'href="([^"]+)">A &amp; B<', text) == ["a-2/a.html", "a-1/a.ipynb"]
    assert "in a-1" in text and "other" not in text


def test_the_index_leads_to_the_book_and_leaves_other_pages_and_notebooks_alone(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("REPRO_ROOT", str(tmp_path))
    (tmp_path / "data").mkdir()
    runs, built = tmp_path / "mine", tmp_path / "_build" / "html" / "index.html"
    (runs / "odd").mkdir(parents=True)
    (runs / "odd" / "broken.ipynb").write_text("[")
    assert "How Networks Scale</a>" not in write_index(runs).read_text()
    built.parent.mkdir(parents=True)
    built.write_text("the book")
    assert '<a href="../_build/html/index.html">How Networks' in write_index(runs).read_text()
    assert write_index(built.parent) is None
    assert built.read_text() == "the book"
