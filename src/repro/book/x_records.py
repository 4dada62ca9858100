"""Recorded times of EfficientNet-X beside EfficientNet, as ratios, and a live one.

Only ratios are shown: absolute times are the machine's, ratios of networks timed in turns are the
networks' on that machine. On a CPU one image at a time in single precision; on a GPU 128 in half
precision, as in the second paper's Table 3.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from time import perf_counter
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
OWN_FILES = "efficientnet-x-"
"""How the names of this chapter's records files begin."""
_FAMILIES = ("EN-X", "EN-TF", "EN-H", "ResNet", "RegNet")
LEVELS = tuple(f"B{i}" for i in range(8))
_OTHERS = ("ResNet-50", "RegNetY-800MF", "RegNetY-4.0GF", "RegNetY-8.0GF")
ON_GPU: tuple[str, ...] = (
    *(f"EN-TF-{level}" for level in LEVELS),
    *(f"EN-X-{level}+relu" for level in LEVELS),
    *(f"EN-X-GPU-{level}+relu" for level in LEVELS),
    "EN-X-B0",
    "EN-X-B0+swish",
    *_OTHERS,
)
"""What to time on a GPU for the paper's claims about V100; its GPU networks are all ReLU."""


def gpu_command() -> str:
    """The one command that records them."""
    conditions = "--device cuda --dtype fp16 --batch 128 --group 2"
    return f"repro time {' '.join(ON_GPU)} {conditions} --out data/records/efficientnet-x-gpu.jsonl"


class Timed(NamedTuple):
    """One recorded network: quartiles of seconds for one image."""

    low: float
    middle: float
    high: float


def recorded(device: Device) -> dict[str, dict[str, Timed]]:
    """Times by machine and network; of several timings of one network the last.

    Only machines with EfficientNet-B0 by the second paper's rules, which all is compared with.
    Ratios need networks timed in turns, so where this chapter's own files have them, others are
    not mixed in.
    """
    own = [path for path in record_files() if path.name.startswith(OWN_FILES)]
    others = [path for path in record_files() if path not in own]
    return _recorded(device, stored(*own) if own else ()) or _recorded(
        device, stored(*others) if others else ()
    )


def _recorded(device: Device, records: Iterable[Any]) -> dict[str, dict[str, Timed]]:
    wanted = {"device": device, **CONDITIONS[device], **_USUAL, "resolution": None}
    found: dict[str, dict[str, Timed]] = {}
    for record in records:
        if isinstance(record, TimingRecord) and all(
            getattr(record.protocol, key) == value for key, value in wanted.items()
        ):
            if not record.subject.name.startswith(_FAMILIES):
                continue  # single blocks are timed, too
            times = Timed(*(q / record.batch for q in record.quartiles))
            found.setdefault(machine_name(record), {})[record.subject.name] = times
    return {machine: known for machine, known in found.items() if "EN-TF-B0" in known}


def partner(name: str) -> str:
    """The EfficientNet that a network is compared with: of its level, or B0."""
    level = name.partition("+")[0].rpartition("-")[2]
    return f"EN-TF-{level}" if name.startswith("EN-X") else "EN-TF-B0"


def ratios(device: Device) -> pd.DataFrame:
    """Flops and time of every recorded network over its EfficientNet's.

    Returns:
        Columns machine, network, over, flops, time (of medians), low, high: upper quartile over
        lower and lower over upper, which bracket the ratio generously. Empty: nothing is recorded.
    """
    columns = ["machine", "network", "over", "flops", "time", "low", "high"]
    rows = []
    for machine, known in recorded(device).items():
        for name, mine in known.items():
            over = partner(name)
            if over == name or over not in known:
                continue
            other = known[over]
            flops = complexity(get(name)).macs / complexity(get(over)).macs
            time = mine.middle / other.middle
            low, high = mine.low / other.high, mine.high / other.low
            rows.append((machine, name, over, flops, time, low, high))
    return pd.DataFrame(rows, columns=columns)


def relative(device: Device) -> dict[str, float]:
    """Recorded time over EfficientNet-B0's, by network, on the first machine that has both."""
    for known in recorded(device).values():
        return {name: t.middle / known["EN-TF-B0"].middle for name, t in known.items()}
    return {}


def gpu_status() -> str:
    """Which GPUs are recorded, or the command that records one."""
    machines = recorded("cuda")
    if machines:
        return f"Recorded on: {', '.join(machines)}."
    return f"No GPU is recorded yet. This records one:\n\n{gpu_command()}"


def live(device: Device, pair: tuple[str, str] = ("EN-X-B0", "EN-TF-B0"), rounds: int = 5) -> str:
    """Time two networks in turns, now, and say their ratio; a smoke test, not a measurement.

    Args:
        device: where. pair: the first is compared with the second. rounds: runs of each that count.
    """
    import torch

    from repro.models import build

    if device == "cuda" and not torch.cuda.is_available():
        return "No NVIDIA GPU here: nothing was timed."
    dtype = torch.float32 if device == "cpu" else torch.float16
    batch = CONDITIONS[device]["batch"]
    models = [
        build(name, device=device).to(dtype).to(memory_format=torch.channels_last).eval()
        for name in pair
    ]
    times: list[list[float]] = [[], []]
    with torch.inference_mode():
        size = get(pair[0]).resolution
        images = torch.randn(batch, 3, size, size, device=device, dtype=dtype)
        images = images.to(memory_format=torch.channels_last)
        for turn in range(rounds + 2):
            for model, seconds in zip(models, times, strict=True):
                start = perf_counter()
                model(images)
                if device == "cuda":
                    torch.cuda.synchronize()
                if turn >= 2:  # the first two warm up
                    seconds.append(perf_counter() - start)
    ratio = median(times[0]) / median(times[1])
    return f"Just now, on this machine: {pair[0]} takes {ratio:.2f} times as long as {pair[1]}."
