"""What a rerun changed, in words: tables, figures, printed output, and the numbers of the prose."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from typing import Any

from repro.book.rerun.numbers import GLUE, key_numbers, quote

_EXHIBIT = re.compile(r"<table.*?</table>|<figure.*?</figure>", re.DOTALL)
_ANCHOR = re.compile(r'id="((?:tab|fig)-[^"]+)"')
_TITLE = re.compile(r"<(caption|figcaption)[^>]*>(.*?)</\1>", re.DOTALL)
WORDS_AROUND = 6


@dataclass(frozen=True)
class Exhibit:
    """A table or figure of a page.

    Attributes:
        kind: ``"Table"`` or ``"Figure"``.
        title: the beginning of its caption.
        anchor: ``tab-<name>``, ``fig-<name>``, or empty.
        rows: a table's cells as text; a figure's drawing as its one cell.
    """

    kind: str
    title: str
    anchor: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Change:
    """One line: which exhibit, and how it differs; ``anchor`` leads to it."""

    what: str
    how: str
    anchor: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.how}"


@dataclass(frozen=True)
class Changes:
    """Everything that differs between a rerun and the stored chapter.

    Attributes:
        exhibits: in the page's order.
        numbers: each with the words around it, ``new (stored: old)``.
        same: what was looked at and is the same, in words.
    """

    exhibits: tuple[Change, ...]
    numbers: tuple[str, ...]
    same: str

    def __len__(self) -> int:
        return len(self.exhibits) + len(self.numbers)


def plural(count: int, noun: str) -> str:
    """``"1 table"``, ``"3 tables"``."""
    return f"{count} {noun}{'s' * (count != 1)}"


def strip_tags(html: str) -> str:
    """The text of a piece of HTML, in one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split())


def _exhibits(html: str) -> list[Exhibit]:
    found = []
    for match in _EXHIBIT.finditer(html):
        part = match[0]
        table = part.startswith("<table")
        # A table's anchor stands on the block around it.
        anchor = _ANCHOR.search(
            html[max(0, match.start() - 120) : match.start()] if table else part
        )
        caption = _TITLE.search(part)
        title = strip_tags(caption[2]) if caption else ""
        title = re.split(r"(?<=[^.\d])[.:;](?:\s|$)|(?<=.{24})(?:, | \()", title)[0]
        title = title if len(title) <= 70 else title[:67].rsplit(" ", 1)[0] + "..."
        rows: tuple[tuple[str, ...], ...] = ((_TITLE.sub("", part),),)
        if table:
            cells = [
                re.findall(r"<t[hd]\b.*?</t[hd]>", row, re.DOTALL) for row in part.split("<tr")
            ]
            rows = tuple(tuple(map(strip_tags, row)) for row in cells if row)
        kind = "Table" if table else "Figure"
        found.append(Exhibit(kind, title, anchor[1] if anchor else "", rows))
    return found


def _how(old: Exhibit, new: Exhibit) -> str:
    """How an exhibit differs; empty when it does not."""
    if old.rows == new.rows:
        return ""
    if new.kind == "Figure":
        return "drawn anew"
    shapes = [(len(e.rows) - 1, len(e.rows[0])) for e in (old, new)]
    if shapes[0] != shapes[1]:
        axis = 0 if shapes[0][0] != shapes[1][0] else 1
        return f"{plural(shapes[1][axis], ('row', 'column')[axis])} (stored: {shapes[0][axis]})"
    pairs = [
        pair for a, b in zip(old.rows, new.rows, strict=True) for pair in zip(a, b, strict=False)
    ]
    differing = sum(a != b for a, b in pairs)
    return f"{differing} of {len(pairs)} cells differ"


def _printed(cell: Any) -> str:
    """What a cell printed or returned as plain text."""
    texts = []
    for output in cell.outputs:
        data = output.get("data", {})
        if output.output_type == "stream" and output.name == "stdout":
            texts.append(output.text)
        elif "text/html" not in data and not output.get("metadata", {}).get("scrapbook"):
            texts.append(data.get("text/plain", ""))
    return "\n".join(texts)


def _html(cell: Any) -> str:
    return "\n".join(output.get("data", {}).get("text/html", "") for output in cell.outputs)


