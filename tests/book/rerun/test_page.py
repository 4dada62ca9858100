"""Every chapter rerun with one changed parameter: a page and a notebook that read well."""

import re

import nbformat
import pytest

from repro.book.parameters import chapters
from repro.book.run import run_chapter

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
    "efficientnet-x": "device=cpu",
    "time-your-own": "mode=train",
    "rounding-and-tables": "bases=[ResNet-50, EN-B0]",
    "counting-conventions": "networks=[EN-B0, ResNet-50]",
    "scoreboard": "paper=li2021searching",
}
"""One changed parameter for each chapter; any other chapter runs as it is stored."""


@pytest.mark.parametrize("stem", chapters())
def test_a_rerun_ends_in_a_page_and_a_notebook_that_read_well(stem, tmp_path, capsys):
    words = [CHANGED[stem]] if stem in CHANGED else []
    assert run_chapter(stem, words, out=tmp_path / "mine") == 0
    out = capsys.readouterr().out
    assert out.startswith(f"Done: {tmp_path}/mine/{stem}.html\n")
    assert not re.search(r"\d\.\d{9}", out)
    page = (tmp_path / "mine" / f"{stem}.html").read_text()
    article = page[page.index("<article") : page.index("</article>")]
    assert not LEFT_OVER.search(article), LEFT_OVER.search(article)
    assert 'class="system-message' not in article
    assert not OUTSIDE.search(page), OUTSIDE.search(page)
    notebook = nbformat.read(tmp_path / "mine" / f"{stem}.ipynb", as_version=4)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert not LEFT_OVER.search(prose), LEFT_OVER.search(prose)
    if words:
        name = words[0].partition("=")[0]
        assert f"Changed: {name} = " in out and f"Changed: {name} = " in prose
