"""The chapter "EfficientNet-X": drawings, Table 3 remade, and what its rows pair."""

from decimal import Decimal

import pytest
from made_up_timings import GPU, by_acts, records

from repro import reference
from repro.analysis.accelerators import (
    efficientnet_x as x_tables,
)
from repro.analysis.accelerators import (
    x_network,
)
from repro.analysis.accelerators import (
    x_times as x_records,
)
from repro.arch import get
from repro.book.chapters import efficientnet_x as x_figures
from repro.book.chapters import x_numbers
from repro.book.kit.figures import show, use_house_style
from repro.book.parameters import check
from repro.complexity import complexity
from repro.errors import InputError


@pytest.mark.parametrize("name", ["EN-X-B0", "EN-X-B1", "EN-X-GPU-B3", "EN-H-B5", "EN-TF-B2"])
def test_blocks_and_what_is_outside_of_them_make_the_whole_network(name):
    net = get(name)
    whole = complexity(net)
    blocks = list(x_network.placed(net))
    outside = [c.flops for c in x_figures.columns(net) if c.kind == "conv"]
    reshaping = len(outside) == 3  # stem, space-to-depth, head
    stem_and_head = outside[0] + outside[-1]
    of_blocks = sum(p.repeats * p.flops for p in blocks)
    assert of_blocks + whole.classifier_macs + 1e6 * stem_and_head == pytest.approx(whole.macs)
    assert reshaping == (net.name != "EN-TF-B2")
    assert sum(p.repeats for p in blocks) == sum(stage.depth for stage in net.stages)


def test_drawn_columns_have_all_the_flops_but_the_classifier():
    net = get("EN-X-B0")
    drawn = sum(c.flops for c in x_figures.columns(net))
    whole = complexity(net)
    assert 1e6 * drawn == pytest.approx(whole.macs - whole.classifier_macs)


def test_x_b0_block_by_block():
    rows = x_network.block_frame(get("EN-X-B0"))
    assert rows.blocks.sum() == 16
    assert rows.loc[rows.skip == "yes", "blocks"].sum() == 9
    assert rows.loc[rows.activation == "swish", "blocks"].sum() == 4
    first = rows.iloc[0]
    assert first.operator == "2×2/2, MBConv 2×2"
    assert (first["in"], first.hidden, first.SE, first["out"], first["map"]) == (
        32, 128, 32, 64, "112 → 56",
    )  # fmt: skip


def test_table1_marks_exactly_the_cells_that_differ():
    rows, marks = x_network.table1()
    assert len(rows) == len(reference.x_layout())
    cells = rows.drop(columns="#").to_numpy().ravel()
    assert {c for c in cells if "→" in c} == set(marks)
    assert rows.operator[2] == "MBConv1 3x3 → 2x2"
    assert rows.TPU[0] == "swish → ReLU"
    assert not rows[["input", "out", "n"]].map(lambda c: "→" in c).to_numpy().any()


def test_every_row_of_table3_has_a_network():
    rows = reference.x_results()
    assert len(rows) == 26
    for row in rows:
        name = x_tables.zoo_name(row.model)
        assert (name is None) == (row.model in x_tables.TIMM)
        if name:
            get(name)


def test_printed_digits_decide_agreement():
    assert [x_tables.decimals(Decimal(d)) for d in ("26", "9.10", "0.91")] == [0, 2, 2]


@pytest.fixture(scope="module")
def table3():
    return x_tables.table3({"EN-X-B0": 0.5}).set_index("model")


def test_table3_agreements_follow_from_the_numbers(table3):
    off = set(table3.index[~table3.mparams_agrees])
    assert off == {"RegNetY-4.0GF", "EfficientNet-B2", "Inception-v4", "EfficientNet-X-B4"}
    assert table3.measured["EfficientNet-X-B0"] == 0.5
    assert table3.measured.notna().sum() == 1
    assert table3.v100["EfficientNet-B0"] == 1
    timms = table3[table3.network.str.startswith("timm")]
    assert timms.intensity_agrees.isna().all()
    assert timms.intensity_low.isna().all()


def test_table3_on_the_page_keeps_the_printed_digits(table3):
    frame = table3.reset_index()
    counts = x_tables.counts_page(frame, "Flops: a multiply-add as one.")
    assert ">10.0</td>" in counts.html  # 10.0 M of X-B2, not 10
    for page in (counts, x_tables.speed_page(frame, "Intensities and times.", "cpu")):
        assert page.html.count("<tr>") == 27


def test_timms_networks_all_differ_in_the_same_ways():
    assert set(x_numbers.timm_frame().models) == {3}


def test_a_row_pairs_single_objective_size_with_lacs_latency():
    rows = x_tables.pairing()
    later = rows[rows.level != "B0"]
    assert ((later.own - later.printed).abs() < (later.gpu - later.printed).abs()).all()
    from_b2 = later[later.level != "B1"]  # at B1 the two bars hardly differ
    for device in ("v100", "tpuv3"):
        row, lacs = from_b2[f"{device}_row"], from_b2[f"{device}_lacs"]
        single = from_b2[f"{device}_single"]
        assert ((row - lacs).abs() < (row - single).abs()).all()


