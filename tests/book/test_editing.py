"""What an editor counts: a core chapter can be read in one sitting, and says each thing once."""

import re
from collections import Counter
from functools import cache

import nbformat
import pytest
import yaml

from repro.paths import root

EVIDENCE = (
    *("rounding-and-tables", "efficientnet-x-tables", "recovered-networks", "discrepancies"),
    "counting-conventions",
)
"""Long tables may stand here, folded; the scoreboard is one long table."""
MOST_WORDS, MOST_TABLES, MOST_ROWS, MOST_FIGURES = 2500, 5, 12, 8
MOST_WORDS_OF_AN_ANSWER, MOST_NUMBERS_OF_AN_ANSWER = 60, 3


@cache
def files():
    """Every page of the book by its stem, in order."""
    toc = yaml.safe_load((root() / "_toc.yml").read_text(encoding="utf-8"))
    names = [toc["root"], *(c["file"] for part in toc["parts"] for c in part["chapters"])]
    return tuple(name.rpartition("/")[2] for name in names)


NOTEBOOKS = tuple(s for s in files() if (root() / "chapters" / f"{s}.ipynb").is_file())
CORE = tuple(s for s in NOTEBOOKS if s not in (*EVIDENCE, "scoreboard"))


@cache
def cells(stem):
    """A chapter's cells, and whether each stands in a solution that a reader opens."""
    found, inside = [], False
    for cell in nbformat.read(root() / "chapters" / f"{stem}.ipynb", as_version=4).cells:
        inside |= "{solution-start}" in cell.source
        found.append((cell, inside))
        inside &= "{solution-end}" not in cell.source
    return tuple(found)


def source(stem):
    """What is written on a page, without solutions and code."""
    if stem not in NOTEBOOKS:
        return (root() / "chapters" / f"{stem}.md").read_text(encoding="utf-8")
    text = "\n\n".join(c.source for c, _ in cells(stem) if c.cell_type == "markdown")
    text = re.sub(r":::+\{solution-start\}.*?\{solution-end\}", "", text, flags=re.DOTALL)
    return re.sub(r"(:{3,})\{solution\}.*?\n\1", "", text, flags=re.DOTALL)


