"""``repro claims``: how the papers' claims fare here, as a summary or as a list."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from textwrap import fill
from typing import TYPE_CHECKING, Annotated

import typer

from repro.cli.text import json_lines
from repro.errors import InputError, did_you_mean
from repro.text import aligned

if TYPE_CHECKING:
    from repro.claims import Claim, Judgement, Verdict


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
    basis: Annotated[
        str | None,
        typer.Option(metavar="B", help="Resting on this: 'our measurement', ..."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="List every claim.")] = False,
    history: Annotated[
        bool, typer.Option("--history", help="Which threshold stood before which record, from git.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in place of text.")] = False,
) -> None:
    """Print the papers' claims and how they fare here.

    Without options it is a summary, by what verdicts rest on: counts, arithmetic, models or
    measurements. Any choice, or --all, lists claims with what was computed and why.

    \b
    Examples:
      repro claims
      repro claims --paper li2021searching --verdict 'not reproduced'
      repro claims --paper 1 --table 6
      repro claims --all --json
    """
    from repro.claims import BASES, VERDICTS, load

    if history:
        print(history_text())
        return
    ledger = load()
    key = None if paper is None else _paper(paper, list(ledger.papers))
    for what, given, allowed in (("verdict", verdict, VERDICTS), ("basis", basis, BASES)):
        if given is not None and given not in allowed:
            near = did_you_mean(given, allowed)
            raise InputError(f"unknown {what} {given!r}.{near} Allowed: {', '.join(allowed)}")
    chosen = [
        claim
        for claim in ledger.claims
        if key in (None, claim.paper) and (table is None or stands_in(claim.where, table))
    ]
    if table is not None and not chosen:
        raise InputError(f"no claim stands in {_place(table)!r}; allowed: 5, 'Figure 2', ...")
    found = [
        j for j in map(judged, chosen) if verdict in (None, j.verdict) and basis in (None, j.basis)
    ]
    if as_json:
        rows = [{k: v for k, v in asdict(j).items() if k != "points"} for j in found]
        print(json_lines(rows))
    elif every or paper or table or verdict or basis:
        print(list_text(ledger.papers, found))
    else:
        print(summary_text(ledger.papers, found))


def judged(claim: Claim) -> Judgement:
    """A claim's judgement; where a package is missing that it needs, it is not testable."""
    from repro.claims import BASIS_OF, judge

    try:
        return judge(claim)
    except ModuleNotFoundError as error:
        basis = claim.basis or BASIS_OF.get(claim.judge or "")
        why = f"needs {error.name}, {ABSENT}"
        changed = {"judge": None, "not_testable": why, "basis": basis}
        return judge(claim.model_copy(update=changed))


def _paper(text: str, keys: list[str]) -> str:
    numbers = {str(n): key for n, key in enumerate(keys, 1)}
    near = [key for key in keys if text and key.startswith(text)]
    if text in numbers or len(near) == 1:
        return numbers.get(text) or near[0]
    names = ", ".join(f"{key} ({n})" for n, key in numbers.items())
    raise InputError(f"unknown paper {text!r}.{did_you_mean(text, keys)} Papers: {names}")


def _place(text: str) -> str:
    return f"Table {text}" if text[:1].isdigit() else text


def stands_in(where: str, text: str) -> bool:
    """Whether a place is meant: ``5`` also by ``Tables 5 to 8, Figure 2``."""
    kind, _, number = _place(text).partition(" ")
    lists = rf"{re.escape(kind)}s?((?:,? (?:and |to )?[\w.]*\d[\w.]*)+)"
    return any(
        number in re.findall(r"\w*\d[\w.]*", numbers)
        or (
            number.isdecimal()
            and any(
                int(low) <= int(number) <= int(high)
                for low, high in re.findall(r"(\d+) to (\d+)", numbers)
            )
        )
        for numbers in re.findall(lists, where, re.IGNORECASE)
    )


ABSENT = "which is not installed here"
HEADS = ("reproduced", "tolerance", "trend", "not", "untestable")
"""Of columns: the papers' verdicts in short, in the order of `repro.claims.VERDICTS`."""


