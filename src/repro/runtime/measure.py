"""Time a module: build it, settle, sample, keep every sample.

`Bench` is one module under one protocol, able to take turns with others
(`repro.runtime.turns`); `measure` times one module in this process.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from repro.errors import InputError
from repro.records import Protocol, Subject, TimingRecord, stamp, timing_inputs
from repro.runtime import device
from repro.runtime.protocol import MEMORY_FORMAT, autocast, check, settings, storage_dtype

WARMUP_LIMIT_S = 20.0
"""Warm-up ends here even when the median still moves; the record says so."""
BATCH_LIMIT = 1 << 16
SETTLED = 0.02
"""Relative spread of three running medians below which they count as settled."""


def measure(module: nn.Module, protocol: Protocol, subject: Subject | None = None) -> TimingRecord:
    """Time one module in this process.

    Args:
        module: takes (N, C, H, W) images and returns (N, classes); is moved and cast.
        protocol: how. Its resolution may be None where the module has a description.
        subject: what to call it; made from the module where left out.

    Raises:
        InputError: the protocol cannot be run here, or one image does not fit in memory.
    """
    check(protocol)
    if subject is None:
        subject = _foreign(module, protocol)
    bench = Bench(lambda: module, protocol, subject.resolution)
    bench.prepare()
    bench.sample(protocol.samples)
    machine = device.machine(protocol.device)
    start = stamp(TimingRecord.entry, timing_inputs(subject, protocol), machine)
    return TimingRecord(**start, subject=subject, protocol=protocol, **bench.result())


def _foreign(module: nn.Module, protocol: Protocol) -> Subject:
    """A subject for a module that comes without one."""
    net = getattr(module, "net", None)
    resolution = protocol.resolution or getattr(net, "resolution", None)
    if resolution is None:
        raise InputError("this module does not tell its resolution; give one in the protocol")
    name = getattr(net, "name", None) or type(module).__name__
    params = sum(p.numel() for p in module.parameters())
    return Subject(name=name, base=name, resolution=resolution, params=params)


class Bench:
    """One module under one protocol: prepared once, sampled in turns.

    Args:
        make: returns the module; called in `prepare`, under the protocol's settings and seed.
        protocol: how to run it.
        resolution: pixels per side of the input.
        guess: for ``batch="max"``: a first try on a GPU, the batch itself on a CPU.
    """

    def __init__(
        self,
        make: Callable[[], nn.Module],
        protocol: Protocol,
        resolution: int,
        guess: int = 1,
    ) -> None:
        self.make, self.protocol, self.resolution = make, protocol, resolution
        self.guess = guess
        self.on_gpu = protocol.device == "cuda"
        self.module: nn.Module
        self.images: torch.Tensor | None = None
        self.graph: torch.cuda.CUDAGraph | None = None
        self.batch = self.halvings = 0
        self.iterations = 1
        self.settled = False
        self.warmup: list[float] = []
        self.samples: list[float] = []
        self.launch: float | None = None
        self.energy: float | None = 0.0
        self.peaks: dict[str, int] = {}

    # ------------------------------------------------------------------ the steps

    def prepare(self) -> None:
        """Build, find the batch, and run until the running median settles."""
        with settings(self.protocol):
            self.before = device.state(self.protocol.device)
            taken = self._memory()
            torch.manual_seed(self.protocol.seed)
            self.module = self.make()
            self._place()
            self.batch = self._wanted_batch()
            while not self._fits(self.batch, self._warm_up):
                if self.batch == 1:
                    size = f"{self.resolution} x {self.resolution}"
                    raise InputError(f"one image of {size} pixels does not fit in memory")
                self.batch, self.halvings = self.batch // 2, self.halvings + 1
            peak = self._memory(peak=True)
            self.peaks = {name: max(0, peak[name] - taken[name]) for name in peak}
        wanted = self.protocol.min_time / self.protocol.samples
        self.iterations = max(1, math.ceil(wanted / statistics.median(self.warmup[1:])))

    def sample(self, count: int) -> None:
        """Take timed samples, after one untimed iteration since others may have had a turn."""
        with settings(self.protocol):
            begun = time.perf_counter()
            self.run()
            launched = time.perf_counter() - begun
            start = device.energy_j(self.protocol.device)
            self.samples += [self._time(self.iterations) for _ in range(count)]
            end = device.energy_j(self.protocol.device)
            if self.energy is None or start is None or end is None:
                self.energy = None
            else:
                self.energy += end - start
            if self.on_gpu:  # asked while work is queued, and outside of any timed sample
                self.launch = launched
                for _ in range(self.iterations):
                    self.run()
            self.under_load = device.state(self.protocol.device)
            if self.on_gpu:
                torch.cuda.synchronize()
                torch.cuda.empty_cache()  # the next one may need it

    def result(self) -> dict[str, Any]:
        """What a `TimingRecord` holds of it."""
        return {
            "batch": self.batch,
            "halvings": self.halvings,
            "iterations": self.iterations,
            "samples_s": tuple(round(s, 9) for s in self.samples),
            "warmup_s": tuple(round(s, 9) for s in self.warmup),
            "settled": self.settled,
            "launch_s": self.launch,
            "energy_j": self.energy,
            "before": self.before,
            "under_load": self.under_load,
            **self.peaks,
        }

    # ------------------------------------------------------------------ one iteration

    def _place(self) -> None:
        """Move and cast the module, and make what an iteration needs besides a batch."""
        p = self.protocol
        self.module.train(p.mode != "infer")
        self.module.to(p.device, storage_dtype(p))
        self.module.to(memory_format=MEMORY_FORMAT[p.memory_format])
        self.forward: Callable[..., Any] = self.module
        if p.compile == "inductor":
            torch.compiler.reset()  # else the compiler gives up after a handful of networks
            self.forward = torch.compile(self.module, dynamic=False)
        if p.mode != "infer":
            self.optimizer = torch.optim.SGD(self.module.parameters(), lr=0.0, momentum=0.9)
            self.scaler = torch.amp.GradScaler(p.device, enabled=p.dtype == "fp16")
        if self.on_gpu:
            total = torch.cuda.get_device_properties(0).total_memory
            share = p.memory_gb * 1e9 / total if p.memory_gb else 1.0
            torch.cuda.set_per_process_memory_fraction(min(1.0, share))

    def _set_batch(self, batch: int) -> None:
        """Make inputs, and the callable that runs one iteration on them."""
        p = self.protocol
        generator = torch.Generator(p.device).manual_seed(p.seed)
        net = getattr(self.module, "net", None)
        channels = net.in_channels if net else 3
        if p.mode != "infer" and net and net.is_piece:
            raise InputError(f"{net.name} has no classifier to train; mode infer is allowed")
        shape = (batch, channels, self.resolution, self.resolution)
        self.images = torch.empty(
            shape,
            device=p.device,
            dtype=storage_dtype(p),
            memory_format=MEMORY_FORMAT[p.memory_format],
        )
        if p.input == "random":
            self.images.normal_(generator=generator)
        else:
            self.images.zero_()
        self.labels: torch.Tensor | None = None
        self.run = self._infer if p.mode == "infer" else self._train
        if p.compile == "graph":
            self.run = self._captured(self.run)

    def _infer(self) -> None:
        with torch.inference_mode():
            self.forward(self.images)

    def _train(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.protocol):
            scores = self.forward(self.images)
            if self.labels is None:  # in warm-up: how many classes there are is known only now
                self.labels = torch.randint(scores.shape[1], scores.shape[:1], device=scores.device)
            loss = functional.cross_entropy(scores, self.labels)
        self.scaler.scale(loss).backward()
        if self.protocol.mode == "step":
            self.scaler.step(self.optimizer)
            self.scaler.update()

    def _captured(self, run: Callable[[], None]) -> Callable[[], None]:
        """One iteration as a CUDA graph, after a few on a side stream as capture requires."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                run()
        torch.cuda.current_stream().wait_stream(stream)
        self.module.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            run()
        self.graph = graph
        return graph.replay

    def _time(self, iterations: int) -> float:
        """Seconds per iteration: by CUDA events on a GPU, by the clock on a CPU."""
        if not self.on_gpu:
            start = time.perf_counter()
            for _ in range(iterations):
                self.run()
            return (time.perf_counter() - start) / iterations
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(iterations):
            self.run()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / 1e3 / iterations

    def _warm_up(self) -> None:
        """Iterate until three running medians of the last five times agree, the first left out."""
        self.warmup = [self._time(1)]
        recent: deque[float] = deque(maxlen=5)
        medians: deque[float] = deque(maxlen=3)
        self.settled = False
        deadline = time.perf_counter() + WARMUP_LIMIT_S
        while not recent or not (self.settled or time.perf_counter() > deadline):
            recent.append(self._time(1))
            self.warmup.append(recent[-1])
            medians.append(statistics.median(recent))
            spread = max(medians) - min(medians)
            self.settled = len(medians) == 3 and spread <= SETTLED * medians[-1]

    # ------------------------------------------------------------------ memory

    def _wanted_batch(self) -> int:
        if self.protocol.batch != "max":
            return self.protocol.batch
        if not self.on_gpu:  # a CPU process that takes too much is killed: no trying out
            return self.guess
        return largest_batch(lambda batch: self._fits(batch, self._once), self.guess)

    def _once(self) -> None:
        self.run()
        torch.cuda.synchronize()

    def _fits(self, batch: int, run: Callable[[], None]) -> bool:
        """Set a batch and run; False, with all memory given back, when memory ran out."""
        self._release()
        try:
            self._set_batch(batch)
            run()
            return True
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
        self._release()  # outside of the handler, whose traceback keeps tensors alive
        return False

    def _release(self) -> None:
        """Forget the last batch and all that it left, the highest memory among it."""
        if self.images is not None:  # a collection takes longer than a small network's warm-up
            self.module.zero_grad(set_to_none=True)
            self.images = self.labels = self.graph = None
            self.run = lambda: None
            gc.collect()
        if self.on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def _memory(self, peak: bool = False) -> dict[str, int]:
        """GPU memory now, or the most since it was last released."""
        if not self.on_gpu:
            return {}
        if peak:
            return {
                "peak_allocated": torch.cuda.max_memory_allocated(),
                "peak_reserved": torch.cuda.max_memory_reserved(),
            }
        torch.cuda.empty_cache()
        return {
            "peak_allocated": torch.cuda.memory_allocated(),
            "peak_reserved": torch.cuda.memory_reserved(),
        }


def out_of_memory(error: BaseException | None) -> bool:
    """True for every way in which torch, cuDNN and cuBLAS say that memory ran out.

    Also where that led to another error, such as a graph capture that could not be ended.
    """
    signs = ("out of memory", "alloc_failed", "can't allocate memory")
    while error is not None:
        text = str(error).lower()
        if isinstance(error, MemoryError) or any(sign in text for sign in signs):
            return True
        error = error.__context__
    return False


def largest_batch(fits: Callable[[int], bool], guess: int = 1) -> int:
    """The largest batch that fits, to an eighth: doubling, then bisection.

    Args:
        fits: True where a batch fits; may be called a dozen times.
        guess: where to begin; a good one saves tries.

    Returns:
        A multiple of 8 from 8 on; 1 where not even 2 fits (whether 1 does is for the caller).
    """
    if guess > 1 and not fits(guess):
        low, high = guess // 2, guess
        while low > 1 and not fits(low):
            low, high = low // 2, low
    else:
        low, high = guess, 2 * guess
        while high <= BATCH_LIMIT and fits(high):
            low, high = high, 2 * high
    while high - low > max(1, low // 8):
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low if low < 8 else low // 8 * 8
