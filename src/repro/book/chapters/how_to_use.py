"""The tables of the page "How to use this book", made from the code that they describe."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from html import escape

import pandas as pd

from repro.book.kit.tables import PageTable
from repro.book.parameters import chapters, parameters_of
from repro.claims import VERDICTS, judge_all

MEANING: Mapping[str, str] = {
    "reproduced": "Ours equals the published value, or rounds to the digits printed.",
    "reproduced within tolerance": (
        "Ours differs by no more than the tolerance in the ledger, which says why it is that wide."
    ),
    "trend reproduced": "A statement of order or direction holds for our numbers.",
    "not reproduced": "It does not hold here. The scoreboard shows by how much, and why if known.",
    "not testable here": (
        "It needs data, hardware, definitions or timings that are not here; the ledger says which."
    ),
}
"""What each verdict says."""


def parameters() -> pd.DataFrame:
    """What each chapter can be run with: columns chapter, parameter, default, meaning."""
    rows = [
        {
            "chapter": chapter,
            "parameter": name,
            "default": repr(field.default),
            "meaning": field.description,
        }
        for chapter, model in ((c, parameters_of(c)) for c in chapters())
        for name, field in model.model_fields.items()
    ]
    return pd.DataFrame(rows)


def tiers() -> pd.DataFrame:
    """What a tier changes, where it changes something: columns chapter, tier, parameter, value."""
    rows = [
        {"chapter": chapter, "tier": tier, "parameter": name, "value": repr(value)}
        for chapter, model in ((c, parameters_of(c)) for c in chapters())
        for tier, values in model.tiers.items()
        for name, value in values.items()
    ]
    return pd.DataFrame(rows, columns=["chapter", "tier", "parameter", "value"])


def by_chapter(frame: pd.DataFrame, caption: str) -> PageTable:
    """A frame from `parameters` or `tiers` as a page's table, chapters as headings in it.

    Every cell may break into lines, so that the table is no wider than the page.
    """
    columns = [c for c in frame.columns if c != "chapter"]
    head = "".join(f'<th scope="col">{escape(c)}</th>' for c in columns)
    rows = []
    for chapter, part in frame.groupby("chapter", sort=False):
        rows.append(
            f'<tr><th class="of-group" scope="rowgroup" colspan="{len(columns)}">'
            f"{escape(str(chapter))}</th></tr>"
        )
        for row in part[columns].to_numpy():
            first, *others = map(escape, map(str, row))
            cells = "".join(f'<td class="wrap">{text}</td>' for text in others)
            rows.append(f"<tr><td>{first}</td>{cells}</tr>")
    body = "\n".join(rows)
    html = (
        f'<div class="repro-table"><table><caption>{caption}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )
    return PageTable(html, re.sub(r"<[^>]+>", "", caption))


PAPERS = ("dollar2021fast", "li2021searching", "xiao2021early")
"""Papers of the ledger, in the order in which the page names them."""


def counts() -> dict[str, int]:
    """What the page says about claims in numbers.

    Returns:
        ``use_claims``, ``use_open`` (no verdict), ``use_unrecorded`` (of those, the ones that
        wait for records alone), and ``use_failed_<paper>``, not reproduced.

    Raises:
        ValueError: the ledger has claims of a paper that the page does not name.
    """
    judged = judge_all()
    if others := {j.paper for j in judged} - set(PAPERS):
        raise ValueError(f"the page names no paper {', '.join(sorted(others))}")
    waiting = [j for j in judged if j.verdict == "not testable here"]
    failed = Counter(j.paper for j in judged if j.verdict == "not reproduced")
    numbers = {
        "use_claims": len(judged),
        "use_open": len(waiting),
        "use_unrecorded": sum("records them: repro " in j.why for j in waiting),
    }
    return numbers | {f"use_failed_{paper}": failed[paper] for paper in PAPERS}


def verdicts() -> pd.DataFrame:
    """The five verdicts, what they say, and how many claims have each now."""
    count = Counter(judgement.verdict for judgement in judge_all())
    return pd.DataFrame(
        [{"verdict": v, "meaning": MEANING[v], "claims": count[v]} for v in VERDICTS]
    )
