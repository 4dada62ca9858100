"""The scoreboard: every claim of the ledger with its verdict, as figures and plain HTML.

Everything on the page follows from ``data/claims.yaml``: a new claim, group or paper appears by
itself. Text of the ledger is escaped. Each claim's row has the anchor ``claim-<id>``, so that
other pages can point at it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import pandas as pd
import yaml
from pydantic import AfterValidator, Field

from repro import claims
from repro.book.kit.figures import STRATEGY_COLOURS
from repro.book.kit.folds import PageBlock, fold
from repro.book.parameters import ChapterParameters
from repro.claims import VERDICTS, Claim, Judgement, Point
from repro.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _known_paper(key: str) -> str:
    # Late, since only this page reads the ledger.
    from repro.book.chapters.scoreboard import check_paper

    check_paper(key)
    return key


class Parameters(ChapterParameters):
    """Page "Scoreboard"."""

    paper: Annotated[str, AfterValidator(_known_paper)] = Field(
        "all", description="Key of one paper of data/claims.yaml, or all"
    )
    unfold: bool = Field(False, description="Open every group, for print")


ALL = "all"
"""Stands for every paper."""

HELD = ("reproduced", "reproduced within tolerance", "trend reproduced")
OFF = "not reproduced"
OPEN = "not testable here"


@dataclass(frozen=True, slots=True)
class Style:
    """How a verdict looks: its mark and CSS class in text, its colour in figures."""

    mark: str
    css: str
    colour: str


STYLES: Mapping[str, Style] = {
    "reproduced": Style("=", "repro-good", STRATEGY_COLOURS["r"]),
    "reproduced within tolerance": Style("≈", "repro-good", STRATEGY_COLOURS["wr"]),
    "trend reproduced": Style("↗", "repro-good", STRATEGY_COLOURS["d"]),
    OFF: Style("≠", "repro-off", STRATEGY_COLOURS["dwr"]),
    OPEN: Style("–", "repro-open", STRATEGY_COLOURS["alpha=2/3"]),
}


_MATCHES: Mapping[str, tuple[str, str]] = {
    "yes": ("=", "repro-good"),
    "within tolerance": ("≈", "repro-good"),
    "no": ("≠", "repro-off"),
}
"""Mark and CSS class of a single value, by whether it matches."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A claim as it stands in the ledger, with its judgement."""

    claim: Claim
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Board:
    """What a scoreboard shows.

    Attributes:
        papers: key to title, those that have entries.
        entries: in the ledger's order, but paper by paper and group by group.
    """

    papers: Mapping[str, str]
    entries: tuple[Entry, ...]

    def having(self, *verdicts: str) -> list[Entry]:
        """The entries with one of these verdicts."""
        return [e for e in self.entries if e.judgement.verdict in verdicts]

    def groups(self) -> list[tuple[str, str, list[Entry]]]:
        """Paper, title and entries of each group."""
        return [
            (paper, title, list(entries))
            for (paper, title), entries in groupby(
                self.entries, key=lambda e: (e.claim.paper, e.claim.group)
            )
        ]


def arranged(papers: Mapping[str, str], entries: Iterable[Entry]) -> Board:
    """Entries by paper, in the order of ``papers``, and by group, in order of appearance."""
    found = list(entries)
    order = {key: i for i, key in enumerate(papers)}
    first: dict[tuple[str, str], int] = {}
    for i, entry in enumerate(found):
        first.setdefault((entry.claim.paper, entry.claim.group), i)
    found.sort(key=lambda e: (order[e.claim.paper], first[e.claim.paper, e.claim.group]))
    used = {e.claim.paper for e in found}
    return Board({k: title for k, title in papers.items() if k in used}, tuple(found))


def board(paper: str = ALL) -> Board:
    """Read the ledger and judge its claims.

    Args:
        paper: a key of the ledger's papers, or ``"all"``.

    Raises:
        InputError: no such paper; the message suggests the nearest.
    """
    check_paper(paper)
    ledger = claims.load()
    chosen = [c for c in ledger.claims if paper in (ALL, c.paper)]
    return arranged(ledger.papers, (Entry(c, claims.judge(c)) for c in chosen))


def check_paper(paper: str) -> None:
    """Raise `InputError` unless ``paper`` has claims in the ledger, or is ``"all"``."""
    allowed = [ALL, *dict.fromkeys(claim.paper for claim in claims.load().claims)]
    if paper not in allowed:
        raise InputError(
            f"no claims of a paper {paper!r} in the ledger.{did_you_mean(paper, allowed)}"
            f" Allowed: {', '.join(allowed)}"
        )


# ------------------------------------------------------------------------------- numbers


def _verdicts(entries: Iterable[Entry]) -> Counter[str]:
    return Counter(e.judgement.verdict for e in entries)


