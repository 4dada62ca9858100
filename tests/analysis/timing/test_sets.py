"""Networks timed by others and by this project, in one form; on made-up machines."""

import numpy as np
import pytest
from made_up_timings import CPU, GPU, by_acts, by_flops, records

from repro.analysis.timing import sets
from repro.errors import InputError


def test_figure2_in_milliseconds():
    table = sets.figure2().frame
    assert len(table) == 187 and (table.acts <= 140).sum() == 177
    one = table[(table.base == "EN-B0") & (table.strategy == "dwr") & (table.s == 1)].iloc[0]
    assert one.ms == pytest.approx(one.minutes * 60e3 * 8 / 1281167)
    assert 1.0 < one.ms < 1.1
    assert one.model == "EN-B0 dwr ×1"


def test_the_zoo_in_milliseconds():
    training, inference = sets.zoo().frame, sets.zoo("infer").frame
    assert len(training) == len(inference) == 36
    first = training.iloc[0]
    assert (first.model, first.batch, first.strategy) == ("RegNetX-200MF", 128, sets.UNSCALED)
    assert first.ms == pytest.approx(1e3 * 0.0859 / 128)
    assert first.minutes == pytest.approx(1281167 / 1024 * 0.0859 / 60)
    assert inference.ms.iloc[0] == pytest.approx(1e3 * 0.0165 / 100)
    assert first.flops == pytest.approx(0.199040872)


def test_counts_are_ours_and_agree_with_the_published_ones(reference_folder):
    import pandas as pd

    points = pd.read_csv(reference_folder / "fast_scaling_figure2_runtime.csv")
    ours = sets.with_counts(points.rename(columns={"scale": "s"}))
    assert len(ours) == len(points)
    known = points.gflops.notna()
    assert list(ours.flops[known]) == pytest.approx(list(points.gflops[known]), abs=0.02, rel=1e-3)
    assert (ours.kernels > 50).all()


def test_a_row_s_network():
    assert sets.network_of("EN-B0", "", 1).name == sets.network_of("EN-B0", "unscaled", 1).name
    third = sets.network_of("EN-B0", "alpha=2/3", 4.0)
    assert third.resolution == sets.network_of("EN-B0", "2/3", 4.0).resolution


def test_recorded_sets_by_machine_and_way(held):
    held(records("laptop", by_acts, CPU), records("record", by_acts, GPU))
    titles = [t.title for t in sets.recorded()]
    assert titles[0] == "Made-up H200: training, bf16, largest batch in 32 GB"
    assert titles[-2:] == [
        "Made-up CPU, 2 threads: training, fp32, batch 4",
        "Made-up CPU, 2 threads: inference, fp32, batch 1",
    ]
    # compiled, contiguous, of zeros, or of two networks alone: no sets
    assert len(titles) == len(set(titles)) == 10
    cpu = sets.recorded()[-2]
    b0 = cpu.frame[cpu.frame.model == "EN-B0"].iloc[0]
    assert cpu.brief == "Made-up CPU: training"
    assert b0.ms == pytest.approx(3e-6 * 6_746_000, rel=1e-3)
    assert b0.minutes == pytest.approx(b0.ms * 1281167 / 60e3)
    assert b0.ms_low < b0.ms < b0.ms_high
    assert b0.memory_mb == pytest.approx(10 * b0.acts)


def test_the_later_of_two_timings_counts(held):
    held(records("laptop", by_flops, CPU), records("laptop", by_acts, CPU))
    table = sets.best_training()[0].frame
    assert np.corrcoef(table.acts, table.ms)[0, 1] == pytest.approx(1)


def test_each_machines_training_with_most_networks(held):
    held(records("record", by_acts, GPU), records("laptop", by_acts, CPU))
    best = sets.best_training()
    assert [(t.kind, len(t.frame)) for t in best] == [("cuda", 278), ("cpu", 55)]


def test_other_papers_networks_and_single_blocks_are_left_out(held):
    timed = [r for r in records("laptop", by_acts, CPU) if r.kind == "timing"]

    def renamed(record, name):
        subject = record.subject.model_copy(update={"base": name})
        return record.model_copy(update={"subject": subject})

    held([renamed(r, "MBConv") for r in timed], [renamed(r, "EN-X-B0") for r in timed])
    assert sets.recorded() == []


def test_nothing_recorded_names_the_command(held):
    held()
    with pytest.raises(InputError, match="repro time --sweep laptop --out"):
        sets.best_training()
    held(records("laptop", by_acts, CPU)[:5])
    with pytest.raises(InputError, match="at least 8 networks"):
        sets.best_training()


def test_the_unscaled_network_stands_in_every_curve(held):
    held(records("laptop", by_acts, CPU))
    curves = sets.along(sets.best_training()[0])
    assert set(curves.strategy) == {"d", "w", "r", "dwr", "dWr"}
    assert (curves.groupby(["base", "strategy"]).s.apply(list).map(len) == 3).all()
    figure2 = sets.figure2()
    assert sets.along(figure2) is figure2.frame
    assert sets.along(sets.zoo()).empty
