"""Recorded times of EfficientNet-X beside EfficientNet, as ratios, and a live one.

Only ratios are shown: absolute times are the machine's, ratios of networks timed in turns are the
networks' on that machine. On a CPU one image at a time in single precision; on a GPU 128 in half
precision, as in the second paper's Table 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod
from time import perf_counter
from typing import Any, Literal, NamedTuple

import pandas as pd

from repro.analysis.accelerators.roofs import wrapped
from repro.arch import get
from repro.complexity import complexity
from repro.evidence.timings import names_of
from repro.records import TimingRecord
from repro.runtime.timm_networks import find, is_timm_name
from repro.stored import RECORD_X, machine_name, record_files, stored

Device = Literal["cpu", "cuda"]
CONDITIONS: dict[Device, dict[str, Any]] = {
    "cpu": {"batch": 1, "dtype": "fp32"},
    "cuda": {"batch": 128, "dtype": "fp16"},
}
_USUAL = {"mode": "infer", "compile": "none", "memory_format": "channels_last", "input": "random"}
OWN_FILES = "efficientnet-x-"
"""How the names of this chapter's records files begin."""
_FAMILIES = ("EN-X", "EN-TF", "EN-H", "ResNet", "RegNet", "timm/")
WAYS = {"none": "eager", "graph": "CUDA graph", "inductor": "compiled"}
ACTIVATIONS = {"ReLU": "+relu", "mixed": "", "swish": "+swish"}
"""Names of one network's three forms: the paper's for a GPU, the code's, and swish throughout."""


class Timed(NamedTuple):
    """Quartiles of seconds for one image; or a ratio of two such times with its interval."""

    low: float
    middle: float
    high: float


Recordings = list[Timed]
"""One network on one machine in one way, in the order recorded."""


def over(a: Recordings, b: Recordings) -> Timed:
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


def recorded(device: Device) -> dict[str, dict[str, Recordings]]:
    """Times by machine and network.

    Only machines with EfficientNet-B0 by the second paper's rules, which all is compared with.
    Ratios need networks timed in turns, so where this chapter's own files have them, others are
    not mixed in.
    """
    own = [path for path in record_files() if path.name.startswith(OWN_FILES)]
    others = [path for path in record_files() if path not in own]
    wanted = {"device": device, **CONDITIONS[device], **_USUAL}
    return _recorded(wanted, stored(*own) if own else ()) or _recorded(
        wanted, stored(*others) if others else ()
    )


def _recorded(wanted: dict[str, Any], records: Iterable[Any]) -> dict[str, dict[str, Recordings]]:
    found: dict[str, dict[str, Recordings]] = {}
    for r in _networks(records):
        if all(getattr(r.protocol, key) == value for key, value in wanted.items()):
            found.setdefault(machine_name(r), {}).setdefault(r.subject.name, []).append(_times(r))
    return {machine: known for machine, known in found.items() if "EN-TF-B0" in known}


def _networks(records: Iterable[Any]) -> Iterator[TimingRecord]:
    """Whole networks of Table 3's families at their own resolutions; blocks are timed, too."""
    for r in records:
        name = r.subject.name if isinstance(r, TimingRecord) else ""
        if name.startswith(_FAMILIES) and "[" not in name and r.protocol.resolution is None:
            yield r


def _all_names(known: dict[str, Recordings]) -> dict[str, Recordings]:
    """By every name that a network has."""
    return {same: times for name, times in known.items() for same in names_of(name)}


def _times(record: TimingRecord) -> Timed:
    return Timed(*(q / record.batch for q in record.quartiles))


def every_way() -> dict[tuple[str, str], dict[str, Recordings]]:
    """All recorded inference with random images, by machine and way, then by network."""
    found: dict[tuple[str, str], dict[str, Recordings]] = {}
    own = [path for path in record_files() if path.name.startswith(OWN_FILES)]
    for r in _networks(stored(*own) if own else ()):
        p = r.protocol
        if (p.mode, p.memory_format, p.input) == ("infer", "channels_last", "random"):
            images = "1 image" if p.batch == 1 else f"{p.batch} images"
            way = f"{images}, {p.dtype}, {WAYS[p.compile]}"
            known = found.setdefault((machine_name(r), way), {})
            known.setdefault(r.subject.name, []).append(_times(r))
    return found


