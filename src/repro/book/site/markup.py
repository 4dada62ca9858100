"""Small repairs of a page's tree before it is written."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import Any

from docutils import nodes

SOLUTION = '<details class="solution"'
CLOSING = ",.;:!?)”’"
"""Marks that may not begin a line."""


def improve(app: Any, doctree: Any, docname: str) -> None:
    """Everything below."""
    number_repeated_ids(doctree)
    fold_solutions(doctree)
    keep_marks_with_math(doctree)


def number_repeated_ids(doctree: Any) -> None:
    """Give each exercise's and solution's content an id of its own.

    sphinx-exercise calls them all ``exercise-content`` and ``solution-content``; an id may stand
    only once on a page.
    """
    seen: Counter[str] = Counter()
    for section in doctree.findall(nodes.section):
        for i, name in enumerate(section["ids"]):
            if name in ("exercise-content", "solution-content"):
                seen[name] += 1
                section["ids"][i] = f"{name}-{seen[name]}"


def fold_solutions(doctree: Any) -> None:
    """Make boxes of class ``dropdown`` folds that need no script and are named by their titles."""
    boxes = [n for n in doctree.findall(nodes.Element) if "dropdown" in n.get("classes", ())]
    for box in boxes:
        title = next(iter(box.findall(nodes.title)), None)
        if title is None:
            continue
        name = escape(" ".join(title.astext().split()))
        anchor = escape(box["ids"][0] if box["ids"] else box.get("label", ""), quote=True)
        known = f' id="{anchor}"' if anchor else ""
        content = [child for child in box.children if child is not title]
        start = f"{SOLUTION}{known}><summary>{name}</summary>"
        box.parent.replace(
            box,
            [
                nodes.raw("", start, format="html"),
                *content,
                nodes.raw("", "</details>", format="html"),
            ],
        )


def keep_marks_with_math(doctree: Any) -> None:
    """Keep a comma with the formula before it: MathJax lets the line break between them."""
    for formula in list(doctree.findall(nodes.math)):
        after = formula.next_node(descend=False, siblings=True)
        if not isinstance(after, nodes.Text) or after[:1] not in CLOSING:
            continue
        text = after.astext()
        marks = text[: len(text) - len(text.lstrip(CLOSING))]
        together = nodes.inline("", "", classes=["together"])
        after.parent.replace(after, nodes.Text(text[len(marks) :]))
        formula.parent.replace(formula, together)
        together += [formula, nodes.Text(marks)]
