"""Our own runs beside dwr, from runs that never were."""

import pytest
from made_up_trainings import GAINS, law, runs

from repro.analysis.accuracy import proxies as proxy
from repro.claims import accuracy as judges
from repro.claims import judge, load
from repro.errors import InputError
from repro.evidence import trainings as evidence
from repro.stored import append

TURNED = {**GAINS, "d": 5.0, "w": 5.0, "r": 5.0, "dwr": 4.0, "dWr": 1.0}


@pytest.fixture(scope="module")
def made():
    return tuple(runs(law(GAINS)))


def against_dwr(records):
    return proxy.against_dwr(evidence.trained("cifar10", records)).set_index("strategy")


def test_data_sets_are_those_with_something_to_compare(made):
    digits = runs(law(GAINS, noise=0.2), data="digits")
    assert proxy.data_sets([*digits, *made]) == ["cifar10", "digits"]
    assert proxy.data_sets([r for r in made if r.subject.strategy is None]) == []
    assert proxy.data_sets([r for r in made if r.setting["seed"] == 0]) == []
    assert proxy.data_sets([]) == []


def test_differences_from_dwr_are_those_of_the_evidence(made):
    found = against_dwr(made)
    theirs = evidence.trained("cifar10", made)
    same = evidence.difference(evidence.cells(theirs, "r", 4), evidence.cells(theirs, "dwr", 4))
    row = found.loc["r"]
    assert (row["mean"], row.low, row.high) == (same.mean, same.low, same.high)
    assert row["mean"] == pytest.approx(GAINS["dwr"] - GAINS["r"])
    assert row.gain == pytest.approx(GAINS["dwr"]) and row.by_base == same.by_base
    assert found["mean"][proxy.SINGLES] == pytest.approx(found["mean"][["d", "w", "r"]].mean())
    assert list(found.index) == ["d", "w", "r", proxy.SINGLES, "alpha=2/3", "dWr"]


def test_without_dwr_nothing_is_compared(made):
    assert against_dwr_is_empty([r for r in made if r.subject.strategy != "dwr"])
    assert against_dwr_is_empty([])


def against_dwr_is_empty(records):
    return proxy.against_dwr(evidence.trained("cifar10", records)).empty


CLAIMS = {
    "d": "proxy-d-alone",
    "w": "proxy-w-alone",
    "r": "proxy-r-alone",
    proxy.SINGLES: "proxy-single-dimension",
    "alpha=2/3": "proxy-two-thirds-alike",
    "dWr": "proxy-fast-alike",
}
WORDS = {"trend reproduced": "holds", "not reproduced": "fails", "not testable here": "open"}


@pytest.mark.parametrize("gains", [GAINS, TURNED, {**GAINS, "d": 4.95, "dWr": 4.4}])
@pytest.mark.parametrize("noise", [0.1, 9.0])
def test_verdicts_are_the_ledgers(gains, noise, monkeypatch):
    records = runs(law(gains, noise))
    monkeypatch.setattr(judges, "trained", lambda data: evidence.trained(data, records))
    found, ledger = against_dwr(records).verdict, {c.id: c for c in load().claims}
    for strategy, name in CLAIMS.items():
        assert found[strategy] == WORDS[judge(ledger[name]).verdict], strategy


def test_thresholds_are_the_ledgers():
    asked = [c for c in load().claims if c.id.startswith("proxy-") and "share" in c.args]
    shares = {(c.judge, float(c.args["share"])) for c in asked}
    assert shares == {("trained_worse", evidence.WORSE), ("trained_alike", evidence.ALIKE)}


def test_a_reader_s_file(tmp_path, made):
    path = tmp_path / "mine.jsonl"
    for record in made:
        append(path, record)
    assert len(proxy.trainings(str(path))) == 117
    with pytest.raises(InputError, match="is not there"):
        proxy.trainings(str(tmp_path / "none.jsonl"))
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(InputError, match="holds no training runs to compare"):
        proxy.trainings(str(tmp_path / "empty.jsonl"))
