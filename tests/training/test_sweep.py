"""Sweeps of training runs: read, carried out, stopped, gone on with."""

import os
import re
import signal

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


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- data: digits\n  base: [proxy-EN]", "block 1: unknown key 'base'. Did you mean 'bases'"),
        ("- data: digits", "block 1: 'bases' is missing"),
        ("- data: digits\n  bases: [proxy-E]", "'proxy-E'. Did you mean 'proxy-EN'?"),
        ("- data: digits\n  bases: [proxy-EN]\n  epochs: none", "block 1: recipe: epochs"),
        ("- data: digits\n  bases: [proxy-EN]\n  set: {rl: 1}", "no 'rl'"),
        (
            "- data: digits\n  bases: [proxy-EN]\n  set: {learning_rate: 1}",
            "no 'learning_rate'; it has epochs, batch,",
        ),
        ("data: digits", "is not a list of blocks"),
        ("- [", "is not YAML"),
    ],
)
def test_bad_files(tmp_path, text, says):
    path = tmp_path / "sweep.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        s.read(path)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_a_missing_file(tmp_path, capsys):
    assert main(["sweep", str(tmp_path / "no.yaml"), "--out", str(tmp_path)]) == 2
    assert "no.yaml' cannot be read: No such file" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(p.name for p in (root() / "data/sweeps").glob("*.yaml")))
def test_stored_sweeps_can_be_planned(name):
    jobs = s.read(root() / "data" / "sweeps" / name)
    seeds = {job.run.setting.seed for job in jobs}
    recipes = {job.run.setting.recipe for job in jobs}
    if name.endswith("_rate.yaml"):  # chooses the learning rate, away from the seeds that count
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
