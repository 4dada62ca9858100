"""Several processes as one run: who this process is, sums over all, stopping together.

Started by ``torchrun`` (or anything that sets its environment variables); without those there is
one process, and everything here does nothing.
"""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from repro.errors import InputError
from repro.training.spec import launched

PATIENCE = 20.0
"""Seconds after which a process says that it waits for others: there may be none."""


@dataclass(frozen=True)
class World:
    """This process among all: its number, how many there are, and what it computes on."""

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """The one process that writes files and speaks."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Add up over all processes, in place."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def from_leader(self, value: Any) -> Any:
        """The leader's value, in every process."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def copy_buffers(self, module: nn.Module) -> None:
        """Give every process the leader's batch-norm statistics: one network is evaluated."""
        if self.size > 1:
            for buffer in module.buffers():
                dist.broadcast(buffer, src=0)


class StopTogether:
    """Lets all processes stop at one step; they ask at each, and hear the answer at the next."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.flag = torch.zeros(1)
        self.pending: Any = None
        # A group of its own, on the CPU: gradients travel undisturbed.
        self.group: Any = dist.new_group(backend="gloo") if world.size > 1 else None

    def __call__(self, asked: bool) -> bool:
        """Whether to stop now. ``asked``: this process was asked to, a moment ago or earlier."""
        if self.world.size == 1:
            return asked
        stop = False
        if self.pending is not None:
            self.pending.wait()
            stop = bool(self.flag.item())
        self.flag = torch.full((1,), float(asked))
        self.pending = dist.all_reduce(self.flag, group=self.group, async_op=True)
        return stop

    def close(self) -> None:
        """Wait for the last answer: nothing may be under way when processes part."""
        if self.pending is not None:
            with contextlib.suppress(RuntimeError):  # another process is gone already
                self.pending.wait()
            self.pending = None


@contextlib.contextmanager
def connect(device: str) -> Iterator[World]:
    """Join the other processes for as long as a run takes: by gloo, or nccl with a GPU for each.

    `InputError` where there is no such device, or no GPU left for this process.
    """
    us = launched()
    local = us.local_rank
    if device == "cuda":
        if not torch.cuda.is_available():
            raise InputError("device 'cuda' is not here: torch sees no NVIDIA GPU. Allowed: cpu")
        if local >= torch.cuda.device_count():
            raise InputError(
                f"process {local} of this machine has no GPU: there are "
                f"{torch.cuda.device_count()}; start as many processes as GPUs"
            )
        torch.cuda.set_device(local)
    where = torch.device(device, local) if device == "cuda" else torch.device("cpu")
    if us.ranks == 1:
        yield World(0, 1, where)
        return
    backend = "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo"
    meeting = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
    text = f"process {us.rank} of {us.ranks} waits for the others at {meeting}: WORLD_SIZE says so"
    waiting = threading.Timer(PATIENCE, warnings.warn, [text])
    waiting.daemon = True
    waiting.start()
    try:
        dist.init_process_group(backend, device_id=where if device == "cuda" else None)
    finally:
        waiting.cancel()
    try:
        yield World(dist.get_rank(), dist.get_world_size(), where)
    finally:
        dist.destroy_process_group()
