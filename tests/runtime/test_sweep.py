"""Sweeps in real processes, stopped in every way that a user or a machine can think of."""

import contextlib
import fcntl
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from multiprocessing import forkserver
from pathlib import Path

import psutil
import pytest

from repro.analysis.timing.sets import frame
from repro.arch import Network, ResStage
from repro.errors import InputError
from repro.records import Protocol
from repro.runtime.compare import differences
from repro.runtime.crew import PRELOADED, Crew
from repro.runtime.jobs import PeakJob, job
from repro.runtime.sweep import Outcome, _Clock, sweep
from repro.runtime.worker import Worker, WorkerDied
from repro.stored import TornLine, append, read, scan

ROOT = Path(__file__).parents[2]
QUICK = Protocol(samples=2, min_time=0, threads=1)
NAMES = ("EN-B0", "RegNetY-500MF", "ResNet-50", "RegNetX-200MF", "RegNetY-200MF")
TINY_OPTIONS = ["--resolution", "32", "--samples", "2", "--min-time", "0", "--threads", "1"]


def tiny(width, name=None):
    stages = (ResStage(1, width, 8), ResStage(1, 2 * width, 8))
    return Network(name or f"tiny-{width}", stages, resolution=32, num_classes=4)


def tiny_jobs(*widths, protocol=QUICK):
    return [job(tiny(width), protocol=protocol) for width in widths]


def names(path):
    return [record.subject.name for record in read(path)]


