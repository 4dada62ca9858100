"""Blocks that were timed, in pairs: what one choice changes, measured and by a roofline.

Source of the choices: Searching for Fast Model Families on Datacenter Accelerators, section 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from repro.analysis.accelerators.roofs import Records, measured_peaks
from repro.arch import blocks, get
from repro.records import TimingRecord
from repro.runtime.roofline import Fusion, Peaks, roofline
from repro.stored import machine_name

Pairs = Mapping[str, tuple[str, str]]
"""Names of two blocks or networks by the title of their comparison."""
COLUMNS = ["machine", "comparison", "by roofline", "measured", "low", "high"]


def timed(rows: Iterable[object], whose: str = "") -> dict[str, dict[str, TimingRecord]]:
    """Recorded inference, eager or compiled, by machine and conditions, then by name."""
    groups: dict[str, dict[str, TimingRecord]] = {}
    for r in rows:
        if isinstance(r, TimingRecord) and r.protocol.mode == "infer":
            how = {"none": "", "inductor": ", compiled"}.get(r.protocol.compile)
            if how is not None:
                title = f"{machine_name(r)}, {r.protocol.dtype}, batch {r.batch}{how}{whose}"
                groups.setdefault(title, {})[r.subject.name] = r
    return groups


def undisturbed(
    a: Sequence[float], b: Sequence[float], seed: int = 0
) -> tuple[float, float, float]:
    """Ratio of the fastest tenths of two series of samples, and a 95 % interval for it.

    Blocks take a millisecond or less, and other work on the machine only ever adds to it: the tenth
    percentile is nearer to the block alone than the median. The interval is from 1000 bootstrap
    resamples; it grows where few samples were undisturbed.
    """
    generator = np.random.default_rng(seed)

    def tenth(samples: Sequence[float]) -> np.ndarray:
        drawn = generator.choice(np.asarray(samples), size=(1000, len(samples)))
        return np.asarray(np.quantile(drawn, 0.1, axis=1))

    low, high = np.quantile(tenth(a) / tenth(b), [0.025, 0.975])
    return float(np.quantile(a, 0.1) / np.quantile(b, 0.1)), float(low), float(high)


def measured(files: Records, pairs: Pairs) -> pd.DataFrame:
    """Time of the first of each pair over that of the second, on every machine that has both.

    Only timings of one file are compared: between files a machine may have changed. Of several
    files that have a pair the first counts. The roofline is of the machine's measured rates,
    missing without them; low and high: see `undisturbed`.
    """
    peaks = measured_peaks(r for rows in files.values() for r in rows)
    found: dict[tuple[str, str], tuple[float | None, float, float, float]] = {}
    for file, rows in files.items():
        for machine, known in timed(rows, ", yours" if file == "yours" else "").items():
            for title, names in pairs.items():
                if (machine, title) not in found and all(name in known for name in names):
                    a, b = (known[name] for name in names)
                    roof = _by_roofline(names, peaks.get(machine_name(a)), a)
                    found[machine, title] = (roof, *undisturbed(a.samples_s, b.samples_s))
    return pd.DataFrame([key + ratios for key, ratios in found.items()], columns=COLUMNS)


def _by_roofline(names: tuple[str, str], peaks: Peaks | None, record: TimingRecord) -> float | None:
    dtype = record.protocol.dtype
    if peaks is None or not peaks.operations.get(dtype):
        return None
    # Eager mode fuses nothing; the compiler does norms and activations with what is before them.
    fusion: Fusion = "none" if record.protocol.compile == "none" else "conv"
    a, b = (roofline(get(n), peaks, record.batch, dtype, fusion=fusion).ideal_s for n in names)
    return a / b


def fused_gains(files: Records) -> pd.DataFrame:
    """`measured` for MBConv over fused MBConv of every timed shape; map: pixels per side."""
    names = {r.subject.name for rows in files.values() for r in rows if r.kind == "timing"}
    nets = [get(name) for name in names if f"Fused{name}" in names]
    shapes = {(net.resolution, next(blocks(net))[0].in_width) for net in nets}
    table = measured(
        files,
        {
            f"{size} {c}": (f"MBConv-c{c}@{size}", f"FusedMBConv-c{c}@{size}")
            for size, c in sorted(shapes, key=lambda shape: (-shape[0], shape[1]))
        },
    )
    table["map"] = [int(title.split()[0]) for title in table.comparison]
    table["channels"] = [int(title.split()[1]) for title in table.comparison]
    return table.drop(columns="comparison")
