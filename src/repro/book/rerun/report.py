"""From an executed notebook to its page, its readable form, and what the console says."""

from __future__ import annotations

import os
import re
from copy import deepcopy
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from repro.book.parameters import parameters_of, titles
from repro.book.rerun.changes import Change, Changes, changes, fill, key_numbers, plural
from repro.book.rerun.notebook import plain
from repro.book.rerun.page import render, write_index
from repro.paths import root, write_whole

MOST_NUMBERS = 12
"""Numbers of the prose that the console shows."""


def finish(chapter: str, values: dict[str, Any], executed: Path, target: Path) -> Path:
    """Write a rerun's notebook and its page, which is returned; report; remove ``executed``."""
    import nbformat

    stored = nbformat.read(root() / "chapters" / f"{chapter}.ipynb", as_version=4)
    rerun = nbformat.read(executed, as_version=4)
    found = changes(stored, rerun)
    rerun.metadata["rerun"] = {
        "title": titles()[chapter],
        "changed": _changed(chapter, values),
        "differs": _differs(found),
        "when": f"{datetime.now():%Y-%m-%d %H:%M:%S}",
    }
    page = target.with_suffix(".html")
    box = banner(_changed(chapter, values, "`"), found)
    notebook = page_and_notebook(stored, rerun, chapter, box, target.parent)
    write_whole(target, nbformat.writes(notebook).encode())  # now the run is complete
    executed.unlink()
    print(f"Done: {page}\n      {target}")
    print(console(_changed(chapter, values), found))
    if index := write_index(Path(os.path.normpath(target.parent / ".."))):
        print(f"All own runs: {index}")
    return page


def _changed(chapter: str, values: dict[str, Any], mark: str = "") -> str:
    """``depth = 8 (stored: 4)``; ``mark`` goes around code. Long stored lists are counted."""
    parts = []
    for name, value in values.items():
        stored = parameters_of(chapter).model_fields[name].default
        old = f"{mark}{stored}{mark}"
        if isinstance(stored, list) and len(str(stored)) > 40:
            old = f"{len(stored)} others"
        parts.append(f"{mark}{name} = {value}{mark} (stored: {old})")
    return "; ".join(parts) or "no parameter"


def _differs(found: Changes) -> str:
    counts = {"exhibit": len(found.exhibits), "number": len(found.numbers)}
    return " and ".join(plural(n, noun) for noun, n in counts.items() if n) or "nothing"


def _unmoved(changed: str, found: Changes) -> str:
    """That nothing differs, and what was compared."""
    names = re.sub(r" \(stored: [^()]*\)", "", changed)
    verb = "change" if ";" in names else "changes"
    said = f"{names.replace(';', ' and')} {verb} no table, figure or number here."
    if names == "no parameter":
        said = "Nothing differs from the stored chapter."
    return f"{said} Compared, captions too: {found.same}."


def console(changed: str, found: Changes) -> str:
    """What `repro run` prints at the end."""
    lines = [f"Changed: {changed}"]
    if not found:
        return "\n".join([*lines, _unmoved(changed, found)])
    lines.append(f"What differs from the stored chapter ({_differs(found)}):")
    lines += [f"  {line}" for line in (*found.exhibits, *found.numbers[:MOST_NUMBERS])]
    if (more := len(found.numbers) - MOST_NUMBERS) > 0:
        lines.append(f"  and {plural(more, 'more number')}, marked on the page")
    if found.same:
        lines.append(f"The same as stored: {found.same}.")
    return "\n".join(lines)


DOTS = " Numbers that differ have dots below; point at one to see the stored value."


def banner(changed: str, found: Changes) -> str:
    """The box at the head of a rerun, in MyST markdown."""

    def line(change: Change) -> str:
        what = escape(change.what, quote=False)
        what = f'<a href="#{change.anchor}">{what}</a>' if change.anchor else what
        return f"- {what}: {change.how}\n"

    said = f"What differs from the stored chapter: {_differs(found)}.{DOTS * bool(found.numbers)}"
    return (
        ":::{admonition} A run of your own\n:class: note\n\n"
        f"Changed: {changed}.\n\n{said if found else _unmoved(changed, found)}\n\n"
        f"{''.join(map(line, found.exhibits))}:::"
    )


def _marked(now: str, before: str) -> str:
    title = escape(f"stored chapter: {before}", quote=True)
    return f'<span class="repro-changed" title="{title}">{escape(now)}</span>'


def page_and_notebook(stored: Any, rerun: Any, chapter: str, box: str, folder: Path) -> Any:
    """Write a rerun's page; return its notebook with all that Jupyter cannot show in words."""
    from nbformat.v4 import new_markdown_cell

    old, new = key_numbers(stored), key_numbers(rerun)
    prose = [cell for cell in rerun.cells if cell.cell_type == "markdown"]
    title, _, rest = prose[0].source.partition("\n")
    prose[0].source = f"{title}\n\n{box}\n{rest}"
    book = deepcopy(rerun)
    for cell in book.cells:
        if cell.cell_type == "markdown":
            cell.source = fill(cell.source, new, old, _marked)
    if any("{cite" in cell.source for cell in prose):
        source = "## References\n\n```{bibliography}\n:filter: docname in docnames\n```"
        book.cells.append(new_markdown_cell(source, id="own-run-references"))
    said = render({chapter: book}, folder)
    for cell in prose:
        text = plain(fill(cell.source, new, old), said).replace(DOTS, "")
        cell.source = re.sub(r'<a href="#[^"]*">(.*?)</a>', r"\1", text)
    return rerun