@pytest.fixture
def out(tmp_path):
    return tmp_path / "records.jsonl"


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A sweep of three tiny networks in two groups, and a record of the peak rates."""
    path = tmp_path_factory.mktemp("sweep") / "records.jsonl"
    seen = []
    outcome = sweep(tiny_jobs(8, 16, 24), path, group=2, done=lambda j, r: seen.append(j.name))
    return path, outcome, seen


def test_every_network_gets_a_record(measured):
    path, outcome, seen = measured
    assert names(path) == ["tiny-8", "tiny-16", "tiny-24"]
    assert read(path) == outcome.records
    assert (outcome.skipped, outcome.left, outcome.failures, len(seen)) == (0, 0, [], 3)


def test_a_record_holds_what_is_needed_later(measured):
    record = measured[1].records[0]
    assert record.subject.description["stages"][0]["width"] == 8
    assert record.subject.kernels and record.subject.acts and record.peak_rss is not None
    assert record.before.load is not None and record.machine.torch
    assert len(record.samples_s) == 2 and len(record.warmup_s) >= 2


def test_records_as_a_table(measured):
    table = frame(measured[0])
    assert list(table["model"]) == ["tiny-8", "tiny-16", "tiny-24"]
    assert (table["ms_low"] <= table["ms"]).all() and table["current"].all()
    assert (table["macts"] > 0).all() and (table["scale"] == 1).all()


def test_what_is_in_the_file_is_not_measured_again(measured):
    path, before, _ = measured
    again = []
    outcome = sweep(
        tiny_jobs(8, 16, 24), path, started=again.append, done=lambda j, r: again.append(j)
    )
    assert again == [0] and outcome.skipped == 3
    assert outcome.records == before.records


def test_a_lost_record_is_measured_again_and_no_other(measured, out):
    lines = measured[0].read_text().splitlines(keepends=True)
    out.write_text(lines[0] + lines[2])
    done = []
    outcome = sweep(tiny_jobs(8, 16, 24), out, done=lambda j, r: done.append(j.subject.name))
    assert done == ["tiny-16"] and len(outcome.records) == 3
    assert sorted(names(out)) == ["tiny-16", "tiny-24", "tiny-8"]


def test_a_torn_line_is_reported_and_its_network_measured_again(measured, out):
    text = measured[0].read_text()
    out.write_text(text[: -len(text.splitlines()[-1]) // 2])
    with pytest.warns(TornLine, match="line 3"):
        sweep(tiny_jobs(8, 16, 24), out)
    records, problems = scan(out)
    assert [r.subject.name for r in records.values()] == ["tiny-8", "tiny-16", "tiny-24"]
    assert [p.line for p in problems] == [3]


def test_another_protocol_is_another_measurement(measured, out):
    out.write_bytes(measured[0].read_bytes())
    other = QUICK.model_copy(update={"batch": 2})
    outcome = sweep([*tiny_jobs(8), *tiny_jobs(8, protocol=other)], out)
    assert outcome.skipped == 1 and len(read(out)) == 4


def test_one_network_by_two_names_is_measured_once(out):
    done = []
    sweep(
        [job(tiny(8, "a"), protocol=QUICK), job(tiny(8, "b"), protocol=QUICK)],
        out,
        done=lambda j, r: done.append(j.subject.name),
    )
    assert done == ["a"]


def test_a_file_of_another_version_is_refused_before_anything_runs(out):
    out.write_text('{"schema_version": 7, "kind": "timing"}\n')
    with pytest.raises(InputError, match=r"line 1: a record of version 7"):
        sweep(tiny_jobs(8), out, started=lambda total: pytest.fail("it began"))
    assert out.read_text().count("\n") == 1


def test_a_folder_that_is_not_there_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        sweep(tiny_jobs(8), tmp_path / "nowhere" / "records.jsonl")


def test_one_that_cannot_be_measured_does_not_stop_the_others(out):
    # Batch norm refuses to train on one value per channel: the last map of 32 pixels is 1 x 1.
    protocol = QUICK.model_copy(update={"mode": "train"})
    deep = Network("deep", tuple(ResStage(1, 8, 8) for _ in range(4)), 32, num_classes=4)
    jobs = [*tiny_jobs(8, protocol=protocol), job(deep, protocol=protocol)]
    outcome = sweep(jobs, out)
    assert [(j.subject.name, "more than 1 value" in why) for j, why in outcome.failures] == [
        ("deep", True)
    ]
    assert names(out) == ["tiny-8"] and outcome.left == 0


def test_the_time_limit_leaves_the_rest_for_another_time(out):
    outcome = sweep(tiny_jobs(8, 16), out, minutes=1e-9)
    assert (outcome.left, outcome.records) == (2, [])


def test_peak_rates_are_a_record_too(out, monkeypatch):
    [record] = sweep([PeakJob(QUICK)], out).records
    assert record.kind == "peak" and min(record.matmul_flops) > 1e8
    assert min(record.copy_bytes) > 1e7
    assert read(out) == [record] and frame(out).empty


def test_one_process_can_serve_a_group_in_turns(out, monkeypatch):
    """As on a GPU, where all networks share one process."""
    with Worker("cpu") as shared:
        monkeypatch.setattr(Crew, "worker", lambda self, device: shared)
        outcome = sweep(tiny_jobs(8, 16, 24), out, group=2)
    assert outcome.failures == [] and names(out) == ["tiny-8", "tiny-16", "tiny-24"]


def test_a_worker_that_is_killed_is_noticed():
    with Worker("cpu") as worker:
        os.kill(worker.call("pid"), signal.SIGKILL)
        with pytest.raises(WorkerDied, match=r"SIGKILL.*enough memory"):
            worker.call("pid")


# ------------------------------------------------------------- the command line, killed


def start(*arguments, **options):
    command = [sys.executable, "-m", "repro", "time", *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def finish(process):
    output, errors = process.communicate(timeout=120)
    return process.returncode, output, errors


def wait_for_lines(path, count, process):
    while not path.exists() or path.read_bytes().count(b"\n") < count:
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


def test_killed_and_interrupted_sweeps_are_continued_to_the_same_records(out):
    """kill -9 after the first record, then Ctrl-C after some more, then to the end."""
    arguments = [*NAMES, *TINY_OPTIONS, "--group", "1", "--out", str(out)]
    killed = start(*arguments)
    wait_for_lines(out, 1, killed)
    workers = psutil.Process(killed.pid).children(recursive=True)
    killed.kill()
    assert finish(killed)[0] == -signal.SIGKILL
    assert workers and _have_ended(workers)
    kept = len(read(out))
    assert 1 <= kept < len(NAMES)

    interrupted = start(*arguments)
    wait_for_lines(out, kept + 1, interrupted)
    interrupted.send_signal(signal.SIGINT)
    status, _, errors = finish(interrupted)
    assert status == 130 and "the same command goes on from there" in errors
    assert "Traceback" not in errors
    kept = len(read(out))

    status, output, errors = finish(start(*arguments))
    assert status == 0 and f"{kept} were there already" in errors
    assert names(out) == list(NAMES)
    assert all(name in output for name in NAMES)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Another process of this machine is timing until this file is closed."""
    monkeypatch.setenv("REPRO_LOCK", str(tmp_path / "lock"))
    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def test_timings_started_together_take_turns(tmp_path, out):
    """Three at once into one file: each network is measured once, beside nothing."""
    lock = {**os.environ, "REPRO_LOCK": str(tmp_path / "lock")}
    names_ = ["EN-B0", "RegNetX-200MF"]
    together = [start(*names_, *TINY_OPTIONS, "--out", str(out), env=lock) for _ in range(3)]
    ends = [finish(process) for process in together]
    assert [status for status, _, _ in ends] == [0, 0, 0]
    assert sum("2 were there already" in errors for _, _, errors in ends) == 2
    assert names(out) == names_ and {record.beside for record in read(out)} == {None}
    assert 1 <= sum(errors.count("waits for its end") for _, _, errors in ends) <= 2


