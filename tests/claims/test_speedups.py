"""Speed-ups of pairs of networks: each claim can hold, fail and lack timings."""

import pytest
from made_up_timings import GPU

from repro.arch import get
from repro.claims import JUDGES, judge, load, speedups
from repro.errors import InputError
from repro.evidence.timings import UNSCALED_X
from repro.records import Protocol, State, Subject, TimingRecord, stamp, timing_inputs
from repro.runtime.jobs import description_of

PROTOCOL = Protocol(device="cuda", dtype="fp16", batch=128)
PAIRS = {
    c.id: c for c in load().claims if JUDGES.get(c.judge, judge).__module__ == speedups.__name__
}


def timed(name, seconds, machine=GPU, batch=128, **protocol):
    subject = Subject(name=name, base=name, resolution=224, params=1)
    conditions = PROTOCOL.model_copy(update=protocol)
    return TimingRecord(
        **stamp(TimingRecord.entry, timing_inputs(subject, conditions), machine),
        subject=subject,
        protocol=conditions,
        batch=batch,
        iterations=1,
        samples_s=(seconds,),
        settled=True,
        before=State(),
        under_load=State(),
    )


def pairs_timed(claim, gain, **conditions):
    """Timings in which the first network of each pair is so many times as fast as the other."""
    speeds = {}
    for a, b in claim.args["pairs"]:
        speeds[a] = gain * speeds.setdefault(b, 1.0)
    return [timed(name, 1 / speed, **conditions) for name, speed in speeds.items()]


def judged(claim, made, monkeypatch):
    monkeypatch.setattr("repro.evidence.timings.stored", lambda: tuple(made))
    return judge(claim)


@pytest.mark.parametrize("name", PAIRS)
def test_each_can_hold_fail_and_lack_timings(name, monkeypatch):
    claim = PAIRS[name]
    good = judged(claim, pairs_timed(claim, 3.0), monkeypatch)
    assert (good.verdict, good.machine) == ("trend reproduced", "Made-up H200")
    assert judged(claim, pairs_timed(claim, 1.0), monkeypatch).verdict == "not reproduced"
    nothing = judged(claim, [], monkeypatch)
    assert nothing.verdict == "not testable here" and "repro record --device" in nothing.why
    first, *rest = pairs_timed(claim, 3.0)
    partly = judged(claim, rest, monkeypatch)
    assert partly.verdict == "not testable here"
    assert f"; Made-up H200 lacks {first.subject.name}. This records them" in partly.why


def test_other_conditions_of_pairs_do_not_count(monkeypatch):
    claim = PAIRS["x-recorded-mean"]
    for other in ({"dtype": "bf16"}, {"compile": "inductor"}, {"mode": "train"}, {"batch": 1}):
        made = pairs_timed(claim, 3.0, **other)
        found = judged(claim, made, monkeypatch)
        expected = "trend reproduced" if other == {"batch": 1} else "not testable here"
        assert found.verdict == expected, other  # a batch that memory halved is still of the kind
    with pytest.raises(InputError, match="a protocol has no 'dtypes'"):
        speedups.rates({"dtypes": "fp16"})


def test_pairs_are_judged_on_each_machine_and_named(monkeypatch):
    claim = PAIRS["x-recorded-table4"]
    other = GPU.model_copy(update={"device_name": "Made-up V100"})
    made = pairs_timed(claim, 3.0) + pairs_timed(claim, 0.5, machine=other)
    found = judged(claim, made, monkeypatch)
    assert found.verdict == "not reproduced" and found.n == 6
    assert {p.machine for p in found.points if p.match == "no"} == {"Made-up V100"}
    assert all(p.label.startswith(p.machine) for p in found.points)


def test_networks_of_one_claim_come_from_one_machine(monkeypatch):
    claim = PAIRS["x-recorded-swish-eager"]
    other = GPU.model_copy(update={"device_name": "Made-up V100"})
    first, second = pairs_timed(claim, 3.0)
    made = [first, timed(second.subject.name, 1.0, machine=other)]
    why = judged(claim, made, monkeypatch).why
    assert f"H200 lacks {second.subject.name}; Made-up V100 lacks {first.subject.name}." in why


def test_the_three_names_of_x_b0_are_one_network(monkeypatch):
    descriptions = [description_of(get(f"{name}+relu")) for name in UNSCALED_X]
    assert descriptions[0] == descriptions[1] == descriptions[2]
    claim = PAIRS["x-recorded-search-alone"]
    made = [timed("EN-X-B0+relu", 1.0), timed("EN-TF-B0", 2.0)]
    assert judged(claim, made, monkeypatch).verdict == "trend reproduced"


def test_the_last_timing_of_a_pair_counts(monkeypatch):
    claim = PAIRS["x-recorded-swish-eager"]
    made = pairs_timed(claim, 0.5) + pairs_timed(claim, 2.0)
    assert judged(claim, made, monkeypatch).computed == "2.00 times as fast"
