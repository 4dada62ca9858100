"""Repairs of a page's tree: ids, folds, and what may not begin a line."""

from docutils import nodes
from docutils.utils import new_document

from repro.book.site import markup


def test_ids_of_exercises_are_numbered():
    document = new_document("page")
    for name in ("exercise-content", "solution-content", "exercise-content", "other"):
        document += nodes.section(ids=[name])
    markup.number_repeated_ids(document)
    assert [section["ids"] for section in document] == [
        ["exercise-content-1"],
        ["solution-content-1"],
        ["exercise-content-2"],
        ["other"],
    ]


def test_a_solution_is_a_fold_with_its_title_for_a_name():
    document = new_document("page")
    box = nodes.admonition(classes=["solution", "dropdown"], ids=["sol-1"])
    box += [nodes.title("", "Solution to ", nodes.reference("", "Exercise 3.1 (s < 1)"))]
    box += nodes.paragraph("", "By hand.")
    document += [box, nodes.admonition(classes=["note"])]
    markup.fold_solutions(document)
    start, content, end, note = document
    assert start.astext() == (
        '<details class="solution" id="sol-1">'
        "<summary>Solution to Exercise 3.1 (s &lt; 1)</summary>"
    )
    assert content.astext() == "By hand."
    assert end.astext() == "</details>"
    assert note["classes"] == ["note"]


def paragraph(after):
    document = new_document("page")
    document += nodes.paragraph("", "", nodes.math("", "f, p, a"), nodes.Text(after))
    markup.keep_marks_with_math(document)
    return document[0]


def test_a_comma_stays_with_its_formula():
    together, rest = paragraph(", are enough")
    assert together["classes"] == ["together"]
    assert together.astext() == "f, p, a,"
    assert rest.astext() == " are enough"
    together, rest = paragraph(").")
    assert together.astext() == "f, p, a)."
    assert rest.astext() == ""


def test_a_formula_before_a_word_is_left_alone():
    formula, rest = paragraph(" are enough")
    assert isinstance(formula, nodes.math)
    assert rest.astext() == " are enough"
