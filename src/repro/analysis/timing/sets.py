"""Records as a table: one row per timing, one column per condition and result."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from repro.records import TimingRecord, changed_code
from repro.stored import read

IMAGENET_IMAGES = 1_281_167
"""Training images of ImageNet, for times of an epoch."""


def frame(*sources: Path | str | Iterable[Any]) -> pd.DataFrame:
    """Timings as rows.

    Args:
        sources: records files, or records.

    Returns:
        Columns, in this order: model, base, strategy, grammar, scale, resolution; gflops, mparams,
        macts, kernels (for one image); device, device_name, mode, dtype, memory_format, compile,
        input, threads, memory_gb, batch, batch_wanted, halvings; ms, ms_low, ms_high (median and
        quartiles of one iteration), launch_ms (until a GPU was told of one), samples, settled;
        images_per_s, epoch_minutes (ImageNet, one device);
        peak_gb (allocated on a GPU, resident on a CPU; 1e9 bytes), reserved_gb; power_w,
        joules_per_image; torch, commit, when, key, current (the code is still the same).

    Raises:
        InputError: a file cannot be read, or holds something else than records of this version.
    """
    records: list[Any] = []
    for source in sources:
        records += read(source) if isinstance(source, Path | str) else source
    return pd.DataFrame(_row(r) for r in records if isinstance(r, TimingRecord))


def _row(record: TimingRecord) -> dict[str, Any]:
    subject, protocol, machine = record.subject, record.protocol, record.machine
    low, middle, high = record.quartiles
    peak = record.peak_rss if record.peak_allocated is None else record.peak_allocated
    images = record.batch * record.iterations * len(record.samples_s)
    return {
        "model": subject.name,
        "base": subject.base,
        "strategy": subject.strategy,
        "grammar": subject.grammar,
        "scale": 1.0 if subject.scale is None else subject.scale,
        "resolution": subject.resolution,
        "gflops": _scaled(subject.flops, 1e9),
        "mparams": _scaled(subject.params, 1e6),
        "macts": _scaled(subject.acts, 1e6),
        "kernels": subject.kernels,
        "device": machine.device,
        "device_name": machine.device_name,
        "mode": protocol.mode,
        "dtype": protocol.dtype,
        "memory_format": protocol.memory_format,
        "compile": protocol.compile,
        "input": protocol.input,
        "threads": protocol.threads,
        "memory_gb": protocol.memory_gb,
        "batch": record.batch,
        "batch_wanted": protocol.batch,
        "halvings": record.halvings,
        "ms": 1e3 * middle,
        "ms_low": 1e3 * low,
        "ms_high": 1e3 * high,
        "launch_ms": _scaled(record.launch_s, 1e-3),
        "samples": len(record.samples_s),
        "settled": record.settled,
        "images_per_s": record.images_per_s,
        "epoch_minutes": IMAGENET_IMAGES / record.images_per_s / 60,
        "peak_gb": _scaled(peak, 1e9),
        "reserved_gb": _scaled(record.peak_reserved, 1e9),
        "power_w": record.under_load.power_w,
        "joules_per_image": _scaled(record.energy_j, images),
        "torch": machine.torch,
        "commit": record.commit,
        "when": record.when,
        "key": record.key,
        "current": not changed_code(record),
    }


def _scaled(value: float | None, unit: float) -> float | None:
    return None if value is None else value / unit
