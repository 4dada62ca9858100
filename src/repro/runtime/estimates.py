"""About how long jobs take and how much memory, before any is run: for plans, and for parts."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import psutil

from repro.arch import Network
from repro.complexity import complexity
from repro.errors import InputError
from repro.records import Protocol
from repro.runtime.jobs import Job, PeakJob, Task, TrafficJob, TrapJob
from repro.runtime.roofline import BYTES, Peaks, device_peaks, kernel_count, roofline
from repro.runtime.timm_networks import TimmNetwork


def memory_per_image(net: Network | TimmNetwork, protocol: Protocol) -> float:
    """Bytes that one more image takes, roughly: a first guess where batches are tried.

    Training keeps each conv's output and what batch norm and activation make of it for the
    backward pass; inference holds little more than the largest maps.
    """
    kept = 4.5 if protocol.mode != "infer" else 1.0
    return BYTES[protocol.dtype] * _acts(net) * kept


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


# A CPU core in eager mode; what launching one operation costs; how far eager training on a GPU
# stays above the roofline without fusion. All rough, and used for plans alone.
_CORE = Peaks("one core", {"fp32": 1.1e11, "fp16": 5e10, "bf16": 1.1e11}, 1e10)
_LAUNCH_S = {"cpu": 4e-6, "cuda": 9e-6}
_SLACK = {"cpu": 1.0, "cuda": 3.5}
_START_S = 1.0
_PROFILER_START_S, _PROFILED_S, _TRAPS_S = 20.0, 0.05, 30.0


def estimated_s(item: Task, device_name: str = "H200") -> float:
    """Seconds that a job will take, within a factor of two; on a GPU of data/devices.yaml."""
    p = item.protocol
    if isinstance(item, PeakJob | TrapJob):
        return 5.0 if isinstance(item, PeakJob) else _TRAPS_S * item.processes
    if p.device == "cpu":
        threads = p.threads or 1
        rates = {k: v * threads if v else None for k, v in _CORE.operations.items()}
        peaks = Peaks("cpu", rates, _CORE.bandwidth * threads)
        memory = psutil.virtual_memory().available / 2
    else:
        peaks = device_peaks(device_name)
        memory = peaks.memory_bytes or 32e9
    batch = guess_batch(item, memory) if p.batch == "max" else p.batch
    net = item.net
    operations = net.layers if isinstance(net, TimmNetwork) else kernel_count(net)
    launches = operations * (1 if p.mode == "infer" else 3)
    launch_s = 0.0 if p.compile == "graph" else launches * _LAUNCH_S[p.device]
    ideal = _ideal_s(net, peaks, batch, p)
    iteration = max(_SLACK[p.device] * ideal, launch_s)
    if isinstance(item, TrafficJob):
        return _PROFILER_START_S + _PROFILED_S * operations
    # Warm-up, the search for the batch, and an untimed iteration in each turn.
    untimed = 6 + p.rounds + (4 if p.batch == "max" and p.device == "cuda" else 0)
    timed = max(p.samples * iteration, p.min_time)
    compiling = 5.0 + 0.15 * operations if p.compile == "inductor" else 0.0
    return _START_S + compiling + untimed * iteration + timed


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
