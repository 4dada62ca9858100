"""Sets of timings, what predicts them, and rooflines; on made-up machines with stated laws."""

import numpy as np
import pandas as pd
import pytest
from made_up_timings import CPU, GPU, by_acts, by_all, by_flops, records, write

from repro.analysis.timing import correlates as rf
from repro.errors import InputError
from repro.runtime.roofline import device_peaks

DRAWS = {"seed": 0, "resamples": 200}
ASSUMED = {"figure2": "fp16", "zoo-train": "fp32"}


@pytest.fixture(scope="module")
def figure2():
    return rf.figure2()


# ------------------------------------------------------------------ sets


def test_figure2_in_milliseconds(figure2):
    table = figure2.frame
    assert len(table) == 187 and figure2.scaled
    one = table[(table.base == "EN-B0") & (table.strategy == "dwr") & (table.s == 1)].iloc[0]
    assert one.ms == pytest.approx(one.minutes * 60e3 * 8 / 1281167)
    assert 1.0 < one.ms < 1.1
    assert one.model == "EN-B0 dwr ×1"


def test_the_zoo_in_milliseconds():
    training, inference = rf.zoo(), rf.zoo("infer")
    assert len(training.frame) == len(inference.frame) == 36 and not training.scaled
    first = training.frame.iloc[0]
    assert (first.model, first.batch) == ("RegNetX-200MF", 128)
    assert first.ms == pytest.approx(1e3 * 0.0859 / 128)
    assert first.minutes == pytest.approx(1281167 / 1024 * 0.0859 / 60)
    assert inference.frame.ms.iloc[0] == pytest.approx(1e3 * 0.0165 / 100)
    assert first.flops == pytest.approx(0.199040872)


def test_recorded_sets_by_machine_and_way(held):
    held(records("laptop", by_acts, CPU), records("paper-gpu", by_acts, GPU))
    titles = [t.title for t in rf.recorded()]
    assert titles[0] == "Made-up H200: training, bf16, largest batch in 32 GB"
    assert titles[-2:] == [
        "Made-up CPU, 2 threads: training, fp32, batch 4",
        "Made-up CPU, 2 threads: inference, fp32, batch 1",
    ]
    # compiled, contiguous, of zeros, or of two networks alone: no sets
    assert len(titles) == len(set(titles)) == 10
    cpu = rf.first(rf.recorded(), "cpu", "step")
    b0 = cpu.frame[cpu.frame.model == "EN-B0"].iloc[0]
    assert b0.ms == pytest.approx(3e-6 * 6_746_000, rel=1e-3)
    assert b0.minutes == pytest.approx(b0.ms * 1281167 / 60e3)
    assert b0.ms_low < b0.ms < b0.ms_high
    assert b0.memory_mb == pytest.approx(10 * b0.acts)
    assert rf.first(rf.recorded(), "tpu") is None


def test_the_later_of_two_timings_counts(held):
    held(records("laptop", by_flops, CPU), records("laptop", by_acts, CPU))
    timings = rf.best_training()[0].frame
    assert np.corrcoef(timings.acts, timings.ms)[0, 1] == pytest.approx(1)


def test_main_sets_take_each_machines_training_with_most_networks(held):
    held(records("paper-gpu", by_acts, GPU), records("laptop", by_acts, CPU))
    sets = rf.main_sets()
    assert [t.key for t in sets[:2]] == ["figure2", "zoo-train"]
    assert [(t.kind, len(t.frame)) for t in sets[2:]] == [("cuda", 278), ("cpu", 55)]


def test_other_papers_networks_and_single_blocks_are_left_out(held):
    made = records("laptop", by_acts, CPU)

    def renamed(record, name):
        subject = record.subject.model_copy(update={"base": name})
        return record.model_copy(update={"subject": subject})

    timed = [r for r in made if r.kind == "timing"]
    held([renamed(r, "MBConv") for r in timed], [renamed(r, "EN-X-B0") for r in timed])
    assert rf.recorded() == []


