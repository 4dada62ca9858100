"""The text of all pages, section by section, as a script that the search page loads.

Pages opened from disk may not fetch one another, so the search page must have their text with it.
``templates/search.js`` searches them.
"""

from __future__ import annotations

import json
import re
from itertools import takewhile
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup

from repro.book.site.exhibits import page_number

INDEX = "search-text.js"
BLOCKS = "p, li, figcaption, caption, dd, pre, div, summary, section"
HIDDEN = (
    "script, style, svg, nav, thead, .headerlink, .cell_input, .solution, .section-number, .hide,"
    ".caption-number"
)
BREAK = "\0"
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


def plain(tex: str) -> str:
    """A formula as one would type it."""
    for pattern, text in TEX.items():
        tex = re.sub(pattern, text, tex)
    return tex


def _lines(tag: Any) -> str:
    """The text of an element, one line for each block."""
    lines = (" ".join(line.split()) for line in tag.get_text().split(BREAK))
    return "\n".join(line for line in lines if line)


def sections(html: str) -> list[list[str]]:
    """What a reader reads in a built page, without code, drawings and solutions.

    Returns:
        For each piece that a hit can lead to, a section or an entry of the glossary: its anchor,
        its heading or the words that it explains, its prose, and the rows of its tables.
    """
    article: Any = BeautifulSoup(html, "html.parser").select_one("article.bd-article")
    if article is None:
        return []
    for tag in article.select(HIDDEN):
        tag.extract()
    for text in article.find_all(string=re.compile(r"\\")):
        text.replace_with(plain(text))
    for tag in article.select(BLOCKS):
        tag.insert(0, BREAK)
        tag.append(BREAK)
    for tag in article.select("td, th"):
        tag.append(" ")
    found = []
    # From the last one: a piece is taken out before the one around it is read.
    pieces = article.select("section[id]:not([id^=exercise-content]), dl.glossary > dd")
    for piece in reversed(pieces):
        heads = piece.find_all(["h1", "h2", "h3", "h4"], recursive=False)
        if piece.name == "dd":
            heads = [*takewhile(lambda tag: tag.name == "dt", piece.find_previous_siblings())][::-1]
        anchor = piece.get("id") or heads[0]["id"]
        heading = ", ".join(_lines(head.extract()) for head in heads)
        rows = "\n".join(_lines(row.extract()) for row in piece.select("tr"))
        found.append([anchor, heading, _lines(piece.extract()), rows])
    return found[::-1]


def page_entry(html: str, address: str, number: str, kind: int) -> dict[str, Any]:
    """What the index holds of a page: address, title, number, kind, and its sections.

    address: seen from the search page; kind, which ranks hits: 0 chapter, 1 evidence, 2 others.
    """
    found = sections(html)
    title = found[0][1] if found else address
    return {"url": address, "title": title, "number": number, "kind": kind, "sections": found}


def write_index(app: Any, failure: Exception | None) -> None:
    """Write the index of all pages when they have been built."""
    if failure or app.builder.format != "html" or app.config.repro_rerun:
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
