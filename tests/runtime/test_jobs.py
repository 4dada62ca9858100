import json

import pytest

from repro.arch import NAMES, get
from repro.arch.efficientnet_x import TABLE4_STEPS
from repro.errors import InputError
from repro.evidence.timings import names_of
from repro.runtime.jobs import (
    PeakJob,
    TrafficJob,
    description_of,
    named_sweep,
    short_strategy,
    unique,
)
from repro.runtime.timm_networks import is_timm_name


@pytest.fixture(scope="module")
def recorded():
    return unique(named_sweep("record"))


FIGURE2_SCALES = (0.5, 1, 2, 4, 8, 16, *range(24, 97, 8))
WIDTHS = (16, 24, 32, 48, 64, 96, 128, 192)
MAPS = (112, 56, 28, 14, 7)
TRAINING = {"mode": "step", "batch": "max", "dtype": "bf16", "memory_gb": 32}


def subjects(tasks, **wanted):
    """(base, strategy, scale) of the tasks whose protocol has these values."""
    return {
        (task.subject.base, task.subject.strategy, task.subject.scale)
        for task in tasks
        if not isinstance(task, PeakJob | TrafficJob)
        and all(getattr(task.protocol, key) == value for key, value in wanted.items())
    }


def names(tasks, **wanted):
    return {name for base, _, _ in subjects(tasks, **wanted) for name in names_of(base)}


def test_a_recording_holds_figure_2(recorded):
    found = subjects(recorded, **TRAINING)
    for base in ("EN-B0", "RegNetY-500MF", "RegNetZ-500MF"):
        assert (base, None, None) in found
        for strategy in ("dwr", "dw", "dWr", "w"):
            scales = {s for b, t, s in found if (b, t) == (base, strategy)}
            assert scales == set(FIGURE2_SCALES) - {1}


def test_a_recording_holds_all_strategies_and_the_zoo(recorded):
    found = subjects(recorded, **TRAINING)
    for base in ("EN-B0", "RegNetY-500MF", "RegNetZ-500MF", "RegNetY-4GF", "RegNetZ-4GF"):
        for strategy in ("d", "w", "r", "dw", "dwr", "alpha=2/3", "dWr"):
            assert (base, strategy, 4) in found
    zoo = [n for n in NAMES if n.startswith(("EN-B", "RegNetX", "RegNetY", "ResNet", "ResNeXt"))]
    assert len(zoo) >= 41 and {(name, None, None) for name in zoo} <= found


def test_a_recording_varies_one_condition_at_a_time(recorded):
    usual = {"mode": "step", "batch": 256, "dtype": "bf16", "memory_format": "channels_last"}
    usual |= {"input": "random", "cudnn_benchmark": False}
    others = {"memory_format": "contiguous", "input": "zeros", "dtype": "tf32"}
    for one in ({}, *({k: v} for k, v in others.items()), {"cudnn_benchmark": True}):
        found = subjects(recorded, **{**usual, **one})
        assert {("EN-B0", None, None), ("RegNetY-500MF", None, None)} <= found, one
    for batch in (1, 64):
        assert subjects(recorded, mode="infer", batch=batch, dtype="bf16")
    for compile_ in ("graph", "inductor"):
        assert subjects(recorded, compile=compile_)
    dtypes = {task.protocol.dtype for task in recorded if isinstance(task, PeakJob)}
    assert dtypes == {"bf16", "fp16", "tf32", "fp32"}


def test_what_fills_the_memory_is_trained_in_bf16(recorded):
    """Inference would make maps past 32 bits; an fp16 step may make momenta after the search."""
    largest = [t.protocol for t in recorded if t.protocol.batch == "max"]
    assert {(p.mode, p.dtype) for p in largest} == {("step", "bf16")}


def test_a_recording_holds_the_second_paper_s_families_at_both_batches(recorded):
    for batch in (1, 128):
        found = names(recorded, batch=batch, dtype="fp16", compile="none")
        wanted = [n for n in NAMES if n.startswith(("EN-B", "EN-TF", "EN-X", "EN-H"))]
        described = [description_of(get(name)) for name in found if not is_timm_name(name)]
        assert all(name in found or description_of(get(name)) in described for name in wanted)
        for level in range(8):
            assert {f"EN-X-B{level}+relu", f"EN-X-GPU-B{level}+relu"} <= found
        assert {"ResNet-50", "timm/nasnetalarge", "timm/inception_v4", "timm/resnest269e"} <= found


