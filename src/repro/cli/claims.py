"""``repro claims``: how the papers' claims fare here, as a summary or as a list."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from textwrap import fill
from typing import TYPE_CHECKING, Annotated

import typer

from repro.errors import InputError, did_you_mean
from repro.text import aligned

if TYPE_CHECKING:
    from repro.claims import Claim, Judgement


def claims(
    paper: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Of one paper: its key, the key's beginning, or 1, 2."),
    ] = None,
    table: Annotated[
        str | None,
        typer.Option(metavar="N", help="Of one place: 5 for Table 5, 'Figure 2', 'Section 6'."),
    ] = None,
    verdict: Annotated[
        str | None, typer.Option(metavar="V", help="With one verdict, such as 'not reproduced'.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="List every claim.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in place of text.")] = False,
) -> None:
    """Print the papers' claims and how they fare here.

    A claim is judged by exact counts, or by records of what was measured. Without options
    it is a summary; any choice, or --all, lists claims with what was computed and why.

    \b
    Examples:
      repro claims
      repro claims --paper li2021searching --verdict 'not reproduced'
      repro claims --paper 1 --table 6
      repro claims --all --json
    """
    from repro.claims import load

    ledger = load()
    chosen = list(ledger.claims)
    if paper is not None:
        key = _paper(paper, ledger.papers)
        chosen = [claim for claim in chosen if claim.paper == key]
    if table is not None:
        chosen = [claim for claim in chosen if stands_in(claim.where, table)]
        if not chosen:
            raise InputError(f"no claim stands in {_place(table)!r}; allowed: 5, 'Figure 2', ...")
    wanted = None if verdict is None else _verdict(verdict)
    judged = [j for claim in chosen if (j := _judged(claim)) and wanted in (None, j.verdict)]
    if as_json:
        rows = [{k: v for k, v in asdict(j).items() if k != "points"} for j in judged]
        print("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]")
    elif every or paper or table or verdict:
        print(list_text(ledger.papers, judged))
    else:
        print(summary_text(ledger.papers, judged))


def _judged(claim: Claim) -> Judgement:
    """A claim's judgement; where a package is missing that it needs, it is not testable."""
    from repro.claims import judge

    try:
        return judge(claim)
    except ModuleNotFoundError as error:
        why = f"needs {error.name}, which is not installed here"
        return judge(claim.model_copy(update={"judge": None, "not_testable": why}))


def _paper(text: str, papers: Mapping[str, str]) -> str:
    keys = list(papers)
    if text.isdecimal() and 0 < int(text) <= len(keys):
        return keys[int(text) - 1]
    if len(near := [key for key in keys if text and key.startswith(text)]) == 1:
        return near[0]
    names = ", ".join(f"{key} ({n})" for n, key in enumerate(keys, 1))
    raise InputError(f"unknown paper {text!r}.{did_you_mean(text, keys)} Papers: {names}")


def _verdict(text: str) -> str:
    from repro.claims import VERDICTS

    if text not in VERDICTS:
        raise InputError(
            f"unknown verdict {text!r}.{did_you_mean(text, VERDICTS)} Verdicts: "
            + ", ".join(VERDICTS)
        )
    return text


def _place(text: str) -> str:
    return f"Table {text}" if text[:1].isdigit() else text


def stands_in(where: str, text: str) -> bool:
    """Whether a place is meant: ``5`` also by ``Tables 5 to 8, Figure 2``."""
    kind, _, number = _place(text).partition(" ")
    for match in re.finditer(
        rf"{re.escape(kind)}s?((?:,? (?:and |to )?[\w.]*\d[\w.]*)+)", where, re.I
    ):
        if number in re.findall(r"\w*\d[\w.]*", match[1]):
            return True
        for low, high in re.findall(r"(\d+) to (\d+)", match[1]):
            if number.isdecimal() and int(low) <= int(number) <= int(high):
                return True
    return False


def summary_text(papers: Mapping[str, str], judged: Sequence[Judgement]) -> str:
    """How many claims of each paper have each verdict; fits on a screen."""
    from repro.claims import VERDICTS

    keys = [key for key in papers if any(j.paper == key for j in judged)]
    lines = [
        fill(f"{n}  {papers[key]}", 96, subsequent_indent="   ")
        for n, key in enumerate(papers, 1)
        if key in keys
    ]
    counts = Counter((j.paper, j.verdict) for j in judged)
    rows = [(v, *(str(counts[k, v]) for k in keys)) for v in VERDICTS]
    totals = [str(sum(j.paper == key for j in judged)) for key in keys]
    table = aligned(("<verdict", *keys), [*rows, ("all claims", *totals)])
    return "\n".join(
        [
            *lines,
            "",
            table,
            "",
            "The claims themselves: repro claims --all, or chosen by --paper, --table, --verdict.",
        ]
    )


def list_text(papers: Mapping[str, str], judged: Sequence[Judgement]) -> str:
    """Claims by paper and group, each with its verdict, and counts at the end.

    Args:
        papers: key to title.
        judged: in the ledger's order.
    """
    from repro.claims import VERDICTS

    lines = []
    for paper, of_paper in groupby(judged, lambda j: j.paper):
        lines += [papers[paper], "=" * len(papers[paper]), ""]
        for group, claims in groupby(of_paper, lambda j: j.group):
            lines += [group, "-" * len(group)]
            for claim in claims:
                values = f"published {claim.published}" if claim.published else ""
                values += f", computed {claim.computed}" if claim.computed else ""
                paragraph = f"{claim.where}: {claim.statement}"
                lines.append(f"{claim.verdict.upper()}  {claim.id}")
                lines += [
                    fill(text, 96, initial_indent="    ", subsequent_indent="    ")
                    for text in (paragraph, values, claim.why)
                    if text
                ]
            lines.append("")
    counts = Counter(j.verdict for j in judged)
    rows = [(verdict, str(counts[verdict])) for verdict in VERDICTS if counts[verdict]]
    summary = aligned(("<verdict", "claims"), [*rows, ("all claims", str(len(judged)))])
    return "\n".join([*lines, summary])
