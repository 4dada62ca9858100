"""Tables of a page: plain, accessible HTML from a data frame."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from repro.reference import agrees_as_printed

LONG = 36
"""Cells with more characters than this may break into lines; shorter ones never do."""


@dataclass(frozen=True)
class PageTable:
    """A finished table with its caption."""

    html: str
    caption: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return f"Table: {self.caption}"


def _html(text: str) -> str:
    """Text for a cell: escaped, and what stands between backticks set as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _text(value: Any, spec: str | None) -> str:
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return "–"
    return format(value, spec) if spec else str(value)


def table(
    frame: pd.DataFrame,
    caption: str,
    *,
    formats: Mapping[str, str] | None = None,
    marks: Mapping[str, str] | None = None,
    name: str = "",
) -> PageTable:
    """A data frame as a page's table; make it a cell's last expression.

    Args:
        frame: one row per table row; the index is not shown. Numeric columns are set right, and
            `code` between backticks is set as code.
        caption: what the table shows, units, source. May hold inline HTML.
        formats: column name to format spec (``",d"``, ``".2f"``). Missing values show as a dash.
        marks: cell text to CSS class (``repro-good``, ``repro-off``), for verdicts.
        name: short and unique within the page; the anchor becomes ``tab-<name>``.
    """
    formats, marks = formats or {}, marks or {}
    numeric = {c for c in frame.columns if pd.api.types.is_numeric_dtype(frame[c])}
    align = {c: ' class="num"' if c in numeric or c in formats else "" for c in frame.columns}
    head = "".join(f'<th scope="col"{align[c]}>{_html(str(c))}</th>' for c in frame.columns)
    rows = []
    # Not iterrows: it would turn a row of whole numbers and floats into floats.
    for row in zip(*(frame[c] for c in frame.columns), strict=True):
        cells = []
        for column, value in zip(frame.columns, row, strict=True):
            text = _text(value, formats.get(column))
            css = marks.get(text) or ("long" if len(text) > LONG else None)
            attribute = f' class="{css}"' if css else align[column]
            cells.append(f"<td{attribute}>{_html(text)}</td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    body = "\n".join(rows)
    anchor = f' id="tab-{name}"' if name else ""
    html = (
        f'<div class="repro-table"{anchor}><table>'
        f"<caption>{caption}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>"
        "</table></div>"
    )
    return PageTable(html, re.sub(r"<[^>]+>", "", caption))


def beside(
    frame: pd.DataFrame,
    quantities: Mapping[str, tuple[str, str, int]],
    caption: str,
    *,
    keep: list[str],
) -> PageTable:
    """The paper's numbers beside ours: for each quantity the printed value, ours, and a verdict.

    Args:
        frame: one row per network.
        quantities: title to ``(paper column, our column, printed decimals)``. Ours agrees when it
            rounds to the printed digits.
        keep: columns to show first, unchanged.
    """
    out = frame[keep].copy()
    formats: dict[str, str] = {}
    for title, (paper, ours, decimals) in quantities.items():
        out[f"{title}, paper"] = frame[paper]
        out[f"{title}, ours"] = frame[ours]
        formats[f"{title}, paper"] = f".{decimals}f"
        # one digit more than printed, so that a near miss shows
        formats[f"{title}, ours"] = f".{decimals + 1}f"
        agrees = [
            "–" if pd.isna(p) else "=" if agrees_as_printed(p, o, decimals) else "≠"
            for p, o in zip(frame[paper], frame[ours], strict=True)
        ]
        out[f"{title} "] = agrees
    result = table(out, caption, formats=formats, marks={"=": "repro-good", "≠": "repro-off"})
    # The columns of verdicts need names in the frame, but no heading on the page.
    html = re.sub(r'(<th scope="col"[^>]*>)[^<]* </th>', r"\1</th>", result.html)
    return PageTable(html, result.caption)
