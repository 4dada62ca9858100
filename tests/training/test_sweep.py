"""Sweeps of training runs: read, carried out, stopped, gone on with."""

import os
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest
from training_child import Child, wait_for

from repro.cli.app import main
from repro.errors import InputError
from repro.paths import root
from repro.stored import read as read_records
from repro.training import sweep as s
from repro.training.folder import open_folder

FILE = """
- data: digits
  bases: [proxy-EN, proxy-Y]
  strategies: [d, dWr]
  scales: [2]
  seeds: [0, 1]
  resolution: 8
  images: 64
  epochs: 1
  batch: 16
  set: {lr: 0.1, ema: none}
"""
SMALL = FILE.replace("[proxy-EN, proxy-Y]", "[proxy-EN]").replace("[d, dWr]", "[w1_g1]")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text(SMALL)
    return path


def test_axes_are_multiplied_out(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text(FILE)
    jobs = s.read(path)
    assert len(jobs) == 2 * 3 * 2 and len({job.name for job in jobs}) == 12
    assert [job.run.setting.seed for job in jobs] == [0] * 6 + [1] * 6  # whole seeds first
    assert jobs[1].name == "digits-proxy-EN-d-x2-r8-seed-0"
    recipe = jobs[1].run.setting.recipe
    assert (recipe.lr, recipe.ema, recipe.epochs, recipe.crop) == (0.1, "none", 1, "shift")
    assert all(re.fullmatch(r"[\w.-]+", job.name) for job in jobs)


def test_changes_to_the_recipe_keep_their_type(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text(FILE.replace("ema: none", "weight_decay: null, flip: false, area: [0.5, 1]"))
    recipe = s.read(path)[0].run.setting.recipe
    assert (recipe.weight_decay, recipe.flip, recipe.area) == (None, False, (0.5, 1.0))


def test_blocks_that_differ_in_the_recipe_alone(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text(SMALL + SMALL.replace("lr: 0.1", "lr: 0.2") + SMALL)
    jobs = s.read(path)
    assert len(jobs) == 8 and len({job.name for job in jobs}) == 8
    assert {job.run.setting.recipe.lr for job in jobs if "block-2" in job.name} == {0.2}


BASE = "- data: digits\n  bases: [proxy-EN]\n  "


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- data: digits\n  base: [EN-B0]", "block 1: unknown key 'base'. Did you mean 'bases'"),
        ("- data: digits", "line 1, block 1: 'bases' is missing"),
        ("- data: digits\n  bases: [proxy-E]", "'proxy-E'. Did you mean 'proxy-EN'?"),
        ("- data: digits\n  bases: proxy-EN", 'line 2, block 1: bases "proxy-EN" is not a list'),
        ("- data: [digits]\n  bases: [proxy-EN]", 'data ["digits"] is not text'),
        (BASE + "strategies: dwgr\n  scales: [2]", 'line 3, block 1: strategies "dwgr" is not a l'),
        (BASE + "strategies: [d]", "give both strategies and scales, or neither"),
        (BASE + "unscaled: false", "unscaled false leaves nothing to train"),
        (BASE + "seeds: [0, 1]\n  seeds: [2]", "line 4: key 'seeds' is written twice"),
        (BASE + "set: {lr: 1, lr: 2}", "line 3: key 'lr' is written twice"),
        (BASE + "seeds: []", "line 3, block 1: seeds [] is not a list with anything in it"),
        (BASE + "seeds:\n  - 0\n  - 1.5", "line 5, block 1: seeds.1 1.5 is not a whole number"),
        (BASE + "seeds:", "seeds null is not a list"),
        (BASE + "epochs: none", 'block 1: epochs "none" is not a whole number'),
        (BASE + "epochs:", "epochs null is not a whole number"),
        (BASE + "epochs: '3'", 'epochs "3" is not a whole number'),
        (BASE + "same_flops: 1", "same_flops 1 is not true or false"),
        (BASE + "set: lr=0.2", 'set "lr=0.2" is not a mapping'),
        (BASE + "set: {epochs: '3'}", 'set.epochs "3" is not a whole number'),
        (BASE + "set: {dropout: 2001-01-01}", 'set.dropout "2001-01-01" is not a number'),
        (BASE + "set: {rl: 1}", "unknown key 'rl'. Did you mean 'lr'"),
        (BASE + "set: {learning_rate: 1}", "unknown key 'learning_rate'. Allowed: epochs, batch,"),
        ("data: digits", 'is not a list of blocks but {"data": "digits"}'),
        ("", "is not a list of blocks but null"),
        ("[]", "is an empty list"),
        ("- [", "is not YAML: line 2"),
        (b"# \xe9\n", "line 1: byte 0xe9 is not UTF-8"),
    ],
)
def test_bad_files(tmp_path, text, says):
    path = tmp_path / "sweep.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as error:
        s.read(path)
    assert says in str(error.value) and "\n" not in str(error.value)
    assert str(error.value).startswith(str(path))


def test_a_missing_file(tmp_path, capsys):
    assert main(["sweep", str(tmp_path / "no.yaml"), "--out", str(tmp_path)]) == 2
    assert "no.yaml' cannot be read: No such file" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(p.name for p in (root() / "data/sweeps").glob("*.yaml")))
