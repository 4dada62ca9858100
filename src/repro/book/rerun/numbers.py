"""The glued numbers of an executed chapter, and the prose with these numbers in it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from repro.paths import root

GLUED = "application/papermill.record/"
GLUE = re.compile(r"\{glue:(?:text)?\}`([^`]+)`")


def key_numbers(notebook: Any) -> dict[str, str]:
    """The glued numbers of an executed notebook by name, as Python prints them."""
    numbers: dict[str, str] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            name = output.get("metadata", {}).get("scrapbook", {}).get("name")
            text = output.get("data", {}).get(GLUED + "text/plain")
            if name and text is not None:
                numbers[name] = text
    return numbers


@cache
def _stored_numbers(chapter: str) -> dict[str, str]:
    import nbformat

    path = root() / "chapters" / f"{chapter}.ipynb"
    return key_numbers(nbformat.read(path, as_version=4))


@dataclass(frozen=True)
class Quote:
    """One ``{glue:text}`` of the prose.

    Attributes:
        name: of the number.
        new: as the rerun's prose shows it.
        old: as the stored chapter's does; None when it glues no such number.
    """

    name: str
    new: str
    old: str | None


def quote(text: str, rerun: dict[str, str], stored: dict[str, str]) -> Quote:
    """What stands in backticks behind ``{glue:text}``: ``name``, ``name:.2f``, ``chapter::name``.

    Raises:
        KeyError: nothing of that name is glued.
    """
    from myst_nb.core.variables import format_plain_text

    chapter, _, rest = text.rpartition("::")
    name, _, spec = rest.partition(":")
    if chapter:
        rerun = stored = _stored_numbers(Path(chapter).name)
    old = stored.get(name)
    new = format_plain_text(rerun[name], spec or "s")
    return Quote(name, new, None if old is None else format_plain_text(old, spec or "s"))


def fill(
    markdown: str,
    rerun: dict[str, str],
    stored: dict[str, str],
    write: Callable[[Quote], str] = lambda one: one.new,
) -> str:
    """Markdown with its glued numbers written out.

    Args:
        markdown: of one cell.
        rerun, stored: glued numbers by name.
        write: makes the text of a number.
    """
    return GLUE.sub(lambda match: write(quote(match[1], rerun, stored)), markdown)