def speedups() -> pd.DataFrame:
    """How many times as fast as the EfficientNet of its level each X network was recorded.

    Returns:
        Columns machine, way, family (``EN-X``, ``EN-X-GPU`` ...), activation, level, times, low,
        high (see `over`).
    """
    rows = []
    for (machine, way), known in every_way().items():
        families = {name.partition("+")[0].rpartition("-")[0] for name in known}
        for name, mine in _all_names(known).items():
            if not name.startswith("EN-X") or partner(name) not in known:
                continue
            base, _, form = name.partition("+")
            activation = next((k for k, v in ACTIVATIONS.items() if v == f"+{form}"), "mixed")
            family = base.rpartition("-")[0]
            if form not in ("", "relu", "swish", "swish-stem") or family not in families:
                continue  # a step of Table 4, or the B0 of a family that was not timed
            level, times = base.rpartition("-")[2], over(known[partner(name)], mine)
            rows.append(
                (machine, way, family, activation, level, times.middle, times.low, times.high)
            )
    columns = ["machine", "way", "family", "activation", "level", "times", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def activations() -> pd.DataFrame:
    """What swish costs: time of the mixed and the all-swish form over that of the ReLU form.

    Returns:
        Columns machine, way, network, mixed, swish; each ratio with its interval as text.
    """
    rows = []
    for (machine, way), known in every_way().items():
        for name in dict.fromkeys(name.partition("+")[0] for name in known):
            forms = {k: known.get(name + suffix) for k, suffix in ACTIVATIONS.items()}
            relu = forms["ReLU"]
            if relu is None or not (forms["mixed"] or forms["swish"]):
                continue
            row = {"machine": machine, "way": way, "network": name}
            for key in ("mixed", "swish"):
                mine = forms[key]
                row[key] = "–" if mine is None else _text(over(mine, relu))
            rows.append(row)
    return pd.DataFrame(rows, columns=["machine", "way", "network", "mixed", "swish"])


def _text(ratio: Timed) -> str:
    return f"{ratio.middle:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def partner(name: str) -> str:
    """The EfficientNet that a network is compared with: of its level, or B0."""
    level = name.partition("+")[0].rpartition("-")[2]
    return f"EN-TF-{level}" if name.startswith("EN-X") else "EN-TF-B0"


def ratios(device: Device) -> pd.DataFrame:
    """Flops and time of every recorded network over its EfficientNet's.

    Returns:
        Columns machine, network, over, flops, time, low, high (see `over`), and each: the ratio of
        medians in each recording. Empty: nothing is recorded.
    """
    columns = ["machine", "network", "over", "flops", "time", "low", "high", "each"]
    rows = []
    for machine, known in recorded(device).items():
        for name, mine in known.items():
            than = partner(name)
            if than == name or than not in known:
                continue
            time, flops = over(mine, known[than]), _macs(name) / _macs(than)
            each = [a.middle / b.middle for a, b in zip(mine, known[than], strict=False)]
            rows.append((machine, name, than, flops, time.middle, time.low, time.high, each))
    return pd.DataFrame(rows, columns=columns)


def _macs(name: str) -> float:
    if is_timm_name(name):
        return find(name).flops or float("nan")
    return complexity(get(name)).macs


def relative(device: Device) -> dict[str, float]:
    """Recorded time over EfficientNet-B0's, by network, on the first machine that has both."""
    for known in recorded(device).values():
        start = known["EN-TF-B0"]
        return {name: over(mine, start).middle for name, mine in _all_names(known).items()}
    return {}


def gpu_status() -> str:
    """Which GPUs are recorded, or the command that records one."""
    machines = recorded("cuda")
    if machines:
        return f"Recorded on: {', '.join(machines)}."
    return f"No GPU is recorded yet. This records one, part I of 3:\n{wrapped(RECORD_X)}"


def live(device: Device, pair: tuple[str, str] = ("EN-X-B0", "EN-TF-B0"), rounds: int = 5) -> str:
    """Time two networks in turns, now, and say their ratio; a smoke test, not a measurement.

    On a CPU by one thread, as recorded. The fastest run of each counts: other work only adds time.

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
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
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
    torch.set_num_threads(threads)
    ratio = min(times[0]) / min(times[1])
    return f"Just now, on this machine: {pair[0]} takes {ratio:.2f} times as long as {pair[1]}."
