"""The scoreboard: every claim of the ledger with its verdict and what it rests on.

Everything on the page follows from ``data/claims.yaml``: a new claim, group or paper appears by
itself. Text of the ledger is escaped. Each claim's row has the anchor ``claim-<id>``, so that
other pages can point at it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from itertools import groupby
from operator import attrgetter
from typing import Annotated, NamedTuple

import pandas as pd
import yaml
from pydantic import AfterValidator, Field

from repro import claims
from repro.book.kit.figures import STRATEGY_COLOURS
from repro.book.kit.folds import PageBlock, fold
from repro.book.parameters import ChapterParameters
from repro.claims import BASES, EXPLORATORY, OWN, REJECTED, Basis, Claim, Judgement
from repro.errors import InputError, did_you_mean

ALL = "all"
"""Stands for every paper."""


def check_paper(paper: str) -> str:
    """A paper's key, or ``"all"``.

    Raises:
        InputError: it has no claims in the ledger; the message suggests the nearest.
    """
    allowed = [ALL, *dict.fromkeys(claim.paper for claim in claims.load().claims)]
    if paper not in allowed:
        raise InputError(
            f"no claims of a paper {paper!r} in the ledger.{did_you_mean(paper, allowed)}"
            f" Allowed: {', '.join(allowed)}"
        )
    return paper


class Parameters(ChapterParameters):
    """Page "Scoreboard"."""

    paper: Annotated[str, AfterValidator(check_paper)] = Field(
        ALL, description="Key of one paper of data/claims.yaml, or all"
    )
    unfold: bool = Field(False, description="Open every group, for print")


HELD = ("reproduced", "reproduced within tolerance", "trend reproduced")
OFF = "not reproduced"
OPEN = "not testable here"


class Style(NamedTuple):
    """How a verdict looks: its mark and CSS class, its colour in a bar."""

    mark: str
    css: str
    colour: str


STYLES: Mapping[str, Style] = {
    "reproduced": Style("=", "repro-good", STRATEGY_COLOURS["r"]),
    "reproduced within tolerance": Style("≈", "repro-good", STRATEGY_COLOURS["wr"]),
    "trend reproduced": Style("↗", "repro-good", STRATEGY_COLOURS["d"]),
    OFF: Style("≠", "repro-off", STRATEGY_COLOURS["dwr"]),
    OPEN: Style("–", "repro-open", "#909090"),
    EXPLORATORY: Style("○", "repro-open", STRATEGY_COLOURS["w"]),
    REJECTED: Style("×", "repro-off", STRATEGY_COLOURS["dw"]),
}
MEANING: Mapping[str, str] = {
    "reproduced": "Ours equals the published value, or rounds to the digits printed.",
    "reproduced within tolerance": (
        "Ours differs by no more than the ledger's tolerance, which says why it is that wide."
    ),
    "trend reproduced": "A statement of order or direction holds for our numbers.",
    OFF: "It does not hold here. The scoreboard says by how much, and why if known.",
    OPEN: "It needs data, hardware, definitions or timings that are not here.",
    EXPLORATORY: (
        "A finding of this book, seen in the data before any threshold was set. It holds in those "
        "data; nothing has tested it on others."
    ),
    REJECTED: "Supposed in this book, and not so. No paper says it.",
}
MATCHES: Mapping[str, str] = {"yes": "=", "within tolerance": "≈", "no": "≠"}
"""Mark of a single value, by whether it matches."""


class Entry(NamedTuple):
    """A claim as it stands in the ledger, with its judgement."""

    claim: Claim
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Board:
    """What a scoreboard shows: titles of papers by key; entries by paper, in the ledger's order."""

    papers: Mapping[str, str]
    entries: tuple[Entry, ...]

    @property
    def of_papers(self) -> list[Entry]:
        """The papers' claims, without exact repeats and what this book found itself."""
        return [e for e in self.entries if e.claim.paper != OWN and not e.claim.repeats]

    def having(self, *verdicts: str) -> list[Entry]:
        """The papers' claims with one of these verdicts."""
        return [e for e in self.of_papers if e.judgement.verdict in verdicts]

    @property
    def waiting(self) -> list[Entry]:
        """The papers' claims that records of ours would decide."""
        return [e for e in self.having(OPEN) if e.judgement.basis == "our measurement"]


