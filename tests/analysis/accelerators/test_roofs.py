"""Rooflines as drawn, by data sheet and as measured."""

import pytest

from repro import reference
from repro.analysis.accelerators import roofs as a
from repro.errors import InputError
from repro.paths import root
from repro.runtime.roofline import Peaks

V100, TPU, XEON = a.drawn_roofs()


def test_a_roof_bends_at_its_ridge():
    assert V100.ideal(V100.ridge) == pytest.approx(V100.rate)
    assert V100.ideal(V100.ridge / 2) == pytest.approx(V100.rate / 2)
    assert V100.ideal(V100.ridge * 2) == V100.rate


def test_drawn_rates_give_the_drawn_ridges():
    for roof, row in zip(a.drawn_roofs(), reference.drawn_rooflines(), strict=True):
        assert roof.ridge == pytest.approx(float(row.ridge), rel=0.005)


def test_two_roofs_of_the_paper_can_hardly_be_told_apart():
    assert V100.near(TPU) and TPU.near(V100)
    assert not V100.near(XEON)


def test_a_listed_device_runs_in_its_dtype_of_least_bytes():
    roofs = {r.device: r for r in a.listed_roofs(["H200", "TPUv3", "CPU"])}
    assert {name: r.dtype for name, r in roofs.items()} == {
        "H200": "fp16",
        "TPUv3": "bf16",
        "CPU": "fp32",
    }
    with pytest.raises(InputError, match="no peak rate"):
        _ = Peaks("none", {"fp32": None}, 1.0).fastest


def test_a_readers_file_stands_beside_the_books(tmp_path):
    mine = tmp_path / "mine.jsonl"
    mine.write_text((root() / "data" / "records" / "laptop-cpu.jsonl").read_text())
    sources = [r.source for r in a.recorded_roofs(a.records(str(mine)))]
    assert "measured" in sources and sources.count("measured by you") == 1


def test_the_highest_of_several_measured_roofs_counts():
    rows = [r for rows in a.records().values() for r in rows if r.machine.device == "cpu"]
    peaks = [r for r in rows if r.kind == "peak"]
    assert {r.protocol.threads for r in peaks} == {1, 2}
    (roof,) = a.recorded_roofs({"cpu": tuple(rows)})
    assert roof.rate == max(r.flops for r in peaks)


def test_a_file_that_is_not_there_is_refused():
    with pytest.raises(InputError, match=r"gone\.jsonl"):
        a.records("gone.jsonl")
