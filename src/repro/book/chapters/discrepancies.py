"""The page "Discrepancies": where papers, published code and our numbers differ, a line each.

Causes and effects are written in ``data/discrepancies.yaml``; what was printed and what was found
is what claims were judged on, or is looked up among published values and counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import pandas as pd
import yaml
from pydantic import Field

from repro import reference
from repro.arch import get, scale
from repro.book.kit.folds import PageBlock, fold
from repro.book.kit.tables import table
from repro.book.parameters import ChapterParameters
from repro.claims import Judgement, judge_all
from repro.evidence.printed import count, network
from repro.paths import root
from repro.reference import select


class Parameters(ChapterParameters):
    """Page "Discrepancies"."""

    unfold: bool = Field(False, description="Open every group, for print")


FEW = 3
"""Up to so many values of one claim are shown, of more the farthest."""


@cache
def groups() -> tuple[Mapping[str, Any], ...]:
    """The groups of lines as they are written: title, paper, lines."""
    text = (root() / "data" / "discrepancies.yaml").read_text(encoding="utf-8")
    return tuple(yaml.safe_load(text))


@cache
def judgements() -> Mapping[str, Judgement]:
    """The ledger's judgements by claim."""
    return {judgement.id: judgement for judgement in judge_all()}


def _looked_up(kind: str, row: Any, column: str) -> str:
    """A published value or a count; of two rows the difference."""
    if kind == "count":
        return f"{float(count(network(**row), column)):.3f}"
    if kind == "grammar":
        net = scale(get(row["base"]), row["strategy"], row["s"])
        return f"{float(count(net, column)):.3f}"
    rows = getattr(reference, kind)()
    first, *second = (
        getattr(select(rows, **where)[0], column)
        for where in (row if isinstance(row, list) else [row])
    )
    return str(first - second[0] if second else first)


def disagrees(judgement: Judgement) -> bool:
    """Whether a claim has a line: a value is off, or not equal to the digits that were printed."""
    return any(p.match == "no" or p.distance > 1 for p in judgement.points)


def _values(judgement: Judgement, alone: bool) -> Iterator[tuple[str, str]]:
    """Printed and found, for the values that disagree: few of them, or the farthest."""
    off = [p for p in judgement.points if p.match == "no"]
    off = off or [p for p in judgement.points if p.distance > 1]
    farthest = max(reversed(off), key=lambda p: p.distance)
    shown = off if alone and len(off) <= FEW else [farthest]
    for p in shown:
        unit = f" {p.unit}" if p.unit else ""
        notes = [p.label.partition(" as ")[0]] if alone and judgement.n > 1 else []
        notes += [f"{len(off)} of {judgement.n} differ"] if alone and off != shown else []
        yield f"{p.published}{unit}", f"{p.computed}{unit}" + f" ({'; '.join(notes)})" * bool(notes)


def lines(group: Mapping[str, Any]) -> pd.DataFrame:
    """The lines of a group whose claims still disagree."""
    rows = []
    for line in group["lines"]:
        ids: Sequence[str] = line.get("claims", ())
        judged = [j for i in ids if disagrees(j := judgements()[i])]
        if ids and not judged:
            continue
        pairs = [pair for j in judged for pair in _values(j, alone=len(judged) == 1)]
        if not ids:
            sides = ([_looked_up(*cell) for cell in line[side]] for side in ("printed", "found"))
            pairs = list(zip(*sides, strict=True))
        printed, found = (" / ".join(dict.fromkeys(side)) for side in zip(*pairs, strict=True))
        rows.append([line["where"], printed, found, line["cause"], line["effect"]])
    return pd.DataFrame(rows, columns=["where", "printed", "found", "cause", "effect"])


def of_paper(paper: str, unfold: bool = False) -> PageBlock:
    """A paper's lines: its first group in view, the others folded."""
    parts: list[str] = []
    for group in (g for g in groups() if g["paper"] == paper):
        frame = lines(group)
        if frame.empty:
            continue
        shown = table(frame, group["title"] + ". One multiply-add is one flop.").html
        tally = f"<span>{len(frame)} {'line' if len(frame) == 1 else 'lines'}</span>"
        parts.append(fold(group["title"], tally, shown, unfold) if parts else shown)
    html = "\n".join(parts)
    return PageBlock(f'<div class="repro-lines">{html}</div>', f"{len(parts)} groups of lines")
