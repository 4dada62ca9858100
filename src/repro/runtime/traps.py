"""The traps of timing on a CPU, each measured in the ways that one should compare.

A trap is a few lines of plain PyTorch that time one thing in two or more ways. Within a process
the ways take turns. ``repro time --traps`` runs every trap in several fresh processes and keeps
the samples. What a GPU adds is in ordinary records: the sweep ``record`` times zeros, NCHW
and TF32 beside the usual protocol, and how soon a launch returns beside when its work is done.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import psutil
import torch
from torch import nn

from repro.arch import get
from repro.errors import InputError, did_you_mean
from repro.models.builder import build
from repro.runtime.allocator import can_keep, set_allocator

Samples = dict[str, list[float]]
"""Seconds of each sample, by the way in which it was taken."""
FIRST = 20
"""Iterations from a process's first on, in the trap of warm-up."""
RUN = 60
"""Samples in a row, where the spread of single samples is the point."""
HALF = 15
"""Samples of either network, where two are compared."""


@dataclass(frozen=True)
class Setting:
    """What the traps are measured on.

    Attributes:
        network: zoo name, at its own resolution, one image. rounds: turns that each way takes.
        threads: where the trap is not about threads. cores: physical ones of the machine.
    """

    network: str = "EN-B0"
    rounds: int = 10
    threads: int = 1
    cores: int = 1


def here(network: str = "EN-B0", rounds: int = 10) -> Setting:
    """A setting for this machine.

    Raises:
        InputError: no such network, or no round.
    """
    get(network)
    if rounds < 1:
        raise InputError(f"rounds {rounds} is not allowed; 1 or more")
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    return Setting(network, rounds, cores=cores)


# --------------------------------------------------------------------------- how to time


class Way(NamedTuple):
    """One way to run something: what is timed, and what comes before, off the clock."""

    run: Callable[[], object]
    before: Callable[[], object] = lambda: None


def seconds(run: Callable[[], object]) -> float:
    """Wall-clock seconds of one run."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def take_turns(ways: Mapping[str, Way], rounds: int) -> Samples:
    """Sample every way once per round, after three rounds that do not count.

    Every other round goes backwards, so that no way always follows the same one.
    """
    samples: Samples = {name: [] for name in ways}
    for turn in range(-3, rounds):
        for name in list(ways)[:: 1 if turn % 2 else -1]:
            ways[name].before()
            taken = seconds(ways[name].run)
            if turn >= 0:
                samples[name].append(taken)
    return samples


def network(setting: Setting, layout: Any = torch.channels_last) -> nn.Module:
    """The network in eval mode, weights from a fixed seed."""
    torch.manual_seed(0)
    return build(setting.network).eval().to(memory_format=layout)


def image(setting: Setting, pixels: int = 0, layout: Any = torch.channels_last) -> torch.Tensor:
    """One random image as a batch, of the network's resolution or another."""
    net = get(setting.network)
    side = pixels or net.resolution
    return torch.randn(1, net.in_channels, side, side).to(memory_format=layout)


def infer(module: nn.Module, batch: torch.Tensor) -> Callable[[], object]:
    """One forward pass without autograd."""

    def run() -> None:
        with torch.inference_mode():
            module(batch)

    return run


def ready(setting: Setting) -> Callable[[], object]:
    """The network on all cores, warmed up."""
    torch.set_num_threads(setting.cores)
    run = infer(network(setting), image(setting))
    for _ in range(5):
        run()
    return run


_NEIGHBOUR = """
import os, select
busy = False
while True:
    if not busy or select.select([0], [], [], 0)[0]:
        word = os.read(0, 1)
        if not word:
            break
        busy = word == b"1"
    for _ in range(10_000):
        pass
"""
"""Busy while the last byte was a 1; ends with its standard input, however its parent ends."""


@contextlib.contextmanager
def neighbour() -> Iterator[tuple[Callable[[], object], Callable[[], object]]]:
    """Another program that keeps one core busy, idle at first; how to wake it and to stop it."""
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", _NEIGHBOUR], stdin=subprocess.PIPE, bufsize=0
    )

    def send(word: bytes) -> None:
        assert process.stdin
        process.stdin.write(word)
        time.sleep(0.02)  # until the scheduler has seen it

    try:
        yield (lambda: send(b"1")), (lambda: send(b"0"))
    finally:
        process.kill()
        process.communicate()


# ----------------------------------------------------------------------------- the traps


def warm_up(setting: Setting) -> Samples:
    """The first iterations of a network that has just been built, in order."""
    run = infer(network(setting), image(setting))
    return {"iteration": [seconds(run) for _ in range(FIRST)]}


def new_sizes(setting: Setting) -> Samples:
    """Images of a size not seen before, then of the same size again."""
    module = network(setting)
    infer(module, image(setting))()
    samples: Samples = {"first call": [], "second call": []}
    for step in range(1, setting.rounds + 1):
        run = infer(module, image(setting, get(setting.network).resolution + 8 * step))
        for call in samples.values():
            call.append(seconds(run))
    return samples


def series(setting: Setting) -> Samples:
    """One iteration after another; then again, with another program for a tenth of the time."""
    run = ready(setting)
    samples: Samples = {"undisturbed": [], "disturbed": []}
    with neighbour() as (wake, stop):
        for way, taken in samples.items():
            for number in range(RUN):
                if way == "disturbed" and number % 20 == 10:
                    wake()
                taken.append(seconds(run))
                if way == "disturbed" and number % 20 == 11:
                    stop()
    return samples


