"""Claims about time: judged on made-up machines that obey them, and on ones that do not."""

from itertools import chain

import pytest
from made_up_timings import CPU, GPU, by_acts, by_all, by_flops, records, sweep, write

from repro import stored
from repro.claims import JUDGES, judge, load, timing
from repro.runtime.jobs import PeakJob

TIMED = [c for c in load().claims if JUDGES.get(c.judge, judge).__module__ == timing.__name__]
CLAIMS = {c.id: c for c in TIMED}
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
        assert f"This records them: repro {wanted}" in judgement.why
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


def some(*strategies, base="EN-B0", scales=(1, 2, 4, 16, 40, 48), law=by_acts):
    """A partial sweep: a base, and its versions by these strategies at these scales."""

    def kept(task):
        if isinstance(task, PeakJob):
            return True
        s = task.subject
        return s.base == base and s.strategy in (None, *strategies) and (s.scale or 1) in scales

    return records("record", law, GPU, peak=1e15, keep=kept)


FOUR = ("dwr", "dw", "dWr", "w")
DECIDED_BY_ONE_NETWORK = {
    "gpu-acts-within-model",
    "gpu-acts-lead",
    "gpu-time-order-16gf",
    "gpu-fast-speedup-16gf",
    "gpu-time-growth",
    "gpu-ranks",
    "flop-bound-models",
}


def test_four_strategies_of_one_network_decide_what_they_can(held):
    """What the first minutes of a recording hold: EN-B0 by all four, at five scales."""
    held(some(*FOUR))
    found = verdicts(GPU_CLAIMS)
    assert {i for i, v in found.items() if v == "trend reproduced"} >= DECIDED_BY_ONE_NETWORK
    held(some(*FOUR, law=by_flops))
    failed = {i for i, v in verdicts(GPU_CLAIMS).items() if v == "not reproduced"}
    assert failed == (DECIDED_BY_ONE_NETWORK & ACTS_DECIDE)


@pytest.mark.parametrize("lacking", FOUR)
@pytest.mark.parametrize("law", [by_acts, by_flops])
def test_three_strategies_decide_nothing_and_the_fourth_is_named(held, law, lacking):
    """Time proportional to flops alone goes with acts at 0.998 within one strategy."""
    held(some(*(s for s in FOUR if s != lacking), law=law))
    for i in GPU_CLAIMS - {"gpu-time-order-16gf", "gpu-fast-speedup-16gf"}:
        judgement = judge(CLAIMS[i])
        assert judgement.verdict == "not testable here", i
        if i in DECIDED_BY_ONE_NETWORK:
            reach = "40" if i == "flop-bound-models" else "16"
            assert f"Made-up H200 lacks EN-B0 by {lacking} up to s = {reach}" in judgement.why


def test_one_strategy_alone_passes_nothing(held):
    held(records("record", by_flops, GPU, keep=only_dwr))
    assert set(verdicts(GPU_CLAIMS).values()) == {"not testable here"}
    assert "EN-B0 by dw, dWr, w up to s = 16" in judge(CLAIMS["gpu-ranks"]).why


def only_dwr(task):
    subject = getattr(task, "subject", None)
    return subject is None or (subject.base == "EN-B0" and subject.strategy in (None, "dwr"))


def test_all_strategies_must_go_far_enough(held):
    """Up to s = 4 everything correlates: at 0.99 even on a machine that only multiplies."""
    near = some(*FOUR, scales=(1, 0.5, 2, 4), law=by_flops)
    held(near)
    assert set(verdicts(GPU_CLAIMS - {"inference-time"}).values()) == {"not testable here"}
    held(near, some("dwr", "dw", "dWr", law=by_flops))
    assert "EN-B0 by w up to s = 16" in judge(CLAIMS["gpu-acts-within-model"]).why


def test_the_base_itself_belongs_to_every_strategy(held):
    held([r for r in some(*FOUR) if r.kind == "peak" or r.subject.strategy])
    assert "lacks EN-B0 unscaled." in judge(CLAIMS["gpu-acts-lead"]).why


def test_ranks_must_be_better_than_those_of_flops(held):
    """Networks a factor of four apart rank alike by any count, so 0.95 alone would ask nothing."""
    coarse = {"scales": (1, 2, 4, 16)}
    held(some(*FOUR, **coarse))
    (point,) = judge(CLAIMS["gpu-ranks"]).points
    asked, found = float(point.published.split()[-1]), float(point.computed)
    assert 0.97 < asked < found and point.match == "yes"
    held(some(*FOUR, **coarse, law=by_flops))
    (point,) = judge(CLAIMS["gpu-ranks"]).points
    found = float(point.computed)
    assert found > 0.95 and point.match == "no"
    assert asked == pytest.approx((1 + found) / 2, abs=1e-4)


def test_a_correlation_needs_enough_networks(held):
    held(some(*FOUR, scales=(1, 2, 4, 16)))
    why = judge(CLAIMS["gpu-within-strategy"]).why
    assert "lacks networks: 8 at least are needed, it has 4 of EN-B0 dwr, 4 of EN-B0 dw" in why
    assert judge(CLAIMS["gpu-acts-within-model"]).points[0].label == "EN-B0, 13 networks"


def test_families_together_need_all_of_them(held):
    held(some(*FOUR), some(*FOUR, base="RegNetY-500MF", scales=(1, 4, 16, 32)))
    why = judge(CLAIMS["gpu-families-together"]).why
    assert "lacks RegNetZ-500MF unscaled and by dwr, dw, dWr, w up to s = 16" in why
    held(*(some(*FOUR, base=b) for b in ("EN-B0", "RegNetY-500MF", "RegNetZ-500MF")))
    assert judge(CLAIMS["gpu-families-together"]).n == 1


def test_a_cpu_is_asked_for_every_strategy_too(held):
    def without_w(task):
        return isinstance(task, PeakJob) or task.subject.strategy != "w"

    held(records("laptop", by_acts, CPU, keep=without_w))
    open_ones = {i for i, v in verdicts().items() if v == "not testable here"} - GPU_CLAIMS
    decided_by_few = {"cpu-fast-speedup-4x", "cpu-regnety-fastest"}
    assert open_ones == set(CLAIMS) - GPU_CLAIMS - decided_by_few
    assert "by w up to s = 4" in judge(CLAIMS["cpu-ranks"]).why


def test_single_networks_that_lack_are_named(held):
    held(some("dwr", "dWr"))
    why = judge(CLAIMS["gpu-time-order-16gf"]).why
    assert "Made-up H200 lacks EN-B0 w x48, EN-B0 dw x40. This records them: repro record" in why


def test_a_peak_rate_must_be_measured(held):
    held([r for r in some(*FOUR) if r.kind != "peak"])
    assert "lacks its peak rate in bf16" in judge(CLAIMS["flop-bound-models"]).why


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
