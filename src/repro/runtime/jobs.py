"""What a sweep measures: jobs from the command line, from a grid, or from a named sweep file.

A named sweep is ``data/sweeps/time/NAME.yaml``: a list of blocks, each a protocol and the networks
to time under it. ``bases`` are timed as they are, then, where ``strategies`` (authors' grammar) and
``scales`` are given, scaled in every way::

    - protocol: {device: cpu, batch: 1}
      bases: [EN-B0, MBConv-c32@56]
      strategies: [d1, w1_g1]
      scales: [2, 4]

With ``peaks: true`` a block measures the device's peak rates first; with ``traffic: true`` it
counts its networks' memory traffic in place of timing them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Self

import psutil
from pydantic import model_validator

from repro.arch import PAPER, Network, Strategy, alpha_strategy, get, parse_strategy, scale
from repro.arch.strategy import COMPOUND
from repro.complexity import complexity
from repro.errors import InputError, did_you_mean
from repro.handwritten import Listed, Number, Strict, entries, file_bytes
from repro.paths import root
from repro.records import (
    PeakRecord,
    Protocol,
    Subject,
    TimingRecord,
    TrafficRecord,
    TrapRecord,
    checked,
    timing_inputs,
)
from repro.runtime.allocator import can_keep
from repro.runtime.roofline import kernel_count
from repro.runtime.timm_networks import TimmNetwork, find, is_timm_name


@dataclass(frozen=True, slots=True)
class Job:
    """One network to time under one protocol. ``entry`` is the module that does it.

    ``name`` is for messages; ``inputs`` is what of the record's key is known beforehand.
    """

    net: Network | TimmNetwork
    subject: Subject
    protocol: Protocol
    entry: ClassVar[str] = TimingRecord.entry

    @property
    def name(self) -> str:
        p = self.protocol
        return f"{self.subject.name}, {p.mode} {p.dtype} batch {p.batch}"

    def inputs(self) -> dict[str, Any]:
        return timing_inputs(self.subject, self.protocol)


@dataclass(frozen=True, slots=True)
class TrafficJob(Job):
    """The bytes that one network moves through GPU memory under one protocol.

    Raises:
        InputError: the protocol is not of a GPU, or its batch is not a number.
    """

    entry: ClassVar[str] = TrafficRecord.entry

    def __post_init__(self) -> None:
        if self.protocol.device != "cuda":
            raise InputError("memory traffic is counted on a GPU; --device cuda is allowed")
        if self.protocol.batch == "max":
            raise InputError("traffic needs a batch that is a number, such as --batch 64")

    @property
    def name(self) -> str:
        return f"{self.subject.name}, memory traffic, batch {self.protocol.batch}"

    def inputs(self) -> dict[str, Any]:
        return {**timing_inputs(self.subject, self.protocol), "kind": "traffic"}


@dataclass(frozen=True, slots=True)
class PeakJob:
    """The device's peak rates in one dtype."""

    protocol: Protocol
    name: ClassVar[str] = "peak rates"
    entry: ClassVar[str] = PeakRecord.entry

    def inputs(self) -> dict[str, Any]:
        return {"kind": "peak", "protocol": self.protocol.inputs()}


@dataclass(frozen=True, slots=True)
class TrapJob:
    """Every trap of timing, each in several fresh processes.

    Raises:
        InputError: the protocol is of a GPU; of it, only the number of cores is used.
    """

    protocol: Protocol
    rounds: int = 10  # turns that each way takes in a process
    processes: int = 10
    name: ClassVar[str] = "traps of timing"
    entry: ClassVar[str] = TrapRecord.entry

    def __post_init__(self) -> None:
        if self.protocol.device != "cpu":
            raise InputError("the traps are timed on a CPU; --device cpu is allowed")

    @property
    def setting(self) -> dict[str, Any]:
        """As `repro.runtime.traps.Setting` has it."""
        cores = self.protocol.threads or 1
        return {"network": "EN-B0", "rounds": self.rounds, "threads": 1, "cores": cores}

    def inputs(self) -> dict[str, Any]:
        return {"kind": "traps", "setting": self.setting, "processes": self.processes}


Task = Job | PeakJob | TrapJob


def job(
    base: str | Network,
    strategy: str | None = None,
    factor: float | None = None,
    protocol: Protocol | None = None,
) -> Job:
    """A network to time: a zoo name, any description, or ``timm/`` and a name of timm's.

    Args:
        strategy: in the authors' grammar. factor: on flops; given exactly when ``strategy`` is.

    Raises:
        InputError: unknown name, unreadable strategy, or one of strategy and factor alone.
    """
    protocol = protocol or Protocol()
    if isinstance(base, str) and is_timm_name(base):
        if (strategy, factor) != (None, None):
            raise InputError(f"{base} has no description here, and cannot be scaled")
        found = find(base, protocol.resolution)
        return Job(found, found.subject(), protocol)
    net = start = get(base) if isinstance(base, str) else base
    parsed = None
    if (strategy is None) != (factor is None):
        raise InputError("give both a strategy and a scale, or neither")
    if strategy is not None and factor is not None:
        parsed = short_strategy(strategy)
        net = scale(start, parsed, factor)
    if protocol.resolution:
        net = net.at(protocol.resolution)
    return Job(net, subject_of(net, start.name, parsed, factor), protocol)


