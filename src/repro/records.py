"""Records: what was measured, one JSON line each, with what it needs to be believed later.

A record says what was run, under which protocol, on which machine and with which software, when
and from which commit, and holds the raw samples. Its key is a digest of the code, the description
and the protocol behind it: a page compares it with the code it shows. Files are appended under a
lock with one write each, so two writers never tear a line; a line that a killed writer tore is
reported with its number and never stands in the way of the next.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import statistics
import subprocess
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AwareDatetime,
    Field,
    NonNegativeInt,
    PositiveInt,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from repro.conditions import Device as Device
from repro.conditions import Dtype as Dtype
from repro.conditions import Finite, Machine, Part, Positive, Protocol, State, Subject
from repro.conditions import Mode as Mode
from repro.errors import InputError
from repro.fingerprint import SOURCE, code_of

SCHEMA: Literal[1] = 1
"""Version of the record format; files of another version are refused, not guessed at."""


class Result(Part):
    """What every kind of record has.

    Attributes:
        code: digest of each module that the number depends on.
        key: digest of code, inputs and the machine's identity; see `key_of`.
        commit: of the project, with ``-dirty`` where files differed; None outside a checkout.
        when: in UTC. beside: another timing ran on the machine, too, as was asked for.
    """

    entry: ClassVar[str]
    """The module whose code, with all it imports, makes such a result."""

    schema_version: Literal[1] = SCHEMA
    key: str
    code: dict[str, str]
    commit: str | None
    when: AwareDatetime
    machine: Machine
    beside: Literal[True] | None = None

    def inputs(self) -> dict[str, Any]:
        """Configuration and data that the number depends on."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _key_is_own(self) -> Self:
        if self.key != key_of(self.code, self.inputs(), self.machine):
            raise ValueError("its key does not belong to its contents")
        return self


class TimingRecord(Result):
    """Time of one network under one protocol.

    Attributes:
        batch: that was timed; below ``protocol.batch`` when memory ran out ``halvings`` times.
            Of a largest batch: tries that did not fit.
        iterations: in each sample. samples_s: seconds per iteration, in the order taken.
        warmup_s: seconds of each iteration before; ``settled``: their median stopped moving.
        launch_s: until a GPU was told of one iteration, not waiting for it; None on a CPU.
        peak_allocated, peak_reserved: bytes of GPU memory that this network took.
        alloc_retries: how often torch had to give memory back first while a GPU was timed.
        peak_rss: bytes of CPU memory above the process before the network was built.
        energy_j: of the GPU during all timed samples.
        before, under_load: state of the device.
    """

    entry: ClassVar[str] = "repro.runtime.worker"
    kind: Literal["timing"] = "timing"
    subject: Subject
    protocol: Protocol
    batch: PositiveInt
    halvings: NonNegativeInt = 0
    iterations: PositiveInt
    samples_s: Annotated[tuple[Positive, ...], Field(min_length=1)]
    warmup_s: tuple[Positive, ...] = ()
    settled: bool
    launch_s: Positive | None = None
    peak_allocated: NonNegativeInt | None = None
    peak_reserved: NonNegativeInt | None = None
    alloc_retries: NonNegativeInt | None = None
    peak_rss: NonNegativeInt | None = None
    energy_j: Finite | None = None
    before: State
    under_load: State

    def inputs(self) -> dict[str, Any]:
        return timing_inputs(self.subject, self.protocol)

    @property
    def quartiles(self) -> tuple[float, float, float]:
        """First quartile, median and third quartile of the samples, in seconds."""
        if len(self.samples_s) == 1:
            return (self.samples_s[0],) * 3
        low, middle, high = statistics.quantiles(self.samples_s, n=4, method="inclusive")
        return low, middle, high

    @property
    def images_per_s(self) -> float:
        """At the median time."""
        return self.batch / self.quartiles[1]


