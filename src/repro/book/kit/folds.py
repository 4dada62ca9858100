"""Pieces of a page beyond tables and figures: HTML blocks, and folds that open on a click."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from repro.book.kit.tables import PageTable


@dataclass(frozen=True)
class PageBlock:
    """A piece of a page, a cell's last expression; text: a line for those who cannot see it."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return f'<div class="repro-board">{self.html}</div>'

    def __repr__(self) -> str:
        return self.text


def fold(title: str, tally: str, body: str, unfold: bool = False) -> str:
    """HTML of a line that opens: a title, escaped; figures, and what they stand for, as HTML."""
    return (
        f'<details class="repro-group"{" open" if unfold else ""}><summary>'
        f'<span class="repro-title">{escape(title)}</span> '
        f'<span class="repro-tally">{tally}</span></summary>\n{body}</details>'
    )


def folded(title: str, tally: str, shown: PageTable) -> PageBlock:
    """A long table in a fold, a cell's last expression; tally: what a reader learns unopened."""
    return PageBlock(fold(title, f"<span>{escape(tally)}</span>", shown.html), title)
