"""The chapter "EfficientNet-X": drawings, its networks, recorded times."""

import numpy as np
import pytest
from made_up_timings import GPU, by_acts, records

from repro import reference
from repro.analysis.accelerators import efficientnet_x as tables
from repro.analysis.accelerators import x_network, x_times
from repro.arch import get
from repro.arch.efficientnet_x import coefficients
from repro.book.chapters import efficientnet_x as figures
from repro.book.kit.figures import show, use_house_style
from repro.book.parameters import check
from repro.complexity import complexity
from repro.errors import InputError


@pytest.mark.parametrize("name", ["EN-X-B0", "EN-X-B1", "EN-X-GPU-B3", "EN-H-B5", "EN-TF-B2"])
def test_the_pieces_make_the_whole_network(name):
    net = get(name)
    whole, parts = complexity(net), x_network.pieces(net)
    classifier = (net.head_width + 1) * net.num_classes
    assert sum(p.flops for p in parts) + whole.classifier_macs == whole.macs
    assert sum(p.params for p in parts) + classifier == whole.params
    assert sum(p.kind != "conv" for p in parts) == sum(stage.depth for stage in net.stages)
    assert any(p.stage == 2 for p in parts) == (name != "EN-TF-B2")


def test_table1_marks_exactly_the_cells_that_differ():
    rows = x_network.table1(get("EN-X-B0"), get("EN-TF-B0"))
    assert len(rows) == len(reference.x_layout())
    assert rows.operator[2] == "MBConv1 3x3 → 2x2"
    assert rows.TPU[0] == "swish → ReLU"
    assert rows.SE.str.contains("→").sum() == 6
    assert not rows[["input", "out", "n"]].map(lambda c: "→" in c).to_numpy().any()
    net = complexity(get("EN-TF-B0"))
    assert 1e6 * rows.plain.sum() == pytest.approx(net.macs - net.classifier_macs)
    assert list(rows.stage[rows.plain.isna()]) == [2]


def test_params_tell_the_readings_of_table1_apart():
    params = x_network.readings().set_index("network")["params, M"]
    printed = next(r for r in reference.x_results() if r.model == "EfficientNet-X-B0").mparams
    assert round(params["EN-X-B0"], 1) == float(printed)
    assert round(params["EN-X-B0+se-table1"], 1) != float(printed)


def test_a_row_pairs_single_objective_size_with_lacs_latency():
    later = tables.pairing()[1:]
    own, gpu = ((later[family] - later.printed).abs() for family in ("EN-X", "EN-X-GPU"))
    assert (own < gpu).all()
    for device in tables.DEVICES:
        gain = later[f"{device}, latency"]
        near, far = ((gain - later[f"{device}, {s}"]).abs() for s in ("LACS", "single"))
        assert (near <= far)[1:].all()  # at B1 the two bars hardly differ


def test_equal_accuracy_takes_from_x_where_it_is_less_accurate():
    of_level = tables.speedups()
    better = of_level.top1.astype(float) - of_level.plain_top1.astype(float)
    gain = of_level.equal / of_level.latency - 1
    assert {1, 0, -1} == set(np.sign(better.round(2)))
    assert (np.sign(gain.round(12)) == np.sign(better.round(2))).all()


def test_latency_is_as_printed_at_a_level_and_geometric_between_two():
    rows = {r.model: r for r in reference.x_results()}
    b2, b3 = (rows[f"EfficientNet-{level}"] for level in ("B2", "B3"))
    assert tables.plain_ms("V100", b2.top1_percent) == pytest.approx(
        float(b2.v100_fp16_ms_batch128)
    )
    between = tables.plain_ms("TPUv3", (b2.top1_percent + b3.top1_percent) / 2)
    assert between**2 == pytest.approx(float(b2.tpuv3_ms_batch128 * b3.tpuv3_ms_batch128))
    assert np.isnan(tables.plain_ms("V100", 77.2)) and np.isnan(tables.plain_ms("V100", 84.8))