class PeakRecord(Result):
    """What the device reaches, for rooflines: rates of a large matrix product, conv and copy.

    One number per sample. A multiply-add is two flops here; bytes are those read and written.
    """

    entry: ClassVar[str] = "repro.runtime.peaks"
    kind: Literal["peak"] = "peak"
    protocol: Protocol
    matmul_size: PositiveInt
    copy_size: PositiveInt
    matmul_flops: Annotated[tuple[Positive, ...], Field(min_length=1)]
    conv_flops: tuple[Positive, ...] = ()
    copy_bytes: Annotated[tuple[Positive, ...], Field(min_length=1)]

    @property
    def flops(self) -> float:
        """Operations per second at best: products and convs come from different libraries."""
        return max(self.matmul_flops + self.conv_flops)

    def inputs(self) -> dict[str, Any]:
        return {"kind": "peak", "protocol": self.protocol.inputs()}


class TrafficRecord(Result):
    """Bytes that one iteration moved through GPU memory, read from hardware counters (ncu)."""

    entry: ClassVar[str] = "repro.runtime.worker"
    kind: Literal["traffic"] = "traffic"
    subject: Subject
    protocol: Protocol
    batch: PositiveInt
    read_bytes: NonNegativeInt
    written_bytes: NonNegativeInt
    launches: PositiveInt

    def inputs(self) -> dict[str, Any]:
        return {**timing_inputs(self.subject, self.protocol), "kind": "traffic"}


class TrapRecord(Result):
    """Every trap of timing on one machine.

    Attributes:
        setting: of type `repro.runtime.traps.Setting`.
        processes: fresh ones that each trap ran in.
        samples_s: seconds, in the order taken, by trap, by way and for each process.
        before, after: state of the machine.
    """

    entry: ClassVar[str] = "repro.runtime.traps"
    kind: Literal["traps"] = "traps"
    setting: dict[str, Any]
    processes: PositiveInt
    samples_s: dict[
        str, dict[str, Annotated[tuple[tuple[Positive, ...], ...], Field(min_length=1)]]
    ]
    before: State
    after: State

    def inputs(self) -> dict[str, Any]:
        return {"kind": "traps", "setting": self.setting, "processes": self.processes}


class Score(Part):
    """How a network did on a split.

    Attributes:
        images: judged. wrong: whose first guess was wrong. wrong5: whose first five guesses were.
        loss: mean cross-entropy, without label smoothing.
    """

    images: PositiveInt
    wrong: NonNegativeInt
    wrong5: NonNegativeInt
    loss: Finite

    @property
    def error(self) -> float:
        """Top-1 error as a share."""
        return self.wrong / self.images


class EpochScore(Part):
    """One epoch (from 1 on): mean training loss, and the hold-out judged after it, if any."""

    epoch: PositiveInt
    train_loss: Finite
    holdout: Score | None


class DataUsed(Part):
    """Which images: ``about`` in words, ``digest`` of what was read, and counts.

    Attributes:
        names: of the classes, in the order of their labels.
        left_out: how many files on disk were not read, by reason.
        skipped: damaged images that were passed over, by split; the counts have them.
    """

    about: str
    digest: str
    classes: PositiveInt
    train: PositiveInt
    holdout: NonNegativeInt
    test: PositiveInt
    names: tuple[str, ...] = ()
    left_out: dict[str, PositiveInt] = Field(default_factory=dict)
    skipped: dict[str, PositiveInt] = Field(default_factory=dict)

    def identity(self) -> dict[str, Any]:
        """What a resumed run, and every process of one, must agree on: labels and images."""
        labels = {f"class {label}": name for label, name in enumerate(self.names)}
        counts = {"train": self.train, "holdout": self.holdout, "test": self.test}
        return {**labels, **counts, "digest": self.digest}


