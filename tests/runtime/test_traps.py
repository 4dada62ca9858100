"""The traps of timing: each can be measured, and a sweep keeps them as a record."""

import subprocess
import sys
import time

import psutil
import pytest
import torch

from repro.analysis.timing import traps as page
from repro.errors import InputError
from repro.records import Protocol, TrapRecord, changed_code
from repro.runtime import traps
from repro.runtime.jobs import TrapJob, resolved
from repro.runtime.sweep import sweep
from repro.runtime.traps import Setting, Way, here, measure, neighbour, take_turns
from repro.stored import read

SMALL = Setting(rounds=1, cores=1)


@pytest.fixture
def brief(monkeypatch):
    monkeypatch.setattr(traps, "FIRST", 4)
    monkeypatch.setattr(traps, "RUN", 12)
    monkeypatch.setattr(traps, "HALF", 2)


def test_ways_take_turns_and_change_places():
    order = []
    ways = {n: Way(lambda n=n: order.append(n), lambda n=n: order.append(f"-{n}")) for n in "ab"}
    samples = take_turns(ways, 2)
    assert "".join(order[1::2]) in ("abbaabbaab", "baabbaabba")
    assert order[::2] == [f"-{n}" for n in order[1::2]]
    assert [len(taken) for taken in samples.values()] == [2, 2]
    assert min(min(taken) for taken in samples.values()) > 0


@pytest.mark.parametrize("name", traps.TRAPS)
def test_every_trap_measures_every_way(name, brief):
    before = torch.get_num_threads()
    samples = measure(name, SMALL)
    assert torch.get_num_threads() == before
    assert all(s > 0 for taken in samples.values() for s in taken)
    lengths = {"warm-up": {4}, "series": {12}, "turns": {2}}.get(name, {1})
    assert {len(taken) for taken in samples.values()} == lengths
    needed = {w for m in page.MISTAKES if m.trap == name for w in (m.wrong, m.right)} - {""}
    assert needed <= samples.keys()


def test_an_unknown_trap_suggests_the_nearest():
    with pytest.raises(InputError, match="Did you mean 'threads'"):
        measure("thread", SMALL)


def test_a_setting_is_checked():
    with pytest.raises(InputError, match="Did you mean 'EN-B0'"):
        here("EN-B00")
    with pytest.raises(InputError, match="rounds 0"):
        here(rounds=0)
    assert here().cores >= 1


def children():
    """Of this process; earlier tests may have left some that serve others."""
    return set(psutil.Process().children())


def test_the_neighbour_sleeps_wakes_and_goes():
    before = children()
    with neighbour() as (wake, stop):
        (child,) = children() - before

        def comes_to(busy):
            # a crowded machine may let it wait for its turn, but not for ever
            for _ in range(120):
                start = child.cpu_times().user
                time.sleep(0.25)
                if (child.cpu_times().user > start) == busy:
                    return True
            return False

        assert comes_to(busy=False)
        wake()
        assert comes_to(busy=True)
        stop()
        assert comes_to(busy=False)
    assert not child.is_running()


def test_the_neighbour_goes_when_its_parent_is_killed():
    program = (
        "import time\nfrom repro.runtime.traps import neighbour\n"
        "with neighbour() as (wake, _):\n    wake()\n    print(flush=True)\n    time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    parent.stdout.readline()
    (child,) = psutil.Process(parent.pid).children()
    parent.kill()
    parent.communicate()
    child.wait(10)
    assert not child.is_running()


def test_the_neighbour_goes_after_an_error_too():
    before = children()
    with pytest.raises(ZeroDivisionError), neighbour():
        (child,) = children() - before
        raise ZeroDivisionError
    assert not child.is_running()


# ------------------------------------------------------------------------- the record


def test_a_sweep_measures_traps_in_fresh_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(traps, "TRAPS", {n: traps.TRAPS[n] for n in ("warm-up", "mode")})
    path, jobs = tmp_path / "mine.jsonl", [TrapJob(resolved(Protocol()), rounds=1, processes=2)]
    assert not sweep(jobs, path).failures
    (record,) = read(path)
    assert isinstance(record, TrapRecord) and record == page.recorded(str(path))
    assert list(record.samples_s) == ["warm-up", "mode"]
    assert [len(p) for p in record.samples_s["warm-up"]["iteration"]] == [traps.FIRST] * 2
    assert [len(p) for p in record.samples_s["mode"]["inference"]] == [1, 1]
    assert Setting(**record.setting).rounds == 1 and not changed_code(record)
    assert sweep(jobs, path).skipped == 1


def test_traps_belong_to_a_cpu():
    with pytest.raises(InputError, match="--device cpu is allowed"):
        TrapJob(Protocol(device="cuda"))


def test_the_stored_record_is_whole():
    record = page.recorded()
    assert list(record.samples_s) == list(traps.TRAPS) and not changed_code(record)
    lengths = {"warm-up": traps.FIRST, "series": traps.RUN, "turns": traps.HALF}
    for name, ways in record.samples_s.items():
        for processes in ways.values():
            assert [len(p) for p in processes] == [
                lengths.get(name, record.setting["rounds"])
            ] * record.processes