def exhibit_changes(stored: Any, rerun: Any) -> Iterator[Change]:
    """Tables, figures and printed output that differ; cells are matched by their names."""
    before = {cell.get("id"): cell for cell in stored.cells if cell.cell_type == "code"}
    section = ""
    for cell in rerun.cells:
        if cell.cell_type == "markdown":
            headings = re.findall(r"^#+ (.+)$", cell.source, re.MULTILINE)
            section = headings[-1] if headings else section
            continue
        if (old := before.get(cell.get("id"))) is None:
            continue
        was, now = _exhibits(_html(old)), _exhibits(_html(cell))
        for a, b in zip(was, now, strict=False):
            if how := _how(a, b):
                yield Change(f'{b.kind} "{b.title}"', how, b.anchor)
        for gone in was[len(now) :]:
            yield Change(f'{gone.kind} "{gone.title}"', "not there in this rerun")
        for new in now[len(was) :]:
            yield Change(f'{new.kind} "{new.title}"', "new", new.anchor)
        a_text, b_text = _printed(old).splitlines(), _printed(cell).splitlines()
        if a_text != b_text:
            lines = [d for d in difflib.ndiff(a_text, b_text) if d[0] in "+-"]
            count = max(sum(d[0] == sign for d in lines) for sign in "+-")
            yield Change(f'Printed output under "{section}"', plural(count, "other line"))


def _bare(markdown: str) -> str:
    """A piece of prose without its marks, for an excerpt."""
    text = re.sub(r"\{[a-z:]+\}`([^`<]*?)(?: ?<[^`>]*>)?`", r"\1", markdown)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"^\s*(?:[-#>]+|\d+\.) |[*`$\\]", "", text, flags=re.MULTILINE)


def number_changes(stored: Any, rerun: Any) -> tuple[list[str], int]:
    """Numbers of the prose that differ, each with the words around it; and how many there are.

    Numbers that no prose quotes follow by their names.
    """
    old, new = key_numbers(stored), key_numbers(rerun)
    lines, quoted, count = [], set(), 0
    for cell in rerun.cells:
        if cell.cell_type != "markdown":
            continue
        for paragraph in re.split(r"\n\s*\n|\n(?=- |\d+\. )", cell.source):
            text, spots = "", []
            pieces = GLUE.split(paragraph)
            for piece, glued in zip(pieces[::2], [*pieces[1::2], None], strict=True):
                text += piece
                if glued is None:
                    continue
                one = quote(glued, new, old)
                count += 1
                quoted.add(one.name)
                if one.new != one.old:
                    spots.append((len(text), one))
                text += one.new
            for start, one in spots:
                left = _bare(text[:start].rpartition("\n")[2]).split(" ")
                right = _bare(text[start + len(one.new) :].partition("\n")[0]).split(" ")
                before, after = left[-WORDS_AROUND:], right[:WORDS_AROUND]
                begin = "... " * (len(before) < len(left))
                end = " ..." * (len(after) < len(right))
                shown = f"{' '.join(before)}{one.new} (stored: {one.old}){' '.join(after)}"
                lines.append(begin + " ".join(shown.split()) + end)
    for name in new:
        if name not in quoted:
            count += 1
            if new[name] != old.get(name):
                lines.append(f"{name}: {_short(new[name])} (stored: {_short(old.get(name))})")
    return lines, count


def _short(text: str | None) -> str:
    """A glued number in four digits; other values as they are."""
    try:
        value = float(text or "")
    except ValueError:
        return text or "not there"
    return f"{value:,.0f}" if value == int(value) else f"{value:.4g}"


def changes(stored: Any, rerun: Any) -> Changes:
    """Compare an executed chapter with the stored one.

    Args:
        stored, rerun: notebooks whose cells have the same names.
    """
    exhibits = tuple(exhibit_changes(stored, rerun))
    numbers, count = number_changes(stored, rerun)
    shown = [e for c in rerun.cells if c.cell_type == "code" for e in _exhibits(_html(c))]
    parts = []
    for kind in ("Table", "Figure"):
        total = sum(e.kind == kind for e in shown)
        if rest := total - sum(c.what.startswith(kind) and c.how[:3] != "not" for c in exhibits):
            parts.append(plural(rest, kind.lower()))
    if rest := count - len(numbers):
        parts.append(plural(rest, "number"))
    return Changes(exhibits, tuple(numbers), ", ".join(parts))
