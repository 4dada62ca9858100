"""Runs that are killed, stopped, refused, or go wrong, in real processes; and what they leave."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from PIL import Image
from training_child import Child, metrics, pair, wait_for

from repro.errors import InputError
from repro.interrupt import handled
from repro.stored import read
from repro.training import checkpoint, distributed
from repro.training.distributed import World
from repro.training.folder import RunFolder, open_folder
from repro.training.plan import plan
from repro.training.run import Options, Silent, Stopped
from repro.training.run import run as carry_out
from repro.training.sources import open_source
from repro.training.spec import Launched, launched
from repro.training.trainer import Diverged

# Everything that draws random numbers or keeps a state of its own.
TRAIN = [
    *("train", "proxy-EN", "--data", "digits", "--resolution", "8", "--images", "320"),
    *("--epochs", "3", "--batch", "16", "--seed", "5", "--threads", "1", "--device", "cpu"),
    *("--set", "dropout=0.1", "--set", "drop_path=0.1", "--set", "mixup=0.2"),
    *("--set", "augment=autoaugment", "--set", "crop=area", "--set", "report=best"),
]
STEPS = 60
EVERY_LOOK = ["--save-every", "0"]


def same_tensors(one, two):
    assert one.keys() == two.keys()
    for key in one:
        assert torch.equal(one[key], two[key]), key


def same_end(one, two):
    """Two runs came to the same, to the bit: weights, state, metrics, test score."""
    a, b = (torch.load(run / "weights.pt", weights_only=True) for run in (one, two))
    same_tensors(a, b)
    a, b = (checkpoint.read(checkpoint.existing(run / "checkpoints")[-1]) for run in (one, two))
    for part in ("model", "average"):
        same_tensors(a["trainer"][part], b["trainer"][part])
    for ours, theirs in zip(*(s["trainer"]["optimizer"]["state"].values() for s in (a, b))):  # noqa: B905
        same_tensors(ours, theirs)
    same_tensors(a["progress"]["best"]["weights"], b["progress"]["best"]["weights"])
    assert metrics(one) == metrics(two)
    a, b = (RunFolder(run).record() for run in (one, two))
    assert (a.test, a.curve, a.reported_epoch) == (b.test, b.curve, b.reported_epoch)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    status, output = Child([*TRAIN, "--out", folder / "run"], folder).end()
    assert status == 0, output
    return folder / "run", output


@pytest.fixture(scope="module")
def whole_pair(tmp_path_factory):
    """The same in two processes."""
    folder = tmp_path_factory.mktemp("pair")
    ends = [child.end() for child in pair([*TRAIN, "--out", folder / "run"], folder)]
    assert [status for status, _ in ends] == [0, 0], ends
    return folder / "run", ends


def lines(run):
    """How many lines of metrics there are; a torn one counts."""
    path = run / "metrics.jsonl"
    return len(path.read_bytes().splitlines()) if path.exists() else 0


def started(run, least):
    """Wait until a run has written so many lines."""
    wait_for(lambda: lines(run) >= least)


# ------------------------------------------------------------------------------ the result


def test_the_outcome_is_a_record(whole):
    run, output = whole
    (record,) = read(run / "record.jsonl")
    assert record.kind == "training" and record.subject.base == "proxy-EN"
    assert record.data.train == 320 and record.data.test == record.test.images == 359
    assert len(record.curve) == 3 and record.interruptions == 0 and record.other_code == ()
    best = min(record.curve, key=lambda e: e.holdout.wrong)
    assert record.curve[record.reported_epoch - 1].holdout.wrong == best.holdout.wrong
    assert record.test.error < 0.87 and record.train_s > record.data_s > 0
    assert f"test error {100 * record.test.error:.2f} %" in output
    assert "training loss" in output and "hold-out error, %" in output
    found = metrics(run)
    assert [m["step"] for m in found if m["kind"] == "train"][-1] == STEPS
    assert [m["epoch"] for m in found if m["kind"] == "epoch"] == [1, 2, 3]
    assert (run / "curve.svg").read_text().startswith("<?xml")


def test_reported_weights_give_the_reported_error(whole):
    """The weights file alone, in a fresh network, makes the recorded number of mistakes."""
    from repro.models import build

    run, _ = whole
    record = RunFolder(run).record()
    planned = plan(
        "proxy-EN", "digits", resolution=8, images=320, batch=16, seed=5,
        changes=["dropout=0.1", "drop_path=0.1", "mixup=0.2", "augment=autoaugment", "crop=area"],
    )  # fmt: skip
    model = build(planned.net, num_classes=10).to(memory_format=torch.channels_last).eval()
    model.load_state_dict(torch.load(run / "weights.pt", weights_only=True))
    feed = open_source(planned.setting, 8, World(0, 1, torch.device("cpu")))
    with torch.no_grad():
        wrong = sum(int((model(x).argmax(1) != y).sum()) for x, y in feed.evaluation("test"))
    assert abs(wrong - record.test.wrong) <= 1  # another number of threads rounds otherwise


def test_one_process_and_two_learn_the_same_images(whole, whole_pair):
    """Batch norm sees halves, so numbers differ; the first loss, before any update, hardly."""
    one, two = metrics(whole[0]), metrics(whole_pair[0])
    assert one[0]["lr"] == two[0]["lr"] and one != two
    assert one[0]["loss"] == pytest.approx(two[0]["loss"], rel=0.05)
    record = RunFolder(whole_pair[0]).record()
    assert record.ranks == 2 and record.test.images == 359 and record.curve[0].holdout.images == 144


def test_only_the_leader_speaks(whole_pair):
    (_, first), (_, second) = whole_pair[1]
    assert "test error" in first and second == ""


# ------------------------------------------------------------------------------ kill and resume


def test_killed_at_a_random_moment_and_resumed(whole, tmp_path):
    run, when = tmp_path / "run", random.SystemRandom().randrange(1, 28)
    arguments = [*TRAIN, *EVERY_LOOK, "--out", run]
    child = Child(arguments, tmp_path)
    started(run, when)
    child.process.kill()
    assert child.end()[0] == -signal.SIGKILL
    assert not (run / "record.jsonl").exists(), f"killed too late, after line {when}"
    status, output = Child([*arguments, "--resume"], tmp_path / "again").end()
    assert status == 0, output
    same_end(run, whole[0])


def test_two_processes_killed_and_resumed(whole_pair, tmp_path):
    run, when = tmp_path / "run", random.SystemRandom().randrange(3, 28)
    arguments = [*TRAIN, *EVERY_LOOK, "--out", run]
    children = pair(arguments, tmp_path)
    started(run, when)
    for child in random.sample(children, 2):
        child.process.kill()
    assert [child.end()[0] for child in children] == [-signal.SIGKILL] * 2
    ends = [child.end() for child in pair([*arguments, "--resume"], tmp_path / "again")]
    assert [status for status, _ in ends] == [0, 0], (when, ends)
    same_end(run, whole_pair[0])


def test_terminated_saves_and_goes_on(whole, tmp_path):
    """A preempted job: SIGTERM, far from any checkpoint; then a damaged checkpoint on top."""
    run = tmp_path / "run"
    arguments = [*TRAIN, "--out", run]
    child = Child(arguments, tmp_path)
    started(run, 8)
    os.kill(child.process.pid, signal.SIGTERM)
    status, output = child.end()
    assert status == 128 + signal.SIGTERM and "stopped after update" in output
    (saved,) = checkpoint.existing(run / "checkpoints")
    assert f"stopped after update {checkpoint.step_of(saved)};" in output
    assert metrics(run)[-1]["step"] <= checkpoint.step_of(saved)

    child = Child([*arguments, *EVERY_LOOK, "--resume"], tmp_path / "second")
    wait_for(lambda: len(checkpoint.existing(run / "checkpoints")) == 2)
    os.kill(child.process.pid, signal.SIGINT)
    assert child.end()[0] == 128 + signal.SIGINT
    last = checkpoint.existing(run / "checkpoints")[-1]
    content = bytearray(last.read_bytes())
    content[len(content) // 2] ^= 1
    last.write_bytes(content)
    status, output = Child([*arguments, "--resume"], tmp_path / "third").end()
    assert status == 0 and f"checkpoint {last} is damaged; the one before it is used" in output
    same_end(run, whole[0])


def test_two_processes_terminated_one_after_the_other(whole_pair, tmp_path):
    run = tmp_path / "run"
    arguments = [*TRAIN, "--out", run]
    children = pair(arguments, tmp_path)
    started(run, 6)
    os.kill(children[1].process.pid, signal.SIGTERM)  # one alone is asked; both stop
    ends = [child.end() for child in children]
    assert [status for status, _ in ends] == [128 + signal.SIGTERM] * 2, ends
    ends = [child.end() for child in pair([*arguments, "--resume"], tmp_path / "again")]
    assert [status for status, _ in ends] == [0, 0], ends
    same_end(run, whole_pair[0])


def test_everything_damaged_begins_anew(whole, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole[0], run)
    (run / "record.jsonl").unlink()
    for path in checkpoint.existing(run / "checkpoints"):
        path.write_bytes(b"rubbish")
    status, output = Child([*TRAIN, "--out", run, "--resume"], tmp_path).end()
    assert status == 0 and "is damaged" in output
    same_end(run, whole[0])


def test_killed_after_the_last_update(whole, tmp_path):
    """All that was missing was the look at the test split."""
    run = tmp_path / "run"
    shutil.copytree(whole[0], run)
    (run / "record.jsonl").unlink()
    (run / "weights.pt").unlink()
    status, _ = Child([*TRAIN, "--out", run, "--resume"], tmp_path).end()
    assert status == 0
    same_end(run, whole[0])


def test_a_finished_run_is_not_run_again(whole, tmp_path):
    before = (whole[0] / "record.jsonl").read_text()
    status, output = Child([*TRAIN, "--out", whole[0], "--resume"], tmp_path).end()
    assert status == 0 and "test error" in output
    assert "this run was complete before; nothing was trained" in output
    assert (whole[0] / "record.jsonl").read_text() == before


# ------------------------------------------------------------------------------ launched by others


def test_torchrun(whole_pair, tmp_path):
    run = tmp_path / "run"
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
        *("-m", "repro", *TRAIN, "--out", str(run)),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("test error") == 1
    same_end(run, whole_pair[0])


def test_submitit_on_this_machine(whole_pair, tmp_path):
    run = tmp_path / "run"
    arguments = [*TRAIN, "--out", run, "--executor", "local", "--ranks", "2", "--hours", "0.1"]
    status, output = Child(arguments, tmp_path).end()
    assert status == 0, output
    assert "job " in output and "test error" in output and any((run / "jobs").iterdir())
    same_end(run, whole_pair[0])


def test_submitit_asks_slurm(tmp_path, monkeypatch, capsys):
    """With stand-ins for Slurm's commands: what would be asked of a cluster."""
    from repro.cli.app import main

    for name, answer in (("sbatch", "Submitted batch job 4711"), ("srun", ""), ("scancel", "")):
        command = tmp_path / name
        command.write_text(f"#!/bin/sh\necho {answer}\n")
        command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    run = tmp_path / "run"
    job = ["--executor", "slurm", "--nodes", "2", "--ranks", "8", "--cores", "4", "--hours", "1.5"]
    assert main(["train", "EN-B0", "--out", str(run), *job, "--partition", "gpu"]) == 0
    assert "job 4711" in capsys.readouterr().err
    script = next((run / "jobs").glob("*submission*.sh"))
    text = script.read_text()
    for line in (
        "--nodes=2",
        "--ntasks-per-node=8",
        "--gpus-per-node=8",
        "--cpus-per-task=4",
        "--time=90",
        "--partition=gpu",
    ):
        assert line in text, text


