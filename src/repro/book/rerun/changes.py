"""What a rerun changed, in words: tables, figures, printed output, and the numbers of the prose."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from bs4 import BeautifulSoup

_GLUED = "application/papermill.record/text/plain"
_GLUE = re.compile(r"\{glue:(?:text)?\}`([^`]+)`")
_WORDS_AROUND = 6
_TITLE_END = re.compile(r"(?<=[^.\d])[.:;](?:\s|$)|(?<=.{24})(?:, | \()")


class Exhibit(NamedTuple):
    """A table or figure: the beginning of its caption, its anchor or "", and its cells as text.

    A figure's drawing is its one cell.
    """

    kind: str
    title: str
    anchor: str
    rows: list[list[str]]


class Change(NamedTuple):
    """Which exhibit, and how it differs; ``anchor`` leads to it."""

    what: str
    how: str
    anchor: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.how}"


class Changes(NamedTuple):
    """Everything that differs between a rerun and the stored chapter.

    numbers: each with the words around it, ``new (stored: old)``; same: what is the same, in words.
    """

    exhibits: tuple[Change, ...]
    numbers: tuple[str, ...]
    same: str

    def __bool__(self) -> bool:
        return bool(self.exhibits or self.numbers)


def plural(count: int, noun: str) -> str:
    """``"1 table"``, ``"3 tables"``."""
    return f"{count} {noun}{'s' * (count != 1)}"


def _exhibits(cell: Any) -> list[Exhibit]:
    html = "\n".join(output.get("data", {}).get("text/html", "") for output in cell.outputs)
    # A drawing is compared as a whole: there is no need to take it apart.
    html = re.sub(r"<svg.*?</svg>", lambda m: f"<svg>{hash(m[0])}</svg>", html, flags=re.DOTALL)
    soup: Any = BeautifulSoup(html, "html.parser")
    found = []
    for tag in soup(["table", "figure"]):
        caption = tag.find(["caption", "figcaption"])
        title = " ".join(caption.extract().get_text().split()) if caption else ""
        title = _TITLE_END.split(title)[0]
        title = title if len(title) <= 70 else title[:67].rsplit(" ", 1)[0] + "..."
        anchor = tag.get("id") or tag.parent.get("id") or ""  # a table's stands on the block around
        rows = [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in tag("tr")]
        found.append(Exhibit(tag.name.capitalize(), title, anchor, rows or [[str(tag)]]))
    return found


def _how(old: Exhibit, new: Exhibit) -> str:
    """How an exhibit differs; empty when it does not."""
    if old.rows == new.rows:
        return ""
    if new.kind == "Figure":
        return "drawn anew"
    for noun, before, now in (
        ("row", len(old.rows) - 1, len(new.rows) - 1),
        ("column", len(old.rows[0]), len(new.rows[0])),
    ):
        if before != now:
            return f"{plural(now, noun)} (stored: {before})"
    pairs = [
        pair for a, b in zip(old.rows, new.rows, strict=True) for pair in zip(a, b, strict=False)
    ]
    return f"{sum(a != b for a, b in pairs)} of {len(pairs)} cells differ"


def _printed(cell: Any) -> list[str]:
    """Lines that a cell printed or returned as plain text."""
    texts = []
    for output in cell.outputs:
        data = output.get("data", {})
        if output.output_type == "stream" and output.name == "stdout":
            texts.append(output.text)
        elif "text/html" not in data and not output.get("metadata", {}).get("scrapbook"):
            texts.append(data.get("text/plain", ""))
    return "\n".join(texts).splitlines()


def _exhibit_changes(pairs: list[tuple[str, Any, Any]]) -> Iterator[Change]:
    """Tables, figures and printed output that differ, of (section, stored cell, cell)."""
    for section, old, cell in pairs:
        was, now = _exhibits(old), _exhibits(cell)
        for a, b in zip(was, now, strict=False):
            if how := _how(a, b):
                yield Change(f'{b.kind} "{b.title}"', how, b.anchor)
        for gone in was[len(now) :]:
            yield Change(f'{gone.kind} "{gone.title}"', "not there in this rerun")
        for new in now[len(was) :]:
            yield Change(f'{new.kind} "{new.title}"', "new", new.anchor)
        lines = list(difflib.ndiff(_printed(old), _printed(cell)))
        if count := max(sum(line[0] == sign for line in lines) for sign in "+-"):
            yield Change(f'Printed output under "{section}"', plural(count, "other line"))


def key_numbers(notebook: Any) -> dict[str, str]:
    """The glued numbers of an executed notebook by name, as Python prints them."""
    return {
        output.metadata.scrapbook.name: output.data[_GLUED]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if _GLUED in output.get("data", {})
    }


def _quoted(text: str, numbers: dict[str, str]) -> str | None:
    """A number as prose shows it: ``name`` or ``name:.2f``; None when it is not glued."""
    from myst_nb.core.variables import format_plain_text

    name, _, spec = text.partition(":")
    return format_plain_text(numbers[name], spec or "s") if name in numbers else None


def fill(
    markdown: str,
    new: dict[str, str],
    old: dict[str, str],
    write: Callable[[str, str], str] = lambda now, before: now,
) -> str:
    """A cell's Markdown with its glued numbers written out; those that differ go through ``write``.

    Raises:
        KeyError: a number that the prose quotes is not glued.
    """

    def text(match: re.Match[str]) -> str:
        now, before = _quoted(match[1], new), _quoted(match[1], old)
        if now is None:
            raise KeyError(match[1])
        return now if now == before else write(now, before or "not there")

    return _GLUE.sub(text, markdown)


def _bare(markdown: str) -> str:
    """A piece of prose without its marks, for an excerpt."""
    text = re.sub(r"\{[a-z:]+\}`([^`<]*?)(?: ?<[^`>]*>)?`", r"\1", markdown)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"^\s*(?:[-#>]+|\d+\.) |[*`$\\]", "", text, flags=re.MULTILINE)


def _number_changes(prose: list[str], new: dict[str, str], old: dict[str, str]) -> list[str]:
    """Numbers of the prose that differ, with the words around; then those that no prose quotes."""
    lines = []
    for line in prose:
        pieces = _bare(fill(line, new, old, lambda now, before: f"\0{now}\1{before}\0")).split("\0")
        texts = [piece.partition("\1")[0] for piece in pieces]
        for i in range(1, len(pieces), 2):
            left, right = "".join(texts[:i]).split(" "), "".join(texts[i + 1 :]).split(" ")
            shown = " ".join(left[-_WORDS_AROUND:]) + pieces[i].replace("\1", " (stored: ") + ")"
            shown += " ".join(right[:_WORDS_AROUND])
            begin = "... " * (len(left) > _WORDS_AROUND)
            end = " ..." * (len(right) > _WORDS_AROUND)
            lines.append(begin + " ".join(shown.split()) + end)
    for name in _unquoted(prose, new):
        before = _short(old.get(name, "not there"))
        if new[name] != old.get(name):
            lines.append(f"{name}: {_short(new[name])} (stored: {before})")
    return lines


def _unquoted(prose: list[str], numbers: dict[str, str]) -> list[str]:
    quoted = {text.partition(":")[0] for line in prose for text in _GLUE.findall(line)}
    return [name for name in numbers if name not in quoted]


def _short(text: str) -> str:
    """A glued number in four digits; other values as they are."""
    try:
        value = float(text)
    except ValueError:
        return text
    return f"{value:,.0f}" if value == int(value) else f"{value:.4g}"


def changes(stored: Any, rerun: Any) -> Changes:
    """Compare an executed chapter with the stored one; their cells have the same names."""
    before = {cell.get("id"): cell for cell in stored.cells if cell.cell_type == "code"}
    prose: list[str] = []
    shown: list[Exhibit] = []
    pairs, section = [], ""
    for cell in rerun.cells:
        if cell.cell_type == "markdown":
            prose += cell.source.split("\n")
            section = [section, *re.findall(r"(?m)^#+ (.+)$", cell.source)][-1]
        elif cell.cell_type == "code":
            shown += _exhibits(cell)
            if cell.get("id") in before:
                pairs.append((section, before[cell.get("id")], cell))
    exhibits = tuple(_exhibit_changes(pairs))
    new, old = key_numbers(rerun), key_numbers(stored)
    numbers = tuple(_number_changes(prose, new, old))
    count = sum(len(_GLUE.findall(line)) for line in prose) + len(_unquoted(prose, new))
    rests = {"number": count - len(numbers)}
    for kind in ("Figure", "Table"):
        differing = sum(c.what.startswith(kind) and c.how[:3] != "not" for c in exhibits)
        rests = {kind.lower(): sum(e.kind == kind for e in shown) - differing} | rests
    return Changes(exhibits, numbers, ", ".join(plural(n, noun) for noun, n in rests.items() if n))
