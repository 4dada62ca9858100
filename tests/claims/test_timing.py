"""Claims about time: judged on made-up machines that obey them, and on ones that do not."""

from itertools import chain

import pytest
from made_up_timings import CPU, GPU, by_acts, by_all, by_flops, records, sweep, write

from repro import stored
from repro.arch import get
from repro.claims import JUDGES, judge, load, timing
from repro.errors import InputError
from repro.evidence.timings import UNSCALED_X
from repro.records import Protocol, State, Subject, TimingRecord, stamp, timing_inputs
from repro.runtime.jobs import PeakJob, description_of

TIMED = [c for c in load().claims if JUDGES.get(c.judge, judge).__module__ == timing.__name__]
CLAIMS = {c.id: c for c in TIMED if "way" in c.args}
GPU_CLAIMS = {i for i, c in CLAIMS.items() if c.args["way"].startswith("gpu")}


@pytest.fixture
def held(monkeypatch):
    """Sets the records that judges see."""

    def hold(*sets):
        for module in ("repro.claims.timing", "repro.evidence.timings"):
            monkeypatch.setattr(f"{module}.stored", lambda: tuple(chain(*sets)))

    return hold


def verdicts(ids=CLAIMS):
    return {i: judge(CLAIMS[i]).verdict for i in ids}


def changed(claim_id, **args):
    claim = CLAIMS[claim_id]
    return judge(claim.model_copy(update={"args": claim.args | args}))


def test_without_records_every_claim_says_what_to_run(held):
    held([])
    for i in CLAIMS:
        judgement = judge(CLAIMS[i])
        assert judgement.verdict == "not testable here"
        wanted = "record --device cuda" if i in GPU_CLAIMS else "time --sweep laptop"
        assert f"repro {wanted}" in judgement.why
        assert judgement.machine == ""


NOT_BY_ACTS_ALONE = {
    "gpu-within-strategy",  # acts are no straight line over flops and params
    "cpu-ranks",  # an activation costs more in one family than in another
    "cpu-time-order-4x",  # at s = 4 rounding leaves EN-B0's w with more acts than its dWr
}


def test_a_machine_that_only_writes_activations_reproduces_what_they_decide(held):
    held(records("laptop", by_acts, CPU, peak=1e15), records("record", by_acts, GPU, peak=1e15))
    found = verdicts()
    assert {i for i, v in found.items() if v != "trend reproduced"} == NOT_BY_ACTS_ALONE


def test_a_machine_that_does_several_things_reproduces_the_others(held):
    held(records("laptop", by_all, CPU), records("record", by_all, GPU))
    assert set(verdicts(NOT_BY_ACTS_ALONE).values()) == {"trend reproduced"}


ACTS_DECIDE = {
    "gpu-acts-within-model",
    "gpu-acts-lead",
    "gpu-families-together",
    "gpu-time-order-16gf",
    "gpu-fast-speedup-16gf",
    "gpu-time-growth",
    "gpu-ranks",
    "gpu-regnety-fastest",
    "gpu-regnety-16gf-b4-time",
    "cpu-acts-within-model",
    "cpu-acts-lead",
    "cpu-time-order-4x",
    "cpu-fast-speedup-4x",
    "cpu-regnety-fastest",
}


def test_a_machine_that_only_multiplies_fails_what_activations_decide(held):
    held(records("laptop", by_flops, CPU), records("record", by_flops, GPU))
    failed = {i for i, v in verdicts().items() if v == "not reproduced"}
    assert failed == ACTS_DECIDE | {"gpu-within-strategy", "cpu-ranks"}


def test_a_machine_that_reaches_its_peak_is_bound_by_flops(held):
    held(records("laptop", by_flops, CPU, peak=3e11), records("record", by_flops, GPU, peak=3e11))
    ids = {"flop-bound-models", "cpu-flop-bound-models"}
    assert set(verdicts(ids).values()) == {"not reproduced"}
    assert "66.7 %" in judge(CLAIMS["flop-bound-models"]).computed


def test_inference_that_goes_its_own_way_does_not_follow_training(held):
    def infers(task):
        return not isinstance(task, PeakJob) and task.protocol.mode == "infer"

    for plan, machine, i in (
        ("laptop", CPU, "cpu-inference-time"),
        ("record", GPU, "inference-time"),
    ):
        training = records(plan, by_acts, machine, keep=lambda task: not infers(task))
        backwards = records(plan, lambda s: 1.0 / s.acts, machine, keep=infers)
        held(training, backwards)
        assert judge(CLAIMS[i]).verdict == "not reproduced"


def test_order_of_memory_can_fail(held):
    held(records("record", by_acts, GPU))
    other = [[["EN-B4"], ["RegNetY-4GF", "dWr", 4]]]
    assert changed("regnety-16gf-memory", rising=other).verdict == "not reproduced"


def test_every_judge_of_time_passes_and_fails_above():
    failing = ACTS_DECIDE | {"flop-bound-models", "inference-time", "regnety-16gf-memory"}
    assert {CLAIMS[i].judge for i in failing} == {c.judge for c in CLAIMS.values()}