def test_a_recording_holds_the_blocks_and_the_steps(recorded):
    found = names(recorded, batch=128, dtype="fp16", compile="none")
    kinds = ("MBConv", "FusedMBConv")
    assert {f"{kind}-c{c}@{m}" for kind in kinds for c in WIDTHS for m in MAPS} <= found
    assert set(TABLE4_STEPS.values()) <= found
    assert (min(WIDTHS), max(WIDTHS), max(MAPS), min(MAPS)) == (16, 192, 112, 7)


def test_a_recording_varies_dtype_compiler_and_activation(recorded):
    kinds = {f"EN-X-B0{kind}" for kind in ("+relu", "", "+swish")}
    for compile_ in ("none", "inductor"):
        assert kinds <= names(recorded, compile=compile_, batch=128)
    assert {"EN-X-GPU-B7+relu", "EN-TF-B7"} <= names(recorded, dtype="bf16", batch=128)
    assert {"EN-X-GPU-B7+relu", "EN-TF-B7"} <= names(recorded, compile="graph", batch=1)
    traffic = {t.subject.name for t in recorded if isinstance(t, TrafficJob)}
    assert {"EN-TF-B0", "EN-X-B0", "EN-X-B0+relu"} <= traffic


def test_the_smoke_sweep_has_twenty_networks():
    assert len(unique(named_sweep("smoke"))) == 20


def test_the_laptop_sweep_holds_the_five_bases_and_their_versions():
    tasks = unique(named_sweep("laptop"))
    for mode in ("infer", "step"):
        assert len(subjects(tasks, mode=mode)) == 5 * (1 + 5 * 2)
    assert all(task.protocol.threads for task in tasks)


def test_the_blocks_come_in_pairs_on_every_map_and_with_table_4():
    names = [
        task.subject.name for task in unique(named_sweep("blocks")) if task.name != "peak rates"
    ]
    for size in MAPS:
        mine = [name for name in names if name.endswith(f"@{size}")]
        pairs = [(f"MBConv-c{c}@{size}", f"FusedMBConv-c{c}@{size}") for c in WIDTHS]
        assert mine[: 2 * len(WIDTHS)] == [name for pair in pairs for name in pair]
    assert set(TABLE4_STEPS.values()) < set(names)


def test_options_replace_a_sweep_s_own():
    tasks = named_sweep("smoke", {"samples": 3, "batch": 2})
    assert {(t.protocol.samples, t.protocol.batch) for t in tasks} == {(3, 2)}


@pytest.mark.parametrize(
    "text, words",
    [
        ("{", "is not YAML"),
        ("3", "is not a list of blocks"),
        ("- bases: [EN-B0]", "block 1: 'protocol' is missing"),
        ('[{"protocol": {}, "models": ["EN-B0"]}]', "block 1: unknown key 'models'"),
        (
            '[{"protocol": {}}, {"protocol": {"batch": 0}}]',
            "block 2: protocol.batch 0 is not greater than 0",
        ),
        ('[{"protocol": {}, "bases": ["EN-B9"]}]', "block 1: unknown network"),
        ("[3]", "block 1: 3 is not a block with protocol"),
    ],
)
def test_a_sweep_file_that_cannot_be_used(tmp_path, text, words):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        named_sweep(str(path))


def test_a_sweep_file_of_one_s_own(tmp_path):
    path = tmp_path / "mine.yaml"
    block = {"protocol": {"batch": 3}, "bases": ["EN-B0"], "strategies": ["dWr"], "scales": [2]}
    path.write_text(json.dumps([block]))  # JSON is YAML, too
    base, task = named_sweep(str(path))
    assert base.subject.name == "EN-B0"
    assert (task.subject.name, task.protocol.batch) == ("EN-B0 dWr x2", 3)


@pytest.mark.parametrize(
    "text, short",
    [
        ("dWr", "dWr"),
        ("d1_w8_g8_r1", "dWr"),
        ("dwgr", "dwr"),
        ("w1_g1", "w"),
        ("w", "w1"),  # the paper's w has group width follow; this one leaves it alone
        ("d1_w4_g4_r1", "alpha=2/3"),
        ("d", "d"),
        ("d1_w2", "d1_w2"),
    ],
)
def test_short_names_are_the_paper_s_alone(text, short):
    assert short_strategy(text).name == short
