"""Fast scaling in practice: curves, speed-ups, memory and money."""

from dataclasses import replace

import pandas as pd
import pytest
from made_up_timings import CPU, GPU, by_acts, by_all, by_flops, records

from repro.analysis.timing import practice, sets
from repro.errors import InputError


@pytest.fixture
def held(held):
    """Sets the records that frames see, and returns the training sets."""

    def set_records(*made):
        held(*made)
        return sets.best_training()

    return set_records


def test_times_are_relative_to_a_network_that_must_be_there(held):
    (timings,) = held(records("laptop", by_all, CPU))
    without = replace(timings, frame=timings.frame[timings.frame.base != "EN-B0"])
    with pytest.raises(InputError, match="EN-B0, to which times are relative, was not timed"):
        practice.base_ms(without)


def test_published_curves_start_at_the_base():
    table = practice.published_curves()
    small = table[table.panel == "EN-B0"]
    assert set(small.curve) == {"d", "w", "r", "dwr", "dw", "alpha=2/3", "dWr"}
    starts = small.loc[small.groupby("curve").flops.idxmin()]
    assert list(starts.relative) == pytest.approx([1] * 7, abs=0.01)
    large = table[table.panel == "dWr"]
    assert set(large.curve) == {"EN-B0", "RegNetY-500MF", "RegNetZ-500MF", "RegNetY-4GF", "orig"}
    b5 = large[(large.curve == "orig") & (large.flops > 10)]
    assert b5.relative.iloc[0] == pytest.approx(40.83 / 2.85)


def test_recorded_curves_are_the_same_ones(held):
    cpu = held(records("laptop", by_acts, CPU))[0]
    table = practice.recorded_curves(cpu)
    assert set(table[table.panel == "EN-B0"].curve) == {"d", "w", "r", "dwr", "dWr"}
    assert "orig" not in set(table.curve)
    b0 = table[(table.panel == "EN-B0") & (table.flops < 0.39)]
    assert list(b0.relative) == pytest.approx([1] * 5)
    gpu = held(records("record", by_acts, GPU))[0]
    assert (practice.recorded_curves(gpu).curve == "orig").sum() == 6


@pytest.mark.parametrize("law", [by_acts, by_flops])
def test_speedups_at_equal_flops(held, law):
    fast = practice.speedups(held(records("laptop", law, CPU)), 3.5)
    assert len(fast) == 10
    wanted = fast.acts if law is by_acts else [1] * 10
    assert list(fast.speedup) == pytest.approx(list(wanted))
    assert list(practice.speedup_table(fast).columns) == [
        "strategy", "network", "Made-up CPU", "acts, dwr over it",
    ]  # fmt: skip


def test_speedups_stop_where_curves_do(held):
    machines = held(records("laptop", by_acts, CPU))
    assert practice.speedups(machines, 100).empty
    far = practice.speedups([sets.figure2()], 40)
    assert set(far.machine) == {"V100"} and far.speedup.min() > 1.5


def test_memory_of_an_activation(held):
    held(records("laptop", by_all, CPU), records("record", by_all, GPU))
    table = practice.memory_table(practice.memory_sets())
    assert list(table["bytes per act"]) == pytest.approx([10, 10], rel=1e-3)
    assert list(table["bytes per param"]) == pytest.approx([0, 0], abs=1e-2)
    assert list(table.r) == pytest.approx([1, 1])


def test_memory_prefers_one_batch(held):
    def grown(record):
        """The largest batch differs from network to network."""
        if getattr(record, "protocol", None) and record.protocol.batch == "max":
            return record.model_copy(update={"batch": 8 + record.subject.params % 3})
        return record

    held([grown(r) for r in records("record", by_all, GPU) if r.kind == "timing"])
    (chosen,) = practice.memory_sets()
    assert chosen.title == "Made-up H200: training, bf16, batch 64"


def test_costs_by_hand(held):
    machines = held(records("laptop", by_acts, CPU))
    table = practice.costs(machines, ["EN-B0"], price=2.5, epochs=10).set_index("machine")
    v100, cpu = table.loc["V100"], table.loc["Made-up CPU"]
    assert v100.hours == pytest.approx(10 * 8 * 2.8 / 60)
    assert v100.cost == pytest.approx(2.5 * 10 * 8 * 2.8 / 60)
    seconds = 3e-9 * 6_748_036 * 1281167
    assert cpu.minutes == pytest.approx(seconds / 60)
    assert (v100.share, cpu.share) == (1, pytest.approx(8 * 2.8 * 60 / seconds))


def test_what_a_machine_did_not_time_has_no_costs(held):
    machines = held(records("laptop", by_acts, CPU))
    table = practice.costs(machines, ["ResNet-152", "ResNet-50", "RegNetZ-4GF"], 1, 1)
    assert list(table.network) == ["ResNet-50", "RegNetZ-4GF", "RegNetZ-4GF"]
    assert practice.costs(machines, ["ResNet-152"], 1, 1).empty
    assert pd.notna(table.share).all()
