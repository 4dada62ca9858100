"""Behind the chapter "Why FLOPs mislead": each number against another way to it."""

import pytest
from made_up_timings import GPU, by_acts, records

from repro import reference
from repro.analysis.accelerators import roofs as a
from repro.arch import get
from repro.book.chapters.why_flops_mislead import (
    efficiency_figure,
    recorded_figure,
    roofline_figure,
    times_figure,
)
from repro.book.kit.figures import show, use_house_style
from repro.claims.accelerators import result_of
from repro.complexity import complexity
from repro.errors import InputError
from repro.paths import root
from repro.runtime.roofline import Peaks, device_peaks

V100 = a.drawn_roofs()[0]


def test_a_roof_bends_at_its_ridge():
    assert V100.ideal(V100.ridge) == pytest.approx(V100.rate)
    assert V100.ideal(V100.ridge / 2) == pytest.approx(V100.rate / 2)
    assert V100.ideal(V100.ridge * 2) == V100.rate


def test_drawn_rates_give_the_drawn_ridges():
    for roof, row in zip(a.drawn_roofs(), reference.drawn_rooflines(), strict=True):
        assert roof.ridge == pytest.approx(float(row.ridge), rel=0.005)


def test_a_listed_device_runs_in_its_dtype_of_least_bytes():
    roofs = {r.device: r for r in a.listed_roofs(["H200", "TPUv3", "CPU"])}
    assert {name: r.dtype for name, r in roofs.items()} == {
        "H200": "fp16",
        "TPUv3": "bf16",
        "CPU": "fp32",
    }
    with pytest.raises(InputError, match="no peak rate"):
        a.fastest(Peaks("none", {"fp32": None}, 1.0))


def test_printed_rows_are_found_by_zoo_name():
    assert a.printed_row("EN-TF-B3") == result_of("EfficientNet-B3")
    assert a.printed_row("EN-X-B7") == result_of("EfficientNet-X-B7")
    assert a.printed_row("ResNet-101") is None
    assert a.printed_row("EN-X-GPU-B1") is None


def test_intensities_tell_what_lies_outside_and_by_how_much():
    table = a.intensities(["EN-TF-B0", "RegNetY-4.0GF", "EN-X-B7", "ResNet-101"])
    assert list(table.inside) == ["=", "≠", "≠", "–"]
    low, high = table["less fusion"], table["more fusion"]
    assert (low < high).all()
    assert table["off by"][1] == pytest.approx(low[1] / 19.4)
    assert table["off by"][2] == pytest.approx(194.3 / high[2])


def test_equation_2_in_the_limit_of_a_large_batch():
    row = a.equation2_intensities([64], size=56, kernel=3, batch=10**6).iloc[0]
    assert row["dense conv"] == pytest.approx(64 * 9 / 2, rel=1e-4)
    assert row["depthwise + 1x1"] == pytest.approx((64 + 9) / 4, rel=1e-4)
    assert row["flops, dense over depthwise"] == pytest.approx(64 * 9 / 73)


@pytest.mark.parametrize("device", ["V100", "TPUv3"])
def test_the_factors_of_equation_1_multiply_to_the_printed_speedup(device):
    table = a.factors(device)
    assert list(table["rate"] / table.work * table.left) == pytest.approx(list(table.printed))
    # and E of both networks, made from the printed latency directly
    roof = next(r for r in a.drawn_roofs() if r.device == device)

    def efficiency(row):
        seconds = float(getattr(row, a.COLUMNS[device])) / 1e3
        work = 2 * a.BATCH * float(row.gflops) * 1e9
        return work / seconds / roof.ideal(float(row.operational_intensity))

    x, plain = result_of("EfficientNet-X-B4"), result_of("EfficientNet-B4")
    assert table.left[4] == pytest.approx(efficiency(x) / efficiency(plain))


def test_layers_have_less_to_gain_than_the_network_as_one_block():
    table = a.layer_by_layer(["B0", "B7"], device_peaks("V100"))
    assert (table["layer by layer"] < table["as one block"]).all()
    assert table["layer by layer"][1] < 1 < table["layer by layer"][0]


def test_misled_counts_pairs_in_the_wrong_order():
    assert a.misled([1, 2, 3], [10, 20, 30]) == 0
    assert a.misled([1, 2, 3], [30, 20, 10]) == 1
    assert a.misled([1, 2, 2], [10, 5, 20]) == 0.5  # the tie does not count
    with pytest.raises(InputError, match="no two networks"):
        a.misled([1, 1], [2, 3])


