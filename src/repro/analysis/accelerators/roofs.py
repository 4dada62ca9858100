"""Rooflines of devices: as the second paper drew them, by data sheet, and as measured.

Source: Searching for Fast Model Families on Datacenter Accelerators, section 2 and Figure 2. The
operations of a roofline count a multiply-add twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from repro import reference
from repro.records import PeakRecord
from repro.runtime.roofline import Peaks, device_peaks, recorded_peaks
from repro.stored import machine_name, read, record_files, stored

Records = Mapping[str, tuple[Any, ...]]
"""Records by the name of their file."""


@dataclass(frozen=True, slots=True)
class Roof:
    """A device's roofline: operations per second in a dtype, bytes per second, and their source."""

    device: str
    source: str
    rate: float
    bandwidth: float
    dtype: str

    @property
    def ridge(self) -> float:
        """Operations per byte above which the peak rate, not the bandwidth, is the limit."""
        return self.rate / self.bandwidth

    def ideal(self, intensity: float) -> float:
        """Operations per second allowed at an intensity: C_ideal of Equation 1."""
        return min(self.rate, intensity * self.bandwidth)

    def near(self, other: Roof) -> bool:
        """Whether a drawing can hardly tell the two apart."""
        ratios = (self.rate / other.rate, self.bandwidth / other.bandwidth)
        return all(0.9 < ratio < 1.1 for ratio in ratios)


def drawn_roofs() -> list[Roof]:
    """The three devices of Figure 2, with the rates that were drawn."""
    dtypes = {"V100": "fp16", "TPUv3": "bf16", "Xeon": "fp32"}
    drawn = [
        (r.device, float(r.peak_tops), float(r.bandwidth_tb_s)) for r in reference.drawn_rooflines()
    ]
    return [Roof(d, "paper's Figure 2", p * 1e12, b * 1e12, dtypes[d]) for d, p, b in drawn]


def roof_of(peaks: Peaks, source: str) -> Roof:
    """A roofline in the device's fastest dtype."""
    dtype = peaks.fastest
    return Roof(peaks.name, source, peaks.of(dtype), peaks.bandwidth, dtype)


def listed_roofs(devices: Iterable[str]) -> list[Roof]:
    """Devices of ``data/devices.yaml``, by data sheet."""
    return [roof_of(device_peaks(name), "data sheet") for name in devices]


def records(path: str | None = None) -> Records:
    """The book's records, and a reader's beside them as "yours" where a file is named.

    Raises:
        InputError: no such file, or something else than records in it.
    """
    files = {file.stem: stored(file) for file in record_files()}
    if path is not None:
        from repro.paths import locate

        files["yours"] = tuple(read(locate(path)))
    return files


def measured_peaks(rows: Iterable[Any]) -> dict[str, Peaks]:
    """Measured rates by machine, the number of threads a part of its name on a CPU."""
    groups: dict[str, list[PeakRecord]] = {}
    for r in rows:
        if isinstance(r, PeakRecord):
            groups.setdefault(machine_name(r), []).append(r)
    return {k: recorded_peaks(v, v[0].machine.device_name) for k, v in groups.items()}


def recorded_roofs(files: Records) -> list[Roof]:
    """Every machine whose peak rates were measured: a large product or conv, a large copy.

    Measured several times, on all cores and on one perhaps, the highest roof counts; a machine that
    was recorded in the book and by the reader is there twice.
    """
    best: dict[tuple[str, str], Roof] = {}
    for file, rows in files.items():
        source = "measured by you" if file == "yours" else "measured"
        for peaks in measured_peaks(rows).values():
            roof = roof_of(peaks, source)
            known = best.get((source, roof.device))
            if known is None or known.rate < roof.rate:
                best[source, roof.device] = roof
    return list(best.values())
