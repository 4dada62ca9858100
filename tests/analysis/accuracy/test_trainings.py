"""Our own runs beside dwr, from runs that never were."""

import numpy as np
import pytest
from made_up_trainings import GAINS, law, runs

from repro.analysis.accuracy import trainings as t
from repro.errors import InputError
from repro.records import TimingRecord
from repro.stored import append, stored

TURNED = {**GAINS, "d": 9.0, "w": 9.0, "r": 9.0, "dWr": 1.0}


def one(*given, **more):
    (found,) = t.experiments(runs(law(*given, **more)))
    return found


def against_dwr(*given):
    return t.against_dwr(one(*given)).set_index("strategy")


def test_only_what_has_dwr_twice_can_be_compared():
    made = runs(law(GAINS))
    assert len(t.experiments(made)) == 1
    assert t.experiments([r for r in made if r.subject.strategy is None]) == []
    assert t.experiments([r for r in made if r.subject.strategy != "dwr"]) == []
    assert t.experiments([r for r in made if r.setting["seed"] == 0]) == []
    assert t.experiments([]) == []


def test_rates_may_differ_and_runs_that_tried_them_out_count_not():
    made = runs(law(GAINS))
    for record in made:
        if record.subject.strategy == "w":
            record.setting["recipe"]["lr"] *= 2
    tried = runs(law(GAINS), plan="proxy_cpu_rate")
    (found,) = t.experiments([*made, *tried])
    assert len(found) == len(made) and (found.strategy == "w").sum() == 18


def test_experiments_with_more_images_come_last():
    short, long = runs(law(GAINS)), [r.model_copy(deep=True) for r in runs(law(TURNED))]
    for record in long:
        record.setting["recipe"]["epochs"] *= 2
    last = t.experiments([*long, *short])[-1]
    assert t.gain(last) == pytest.approx(GAINS["dwr"]) and len(last) == len(long)
    assert last.record.iloc[0] is long[0]


def test_differences_are_those_that_went_in():
    found = against_dwr(GAINS)
    assert list(found.index) == ["d", "w", "r", "dWr"]
    for way in found.index:
        assert found["mean"][way] == pytest.approx(GAINS["dwr"] - GAINS[way])
    assert ((found.low < found["mean"]) & (found["mean"] < found.high)).all()


def test_simultaneous_intervals_are_wider_than_single_ones():
    from scipy.stats import ttest_ind

    runs_of = t.largest(one(GAINS)).groupby("strategy").above
    single = ttest_ind(runs_of.get_group("r"), runs_of.get_group("dwr")).confidence_interval()
    row = against_dwr(GAINS).loc["r"]
    assert row.high - row.low > 1.1 * (single.high - single.low)


@pytest.mark.parametrize(
    ("gains", "noise", "verdict"),
    [(GAINS, 0.1, "holds"), (TURNED, 0.1, "fails"), (GAINS, 9.0, "open"), (TURNED, 9.0, "open")],
)
def test_an_interval_on_one_side_decides(gains, noise, verdict):
    assert set(against_dwr(gains, noise).verdict) == {verdict}


def test_alike_is_within_a_share_of_the_gain():
    edge = t.ALIKE * GAINS["dwr"]
    assert against_dwr({**GAINS, "dWr": GAINS["dwr"] - 0.8 * edge}, 0.05).verdict["dWr"] == "holds"
    assert against_dwr({**GAINS, "dWr": GAINS["dwr"] - 1.2 * edge}, 0.05).verdict["dWr"] == "fails"


def test_what_can_be_seen_follows_noise_and_number_of_runs():
    usual = t.visible(one(GAINS))
    assert t.visible(one(GAINS, noise=0.2)) == pytest.approx(2 * usual, rel=0.02)
    # Three seeds, 12 degrees of freedom and more: close to (1.96 + 0.84) sigma sqrt(2 / 3).
    spreads = t.largest(one(GAINS)).groupby(["base", "strategy"]).error.std()
    plain = 2.8 * np.sqrt((spreads**2).mean() * 2 / 3)
    assert plain < usual < 1.1 * plain


def timed(found, seconds):
    """Updates of these networks that took so long, by strategy."""
    like = next(r for r in stored() if isinstance(r, TimingRecord) and r.protocol.mode == "step")
    for way, part in found.groupby("strategy", dropna=False):
        way = None if isinstance(way, float) else way
        subject = part.record.iloc[0].subject
        yield like.model_copy(update={"subject": subject, "samples_s": (seconds[way],) * 3})


def test_at_equal_seconds_a_slow_network_is_read_where_it_was_smaller():
    found = one(GAINS, noise=0.0)
    found = found[(found.base == "proxy-Y") & (found.strategy != "alpha=2/3")]
    seconds = {None: 1.0, "d": 4.0, "w": 2.0, "r": 4.0, "dwr": 4.0, "dWr": 2.0}
    at = t.at_equal_seconds(found, timed(found, seconds)).set_index("strategy")
    # At twice the base's seconds dwr has half of its gain: half of 5 points.
    assert at["mean"]["dWr"] == pytest.approx(2.5 - 5) and at["mean"]["w"] == pytest.approx(2.5 - 4)
    assert at["mean"]["d"] == pytest.approx(2.5 - 2) and at["mean"]["dwr"] == 0
    assert list(at.seconds) == [seconds[way] for way in at.index]
    same = t.at_equal_seconds(found, timed(found, dict.fromkeys(seconds, 2.0) | {None: 1.0}))
    same = same.set_index("strategy")["mean"]
    assert all(same[way] == pytest.approx(GAINS["dwr"] - GAINS[way]) for way in same.index)


def test_without_times_of_all_that_is_needed_there_is_no_such_table():
    found = one(GAINS)
    assert t.at_equal_seconds(found[found.base == "proxy-Y"], []).empty
    assert t.at_equal_seconds(found, timed(found, dict.fromkeys(GAINS, 1.0))).empty


def test_a_reader_s_file(tmp_path):
    path, made = tmp_path / "mine.jsonl", runs(law(GAINS))
    for record in made:
        append(path, record)
    (found,) = t.trainings(str(path))
    assert len(found) == len(made)
    with pytest.raises(InputError, match="is not there"):
        t.trainings(str(tmp_path / "none.jsonl"))
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(InputError, match="holds no training runs to compare"):
        t.trainings(str(tmp_path / "empty.jsonl"))