def test_stored_sweeps_can_be_planned(name):
    jobs = s.read(root() / "data" / "sweeps" / name)
    seeds = {job.run.setting.seed for job in jobs}
    recipes = {job.run.setting.recipe for job in jobs}
    if name == "balance.yaml" or name.endswith("_rate.yaml"):  # choose, away from what counts
        assert not seeds & {0, 1, 2}
        assert len({recipe.model_copy(update={"lr": 1.0}) for recipe in recipes}) == 1
        return
    assert len(seeds) >= 3 and len(jobs) % len(seeds) == 0
    per_data = {(job.run.setting.data, job.run.setting.recipe) for job in jobs}
    assert len(per_data) == len({job.run.setting.data for job in jobs})  # the same for all


def test_the_sweep_that_is_shown_is_the_one_that_is_stored():
    shown = (root() / "chapters/how-to-use.md").read_text().split("```yaml\n")[1].split("```")[0]
    stored = (root() / "data/sweeps/first.yaml").read_text()
    assert shown == re.sub("^#.*\n", "", stored, flags=re.MULTILINE)


def test_memory_decides_how_many_run_at_a_time(file, monkeypatch):
    jobs = s.read(file)
    room = psutil.virtual_memory()._replace(available=int(100e9))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: room)
    assert s.at_a_time(jobs, "cpu", 3) == 3 and s.at_a_time(jobs, "cpu", 50) == len(jobs)
    room = room._replace(available=int(6e9))
    assert s.at_a_time(jobs, "cpu", 3) == 2
    room = room._replace(available=0)
    assert s.at_a_time(jobs, "cpu", 3) == 1


def test_sweep_stopped_and_gone_on_with(tmp_path, file):
    """Ctrl-C in the middle, then the same command; a run that cannot be is told, not fatal."""
    out = tmp_path / "out"
    arguments = ["sweep", file, "--out", out, "--jobs", "2", "--device", "cpu"]
    child = Child(arguments, tmp_path / "first")
    wait_for(lambda: (out / "records.jsonl").exists() and (out / "records.jsonl").stat().st_size)
    os.kill(child.process.pid, signal.SIGTERM)
    status, output = child.end()
    assert status == 130 and "the same command goes on from there" in output, output
    done = {record.key for record in read_records(out / "records.jsonl")}
    assert 1 <= len(done) <= 4

    blocked = s.read(file)[-1].name
    if not (out / blocked / "record.jsonl").exists():
        with open_folder(out / blocked):
            status, output = Child(arguments, tmp_path / "second").end()
        assert status == 1 and f"not completed: {blocked}: folder" in output
        assert "3 of 4 runs are complete" in output
    status, output = Child(arguments, tmp_path / "third").end()
    assert status == 0 and "4 of 4 runs are complete" in output, output
    records = read_records(out / "records.jsonl")
    assert len(records) == len({record.key for record in records}) == 4
    assert done < {record.key for record in records}
    (row,) = [line for line in output.splitlines() if line.startswith("digits  proxy-EN  w ")]
    bases = [line.split()[2] for line in output.splitlines() if line.startswith("digits  proxy-EN")]
    assert bases == ["-", "w"]  # in the file's order, whoever came first
    errors = [100 * r.test.error for r in records if r.subject.scale == 2]
    assert f"{sum(errors) / 2:.2f}" in row and row.split()[-2] == "2"


def holds(out, pattern):
    return lambda this: any(out.rglob(pattern))


