"""Recorded times of EfficientNet-X beside EfficientNet, as ratios on one machine each.

Only ratios are shown: absolute times are the machine's, ratios of networks timed in turns are the
networks' on that machine. On a CPU one image at a time in single precision; on a GPU 128 in half
precision, as in the second paper's Table 3.
"""

from __future__ import annotations

from math import prod
from typing import Any, Literal, NamedTuple

import pandas as pd

from repro.arch import get
from repro.complexity import complexity
from repro.records import TimingRecord
from repro.stored import machine_name, record_files, stored

Device = Literal["cpu", "cuda"]
CONDITIONS: dict[Device, dict[str, Any]] = {
    "cpu": {"batch": 1, "dtype": "fp32"},
    "cuda": {"batch": 128, "dtype": "fp16"},
}
_USUAL = {"mode": "infer", "compile": "none", "memory_format": "channels_last", "input": "random"}
_FILES = {"cpu": "efficientnet-x-", "cuda": ""}
"""How the names of the files begin whose networks were timed in turns: on a GPU in every file."""
_FORMS = ("", "relu", "swish")
"""Of a network's variants those that differ in activations: the code's, the paper's for a GPU."""


class Timed(NamedTuple):
    """Quartiles of seconds for one image; or a ratio of two such times with its interval."""

    low: float
    middle: float
    high: float


def time_ratio(a: list[Timed], b: list[Timed]) -> Timed:
    """Time over time, recording by recording.

    Quartiles are divided the unfavourable way, and of several recordings the interval spans all:
    what differs from one process to the next does not show within one. Between them the middle is
    the geometric mean.
    """
    pairs = list(zip(a, b, strict=False))
    return Timed(
        min(x.low / y.high for x, y in pairs),
        prod(x.middle / y.middle for x, y in pairs) ** (1 / len(pairs)),
        max(x.high / y.low for x, y in pairs),
    )


def recorded(device: Device) -> dict[str, dict[str, list[Timed]]]:
    """Recordings of EfficientNets and EfficientNet-X, in order, by machine and network."""
    files = [path for path in record_files() if path.name.startswith(_FILES[device])]
    wanted = {"device": device, **CONDITIONS[device], **_USUAL, "resolution": None}
    machines: dict[str, dict[str, list[Timed]]] = {}
    for r in stored(*files) if files else ():
        if not isinstance(r, TimingRecord) or not r.subject.name.startswith(
            ("EN-X-B", "EN-X-GPU", "EN-X-TPU", "EN-TF-")
        ):
            continue  # a block, or a network of another kind
        if "[" in r.subject.name or any(getattr(r.protocol, k) != v for k, v in wanted.items()):
            continue
        times = machines.setdefault(machine_name(r), {}).setdefault(r.subject.name, [])
        times.append(Timed(*(q / r.batch for q in r.quartiles)))
    return machines


def ratios(device: Device) -> pd.DataFrame:
    """Flops and time of every recorded X network over those of the EfficientNet of its level.

    low, high: see `time_ratio`. Empty: none recorded.
    """
    rows = []
    for machine, known in recorded(device).items():
        for name, mine in known.items():
            base, _, form = name.partition("+")
            plain = f"EN-TF-{base.rpartition('-')[2]}"
            if base == plain or plain not in known or form not in _FORMS:
                continue
            time = time_ratio(mine, known[plain])
            flops = complexity(get(name)).macs / complexity(get(plain)).macs
            rows.append((machine, name, flops, time.middle, time.low, time.high))
    columns = ["machine", "network", "flops", "time", "low", "high"]
    return pd.DataFrame(rows, columns=columns)
