"""Recorded timings, grouped: networks timed in one way on one machine.

A way is the protocol that a comparison needs; every other condition may have any value. One
multiply-add is one flop.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from repro.errors import InputError
from repro.records import Protocol, TimingRecord, changed_code
from repro.stored import machine_name, stored

IMAGENET_IMAGES = 1_281_167
"""Training images of ImageNet, for times of an epoch."""
LARGEST = {"device": "cuda", "mode": "step", "batch": "max", "memory_gb": 32.0, "dtype": "bf16"}
WAYS: Mapping[str, Mapping[str, Any]] = {
    "gpu training": LARGEST,  # as in the paper: the largest batch that 32 GB hold
    "gpu training at 64": {**LARGEST, "batch": 64, "memory_gb": None},
    "gpu inference at 64": {**LARGEST, "batch": 64, "memory_gb": None, "mode": "infer"},
    "cpu training": {"device": "cpu", "mode": "step", "batch": 4, "dtype": "fp32"},
    "cpu inference": {"device": "cpu", "mode": "infer", "batch": 1, "dtype": "fp32"},
}
"""Protocols that claims name: what must be equal in a record, besides `USUAL`."""
Way = Literal[
    "gpu training", "gpu training at 64", "gpu inference at 64", "cpu training", "cpu inference"
]
USUAL = {"memory_format": "channels_last", "compile": "none", "input": "random"}
FIRST_PAPER = ("EN-B", "RegNet", "ResNet-", "ResNeXt-")
"""How names of the networks begin that the paper, or its authors' zoo, has times of."""
UNSCALED_X = ("EN-X-B0", "EN-X-GPU-B0", "EN-X-TPU-B0")
"""Three names of one network: at B0 nothing is scaled yet."""


class Timed(NamedTuple):
    """One recorded network: its counts for one image, and what one image took."""

    base: str
    strategy: str | None
    scale: float
    gflops: float
    mparams: float
    macts: float
    seconds: float
    memory: float | None
    current: bool

    @property
    def net(self) -> tuple[str, str | None, float]:
        """Which network it is."""
        return self.base, self.strategy, self.scale

    @property
    def label(self) -> str:
        """For points."""
        return name_of(*self.net)


def name_of(base: str, strategy: str | None, scale: float) -> str:
    """A network as readers are shown it."""
    return base if strategy is None else f"{base} {strategy} x{scale:g}"


Timings = dict[tuple[str, str | None, float], Timed]


def timings(way: Way) -> dict[str, Timings]:
    """Networks timed in this way by machine; of two timings of one network the later counts."""
    wanted = {**USUAL, **WAYS[way]}
    found: dict[str, Timings] = {}
    for record in stored():
        if isinstance(record, TimingRecord) and _fits(record, wanted):
            timed = _timed(record)
            found.setdefault(machine_name(record), {})[timed.net] = timed
    return found


def _fits(record: TimingRecord, wanted: Mapping[str, Any]) -> bool:
    known = record.subject.flops is not None and record.subject.base.startswith(FIRST_PAPER)
    return known and all(getattr(record.protocol, k) == value for k, value in wanted.items())


def _timed(record: TimingRecord) -> Timed:
    subject, peak = record.subject, record.peak_allocated
    return Timed(
        subject.base,
        subject.strategy,
        1.0 if subject.scale is None else subject.scale,
        (subject.flops or 0) / 1e9,
        subject.params / 1e6,
        (subject.acts or 0) / 1e6,
        record.quartiles[1] / record.batch,
        None if peak is None else peak / record.batch,
        not changed_code(record),
    )


def rates(protocol: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Images per second by machine and network, under these conditions; the last timing counts.

    Raises:
        InputError: no such condition.
    """
    for key in protocol:
        if key not in Protocol.model_fields:
            raise InputError(
                f"a protocol has no {key!r}; it has {', '.join(Protocol.model_fields)}"
            )
    found: dict[str, dict[str, float]] = {}
    for record in stored():
        if isinstance(record, TimingRecord) and all(
            getattr(record.protocol, key) == value for key, value in protocol.items()
        ):
            machine = machine_name(record) + " (timed by earlier code)" * bool(changed_code(record))
            for name in names_of(record.subject.name):
                found.setdefault(machine, {})[name] = record.images_per_s
    return found


def names_of(name: str) -> tuple[str, ...]:
    """All names of a network: at B0 nothing is scaled yet, and three of them are one network.

    A sweep measures it once, under the name that comes first.
    """
    base, plus, variant = name.partition("+")
    return tuple(same + plus + variant for same in UNSCALED_X) if base in UNSCALED_X else (name,)
