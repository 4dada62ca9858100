"""Recording a GPU that is not there: killed, continued, judged, and shown on pages."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import fake_cuda
import psutil
import pytest
from made_up_records import timing
from made_up_timings import GPU, by_all, records

from repro.analysis.accelerators import blocks, x_times
from repro.analysis.accelerators.roofs import records as all_records
from repro.book.chapters import efficientnet_x, scoreboard
from repro.book.kit.figures import show, use_house_style
from repro.claims import asked_of, judge, load
from repro.cli.recording import Verdicts, timed_s
from repro.runtime.estimates import estimated_s
from repro.runtime.jobs import TrafficJob, named_sweep, unique
from repro.runtime.sweep import Outcome
from repro.stored import append, only, read

ROOT = Path(__file__).parents[2]
PLAN = """
- protocol: &usual {device: cuda, samples: 3, min_time: 0, rounds: 2}
- protocol: {<<: *usual, dtype: bf16}
  peaks: true
- protocol: &images {<<: *usual, dtype: fp16, batch: 128}
  bases: [MBConv-c16@56, FusedMBConv-c16@56, MBConv-c32@56, FusedMBConv-c32@56]
- protocol: *images
  bases: [MBConv-c128@56, FusedMBConv-c128@56, MBConv-c192@56, FusedMBConv-c192@56]
- protocol: *images
  bases: [EN-TF-B0, EN-X-GPU-B0+relu, EN-X-GPU-B4+relu, EN-X-GPU-B4+swish, timm/resnet18]
- protocol: {<<: *images, compile: graph, batch: 1}
  bases: [EN-TF-B0]
- protocol: &training {<<: *usual, dtype: bf16, mode: step, batch: max, memory_gb: 32}
  bases: [EN-B4]
- protocol: *training
  bases: [RegNetY-4GF]
  strategies: [d1_w8_g8_r1]
  scales: [4]
- protocol: {<<: *usual, mode: train, batch: 512}
  bases: [EN-B4]
- protocol: *images
  traffic: true
  bases: [EN-TF-B0]
- protocol: {<<: *images, min_time: 3000, samples: 1}
  bases: [MBConv-c16@56]