def test_nothing_recorded_names_the_command(held):
    held()
    with pytest.raises(InputError, match="repro time --sweep laptop --out"):
        rf.main_sets()
    held(records("laptop", by_acts, CPU)[:5])
    with pytest.raises(InputError, match="at least 8 networks"):
        rf.best_training()


def test_up_to_a_number_of_acts(figure2):
    assert figure2.up_to(140).frame.acts.max() <= 140
    assert len(figure2.up_to(140).frame) == 177


# ------------------------------------------------------------------ what is there


def test_files_say_whether_they_belong(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_ROOT", str(tmp_path))
    made = records("laptop", by_acts, CPU)
    write(tmp_path, "laptop-cpu", made)
    (row,) = rf.files_table().to_dict("records")
    assert row["file"] == "laptop-cpu.jsonl"
    assert row["machine"] == "Made-up CPU, 2 threads"
    assert (row["networks"], row["timings"]) == (55, 110)
    assert row["code unchanged"] == "yes"
    monkeypatch.setattr(rf, "changed_code", lambda record: ["repro.models.block"])
    assert rf.files_table()["code unchanged"][0] == "no: repro.models.block"


def test_the_gpu_is_reported_or_asked_for(held):
    held(records("laptop", by_acts, CPU))
    sets = rf.main_sets()
    assert "`repro time --sweep paper-gpu --device cuda --chunk I/N" in rf.gpu_status()
    assert "open" in rf.gpu_answer(sets, 140)
    held(records("paper-gpu", by_acts, GPU))
    assert rf.gpu_status() == "GPUs recorded: Made-up H200."
    answer = rf.gpu_answer(rf.main_sets(), 140)
    assert answer.startswith("On Made-up H200, over 70 EN-B0, r is 1.00 for activations")


# ------------------------------------------------------------------ correlation


def test_correlations_of_a_machine_that_only_writes(held):
    held(records("laptop", by_acts, CPU))
    found = rf.correlations(rf.best_training(), 140, **DRAWS)
    assert set(found.group) == {"together", "EfficientNet", "RegNetY", "RegNetZ"}
    assert set(found.range) == {"all"}  # none has more than 140 M acts
    acts = found[(found.cost == "acts") & (found.method == "Pearson")]
    assert acts[["r", "low", "high"]].to_numpy() == pytest.approx(np.ones((4, 3)))
    assert (found[found.cost == "flops"].r < 1).all()
    table = rf.correlation_table(found, rf.best_training(), 140, **DRAWS)
    assert list(table.acts) == pytest.approx([1] * 4)
    assert set(table.timings) == {"Made-up CPU: training"}
    leads = table["acts minus flops"]
    assert leads.str.match(r"^\+0\.\d\d \(\+0\.\d\d to \+0\.\d\d\)$").all()


def test_the_paper_s_range_is_a_group_of_its_own(figure2):
    found = rf.correlations([figure2], 140, **DRAWS)
    sizes = found.drop_duplicates(["group", "range"]).set_index(["group", "range"]).models
    assert sizes["EfficientNet", "all"] == 64 and sizes["EfficientNet", "drawn"] == 54
    assert ("RegNetZ", "drawn") not in sizes.index
    table = rf.correlation_table(found, [figure2], 140, **DRAWS).set_index("networks")
    low = table["acts minus flops"]["together, drawn"].partition("(")[2].partition(" to")[0]
    assert float(low) > 0
    printed = found[(found.group == "EfficientNet") & (found.range == "drawn")]
    r = printed[(printed.method == "Pearson") & (printed.cost == "acts")].r
    assert round(float(r.iloc[0]), 3) == 0.985


def test_who_leads(held):
    for law, sign in ((by_acts, 1), (by_flops, -1)):
        held(records("laptop", law, CPU))
        value, low, high = rf.lead(rf.best_training()[0], **DRAWS)
        assert sign * value > 0 and sign * low > 0 and sign * high > 0
        assert low <= value <= high


# ------------------------------------------------------------------ exponents


def test_the_unscaled_network_stands_in_every_curve(held, figure2):
    held(records("laptop", by_acts, CPU))
    curves = rf.along(rf.best_training()[0])
    assert set(curves.strategy) == {"d", "w", "r", "dwr", "dWr"}
    assert (curves.groupby(["base", "strategy"]).s.apply(list).map(len) == 3).all()
    assert rf.along(figure2) is figure2.frame
    assert rf.along(rf.zoo()).empty


@pytest.mark.parametrize(("law", "cost"), [(by_acts, "acts"), (by_flops, "flops")])
def test_time_grows_like_what_decides_it(held, law, cost):
    held(records("laptop", law, CPU))
    slopes = rf.exponents(rf.best_training()[0])
    assert len(slopes) == 25
    assert list(slopes.minutes) == pytest.approx(list(slopes[cost]))


def test_exponents_beside_each_other_use_one_range(held, figure2):
    held(records("laptop", by_acts, CPU))
    table = rf.exponents_beside([figure2, *rf.best_training()])
    assert list(table.columns)[:4] == ["network", "strategy", "acts", "flops"]
    b0 = table.set_index(["network", "strategy"]).loc["EN-B0", "dwr"]
    alone = rf.exponents(figure2, 4).set_index(["base", "strategy"]).loc["EN-B0", "dwr"]
    assert b0["time, V100"] == alone.minutes
    assert b0["time, Made-up CPU"] == pytest.approx(b0.acts)
    assert table["time, V100"].isna().sum() == 16  # d and r, and the two bases of 4 GF


@pytest.mark.parametrize(("law", "place"), [(by_acts, 0), (by_flops, 1)])
def test_where_time_lies_between_acts_and_flops(held, figure2, law, place):
    held(records("laptop", law, CPU))
    table = rf.exponents_beside([figure2, *rf.best_training()])
    assert rf.between(table, "Made-up CPU") == pytest.approx(place, abs=1e-9)


def test_ways_beside_the_training_of_their_machine(held):
    held(records("laptop", by_acts, CPU))
    table = rf.ways_table().set_index("timings")
    assert len(table) == 5
    assert table.acts["Made-up CPU, 2 threads: inference, fp32, batch 1"] == pytest.approx(1)
    assert table.training["Made-up CPU, 2 threads: inference, fp32, batch 1"] == pytest.approx(1)
    assert 0.99 < table.training["V100, authors' zoo, inference"] < 1
    assert pd.isna(table.training["V100, Figure 2"])


# ------------------------------------------------------------------ rooflines, predictor


def test_a_machine_on_its_roofline(figure2):
    ideal = rf.with_roofline(figure2, device_peaks("V100"), "fp16", "none")
    table = ideal.frame
    assert (table.ideal > 0).all() and (table.intensity > 0).all()
    # three products of the same size, a multiply-add as two operations
    assert list(table.operations) == pytest.approx(list(6e9 * table.flops), rel=0.02)
    perfect = rf.replace(ideal, frame=table.assign(ms=table.ideal))
    (row,) = rf.roofline_table([perfect]).to_dict("records")
    assert row["lowest"] == row["highest"] == 1 and row["r"] == pytest.approx(1)
    assert rf.roofline_table([ideal])["lowest"][0] > 1  # no V100 beats its roof


def test_peaks_are_measured_ones_where_there_are(held, figure2):
    made = records("laptop", by_acts, CPU, peak=2e11)
    held(made)
    cpu = rf.best_training()[0]
    assert rf.peaks_of(cpu).of("fp32") == 2e11
    assert rf.peaks_of(figure2).name == "V100"
    assert [t.key for t in rf.rooflines([figure2, cpu], ASSUMED, "none")] == ["figure2", cpu.key]
    held(made[1:])
    assert rf.peaks_of(cpu) is None
    assert rf.rooflines([cpu], ASSUMED, "none") == []


def test_the_predictor_finds_a_law_even_for_the_unseen(held):
    held(records("laptop", by_all, CPU))
    found = rf.prediction_report(rf.best_training())
    every = found[found.counts == "flops + params + acts + kernels"]
    assert list(every.left_out) == ["none", "family", "strategy"]
    assert every.error.to_numpy() == pytest.approx(np.zeros(3), abs=1e-4)
    alone = found[(found.counts == "acts") & (found.left_out == "none")]
    assert alone.error.iloc[0] > 0.02
    table = rf.prediction_table(found)
    assert list(table.columns) == [
        "timings", "left out", "flops", "params", "acts", "kernels", "flops + acts", "all four",
    ]  # fmt: skip
    assert len(table) == 3


def test_costs_of_a_law(held):
    held(records("laptop", by_all, CPU))
    sets = rf.best_training()
    (row,) = rf.cost_table(sets).to_dict("records")
    # training takes three times the law; ms per G flops, M acts and kernel
    assert row["ms per G flops"] == pytest.approx(9, rel=1e-3)
    assert row["ms per M acts"] == pytest.approx(3, rel=1e-3)
    assert row["ms per kernel"] == pytest.approx(0.09, rel=1e-3)
    assert row["balance"] == pytest.approx(1000 / 3, rel=1e-3)
    (shares,) = rf.share_table(sets).drop(columns="timings").to_dict("records")
    assert sum(shares.values()) == pytest.approx(100)
    assert shares["params"] == pytest.approx(0, abs=0.1)


def test_free_flops_have_no_balance(held):
    held(records("laptop", by_acts, CPU))
    assert rf.balance(rf.best_training()[0]) > 1e6


def test_flops_per_act():
    table = rf.flops_per_act(["EN-B0", "ResNet-50"])
    assert list(table["flops per act"].round(1)) == [57.2, 361.4]


def test_predicted_milliseconds(held):
    held(records("laptop", by_all, CPU))
    timings = rf.best_training()[0]
    ms = rf.predict(rf.fitted(timings), timings.frame)
    assert list(ms) == pytest.approx(list(timings.frame.ms), rel=1e-3)


# ------------------------------------------------------------------ key numbers


def test_the_zoo_is_slower_than_the_tables():
    ratios = rf.zoo_over_tables()
    assert len(ratios) == 9
    assert ratios["EN-B0"] == pytest.approx(
        1281167 / 256 * rf.reference.zoo_timings()[30].train_fw_bw_s / 60 / 2.8
    )
    assert ratios.between(1.6, 2.6).all()


def test_no_v100_reaches_figure2_s_rates_in_fp32(figure2):
    peak = device_peaks("V100").of("fp32") / 1e9
    assert (6 * figure2.frame.flops / figure2.frame.ms * 1e3).max() > peak
    assert (6 * rf.zoo().frame.flops / rf.zoo().frame.ms * 1e3).max() < peak


def test_the_ledger_s_claims_about_time(held):
    table = rf.timing_claims()
    assert len(table) > 20
    assert set(table.verdict[table.machine == "–"]) <= {"not testable here"}


def test_key_numbers_are_plain(held):
    held(records("laptop", by_acts, CPU))
    sets = rf.main_sets()
    numbers = rf.predict_numbers(
        sets, rf.rooflines(sets, ASSUMED, "none"), rf.prediction_report(sets), 140, **DRAWS
    )
    assert all(isinstance(v, int | float | str) for v in numbers.values())
    assert numbers["wpr_cpu_acts"] == 1
    assert numbers["wpr_figure2_n"] == 187 and numbers["wpr_zoo_n"] == 36
    assert numbers["wpr_rest_n"] == 30
    assert not [k for k, v in numbers.items() if isinstance(v, float) and pd.isna(v)]