def begun(arguments, run, folder):
    """A job of this machine after some updates: its command, number and processes."""
    child = Child([*arguments, "--executor", "local", "--hours", "0.1"], folder)
    started(run, 8)
    (submitted,) = (run / "jobs").glob("*_submitted.pkl")
    job = submitted.name.partition("_")[0]
    return child, job, psutil.Process(int(job)).children()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR2])
def test_a_preempted_job_goes_on_by_itself(number, whole_pair, tmp_path):
    run = tmp_path / "run"
    child, _, tasks = begun([*TRAIN, "--ranks", "2", "--out", run], run, tmp_path)
    tasks[number == signal.SIGTERM].send_signal(number)  # to one alone; SIGUSR2 to the leader
    status, output = child.end()
    assert status == 0 and "test error" in output, output
    same_end(run, whole_pair[0])
    assert RunFolder(run).record().interruptions == 1


def test_a_killed_job_says_so_and_goes_on_when_started_again(whole, tmp_path):
    run = tmp_path / "run"
    child, job, (task,) = begun([*TRAIN, *EVERY_LOOK, "--out", run], run, tmp_path)
    task.kill()
    status, output = child.end()
    (error,) = [line for line in output.splitlines() if line.startswith("error: ")]
    assert (
        status == 1
        and f"job {job} was killed (process 0 of 1), from outside or for want of memory" in error
    )
    assert f"--resume --out {run} goes on; its log is {run}/jobs/{job}_0_log.err" in error
    names = ("JOB_ID", "NTASKS", "JOB_NUM_NODES", "NODEID", "GLOBALID", "LOCALID")
    lost = dict(zip((f"SUBMITIT_LOCAL_{n}" for n in names), (job, *"11000"), strict=True))
    again = subprocess.run(  # as a cluster does that lost the machine
        [sys.executable, "-m", "submitit.core._submit", run / "jobs"],
        env={**os.environ, **lost, "SUBMITIT_EXECUTOR": "local"},
        capture_output=True,
        text=True,
    )
    assert again.returncode == 0, again.stderr
    same_end(run, whole[0])
    error = fails([*TRAIN, "--out", run, "--executor", "local"], tmp_path / "new")
    assert "holds a finished run; --resume goes on with it" in error


