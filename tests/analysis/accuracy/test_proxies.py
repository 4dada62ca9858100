"""Our own runs beside dwr, from runs that never were."""

import pytest
from made_up_trainings import GAINS, law, runs

from repro.analysis.accuracy import proxies as proxy
from repro.errors import InputError
from repro.evidence import trainings as evidence
from repro.stored import append

TURNED = {**GAINS, "d": 5.0, "w": 5.0, "r": 5.0, "dwr": 4.0, "alpha=2/3": 1.0, "dWr": 1.0}


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


@pytest.mark.parametrize(
    ("gains", "noise", "verdict"),
    [
        (GAINS, 0.1, "holds"),
        (TURNED, 0.1, "fails"),
        (GAINS, 9.0, "open"),
        (TURNED, 9.0, "open"),
    ],
)
def test_an_interval_on_one_side_decides(gains, noise, verdict):
    assert set(against_dwr(runs(law(gains, noise))).verdict) == {verdict}


def test_a_loss_too_small_to_matter_is_no_loss():
    """Less than 5 % of what dwr gains, and noise for which that is not zero either."""
    assert against_dwr(runs(law({**GAINS, "d": 4.95}, 0.1))).verdict["d"] == "fails"
    assert against_dwr(runs(law({**GAINS, "d": 4.95}, 0.0))).verdict["d"] == "holds"


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
