"""``repro predict``: rows, text, grids, a reader's own records, and what it refuses."""

import json
import subprocess
import sys

import pytest
from made_up_timings import CPU, by_all, records

from repro.arch import get, scale
from repro.prices.counts import counts_of
from repro.prices.law import milliseconds, published
from repro.stored import append

KEYS = {
    *("network", "resolution", "base", "scale_type", "scale", "device", "setting", "mode", "ms"),
    *("images_per_s", "error", "kind", "warning"),
}


def rows_of(run, *arguments):
    status, out, _ = run("predict", *arguments, "--json")
    assert status == 0
    return json.loads(out)


def test_json_has_a_row_for_each_setting_of_each_device(run):
    rows = rows_of(run, "EN-B0", "--strategy", "dWr", "--scale", "4", "--device", "all")
    fitting = [p for p in published() if p.mode == "infer" and not p.compiled]
    assert [row["setting"] for row in rows] == [price.setting for price in fitting]
    counts = counts_of(scale(get("EN-B0"), "dWr", 4))
    for row, price in zip(rows, fitting, strict=True):
        assert set(row) == KEYS
        assert row["ms"] == milliseconds(price, counts)
        assert row["images_per_s"] == pytest.approx(1e3 / row["ms"])
        assert row["error"] == price.error("depthwise")


def test_training_and_compiled_settings(run):
    assert {row["mode"] for row in rows_of(run, "EN-B0", "--train")} == {"train"}
    compiled = rows_of(run, "EN-B0", "--compile", "--device", "rtx5090")
    assert [row["setting"].split("/")[-1] for row in compiled] == ["inductor"]


def test_the_table_for_reading(run):
    status, out, _ = run("predict", "EN-B0", "ResNet-50", "--device", "rtx4090")
    assert status == 0 and "images/s" in out and "%" in out
    assert out.count("rtx4090/infer/amp/nhwc/2.4.0/eager") == 2
    _, one, _ = run("predict", "EN-B0", "--device", "rtx4090")
    assert one.startswith("EN-B0 at 224 x 224")


def test_what_takes_seconds_has_a_rate_and_no_kind_has_an_error_unexplained(run):
    _, out, _ = run("predict", "EN-B0", "--resolution", "99999", "--device", "rtx5090")
    assert " 0.069 " in out and "for all kinds where too few" in out


def test_names_times_ways_and_another_resolution(run):
    ways = ("--strategy", "d", "--strategy", "dWr", "--scale", "2", "--scale", "4")
    rows = rows_of(run, "EN-B0", "EN-B1", *ways, "--device", "rtx5090")
    assert len(rows) == 8
    (small,) = rows_of(run, "EN-B0", "--resolution", "96", "--device", "rtx5090")
    assert small["resolution"] == 96


def test_paper_names_and_their_note(run):
    asked = ("RegNetY-500MF", "--strategy", "w", "--scale", "4", "--device", "rtx5090")
    _, bare, note = run("predict", *asked, "--json")
    assert "leaves group width as it is" in note
    _, paper, note = run("predict", *asked, "--json", "--paper-names")
    assert not note and json.loads(bare)[0]["ms"] != json.loads(paper)[0]["ms"]


def test_a_grid_of_both_kinds(run, tmp_path):
    pytest.importorskip("timm")
    grid = tmp_path / "grid.json"
    asked = [
        {"base": "EN-B0", "scale_type": "dWr", "scale": 4},
        {"base": "X-50-32x4d", "scale_type": None, "scale": None},
        {"timm": "resnet50", "resolution": 176},
        {"timm": "vit_tiny_patch16_224"},
    ]
    grid.write_text(json.dumps(asked))
    rows = rows_of(run, "--grid", str(grid), "--device", "rtx3090", "--train")
    assert [row["resolution"] for row in rows[::2]] == [240, 224, 176, 224]
    assert rows[4]["network"] == "timm/resnet50" and rows[4]["timm"] == "resnet50"
    assert rows[6]["warning"] == "mostly transformer" and rows[4]["warning"] is None
    (same,) = {
        row["ms"]
        for row in rows_of(
            run, "timm/resnet50", "--resolution", "176", "--train", "--device", "rtx3090"
        )[:1]
    }
    assert same == rows[4]["ms"]


