import pytest
from made_up_records import MACHINE

from repro.arch import get
from repro.errors import InputError
from repro.records import Protocol
from repro.runtime.estimates import chunk, estimated_s, guess_batch
from repro.runtime.jobs import job, named_sweep, unique
from repro.runtime.roofline import layers


@pytest.fixture(scope="module")
def recorded():
    return unique(named_sweep("record"))


@pytest.mark.parametrize("parts", [1, 3, 7])
def test_chunks_hold_every_job_once_and_in_order(recorded, parts):
    together = [task for i in range(parts) for task in chunk(recorded, f"{i + 1}/{parts}")]
    assert together == recorded


@pytest.mark.parametrize("which", ["0/3", "4/3", "1", "a/b", "1/0", "-1/2", ""])
def test_a_chunk_that_is_none(recorded, which):
    with pytest.raises(InputError, match="I/N is, such as 1/3"):
        chunk(recorded, which)


def test_more_memory_holds_more_images():
    task = job("EN-B0")
    batches = [guess_batch(task, memory) for memory in (1e6, 1e9, 4e9)]
    assert batches[0] == 1 and batches == sorted(set(batches))


def test_a_longer_protocol_is_planned_longer():
    quick = job("EN-B0")
    more = quick.protocol.model_copy(update={"samples": 100, "mode": "step"})
    assert estimated_s(job("EN-B0", protocol=more)) > estimated_s(quick)
    assert estimated_s(job(get("EN-B7"))) > estimated_s(quick)


def gpu(name, memory=80e9):
    return MACHINE.model_copy(
        update={"device": "cuda", "device_name": name, "memory_bytes": int(memory)}
    )


@pytest.mark.parametrize("batch", [256, "max"])
def test_a_plan_is_for_the_machine_at_hand(batch):
    protocol = Protocol(device="cuda", mode="step", dtype="bf16", batch=batch, memory_gb=32)
    task = job("EN-B4", protocol=protocol)
    names = ("NVIDIA H200", "NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-80GB")
    times = [estimated_s(task, gpu(name)) for name in names]
    assert times == sorted(set(times))
    assert estimated_s(task) == times[1]
    assert estimated_s(task, gpu("a GPU of tomorrow")) == times[2]
    assert estimated_s(task, gpu("Tesla V100-SXM2-32GB")) > times[2]  # whose bf16 nobody prints


def test_a_batch_that_is_searched_for_is_planned_with_its_search():
    """cuDNN plans each conv anew for a batch, three times in training."""
    protocol = Protocol(device="cuda", mode="step", dtype="bf16", batch="max", memory_gb=0.01)
    infer = protocol.model_copy(update={"mode": "infer", "batch": 1})
    tries = 3e-3 * 2 * 3 * len(set(layers(get("EN-B0"))))
    assert estimated_s(job("EN-B0", protocol=protocol)) > tries > 0.3
    assert estimated_s(job("EN-B0", protocol=protocol)) > estimated_s(job("EN-B0", protocol=infer))
