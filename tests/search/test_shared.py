"""Searches that several processes share, and that are killed."""

import json
import signal
import time
from collections import Counter

import numpy as np
import pytest
from search_child import ABOUT, SMALL, score, start, work, worth

from repro.errors import InputError
from repro.search.shared import Shared
from repro.search.space import ACCELERATOR


def made(path):
    """What a journal holds: (name, results, worth) in the order of suggestion."""
    search = Shared(path, SMALL, ABOUT)
    return [(SMALL.text(e.code), e.results, e.fitness) for e in search.evaluations()]


def results_written(path):
    """Trials whose results were written, from the journal's own lines."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [d["trial_id"] for d in lines if "results" in d.get("user_attr", {})]


def begun(path):
    return Counter((path.parent / f"{path.name}.log").read_text().split())


def test_one_process_repeats_itself_and_no_point(tmp_path):
    one, again, other = (tmp_path / name for name in ("one", "again", "other"))
    for path, seed in ((one, 0), (again, 0), (other, 1)):
        work(path, 20, 0, seed)
    assert made(one) == made(again)
    names = [name for name, _, _ in made(one)]
    assert len(set(names)) == 20 and names[0] == SMALL.base
    assert names != [SMALL.text(e.code) for e in Shared(other, SMALL, ABOUT, 1).evaluations()]


def test_ten_kills_lose_nothing_and_make_nothing_twice(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    work(whole, 60, 0)
    rng = np.random.default_rng(0)
    for _ in range(10):
        process = start(killed, 60, 0.1)  # more than ten runs of at most 0.4 s can do
        process.join(float(rng.uniform(0.02, 0.4)))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    assert len(made(killed)) < 60
    work(killed, 60, 0)
    assert made(killed) == made(whole)
    written = results_written(killed)
    assert len(written) == len(set(written)) == 60
    # what a kill interrupted is begun again, and nothing else
    assert sum(begun(killed).values()) <= 60 + 10


def test_several_processes_share_a_search(tmp_path):
    path = tmp_path / "shared"
    processes = [start(path, 24, 0.05) for _ in range(3)]
    for process in processes:
        process.join()
    assert [p.exitcode for p in processes] == [0, 0, 0]
    assert len(made(path)) == 24
    assert begun(path) == Counter(name for name, _, _ in made(path))  # each once
    with path.open() as file:
        workers = {json.loads(line)["worker_id"] for line in file}
    assert len(workers) >= 3


def test_a_point_in_work_elsewhere_is_left_alone(tmp_path):
    path = tmp_path / "shared"
    process = start(path, 1, 5)
    log = tmp_path / "shared.log"
    while not log.exists() or not log.read_text():
        time.sleep(0.02)
    assert work(path, 1, 0) == []
    process.kill()
    process.join()
    assert len(work(path, 1, 0)) == 1 and begun(path)[SMALL.base] == 2


def test_what_was_measured_before_a_kill_is_not_measured_again(tmp_path):
    """Killed between writing the results down and telling what they are worth."""
    path = tmp_path / "shared"
    work(path, 3, 0)
    lines = path.read_bytes().splitlines(keepends=True)
    assert b'"values":[' in lines[-1] and b"results" in lines[-2]
    path.write_bytes(b"".join(lines[:-1]))
    assert len(work(path, 3, 0)) == 3 and sum(begun(path).values()) == 3


@pytest.mark.parametrize("cut", [1, 25])
def test_a_torn_line_is_mended(tmp_path, cut):
    path, whole = tmp_path / "torn", tmp_path / "whole"
    work(path, 3, 0)
    path.write_bytes(path.read_bytes()[:-cut])
    work(path, 5, 0)
    work(whole, 5, 0)
    assert made(path) == made(whole)


def test_a_refused_network_is_not_tried_again(tmp_path):
    tried = []

    def evaluate(net):
        tried.append(net.name)
        if len(tried) == 2:
            raise InputError("too large for this machine")
        return score(net) if len(tried) != 3 else {"score": float("nan")}

    path = tmp_path / "shared"
    for _ in range(2):
        found = Shared(path, SMALL, ABOUT).run(evaluate, worth, 6)
    assert len(tried) == len(set(tried)) == 6 and len(found) == 4
    assert "too large for this machine" in path.read_text()


def test_a_search_larger_than_its_space_ends(tmp_path):
    tiny = SMALL.fixed("se", "l5", "l6")
    found = Shared(tmp_path / "tiny", tiny, ABOUT).run(score, worth, 50)
    assert len(found) == tiny.size == 3


def test_files_that_are_no_such_search(tmp_path):
    path = tmp_path / "shared"
    work(path, 1, 0)
    for arguments, odd in (
        ((SMALL, ABOUT, 1), "seed is 0, here 1"),
        ((SMALL, {"what": "another"}), "what is 'a made-up score', here 'another'"),
        ((ACCELERATOR, ABOUT), "space is 'efficientnet', here 'accelerator'"),
    ):
        with pytest.raises(InputError, match=f"is another one: its {odd}"):
            Shared(path, *arguments)
    notes = tmp_path / "notes.txt"
    notes.write_text("mine, without a newline")
    with pytest.raises(InputError, match="cannot be used: it is no journal"):
        Shared(notes, SMALL, ABOUT)
    assert notes.read_text() == "mine, without a newline"
    with pytest.raises(InputError, match="cannot be used: No such file or directory"):
        Shared(tmp_path / "nowhere" / "file", SMALL, ABOUT)
    with pytest.raises(InputError, match="cannot be used: Is a directory"):
        Shared(tmp_path, SMALL, ABOUT)