@pytest.mark.parametrize(("state", "wanted"), [("RUNNING", True), ("COMPLETING", False)])
def test_a_cancelled_job_is_not_queued_again(state, wanted, tmp_path, monkeypatch):
    """SIGTERM alone does not tell a preemption from the user's scancel; a stand-in for Slurm."""
    from repro.training.launch import _is_wanted

    (tmp_path / "squeue").write_text(f"#!/bin/sh\necho {state}\n")
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert _is_wanted(SimpleNamespace(cluster="slurm", job_id="4711")) == wanted
    assert _is_wanted(SimpleNamespace(cluster="local", job_id="4711"))


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        (
            {"WORLD_SIZE": "2"},
            "WORLD_SIZE=2 in the environment, but no RANK, MASTER_ADDR, MASTER_P",
        ),
        ({"RANK": "1"}, "RANK=1 in the environment, but no WORLD_SIZE"),
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE='two' in the environment is no number"),
        (
            {"WORLD_SIZE": "2", "RANK": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"},
            "RANK=2 in the environment, but WORLD_SIZE=2",
        ),
    ],
)
def test_what_a_launcher_left_behind_is_named(variables, says, monkeypatch, capsys, tmp_path):
    from repro.cli.app import main

    monkeypatch.chdir(tmp_path)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main(["train", "proxy-EN", "--resolution", "8", "--device", "cpu"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {says}") and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_remains_of_one_process_are_none(monkeypatch):
    for name, value in {"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "3"}.items():
        monkeypatch.setenv(name, value)
    assert launched() == Launched(0, 1, 0, 1)


def test_waiting_for_others_is_said(monkeypatch):
    together = {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "there", "MASTER_PORT": "77"}
    for name, value in together.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(distributed, "PATIENCE", 0.01)
    monkeypatch.setattr(distributed.dist, "init_process_group", lambda *_, **__: time.sleep(0.5))
    monkeypatch.setattr(distributed.dist, "get_rank", lambda: 0)
    monkeypatch.setattr(distributed.dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(distributed.dist, "destroy_process_group", lambda: None)
    with (
        pytest.warns(match="process 0 of 2 waits for the others at there:77"),
        distributed.connect("cpu"),
    ):
        pass


def test_several_started_together_have_a_folder_each(tmp_path):
    arguments = [a if a != "3" else "1" for a in TRAIN]
    ends = [child.end() for child in [Child(arguments, tmp_path) for _ in range(3)]]
    assert [status for status, _ in ends] == [0, 0, 0], ends[0][1]
    made = sorted((tmp_path / "runs" / "train").iterdir())
    assert [p.name for p in made] == ["proxy-EN-digits", "proxy-EN-digits-2", "proxy-EN-digits-3"]
    assert all((folder / "record.jsonl").exists() for folder in made)


def test_a_closed_terminal_saves(tmp_path):
    child = Child([*TRAIN, "--out", tmp_path / "run"], tmp_path)
    started(tmp_path / "run", 6)
    os.kill(child.process.pid, signal.SIGHUP)
    status, output = child.end()
    (saved,) = checkpoint.existing(tmp_path / "run" / "checkpoints")
    assert status == 128 + signal.SIGHUP
    assert f"stopped after update {checkpoint.step_of(saved)};" in output


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    with handled(print, signal.SIGHUP):
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    signal.signal(signal.SIGHUP, before)


def test_a_broken_plotting_set_up_costs_nothing(whole, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole[0], run)
    drawn = (run / "curve.svg").read_bytes()
    (run / "curve.svg").unlink()
    (tmp_path / "rc").write_text("text.usetex: True\nfont.size: 30\n")
    again = [*TRAIN, "--out", run, "--resume"]
    status, output = Child(again, tmp_path / "a", {"MATPLOTLIBRC": str(tmp_path / "rc")}).end()
    assert status == 0 and "test error" in output and "warning" not in output
    assert (run / "curve.svg").read_bytes() == drawn
    status, output = Child(again, tmp_path / "b", {"MPLBACKEND": "nonsense"}).end()
    assert status == 0 and "test error" in output and "warning: no curve.svg: " in output


# ------------------------------------------------------------------------------ what goes wrong


def fails(arguments, folder, status=2, **more):
    """Call it; one line of error, which is returned."""
    code, output = Child(arguments, folder, **more).end()
    errors = [line for line in output.splitlines() if line.startswith("error: ")]
    assert code == status and len(errors) == 1 and "Traceback" not in output, output
    return errors[0]


def test_full_disk(whole, tmp_path):
    run = tmp_path / "run"
    arguments = [*TRAIN, *EVERY_LOOK, "--out", run]
    child = Child(arguments, tmp_path)
    started(run, 6)
    os.kill(child.process.pid, signal.SIGTERM)
    child.end()
    kept = {path: path.read_bytes() for path in checkpoint.existing(run / "checkpoints")}
    limit = len(next(iter(kept.values()))) // 2  # a file may not grow larger
    error = fails([*arguments, "--resume"], tmp_path / "full", 1, file_limit=limit)
    step = checkpoint.step_of(max(kept))
    assert "cannot be written: File too large" in error
    assert f"The checkpoint of step {step} is kept: free some space and --resume" in error
    assert {path: path.read_bytes() for path in kept} == kept
    assert not list(run.rglob("*.unfinished"))
    assert Child([*arguments, "--resume"], tmp_path / "space").end()[0] == 0
    same_end(run, whole[0])


def test_full_disk_at_once_and_in_the_metrics(tmp_path):
    error = fails([*TRAIN, *EVERY_LOOK, "--out", tmp_path / "a"], tmp_path, 1, file_limit=20_000)
    assert "checkpoints/" in error and "No checkpoint was written before" in error
    error = fails([*TRAIN, "--out", tmp_path / "b"], tmp_path / "second", 1, file_limit=2_000)
    assert "run.json cannot be written" in error or "metrics.jsonl cannot be written" in error


@pytest.fixture
def pictures(tmp_path):
    """Images on disk, in class folders, and a command that trains on them."""
    rng = np.random.default_rng(0)
    for split, each in (("train", 16), ("val", 4)):
        for label, name in enumerate(("cat", "dog")):
            place = tmp_path / "pictures" / split / name
            place.mkdir(parents=True)
            for i in range(each):
                noise = rng.integers(0, 99, (20, 20, 3), np.uint8) + np.uint8(100 * label)
                Image.fromarray(noise).save(place / f"{i:02}.png")
    command = [
        *("train", "proxy-EN", "--data", "folder", "--root", tmp_path / "pictures"),
        *("--resolution", "16", "--batch", "4", "--epochs", "2", "--workers", "0"),
        *("--set", "lr=0.1", "--holdout", "0.25", "--threads", "1", "--device", "cpu"),
    ]
    return tmp_path / "pictures", command


def test_a_corrupt_image_stops_the_run_and_what_was_learned_is_kept(pictures, tmp_path):
    root, command = pictures
    assert Child([*command, "--out", tmp_path / "whole"], tmp_path / "a").end()[0] == 0
    planned = plan("proxy-EN", "folder", resolution=16, batch=4, holdout=0.25)
    feed = open_source(planned.setting, 16, World(0, 1, torch.device("cpu")), str(root))
    order = np.random.default_rng([0, 0]).permutation(len(feed.train))
    bad = Path(feed.folders.train[feed.train[order[-1]]][0])  # of the last batch
    content = bad.read_bytes()
    bad.write_bytes(b"x" * len(content))
    run = tmp_path / "run"
    error = fails([*command, "--out", run], tmp_path / "b")
    assert f"image {bad} cannot be decoded" in error and "--skip-corrupt" in error
    (saved,) = checkpoint.existing(run / "checkpoints")
    assert checkpoint.step_of(saved) in (4, 5)  # of 6: batches are made one ahead
    skipping = tmp_path / "skipping"
    shutil.copytree(run, skipping)
    more = ["--out", skipping, "--resume", "--skip-corrupt"]
    assert Child([*command, *more], tmp_path / "c").end()[0] == 0
    ends = [child.end() for child in pair([*command, "--out", tmp_path / "two"], tmp_path / "e")]
    assert sorted(status for status, _ in ends) == [1, 2], ends
    text = "".join(output for _, output in ends)
    assert text.count(f"error: image {bad} cannot be decoded") == 1 and "Traceback" not in text
    assert text.count("of 2 lost another one, whose own message says why") == 1
    bad.write_bytes(content)
    assert Child([*command, "--out", run, "--resume"], tmp_path / "d").end()[0] == 0
    same_end(run, tmp_path / "whole")


def test_another_configuration_is_refused(whole, tmp_path):
    other = [*TRAIN, "--set", "lr=0.3", "--seed", "6", "--out", whole[0]]
    error = fails([*other, "--resume"], tmp_path)
    assert "holds another run: recipe.lr: 0.05, now 0.3; seed: 5, now 6" in error
    other = [x if x != "proxy-EN" else "proxy-Y" for x in TRAIN]
    assert "holds another run: network.name" in fails(
        [*other, "--out", whole[0], "--resume"], tmp_path / "b"
    )
    error = fails([*TRAIN, "--out", whole[0]], tmp_path / "c")
    assert "holds a finished run; --resume goes on with it, or choose another --out" in error


def test_two_runs_in_one_folder(tmp_path):
    with open_folder(tmp_path / "run"):
        error = fails([*TRAIN, "--out", tmp_path / "run"], tmp_path)
        assert f"is in use by another run (process {os.getpid()})" in error
        with pytest.raises(InputError, match="in use"), open_folder(tmp_path / "run"):
            pass
    with open_folder(tmp_path / "run"):  # free again
        pass


def test_two_processes_refuse_together(tmp_path):
    with open_folder(tmp_path / "run"):
        ends = [child.end() for child in pair([*TRAIN, "--out", tmp_path / "run"], tmp_path)]
    assert [status for status, _ in ends] == [2, 2]
    assert "is in use by another run" in ends[0][1] and ends[1][1] == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--data", "cifar10"], "data set 'cifar10' needs its folder: --root DIR"),
        (["--data", "cifar10", "--root", "nowhere"], "data folder 'nowhere' is not there"),
        (["--data", "imagenet", "--root", "."], "has no train folder"),
        (["--classes", "12"], "has 10 classes in this folder, not 12"),
        (["--strategy", "d"], "give both --strategy and --scale"),
        (["--strategy", "dx", "--scale", "2"], "strategy 'dx' cannot be read"),
        (["--preset", "paper"], "unknown preset 'paper'"),
        (["--resume"], "--resume needs the run's folder"),
        (["--device", "cuda"], "torch sees no NVIDIA GPU"),
        (["--compile", "graph"], "cannot be combined with a CPU"),
        (["--batch", "7", "--accumulate", "2"], "batch 7 cannot be shared evenly"),
        (["--batch", "4", "--accumulate", "4"], "gives batch norm one image at a time, and at 8 p"),
        (["--executor", "slurm"], "executor 'slurm' cannot be used here"),
        (["--holdout", "1"], "holdout"),
        (["--out", "/proc/run"], "folder '/proc/run' cannot be used"),
        (["--resolution", "0"], "resolution"),
        (["--skip-corrupt"], "--skip-corrupt is for images on disk; of digits all have to be"),
        (["--seed", str(2**64)], "setting: seed 18446744073709551616: Input should be less than"),
        (["--threads", "100000"], "threads 100000 are more than this machine has; allowed: 1 to"),
        (["--resolution", "100000"], "proxy-EN with 16 images of 100000 x 100000 at once needs"),
    ],
)
def test_bad_input(arguments, says, tmp_path, monkeypatch, capsys):
    from repro.cli.app import main

    if "cuda" in arguments and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    if "slurm" in arguments and shutil.which("srun"):
        pytest.skip("there is a cluster")
    monkeypatch.chdir(tmp_path)
    assert main(["train", "proxy-EN", "--resolution", "8", "--threads", "1", *arguments]) == 2
    error = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
    assert len(error) == 1 and says in error[0]
    assert not list(tmp_path.glob("runs/train/*"))


def test_a_mistake_takes_no_folder(tmp_path, capsys):
    """The same folder can be given again when the mistake is put right."""
    from repro.cli.app import main

    small = ["--resolution", "8", "--images", "64", "--epochs", "1", "--threads", "1"]
    command = ["train", "proxy-EN", *small, "--out", str(tmp_path / "run"), "--device", "cpu"]
    assert main([*command, "--data", "cifar10", "--root", str(tmp_path)]) == 2
    assert main([*command, "--batch", "7", "--accumulate", "2"]) == 2
    assert main([*command, "--batch", "1"]) == 2
    assert not (tmp_path / "run").exists()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes").write_text("mine")
    assert main([*command, "--classes", "11"]) == 2
    assert (tmp_path / "run" / "notes").exists()  # what somebody else put there stays
    capsys.readouterr()
    assert main([*command, "--resume"]) == 0
    told = capsys.readouterr().err
    assert "holds no run; this one starts at its beginning" in told
    assert "everything is kept in" in told
    assert main(command) == 2
    told = capsys.readouterr().err
    assert "holds a finished run" in told and "everything is kept in" not in told


@pytest.mark.parametrize("strategy", ["w", "dwr"])
def test_strategies_as_the_papers_write_them(strategy, tmp_path, monkeypatch, capsys):
    from repro.arch import PAPER
    from repro.cli import training
    from repro.cli.app import main

    runs = []
    monkeypatch.setattr(training, "_train", lambda run, *_: runs.append(run) or 0)
    command = ["train", "proxy-Y", "--out", str(tmp_path), "--device", "cpu", "--scale", "16"]
    assert main([*command, "--strategy", strategy]) == 0
    assert f"note: {strategy!r} leaves group width as it is" in capsys.readouterr().err
    assert main([*command, "--strategy", strategy, "--paper-names"]) == 0
    assert main([*command, "--strategy", PAPER[strategy].grammar]) == 0
    assert capsys.readouterr().err == ""
    assert runs[1] == runs[2] != runs[0]


def test_no_memory_left(tmp_path, monkeypatch, capsys):
    from repro.cli.app import main
    from repro.training import run

    def hungry(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    monkeypatch.setattr(run, "train", hungry)
    small = ["--resolution", "8", "--threads", "1", "--device", "cpu"]
    assert main(["train", "proxy-EN", *small, "--out", str(tmp_path / "run")]) == 1
    assert "error: out of GPU memory; --accumulate 2" in capsys.readouterr().err


def _has(module):
    import importlib.util

    return importlib.util.find_spec(module) is not None


# ------------------------------------------------------------------------------ within this process


def tiny(tmp_path, save_every=60.0, resume=False, watch=None, **more):
    """A short run in this process."""
    arguments = {"resolution": 8, "images": 160, "batch": 16, "epochs": 2, **more}
    options = Options(threads=torch.get_num_threads(), save_every=save_every, resume=resume)
    return carry_out(
        plan("proxy-EN", "digits", **arguments), tmp_path / "run", options, watch or Silent()
    )


def test_divergence_keeps_the_last_good_state(tmp_path, monkeypatch):
    from repro.training import trainer

    rate = trainer.lr_at
    monkeypatch.setattr(
        trainer, "lr_at", lambda r, step, n: 1e30 if step == 13 else rate(r, step, n)
    )
    with pytest.raises(Diverged) as error:
        tiny(tmp_path, save_every=0)
    last = checkpoint.existing(tmp_path / "run" / "checkpoints")[-1]
    step = checkpoint.step_of(last)
    assert step in (12, 13) and f"the state after update {step} is kept" in str(error.value)
    state = checkpoint.read(last)
    assert all(v.isfinite().all() for v in state["trainer"]["model"].values())
    monkeypatch.setattr(trainer, "lr_at", rate)
    assert tiny(tmp_path, resume=True).test.images == 359


def test_divergence_is_reported_by_the_command(tmp_path):
    arguments = [*TRAIN, "--set", "lr=1e30", "--out", tmp_path / "run"]
    error = fails(arguments, tmp_path, 1)
    assert "became" in error and "nothing was saved before" in error and "--set lr=" in error


def test_code_that_changed_meanwhile_is_reported(tmp_path):
    class Notes(Silent):
        texts: list = []  # noqa: RUF012

        def warn(self, text):
            self.texts.append(text)

    stopped = carry_out(
        plan("proxy-EN", "digits", resolution=8, images=160, batch=16, epochs=1),
        tmp_path / "run",
        Options(threads=1),
        Silent(),
        stop_asked=lambda: True,
    )
    assert stopped == Stopped(signal.SIGTERM, 0)
    path = tmp_path / "run" / "run.json"
    run = json.loads(path.read_text())
    run["code"]["repro.training.augment"] = "0" * 16
    run["place"]["ranks"] = 2
    path.write_text(json.dumps(run))
    record = tiny(tmp_path, resume=True, epochs=1, watch=Notes())
    assert record.other_code == ("repro.training.augment",) and record.interruptions == 1
    assert "repro.training.augment" in Notes.texts[-1] and "2 processes" in Notes.texts[0]


def test_other_images_are_refused(tmp_path):
    once = iter([False, False, True])
    planned = plan("proxy-EN", "digits", resolution=8, images=160, batch=16, epochs=1)
    where = (tmp_path / "run", Options(threads=1), Silent(), lambda: next(once))
    assert carry_out(planned, *where) == Stopped(signal.SIGTERM, 2)
    place = tmp_path / "run" / "checkpoints"
    state = checkpoint.read(checkpoint.existing(place)[-1])
    state["progress"]["data"]["digest"] = "0" * 16
    checkpoint.save(place, 3, state)
    with pytest.raises(InputError, match="is of a run on other images than those in --root"):
        tiny(tmp_path, resume=True, epochs=1)


def test_in_a_thread(tmp_path):
    """Where signals cannot be handled, training goes on without."""
    with ThreadPoolExecutor() as pool:
        assert pool.submit(tiny, tmp_path, epochs=1).result().test.images == 359


def test_no_holdout_no_choice(tmp_path):
    record = tiny(tmp_path, holdout=0.0, epochs=1)
    assert record.curve[0].holdout is None and record.reported_epoch == 1
    assert record.data.train == 160


def test_accumulation_keeps_the_update(tmp_path):
    """Without batch norm's view of parts the gradients would be the same; the sum of losses is."""
    whole, parts = tiny(tmp_path / "a", epochs=1), tiny(tmp_path / "b", epochs=1, accumulate=4)
    first, other = (metrics(tmp_path / x / "run")[0] for x in "ab")
    assert first["lr"] == other["lr"] and first["step"] == other["step"]
    assert first["loss"] == pytest.approx(other["loss"], rel=0.05)
    assert whole.key != parts.key


@pytest.mark.parametrize(
    "changes",
    [
        {"preset_name": "efficientnet-x", "changes": ["lr=0.001"]},
        {"preset_name": "fast-scaling", "changes": ["lr=0.5"]},
        {"amp": "bf16"},
        {"amp": "fp16"},
        {"memory_format": "contiguous"},
        {"strategy": "dWr", "factor": 2},
        {"changes": ["ema=none"]},
    ],
)
def test_other_ways_to_train(tmp_path, changes):
    record = tiny(tmp_path, epochs=1, **changes)
    assert record.test.images == 359 and record.curve[0].train_loss > 0


def test_compiled(tmp_path):
    """With the cheapest backend: what matters here is that everything around it goes along."""
    compile_ = torch.compile
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "compile", lambda m: compile_(m, backend="eager"))
        compiled = tiny(tmp_path / "a", epochs=1, compile="inductor")
    plain = tiny(tmp_path / "b", epochs=1)
    assert compiled.curve[0].train_loss == pytest.approx(plain.curve[0].train_loss, rel=1e-3)
    torch.compiler.reset()


def test_a_checkpoint_runs_nothing(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.system, ("true",)

    path = tmp_path / "00000001-x.pt"
    torch.save({"trainer": Evil()}, path)
    with pytest.raises(InputError, match="cannot be read"):
        checkpoint.read(path)


def test_torn_metrics_are_passed_over(tmp_path):
    with open_folder(tmp_path / "run") as folder:
        folder.log({"step": 1, "kind": "train"})
        folder.log({"step": 2, "kind": "train"})
        with (folder.path / "metrics.jsonl").open("a") as file:
            file.write('{"step": 3, "ki')
        assert [m["step"] for m in folder.metrics()] == [1, 2]
        folder.forget_after(1)
        assert [m["step"] for m in folder.metrics()] == [1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("compile_", ["none", "graph"])
@pytest.mark.parametrize("amp", ["none", "bf16"])
def test_on_a_gpu(tmp_path, compile_, amp):
    planned = plan(
        "proxy-EN", "digits", resolution=8, images=160, batch=16, epochs=3,
        compile=compile_, amp=amp,
    )  # fmt: skip
    record = carry_out(planned, tmp_path / "run", Options(device="cuda"), Silent())
    assert record.test.error < 0.85 and record.peak_bytes > 0
    eager = replace(planned, setting=planned.setting.model_copy(update={"compile": "none"}))
    plain = carry_out(eager, tmp_path / "plain", Options(device="cuda"), Silent())
    ours, theirs = record.curve[0].train_loss, plain.curve[0].train_loss
    assert ours == pytest.approx(theirs, rel=0.1)


def test_module_import_is_light():
    """Counting and listing must not wait for torch: `repro.cli.app` imports the verbs' module."""
    code = "import sys, repro.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_workers_are_shared_by_the_processes_of_a_machine(monkeypatch):
    from repro.cli import training
    from repro.cli.app import main

    asked = []
    monkeypatch.setattr(training, "_train", lambda run, path, options, *_: asked.append(options))
    monkeypatch.setattr(
        training, "_submit", lambda run, path, options, *_, **__: asked.append(options)
    )
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    command = ["train", "proxy-EN", "--device", "cpu", "--out", "nowhere"]
    main(command)
    main([*command, "--executor", "slurm", "--cores", "12"])
    together = {"WORLD_SIZE": "16", "RANK": "3", "MASTER_ADDR": "there", "MASTER_PORT": "77"}
    for name, value in {**together, "LOCAL_WORLD_SIZE": "8"}.items():
        monkeypatch.setenv(name, value)
    main(command)
    assert [options.workers for options in asked] == [64, 12, 8]


def test_digits_are_learned(tmp_path):
    record = tiny(tmp_path, images=640, epochs=4)
    assert record.test.error < 0.3 and record.test.wrong5 < record.test.wrong
