"""Blocks that were timed: pairs, their ratios and the roofline beside them."""

import pytest
from made_up_timings import GPU, by_acts, records

from repro.analysis.accelerators import blocks as b
from repro.analysis.accelerators.roofs import measured_peaks
from repro.analysis.accelerators.roofs import records as all_records
from repro.arch import get
from repro.runtime.blocks import fused_gain
from repro.runtime.roofline import roofline

WIDTHS = (16, 24, 32, 48, 64, 96, 128, 192)
MAPS = (112, 56, 28, 14, 7)


def peaks(files):
    return measured_peaks(r for rows in files.values() for r in rows)


def test_the_ratio_of_undisturbed_samples_ignores_what_disturbs():
    slow, fast = [2.0] * 20 + [90.0] * 20, [1.0] * 30 + [50.0] * 10
    ratio, low, high = b.undisturbed(slow, fast)
    assert ratio == low == high == 2
    assert b.undisturbed(slow, fast) == (ratio, low, high)
    _, low, high = b.undisturbed([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6])
    assert low < 1 < high


def of_cpus():
    """The project's records, without those of a GPU, which may lie there too."""
    return {
        file: tuple(r for r in rows if r.machine.device == "cpu")
        for file, rows in all_records().items()
    }


def test_every_recorded_shape_has_a_gain_with_its_interval():
    table = b.fused_gains(of_cpus())
    assert len(table) == len(WIDTHS) * len(MAPS)
    assert table["by roofline"].notna().all()
    assert ((table.low <= table.measured) & (table.measured <= table.high)).all()


def test_the_machines_roofline_is_that_of_as_many_threads():
    files = of_cpus()
    known = peaks(files)
    assert {"AMD EPYC, 1 thread", "AMD EPYC, 2 threads"} <= set(known)
    one, two = (known[f"AMD EPYC, {n}"].operations["fp32"] for n in ("1 thread", "2 threads"))
    assert one < two
    table = b.fused_gains(files).set_index(["map", "channels"])
    ideal = [
        roofline(get(f"{kind}-c48@28"), known["AMD EPYC, 1 thread"], fusion="none").ideal_s
        for kind in ("MBConv", "FusedMBConv")
    ]
    assert table["by roofline"][28, 48] == pytest.approx(ideal[0] / ideal[1])


def test_a_gpus_blocks_stand_beside_its_own_roofline():
    made = {"efficientnet-x-gpu": tuple(records("record", by_acts, GPU, peak=1e14))}
    table = b.fused_gains(made)
    eager, compiled = (f"Made-up H200, fp16, batch 128{how}" for how in ("", ", compiled"))
    assert set(table.machine) == {eager, compiled}
    row = table[(table["map"] == 56) & (table.channels == 32)].set_index("machine")
    # acts: 6c, 6c and c of an MBConv; 6c and c of the fused one
    assert row.measured[eager] == pytest.approx(13 / 7)
    ideal = {
        how: fused_gain(32, peaks(made)["Made-up H200"], size=56, fusion=fusion)
        for how, fusion in ((eager, "none"), (compiled, "conv"))
    }
    assert dict(row["by roofline"]) == pytest.approx(ideal)


def test_without_records_nothing_is_claimed():
    assert b.fused_gains({}).empty
    assert b.measured({}, {"x": ("MBConv-c8@7", "MBConv-c16@7")}).empty


def test_only_timings_of_one_file_are_compared():
    whole = all_records()["blocks-cpu"]
    slow, fast = "MBConv-c48@28", "FusedMBConv-c48@28"
    halves = {
        name: tuple(r for r in whole if r.kind == "timing" and r.subject.name == name)
        for name in (slow, fast)
    }
    assert b.measured(halves, {"x": (slow, fast)}).empty
    assert len(b.measured({"one": whole, "two": whole}, {"x": (slow, fast)})) == 1