def server_starts(out):
    return lambda this: any(
        "forkserver" in word for child in this.children() for word in child.cmdline()
    )


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        (server_starts, signal.SIGINT),
        (lambda out: holds(out, ".lock"), signal.SIGTERM),
        (lambda out: holds(out, "metrics.jsonl"), signal.SIGINT),
    ],
)
def test_stopped_at_any_moment(tmp_path, moment, number):
    """Processes that are starting are not waited for, and nothing trains afterwards."""
    path, out = tmp_path / "sweep.yaml", tmp_path / "out"
    path.write_text(SMALL.replace("epochs: 1", "epochs: 2000"))
    command = [sys.executable, "-m", "repro", "sweep", path, "--out", out, "--jobs", "2"]
    pipe = subprocess.PIPE
    child = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    this = psutil.Process(child.pid)
    reached = moment(out)
    wait_for(lambda: child.poll() is not None or reached(this))
    assert child.poll() is None, child.communicate()
    below, start = this.children(recursive=True), time.monotonic()
    if number == signal.SIGINT:
        os.killpg(child.pid, number)  # as a terminal sends it
    else:
        child.send_signal(number)
    output = child.communicate(timeout=60)
    assert time.monotonic() - start < 10  # two on a machine of its own; was a minute for each run
    assert child.returncode == 130 and output[0] == ""
    assert output[1].count("\n") <= 2 and "the same command goes on from there" in output[1]
    ended = lambda p: not p.is_running() or p.status() == psutil.STATUS_ZOMBIE  # noqa: E731
    wait_for(lambda: all(ended(p) for p in below), 2)


def test_workers_end_with_their_sweep(tmp_path):
    """Killed, a sweep can save nothing itself; its runs do, and let go of their folders."""
    path, out = tmp_path / "sweep.yaml", tmp_path / "out"
    path.write_text(SMALL.replace("epochs: 1", "epochs: 2000"))
    arguments = ["sweep", path, "--out", out, "--jobs", "1", "--device", "cpu"]
    child = Child(arguments, tmp_path / "first")
    run = out / s.read(path)[0].name
    wait_for(lambda: (run / "metrics.jsonl").exists())
    child.process.kill()
    child.end()

    def free():
        try:
            with open_folder(run):
                return True
        except InputError:
            return False

    wait_for(free)
    assert list((run / "checkpoints").glob("*.pt")) and not (run / "record.jsonl").exists()


def test_no_run_no_records(tmp_path, file, capsys):
    file.write_text(SMALL.replace("[0, 1]", "[0]") + "  unscaled: false\n")
    out, (job,) = tmp_path / "out", s.read(file)
    with open_folder(out / job.name):
        assert main(["sweep", str(file), "--out", str(out), "--device", "cpu"]) == 1
    told = capsys.readouterr().err
    assert told.endswith("0 of 1 runs are complete; there are no records yet\n")


def test_dry_run(file, tmp_path, capsys):
    assert main(["sweep", str(file), "--out", str(tmp_path / "out"), "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "4 runs" in out and "nothing was run" in out and not (tmp_path / "out").exists()
    assert "digits-proxy-EN-w-x2-r8-seed-1" in out  # by the paper's short names


def test_strategies_as_the_papers_write_them(tmp_path, capsys):
    path = tmp_path / "sweep.yaml"
    path.write_text(FILE.replace("[d, dWr]", "[d, w]").replace("scales: [2]", "scales: [2, 4]"))
    command = ["sweep", str(path), "--out", str(tmp_path / "out"), "--dry-run"]
    assert main(command) == 0
    told = capsys.readouterr()
    assert "digits-proxy-Y-w1-x4-" in told.out and told.err.count("note: ") == 1
    assert "'w' leaves group width as it is" in told.err and "--paper-names" in told.err
    assert main([*command, "--paper-names"]) == 0
    told = capsys.readouterr()
    assert "digits-proxy-Y-w-x4-" in told.out and "note: " not in told.err


def test_updates_are_timed_without_training(file, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["sweep", str(file), "--out", str(out), "--time"]) == 0
    assert [path.name for path in out.iterdir()] == ["times.jsonl"]
    timed = read_records(out / "times.jsonl")
    assert [r.subject.strategy for r in timed] == [None, "w"]  # seeds share a network
    assert {(r.protocol.mode, r.batch, r.protocol.threads) for r in timed} == {("step", 16, 1)}
    assert {r.subject.resolution for r in timed} == {8}
    assert main(["sweep", str(file), "--out", str(out), "--time"]) == 0
    assert "2 were there already" in capsys.readouterr().err