def _values(entries: Iterable[Entry]) -> int:
    return sum(e.judgement.n for e in entries)


def key_numbers(shown: Board) -> dict[str, int]:
    """Claims in all, tested, held, off and open, and single comparisons."""
    return {
        "claims": len(shown.entries),
        "tested": len(shown.entries) - len(shown.having(OPEN)),
        "held": len(shown.having(*HELD)),
        "off": len(shown.having(OFF)),
        "open": len(shown.having(OPEN)),
        "waiting": sum(_waits(e) for e in shown.having(OPEN)),
        "missing": sum(not _waits(e) for e in shown.having(OPEN)),
        "values": _values(shown.entries),
    }


def _waits(entry: Entry) -> bool:
    """Whether an open claim waits for timings alone: a judge stands ready for it."""
    return entry.claim.judge is not None


def off_by_paper(shown: Board) -> str:
    """How many claims of each paper do not hold, as a part of a sentence."""
    parts = [
        f"{sum(e.claim.paper == key for e in shown.having(OFF))} of “{short(title)}”"
        for key, title in shown.papers.items()
    ]
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def tally(shown: Board) -> pd.DataFrame:
    """Claims per verdict and paper.

    Returns:
        One row per verdict, then all claims and the single comparisons behind them; columns
        verdict, one per paper and, of several papers, all.
    """
    columns = {
        short(title): [e for e in shown.entries if e.claim.paper == key]
        for key, title in shown.papers.items()
    }
    if len(columns) > 1:
        columns["all"] = list(shown.entries)
    frame = pd.DataFrame(
        {"": [*(f"{style.mark} {v}" for v, style in STYLES.items()), "claims", "comparisons"]}
    )
    for title, entries in columns.items():
        count = _verdicts(entries)
        frame[title] = [*(count[v] for v in STYLES), len(entries), _values(entries)]
    return frame


def short(title: str) -> str:
    """A paper's title without what stands behind it in parentheses."""
    return title.partition(" (")[0]


def points(shown: Board, claim_id: str) -> pd.DataFrame:
    """The values on which a claim was judged: columns value, published, ours, verdict."""
    return pd.DataFrame(
        [
            {
                "value": _label(p),
                "published": p.published,
                "ours": p.computed,
                " ": _MATCHES[p.match][0],
            }
            for p in find(shown, claim_id).judgement.points
        ]
    )


def find(shown: Board, claim_id: str) -> Entry:
    """The entry of a claim.

    Raises:
        InputError: no such claim; the message suggests the nearest.
    """
    for entry in shown.entries:
        if entry.claim.id == claim_id:
            return entry
    raise InputError(f"no claim {claim_id!r}.{did_you_mean(claim_id, _ids(shown))}")


def _ids(shown: Board) -> list[str]:
    return [e.claim.id for e in shown.entries]


def source(entry: Entry) -> str:
    """A claim as YAML, with its group's defaults filled in and empty keys left out."""
    values = entry.claim.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=75).rstrip()


# -------------------------------------------------------------------------------- figure


def bars(shown: Board) -> Figure:
    """Claims per paper, by verdict: one stacked bar each, with its numbers."""
    import matplotlib.pyplot as plt

    papers = [
        (short(title), _verdicts(e for e in shown.entries if e.claim.paper == key))
        for key, title in shown.papers.items()
    ]
    most = max(count.total() for _, count in papers)
    fig, ax = plt.subplots(figsize=(7.2, 1.1 + 0.62 * len(papers)))
    for y, (title, count) in enumerate(papers):
        left = 0
        for verdict, style in STYLES.items():
            if not (n := count[verdict]):
                continue
            ax.barh(y, n, left=left, height=0.42, color=style.colour, linewidth=0, label=verdict)
            if n > WIDE_ENOUGH * most:
                ax.text(
                    left + n / 2, y, str(n), ha="center", va="center", fontsize=9, color="white"
                )
            left += n
        # Over the bar: a margin for such long titles would leave a phone no room for the bars.
        ax.annotate(
            title, (0, y - 0.42), (2, 0), textcoords="offset points", va="center", fontsize=9.5
        )
    ax.set(xlim=(0, 1.02 * most), xlabel="claims", yticks=[])
    ax.set_ylim(len(papers) - 0.7, -0.75)
    ax.grid(axis="y", visible=False)
    found = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    labels = [str(v) for v in VERDICTS if v in found]
    fig.legend([found[v] for v in labels], labels, loc="outside upper center", ncols=3)
    return fig


WIDE_ENOUGH = 0.035
"""A part of a bar shows its number from this share of the longest bar."""


# ---------------------------------------------------------------------------------- HTML

MOST_POINTS = 60
"""A claim that failed shows its values if there are no more of them than this."""
MOST_OPEN = 8
"""A paper's failures are open from the start if there are no more of them than this."""