def words(text):
    """The words that a reader reads: no directives, options, links' targets and mathematics."""
    text = re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$", " x ", text, flags=re.DOTALL)
    text = re.sub(r"^:::*.*$|^:[\w-]+:.*$|^```.*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"\{[\w:]+\}`[^`]*`", "x", text)
    return re.findall(r"\w[\w'’.,%-]*", re.sub(r"\]\([^)]*\)", "]", text))


def exhibits(stem, solutions=False):
    """The tables and figures in a chapter's outputs: kind, HTML, whether it is folded away."""
    for cell, inside in cells(stem):
        if cell.cell_type != "code" or (inside and not solutions):
            continue
        for output in cell.outputs:
            html = output.get("data", {}).get("text/html", "")
            folds = [m.span() for m in re.finditer(r"<details.*?</details>", html, re.DOTALL)]
            for kind, pattern in (
                ("table", r"<table.*?</table>"),
                ("figure", r'<figure class="repro-figure".*?</figure>'),
            ):
                for m in re.finditer(pattern, html, re.DOTALL):
                    yield kind, m[0], any(a < m.start() < b for a, b in folds)


def seen(stem, kind):
    return [html for k, html, folded in exhibits(stem) if k == kind and not folded]


def answer(stem):
    """The title of a chapter's first box, and its text."""
    box = re.search(
        r":::\{admonition\} (.*?)\n:class: takeaway[^\n]*\n(.*?)\n:::", source(stem), re.DOTALL
    )
    assert box, "a chapter opens with its question and the answer"
    return box[1], box[2]


@pytest.mark.parametrize("stem", CORE)
def test_a_chapter_opens_with_its_question_and_a_short_answer(stem):
    question, text = answer(stem)
    assert question.rstrip().endswith("?")
    assert len(words(text)) <= MOST_WORDS_OF_AN_ANSWER
    numbers = re.findall(r"\{glue:text\}`[^`]*`|(?<![\w.])\d[\d.,]*", text)
    assert len(numbers) <= MOST_NUMBERS_OF_AN_ANSWER, numbers


@pytest.mark.parametrize("stem", CORE)
def test_a_chapter_is_read_in_one_sitting(stem):
    assert len(words(source(stem))) <= MOST_WORDS


@pytest.mark.parametrize("stem", CORE)
def test_a_chapter_shows_few_exhibits_and_short_tables(stem):
    tables = seen(stem, "table")
    rows = [
        len(re.findall("<tr>", re.sub(r"<thead.*?</thead>", "", t, flags=re.DOTALL)))
        for t in tables
    ]
    assert len(tables) <= MOST_TABLES
    assert max(rows, default=0) <= MOST_ROWS, rows
    assert len(seen(stem, "figure")) <= MOST_FIGURES


@pytest.mark.parametrize("stem", EVIDENCE)
def test_long_tables_of_the_evidence_are_folded(stem):
    if stem in NOTEBOOKS:
        for table in seen(stem, "table"):
            assert table.count("<tr>") - 1 <= MOST_ROWS, table[:200]


def test_every_exhibit_stands_once_in_the_book():
    kept = Counter()
    for stem in NOTEBOOKS:
        for kind, html, _ in exhibits(stem, solutions=True):
            body = re.search(r"<tbody>.*</tbody>", html, re.DOTALL) if kind == "table" else None
            kept[body[0] if body else re.sub(r'id="[^"]*"|<figcaption>.*', "", html)] += 1
    assert not [html[:300] for html, times in kept.items() if times > 1]


@pytest.mark.parametrize("stem", CORE)
def test_the_worked_example_is_carried_through_the_book(stem):
    """EfficientNet-B0 grown to four billion flops, in a box of its own."""
    assert source(stem).count(":class: worked-example") == 1


def captions(stem):
    """The captions of a chapter's tables and figures, those in solutions too."""
    for _, html, _ in exhibits(stem, solutions=True):
        yield from re.findall(r"<(?:fig)?caption>(.*?)</(?:fig)?caption>", html, re.DOTALL)


def comments_of_parameters(stem):
    """What the parameters cell says of each parameter."""
    for cell, _ in cells(stem):
        if "parameters" in cell.metadata.get("tags", ()):
            yield from re.findall(r"  # (.*)$", cell.source, re.MULTILINE)


@pytest.mark.parametrize("stem", CORE)
def test_captions_and_comments_are_found(stem):
    assert len(list(captions(stem))) == len(list(exhibits(stem, solutions=True)))
    assert list(comments_of_parameters(stem))


ABOUT_ITSELF = (
    r"[Tt]his page",
    r"[Tt]his chapter",
    r"stored parameters",
    r"is recorded yet",
    r"not recorded",
    r"[Nn]o GPU",
    r"when the book is (?:built|tested)",
    r"these pages",
    r"page itself",
    r"while the page",
    r"while this was made",
)


@pytest.mark.parametrize("stem", CORE)
@pytest.mark.parametrize("phrase", ABOUT_ITSELF)
def test_a_chapter_does_not_speak_of_itself(stem, phrase):
    for text in (source(stem), *captions(stem), *comments_of_parameters(stem)):
        assert not re.search(phrase, text)


@pytest.mark.parametrize("stem", files())
def test_no_link_leads_to_a_chapter_that_is_not_there(stem):
    text = source(stem)
    named = re.findall(r"\{doc\}`(?:[^`<]*<)?([\w/-]+)>?`", text)
    named += re.findall(r"\]\(([a-z][\w/-]*?)(?:\.md|\.ipynb|\.html)?(?:#[\w-]+)?\)", text)
    missing = {name for name in named if name.rpartition("/")[2] not in files()}
    assert not {m for m in missing if not m.startswith(("http", "mailto"))}


@pytest.mark.parametrize("stem", files())
def test_the_text_and_the_pager_agree_on_what_comes_next(stem):
    told = re.findall(r"^Next: .*?(?:\{doc\}`|\]\()([\w-]+)", source(stem), re.MULTILINE)
    assert len(told) <= 1
    order = files()
    if told:
        assert told[0] == order[order.index(stem) + 1]
    else:
        assert stem not in CORE, "a core chapter says what comes next"