def test_a_verdict_names_its_machine(held):
    held(records("laptop", by_acts, CPU), records("record", by_acts, GPU))
    for i in CLAIMS:
        judgement = judge(CLAIMS[i])
        machine = "Made-up H200" if i in GPU_CLAIMS else "Made-up CPU, 2 threads"
        assert judgement.machine == machine
        assert machine in judgement.why
        assert {p.machine for p in judgement.points} == {machine}


def test_each_machine_is_judged_and_the_worst_decides(held):
    other = GPU.model_copy(update={"device_name": "Another GPU"})
    held(records("record", by_acts, GPU), records("record", by_flops, other))
    judgement = judge(CLAIMS["gpu-fast-speedup-16gf"])
    assert judgement.verdict == "not reproduced"
    assert judgement.machine == "Made-up H200 and Another GPU"
    assert [p.label.partition(":")[0] for p in judgement.points] == ["Made-up H200", "Another GPU"]


def test_a_part_of_a_sweep_decides_only_what_it_can(held):
    some = records("record", by_acts, GPU, keep=lambda t: getattr(t, "subject", None) is not None)
    held(some[:9])  # EN-B0, and its versions at s = 4 and 2
    assert judge(CLAIMS["gpu-time-order-16gf"]).verdict == "not testable here"
    assert judge(CLAIMS["gpu-acts-within-model"]).n == 1


def test_a_network_timed_again_counts_as_timed_last(held):
    held(records("laptop", by_flops, CPU), records("laptop", by_acts, CPU))
    assert judge(CLAIMS["cpu-acts-within-model"]).verdict == "trend reproduced"


def test_timings_of_earlier_code_are_named(held):
    def aged(record):
        return record.model_copy(update={"code": {**record.code, "repro.models.block": "0" * 16}})

    held([aged(r) for r in records("laptop", by_acts, CPU)])
    assert judge(CLAIMS["cpu-ranks"]).machine == "Made-up CPU, 2 threads (timed by earlier code)"


def test_other_protocols_are_no_evidence(held):
    made = records("laptop", by_acts, CPU)
    held([r for r in made if r.protocol.mode == "infer"])
    assert judge(CLAIMS["cpu-acts-lead"]).verdict == "not testable here"


def test_equal_values_share_a_rank():
    assert timing._ranks([30.0, 10.0, 20.0]) == [3, 1, 2]
    assert timing._ranks([5.0, 1.0, 5.0, 7.0]) == [2.5, 1, 2.5, 4]


def test_stored_records_are_read_again_when_a_file_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_ROOT", str(tmp_path))
    (tmp_path / "data").mkdir()
    assert stored.record_files() == [] and stored.stored() == ()
    made = records("laptop", by_acts, CPU)[:3]
    path = write(tmp_path, "mine", made[:1])
    assert stored.stored() == tuple(made[:1])
    write(tmp_path, "mine", made[1:])
    assert stored.stored() == tuple(made) == stored.stored(path)


def test_machines_are_named_by_device_and_threads():
    cpu, gpu = (records(p, by_acts, m)[0] for p, m in (("laptop", CPU), ("record", GPU)))
    assert stored.machine_name(cpu) == "Made-up CPU, 2 threads"
    assert stored.machine_name(gpu) == "Made-up H200"
    one = cpu.model_copy(update={"protocol": cpu.protocol.model_copy(update={"threads": 1})})
    assert stored.machine_name(one) == "Made-up CPU, 1 thread"


def test_the_plans_time_what_the_claims_name():
    """Every network of a claim about an order or a ratio is in the sweep that records it."""
    for claim in CLAIMS.values():
        nets = [net for row in claim.args.get("rising", ()) for net in row if isinstance(row, list)]
        nets += [claim.args[k] for k in ("slow", "fast") if k in claim.args]
        plan = "record" if claim.id in GPU_CLAIMS else "laptop"
        wanted = timing.WAYS[claim.args["way"]]
        timed = {
            (t.subject.base, t.subject.strategy, t.subject.scale)
            for t in sweep(plan)
            if not isinstance(t, PeakJob)
            and all(getattr(t.protocol, k) == v for k, v in wanted.items())
        }
        for net in nets:
            key = tuple(net) if len(net) == 3 else (net[0], None, None)
            assert key in timed, (claim.id, net)


# Pairs of networks timed on one machine: what the second paper says about time.

PROTOCOL = Protocol(device="cuda", dtype="fp16", batch=128)
PAIRS = {c.id: c for c in TIMED if "pairs" in c.args}


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
    assert nothing.verdict == "not testable here" and "no machine has them" in nothing.why
    _, *rest = pairs_timed(claim, 3.0)
    assert judged(claim, rest, monkeypatch).verdict == "not testable here"


def test_other_conditions_of_pairs_do_not_count(monkeypatch):
    claim = PAIRS["x-recorded-mean"]
    for other in ({"dtype": "bf16"}, {"compile": "inductor"}, {"mode": "train"}, {"batch": 1}):
        made = pairs_timed(claim, 3.0, **other)
        found = judged(claim, made, monkeypatch)
        expected = "trend reproduced" if other == {"batch": 1} else "not testable here"
        assert found.verdict == expected, other  # a batch that memory halved is still of the kind
    with pytest.raises(InputError, match="a protocol has no 'dtypes'"):
        timing.rates({"dtypes": "fp16"})


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
    assert "all of them together" in judged(claim, made, monkeypatch).why


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