def _counts(judged: Sequence[Judgement], papers: Sequence[str] = ()) -> str:
    """How many claims of the papers have each verdict, by what it rests on, and by paper."""
    from repro.claims import VERDICTS, totals

    parts: list[tuple[str, Counter[Verdict]]] = [row for row in totals(judged).items() if row[1]]
    for name, key in (("all claims", ""), *((f"- {key}", key) for key in papers)):
        part = totals(j for j in judged if key in ("", j.paper))
        parts.append((name, sum(part.values(), Counter())))
    verdicts = VERDICTS[: len(HEADS)]
    rows = [(name, *(str(count[v]) for v in verdicts), str(count.total())) for name, count in parts]
    table = aligned(("<verdicts by what they rest on", *HEADS, "all"), rows)
    repeats = sum(bool(j.repeats) for j in judged)
    table += f"\nNot counted: {repeats} exact repeats of other claims." * bool(repeats)
    if lacks := [j.why.split()[1].rstrip(",") for j in judged if j.why.endswith(ABSENT)]:
        names = " and ".join(sorted(set(lacks)))
        table += f"\nCould not be judged without {names}: {len(lacks)}. To judge all of them:"
        table += " pip install '.[torch]'"
    return table


def _own(judged: Sequence[Judgement]) -> list[str]:
    """A line on what this book found itself, which is not among the papers' claims."""
    from repro.claims import EXPLORATORY, OWN

    own = [j.verdict for j in judged if j.paper == OWN]
    hold = own.count(EXPLORATORY)
    return [f"This book's own findings, exploratory: {len(own)}, of which {hold} hold."] * bool(own)


def summary_text(papers: Mapping[str, str], judged: Sequence[Judgement]) -> str:
    """How many claims have each verdict, by what it rests on; fits on a screen."""
    from repro.claims import OWN

    named = {j.paper for j in judged}
    lines = [
        fill(f"{n}  {title}", 96, subsequent_indent="   ")
        for n, (key, title) in enumerate(papers.items(), 1)
        if key in named
    ]
    table = _counts(judged, [key for key in papers if key in named - {OWN}])
    more = "The claims themselves: repro claims --all, or by --paper, --table, --verdict, --basis."
    return "\n".join([*lines, "", table, "", *_own(judged), more])


def list_text(papers: Mapping[str, str], judged: Sequence[Judgement]) -> str:
    """Claims by paper and group, each with its verdict, and counts at the end.

    Args:
        papers: key to title.
        judged: in the ledger's order.
    """
    from repro.claims import OWN

    lines = []
    for paper, of_paper in groupby(judged, lambda j: j.paper):
        lines += [papers[paper], "=" * len(papers[paper]), ""]
        for group, claims in groupby(of_paper, lambda j: j.group):
            lines += [group, "-" * len(group)]
            for claim in claims:
                word = "asked" if claim.paper == OWN else "published"
                values = f"{word} {claim.published}" if claim.published else ""
                values += f", computed {claim.computed}" if claim.computed else ""
                rests = f"repeats {claim.repeats}" if claim.repeats else claim.basis
                lines.append(f"{claim.verdict.upper()}  {claim.id}  ({rests})")
                lines += [
                    fill(text, 96, initial_indent="    ", subsequent_indent="    ")
                    for text in (f"{claim.where}: {claim.statement}", values, claim.why)
                    if text
                ]
            lines.append("")
    own = _own(judged)
    of_papers = [j for j in judged if j.paper != OWN]
    if of_papers or not own:
        lines.append(_counts(of_papers))
    return "\n".join([*lines, *own])


def history_text() -> str:
    """Each claim that records decide: since when its threshold stands, and since when they do."""
    from repro.claims.history import history

    try:
        rows = [(h.claim, str(h.since), str(h.record or ""), h.order) for h in history()]
    except InputError as without:
        return str(without)
    heads = ("<claim", "<threshold since", "<first record", "<the threshold was there")
    more = "A threshold is what data/claims.yaml gives a judge; notes say what changed in its code."
    return f"{aligned(heads, rows)}\n\n{more}"