def test_sources_of_lacs_as_printed():
    rows = x_tables.lacs()
    assert len(rows) == 3 * 2 * 8
    start = rows[rows.level == "B0"]
    assert set(start.depth) == {16}
    assert set(start.resolution) == {224}
    by = rows.set_index(["source", "device", "level"]).depth
    for level in x_tables.LEVELS:
        same = by["builder", "GPU", level] == by["Table 6", "TPU", level]
        assert same == (level != "B2")
    assert by["Table 2", "GPU", "B7"] > by["Table 2", "TPU", "B7"]
    assert by["Table 6", "GPU", "B7"] < by["Table 6", "TPU", "B7"]


def test_claims_on_the_page_are_in_the_ledger():
    rows = x_tables.claims_frame(x_tables.HEADLINES)
    assert len(rows) == len(x_tables.HEADLINES)
    assert (rows.found != "").all()
    assert len(x_tables.claims_frame(x_tables.ON_HARDWARE)) == len(x_tables.ON_HARDWARE)


def test_recorded_ratios_compare_with_the_same_level():
    assert x_records.partner("EN-X-GPU-B3+relu") == "EN-TF-B3"
    assert x_records.partner("ResNet-50") == "EN-TF-B0"
    rows = x_records.ratios("cpu")
    assert {"EN-X-B0", "EN-X-B1", "EN-X-B2", "EN-X-B0+relu", "ResNet-50"} <= set(rows.network)
    assert ((rows.low < rows.time) & (rows.time < rows.high)).all()
    flops = rows.set_index("network").flops
    assert flops["EN-X-B0"] == pytest.approx(920_421_088 / 385_814_752)


def test_an_interval_spans_all_recordings():
    Timed = x_records.Timed
    a, b = [Timed(1, 2, 3), Timed(8, 8, 8)], [Timed(1, 1, 1), Timed(2, 4, 4)]
    assert x_records.over(a[:1], b[:1]) == (1, 2, 3)
    assert x_records.over(a, b) == (1, 2, 4)
    assert x_records.over([Timed(1, 1, 1), Timed(4, 4, 4)], [Timed(1, 1, 1)] * 2).middle == 2


def test_what_was_recorded_twice_is_shown_so():
    rows = x_records.ratios("cpu").set_index("network")
    assert (rows.each.map(len) == 2).all()
    for name in rows.index:
        assert rows.low[name] < min(rows.each[name]) <= max(rows.each[name]) < rows.high[name]


def test_records_of_blocks_and_other_files_are_not_mixed_in():
    rows = x_records.ratios("cpu")
    assert not rows.network.str.contains("MBConv").any()
    assert not rows.network.duplicated().any()


def test_without_a_gpu_the_page_says_what_to_run():
    assert "repro time --sweep efficientnet-x" in x_records.gpu_status()


@pytest.fixture(scope="module")
def gpu_records():
    """The second paper's sweep as if it had been run on a GPU that does nothing but write maps."""
    return records("efficientnet-x", by_acts, GPU)


@pytest.fixture
def on_a_gpu(gpu_records, monkeypatch):
    monkeypatch.setattr(x_records, "stored", lambda *files: tuple(gpu_records))


def test_a_gpus_records_fill_the_page(on_a_gpu):
    assert "Made-up H200" in x_records.gpu_status()
    rows = x_tables.table3(x_records.relative("cuda"), "cuda").set_index("model")
    assert rows.measured.notna().all()  # timm's networks among them
    x = complexity(get("EN-X-GPU-B7+relu")).acts / complexity(get("EN-TF-B0")).acts
    assert rows.measured["EfficientNet-X-B7"] == pytest.approx(x)
    ratios = x_records.ratios("cuda").set_index("network")
    assert ratios.time.notna().all() and ratios.flops["timm/nasnetalarge"] > 30


def test_every_way_of_timing_is_compared(on_a_gpu):
    rows = x_records.speedups()
    ways = {"128 images, fp16, eager", "1 image, fp16, CUDA graph", "128 images, bf16, eager"}
    assert ways <= set(rows.way)
    one = rows[(rows.way == "128 images, fp16, eager") & (rows.activation == "ReLU")]
    lacs = one[one.family == "EN-X-GPU"].set_index("level").times
    assert list(lacs.index) == list(x_tables.LEVELS)
    acts = [complexity(get(f"{family}-B5")).acts for family in ("EN-TF", "EN-X-GPU")]
    assert lacs["B5"] == pytest.approx(acts[0] / acts[1])
    spent = x_records.activations()
    assert {"EN-X-B0", "EN-X-GPU-B4"} <= set(spent.network)
    assert all(text.startswith("1.00 (") for text in spent.swish if text != "–")
    use_house_style()
    for frame, panels in ((rows, rows.groupby("way").ngroups), (rows[:0], 1)):
        svg = show(x_figures.speedups_figure(frame, x_tables.bars()), "s", alt="x", caption="x").svg
        assert svg.count("times as fast") == -(-panels // 2)


def test_the_device_is_checked():
    assert check("efficientnet-x", device="cuda").device == "cuda"
    with pytest.raises(InputError, match="device = 'tpu'"):
        check("efficientnet-x", device="tpu")


def test_variants_tell_the_readings_of_table1_apart():
    rows = x_network.variants().set_index("network")
    printed = next(r for r in reference.x_results() if r.model == "EfficientNet-X-B0").mparams
    assert round(rows.mparams["EN-X-B0"], 1) == float(printed)
    assert round(rows.mparams["EN-X-B0+se-table1"], 1) != float(printed)
    assert rows["swish blocks"]["EN-X-B0+relu"] == "0 of 16"