class TrainingRecord(Result):
    """One training run: its learning curve, and the test split, which was looked at once.

    Attributes:
        setting: see `repro.training.spec.Setting`. ranks: processes. threads: of each, on a CPU.
        reported_epoch: whose weights the test split judged.
        train_s: seconds of all updates. data_s: of these, spent on getting batches.
        peak_bytes: of GPU memory, or of the process on a CPU.
        interruptions: how often the run was resumed. other_code: modules that changed meanwhile.
    """

    entry: ClassVar[str] = "repro.training.loop"
    kind: Literal["training"] = "training"
    subject: Subject
    setting: dict[str, Any]
    data: DataUsed
    ranks: PositiveInt = 1
    threads: PositiveInt = 1
    curve: Annotated[tuple[EpochScore, ...], Field(min_length=1)]
    reported_epoch: PositiveInt
    test: Score
    train_s: Finite
    data_s: Finite
    peak_bytes: NonNegativeInt | None = None
    interruptions: NonNegativeInt = 0
    other_code: tuple[str, ...] = ()

    def inputs(self) -> dict[str, Any]:
        return training_inputs(self.subject, self.setting, self.data.digest, self.ranks)

    @property
    def images_per_s(self) -> float:
        """Training images per second, evaluation and checkpoints apart."""
        batch = self.setting["recipe"]["batch"]
        return len(self.curve) * (self.data.train // batch) * batch / self.train_s


Record = Annotated[
    TimingRecord | PeakRecord | TrafficRecord | TrapRecord | TrainingRecord,
    Field(discriminator="kind"),
]
"""Any record. A new kind is a new class here, with its own ``kind`` and ``inputs``."""
RECORD: TypeAdapter[Any] = TypeAdapter(Record)
KINDS = ("timing", "peak", "traffic", "traps", "training")


def timing_inputs(subject: Subject, protocol: Protocol) -> dict[str, Any]:
    """What a timing depends on besides code and machine: the description and the protocol."""
    network = subject.description or {"name": subject.name, "params": subject.params}
    return {"kind": "timing", "network": network, "protocol": protocol.inputs()}


def training_inputs(
    subject: Subject, setting: dict[str, Any], digest: str, ranks: int
) -> dict[str, Any]:
    """What a training run depends on besides code and machine."""
    data = {"setting": setting, "data": digest, "ranks": ranks}
    return {"kind": "training", "network": subject.description, **data}


def key_of(code: dict[str, str], inputs: dict[str, Any], machine: Machine) -> str:
    """SHA-256, in hexadecimal, over code, configuration and data, and the machine's identity."""
    content = {"code": code, "inputs": inputs, "machine": machine.identity()}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def changed_code(record: Result) -> list[str]:
    """Modules behind a record that are not what they were; empty when it still belongs to them."""
    now = code_of(record.entry)
    return sorted(k for k in now.keys() | record.code.keys() if now.get(k) != record.code.get(k))


def stamp(entry: str, inputs: dict[str, Any], machine: Machine) -> dict[str, Any]:
    """The fields that every new record begins with; ``entry`` is the module that makes it."""
    code, when = code_of(entry), datetime.now(UTC).replace(microsecond=0)
    key = key_of(code, inputs, machine)
    return {"key": key, "code": code, "commit": commit(), "when": when, "machine": machine}


def commit() -> str | None:
    """The checkout's, ``-dirty`` where tracked files differ; else what ``REPRO_COMMIT`` says."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, check=True)
        return done.stdout.strip()
    return os.environ.get("REPRO_COMMIT")


def checked(kind: type[Part], values: dict[str, Any], where: str) -> Any:
    """A part of a record from outside values; `InputError` in one line, which begins with where."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{where}: {first_error(error)}") from None


def first_error(error: ValidationError) -> str:
    """The first thing wrong, as one line."""
    detail = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(step) for step in detail["loc"] if step not in KINDS)
    if detail["type"] == "extra_forbidden":
        return f"unknown key {place!r}"
    given = repr(detail["input"])
    given = "" if detail["type"] == "missing" or len(given) > 60 else f" {given}"
    return f"{place}{given}: {detail['msg']}".removeprefix(": ")