def test_a_timing_waits_for_another(out, elsewhere, monkeypatch):
    asked = []

    def pause(seconds):
        asked.append(out.exists())
        elsewhere.close()

    monkeypatch.setattr("repro.runtime.sweep.time.sleep", pause)
    with pytest.warns(UserWarning, match="another timing runs on this machine; this one waits"):
        sweep(tiny_jobs(8), out)
    assert asked == [False] and read(out)[0].beside is None


def test_no_longer_than_its_minutes(out, elsewhere, capsys):
    with pytest.warns(UserWarning, match="waits"), pytest.raises(InputError, match="all of the"):
        sweep(tiny_jobs(8), out, minutes=0.005)
    assert not out.exists()


def test_beside_another_on_purpose(out, elsewhere):
    (job_,) = tiny_jobs(8)
    sweep([job_], out, beside=True)
    (record,) = read(out)
    assert record.beside is True
    found = differences(record, record.model_copy(update={"beside": None}))
    assert [d.why for d in found] == ["another timing ran on the same machine"]
    assert record.key == record.model_copy(update={"beside": None}).key


def test_nowhere_to_look_for_others(out, tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_LOCK", str(tmp_path / "no folder" / "lock"))
    assert len(sweep(tiny_jobs(8), out).records) == 1


def test_ctrl_c_while_workers_start_is_one_line(out):
    """As a terminal sends it, to every process of the command."""
    process = start("EN-B0", *TINY_OPTIONS, "--out", str(out), start_new_session=True)
    this = psutil.Process(process.pid)
    while not any("forkserver" in word for p in this.children() for word in p.cmdline()):
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGINT)
    assert finish(process) == (130, "", "stopped; nothing was measured yet\n")
    assert not out.exists()


def test_what_is_preloaded_is_what_a_worker_asks_for():
    with Worker("cpu"):
        assert tuple(forkserver._forkserver._preload_modules) == PRELOADED


def _have_ended(processes):
    """True when all have gone, or wait as zombies for whoever inherits them; they get 10 s."""

    def there(process):
        with contextlib.suppress(psutil.NoSuchProcess):
            return process.status() != psutil.STATUS_ZOMBIE
        return False

    deadline = time.monotonic() + 10
    while any(map(there, processes)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(there, processes))


def test_a_full_disk_stops_the_sweep_and_keeps_what_was_there(measured, out):
    out.write_bytes(measured[0].read_bytes())
    size = out.stat().st_size

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, size + 100))

    process = start("RegNetY-200MF", *TINY_OPTIONS, "--out", str(out), preexec_fn=limit)
    status, _, errors = finish(process)
    assert status == 2 and errors.count("error:") == 1
    assert "cannot be written" in errors and "Traceback" not in errors
    assert out.read_bytes() == measured[0].read_bytes()


def test_a_new_user_gets_a_table_and_a_picture():
    status, output, errors = finish(start("EN-B0", *TINY_OPTIONS))
    assert status == 0
    assert output.startswith("model  mode   dtype  batch")
    assert "EN-B0" in output and "ms of each iteration of warm-up (.)" in output
    assert "--out FILE.jsonl keeps records" in errors


@pytest.mark.skipif(
    Path("/dev/nvidiactl").exists(), reason="there may be a GPU here, which is no error"
)
def test_a_device_that_is_not_there(out):
    status, output, errors = finish(start("EN-B0", "--device", "cuda", "--out", str(out)))
    assert (status, output) == (2, "") and not out.exists()
    assert errors == "error: device 'cuda' is not here: torch sees no NVIDIA GPU. Allowed: cpu\n"


