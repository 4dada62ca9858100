import pytest

from repro.arch import get
from repro.errors import InputError
from repro.runtime.estimates import chunk, estimated_s, guess_batch
from repro.runtime.jobs import job, named_sweep, unique


@pytest.fixture(scope="module")
def paper():
    return unique(named_sweep("paper-gpu"))


FIGURE2_SCALES = (0.5, 1, 2, 4, 8, 16, *range(24, 97, 8))
WIDTHS = (16, 24, 32, 48, 64, 96, 128, 192)
MAPS = (112, 56, 28, 14, 7)


@pytest.mark.parametrize("name", ["paper-gpu", "efficientnet-x"])
def test_plans_fit_their_time(name):
    tasks = unique(named_sweep(name))
    assert sum(map(estimated_s, tasks)) < 28 * 60
    for part in ("1/3", "2/3", "3/3"):
        assert sum(map(estimated_s, chunk(tasks, part))) < 9.5 * 60


@pytest.mark.parametrize("parts", [1, 3, 7])
def test_chunks_hold_every_job_once_and_in_order(paper, parts):
    together = [task for i in range(parts) for task in chunk(paper, f"{i + 1}/{parts}")]
    assert together == paper


@pytest.mark.parametrize("which", ["0/3", "4/3", "1", "a/b", "1/0", "-1/2", ""])
def test_a_chunk_that_is_none(paper, which):
    with pytest.raises(InputError, match="I/N is, such as 1/3"):
        chunk(paper, which)


def test_more_memory_holds_more_images():
    task = job("EN-B0")
    batches = [guess_batch(task, memory) for memory in (1e6, 1e9, 4e9)]
    assert batches[0] == 1 and batches == sorted(set(batches))


def test_a_longer_protocol_is_planned_longer():
    quick = job("EN-B0")
    more = quick.protocol.model_copy(update={"samples": 100, "mode": "step"})
    assert estimated_s(job("EN-B0", protocol=more)) > estimated_s(quick)
    assert estimated_s(job(get("EN-B7"))) > estimated_s(quick)
