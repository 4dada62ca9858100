"""The text of all pages, section by section, as a script that the search page loads.

Pages opened from disk may not fetch one another, so the search page must have their text with it.
``templates/search.js`` searches them.
"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from repro.book.site.exhibits import page_number

INDEX = "search-text.js"
VOID = {"br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
BLOCKS = {"p", "li", "tr", "figcaption", "caption", "dd", "pre", "div", "summary"}
HIDDEN = {"script", "style", "svg", "nav", "thead"}
HIDDEN_CLASSES = {
    "headerlink",
    "cell_input",
    "solution",
    "section-number",
    "hide",
    "caption-number",
}
TEX = {
    r"\\[()\[\]]|\\left|\\right|\\,|\\;|[{}]": "",
    r"\\(?:text|mathrm|operatorname)": "",
    r"\\times": "×",
    r"\\cdot": "·",
    r"\\alpha": "α",
    r"\\sqrt": "√",
    r"\\le(?:q)?\b": "≤",
    r"\\ge(?:q)?\b": "≥",
    r"\\approx": "≈",
    r"\^2": "²",
    r"\\[a-zA-Z]+": " ",
}


class Section:
    """A piece of a page that a hit can lead to.

    Attributes:
        anchor: its id on the page.
        heading: its title, or the word that a glossary explains.
        prose: blocks of text.
        rows: rows of its tables.
    """

    def __init__(self, anchor: str) -> None:
        self.anchor, self.heading = anchor, ""
        self.prose: list[str] = []
        self.rows: list[str] = []

    def packed(self) -> list[str]:
        return [self.anchor, self.heading, "\n".join(self.prose), "\n".join(self.rows)]


class PageText(HTMLParser):
    """What a reader reads in a built page, without code, drawings and solutions."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.sections: list[Section] = []
        self._open: list[Section] = []
        self._buffer = ""
        self._hidden = 0  # how many elements deep in something hidden
        self._math = False
        _, _, article = html.partition('<article class="bd-article">')
        self.feed(article.partition("</article>")[0])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in VOID:
            return
        known = dict(attrs)
        classes = set((known.get("class") or "").split())
        if self._hidden or tag in HIDDEN or classes & HIDDEN_CLASSES:
            self._hidden += 1
            return
        if tag in BLOCKS:
            self._flush()
        anchor = known.get("id") or ""
        if tag == "section" and anchor and not anchor.startswith("exercise-content"):
            self._begin(anchor)
        elif tag == "dt":
            self._flush()
            if not (self._is_term() and not self._open[-1].prose):  # else another name of the same
                self._end_term()
                self._begin(anchor)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if self._hidden:
            self._hidden -= 1
            return
        if tag in ("h1", "h2", "h3", "h4", "dt") and self._open:
            known = self._open[-1].heading
            self._open[-1].heading = f"{known}, {self._take()}" if known else self._take()
        elif tag in ("td", "th"):
            self._buffer += "  "
        elif tag in BLOCKS:
            self._flush(row=tag == "tr")
        elif tag == "dl":
            self._end_term()
        elif tag == "section" and len(self._open) > 1:
            self._flush()
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._buffer += plain(data) if "\\" in data else data

    def _begin(self, anchor: str) -> None:
        self._flush()
        self._open.append(Section(anchor))
        self.sections.append(self._open[-1])

    def _is_term(self) -> bool:
        return bool(self._open) and self._open[-1].anchor.startswith("term-")

    def _end_term(self) -> None:
        if self._is_term():
            self._flush()
            self._open.pop()

    def _take(self) -> str:
        text, self._buffer = " ".join(self._buffer.split()), ""
        return text

    def _flush(self, row: bool = False) -> None:
        text = self._take()
        if text and self._open:
            (self._open[-1].rows if row else self._open[-1].prose).append(text)


def plain(tex: str) -> str:
    """A formula as one would type it."""
    for pattern, text in TEX.items():
        tex = re.sub(pattern, text, tex)
    return tex


def page_entry(html: str, address: str, number: str, kind: int) -> dict[str, Any]:
    """What the index holds of a page: address, title, number, kind, and its sections.

    Args:
        html: the built page.
        address: seen from the search page.
        number: the chapter's, see `exhibits.page_number`.
        kind: 0 for a chapter, 1 for a page of the evidence, 2 for the others; ranks hits.
    """
    sections = PageText(html).sections
    return {
        "url": address,
        "title": sections[0].heading if sections else address,
        "number": number,
        "kind": kind,
        "sections": [section.packed() for section in sections],
    }


def write_index(app: Any, failure: Exception | None) -> None:
    """Write the index of all pages when they have been built."""
    if failure or app.builder.format != "html":
        return
    out = Path(app.outdir)
    entries = []
    for page in (app.config.root_doc, *app.env.toctree_includes[app.config.root_doc]):
        number, address = page_number(app.env, page), app.builder.get_target_uri(page)
        kind = 2 if not number else 0 if number.isdigit() else 1
        html = (out / address).read_text(encoding="utf-8")
        entries.append(page_entry(html, address, number, kind))
    index = json.dumps(entries, ensure_ascii=False, separators=(",", ":"))
    (out / "_static" / INDEX).write_text(f"const BOOK = {index};\n", encoding="utf-8")