def test_a_dry_run_runs_nothing(out):
    status, output, _ = finish(start("--sweep", "record", "--dry-run", "--out", str(out)))
    assert status == 0 and "nothing was run" in output and "minutes" in output
    assert not out.exists()


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["EN-B0", "--batch", "0"], "batch '0' is not allowed"),
        (["EN-B9"], "unknown network 'EN-B9'. Did you mean"),
        (["EN-B0", "--samples", "0"], "samples 0"),
        (["EN-B0", "--strategy", "d"], "give both"),
        (["--sweep", "lapdog"], "Did you mean 'laptop'?"),
        (["--sweep", "smoke", "EN-B0"], "brings its own networks"),
        (["--sweep", "smoke", "--chunk", "3/2"], "chunk '3/2' is not allowed"),
        (
            ["--sweep", "record", "--dry-run", "--device", "cpu"],
            "its device is cuda; cpu is not",
        ),
        (["EN-B0", "--threads", "9999"], f"threads 9999 .*; allowed: 1 to {psutil.cpu_count()}"),
        (
            ["EN-B0", "RegNetY-500MF", "--device", "cpu", "--batch", "99999999999"],
            r"99,999,999,999 images of 224 x 224 at once needs some [\d,]+ GB of memory; ",
        ),
        (
            ["EN-B0", "--resolution", "100000"],
            "1 images of 100000 x 100000 at once needs",
        ),
        (["EN-B0", "--out", "nowhere/a.jsonl"], "there is no folder 'nowhere'"),
        (["EN-B0", "--out", "tests"], "records file 'tests' cannot be read: Is a directory"),
        ([], "give a NAME"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, words, capsys):
    from repro.cli.app import main

    assert main(["time", *arguments]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("error:") and errors.count("\n") == 1
    assert words in errors or re.search(words, errors)


def test_a_text_is_not_appended_to(tmp_path, monkeypatch, capsys):
    from repro.cli.app import main

    notes = tmp_path / "notes.txt"
    notes.write_text("do not touch\n")
    monkeypatch.setattr("repro.runtime.sweep.Crew", lambda: pytest.fail("it began"))
    assert main(["time", "EN-B0", "--out", str(notes)]) == 2
    assert "notes.txt' is not a records file: line 1 is no JSON" in capsys.readouterr().err
    assert notes.read_text() == "do not touch\n"


def test_a_file_that_may_not_be_written_is_refused_before_anything_runs(out, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match="cannot be written"):
        sweep(tiny_jobs(8), out, started=lambda total: pytest.fail("it began"))


@pytest.mark.parametrize("busy, warnings", [(80.0, 1), (3.0, 0)])
def test_a_busy_machine_is_one_line_of_warning(busy, warnings, monkeypatch, capsys):
    from repro.cli.app import main

    def measured(tasks, out, group, minutes, started, done, beside):
        started(len(tasks))
        return Outcome()

    monkeypatch.setattr("repro.runtime.sweep.sweep", measured)
    monkeypatch.setattr(psutil, "cpu_percent", lambda seconds: busy)
    assert main(["time", "EN-B0"]) == 0
    errors = capsys.readouterr().err.splitlines()
    assert sum("keep the processors 80 % busy" in line for line in errors) == warnings
    assert len(errors) == 1 + warnings


@pytest.mark.parametrize(
    "rows, words",
    [
        ([{"base": "EN-B0"}, {"base": "EN-B99"}], "row 2: unknown network 'EN-B99'"),
        ([], "empty list"),
        ([{"base": "EN-B0", "scale_type": "q", "scale": 2}], "row 1: strategy 'q'"),
    ],
)
def test_a_grid_that_cannot_be_used(rows, words, tmp_path, capsys):
    from repro.cli.app import main

    grid = tmp_path / "grid.json"
    grid.write_text(json.dumps(rows))
    assert main(["time", "--grid", str(grid)]) == 2
    assert words in capsys.readouterr().err


def test_records_of_two_files_in_one_table(measured, out):
    append(out, read(measured[0])[0])
    assert len(frame(measured[0], out)) == 4


# ------------------------------------------------------------- one process for all, as on a GPU


@pytest.fixture
def shared(monkeypatch):
    """One process serves all networks; the number of those that it took."""
    started = []

    def worker(crew, device):
        if crew.shared is None:
            crew.shared = Worker("cpu")
            started.append(crew.shared)
        return crew.shared

    monkeypatch.setattr(Crew, "worker", worker)
    return started


def refusing(monkeypatch, number, error):
    """Have a network of each group end in an error when it is to be sampled."""
    tried = []

    def sample(remote, count):
        tried.append((remote.number, len(tried)))
        if remote.number == number and remote.job[0].name == "tiny-16":
            raise RuntimeError(error)
        remote.worker.call("sample", remote.number, count)

    monkeypatch.setattr("repro.runtime.worker.Remote.sample", sample)
    return tried


@pytest.mark.parametrize("error", ["OutOfMemoryError: CUDA out of memory", "ValueError: no"])
def test_what_goes_wrong_with_one_network_leaves_the_others_alone(out, shared, monkeypatch, error):
    tried = refusing(monkeypatch, 1, error)
    outcome = sweep(tiny_jobs(8, 16, 24), out, group=3)
    assert names(out) == ["tiny-8", "tiny-24"]
    assert [(j.subject.name, why) for j, why in outcome.failures] == [("tiny-16", error)]
    assert len(shared) == 1 and len(tried) == 2 + 1 + 2  # in two turns, the one tried once


def test_a_process_that_cuda_has_given_up_is_replaced(out, shared, monkeypatch):
    refusing(monkeypatch, 1, "AcceleratorError: CUDA error: an illegal memory access")
    outcome = sweep(tiny_jobs(8, 16, 24), out, group=3)
    # The group is measured one by one, each as number 0, and then all of them can be.
    assert names(out) == ["tiny-8", "tiny-16", "tiny-24"] and outcome.failures == []
    assert len(shared) == 2 and not shared[0].process.is_alive()


def test_a_network_that_cannot_begin_leaves_no_memory_behind(out, shared):
    protocol = QUICK.model_copy(update={"mode": "train"})
    deep = Network("deep", tuple(ResStage(1, 8, 8) for _ in range(4)), 32, num_classes=4)
    jobs = [job(deep, protocol=protocol), *tiny_jobs(8, protocol=protocol)]
    asked = []
    with pytest.MonkeyPatch.context() as patch:
        call = Worker.call

        def noted(self, *words):
            asked.append(words)
            return call(self, *words)

        patch.setattr(Worker, "call", noted)
        outcome = sweep(jobs, out, group=2)
    assert names(out) == ["tiny-8"] and len(outcome.failures) == len(shared) == 1
    assert ("result", 0) in asked and ("run", "gc", "collect") in asked


@pytest.mark.parametrize("seconds, kept", [(0.05, None), (0.6, 7.0)])
def test_joules_of_short_windows_are_not_kept(monkeypatch, seconds, kept):
    def result(remote):
        found = remote.worker.call("result", remote.number)
        return {**found, "samples_s": (seconds, seconds), "iterations": 2, "energy_j": 7.0}

    monkeypatch.setattr("repro.runtime.worker.Remote.result", result)
    [record] = sweep(tiny_jobs(8)).records
    assert record.energy_j == kept
    pair = sweep(tiny_jobs(8, 16)).records  # in two turns of half as long
    assert [r.energy_j for r in pair] == [kept, kept]


def test_what_takes_longer_than_planned_is_planned_longer(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("repro.runtime.sweep.time.monotonic", lambda: now[0])
    clock = _Clock(minutes=1)
    assert clock.allows(60) and not clock.allows(61)
    with clock.running(9.0):
        now[0] += 29.0  # three times as long, beside the one second that both begin with
    assert clock.left() == 31
    assert clock.allows(10.3) and not clock.allows(10.4)
    with clock.running(90.0):
        now[0] += 1.0  # what takes less is not planned shorter
    assert clock.allows(30) and not clock.allows(30.1)


def test_a_shorter_group_is_still_begun(out, monkeypatch):
    costs = {"tiny-8": 1.0, "tiny-16": 1e6, "tiny-24": 1.0}
    monkeypatch.setattr("repro.runtime.sweep.estimated_s", lambda j, m: costs[j.subject.name])
    begun = []
    outcome = sweep(
        tiny_jobs(8, 16, 24),
        out,
        group=1,
        minutes=5,
        begun=lambda members, left: begun.append((members[0].subject.name, left < 300)),
    )
    assert begun == [("tiny-8", True), ("tiny-24", True)] and outcome.left == 1


def test_a_recording_leaves_out_what_the_machine_cannot_do(out):
    cannot = QUICK.model_copy(update={"dtype": "tf32"})
    jobs = [*tiny_jobs(8, protocol=cannot), *tiny_jobs(16)]
    outcome = sweep(jobs, out, recording=True)
    assert names(out) == ["tiny-16"] and outcome.failures == [] and outcome.left == 0
    assert [(n, "tf32" in why) for why, n in outcome.impossible.items()] == [(1, True)]
    with pytest.raises(InputError, match="tf32"):
        sweep(jobs[:1], out, recording=True)
    with pytest.raises(InputError, match="tf32"):
        sweep(jobs, out)