def subject_of(
    net: Network, base: str, strategy: Strategy | None = None, factor: float | None = None
) -> Subject:
    """A description as records keep it, with its counts."""
    count = complexity(net)
    return Subject(
        name=net.name,
        base=base,
        strategy=strategy.name if strategy else None,
        grammar=strategy.grammar if strategy else None,
        scale=factor,
        resolution=net.resolution,
        description=description_of(net),
        flops=count.flops,
        params=count.params,
        acts=count.acts,
        kernels=kernel_count(net),
    )


def description_of(net: Network) -> dict[str, Any]:
    """A description as JSON has it, without its name: by another name it is the same network.

    What is at its default is left out, so that a field added later changes no key.
    """
    stages = [{"kind": type(stage).__name__, **_set_fields(stage)} for stage in net.stages]
    kept = {k: v for k, v in _set_fields(net).items() if k not in ("name", "stages")}
    # a block's geometry inside a stage is described likewise
    text = json.dumps({"stages": stages, **kept}, default=_set_fields)
    description: dict[str, Any] = json.loads(text)
    return description


def _set_fields(item: Any) -> dict[str, Any]:
    values = {field: getattr(item, field.name) for field in dataclasses.fields(item)}
    return {field.name: value for field, value in values.items() if value != field.default}


@cache
def _short_names() -> dict[str, Strategy]:
    """The papers' strategies by their grammar, alpha 2/3 among them."""
    known = [*PAPER.values(), *COMPOUND.values(), alpha_strategy("2/3", "alpha=2/3")]
    return {strategy.grammar: strategy for strategy in known}


def short_strategy(text: str) -> Strategy:
    """A strategy in the authors' grammar, under the paper's short name where it has one."""
    parsed = parse_strategy(text)
    grammar = parsed.grammar
    return _short_names().get(grammar) or dataclasses.replace(parsed, name=grammar)


# ---------------------------------------------------------------------------- sweep files


class Block(Strict):
    """A protocol, and what is measured under it."""

    protocol: Protocol
    peaks: bool = False
    traffic: bool = False
    bases: Listed[str] = ()
    strategies: Listed[str] = ()
    scales: Listed[Number] = ()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if bool(self.strategies) != bool(self.scales):
            raise ValueError("give both strategies and scales, or neither")
        if self.scales and not self.bases:
            raise ValueError("'bases' is missing")
        return self


def sweep_folder() -> Path:
    """Where named sweeps are kept."""
    return root() / "data" / "sweeps" / "time"


def named_sweep(name: str, changes: dict[str, Any] | None = None) -> list[Task]:
    """The jobs of a named sweep, in its order.

    Args:
        name: of a file in `sweep_folder`, without its ending, or the path of another.
        changes: protocol values that replace the sweep's own.

    Raises:
        InputError: no such sweep, or a block that cannot be used (names the file and the block).
    """
    path = Path(name) if Path(name).suffix else sweep_folder() / f"{name}.yaml"
    try:
        data = file_bytes(str(path), "sweep")
    except InputError as error:
        names = sorted(p.stem for p in sweep_folder().glob("*.yaml"))
        near = did_you_mean(name, names)
        raise InputError(f"{error}. Named sweeps: {', '.join(names)}.{near}") from None
    jobs: list[Task] = []
    for where, block in entries(data, str(path), Block):
        try:
            values = {**block.protocol.model_dump(exclude_unset=True), **(changes or {})}
            device = block.protocol.device if "device" in block.protocol.model_fields_set else None
            if device and values["device"] != device:
                raise InputError(f"its device is {device}; {values['device']} is not allowed")
            protocol = resolved(checked(Protocol, values, "protocol"))
            jobs += [PeakJob(protocol)] * block.peaks
            mine = [job(base, protocol=protocol) for base in block.bases]
            mine += [
                job(*w, protocol) for w in product(block.bases, block.strategies, block.scales)
            ]
            jobs += map(traffic, mine) if block.traffic else mine
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
    return jobs


def traffic(timing: Job) -> TrafficJob:
    """The same network under the same protocol, to have its memory traffic counted."""
    return TrafficJob(timing.net, timing.subject, timing.protocol)


def check_threads(threads: int | None) -> None:
    """Raise `InputError` for more threads than the machine has processors."""
    processors = psutil.cpu_count() or 1
    if (threads or 1) > processors:
        raise InputError(
            f"threads {threads} are more than this machine has; allowed: 1 to {processors}"
        )


def resolved(protocol: Protocol) -> Protocol:
    """The protocol with what the machine decides filled in, for a CPU: threads and allocator.

    One thread per physical core; freed memory is kept where the C library can.

    Raises:
        InputError: more threads than the machine has processors.
    """
    check_threads(protocol.threads)
    if protocol.device != "cpu":
        return protocol
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    kept = "keep" if can_keep() else "system"
    filled = {"threads": protocol.threads or cores, "allocator": protocol.allocator or kept}
    return protocol.model_copy(update=filled)


def unique(jobs: Iterable[Task]) -> list[Task]:
    """Each job once: two names for one network under one protocol are one measurement."""
    seen: dict[str, Task] = {}
    for item in jobs:
        seen.setdefault(json.dumps(item.inputs(), sort_keys=True), item)
    return list(seen.values())