def test_a_network_s_time_is_near_that_of_its_twin_in_timm(run):
    pytest.importorskip("timm")
    ours, theirs = (
        rows_of(run, name, "--device", "rtx5090") for name in ("EN-B0", "timm/efficientnet_b0")
    )
    assert ours[0]["ms"] == pytest.approx(theirs[0]["ms"], rel=0.02)


def test_a_device_of_one_s_own(run, tmp_path):
    file = tmp_path / "mine.jsonl"
    for record in records("laptop", by_all, CPU):
        append(file, record)
    (row,) = rows_of(run, "EN-B3", "--records", str(file))
    assert row["device"] == "made-up-cpu-2-threads" and row["error"] < 0.05
    beside = rows_of(run, "EN-B3", "--records", str(file), "--device", "rtx5090")
    assert [r["device"] for r in beside] == [row["device"], "rtx5090"]
    _, out, _ = run("predict", "EN-B3", "--records", str(file))
    assert "prices from" in out and "mine.jsonl" in out


@pytest.mark.parametrize(
    "arguments, said",
    [
        ((), "give a NAME"),
        (("EN-B00",), "Did you mean 'EN-B0'"),
        (("EN-B0", "--device", "rtx309"), "unknown device 'rtx309'; known: .*'rtx3090'"),
        (("EN-B0", "--device", "v100", "--compile"), "v100 has no prices for inference, compiled"),
        (("EN-B0", "--train", "--compile"), "no device has prices for training, compiled"),
        (("EN-B0", "--scale", "4"), "both --strategy and --scale"),
        (("EN-B0", "--grid", "x.json"), "--grid brings its own"),
        (("EN-B0", "--records", "nowhere.jsonl"), "'nowhere.jsonl' cannot be read"),
        (("timm/resnet5O",), "timm has no network 'resnet5O'. Did you mean"),
        (("timm/resnet50", "--strategy", "d", "--scale", "2"), "cannot be scaled"),
        (("timm/resnet50", "--resolution", "0"), "resolution 0 is not allowed; a whole number"),
        (("timm/vit_tiny_patch16_224", "--resolution", "96"), "cannot be run on images of 96"),
    ],
)
def test_bad_input(fails, arguments, said):
    import re

    assert re.search(said, fails("predict", *arguments))


@pytest.mark.parametrize(
    "entry, said",
    [
        ({"timm": 5}, "timm 5 is not text"),
        ({"timm": "resnet50", "scale": 2}, "unknown key 'scale'. Allowed: timm, resolution"),
        ({"timm": "resnet50", "resolution": "large"}, "is not a whole number"),
        ({"timm": "resnet50", "resolution": -5}, "resolution -5 is not allowed"),
        ({"base": "EN-B0", "resolution": 224}, "unknown key 'resolution'"),
    ],
)
def test_bad_rows_of_a_grid(fails, tmp_path, entry, said):
    grid = tmp_path / "grid.json"
    grid.write_text(json.dumps([{"base": "EN-B0"}, entry]))
    error = fails("predict", "--grid", str(grid))
    assert "row 2" in error and said in error


def test_without_timm(fails, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    assert "this needs timm, which is not installed" in fails("predict", "timm/resnet18")


def test_described_networks_need_neither_torch_nor_numpy(tmp_path):
    grid = tmp_path / "grid.json"
    grid.write_text(json.dumps([{"base": "EN-B0", "scale_type": "dWr", "scale": 4}]))
    code = (
        "import sys; from repro.cli import main; main(sys.argv[1:]); "
        "print(*sorted({'torch', 'numpy', 'scipy', 'pandas', 'timm', 'sklearn'} & "
        "set(sys.modules)), file=sys.stderr)"
    )
    asked = ("predict", "--grid", str(grid), "--device", "all", "--json")
    done = subprocess.run(
        [sys.executable, "-c", code, *asked], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) and not done.stderr.strip()
