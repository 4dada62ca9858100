"""About how long jobs take and how much memory, before any is run: for plans, and for parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

import psutil

from repro.arch import Network
from repro.complexity import complexity
from repro.errors import InputError
from repro.records import Machine, Protocol
from repro.runtime.jobs import Job, PeakJob, Task, TrafficJob, TrapJob
from repro.runtime.roofline import BYTES, Peaks, device_peaks, kernel_count, layers, roofline
from repro.runtime.timm_networks import TimmNetwork


def memory_per_image(net: Network | TimmNetwork, protocol: Protocol) -> float:
    """Bytes that one more image takes, roughly: a first guess where batches are tried.

    Training keeps each conv's output and what batch norm and activation make of it for the
    backward pass; inference holds little more than the largest maps.
    """
    kept = 4.5 if protocol.mode != "infer" else 1.0
    return BYTES[protocol.dtype] * _acts(net) * kept


def check_memory(net: Network | TimmNetwork, protocol: Protocol, batch: int) -> None:
    """Raise `InputError` for a batch that needs several times a CPU's memory; less is tried."""
    need, there = batch * memory_per_image(net, protocol), psutil.virtual_memory().total
    if protocol.device == "cpu" and need > 4 * there:  # as rough as the guess
        size = f"{net.resolution} x {net.resolution}"
        raise InputError(
            f"{net.name} with {batch:,} images of {size} at once needs some {need / 1e9:,.0f} GB "
            f"of memory; this machine has {there / 1e9:,.0f} GB"
        )


def guess_batch(item: Job, memory_bytes: float) -> int:
    """The batch that should fill a memory: on a CPU the batch itself, on a GPU a first try."""
    limit = item.protocol.memory_gb * 1e9 if item.protocol.memory_gb else memory_bytes
    weights = item.subject.params * 4 * {"infer": 1, "train": 2, "step": 3}[item.protocol.mode]
    batch = int(max(0.0, 0.9 * limit - weights) / memory_per_image(item.net, item.protocol))
    return max(1, min(batch, 4096))


def _acts(net: Network | TimmNetwork) -> float:
    if isinstance(net, TimmNetwork):
        return net.acts or 30e6  # not counted: that of a network of some size
    return complexity(net).acts


def _ideal_s(net: Network | TimmNetwork, peaks: Peaks, batch: int, p: Protocol) -> float:
    """Least seconds of one iteration; of a network without description by its totals."""
    if not isinstance(net, TimmNetwork):
        return roofline(net, peaks, batch, p.dtype, p.mode, "none").ideal_s
    passes = 1 if p.mode == "infer" else 3
    work, maps = 2 * (net.flops or 10e9), 6 * BYTES[p.dtype] * _acts(net)  # each read, written
    return passes * batch * max(work / peaks.of(p.dtype), maps / peaks.bandwidth)


# A CPU core in eager mode, and launching one of its operations. All rough, and for plans alone.
_CORE = Peaks("one core", {"fp32": 1.1e11, "fp16": 5e10, "bf16": 1.1e11}, 1e10)
_CPU_LAUNCH_S, _CPU_START_S = 4e-6, 1.0
PLANNED_FOR = "H100"
"""The GPU of a plan that is made where there is none; one that nobody knows is taken for `_OLD`."""
_OLD = "A100"
# On a GPU, from timm's tables of an RTX 3090 and from traces: how far eager networks stay above the
# roofline without fusion; what launching an operation costs, that of a training step with its
# backward pass; building a network; and what cuDNN takes to plan one conv for a batch it has not
# seen, in a training step three of them. The search for the largest batch tries two.
_SLACK, _LAUNCH_S, _PLANS = {"infer": 2.0}, {"infer": 12e-6}, {"infer": 1}
_SLACK_TRAINING, _LAUNCH_TRAINING_S, _PLANS_TRAINING, _TRIES = 3.5, 42e-6, 3, 2
_BUILD_S, _BUILD_OPERATION_S, _CUDNN_PLAN_S = 0.1, 1.2e-3, 3e-3
_WARM_UP = 6  # iterations, as a rule
_PEAKS_S, _TRAPS_S = {"cpu": 5.0, "cuda": 3.0}, 30.0
_PROFILER_START_S, _PROFILED_S = 20.0, 0.05
_INDUCTOR_S, _INDUCTOR_OPERATION_S = 5.0, 0.15


