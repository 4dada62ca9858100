"""The chapter "EfficientNet-X": drawings, Table 3 remade, and what its rows pair."""

from decimal import Decimal

import pytest

from repro import reference
from repro.arch import get
from repro.book import x_figures, x_network, x_numbers, x_records, x_tables
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


def test_records_of_blocks_and_other_files_are_not_mixed_in():
    rows = x_records.ratios("cpu")
    assert not rows.network.str.contains("MBConv").any()
    assert not rows.network.duplicated().any()


def test_the_command_for_a_gpu_names_networks_that_exist():
    words = x_records.gpu_command().split()
    names = words[2 : words.index("--device")]
    assert names == list(x_records.ON_GPU)
    for name in names:
        get(name)


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
