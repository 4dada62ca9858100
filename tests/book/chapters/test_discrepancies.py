"""Every claim that fails has a line, none that holds has one, and numbers are computed."""

import re

import pytest

from repro.book.chapters import discrepancies
from repro.book.chapters.discrepancies import disagrees, groups, judgements, lines, of_paper
from repro.claims import REJECTED

LINES = [line for group in groups() for line in group["lines"]]
MOST_ROWS = 12
PAPERS = ("dollar2021fast", "li2021searching")


def claims():
    return [name for line in LINES for name in line.get("claims", ())]


def test_every_claim_that_fails_has_one_line_and_none_that_holds_has_one():
    off = {i for i, j in judgements().items() if j.verdict in ("not reproduced", REJECTED)}
    assert sorted(claims()) == sorted(i for i, j in judgements().items() if disagrees(j))
    assert off < {*claims()}


@pytest.mark.parametrize("line", LINES, ids=lambda line: line["where"])
def test_a_line_is_complete(line):
    looked_up = {"printed", "found"} <= set(line)
    assert set(line) == {
        "where",
        "cause",
        "effect",
        *(("printed", "found") if looked_up else ("claims",)),
    }
    for words in (line["cause"], line["effect"]):
        assert words[0].isupper() and words.endswith(".") and len(words) <= 100


def test_no_value_is_typed():
    """Digits in causes and effects belong to names, such as B4 or Table 3."""
    for line in LINES:
        words = re.sub(
            r"`[^`]*`|\b[A-Za-z]+-?\d\S*|RegNet\S+|(Table|Figure)s? \d", "", line["cause"]
        )
        words += re.sub(r"\b[A-Za-z]+-?\d\S*|(Table|Figure)s? \d", "", line["effect"])
        assert not re.search(r"\d", words), words


def test_lines_by_hand():
    first = lines(groups()[0]).set_index("where")
    assert list(first.loc["Figure 2, r of acts"])[:2] == ["0.99", "0.97382"]
    drawn = first.loc["Figure 2, RegNetY-500MF, dw"]
    assert (drawn.printed, drawn.found) == ("87.83 M", "86.51905 M (s=96; 4 of 16 differ)")
    gaps = first.filter(like="lies behind", axis=0).iloc[0]
    assert (gaps.printed, gaps.found) == ("2.2 / 0.8", "2.6 / 1.1")
    two = first.filter(like="near 4 GF: Figure 7", axis=0).iloc[0]
    assert (two.printed, two.found) == ("3.934", "4.008")


def test_looked_up_values_differ():
    for group in groups():
        for row in lines(group).itertuples():
            assert row.printed and row.found and row.printed != row.found


def test_a_line_whose_claims_agree_is_left_out(monkeypatch):
    kept = [len(lines(group)) for group in groups()]
    monkeypatch.setattr(discrepancies, "disagrees", lambda judgement: False)
    none = [len(lines(group)) for group in groups()]
    assert sum(none) == sum("claims" not in line for line in LINES) < sum(kept)


@pytest.mark.parametrize("paper", PAPERS)
def test_one_short_table_is_in_view_and_the_others_are_folded(paper):
    html = of_paper(paper).html
    seen = html.partition("<details")[0]
    assert seen.count("<table") == 1 and seen.count("<tr>") - 1 <= MOST_ROWS
    assert html.count("<details") == sum(g["paper"] == paper for g in groups()) - 1
    assert " open>" not in html and " open>" in of_paper(paper, unfold=True).html


def test_every_group_is_of_a_paper_with_a_section():
    assert {group["paper"] for group in groups()} == set(PAPERS)
