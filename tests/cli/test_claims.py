"""``repro claims``: a summary, a list, and what is chosen."""

import json

import pytest

from repro.cli.claims import stands_in


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    """A project with three claims of two papers, which nothing can judge."""
    (tmp_path / "data").mkdir()
    common = {"kind": "number", "read_in": "here", "not_testable": "needs a GPU"}
    claims = [
        {"id": "one", "where": "Table 1", "statement": "It costs ≥ 4.", "published": 4.0},
        {"id": "two", "where": "Table 1", "statement": "It costs 5.", "published": 5.0},
    ]
    third = {"id": "three", "where": "Figure 1", "statement": "It grows."}
    groups = [
        {"title": "First group", "defaults": {"paper": "a", **common}, "claims": claims},
        {"title": "Second group", "defaults": {"paper": "b", **common}, "claims": [third]},
    ]
    ledger = {"papers": {"a": "First paper", "b": "Second paper"}, "groups": groups}
    (tmp_path / "data" / "claims.yaml").write_text(json.dumps(ledger))
    monkeypatch.setenv("REPRO_ROOT", str(tmp_path))
    return tmp_path


def test_a_summary_that_fits_on_a_screen(run, ledger):
    status, out, err = run("claims")
    assert (status, err) == (0, "")
    assert "1  First paper\n2  Second paper\n" in out
    rows = [line.split() for line in out.splitlines()]
    zeros = ["0"] * 4
    for words in ("nothing here 3", "all claims 3", "- a 2", "- b 1"):
        *name, number = words.split()
        assert [*name, *zeros, number, number] in rows
    assert "It costs" not in out and out.count("\n") < 24


def test_the_books_own_summary_fits_too(run):
    _, out, _ = run("claims")
    assert out.count("\n") < 24 and max(map(len, out.splitlines())) < 100


def test_own_findings_are_counted_apart(run):
    from repro.claims import EXPLORATORY, judge_all, load, totals

    _, out, _ = run("claims")
    claims = load().claims
    repeats = sum(bool(c.repeats) for c in claims)
    own = sum(c.paper == "own" for c in claims)
    rows = [line.split() for line in out.splitlines()]
    assert next(row[-1] for row in rows if row[:2] == ["all", "claims"]) == str(
        len(claims) - repeats - own
    )
    assert f"Not counted: {repeats} exact repeats" in out
    hold = sum(j.verdict == EXPLORATORY for j in judge_all())
    assert f"This book's own findings, exploratory: {own}, of which {hold} hold." in out
    for basis, count in totals(judge_all()).items():
        assert (basis in out) == bool(count)
    _, out, _ = run("claims", "--paper", "own")
    assert out.count("HOLDS, EXPLORATORY") == hold and "all claims" not in out
    assert out.splitlines()[-1].startswith("This book's own findings, exploratory")


def test_all_claims(run, ledger):
    status, out, err = run("claims", "--all")
    assert (status, err) == (0, "")
    order = ["First paper", "First group", "one", "two", "Second paper", "Second group", "three"]
    places = [out.index(word) for word in order]
    assert places == sorted(places)
    assert "It costs ≥ 4." in out
    assert out.splitlines()[-2].split() == ["nothing", "here", *"00003", "3"]
    assert out.splitlines()[-1].split() == ["all", "claims", *"00003", "3"]
    assert "NOT TESTABLE HERE  one  (nothing here)" in out


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (["--paper", "a"], ["one", "two"]),
        (["--paper", "2"], ["three"]),
        (["--table", "1"], ["one", "two"]),
        (["--table", "figure 1"], ["three"]),
        (["--paper", "1", "--verdict", "not testable here"], ["one", "two"]),
        (["--verdict", "reproduced"], []),
        (["--basis", "theory"], []),
        (["--basis", "nothing here", "--paper", "b"], ["three"]),
    ],
)
def test_claims_are_chosen(run, ledger, words, ids):
    status, out, err = run("claims", *words, "--json")
    assert (status, err) == (0, "")
    assert [row["id"] for row in json.loads(out)] == ids


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--paper", "c"], "unknown paper 'c'. Papers: a (1), b (2)"),
        (["--paper", "3"], "unknown paper '3'"),
        (["--paper", ""], "unknown paper ''"),
        (["--table", "9"], "no claim stands in 'Table 9'"),
        (["--verdict", "not reproducd"], "Did you mean 'not reproduced'?"),
        (["--basis", "our modal"], "unknown basis 'our modal'. Did you mean 'our model'?"),
    ],
)
def test_what_cannot_be_chosen_is_named(fails, ledger, words, said):
    assert said in fails("claims", *words)


@pytest.mark.parametrize(
    ("where", "text", "stands"),
    [
        ("Table 5, row X", "5", True),
        ("Tables 5 to 8, columns 1x, 2x", "6", True),
        ("Tables 5 to 8, columns 1x, 2x", "9", False),
        ("Tables 2 and 6", "6", True),
        ("Table 15", "5", False),
        ("Figure 5", "5", False),
        ("Figures 1 and 4 to 8", "Figure 5", True),
        ("Sections 6.2 and 6.3, Figures 4 to 7", "Section 6.3", True),
        ("Section 6.2", "Section 6", False),
    ],
)
def test_places(where, text, stands):
    assert stands_in(where, text) is stands


def test_a_judge_that_lacks_a_package_leaves_its_claim_untested(run, ledger, monkeypatch):
    import repro.claims

    real = repro.claims.judge

    def judge(claim):
        if claim.not_testable == "needs a GPU":
            raise ModuleNotFoundError("No module named 'scipy'", name="scipy")
        return real(claim)

    monkeypatch.setattr(repro.claims, "judge", judge)
    rows = json.loads(run("claims", "--json")[1])
    assert {row["why"] for row in rows} == {"needs scipy, which is not installed here"}
    out = run("claims")[1]
    assert "Could not be judged without scipy: 3." in out and "pip install '.[torch]'" in out


def test_what_a_small_installation_cannot_judge_keeps_its_basis(monkeypatch):
    from repro.claims import BASIS_OF, JUDGES, load
    from repro.cli.claims import judged

    def lacking(*_, **__):
        raise ModuleNotFoundError("No module named 'numpy'", name="numpy")

    claim = next(c for c in load().claims if c.judge == "nothing_better_than_b0")
    monkeypatch.setitem(JUDGES, "nothing_better_than_b0", lacking)
    found = judged(claim)
    assert (found.verdict, found.basis) == ("not testable here", BASIS_OF["nothing_better_than_b0"])


def test_claims_as_json(run, ledger):
    status, out, _ = run("claims", "--json")
    assert status == 0
    rows = json.loads(out)
    assert [row["id"] for row in rows] == ["one", "two", "three"]
    keys = {"id", "paper", "where", "kind", "statement", "published", "computed", "tolerance"}
    assert keys | {"verdict", "why", "basis", "repeats"} <= set(rows[0])
    assert (rows[0]["published"], rows[0]["verdict"]) == ("4.0", "not testable here")


def test_a_broken_ledger_is_an_error(fails, ledger):
    (ledger / "data" / "claims.yaml").write_text("papers: [")
    assert "claims.yaml" in fails("claims")
