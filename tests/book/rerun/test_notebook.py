"""A parameters cell with other values, and markdown that Jupyter shows as the book would."""

import ast
import re

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from repro.book.rerun.notebook import plain, set_parameters
from repro.book.rerun.page import render
from repro.paths import root

POINTERS = [
    ("{doc}`what-scaling-costs`", "What scaling costs"),
    ("{doc}`the costs <what-scaling-costs>`", "the costs"),
    ("[](what-scaling-costs)", "What scaling costs"),
    ("[here](how-to-use.md#rerun)", "here"),
    ("{term}`Flops <flops>` and {term}`acts`", "Flops and acts"),
    ("{exhibit}`fig-x`, {exhibit}`tab-y`", "Figure 6.1, the table"),
    ("{exhibit}`what-scaling-costs#fig-volumes`", "Figure 1.2"),
    ("{exhibit}`these <what-scaling-costs#fig-volumes>`", "these"),
    ("{cite:t}`dollar2021fast`", "Dollár et al. [2021]"),
    ("{cite:p}`tan2019efficientnet`", "[Tan and Le, 2019]"),
    ("{cite:p}`tan2019efficientnet,he2016deep`", "[He et al., 2016, Tan and Le, 2019]"),
]


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of the book's builder
def test_the_notebook_says_what_the_page_says_and_the_page_what_the_book_says(tmp_path):
    texts = [text for text, _ in POINTERS]
    html = '<figure class="repro-figure" id="fig-x"><svg></svg><figcaption>X.</figcaption></figure>'
    figure = new_code_cell("x", outputs=[new_output("display_data", data={"text/html": html})])
    end = "```{bibliography}\n:filter: docname in docnames\n```"
    cells = [new_markdown_cell("# Title\n\n" + "\n\n".join(texts)), figure, new_markdown_cell(end)]
    said = render({"fast-scaling-in-practice": new_notebook(cells=cells)}, tmp_path)
    assert [plain(text, said) for text in texts] == [shown for _, shown in POINTERS]
    soup = BeautifulSoup((tmp_path / "fast-scaling-in-practice.html").read_text(), "html.parser")
    article = soup.select_one("article").get_text()
    assert all(shown in article for _, shown in POINTERS)
    if (root() / "_build" / "html" / "chapters" / "what-scaling-costs.html").is_file():
        (link,) = soup.find_all("a", string=re.compile("^Figure 1.2$"))
        assert link["href"].endswith("_build/html/chapters/what-scaling-costs.html#fig-volumes")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[out](https://example.org)", "[out](https://example.org)"),
        ("(label)=\n## Title", "## Title"),
        ("$a_{b}$ and `{x}`", "$a_{b}$ and `{x}`"),
        ("{term}`Flops <flops>` in {term}`acts`", "Flops in acts"),
    ],
)
def test_what_needs_no_page(text, shown):
    assert plain(text, {}) == shown


def test_boxes_exercises_and_solutions():
    text = """\
:::{admonition} Which blocks?
:class: tip

Dense ones.

- one
:::

:::{exercise} easy, 5 minutes
:label: ex-1

Count.
:::

:::{solution-start} ex-1
:class: dropdown
:::

Four.

:::{solution-end}
:::
"""
    assert (
        plain(text, {})
        == """\
> **Which blocks?**
>
> Dense ones.
>
> - one

**Exercise** (easy, 5 minutes)

Count.

**Solution**

Four."""
    )


def test_values_go_where_the_stored_ones_stood():
    cell = new_code_cell(
        'n: int = 2  # A number: int = 2\nnames: list[str] = [\n    "a",\n]  # Names\nan: int = 2',
        metadata={"tags": ["parameters"]},
    )
    other = new_code_cell("n: int = 2")
    set_parameters(new_notebook(cells=[other, cell]), {"n": 3, "names": ["b"]})
    assert other.source == "n: int = 2"
    assert (
        cell.source
        == "n: int = 3  # A number: int = 2\nnames: list[str] = ['b']  # Names\nan: int = 2"
    )


@pytest.mark.parametrize(
    "path", sorted((root() / "chapters").glob("*.ipynb")), ids=lambda p: p.stem
)
def test_every_parameter_of_every_chapter_can_be_set_at_once(path):
    notebook = nbformat.read(path, 4)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            names = [node.target.id for node in ast.parse(cell.source).body]
            comments = re.findall(r"#.*", cell.source)
            set_parameters(notebook, {name: [name, "é"] for name in names})
            set_to = [(n.target.id, ast.literal_eval(n.value)) for n in ast.parse(cell.source).body]
            assert set_to == [(name, [name, "é"]) for name in names]
            assert [c for c in re.findall(r"#.*", cell.source) if c in comments]
