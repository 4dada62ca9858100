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
FILLED = 0.94
"""Share of the memory limit that the largest batch may take; near it cuDNN takes slow ways."""
CROWDED = 0.8
"""Share above which cuDNN's finding no engine means that it found no memory for one."""
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
        guess: for ``batch="max"``: on a GPU, about the batch that fits; on a CPU the batch itself.
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
        self.retries = 0
        self.peaks: dict[str, int] = {}

    # ------------------------------------------------------------------ the steps

    def prepare(self) -> None:
        """Build, find the batch, and run until the running median settles."""
        with settings(self.protocol):
            self.before = device.state(self.protocol.device)
            gc.collect()  # the last network is a cycle, and would count as memory of this one
            taken = self._memory()
            torch.manual_seed(self.protocol.seed)
            self.module = self.make()
            self._place()
            self.batch = self._wanted_batch()
            while not self._fits(self.batch, self._warm_up):
                if self.batch == 1:
                    size = f"{self.resolution} x {self.resolution}"
                    raise InputError(f"one image of {size} pixels does not fit in memory")
                self._shrink()
            peak = self._memory(peak=True)
            self.peaks = {name: max(0, peak[name] - taken[name]) for name in peak}
        wanted = self.protocol.min_time / self.protocol.samples
        self.iterations = max(1, math.ceil(wanted / statistics.median(self.warmup[1:])))

    def sample(self, count: int) -> None:
        """Take timed samples, after one untimed iteration since others may have had a turn."""
        with settings(self.protocol):
            self.run()
            retries = self._alloc_retries()
            if self.on_gpu:  # a second one, since the first takes its memory from the system again
                torch.cuda.synchronize()
                begun = time.perf_counter()
                self.run()
                self.launch = time.perf_counter() - begun
                torch.cuda.synchronize()
            start = device.energy_j(self.protocol.device)
            self.samples += [self._time(self.iterations) for _ in range(count)]
            end = device.energy_j(self.protocol.device)
            if self.energy is None or start is None or end is None:
                self.energy = None
            else:
                self.energy += end - start
            self.retries += self._alloc_retries() - retries
            if self.on_gpu:  # asked while work is queued, and outside of any timed sample
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
            "alloc_retries": self.retries if self.on_gpu else None,
            "before": self.before,
            "under_load": self.under_load,
            **self.peaks,
        }

    # ------------------------------------------------------------------ one iteration

    def _place(self) -> None:
        """Move and cast the module, and make what an iteration needs besides a batch."""
        p = self.protocol
        self.module.train(p.mode != "infer").to(p.device)
        if p.mode == "infer":
            self._set_statistics()
        self.module.to(storage_dtype(p))
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
            torch.cuda.set_per_process_memory_fraction(self._memory_limit() / total)

    def _set_batch(self, batch: int) -> None:
        """Make inputs, and the callable that runs one iteration on them."""
        p = self.protocol
        net = getattr(self.module, "net", None)
        if p.mode != "infer" and net and net.is_piece:
            raise InputError(f"{net.name} has no classifier to train; mode infer is allowed")
        self.images = self._random_images(batch, storage_dtype(p))
        if p.input == "zeros":
            self.images.zero_()
        self.labels: torch.Tensor | None = None
        self.run = self._infer if p.mode == "infer" else self._train
        if p.compile == "graph":
            self.run = self._captured(self.run)

    def _random_images(self, batch: int, dtype: torch.dtype) -> torch.Tensor:
        p, net = self.protocol, getattr(self.module, "net", None)
        channels = net.in_channels if net else 3
        images = torch.empty(
            (batch, channels, self.resolution, self.resolution),
            device=p.device,
            dtype=dtype,
            memory_format=MEMORY_FORMAT[p.memory_format],
        )
        return images.normal_(generator=torch.Generator(p.device).manual_seed(p.seed))

    def _set_statistics(self) -> None:
        """Give batch norms that have seen nothing the statistics of a random image.

        With the fresh ones, mean 0 and variance 1, values grow or vanish from layer to layer, and
        in half precision end as infinities or zeros: both are work of another speed.
        """
        norms = [m for m in self.module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        fresh = {m: m.momentum for m in norms if m.num_batches_tracked == 0}
        if not fresh:
            return
        for norm in fresh:
            norm.train().momentum = 1.0
        with torch.no_grad():
            try:
                self.module(self._random_images(1, torch.float32))
            except ValueError:  # a map of one pixel has no variance
                self.module(self._random_images(2, torch.float32))
        for norm, momentum in fresh.items():
            norm.eval().momentum = momentum

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
        return self._largest_batch()

    def _largest_batch(self) -> int:
        """The batch that should fill the memory, which is linear in it, from one probe."""
        batch = max(1, self.guess // 8)
        while not self._fits(batch, self._once):
            if batch == 1:
                return 1  # which the warm-up then refuses
            batch, self.halvings = batch // 2, self.halvings + 1
        assert self.images is not None
        highest, images = torch.cuda.max_memory_allocated(), self.images.nbytes
        kept = torch.cuda.memory_allocated() - images  # weights, gradients, momenta
        per_image = max(images, highest - kept) / batch
        most = int((FILLED * self._memory_limit() - kept) / per_image)
        return min(BATCH_LIMIT, max(batch, _even(most)))

    def _shrink(self) -> None:
        """To the next smaller batch: half of one that was asked for, 7/8 of the largest."""
        self.halvings += 1
        half, less = self.batch // 2, _even(self.batch * 7 // 8)
        self.batch = less if self.protocol.batch == "max" else half

    def _memory_limit(self) -> float:
        """Bytes that the GPU, or the protocol, lets this process have."""
        total: int = torch.cuda.get_device_properties(0).total_memory
        return min(total, self.protocol.memory_gb * 1e9) if self.protocol.memory_gb else total

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
            if not out_of_memory(error, self._crowded()):
                raise
        self._release()  # outside of the handler, whose traceback keeps tensors alive
        return False

    def _crowded(self) -> bool:
        """Whether memory was searched for its end, or is near it."""
        if self.protocol.batch == "max" or not self.on_gpu:
            return self.protocol.batch == "max"
        return torch.cuda.max_memory_reserved() > CROWDED * self._memory_limit()

    def _alloc_retries(self) -> int:
        return torch.cuda.memory_stats().get("num_alloc_retries", 0) if self.on_gpu else 0

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


def out_of_memory(error: BaseException | None, crowded: bool = False) -> bool:
    """True for every way in which torch, cuDNN and cuBLAS say that memory ran out.

    Also where that led to another error, such as a graph capture that could not be ended. When
    memory is ``crowded``, cuDNN may say that it found no engine, for want of workspace.
    """
    signs = ["out of memory", "alloc_failed", "can't allocate memory"]
    signs += ["unable to find an engine"] * crowded
    while error is not None:
        text = str(error).lower()
        if isinstance(error, MemoryError) or any(sign in text for sign in signs):
            return True
        error = error.__context__
    return False


def _even(batch: int) -> int:
    """The next batch below that divides well: a multiple of 8 from 8 on; 1 at least."""
    return max(1, batch if batch < 8 else batch // 8 * 8)
