"""The stored chapters: executed, deterministic, complete, and true to their parameter models."""

import ast
import io
import json
import re
import tokenize
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

import nbformat
import pytest

from repro.book.parameters import chapters, parameters_of
from repro.paths import root

PART_ONE = (
    *("what-scaling-costs", "rounding-and-tables", "the-dial"),
    *("what-predicts-runtime", "fast-scaling-in-practice", "does-accuracy-survive"),
)
TEXT_PAGES = ("welcome", "how-to-use")
WIDTH = 80
"""Columns of code that a page shows without scrolling."""

every_chapter = pytest.mark.parametrize("stem", chapters())


@cache
def chapter(stem):
    return nbformat.read(root() / "chapters" / f"{stem}.ipynb", as_version=4)


def code(stem):
    return [cell for cell in chapter(stem).cells if cell.cell_type == "code"]


def prose(stem):
    return "\n\n".join(c.source for c in chapter(stem).cells if c.cell_type == "markdown")


def tagged(stem, tag):
    return [cell for cell in code(stem) if tag in cell.metadata.get("tags", [])]


def shown(stem):
    """The HTML of every output."""
    for cell in code(stem):
        for output in cell.outputs:
            html = output.get("data", {}).get("text/html")
            if html:
                yield html


def bare(annotation):
    """A type without its constraints, as a parameters cell writes it."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return bare(args[0])
    if origin is Literal:
        return type(args[0]).__name__
    if origin in (Union, UnionType):
        return " | ".join(map(bare, args))
    if annotation is NoneType:
        return "None"
    if origin:
        return f"{origin.__name__}[{', '.join(map(bare, args))}]"
    return annotation.__name__


def test_bare_types():
    assert bare(list[Annotated[float, "positive"]]) == "list[float]"
    assert bare(int | None) == "int | None"
    assert bare(Literal["a", "b"]) == "str"


@every_chapter
def test_the_notebook_is_valid_and_its_cells_have_names(stem):
    notebook = chapter(stem)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids))


@every_chapter
def test_the_parameters_cell_equals_the_model(stem):
    fields = parameters_of(stem).model_fields
    cells = tagged(stem, "parameters")
    if not fields:
        assert cells == []
        return
    (cell,) = cells
    comments = {
        token.start[0]: token.string.removeprefix("#").strip()
        for token in tokenize.generate_tokens(io.StringIO(cell.source).readline)
        if token.type == tokenize.COMMENT
    }
    found = []
    for node in ast.parse(cell.source).body:
        assert isinstance(node, ast.AnnAssign), "only annotated literals belong here"
        name, value = node.target.id, ast.literal_eval(node.value)
        found.append(name)
        assert value == fields[name].default, name
        assert ast.unparse(node.annotation) == bare(fields[name].annotation), name
        assert comments[node.end_lineno] == fields[name].description, name
    assert found == list(fields)


@every_chapter
def test_parameters_are_checked_right_after_they_are_set(stem):
    cells = code(stem)
    parameters = tagged(stem, "parameters")
    following = cells[cells.index(parameters[0]) + 1 if parameters else 0]
    assert "book.setup()" in following.source
    if parameters:
        assert re.search(rf"\bcheck\(\s*['\"]{stem}['\"]", following.source)
        for name in parameters_of(stem).model_fields:
            assert re.search(rf"\b{name}\b", following.source), f"{name} is not checked"


@every_chapter
def test_every_code_cell_was_executed_without_error_or_warning(stem):
    counts = [cell.execution_count for cell in code(stem)]
    assert counts == list(range(1, len(counts) + 1))
    for cell in code(stem):
        for output in cell.outputs:
            assert output.output_type != "error", cell.id
            assert output.get("name") != "stderr", cell.id


UNSTABLE = {
    "an address": r"0x[0-9a-fA-F]{6,}| object at ",
    "a path": r"/(?:home|root|tmp|work|usr|opt|Users)/|site-packages",
    "a date": r"\b20[2-9]\d-[01]\d-[0-3]\d\b|\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), ?\d",
    "a time": r"\b[0-2]?\d:[0-5]\d:[0-5]\d\b",
    "a progress bar": r"it/s\]|\d+%\|",
}


@every_chapter
@pytest.mark.parametrize("what", UNSTABLE)
def test_stored_outputs_hold_nothing_that_changes(stem, what):
    for cell in code(stem):
        for output in cell.outputs:
            match = re.search(UNSTABLE[what], json.dumps(output))
            assert not match, f"{cell.id}: {match[0]}"


@every_chapter
def test_metadata_holds_no_trace_of_a_run(stem):
    notebook = chapter(stem)
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags", "mystnb", "editable", "slideshow"}, cell.id


@every_chapter
def test_no_cell_ends_in_a_semicolon(stem):
    # the test of stored outputs runs cells where it would not hide their result
    assert not [cell.id for cell in code(stem) if cell.source.rstrip().endswith(";")]


@every_chapter
def test_code_fits_the_page(stem):
    wide = [
        (cell.id, line)
        for cell in code(stem)
        if "parameters" not in cell.metadata.get("tags", [])
        for line in cell.source.splitlines()
        if len(line) > WIDTH
    ]
    assert not wide


@every_chapter
def test_it_opens_with_a_title_and_the_takeaway(stem):
    first = chapter(stem).cells[0]
    assert first.cell_type == "markdown"
    assert re.match(r"(?:\([\w-]+\)=\n)?# \S", first.source)
    head, _, rest = prose(stem).partition(":class: takeaway")
    assert rest
    assert len(head.split()) < 60, "the takeaway comes first"


@pytest.mark.parametrize("stem", PART_ONE)
def test_part_one_says_what_you_learn_and_where_to_read_on(stem):
    text = prose(stem)
    assert "What you will learn" in text
    assert "Further reading" in text
    assert re.search(r"\{cite(:\w+)?\}`", text)


@pytest.mark.parametrize("stem", PART_ONE)
def test_every_exercise_has_a_solution_and_every_solution_an_exercise(stem):
    text = prose(stem)
    exercises = re.findall(r"\{exercise(?:-start)?\}.*?\n:label: (\S+)", text)
    solutions = re.findall(r"\{solution(?:-start)?\} (\S+)", text)
    assert len(exercises) >= 3
    assert sorted(exercises) == sorted(solutions)
    assert len(exercises) == len(set(exercises))


@every_chapter
def test_every_figure_has_a_caption_and_alternative_text(stem):
    for html in shown(stem):
        for figure in re.findall(r'<figure class="repro-figure".*?</figure>', html, re.DOTALL):
            label = re.search(r'aria-label="([^"]*)"', figure)[1]
            caption = re.search(r"<figcaption>(.*?)</figcaption>", figure, re.DOTALL)[1]
            assert len(label) > 40, label
            assert len(caption) > 20, caption
            assert "$" not in figure, "figures use plain Unicode"


@every_chapter
def test_every_table_has_a_caption_and_says_what_a_flop_is(stem):
    for html in shown(stem):
        # a folded table is named by what unfolds it
        html = re.sub(r"<details>\s*<summary>\s*\w.*?</details>", "", html, flags=re.DOTALL)
        for table in re.findall(r"<table.*?</table>", html, re.DOTALL):
            caption = re.search(r"<caption>(.*?)</caption>", table, re.DOTALL)
            assert caption, table[:200]
            assert len(caption[1]) > 10
            if re.search(r"<th[^>]*>[^<]*\bflops\b", table):
                assert "multiply-add" in caption[1], caption[1]


def stored_names(stem):
    return [
        output.metadata.scrapbook.name
        for cell in code(stem)
        for output in cell.outputs
        if "scrapbook" in output.get("metadata", {})
    ]


@every_chapter
def test_prose_quotes_only_numbers_that_the_chapter_glues(stem):
    quoted = re.findall(r"\{glue:text\}`(\w+)", prose(stem))
    assert set(quoted) <= set(stored_names(stem))


def test_key_numbers_have_one_home_in_the_book():
    names = [name for stem in chapters() for name in stored_names(stem)]
    for stem in TEXT_PAGES:
        text = (root() / "chapters" / f"{stem}.md").read_text(encoding="utf-8")
        names += sorted(set(re.findall(r"\{glue:text\}`(\w+)", text)))
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("stem", PART_ONE)
def test_every_chapter_of_part_one_has_key_numbers(stem):
    assert len(stored_names(stem)) >= 5
