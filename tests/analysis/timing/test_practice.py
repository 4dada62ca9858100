"""Fast scaling in practice: published rows, times beside them, memory and money."""

import pandas as pd
import pytest
from made_up_timings import CPU, GPU, by_acts, by_all, by_flops, records

from repro.analysis.timing import correlates as rf
from repro.analysis.timing import practice as pf
from repro.complexity import complexity
from repro.errors import InputError
from repro.runtime.roofline import kernel_count


@pytest.fixture
def held(held):
    """Sets the records that frames see, and returns the training sets."""

    def set_records(*made):
        held(*made)
        return rf.best_training()

    return set_records


# ------------------------------------------------------------------ Tables 5 to 8


def test_printed_rows_stand_once_with_their_networks():
    rows = pf.printed()
    assert len(rows) == len({(r.base, r.strategy, r.s) for r in rows}) == 21
    by_model = {r.model: r for r in rows}
    hybrid = by_model["RegNetY-4GF→16GF"]
    assert (hybrid.base, hybrid.strategy, hybrid.s) == ("RegNetY-4GF", "dWr", 4)
    assert (hybrid.minutes, hybrid.error) == (16.4, 16.8)
    assert by_model["EfficientNet-B5"].minutes == 40.8
    for row in rows:
        found = complexity(rf.network_of(row.base, row.strategy, row.s))
        assert round(found.acts / 1e6, 1) == pytest.approx(row.macts, abs=0.051), row.model


def test_times_are_measured_where_they_were_and_predicted_elsewhere(held):
    sets = held(records("laptop", by_all, CPU))
    table = pf.printed_beside(sets).set_index("model")
    assert (table["Made-up CPU how"] == "measured").sum() == 6
    assert table["Made-up CPU how"]["RegNetY-4GF→16GF"] == "measured"
    assert table["Made-up CPU"]["EfficientNet-B0"] == 1
    # the made-up law is one that the predictor can find, so predictions are right
    start, b4 = (complexity(rf.get(n)) for n in ("EN-B0", "EN-B4"))
    kernels = [kernel_count(rf.get(n)) for n in ("EN-B0", "EN-B4")]
    law = [
        1e-9 * c.acts + 3e-12 * c.flops + 3e-5 * k
        for c, k in zip((start, b4), kernels, strict=True)
    ]
    assert table["Made-up CPU"]["EfficientNet-B4"] == pytest.approx(law[1] / law[0], rel=1e-3)
    shown = pf.printed_table(table.reset_index(), sets).set_index("network")["Made-up CPU"]
    assert shown["EfficientNet-B4"].startswith("≈ ") and shown["EfficientNet-B0"] == "1.0"
    assert pf.unseen_strategy_error(sets[0]) == pytest.approx(0, abs=1e-4)


def test_times_are_relative_to_a_network_that_must_be_there(held):
    (timings,) = held(records("laptop", by_all, CPU))
    without = rf.replace(timings, frame=timings.frame[timings.frame.base != "EN-B0"])
    with pytest.raises(InputError, match="EN-B0, to which times are relative, was not timed"):
        pf.base_ms(without)


def test_the_predictor_misses_plain_residual_networks():
    table = pf.prediction_check().set_index("model")
    assert (table.ratio - 1).abs().median() < 0.1
    assert table.ratio["ResNet50"] > 1.5  # fitted to networks with squeeze-excite alone


# ------------------------------------------------------------------ curves


def test_published_curves_start_at_the_base():
    table = pf.published_curves()
    small = table[table.panel == "EN-B0"]
    assert set(small.curve) == {"d", "w", "r", "dwr", "dw", "alpha=2/3", "dWr"}
    starts = small.loc[small.groupby("curve").flops.idxmin()]
    assert list(starts.relative) == pytest.approx([1] * 7)
    large = table[table.panel == "dWr"]
    assert set(large.curve) == {"EN-B0", "RegNetY-500MF", "RegNetZ-500MF", "RegNetY-4GF", "orig"}
    b5 = large[(large.curve == "orig") & (large.flops > 10)]
    assert b5.relative.iloc[0] == pytest.approx(40.83 / 2.85)


def test_recorded_curves_are_the_same_ones(held):
    cpu = held(records("laptop", by_acts, CPU))[0]
    table = pf.recorded_curves(cpu)
    assert set(table[table.panel == "EN-B0"].curve) == {"d", "w", "r", "dwr", "dWr"}
    assert "orig" not in set(table.curve)
    b0 = table[(table.panel == "EN-B0") & (table.flops < 0.39)]
    assert list(b0.relative) == pytest.approx([1] * 5)
    gpu = held(records("paper-gpu", by_acts, GPU))[0]
    assert (pf.recorded_curves(gpu).curve == "orig").sum() == 6


# ------------------------------------------------------------------ one network, two machines