def estimated_s(item: Task, machine: Machine | None = None) -> float:
    """Seconds that a job will take, within a factor of two; on a GPU the machine's, or an H100."""
    p = item.protocol
    if isinstance(item, PeakJob | TrapJob):
        return _PEAKS_S[p.device] if isinstance(item, PeakJob) else _TRAPS_S * item.processes
    net = item.net
    operations = net.layers if isinstance(net, TimmNetwork) else kernel_count(net)
    if isinstance(item, TrafficJob):
        return _PROFILER_START_S + _PROFILED_S * operations
    on_gpu = p.device == "cuda"
    peaks, memory = _gpu(machine) if on_gpu else _cpu(p)
    batch = guess_batch(item, memory) if p.batch == "max" else p.batch
    ideal = _ideal_s(net, peaks, batch, p)
    if on_gpu:
        slack = _SLACK.get(p.mode, _SLACK_TRAINING)
        launch_s = _LAUNCH_S.get(p.mode, _LAUNCH_TRAINING_S)
        tries = _TRIES if p.batch == "max" else 1
        convs = operations / 3 if isinstance(net, TimmNetwork) else len(set(layers(net)))
        start = _BUILD_S + _BUILD_OPERATION_S * operations
        start += tries * convs * _CUDNN_PLAN_S * _PLANS.get(p.mode, _PLANS_TRAINING)
    else:
        passes = 1 if p.mode == "infer" else 3
        slack, launch_s, tries, start = 1.0, passes * _CPU_LAUNCH_S, 0, _CPU_START_S
    iteration = max(slack * ideal, 0.0 if p.compile == "graph" else operations * launch_s)
    if p.compile == "inductor":
        start += _INDUCTOR_S + _INDUCTOR_OPERATION_S * operations
    # Each turn begins with an untimed iteration; on a GPU it ends with a sample that is not kept.
    timed = max(p.samples * iteration, p.min_time)
    untimed = (_WARM_UP + p.rounds + tries) * iteration
    untimed += p.rounds * timed / p.samples if on_gpu else 0.0
    return start + untimed + timed


def _cpu(protocol: Protocol) -> tuple[Peaks, float]:
    """Rates of as many cores as are used, and half of the memory that is free, in bytes."""
    threads = protocol.threads or 1
    rates = {k: v * threads if v else None for k, v in _CORE.operations.items()}
    peaks = Peaks("cpu", rates, _CORE.bandwidth * threads)
    return peaks, psutil.virtual_memory().available / 2


def _gpu(machine: Machine | None) -> tuple[Peaks, float]:
    """Rates and memory in bytes of a GPU; what a table does not know, of one that it does."""
    try:
        peaks = device_peaks(machine.device_name if machine else PLANNED_FOR)
    except InputError:
        peaks = device_peaks(_OLD)
    known = {k: v or peaks.operations["fp16"] for k, v in peaks.operations.items()}
    memory = machine.memory_bytes if machine else peaks.memory_bytes
    return replace(peaks, operations=known), memory or 32e9


def chunk(jobs: Sequence[Task], which: str) -> list[Task]:
    """Part ``"1/3"`` of a sweep's jobs, in their order; the parts take about the same time."""
    part, _, parts = which.partition("/")
    if not (part.isdigit() and parts.isdigit() and 1 <= int(part) <= int(parts)):
        raise InputError(f"chunk {which!r} is not allowed; I/N is, such as 1/3, with I from 1 to N")
    costs = [estimated_s(item) for item in jobs]
    total, before = sum(costs), 0.0
    chosen: list[Task] = []
    for item, cost in zip(jobs, costs, strict=True):
        # By the middle of each job, so that every job falls into exactly one part.
        if ceil((before + cost / 2) / total * int(parts)) == int(part):
            chosen.append(item)
        before += cost
    return chosen
