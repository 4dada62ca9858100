"""Pieces of a page beyond tables and figures: HTML blocks, and folds that open on a click."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from repro.book.kit.tables import PageTable


@dataclass(frozen=True)
class PageBlock:
    """A finished piece of a page; make it a cell's last expression.

    Attributes:
        html: what the page shows.
        text: a line for those who cannot see it.
    """

    html: str
    text: str

    def _repr_html_(self) -> str:
        return f'<div class="repro-board">{self.html}</div>'

    def __repr__(self) -> str:
        return self.text


def fold(title: str, tally: str, body: str, unfold: bool = False) -> str:
    """HTML of a line that opens: a title with some figures, and what they stand for.

    Args:
        title: plain text; it is escaped.
        tally: HTML, spans to show behind the title.
        body: HTML that the fold hides.
        unfold: start open.
    """
    return (
        f'<details class="repro-group"{" open" if unfold else ""}><summary>'
        f'<span class="repro-title">{escape(title)}</span> '
        f'<span class="repro-tally">{tally}</span></summary>\n{body}</details>'
    )


def folded(title: str, tally: str, shown: PageTable) -> PageBlock:
    """A long table in a fold of its own; make it a cell's last expression.

    Args:
        title: plain text.
        tally: plain text, what a reader learns without opening it.
        shown: from `repro.book.table`.
    """
    return PageBlock(fold(title, f"<span>{escape(tally)}</span>", shown.html), title)
