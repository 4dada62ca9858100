"""Why is my number different? Two records, and the conditions that differ, likeliest first.

The order is a judgement: what changes the work comes first, then other programs and clocks, then
what changes which kernels run, then the device's variant, then how samples were taken, and last
what cannot matter by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro.errors import InputError
from repro.records import TimingRecord
from repro.runtime.picture import number
from repro.stored import report, scan
from repro.text import aligned

CONDITIONS: tuple[tuple[str, str], ...] = (
    ("subject.description", "another network"),
    ("subject.name", "another name; alone it changes nothing"),
    ("machine.device_name", "another device"),
    ("machine.device", "another kind of device"),
    ("protocol.mode", "training does about three times the work of inference"),
    ("batch", "small batches leave a device idle"),
    ("subject.resolution", "work grows with the square of the resolution"),
    ("protocol.dtype", "other arithmetic units, and half the bytes"),
    ("beside", "another timing ran on the same machine"),
    ("under_load.load", "other programs were running"),
    ("under_load.cpu_clock_mhz", "time goes with the processor's clock"),
    ("under_load.sm_clock_mhz", "time goes with the clock where arithmetic is the limit"),
    ("under_load.memory_clock_mhz", "time goes with the memory clock where traffic is the limit"),
    ("under_load.throttle", "clocks were lowered for another reason"),
    ("protocol.compile", "eager launches each operation; compiled code fuses them"),
    ("protocol.memory_format", "matrix units want channels last; NCHW is transposed around them"),
    ("protocol.threads", "another number of CPU threads"),
    ("protocol.allocator", "memory that goes back to the system at every layer is taken anew"),
    ("protocol.input", "zeros use less power than random data, so clocks stay higher"),
    ("protocol.cudnn_benchmark", "other convolution algorithms may have been chosen"),
    ("machine.memory_bytes", "another variant of the device"),
    ("machine.compute_units", "a part of a device, or another variant"),
    ("machine.capability", "other instructions"),
    ("under_load.power_limit_w", "a lower limit lowers clocks under load"),
    ("under_load.temperature_c", "a hot device clocks lower"),
    ("machine.torch", "other kernels and dispatch"),
    ("machine.cudnn", "other convolution kernels"),
    ("machine.cuda", "other matrix kernels"),
    ("machine.driver", "another driver"),
    ("machine.timm", "other layers, perhaps"),
    ("code", "the project's code changed"),
    ("settled", "one of them was still warming up"),
    ("halvings", "memory ran out in one of them"),
    ("protocol.batch", "another batch was asked for"),
    ("protocol.memory_gb", "another limit for the largest batch"),
    ("protocol.min_time", "a shorter measurement is noisier"),
    ("protocol.samples", "fewer samples are noisier"),
    ("protocol.rounds", "samples were spread differently over time"),
    ("protocol.seed", "another seed should not matter"),
    ("machine.python", "matters only where launching is the limit"),
    ("machine.system", "another system"),
    ("commit", "another commit; see the code above, if it is listed"),
)
"""Dotted places in a record and why they matter, likely effect first."""

CLOSE = {
    "under_load.cpu_clock_mhz": 0.02,
    "under_load.sm_clock_mhz": 0.02,
    "under_load.memory_clock_mhz": 0.02,
    "machine.memory_bytes": 0.01,  # two starts of one system differ by some kilobytes
}
"""Relative differences below which two readings count as the same."""
NEAR = {"under_load.temperature_c": 5.0, "under_load.load": 0.5}
"""Absolute ones."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One condition that differs, in plain words, with both values and why it may matter."""

    condition: str
    a: Any
    b: Any
    why: str


def differences(a: TimingRecord, b: TimingRecord) -> list[Difference]:
    """Conditions that differ between two timings, by likely effect."""
    left, right = a.model_dump(), b.model_dump()
    found = []
    for condition, why in CONDITIONS:
        x, y = _get(left, condition), _get(right, condition)
        if condition == "commit" and left["code"] == right["code"] != {}:
            continue  # whatever was committed, these timings ran the same code
        if not _same(condition, x, y):
            if condition == "code":
                changed = sorted(k for k in x.keys() | y.keys() if x.get(k) != y.get(k))
                x, y, why = "-", "-", f"changed: {', '.join(changed)}"
            elif isinstance(x, dict) and isinstance(y, dict):
                changed = sorted(k for k in x.keys() | y.keys() if x.get(k) != y.get(k))
                x, y = ({k: d.get(k) for k in changed} for d in (x, y))
            found.append(Difference(plain(condition), x, y, why))
    return found


_UNITS = {"mhz": "MHz", "gb": "GB", "w": "W", "c": "°C", "bytes": "bytes"}
_PLAIN = {"subject.description": "network", "protocol.batch": "batch asked for"}


def plain(place: str) -> str:
    """A place in a record in words: ``"min time"``, ``"SM clock, MHz"``."""
    words = place.rpartition(".")[2].replace("sm_", "SM_").replace("cpu_", "CPU_").split("_")
    unit = f", {_UNITS[words.pop()]}" if words[-1] in _UNITS else ""
    return _PLAIN.get(place, " ".join(words) + unit)


def _get(data: Any, place: str) -> Any:
    for step in place.split("."):
        data = data[step]
    return data