def turns(setting: Setting) -> Samples:
    """One network under two names, while another program starts half-way through."""
    run = ready(setting)
    plans = {"one after the other": "A" * HALF + "B" * HALF, "in turns": "AB" * HALF}
    samples: Samples = {}
    for title, plan in plans.items():
        with neighbour() as (wake, _):
            for number, name in enumerate(plan):
                if number == HALF:
                    wake()
                samples.setdefault(f"{name}, {title}", []).append(seconds(run))
    return samples


def _on(count: int, run: Callable[[], object], then: Callable[[], object]) -> Callable[[], object]:
    """What comes before a run on so many threads: their start, which takes time, and ``then``."""

    def prepare() -> None:
        torch.set_num_threads(count)
        run()
        then()

    return prepare


def threads(setting: Setting) -> Samples:
    """One thread, one per core, and two per core."""
    run = infer(network(setting), image(setting))
    counts = {"1": 1, "1 per core": setting.cores, "2 per core": 2 * setting.cores}
    ways = {name: Way(run, _on(count, run, lambda: None)) for name, count in counts.items()}
    return take_turns(ways, setting.rounds)


def busy_machine(setting: Setting) -> Samples:
    """One thread and one per core: alone, and beside a program that keeps one core busy."""
    run = infer(network(setting), image(setting))
    with neighbour() as (wake, stop):
        ways = {
            f"{name}, {company}": Way(run, _on(count, run, then))
            for name, count in (("1", 1), ("1 per core", setting.cores))
            for company, then in (("alone", stop), ("beside another", wake))
        }
        return take_turns(ways, setting.rounds)


def values(setting: Setting) -> Samples:
    """The same network on a random image, on zeros, and on denormal numbers."""
    module, batch = network(setting), image(setting)
    inputs = {"random": batch, "zeros": torch.zeros_like(batch), "denormal": batch * 1e-39}
    ways = {name: Way(infer(module, x)) for name, x in inputs.items()}
    return take_turns(ways, setting.rounds)


def memory_format(setting: Setting) -> Samples:
    """Channels last and NCHW, weights and image alike."""
    layouts = {"channels last": torch.channels_last, "NCHW": torch.contiguous_format}
    ways = {
        name: Way(infer(network(setting, layout), image(setting, layout=layout)))
        for name, layout in layouts.items()
    }
    return take_turns(ways, setting.rounds)


def mode(setting: Setting) -> Samples:
    """Inference as it should be, with autograd left on, and in train mode as well."""
    module, training, batch = network(setting), network(setting).train(), image(setting)
    ways = {
        "inference": Way(infer(module, batch)),
        "autograd on": Way(lambda: module(batch)),
        "train mode": Way(lambda: training(batch)),
    }
    return take_turns(ways, setting.rounds)


def allocator(setting: Setting) -> Samples:
    """The network and a block with large maps while freed memory goes back, then while it is kept.

    In this order and not in turns, because a process cannot begin to give memory back again.
    """
    block = Setting("MBConv-c24@112")
    runs = {
        "network": infer(network(setting), image(setting)),
        "block": infer(network(block), image(block)),
    }
    samples: Samples = {}
    for way in ("given back", "kept"):
        if way == "kept" and can_keep():
            set_allocator("keep")
        ways = {f"{name}, {way}": Way(run) for name, run in runs.items()}
        samples |= take_turns(ways, setting.rounds)
    return samples


def caches(setting: Setting) -> Samples:
    """A small conv and the network, each right after itself and after other data."""
    conv = nn.Conv2d(64, 64, 3, padding=1, bias=False).to(memory_format=torch.channels_last)
    maps = torch.randn(1, 64, 28, 28).to(memory_format=torch.channels_last)
    other = torch.zeros(1 << 26)  # 2^28 bytes: more than caches hold
    ways: dict[str, Way] = {}
    for name, run in (
        ("small conv", infer(conv, maps)),
        ("network", infer(network(setting), image(setting))),
    ):

        def evict(run: Callable[[], object] = run) -> None:
            run()
            other.add_(1.0)

        ways |= {f"{name}, warm": Way(run, before=run), f"{name}, cold": Way(run, before=evict)}
    return take_turns(ways, setting.rounds)


TRAPS: Mapping[str, Callable[[Setting], Samples]] = {
    "warm-up": warm_up,
    "new sizes": new_sizes,
    "series": series,
    "turns": turns,
    "threads": threads,
    "busy machine": busy_machine,
    "values": values,
    "memory format": memory_format,
    "mode": mode,
    "allocator": allocator,
    "caches": caches,
}
"""Every trap by name, in the order of the chapter."""


def measure(name: str, setting: Setting) -> Samples:
    """Run one trap in this process; the number of threads is put back afterwards.

    The process keeps freed memory from then on, where it can; see `repro.runtime.allocator`.

    Raises:
        InputError: no such trap.
    """
    if name not in TRAPS:
        raise InputError(
            f"unknown trap {name!r}.{did_you_mean(name, TRAPS)} Traps: {', '.join(TRAPS)}"
        )
    before = torch.get_num_threads()
    torch.set_num_threads(setting.threads)
    if name != "allocator" and can_keep():
        set_allocator("keep")
    try:
        return TRAPS[name](setting)
    finally:
        torch.set_num_threads(before)
