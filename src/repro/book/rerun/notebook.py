"""A rerun's notebook: its parameters cell, and markdown that Jupyter shows as the book would."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from textwrap import indent
from typing import Any

from repro.book.rerun.page import POINTER


def set_parameters(notebook: Any, values: Mapping[str, Any]) -> None:
    """Write values into a notebook's parameters cell, whose types and comments stay."""
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            lines = cell.source.encode().splitlines(keepends=True)  # columns are counted in bytes
            for node in reversed(ast.parse(cell.source).body):  # the places above stay as parsed
                name = getattr(getattr(node, "target", None), "id", "")
                if name in values and isinstance(node, ast.AnnAssign) and (old := node.value):
                    first, last = old.lineno - 1, (old.end_lineno or old.lineno) - 1
                    start, end = lines[first][: old.col_offset], lines[last][old.end_col_offset :]
                    lines[first : last + 1] = [start + repr(values[name]).encode() + end]
            cell.source = b"".join(lines).decode()


_FENCE = re.compile(
    r"^(?P<fence>:{3,}|`{3,})\{(?P<name>[a-z-]+)\} *(?P<title>.*)\n(?P<options>(?::(?!::).+\n)*)"
    r"(?P<body>(?:.*\n)*?)(?P=fence)$",
    re.MULTILINE,
)


def _in_words(match: re.Match[str]) -> str:
    """A box of the book's as Jupyter shows it."""
    name, title, body = match["name"], match["title"], _FENCE.sub(_in_words, match["body"]).strip()
    if name in ("solution-end", "bibliography"):
        return ""
    if name == "exercise":
        return f"**Exercise**{f' ({title})' * bool(title)}\n\n{body}\n"
    if name.startswith("solution"):
        return f"**Solution**\n\n{body}\n"
    return indent(f"**{title or name.capitalize()}**\n\n{body}", "> ", lambda _: True)


def plain(markdown: str, said: Mapping[str, str]) -> str:
    """Markdown without roles, directives and labels; said: as `render` returns it."""
    text = POINTER.sub(lambda m: said.get(m[0], m[1] or m[2] or m[0]), markdown)
    text = re.sub(r"(?m)^\([^)\n]+\)=\n", "", text)
    text = re.sub(r"(?m) +$", "", _FENCE.sub(_in_words, text))
    return re.sub(r"\n{3,}", "\n\n", text).strip()
