"""Which threshold stood before which record, in a repository made for it."""

import subprocess

import pytest
import yaml
from made_up_timings import CPU, by_acts, records

from repro.claims import asked_of
from repro.claims.history import history
from repro.cli.claims import history_text
from repro.errors import InputError
from repro.stored import append


@pytest.fixture(scope="module")
def timing():
    made = records("laptop", by_acts, CPU)
    return next(r for r in made if r.kind == "timing" and r.protocol.mode == "step")


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "data" / "records").mkdir(parents=True)
    (tmp_path / "data" / "reference").mkdir()
    monkeypatch.setenv("REPRO_ROOT", str(tmp_path))
    return tmp_path


def commit(project, hour):
    when = f"2026-01-01T{hour:02}:00:00+00:00"
    who = ["-c", "user.name=A", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "x", "--date", when]):
        env = {"GIT_COMMITTER_DATE": when, "PATH": "/usr/bin:/bin", "HOME": str(project)}
        subprocess.run(["git", "-C", project, *words], check=True, env=env)


def ledger(project, **bounds):
    """Claims about speed-ups, each with the arguments that are given for it."""
    nets = {"way": "cpu training", "slow": ["EN-B0", "dwr", 4], "fast": ["EN-B0", "dWr", 4]}
    common = {"paper": "p", "kind": "trend", "read_in": "here", "where": "there", "statement": "s"}
    claims = [
        {"id": name, "judge": "recorded_speedup", "args": nets | args}
        for name, args in bounds.items()
    ]
    groups = [{"title": "G", "defaults": common, "claims": claims}]
    text = yaml.safe_dump({"papers": {"p": "A paper"}, "groups": groups})
    (project / "data" / "claims.yaml").write_text(text)


def test_what_stood_before_and_what_changed_after(timing, project):
    ledger(project, kept={"bound": 1.3}, named={"at_least": 1.3}, moved={"bound": 1.5})
    commit(project, 1)
    append(project / "data" / "records" / "mine.jsonl", timing)
    commit(project, 2)
    ledger(
        project, kept={"bound": 1.3}, named={"bound": 1.3}, moved={"bound": 1.2}, new={"bound": 2}
    )
    commit(project, 3)
    found = {stood.claim: stood for stood in history()}
    assert {name: stood.order for name, stood in found.items()} == {
        "kept": "before",
        "named": "before",  # another name of the same value
        "moved": "changed after: bound",
        "new": "changed after: bound, fast, slow, way",
    }
    assert [s.since.seconds < s.record.seconds for s in found.values()] == [
        True,
        True,
        False,
        False,
    ]
    assert {stood.since.date for stood in found.values()} == {"2026-01-01"}


def test_a_threshold_without_a_record_stands_before_any(project):
    ledger(project, kept={"bound": 1.3})
    commit(project, 1)
    (stood,) = history()
    assert (stood.record, stood.order) == (None, "before, no record yet")


def test_without_git_one_line_says_so(project):
    ledger(project, kept={"bound": 1.3})
    with pytest.raises(InputError, match="no git history here"):
        history()
    line = "no git history here says which threshold stood before which record"
    assert history_text() == line


def test_the_projects_own_history_names_what_was_changed_after_its_records():
    try:
        found = {stood.claim: stood for stood in history()}
    except InputError:
        pytest.skip("no git history here")
    assert set(found) <= {c.id for device in ("cpu", "cuda") for c in asked_of(device)}
    assert found["cpu-time-order-4x"].order == "before"
    assert found["cpu-flop-bound-models"].order.startswith("changed after: ")