def test_accuracy_lifts_the_steps_to_x_and_the_last_gives_it_back():
    steps = tables.ablation().set_index("step")
    for device in tables.DEVICES:
        assert steps[f"{device}, equal"].iloc[0] == steps[device].iloc[0] == 1
        assert (steps[f"{device}, equal"] > steps[device])[1:3].all()
    assert steps["V100, equal"].iloc[-1] == pytest.approx(steps.V100.iloc[-1])  # B0's top-1
    assert steps["TPUv3, equal"].iloc[-1] > steps.TPUv3.iloc[-1]  # more accurate than on the GPU
    assert "/" in steps.top1.iloc[-1] and not steps.top1[:-1].str.contains("/").any()
    printed = steps.intensity.astype(float)
    assert ((steps.low < printed) & (printed < steps.high)).all()


def test_sources_of_lacs_as_printed():
    frame = tables.lacs()
    assert len(frame) == 3 * 3 * 8
    by = frame.set_index(["scaling", "source", "level"])
    assert set(by.xs("B0", level="level").depth) == {16}
    own = by.loc["single objective"]
    assert own.loc["Table 6"].equals(own.loc["code"])
    for level in tables.LEVELS:
        same = by.depth["LACS GPU", "code", level] == by.depth["LACS TPU", "Table 6", level]
        assert same == (level != "B2")
    assert by.depth["LACS GPU", "Table 2", "B7"] > by.depth["LACS TPU", "Table 2", "B7"]
    assert by.depth["LACS GPU", "Table 6", "B7"] < by.depth["LACS TPU", "Table 6", "B7"]


def test_nominal_work_doubles_as_the_coefficients_say():
    c = coefficients("EN-X-B7")
    assert 2 ** tables.doublings("B7") == pytest.approx(c.depth * c.width**2 * (600 / 224) ** 2)


def test_recorded_ratios_compare_with_the_same_level():
    rows = x_times.ratios("cpu").set_index("network")
    assert set(rows.index) == {f"EN-X-B{i}" for i in range(3)} | {"EN-X-B0+relu", "EN-X-B0+swish"}
    assert rows.flops["EN-X-B0"] == pytest.approx(920_421_088 / 385_814_752)
    for row in rows.itertuples():
        assert row.low < row.time < row.high


def test_an_interval_spans_all_recordings():
    Timed = x_times.Timed
    a, b = [Timed(1, 2, 3), Timed(8, 8, 8)], [Timed(1, 1, 1), Timed(2, 4, 4)]
    assert x_times.time_ratio(a[:1], b[:1]) == (1, 2, 3)
    assert x_times.time_ratio(a, b) == (1, 2, 4)


def test_a_gpus_records_are_drawn(monkeypatch):
    """The second paper's sweep as if it had been run on a GPU that does nothing but write maps."""
    made_up = records("record", by_acts, GPU)
    monkeypatch.setattr(x_times, "stored", lambda *files: tuple(made_up))
    rows = x_times.ratios("cuda").set_index("network")
    assert not rows.index.duplicated().any()
    acts = [complexity(get(f"{family}-B5")).acts for family in ("EN-X-GPU", "EN-TF")]
    assert rows.time["EN-X-GPU-B5+relu"] == pytest.approx(acts[0] / acts[1])


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.blocks_figure(get("EN-X-B0"), get("EN-TF-B0")),
        figures.figure3,
        figures.figure4,
        figures.table6_figure,
        lambda: figures.today_figure(x_times.ratios("cpu")),
        lambda: figures.today_figure(x_times.ratios("cpu")[:0]),
    ],
)
def test_figures_can_be_drawn(draw):
    use_house_style()
    assert show(draw(), "name", alt="x", caption="x").svg.count("<path") > 5


def test_the_device_is_checked():
    assert check("efficientnet-x", device="cuda").device == "cuda"
    with pytest.raises(InputError, match="device = 'tpu'"):
        check("efficientnet-x", device="tpu")
