"""The scoreboard: every claim once, counted rightly, escaped, whatever the ledger holds."""

import re
from collections import Counter
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest

from repro import claims
from repro.book.chapters import scoreboard
from repro.book.kit.folds import PageBlock, fold
from repro.book.parameters import check, resolve
from repro.claims import BASES, EXPLORATORY, OWN, REJECTED, VERDICTS, Claim, Judgement, Point
from repro.errors import InputError


class Tags(HTMLParser):
    """Checks that tags close in order; collects what a page shows."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.text, self.seen = [], [], [], [], Counter()

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.seen[tag] += 1
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes["href"]] if "href" in attributes else []
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(block):
    tags = Tags()
    tags.feed(block._repr_html_())
    assert not tags.open
    return tags


def entry(
    name,
    verdict="reproduced",
    paper="one",
    group="Table 1",
    note="",
    points=(),
    statement="It is so",
    basis="nothing here",
    machine="",
    repeats="",
):
    """A synthetic entry; its claim is never judged."""
    kind = "exploratory" if paper == OWN else "number"
    claim = Claim(
        id=name,
        group=group,
        paper=paper,
        where=f"Row {name}",
        kind=kind,
        statement=statement,
        read_in="the PDF",
        not_testable="never judged",
        note=note,
        repeats=repeats,
    )
    judgement = Judgement(
        id=name,
        group=group,
        paper=paper,
        where=claim.where,
        kind=kind,
        statement=statement,
        published="1.0",
        computed="1.1",
        tolerance="the printed digits",
        verdict=verdict,
        why=f"off. {note}" if note else "no reason",
        n=len(points),
        points=tuple(points),
        basis=basis,
        machine=machine,
        repeats=repeats,
    )
    return scoreboard.Entry(claim, judgement)


def point(label="p", match="no"):
    return Point(label, "acts", "1.0", "1.1", "M", match, 2.0)


CLOCK = "our measurement"
PAPERS = {"one": "First Paper (Authors; 2021)", "two": "Second Paper (Others; 2021)"}


@pytest.fixture(scope="module")
def real():
    return scoreboard.board()


@pytest.fixture
def small():
    return scoreboard.arranged(
        PAPERS,
        [
            entry("a", "reproduced", points=[point(match="yes")] * 3, basis=BASES[0]),
            entry("b", "not reproduced", note="A reason.", points=[point("x")], basis=BASES[0]),
            entry("c", "not testable here", paper="two"),
            entry("d", "trend reproduced", group="Table 2", basis=CLOCK, machine="H100"),
            entry("e", "not reproduced", note="A reason.", points=[point("y")], basis="theory"),
            entry("f", "reproduced", points=[point()], basis=BASES[0], repeats="a"),
        ],
    )


# ----------------------------------------------------------------------------- arranging


def test_entries_stand_by_paper_and_group_in_order_of_appearance():
    board = scoreboard.arranged(
        PAPERS,
        [
            entry("a", paper="two", group="T"),
            entry("b", paper="one", group="U"),
            entry("c", paper="one", group="T"),
            entry("d", paper="one", group="U"),
        ],
    )
    assert [e.claim.id for e in board.entries] == ["b", "d", "c", "a"]
    html = scoreboard.groups(board).html
    assert re.findall('repro-title">(.*?)<', html) == ["U", "T", "T"]


def test_papers_without_claims_are_left_out():
    assert list(scoreboard.arranged(PAPERS, [entry("a", paper="two")]).papers) == ["two"]


def test_the_board_holds_the_whole_ledger(real):
    ledger = claims.load()
    assert {e.claim.id for e in real.entries} == {c.id for c in ledger.claims}
    assert len(real.entries) == len(ledger.claims)


def test_one_paper_alone(real):
    paper = next(iter(real.papers))
    alone = scoreboard.board(paper)
    assert list(alone.papers) == [paper]
    assert len(alone.entries) == sum(e.claim.paper == paper for e in real.entries)


def test_an_unknown_paper_is_refused_and_the_nearest_named():
    with pytest.raises(InputError, match="Did you mean 'dollar2021fast'"):
        scoreboard.board("dollar2021")
    with pytest.raises(InputError, match="Did you mean 'dollar2021fast'"):
        resolve("scoreboard", ["paper=dollar2021"], "smoke")
    assert check("scoreboard", paper="dollar2021fast", unfold=True).unfold


# -------------------------------------------------------------------------------- numbers


def test_key_numbers_by_hand(small):
    assert scoreboard.key_numbers(small) == {
        "decided": 4,
        "held": 2,
        "off": 2,
        "open": 1,
        "waiting": 0,
        "counts": 2,
        "code": 0,
        "itself": 0,
        "theory": 1,
        "model": 0,
        "clock": 1,
        "public": 0,
        "machines": "H100",
        "nothing": 1,
        "own": 0,
        "own_held": 0,
    }


def test_tally_by_hand(small):
    rows = {name: rest for name, *rest in scoreboard.tally(small).values.tolist()}
    assert rows == {
        BASES[0]: [1, 0, 0, 1, 0, 2, 4],
        "theory": [0, 0, 0, 1, 0, 1, 1],
        CLOCK: [0, 0, 1, 0, 0, 1, 0],
        "nothing here": [0, 0, 0, 0, 1, 1, 0],
        "all claims": [1, 0, 1, 2, 1, 5, 5],
        "First Paper": [1, 0, 1, 2, 0, 4, 5],
        "Second Paper": [0, 0, 0, 0, 1, 1, 0],
    }


def test_a_row_says_what_its_verdict_rests_on(small, real):
    rows = rows_of(small)
    assert "trend reproducedour measurement, H100" in rows["d"]
    assert "not counted, repeats a" in rows["f"]
    rows = rows_of(real)
    assert all((e.claim.repeats or e.judgement.basis) in rows[e.claim.id] for e in real.entries)


def test_own_findings_are_shown_last_and_counted_apart(small):
    own = [
        entry("g", EXPLORATORY, OWN, "Seen", points=[point(match="yes")]),
        entry("h", REJECTED, OWN, "Seen", points=[point()]),
    ]
    papers = PAPERS | {OWN: "Own findings"}
    both = scoreboard.arranged(papers, [*own, *small.entries])
    assert scoreboard.key_numbers(both) == scoreboard.key_numbers(small) | {"own": 2, "own_held": 1}
    assert scoreboard.tally(both).equals(scoreboard.tally(small))
    assert [e.claim.id for e in both.having("not reproduced")] == ["b", "e"]
    html = scoreboard.groups(both).html
    assert html.index("Own findings") > html.index("claim-c")
    assert "○ 1 holds, exploratory" in html and "× 1 rejected" in html


def test_tally_of_one_paper_has_no_row_for_papers():
    board = scoreboard.arranged(PAPERS, [entry("a")])
    assert scoreboard.tally(board)["rests on"].tolist() == ["nothing here", "all claims"]


def test_every_verdict_has_a_style():
    assert tuple(scoreboard.STYLES) == VERDICTS
    counted = {*scoreboard.HELD, scoreboard.OFF, scoreboard.OPEN}
    assert counted | {EXPLORATORY, REJECTED} == set(VERDICTS)
    assert len({style.mark for style in scoreboard.STYLES.values()}) == len(VERDICTS)
    assert len({style.colour for style in scoreboard.STYLES.values()}) == len(VERDICTS)
    assert tuple(scoreboard.MEANING) == VERDICTS


# ----------------------------------------------------------------------------------- HTML


def test_every_claim_of_the_ledger_has_one_row(real):
    page = read(scoreboard.groups(real))
    assert sorted(page.ids) == sorted(f"claim-{e.claim.id}" for e in real.entries)
    assert page.seen["details"] == len({(e.claim.paper, e.claim.group) for e in real.entries})


def test_the_summary_line_has_the_groups_counts(small):
    html = scoreboard.groups(small).html
    summary = re.search(r"<summary>.*?Table 1.*?</summary>", html, re.DOTALL)[0]
    assert "= 2 reproduced" in summary
    assert "≠ 2 not reproduced" in summary
    assert "trend" not in summary


def test_unfolded_for_print(small):
    assert " open>" not in scoreboard.groups(small).html
    assert scoreboard.groups(small, unfold=True).html.count(" open>") == 3


EVIL = "<script>alert('x')</script> & \"more\""


@pytest.mark.parametrize("verdict", VERDICTS)
def test_text_of_the_ledger_is_escaped(verdict):
    evil = entry(
        "a",
        verdict,
        group=EVIL,
        note=EVIL,
        statement=EVIL,
        points=[point(EVIL), point("other", "yes")],
    )
    board = scoreboard.arranged({"one": EVIL}, [evil])
    block = scoreboard.groups(board)
    assert "<script" not in block.html
    assert read(block).seen["script"] == 0
    assert EVIL in " ".join(read(scoreboard.groups(board)).text)


def test_a_tolerance_comes_with_its_reason(real):
    html = scoreboard.groups(real).html
    with_tolerance = [e for e in real.entries if e.claim.tolerance and e.judgement.points]
    assert with_tolerance
    for e in with_tolerance:
        row = re.search(rf'<tr id="claim-{e.claim.id}">.*?</tr>', html, re.DOTALL)[0]
        assert f"Tolerance {e.claim.tolerance.abs}" in row


def test_every_open_claim_says_what_it_needs(real):
    rows = rows_of(real)
    frame = scoreboard.lacking(real)
    assert frame.claims.sum() == scoreboard.key_numbers(real)["waiting"]
    assert len(frame) <= 12
    for e in real.having(scoreboard.OPEN):
        assert e.judgement.why.rstrip(".")[1:30] in rows[e.claim.id]


def test_what_single_machines_lack_is_one_need():
    def waiting(name, lacks):
        need, command = "Needs times of training on a GPU", "repro record --device cuda"
        found = entry(name, "not testable here")
        text = f"{need}{lacks}. This records them: {command}"
        judged = replace(found.judgement, why=text, basis="our measurement")
        return scoreboard.Entry(found.claim, judged)

    lacks = ("", "; H100 lacks EN-B0 by w up to s = 16; B200 lacks RegNetY-4GF", "; H100 lacks x")
    entries = [waiting(f"a{i}", text) for i, text in enumerate(lacks)]
    frame = scoreboard.lacking(scoreboard.arranged(PAPERS, entries))
    need = "Needs times of training on a GPU. This records them: `repro record --device cuda`"
    assert frame.values.tolist() == [[need, 3]]


def rows_of(board):
    html = scoreboard.groups(board).html
    found = re.findall(r'<tr id="claim-(.*?)">(.*?)</tr>', html, re.DOTALL)
    return {name: unescape(re.sub(r"<[^>]+>", "", row)) for name, row in found}


def test_commands_are_set_as_code(real):
    html = scoreboard.groups(real).html
    record = "repro record --device cuda --minutes 10 --out data/records/gpu.jsonl"
    assert f"<code>{record}</code>." in html
    assert not re.search(r"(?<!<code>)repro (time|sweep|record) ", html)
    ends = "needs a run: repro sweep a/b.yaml --out runs/x. More."
    assert scoreboard._commands(ends) == "needs a run: `repro sweep a/b.yaml --out runs/x`. More."


def test_symbols_are_never_capitalised(real):
    text = " ".join(read(scoreboard.groups(real)).text)
    assert not re.search(r"\b(DWr|Dwr|Dw|Alpha =|Swish takes)", text)


def test_the_page_stays_light(real):
    assert len(scoreboard.groups(real).html.encode()) < 1_000_000


# ----------------------------------------------------------------------------- one claim


def test_a_claim_is_found_by_its_id(real):
    first = real.entries[0]
    assert scoreboard.find(real, first.claim.id) is first
    with pytest.raises(InputError, match="Did you mean 'table1-d'"):
        scoreboard.find(real, "table1d")


def test_the_source_of_a_claim_can_be_read_back(real):
    import yaml

    for e in real.entries:
        text = scoreboard.source(e)
        assert Claim(**yaml.safe_load(text)).id == e.claim.id


def test_points_of_a_claim(small):
    frame = scoreboard.points(small, "b")
    assert frame.to_dict("list") == {
        "value": ["x acts"],
        "published": ["1.0"],
        "ours": ["1.1"],
        " ": ["≠"],
    }


# ---------------------------------------------------------------------------------- folds


def test_a_fold_escapes_its_title_and_hides_its_body():
    html = fold("a < b", "<span>1</span>", "<p>body</p>")
    assert "a &lt; b" in html
    assert html.index("</summary>") < html.index("body")
    assert "open" not in html
    assert '<details class="repro-group" open>' in fold("a", "", "", unfold=True)


def test_a_block_has_a_text_for_those_who_cannot_see_it():
    assert repr(PageBlock("<p>x</p>", "one line")) == "one line"