def test_a_power_law_correlates_fully():
    assert a.log_correlation([1, 10, 100], [3, 30, 300]) == pytest.approx(1)


def test_bytes_stand_for_latency_better_than_flops_do():
    table = a.how_well(a.published(), ("flops", "GB moved"), ("TPUv3", "V100"))
    flops, moved = table.iloc[0], table.iloc[1]
    for device in ("TPUv3", "V100"):
        assert moved[f"r, {device}"] > flops[f"r, {device}"]
        assert moved[f"misled, {device}"] < flops[f"misled, {device}"]


def test_efficiency_by_latency_worked_by_hand():
    row = a.efficiency().set_index("model").loc["ResNet-50"]
    reached = 2 * 128 * 4.1e9 / 35.1e-3
    assert row["by latency"] == pytest.approx(100 * reached / (122.5 * 0.922e12))
    assert row.ratio == pytest.approx(57.2 / row["by latency"])


def test_the_recorded_cpu_is_there_with_its_peaks():
    found = a.records()
    assert a.recorded_roofs(found)[0].source == "measured"
    tables = a.recorded(found)
    (title,) = (t for t in tables if "batch 1" in t and tables[t].device.iloc[0] == "cpu")
    table = tables[title]
    assert not any("@" in name for name in table.model)
    assert list(table["GF/s"]) == pytest.approx(list(table.gflops / table.ms * 1e3))


def test_a_readers_file_stands_beside_the_books(tmp_path):
    mine = tmp_path / "mine.jsonl"
    mine.write_text((root() / "data" / "records" / "laptop-cpu.jsonl").read_text())
    found = a.records(str(mine))
    assert [r.source for r in a.recorded_roofs(found)].count("measured by you") == 1
    assert any(title.endswith(", yours") for title in a.recorded(found))


def test_the_highest_of_several_measured_roofs_counts():
    found = a.records()
    threads = {r.protocol.threads for rows in found.values() for r in rows if r.kind == "peak"}
    assert threads == {1, 2}
    (roof,) = a.recorded_roofs(found)
    assert roof.rate == max(r.flops for rows in found.values() for r in rows if r.kind == "peak")


def test_counted_traffic_beside_the_models():
    found = {"x": tuple(records("efficientnet-x", by_acts, GPU))}
    table = a.counted_traffic(found).set_index("network")
    assert {"EN-TF-B0", "EN-X-B0", "MBConv-c32@56"} <= set(table.index)
    count = complexity(get("EN-TF-B0"))
    assert table.counted["EN-TF-B0"] == pytest.approx(2 * count.macs / (8 * count.acts))
    assert table["GB moved"]["EN-TF-B0"] == pytest.approx(128 * 8 * count.acts / 1e9)
    low, high = a.bounds("EN-TF-B0")
    assert (table["less fusion"]["EN-TF-B0"], table["more fusion"]["EN-TF-B0"]) == (low, high)
    assert (table["nothing fused"] < table["less fusion"]).all()
    assert a.counted_traffic({}).empty


def test_networks_of_timms_stand_among_the_recorded():
    use_house_style()
    found = {"x": tuple(records("efficientnet-x", by_acts, GPU))}
    table = a.recorded(found)["Made-up H200, fp16, batch 128"]
    assert "timm/nasnetalarge" in set(table.model)
    drawn = show(recorded_figure(a.recorded(found)), "r", alt="x", caption="x").svg
    assert ">timm's<" in drawn and ">EfficientNet-X<" in drawn


def test_a_file_that_is_not_there_is_refused():
    with pytest.raises(InputError, match=r"gone\.jsonl"):
        a.records("gone.jsonl")


def test_without_records_nothing_is_claimed():
    assert a.recorded({}) == {}
    assert a.how_well_recorded({}).empty
    assert "No GPU is recorded yet" in a.recorded_status({})


def test_figures_are_drawn():
    use_house_style()
    series = {"ResNet": a.intensities(["ResNet-50"])}
    made = {
        "roofs": roofline_figure([*a.drawn_roofs(), *a.listed_roofs(["H200"])], series),
        "times": times_figure(a.published(), "V100"),
        "efficiency": efficiency_figure(a.efficiency()),
        "recorded": recorded_figure(a.recorded(a.records())),
        "none": recorded_figure({}),
    }
    drawn = {name: show(fig, name, alt="x", caption="x").svg for name, fig in made.items()}
    assert "H200 (data sheet, fp16)" in drawn["roofs"]
    assert drawn["times"].count("RegNetY") == 1
    assert drawn["efficiency"].count("RegNetY") == 3