def _label(point: Point) -> str:
    return " ".join(filter(None, (point.label, point.quantity))) or "–"


def _sentence(text: str) -> str:
    """With a capital letter and a full stop."""
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"


def _mark(verdict: str) -> str:
    style = STYLES[verdict]
    return f'<span class="{style.css}">{style.mark}</span>'


def _plural(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _every(n: int, what: str) -> str:
    """``"both values"``, ``"all 3 values"``."""
    return f"both {what}s" if n == 2 else f"all {_plural(n, what)}"


def _tolerance(entry: Entry) -> str:
    """The tolerance with its reason, for the claims that have one of their own."""
    return f"Tolerance {entry.judgement.tolerance}." if entry.claim.tolerance else ""


def _tally_html(entries: Iterable[Entry]) -> str:
    count = _verdicts(entries)
    return " ".join(
        f'<span class="{style.css}">{style.mark} {count[verdict]} {verdict}</span>'
        for verdict, style in STYLES.items()
        if count[verdict]
    )


def _points_html(judgement: Judgement) -> str:
    rows = "\n".join(
        f"<tr><td>{escape(_label(p))}</td><td>{escape(p.published)}</td>"
        f'<td>{escape(p.computed)}</td><td class="{_MATCHES[p.match][1]}">{_MATCHES[p.match][0]}'
        "</td></tr>"
        for p in judgement.points
    )
    return (
        f"<details><summary>{_every(judgement.n, 'value').capitalize()}</summary>"
        '<div class="repro-table"><table><caption>The values on which the claim was judged.'
        "</caption>"
        '<thead><tr><th scope="col">value</th>'
        '<th scope="col">published</th><th scope="col">ours</th><th></th></tr></thead>'
        f"<tbody>\n{rows}\n</tbody></table></div></details>"
    )


def _by_paper(shown: Board, entries: Iterable[Entry]) -> Iterator[tuple[str, list[Entry]]]:
    """HTML heading of each paper, and its entries."""
    for key, part in groupby(entries, key=lambda e: e.claim.paper):
        yield f'<p class="repro-paper-title">{escape(shown.papers[key])}</p>', list(part)


def failures(shown: Board, unfold: bool = False) -> PageBlock:
    """What does not hold and why, a fold for each group.

    Claims of a group that deviate for the same reason stand together. A paper's folds start open
    if it has few failures.

    Args:
        shown: the board.
        unfold: start with all folds open, for print.
    """
    off = shown.having(OFF)
    sizes = Counter((e.claim.paper, e.claim.group) for e in shown.entries)
    parts = []
    for heading, of_paper in _by_paper(shown, off):
        parts.append(heading)
        few = len(of_paper) <= MOST_OPEN
        for group, entries in groupby(of_paper, key=lambda e: e.claim.group):
            failed = list(entries)
            of = sizes[failed[0].claim.paper, group]
            tally = f'<span class="repro-off">{_MATCHES["no"][0]} {len(failed)} of {of}</span>'
            parts.append(fold(group, tally, _failed_group(failed), unfold or few))
    html = "\n".join(parts) or "<p>None: every claim that could be tested held.</p>"
    return PageBlock(html, f"{_plural(len(off), 'claim')} not reproduced")


def _failed_group(failed: list[Entry]) -> str:
    alike: dict[str, list[Entry]] = {}
    for entry in failed:
        alike.setdefault(entry.claim.note or entry.claim.id, []).append(entry)
    return "\n".join(
        _failure(entries[0]) if len(entries) == 1 else _failures_alike(entries)
        for entries in alike.values()
    )


def _link(claim: Claim) -> str:
    return f'<a class="repro-id" href="#claim-{claim.id}">{claim.id}</a>'


def _failure(entry: Entry) -> str:
    """One claim in prose, with its values where they are few enough."""
    claim, judgement = entry.claim, entry.judgement
    why = " ".join(
        filter(None, (_sentence(judgement.why.removeprefix("off. ")), _tolerance(entry)))
    )
    values = _points_html(judgement) if 1 < judgement.n <= MOST_POINTS else ""
    return (
        f'<article class="repro-failure"><p><b>{escape(claim.where)}.</b> '
        f"{escape(_sentence(claim.statement))} Published: <b>{escape(judgement.published)}</b>. "
        f"Ours: <b>{escape(judgement.computed)}</b>. {escape(why)} {_link(claim)}</p>"
        f"{values}</article>"
    )


def _failures_alike(entries: list[Entry]) -> str:
    """Claims that deviate for one reason: the reason once, and a row each."""
    claim = entries[0].claim
    same = len({(e.claim.where, e.claim.statement) for e in entries}) == 1
    head = f"<b>{escape(claim.where)}.</b> {escape(_sentence(claim.statement))} " if same else ""
    rows = "\n".join(
        f'<tr><td class="long">{escape(_what(e, brief=same))}<br>{_link(e.claim)}</td>'
        f"<td>{escape(e.judgement.published)}</td><td>{escape(e.judgement.computed)}</td></tr>"
        for e in entries
    )
    return (
        f'<article class="repro-failure"><p>{head}{escape(_sentence(claim.note))}</p>'
        f'<div class="repro-table"><table><caption>{_plural(len(entries), "claim")} with this '
        'reason.</caption><thead><tr><th scope="col">claim</th>'
        '<th scope="col">published</th><th scope="col">ours</th></tr></thead>'
        f"<tbody>\n{rows}\n</tbody></table></div></article>"
    )


def _what(entry: Entry, brief: bool) -> str:
    """What a row is about: a single value by its own name, unless ``brief`` with its claim."""
    labels = [_label(p) for p in entry.judgement.points] if entry.judgement.n == 1 else []
    if brief:
        return " ".join(labels)
    return " ".join([f"{entry.claim.where}.", _sentence(entry.claim.statement), *labels])


def untestable(shown: Board) -> PageBlock:
    """What cannot be decided here, and what it would need; claims with one reason together.

    Those that wait for timings alone come first in each paper.
    """
    waiting = shown.having(OPEN)
    parts = []
    for heading, of_paper in _by_paper(shown, waiting):
        parts.append(heading)
        alike: dict[str, list[Entry]] = {}
        for entry in sorted(of_paper, key=lambda e: not _waits(e)):
            alike.setdefault(entry.judgement.why, []).append(entry)
        for why, entries in alike.items():
            items = "\n".join(
                f"<li><b>{escape(e.claim.where)}.</b> {escape(_sentence(e.claim.statement))}</li>"
                for e in entries
            )
            parts.append(f'<p class="repro-why">{escape(_sentence(why))}</p><ul>\n{items}\n</ul>')
    html = "\n".join(parts) or "<p>None.</p>"
    return PageBlock(html, f"{_plural(len(waiting), 'claim')} not testable here")


def _row(entry: Entry) -> str:
    claim, judgement = entry.claim, entry.judgement
    verdict = judgement.verdict
    why = " ".join(filter(None, (_sentence(judgement.why), _tolerance(entry))))
    cells = {
        "claim": f"<b>{escape(claim.where)}</b><br>{escape(claim.statement)}",
        "published": escape(judgement.published) or "–",
        "ours": escape(judgement.computed) or "–",
        "verdict": f"{_mark(verdict)} {verdict}",
        "why": 'Waits for <a href="#scoreboard-open">timings</a>.'
        if verdict == OPEN and _waits(entry)
        else escape(why),
    }
    body = "".join(
        f'<td class="of-{name}" data-label="{name}">{cell}</td>' for name, cell in cells.items()
    )
    return f'<tr id="claim-{claim.id}">{body}</tr>'


def _bar(entries: list[Entry], most: int) -> str:
    """A thin bar under a group's line: as long as its claims are many, coloured by verdict."""
    count = _verdicts(entries)
    inside = "".join(
        f'<i style="flex:{count[verdict]};background:{style.colour}"></i>'
        for verdict, style in STYLES.items()
        if count[verdict]
    )
    width = 100 * len(entries) / most
    return f'<span class="repro-bar" aria-hidden="true" style="width:{width:.1f}%">{inside}</span>'


def _group_html(title: str, entries: list[Entry], most: int, unfold: bool) -> str:
    read_in = "; ".join(dict.fromkeys(e.claim.read_in for e in entries))
    heads = "".join(
        f'<th scope="col">{h}</th>' for h in ("claim", "published", "ours", "verdict", "why")
    )
    rows = "\n".join(_row(entry) for entry in entries)
    body = (
        '<div class="repro-table repro-claims"><table><caption>Published values read in: '
        f"{escape(read_in)}.</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>"
        "</table></div>"
    )
    return fold(title, _tally_html(entries) + _bar(entries, most), body, unfold)


def groups(shown: Board, unfold: bool = False) -> PageBlock:
    """Every claim, paper by paper, a fold for each group with its counts in the summary line.

    Args:
        shown: the board.
        unfold: start with all folds open, for print.
    """
    every = shown.groups()
    most = max((len(entries) for _, _, entries in every), default=1)
    parts = []
    for paper, part in groupby(every, key=lambda group: group[0]):
        parts.append(f'<p class="repro-paper-title">{escape(shown.papers[paper])}</p>')
        parts += [_group_html(title, entries, most, unfold) for _, title, entries in part]
    text = f"{_plural(len(shown.entries), 'claim')} in {_plural(len(every), 'group')}"
    return PageBlock("\n".join(parts), text)