def test_same_networks_on_two_machines(held):
    table = pf.same_networks(held(records("laptop", by_acts, CPU)))
    assert len(table) == 18
    assert list(table.ours) == pytest.approx(list(table.acts))
    one = table[(table.base == "EN-B0") & (table.strategy == "dwr") & (table.s == 4)].iloc[0]
    assert one.paper == pytest.approx(8.59 / ((2.87 + 2.83 + 2.84 + 2.83) / 4), rel=1e-3)
    shown = pf.same_table(table)
    assert len(shown) == 18 and "Made-up CPU" in shown and "V100s" in shown
    assert len(pf.same_table(table, (4, 4))) == 9


@pytest.mark.parametrize("law", [by_acts, by_flops])
def test_speedups_at_equal_flops(held, law):
    found = pf.speedups(held(records("laptop", law, CPU)), 3.5)
    assert len(found) == 10
    wanted = found.acts if law is by_acts else [1] * 10
    assert list(found.speedup) == pytest.approx(list(wanted))
    assert list(pf.speedup_table(found).columns) == [
        "strategy", "network", "Made-up CPU", "acts, dwr over it",
    ]  # fmt: skip


def test_speedups_stop_where_curves_do(held):
    sets = held(records("laptop", by_acts, CPU))
    assert pf.speedups(sets, 100).empty
    far = pf.speedups([rf.figure2()], 40)
    assert set(far.machine) == {"V100"} and far.speedup.min() > 1.5


# ------------------------------------------------------------------ memory and money


def test_memory_of_an_activation(held):
    held(records("laptop", by_all, CPU), records("paper-gpu", by_all, GPU))
    table = pf.memory_table(pf.memory_sets())
    assert list(table["bytes per act"]) == pytest.approx([10, 10], rel=1e-3)
    assert list(table["bytes per param"]) == pytest.approx([0, 0], abs=1e-2)
    assert list(table["r with acts"]) == pytest.approx([1, 1])


def test_memory_prefers_one_batch(held, monkeypatch):
    def grown(record):
        """The largest batch differs from network to network."""
        if getattr(record, "protocol", None) and record.protocol.batch == "max":
            return record.model_copy(update={"batch": 8 + record.subject.params % 3})
        return record

    held([grown(r) for r in records("paper-gpu", by_all, GPU) if r.kind == "timing"])
    (chosen,) = pf.memory_sets()
    assert chosen.title == "Made-up H200: training, bf16, batch 64"


def test_costs_by_hand(held):
    sets = held(records("laptop", by_acts, CPU), records("paper-gpu", by_acts, GPU))
    table = pf.costs(sets, ["EN-B0"], price=2.5, epochs=10).set_index("machine")
    v100 = table.loc["V100"]
    assert v100["device-hours"] == pytest.approx(8 * 2.8 / 60)
    assert v100.training == pytest.approx(10 * 8 * 2.8 / 60)
    assert v100.cost == pytest.approx(2.5 * 10 * 8 * 2.8 / 60)
    cpu, gpu = table.loc["Made-up CPU"], table.loc["Made-up H200"]
    seconds = 3e-9 * 6_748_036 * 1281167
    assert cpu.minutes == pytest.approx(seconds / 60)
    assert pd.isna(cpu.kWh) and pd.isna(v100.kWh)
    assert gpu.kWh == pytest.approx(700 * seconds / 3.6e6, rel=0.01)
    even = pf.break_even(table.reset_index()).set_index("machine").share
    assert even["Made-up CPU"] == pytest.approx(8 * 2.8 * 60 / seconds)


def test_a_network_without_times_has_no_costs(held):
    table = pf.costs(held(records("laptop", by_acts, CPU)), ["ResNet-152"], 1, 1)
    assert table.empty and "kWh" in table
    assert pf.energy_status(table) == "No machine has timed these networks."
    assert pf.break_even(table).empty


def test_whose_energy_is_known(held):
    cpu = held(records("laptop", by_acts, CPU))
    text = pf.energy_status(pf.costs(cpu, ["EN-B0"], 1, 1))
    assert text == "No power is known for V100 and Made-up CPU."
    both = held(records("laptop", by_acts, CPU), records("paper-gpu", by_acts, GPU))
    text = pf.energy_status(pf.costs(both, ["EN-B0"], 1, 1))
    assert text.startswith("Energy was recorded on Made-up H200. No power is known for V100")


def test_key_numbers_are_plain(held):
    sets = held(records("laptop", by_all, CPU))
    numbers = pf.practice_numbers(
        sets,
        pf.printed_beside(sets),
        pf.speedups([rf.figure2(), *sets], 3.5),
        pf.same_networks(sets),
        pf.memory_table(pf.memory_sets()),
        pf.costs(sets, ["EN-B0", "RegNetY-500MF"], 1.0, 100),
    )
    assert all(isinstance(v, int | float) for v in numbers.values())
    assert not [k for k, v in numbers.items() if pd.isna(v)]
    assert numbers["fsp_measured"] == 6 and numbers["fsp_same_n"] == 18
