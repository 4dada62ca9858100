"""What a reader of a rerun is told first, and the two files that hold the rerun."""

from __future__ import annotations

import re
from copy import deepcopy
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from repro.book.rerun.changes import Change, Changes, plural
from repro.book.rerun.numbers import Quote, fill, key_numbers
from repro.book.rerun.page import render
from repro.book.rerun.plain import plain

Given = dict[str, tuple[Any, Any]]
"""Parameters that were given: name to value and stored value."""

MOST_NUMBERS = 12
"""Numbers of the prose that the console shows."""


def _changed(given: Given, mark: str = "") -> str:
    """``depth = 8 (stored: 4)``; ``mark`` goes around code. Long stored lists are counted."""
    parts = []
    for name, (value, stored) in given.items():
        old = f"{mark}{stored}{mark}"
        if isinstance(stored, list) and len(str(stored)) > 40:
            old = f"{len(stored)} others"
        parts.append(f"{mark}{name} = {value}{mark} (stored: {old})")
    return "; ".join(parts) or "no parameter"


def _differs(found: Changes) -> str:
    parts = []
    if found.exhibits:
        parts.append(plural(len(found.exhibits), "exhibit"))
    if found.numbers:
        parts.append(plural(len(found.numbers), "number"))
    return " and ".join(parts) or "nothing"


def index_entry(title: str, given: Given, found: Changes) -> dict[str, str]:
    """What the index of own runs shows of this one, under its chapter's title."""
    return {
        "title": title,
        "changed": _changed(given),
        "differs": _differs(found),
        "when": f"{datetime.now():%Y-%m-%d %H:%M:%S}",
    }


def console(given: Given, found: Changes) -> str:
    """What `repro run` prints at the end."""
    lines = [f"Changed: {_changed(given)}"]
    if not found:
        return "\n".join([*lines, f"Nothing differs from the stored chapter: {found.same}."])
    lines.append(f"What differs from the stored chapter ({_differs(found)}):")
    lines += [f"  {change}" for change in found.exhibits]
    lines += [f"  {line}" for line in found.numbers[:MOST_NUMBERS]]
    if (more := len(found.numbers) - MOST_NUMBERS) > 0:
        lines.append(f"  and {plural(more, 'more number')}, marked on the page")
    if found.same:
        lines.append(f"The same as stored: {found.same}.")
    return "\n".join(lines)


def banner(given: Given, found: Changes, marked: bool) -> str:
    """The box at the head of a rerun, in MyST markdown.

    Args:
        given, found: what was changed, and what differs.
        marked: whether numbers that differ are marked, as on the page.
    """

    def line(change: Change) -> str:
        what = escape(change.what, quote=False)
        what = f'<a href="#{change.anchor}">{what}</a>' if change.anchor else what
        return f"- {what}: {change.how}"

    text = [
        ":::{admonition} A run of your own",
        ":class: note",
        "",
        f"Changed: {_changed(given, '`')}.",
        "",
        f"What differs from the stored chapter: {_differs(found)}."
        + " Numbers that differ have dots below; point at one to see the stored value."
        * (marked and bool(found.numbers)),
        "",
        *map(line, found.exhibits),
        ":::",
    ]
    return "\n".join(text)


def _marked(one: Quote) -> str:
    if one.new == one.old:
        return one.new
    old = "not there" if one.old is None else one.old
    title = escape(f"stored chapter: {old}", quote=True)
    return f'<span class="repro-changed" title="{title}">{escape(one.new)}</span>'


def page_and_notebook(
    stored: Any, rerun: Any, chapter: str, given: Given, found: Changes, page: Path
) -> Any:
    """Write a rerun's page, and return its notebook with all that Jupyter cannot show in words.

    Args:
        stored, rerun: executed notebooks.
        chapter: its name in the book.
        given, found: what to say first.
        page: the HTML file to write.
    """
    from nbformat.v4 import new_markdown_cell

    old, new = key_numbers(stored), key_numbers(rerun)
    book, readable = (_headed(rerun, banner(given, found, marked)) for marked in (True, False))
    if any("{cite" in c.source for c in _prose(book)):
        source = "## References\n\n```{bibliography}\n:filter: docname in docnames\n```"
        book.cells.append(new_markdown_cell(source, id="own-run-references"))
    for cell in _prose(book):
        cell.source = fill(cell.source, new, old, _marked)
    anchors = render(book, chapter, page)
    for cell in _prose(readable):
        text = plain(fill(cell.source, new, old), anchors)
        cell.source = re.sub(r'<a href="#[^"]*">(.*?)</a>', r"\1", text)
    return readable


def _prose(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def _headed(notebook: Any, box: str) -> Any:
    """A copy of a notebook with a box under its title."""
    copy = deepcopy(notebook)
    top = _prose(copy)[0]
    title, _, rest = top.source.partition("\n")
    top.source = f"{title}\n\n{box}\n{rest}"
    return copy