def arranged(papers: Mapping[str, str], entries: Iterable[Entry]) -> Board:
    """Entries by paper, in the order of ``papers``, and by group, in order of appearance."""
    found = list(entries)
    order = [*papers]
    first = list(dict.fromkeys((e.claim.paper, e.claim.group) for e in found))
    found.sort(
        key=lambda e: (order.index(e.claim.paper), first.index((e.claim.paper, e.claim.group)))
    )
    used = {e.claim.paper for e in found}
    return Board({k: title for k, title in papers.items() if k in used}, tuple(found))


def board(paper: str = ALL) -> Board:
    """The ledger's claims, judged: of one paper, as `check_paper` allows it, or of all."""
    check_paper(paper)
    ledger = claims.load()
    chosen = [c for c in ledger.claims if paper in (ALL, c.paper)]
    return arranged(ledger.papers, (Entry(c, claims.judge(c)) for c in chosen))


def find(shown: Board, claim_id: str) -> Entry:
    """The entry of a claim; `InputError` suggests the nearest if there is none."""
    known = {e.claim.id: e for e in shown.entries}
    if claim_id not in known:
        raise InputError(f"no claim {claim_id!r}.{did_you_mean(claim_id, known)}")
    return known[claim_id]


# ------------------------------------------------------------------------------- numbers


NAMES: Mapping[Basis, str] = {
    "our counts against the paper": "counts",
    "the authors' code": "code",
    "the paper against itself": "itself",
    "theory": "theory",
    "our model": "model",
    "our measurement": "clock",
    "public measurements": "public",
}
"""What verdicts rest on, in one word."""


def key_numbers(shown: Board) -> dict[str, int | str]:
    """The papers' claims: decided, held, off, open; of those, waiting for records.

    And the decided ones by what they rest on, the machines that were timed for them, the open ones
    that rest on nothing here; own, own_held: findings of this book, and those that hold.
    """
    own = [e.judgement.verdict for e in shown.entries if e.claim.paper == OWN]
    decided = [e.judgement for e in shown.having(*HELD, OFF)]
    on = Counter(judgement.basis for judgement in decided)
    machines = dict.fromkeys(j.machine for j in decided if j.machine)
    return {
        "decided": len(decided),
        "held": len(shown.having(*HELD)),
        "off": len(shown.having(OFF)),
        "open": len(shown.having(OPEN)),
        "waiting": len(shown.waiting),
        **{name: on[basis] for basis, name in NAMES.items()},
        "machines": " and ".join(machines) or "no machine",
        "nothing": sum(e.judgement.basis == "nothing here" for e in shown.having(OPEN)),
        "own": len(own),
        "own_held": own.count(EXPLORATORY),
    }


def tally(shown: Board) -> pd.DataFrame:
    """Verdicts by what they rest on, in all, and by paper where there are several.

    The last columns are all claims of a row and the single comparisons behind them. Repeats and
    what this book found itself are not counted.
    """
    found = shown.of_papers
    parts: dict[str, list[Entry]] = {
        basis: [e for e in found if e.judgement.basis == basis] for basis in BASES
    }
    parts["all claims"] = found
    papers = {key: title for key, title in shown.papers.items() if key != OWN}
    if len(papers) > 1:
        for key, title in papers.items():
            parts[title.partition(" (")[0]] = [e for e in found if e.claim.paper == key]
    verdicts = (*HELD, OFF, OPEN)
    lines = []
    for name, entries in parts.items():
        if not entries:
            continue
        count = Counter[str](e.judgement.verdict for e in entries)
        values = sum(e.judgement.n for e in entries)
        lines.append([name, *(count[v] for v in verdicts), len(entries), values])
    heads = ["rests on", *(f"{STYLES[v].mark} {v}" for v in verdicts), "claims", "comparisons"]
    return pd.DataFrame(lines, columns=heads)


def lacking(shown: Board) -> pd.DataFrame:
    """What records would decide, most claims first: columns needed, claims.

    What a single machine lacks for a single claim stands in the claim's own row.
    """
    whys = (e.judgement.why for e in shown.waiting)
    waits = Counter(re.sub(r"; .* lacks .*(?=\. This records them)", "", why) for why in whys)
    rows = [(_commands(why), n) for why, n in waits.most_common()]
    return pd.DataFrame(rows, columns=["needed", "claims"])