def _same(condition: str, x: Any, y: Any) -> bool:
    if condition not in NEAR | CLOSE or x is None or y is None:
        return bool(x == y)
    allowed = NEAR.get(condition, CLOSE.get(condition, 0.0) * abs(x))
    return bool(abs(x - y) <= allowed)


def verdict(a: TimingRecord, b: TimingRecord) -> str:
    """How far apart two times are, and whether their quartiles overlap."""
    (low_a, x, high_a), (low_b, y, high_b) = a.quartiles, b.quartiles
    per_image = (y / b.batch) / (x / a.batch)
    apart = low_a > high_b or low_b > high_a
    lines = [
        f"A  {_line(a)}",
        f"B  {_line(b)}",
        f"B takes {per_image:.3g} times as long as A per image"
        + (f", {y / x:.3g} times per iteration" if a.batch != b.batch else ""),
        "their quartiles do not overlap" if apart else "their quartiles overlap: within the noise",
    ]
    return "\n".join(lines)


def _line(r: TimingRecord) -> str:
    low, middle, high = (1e3 * t for t in r.quartiles)
    return (
        f"{r.subject.name}, {r.protocol.mode} {r.protocol.dtype}, batch {r.batch} on "
        f"{r.machine.device_name}: {number(middle)} ms ({number(low)} to {number(high)}), "
        f"{r.when:%Y-%m-%d}"
    )


def explain(a: TimingRecord, b: TimingRecord) -> str:
    """Everything that `repro compare` prints."""
    found = differences(a, b)
    if not found:
        return f"{verdict(a, b)}\n\nno recorded condition differs"
    rows = [(d.condition, _cell(d.a), _cell(d.b), d.why) for d in found]
    return f"{verdict(a, b)}\n\n{aligned(('<condition', '<A', '<B', '<why it may matter'), rows)}"


def _cell(value: Any) -> str:
    """A value in a table; what is nested or long in a description only differs."""
    if isinstance(value, dict):
        text = ", ".join(f"{k} {_cell(v)}" for k, v in value.items())
        nested = any(isinstance(v, dict | list | tuple) for v in value.values())
        return "differs" if nested or len(text) > 40 else text
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def select_both(a: str, b: str) -> tuple[TimingRecord, TimingRecord]:
    """Two timings; a missing file is told before anything else that is wrong.

    Raises:
        InputError: see `select`.
    """
    for selector in (a, b):
        if not Path(path := _parts(selector)[0]).exists():
            scan(path)  # raises, in its own words
    return select(a), select(b)


def _parts(selector: str) -> tuple[str, str]:
    """The file, and which of its records or nothing."""
    path, _, which = ("", "", "") if Path(selector).exists() else selector.rpartition(":")
    return path or selector, which if path else ""


def select(selector: str) -> TimingRecord:
    """One timing out of a file.

    Args:
        selector: ``FILE``, which must then hold one timing alone; or ``FILE:WHICH`` with a line
            number, a network's name or the beginning of a key.

    Raises:
        InputError: no such file or record, or more than one.
    """
    path, which = _parts(selector)
    found, problems = scan(path)
    report(problems)
    timings = {n: r for n, r in found.items() if isinstance(r, TimingRecord)}
    if which.isdigit():
        fits = {n: timings[n] for n in timings if n == int(which)}
    else:
        fits = {
            n: r for n, r in timings.items() if r.subject.name == which or r.key.startswith(which)
        }
    if len(fits) == 1:
        return next(iter(fits.values()))
    if which.isdigit() and int(which) in found:
        kind = found[int(which)].kind
        raise InputError(f"line {which} of {path!r} is a {kind} record; timings can be compared")
    lines = len(Path(path).read_bytes().splitlines())
    if which.isdigit() and not 1 <= int(which) <= lines:
        number_of = f"{lines} line{'s' * (lines != 1)}"
        raise InputError(f"there is no line {which} in {path!r}; it has {number_of}")
    names = list(dict.fromkeys(r.subject.name for r in (fits or timings).values()))
    if fits and len(names) == 1:
        choices = [f"{path}:{n} ({how})" for n, how in _apart(fits).items()]
        advice = f"choose one: {_some(choices)}"
    else:
        advice = f"choose one by FILE:LINE, FILE:NAME or FILE:KEY, from {_some(names)}"
    raise InputError(f"{path!r} has {len(fits) or 'no'} timings that fit {which!r}; {advice}")


def _apart(records: dict[int, TimingRecord], most: int = 3) -> dict[int, str]:
    """What tells timings apart, in few words: the likeliest of the conditions that differ, or when.

    Args:
        records: by line.
    """
    data = {n: r.model_dump() for n, r in records.items()}
    first = next(iter(data.values()))
    differing = [
        place
        for place, _ in CONDITIONS
        if not isinstance(_get(first, place), dict)
        and place not in ("protocol.batch", "commit")
        and not all(_same(place, _get(first, place), _get(d, place)) for d in data.values())
    ][:most]
    return {
        n: ", ".join(f"{plain(place)} {_cell(_get(d, place))}" for place in differing)
        or f"{records[n].when:%Y-%m-%d %H:%M}"
        for n, d in data.items()
    }


def _some(items: list[str], most: int = 12) -> str:
    """A list in words, cut where it gets long."""
    return ", ".join(items[:most]) + f" and {len(items) - most} more" * (len(items) > most)