"""
"""A quarter of an hour cannot hold the last one; it would take an hour."""
DECIDED = {
    "x-recorded-search-alone",
    "x-recorded-swish-eager",
    "x-recorded-fused",
    "gpu-regnety-16gf-b4-time",
    "regnety-16gf-memory",
}


class Recording:
    """Three commands on one file: killed, gone on, and with nothing left that fits."""

    def __init__(self, folder):
        self.plan, self.out = folder / "plan.yaml", folder / "gpu.jsonl"
        self.plan.write_text(PLAN)
        # cuDNN finds no engine in the last tenth of the memory, where the largest batch would be.
        self.environment = fake_cuda.environment(folder, crowded=0.9) | {"PATH": "/nowhere"}
        killed = self.start()
        while not self.out.exists() or self.out.read_bytes().count(b"\n") < 2:
            assert killed.poll() is None, killed.communicate()
            time.sleep(0.01)
        killed.kill()
        killed.communicate()
        self.at_kill = read(self.out)
        self.status, self.verdicts, self.progress = self.finish(self.start())
        self.records = read(self.out)
        self.again = self.finish(self.start())

    def start(self):
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "repro", "record", "--sweep", str(self.plan)),
                *("--device", "cuda", "--minutes", "15", "--out", str(self.out)),
            ],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process):
        output, errors = process.communicate(timeout=120)
        return process.returncode, output, errors


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return Recording(tmp_path_factory.mktemp("recording"))


def by_name(records, **protocol):
    return {
        r.subject.name: r
        for r in records
        if r.kind == "timing" and all(getattr(r.protocol, k) == v for k, v in protocol.items())
    }


def test_what_was_killed_goes_on_and_nothing_is_measured_twice(recording):
    assert recording.status == 0, recording.progress
    before = [r.key for r in recording.at_kill]
    every = [r.key for r in recording.records]
    assert 2 <= len(before) < len(every) == len(set(every))
    assert every[: len(before)] == before
    planned = unique(named_sweep(str(recording.plan)))[:-1]
    timed = [t.subject.name for t in planned if t.name != "peak rates"]
    assert timed.pop() == "EN-TF-B0"  # whose traffic needs ncu
    assert [r.subject.name for r in recording.records if r.kind == "timing"] == timed
    assert f"{len(before)} were there already" in recording.progress


def test_what_does_not_fit_into_the_minutes_is_not_begun(recording):
    assert "1 are left: give the same command again" in recording.progress
    status, output, errors = recording.again
    assert (status, output) == (2, "")
    assert errors == (
        "error: 15 minutes are too few for what comes next; give more --minutes "
        f"({len(recording.records)} measurements are in {recording.out} already)\n"
    )


def test_it_says_what_is_measured_how_long_is_left_and_what_is_left_out(recording):
    lines = recording.progress.splitlines()
    measured = [line.partition(" min left  ") for line in lines if " min left  " in line]
    minutes = [float(first) for first, _, _ in measured]
    assert minutes == sorted(minutes, reverse=True) and 13 < minutes[-1] <= minutes[0] < 15
    assert any(what == "EN-B4, step bf16 batch max" for *_, what in measured)
    assert sum(line.startswith("note: no ncu") for line in lines) == 1


def test_the_file_is_judged_by_itself(recording):
    *rows, still, last = recording.verdicts.splitlines()
    assert last == f"{len(DECIDED)} of {len(asked_of('cuda'))} questions decided"
    assert {i for i in DECIDED if any(i in row for row in rows)} == DECIDED
    assert still.startswith("open: ") and not any(i in still for i in DECIDED)
    verdicts = Verdicts("cuda", recording.out)
    verdicts.look()
    assert verdicts.text() == recording.verdicts.rstrip("\n")
    for claim in ("regnety-16gf-memory", "gpu-regnety-16gf-b4-time"):  # long after the kill
        assert recording.progress.count(f"decided: {claim}: trend reproduced") == 1


def test_the_verdicts_are_those_of_the_made_up_device(recording):
    """It writes maps and multiplies: ReLU costs what swish costs, and one wide conv less."""
    claims = {c.id: c for c in load().claims}
    with only(recording.out):
        found = {i: judge(claims[i]) for i in DECIDED}
    assert {j.machine for j in found.values()} == {"NVIDIA H100 80GB HBM3"}
    assert found["x-recorded-swish-eager"].computed == "1.00 times as fast"
    assert found["x-recorded-swish-eager"].verdict == "not reproduced"
    for claim in ("x-recorded-fused", "regnety-16gf-memory"):
        assert found[claim].verdict == "trend reproduced"


def test_the_largest_batch_is_found_below_what_cudnn_can_plan(recording):
    for record in by_name(recording.records, batch="max").values():
        assert record.halvings > 0 and record.batch % 8 == 0
        assert 0.75 * 32e9 < record.peak_allocated < 0.9 * 32e9


def test_a_batch_that_does_not_fit_is_halved(recording):
    record = by_name(recording.records, batch=512)["EN-B4"]
    assert record.batch == 512 >> record.halvings < 512
    assert record.peak_allocated < 85e9


def test_a_replayed_graph_and_a_network_of_timm_s_are_timed(recording):
    graph = by_name(recording.records, compile="graph")["EN-TF-B0"]
    eager = by_name(recording.records, compile="none", dtype="fp16", batch=128)
    assert 0 < graph.quartiles[1] < eager["EN-TF-B0"].quartiles[1]
    assert eager["timm/resnet18"].quartiles[1] < eager["EN-X-GPU-B4+relu"].quartiles[1]


def test_timed_seconds_are_those_of_warm_up_and_samples():
    record = timing(samples=(0.5, 0.25), iterations=4, warmup_s=(1.0, 2.0))
    assert timed_s([record, record]) == 2 * (3 + 4 * 0.75)


def test_pages_show_it_beside_the_books_records(recording, tmp_path, monkeypatch):
    for entry in ROOT.iterdir():
        if entry.name != "data":
            (tmp_path / entry.name).symlink_to(entry)
    shutil.copytree(ROOT / "data", tmp_path / "data")
    shutil.copy(recording.out, tmp_path / "data" / "records" / "gpu-made-up.jsonl")
    monkeypatch.setenv("REPRO_ROOT", str(tmp_path))
    today = x_times.ratios("cuda")
    assert set(today.machine) == {"NVIDIA H100 80GB HBM3"}
    assert list(today.network) == ["EN-X-GPU-B0+relu"]
    use_house_style()
    drawn = show(efficientnet_x.today_figure(today), "name", alt="x", caption="x").svg
    assert "EN-X-GPU-B0+relu" in drawn
    pairs = {"c32": ("MBConv-c32@56", "FusedMBConv-c32@56")}
    machines = blocks.measured(all_records(), pairs).machine
    assert "NVIDIA H100 80GB HBM3, fp16, batch 128" in set(machines)
    board = scoreboard.board()
    shown = scoreboard.find(board, "x-recorded-fused").judgement
    assert shown.verdict == "trend reproduced" and "on NVIDIA H100 80GB HBM3" in shown.why


# --------------------------------------------------------------------- the order of a recording


def decided_within(minutes, tmp_path):
    """What the plan decides on a made-up GPU in so many planned minutes."""
    tasks, chosen, total = unique(named_sweep("record")), [], 0.0
    for task in tasks:
        if not isinstance(task, TrafficJob):
            total += estimated_s(task)
            chosen += [json.dumps(task.inputs(), sort_keys=True)] * (total <= 60 * minutes)

    def early(task):
        return json.dumps(task.inputs(), sort_keys=True) in set(chosen)

    path = tmp_path / f"{minutes}.jsonl"
    for record in records("record", by_all, GPU, keep=early):
        append(path, record)
    verdicts = Verdicts("cuda", path)
    verdicts.look()
    return verdicts.decided.keys()


def test_the_first_minutes_decide_most(tmp_path, monkeypatch):
    monkeypatch.setattr("repro.records.commit", lambda: None)
    asked = {claim.id for claim in asked_of("cuda")}
    assert len(decided_within(4, tmp_path)) >= len(asked) / 2
    assert decided_within(10, tmp_path) == asked


# --------------------------------------------------------------------------------- refusals


@pytest.mark.skipif(
    Path("/dev/nvidiactl").exists(), reason="there may be a GPU here, which is no error"
)
def test_a_gpu_that_is_not_there(fails, tmp_path):
    out = tmp_path / "gpu.jsonl"
    assert "device 'cuda' is not here: torch sees no NVIDIA GPU" in fails("record", "--out", out)
    assert not out.exists()


def test_a_folder_that_is_not_there(fails, tmp_path):
    out = str(tmp_path / "nowhere" / "gpu.jsonl")
    assert "there is no folder" in fails("record", "--device", "cpu", "--out", out)


def test_another_machine_s_file_is_refused(fails, tmp_path):
    out = tmp_path / "mine.jsonl"
    append(out, timing())
    before = out.read_bytes()
    error = fails("record", "--device", "cpu", "--sweep", "smoke", "--out", str(out))
    assert "is of another machine (device_name 'a processor', here " in error
    assert out.read_bytes() == before


def test_minutes_too_few_for_anything(fails, tmp_path):
    out = tmp_path / "mine.jsonl"
    arguments = ("--device", "cpu", "--sweep", "smoke", "--minutes", "0.01", "--out", str(out))
    assert "0.01 minutes are too few for what comes next" in fails("record", *arguments)
    assert not out.exists()


@pytest.mark.parametrize(
    "option, value, rule",
    [("--minutes", "nan", "0"), ("--minutes", "-1", "0"), ("--device", "x", "")],
)
def test_an_option_s_value_is_named(fails, option, value, rule):
    error = fails("record", "--device", "cpu", option, value, "--out", "x.jsonl")
    assert option in error and f"'{value}'" in error and rule in error
    assert "Value error" not in error


def test_what_is_no_file_is_refused_before_anything_is_measured(fails):
    error = fails("record", "--device", "cpu", "--sweep", "smoke", "--out", "/dev/null")
    assert "'/dev/null' cannot be continued: it is not a file" in error


@pytest.mark.parametrize("percent, warnings", [(80.0, 1), (3.0, 0)])
def test_a_busy_machine_is_one_line_of_warning(run, tmp_path, monkeypatch, percent, warnings):
    def measured(jobs, out, begun, **_):
        begun(jobs[:1], 60.0)
        begun(jobs[1:2], 50.0)
        return Outcome()

    monkeypatch.setattr("repro.runtime.sweep.sweep", measured)
    monkeypatch.setattr(psutil, "cpu_percent", lambda seconds: percent)
    status, _, errors = run("record", "--device", "cpu", "--out", str(tmp_path / "x.jsonl"))
    assert status == 0
    said = "keep the processors 80 % busy; .* and a recording may outlast its minutes"
    assert len(re.findall(said, errors)) == warnings


def test_a_sweep_of_another_device(fails):
    error = fails("record", "--device", "cpu", "--sweep", "record", "--out", "x.jsonl")
    assert "its device is cuda; cpu is not allowed" in error


# ----------------------------------------------------------- what a GPU machine has and has not

MISSING = ("fvcore", "torchinfo", "papermill", "ipykernel", "submitit", "pandas", "sklearn")
COMMANDS = (
    ("record", "--dry-run", "--out", "x.jsonl"),
    ("time", "--sweep", "record", "--dry-run"),
    ("sweep", "data/sweeps/proxy_gpu.yaml", "--dry-run", "--out", "x"),
)
BARE = f"""
import sys
import typer
vars(typer).pop("TyperException", None)  # as before 0.26
sys.modules.update(dict.fromkeys({(*MISSING, "matplotlib", "nbformat", "IPython")!r}))
from repro.cli.app import main
for command in {COMMANDS!r}:
    assert main(command) == 0, command
assert main(["record", "--out"]) == 2
assert main(["record", "--device", "tpu", "--out", "x"]) == 2
"""


def test_commands_for_a_gpu_need_little():
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", BARE],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("nothing was run") == len(COMMANDS)
    errors = done.stderr.splitlines()
    assert len(errors) == 2 and all(line.startswith("error: ") for line in errors)