def points(shown: Board, claim_id: str) -> pd.DataFrame:
    """The values on which a claim was judged: columns value, published, ours, verdict."""
    rows = [
        (f"{p.label} {p.quantity}".strip() or "–", p.published, p.computed, MATCHES[p.match])
        for p in find(shown, claim_id).judgement.points
    ]
    return pd.DataFrame(rows, columns=["value", "published", "ours", " "])


def source(entry: Entry) -> str:
    """A claim as YAML, with its group's defaults filled in and empty keys left out."""
    values = entry.claim.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=75).rstrip()


# ---------------------------------------------------------------------------------- HTML

HEADS = ("claim", "published", "ours", "verdict", "why")


def _commands(text: str) -> str:
    """Text with the commands in it between backticks."""
    return re.sub(r"\brepro [a-z]+ .*?(?=\.?$|[.,;]\s)", r"`\g<0>`", text)


def _html(text: str) -> str:
    """Escaped, and what stands between backticks set as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _reason(entry: Entry) -> str:
    """Why the verdict is as it is; begins with a word of ours, never with a symbol."""
    text = entry.judgement.why.strip()
    text = f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"
    own = f" Tolerance {entry.judgement.tolerance}." if entry.claim.tolerance else ""
    return _html(_commands(text)) + escape(own)


def _rests_on(entry: Entry) -> str:
    """What a verdict rests on, with the machine; of a repeat, what it repeats."""
    if entry.claim.repeats:
        return f"not counted, repeats {entry.claim.repeats}"
    return ", ".join(filter(None, (entry.judgement.basis, entry.judgement.machine)))


def _row(entry: Entry) -> str:
    claim, judgement = entry
    style = STYLES[judgement.verdict]
    cells = (
        f"<b>{escape(claim.where)}</b><br>{_html(claim.statement)} "
        f'<span class="repro-id">{claim.id}</span>',
        escape(judgement.published) or "–",
        escape(judgement.computed) or "–",
        f'<span class="{style.css}">{style.mark}</span> {judgement.verdict}<br>'
        f"<small>{escape(_rests_on(entry))}</small>",
        _reason(entry),
    )
    body = "".join(
        f'<td class="of-{name}" data-label="{name}">{cell}</td>'
        for name, cell in zip(HEADS, cells, strict=True)
    )
    return f'<tr id="claim-{claim.id}">{body}</tr>'


def _group(title: str, entries: list[Entry], most: int, unfold: bool) -> str:
    """A fold: counts by verdict and a bar as long as the group is large; a row for each claim."""
    count = Counter[str](e.judgement.verdict for e in entries)
    kept = [(verdict, style, count[verdict]) for verdict, style in STYLES.items() if count[verdict]]
    tallies = " ".join(f'<span class="{s.css}">{s.mark} {n} {v}</span>' for v, s, n in kept)
    inside = "".join(f'<i style="flex:{n};background:{s.colour}"></i>' for _, s, n in kept)
    width = 100 * len(entries) / most
    bar = f'<span class="repro-bar" aria-hidden="true" style="width:{width:.1f}%">{inside}</span>'
    read_in = escape("; ".join(dict.fromkeys(e.claim.read_in for e in entries)))
    heads = "".join(f'<th scope="col">{h}</th>' for h in HEADS)
    rows = "\n".join(map(_row, entries))
    body = (
        f'<div class="repro-table repro-claims"><table><caption>Published values read in: '
        f"{read_in}.</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>"
    )
    return fold(title, tallies + bar, body, unfold)


def groups(shown: Board, unfold: bool = False) -> PageBlock:
    """Every claim by paper, a fold per group with its counts in the summary; unfold: for print."""
    place = attrgetter("claim.paper", "claim.group")
    every = [(key, list(part)) for key, part in groupby(shown.entries, key=place)]
    most = max((len(entries) for _, entries in every), default=1)

    def html() -> Iterator[str]:
        for paper, of_paper in groupby(every, key=lambda group: group[0][0]):
            yield f'<p class="repro-paper-title">{escape(shown.papers[paper])}</p>'
            for (_, title), entries in of_paper:
                yield _group(title, entries, most, unfold)

    return PageBlock("\n".join(html()), f"{len(shown.entries)} claims in {len(every)} groups")
