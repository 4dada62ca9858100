"""What a rerun changed, in words: tables, figures, printed output, and the numbers of the prose."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any, NamedTuple

from bs4 import BeautifulSoup

_GLUED = "application/papermill.record/text/plain"
_GLUE = re.compile(r"\{glue:(?:text)?\}`([^`]+)`")
_WORDS_AROUND = 6
_TITLE_END = re.compile(r"(?<=[^.\d])[.:;](?:\s|$)|(?<=.{24})(?:, | \()")


class Exhibit(NamedTuple):
    """A table or figure: the beginning of its caption, its anchor or "", and its cells as text.

    A figure's one row is its drawing, then the texts in it.
    """

    kind: str
    title: str
    anchor: str
    rows: list[list[str]]
    caption: str = ""


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
    # A drawing is compared as a whole: of its parts only the texts are needed.
    html = re.sub(r"<svg.*?</svg>", _texts_alone, html, flags=re.DOTALL)
    soup: Any = BeautifulSoup(html, "html.parser")
    found = []
    for tag in soup(["table", "figure"]):
        caption = tag.find(["caption", "figcaption"])
        title = " ".join(caption.extract().get_text().split()) if caption else ""
        words, title = title, _TITLE_END.split(title)[0]
        title = title if len(title) <= 70 else title[:67].rsplit(" ", 1)[0] + "..."
        anchor = tag.get("id") or tag.parent.get("id") or ""  # a table's stands on the block around
        rows = [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in tag("tr")]
        rows = rows or [[str(tag), *(text.get_text() for text in tag("text"))]]
        found.append(Exhibit(tag.name.capitalize(), title, anchor, rows, words))
    return found


def _texts_alone(svg: re.Match[str]) -> str:
    return f"<svg>{hash(svg[0])}{''.join(re.findall(r'<text.*?</text>', svg[0], re.DOTALL))}</svg>"


def _names(texts: Iterable[str], noun: str = "") -> str:
    """``columns "flops", "acts" and 3 more``: the first two."""
    names = [f'"{" ".join(text.split())}"' for text in dict.fromkeys(texts)]
    more = f" and {len(names) - 2} more" * (len(names) > 2)
    return f"{noun}{'s' * (len(names) > 1)} " * bool(noun) + ", ".join(names[:2]) + more


def _replaced(old: list[str], new: list[str], noun: str = "") -> str:
    """Which names are new or gone, after a semicolon; empty when none is."""
    come, gone = ([n for n in a if n not in b and n.strip()] for a, b in ((new, old), (old, new)))
    if come and gone:
        return f"; {_names(come, noun)} in place of {_names(gone)}"
    return "".join(f"; {w}: {_names(n, noun)}" for w, n in (("new", come), ("gone", gone)) if n)


def _excerpt(old: str, new: str) -> str:
    """Where a new text differs from an old one, with the words around."""
    a, b = old.split(), new.split()
    spots = [s for s in SequenceMatcher(None, a, b, False).get_opcodes() if s[0] != "equal"]
    begin, end = max(0, spots[0][3] - _WORDS_AROUND), spots[-1][4] + _WORDS_AROUND
    return "... " * (begin > 0) + " ".join(b[begin:end]) + " ..." * (end < len(b))


def _how(old: Exhibit, new: Exhibit) -> str:
    """How an exhibit differs; empty when it does not."""
    if old.rows == new.rows:
        if old.caption == new.caption:
            return ""
        same = "cells" if new.kind == "Table" else "drawing"
        return f'the same {same} under another caption: "{_excerpt(old.caption, new.caption)}"'
    if new.kind == "Figure":
        # Numbers at the axes come and go with the data; names do not.
        before, now = ([t for t in e.rows[0][1:] if re.search("[^\\W\\d_]", t)] for e in (old, new))
        return "drawn anew" + _replaced(before, now)
    keys, other_keys = ([row[0] for row in e.rows[1:] if row] for e in (old, new))
    head = new.rows[0]
    shifts = _replaced(keys, other_keys, "row") + _replaced(old.rows[0], head, "column")
    for noun, count, stored in (
        ("row", len(new.rows) - 1, len(old.rows) - 1),
        ("column", len(head), len(old.rows[0])),
    ):
        if count != stored:
            return f"{plural(count, noun)} (stored: {stored}){shifts}"
    pairs = zip(old.rows, new.rows, strict=True)
    odd = [
        (i, j) for i, p in enumerate(pairs) for j, (a, b) in enumerate(zip_longest(*p)) if a != b
    ]
    rows, columns = (sorted({place[axis] for place in odd}) for axis in (0, 1))
    where = ", in " + _names(("".join(new.rows[i][:1]) for i in rows), "row")
    if len(columns) < len(rows) and columns[-1] < len(head):
        where = ", in " + _names((head[j] for j in columns), "column")
    return f"{len(odd)} of {sum(map(len, new.rows))} cells differ{shifts or where}"


def _printed(cell: Any) -> list[str]:
    """Lines that a cell printed or returned as plain text; none of a cell out of sight."""
    texts = []
    hidden = {"remove-cell", "remove-output"} & {*cell.metadata.get("tags", [])}
    for output in () if hidden else cell.outputs:
        data = output.get("data", {})
        if output.output_type == "stream" and output.name == "stdout":
            texts.append(output.text)
        elif "text/html" not in data and not output.get("metadata", {}).get("scrapbook"):
            texts.append(data.get("text/plain", ""))
    return [line for line in "\n".join(texts).splitlines() if line.strip()]


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
        before, lines = _printed(old), _printed(cell)
        odd = [pair for pair in zip_longest(before, lines, fillvalue="nothing") if len({*pair}) > 1]
        if odd:
            stored, shown = (" ".join(text.split()) for text in odd[0])
            how = f"{shown} (stored: {stored})"
            how += f", and {plural(len(odd) - 1, 'more line')}" * (len(odd) > 1)
            yield Change(f'The output of a cell under "{section}" differs', how)


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
    outputs = sum(_printed(old) == _printed(cell) != [] for _, old, cell in pairs)
    rests = {"number": count - len(numbers), "printed output": outputs}
    for kind in ("Figure", "Table"):
        differing = sum(c.what.startswith(kind) and c.how[:3] != "not" for c in exhibits)
        rests = {kind.lower(): sum(e.kind == kind for e in shown) - differing} | rests
    return Changes(exhibits, numbers, ", ".join(plural(n, noun) for noun, n in rests.items() if n))
