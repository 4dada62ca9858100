"""Frames of the chapter "Why FLOPs mislead".

Source: Searching for Fast Model Families on Datacenter Accelerators, section 2, Equations 1 and 2,
Figure 2 and Table 3. The traffic model is that of `repro.runtime.roofline`. One multiply-add is one
flop; the operations of rooflines and of operational intensity count it twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import geometric_mean
from typing import Any, Literal

import pandas as pd

from repro import reference
from repro.analysis.timing.sets import frame
from repro.arch import get
from repro.claims.accelerators import LEVELS, result_of
from repro.complexity import complexity
from repro.errors import InputError
from repro.records import Dtype, PeakRecord, TimingRecord, TrafficRecord, read
from repro.runtime.blocks import equation2
from repro.runtime.roofline import BYTES, Fusion, Peaks, device_peaks, recorded_peaks
from repro.runtime.roofline import roofline as roofline_of
from repro.stored import RECORD_X, machine_name, record_files, stored

Accelerator = Literal["TPUv3", "V100"]
COLUMNS: Mapping[Accelerator, str] = {
    "TPUv3": "tpuv3_ms_batch128",
    "V100": "v100_fp16_ms_batch128",
}
BATCH = 128
"""Images in one batch of Table 3."""
SERIES: Mapping[str, tuple[str, ...]] = {
    "EfficientNet": tuple(f"EN-TF-{level}" for level in LEVELS),
    "EfficientNet-X": tuple(f"EN-X-{level}" for level in LEVELS),
    "RegNetY": ("RegNetY-800MF", "RegNetY-4.0GF", "RegNetY-8.0GF"),
    "ResNet": ("ResNet-50", "ResNet-101", "ResNet-152"),
}
"""Networks whose intensity the chapter computes. Of ResNets, Table 3 has ResNet-50 alone."""


# ---------------------------------------------------------------------------- rooflines


@dataclass(frozen=True, slots=True)
class Roof:
    """A device's roofline.

    Attributes:
        device: its name. source: where the two rates come from.
        rate: operations per second. bandwidth: bytes per second. dtype: of the rate.
    """

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


def drawn_roofs() -> list[Roof]:
    """The three devices of Figure 2, with the rates that were drawn."""
    dtypes = {"V100": "fp16", "TPUv3": "bf16", "Xeon": "fp32"}
    return [
        Roof(
            r.device,
            "Figure 2",
            float(r.peak_tops) * 1e12,
            float(r.bandwidth_tb_s) * 1e12,
            dtypes[r.device],
        )
        for r in reference.drawn_rooflines()
    ]


def fastest(peaks: Peaks) -> Dtype:
    """The dtype of least bytes whose rate is known.

    Raises:
        InputError: no rate is known.
    """
    order: tuple[Dtype, ...] = ("fp16", "bf16", "tf32", "fp32")
    for dtype in order:
        if peaks.operations.get(dtype):
            return dtype
    raise InputError(f"no peak rate of {peaks.name} is known")


def roof_of(peaks: Peaks, source: str) -> Roof:
    """A roofline in the device's fastest dtype."""
    dtype = fastest(peaks)
    return Roof(peaks.name, source, peaks.of(dtype), peaks.bandwidth, dtype)


def listed_roofs(devices: Iterable[str]) -> list[Roof]:
    """Devices of ``data/devices.yaml``, by data sheet."""
    return [roof_of(device_peaks(name), "data sheet") for name in devices]


Files = Mapping[str, tuple[Any, ...]]
"""Records by the name of their file."""


def records(path: str | None = None) -> Files:
    """The book's records, and a reader's beside them where a file is named.

    Raises:
        InputError: no such file, or something else than records in it.
    """
    found = {file.stem: stored(file) for file in record_files()}
    if path is not None:
        from repro.paths import locate

        found["yours"] = tuple(read(locate(path)))
    return found


def recorded_roofs(found: Files) -> list[Roof]:
    """Every machine whose peak rates were measured: a large product or conv, a large copy.

    Measured several times, on all cores and on one perhaps, the highest roof counts; a machine that
    was recorded in the book and by the reader is there twice.
    """
    best: dict[tuple[str, str], Roof] = {}
    for source, rows in found.items():
        said = "measured by you" if source == "yours" else "measured"
        for peaks in measured_peaks(rows).values():
            roof = roof_of(peaks, said)
            known = best.get((said, roof.device))
            if known is None or known.rate < roof.rate:
                best[said, roof.device] = roof
    return list(best.values())


def measured_peaks(rows: Iterable[Any]) -> dict[str, Peaks]:
    """Measured rates by machine, the number of threads a part of its name on a CPU."""
    groups: dict[str, list[PeakRecord]] = {}
    for r in rows:
        if isinstance(r, PeakRecord):
            groups.setdefault(machine_name(r), []).append(r)
    return {k: recorded_peaks(v, v[0].machine.device_name) for k, v in groups.items()}


def roofs_table(roofs: Iterable[Roof]) -> pd.DataFrame:
    """Rates and ridge points; ratio is the peak rate over that of Figure 2's Xeon."""
    xeon = next(r.rate for r in drawn_roofs() if r.device == "Xeon")
    return pd.DataFrame(
        {
            "device": r.device,
            "rates from": r.source,
            "dtype": r.dtype,
            "peak, 10¹² operations/s": r.rate / 1e12,
            "bandwidth, GB/s": r.bandwidth / 1e9,
            "ridge, operations/byte": r.ridge,
            "peak over Xeon's": r.rate / xeon,
        }
        for r in roofs
    )


# ---------------------------------------------------------------------------- intensity


def bounds(name: str, batch: int = BATCH, dtype: Dtype = "fp16") -> tuple[float, float]:
    """A network's operations per byte with less and with more fusion.

    Less: batch norm and activation are done by the conv that they follow. More: so are the product
    of squeeze-excite and the residual addition.
    """
    any_device = Peaks("any", dict.fromkeys(BYTES, 1.0), 1.0)  # intensity depends on none
    low, high = (
        roofline_of(get(name), any_device, batch, dtype, fusion=fusion).intensity
        for fusion in ("conv", "all")
    )
    return low, high


def printed_row(name: str) -> reference.XResult | None:
    """The row of Table 3 that is this network's; None where the table has none."""
    title = name.replace("EN-TF-", "EfficientNet-").replace("EN-X-", "EfficientNet-X-")
    return next((r for r in reference.x_results() if r.model == title), None)


def intensities(networks: Iterable[str], batch: int = BATCH) -> pd.DataFrame:
    """Operational intensity as Table 3 prints it, and between what our model puts it.

    Returns:
        Columns network, printed, less fusion, more fusion, inside (=, ≠), and factor: how far
        outside of the two the printed value lies, 1 inside.
    """
    rows = []
    for name in networks:
        low, high = bounds(name, batch)
        row = printed_row(name)
        printed = None if row is None else float(row.operational_intensity)
        factor = None if printed is None else max(1.0, low / printed, printed / high)
        inside = "–" if factor is None else "=" if factor == 1 else "≠"
        rows.append(
            {
                "network": name,
                "printed": printed,
                "less fusion": low,
                "more fusion": high,
                "inside": inside,
                "off by": factor,
            }
        )
    return pd.DataFrame(rows)


def equation2_intensities(
    channels: Iterable[int], size: int, kernel: int = 3, batch: int = BATCH
) -> pd.DataFrame:
    """Equation 2's intensities of a dense conv and of a depthwise conv with its 1x1 conv."""
    rows = []
    for c in channels:
        (w1, q1), (w2, q2) = (
            equation2(kind, batch, size, c, kernel) for kind in ("conv", "depthwise")
        )
        rows.append(
            {
                "channels": c,
                "dense conv": w1 / q1,
                "depthwise + 1x1": w2 / q2,
                "flops, dense over depthwise": w1 / w2,
            }
        )
    return pd.DataFrame(rows)


# ---------------------------------------------------------------------------- Equation 1


FACTORS: Mapping[str, str] = {
    "work": "flops, X over EN",
    "rate": "C_ideal, X over EN",
    "roofline": "speed-up by rooflines",
    "printed": "speed-up printed",
    "left": "left to E",
}
"""What tables call the columns of `factors`."""


def factors(device: Accelerator) -> pd.DataFrame:
    """Equation 1 solved for each level: where X's speed-up over EfficientNet comes from.

    Work, intensity and latency as printed in Table 3, the roofline as drawn in Figure 2. What the
    two do not explain is left to execution efficiency.

    Returns:
        Columns level, work (flops of X over EfficientNet's), rate (C_ideal), roofline (rate over
        work: the speed-up if both ran at their rooflines), printed (by latency), left (printed
        over roofline).
    """
    roof = next(r for r in drawn_roofs() if r.device == device)
    rows = []
    for level in LEVELS:
        x, plain = (result_of(f"EfficientNet{kind}-{level}") for kind in ("-X", ""))
        work = float(x.gflops / plain.gflops)
        ideal_x, ideal_plain = (roof.ideal(float(r.operational_intensity)) for r in (x, plain))
        speedup = float(getattr(plain, COLUMNS[device]) / getattr(x, COLUMNS[device]))
        rate = ideal_x / ideal_plain
        rows.append(
            {
                "level": level,
                "work": work,
                "rate": rate,
                "roofline": rate / work,
                "printed": speedup,
                "left": speedup / (rate / work),
            }
        )
    return pd.DataFrame(rows)


def layer_by_layer(levels: Iterable[str], peaks: Peaks, batch: int = BATCH) -> pd.DataFrame:
    """X's speed-up on rooflines of our own counts: the network as one block, and by its layers."""
    dtype = fastest(peaks)
    rows = []
    for level in levels:
        plain, x = (
            roofline_of(get(f"{family}-{level}"), peaks, batch, dtype)
            for family in ("EN-TF", "EN-X")
        )
        rows.append(
            {
                "level": level,
                "as one block": plain.whole_s / x.whole_s,
                "layer by layer": plain.ideal_s / x.ideal_s,
            }
        )
    return pd.DataFrame(rows)


# ---------------------------------------------------------------------------- flops and time


def published() -> pd.DataFrame:
    """Table 3: model, family, flops (G), params (M), traffic (flops over intensity), and ms."""
    rows = []
    for r in reference.x_results():
        family = next(
            (f for f in ("EfficientNet-X", "EfficientNet", "RegNetY") if r.model.startswith(f)),
            "others",
        )
        rows.append(
            {
                "model": r.model,
                "family": family,
                "flops": float(r.gflops),
                "params": float(r.mparams),
                # Operations per byte: two to a multiply-add, 128 images.
                "GB moved": 2 * BATCH * float(r.gflops / r.operational_intensity),
                "TPUv3": float(r.tpuv3_ms_batch128),
                "V100": float(r.v100_fp16_ms_batch128),
            }
        )
    return pd.DataFrame(rows)


def log_correlation(x: Sequence[float] | pd.Series, y: Sequence[float] | pd.Series) -> float:
    """Pearson's r of the logarithms."""
    import numpy as np

    return float(np.corrcoef(np.log(list(x)), np.log(list(y)))[0, 1])


def misled(x: Sequence[float] | pd.Series, time: Sequence[float] | pd.Series) -> float:
    """Share of pairs in which the one with more x takes less time. Ties are left out.

    Raises:
        InputError: no two differ in both.
    """
    pairs = list(combinations(zip(x, time, strict=True), 2))
    signs = [(a - c) * (b - d) for (a, b), (c, d) in pairs]
    apart = [s for s in signs if s]
    if not apart:
        raise InputError("no two networks differ in both")
    return sum(s < 0 for s in apart) / len(apart)


def how_well(table: pd.DataFrame, counts: Sequence[str], times: Sequence[str]) -> pd.DataFrame:
    """How well each count stands for each time: r of logarithms, and percent of pairs misled."""
    return pd.DataFrame(
        {"count": count}
        | {f"r, {t}": log_correlation(table[count], table[t]) for t in times}
        | {f"misled, {t}": 100 * misled(table[count], table[t]) for t in times}
        for count in counts
    )


FEWEST = 10
"""Networks of one file, machine and condition that are enough to speak of a correlation."""


def recorded(found: Files) -> dict[str, pd.DataFrame]:
    """Networks timed at inference without compiling, by machine and conditions.

    Single blocks and first stages are left out, and so are fewer than `FEWEST` networks; of two
    timings of one network the later counts.

    Returns:
        By title; columns as in `sets.frame`, then flops, params, acts and GF/s.
    """
    groups: dict[str, dict[str, TimingRecord]] = {}
    for source, rows in found.items():
        for r in rows:
            if not isinstance(r, TimingRecord) or "@" in r.subject.name or "[" in r.subject.name:
                continue
            if r.subject.flops is None:
                continue
            if r.protocol.mode == "infer" and r.protocol.compile == "none":
                whose = ", yours" if source == "yours" else ""
                title = f"{machine_name(r)}, {r.protocol.dtype}, batch {r.batch}{whose}"
                groups.setdefault(f"{source}: {title}", {})[r.subject.name] = r
    frames = {}
    for title, timings in groups.items():
        if len(timings) >= FEWEST:
            table = frame(timings.values())
            counts = {"flops": table.gflops, "params": table.mparams, "acts": table.macts}
            rate = {"GF/s": table.gflops * table.batch / table.ms * 1e3}
            frames[title.partition(": ")[2]] = table.assign(**counts, **rate)
    return frames


def recorded_status(found: Files) -> str:
    """What was recorded, and how to record what was not."""
    lines = [f"{title}: {len(table)} networks" for title, table in recorded(found).items()]
    timings = [r for rows in found.values() for r in rows if isinstance(r, TimingRecord)]
    if not any(r.machine.device == "cuda" for r in timings):
        lines.append(f"No GPU is recorded yet. This records one, part I of 3:\n{wrapped(RECORD_X)}")
    return "\n".join(lines)


def wrapped(command: str) -> str:
    """A command on two lines, as a shell reads it."""
    return "  " + command.replace(" --out", " \\\n      --out")


def counted_traffic(found: Files) -> pd.DataFrame:
    """Intensities from bytes that hardware counted, beside those of the traffic model.

    Returns:
        Columns machine, network, batch, GB moved (counted, per batch), counted (operations per
        byte), nothing fused, less fusion, more fusion (the model's). Empty: none counted.
    """
    any_device = Peaks("any", dict.fromkeys(BYTES, 1.0), 1.0)
    rows = []
    for r in (r for part in found.values() for r in part if isinstance(r, TrafficRecord)):
        net, p, moved = get(r.subject.base), r.protocol, r.read_bytes + r.written_bytes
        model = {
            title: roofline_of(net, any_device, r.batch, p.dtype, fusion=fusion).intensity
            for title, fusion in FUSIONS.items()
        }
        counted = 2 * complexity(net).macs * r.batch / moved
        row: dict[str, object] = {"machine": r.machine.device_name, "network": r.subject.name}
        row |= {"batch": r.batch, "GB moved": moved / 1e9, "counted": counted}
        rows.append(row | model)
    columns = ["machine", "network", "batch", "GB moved", "counted", *FUSIONS]
    return pd.DataFrame(rows, columns=columns)


def traffic_status(counted: pd.DataFrame) -> str:
    """On which GPUs traffic was counted, or how to count it."""
    if len(counted):
        return f"Counted on: {', '.join(dict.fromkeys(counted.machine))}."
    return f"No GPU's counters are recorded yet. This reads them, part I of 3:\n{wrapped(RECORD_X)}"


FUSIONS: Mapping[str, Fusion] = {
    "nothing fused": "none",
    "less fusion": "conv",
    "more fusion": "all",
}


def how_well_recorded(found: Files) -> pd.DataFrame:
    """`how_well` of flops, params and acts for every recorded machine."""
    tables = []
    for title, table in recorded(found).items():
        one = how_well(table, ("flops", "params", "acts"), ("ms",))
        one.insert(0, "recorded", title)
        tables.append(one)
    columns = ["recorded", "count", "r, ms", "misled, ms"]
    return pd.concat(tables) if tables else pd.DataFrame(columns=columns)


# ---------------------------------------------------------------------------- the column E


def efficiency(device: Accelerator = "TPUv3") -> pd.DataFrame:
    """Table 3's efficiency column beside what its own flops, intensities and latencies give.

    Returns:
        Columns model, reached (10^12 operations/s by flops and latency), ideal (by intensity and
        Figure 2's roofline), printed, by latency (percent), ratio (printed over it).
    """
    roof = next(r for r in drawn_roofs() if r.device == device)
    rows = []
    for r in reference.x_results():
        reached = 2 * BATCH * float(r.gflops / getattr(r, COLUMNS[device])) * 1e12
        ideal = roof.ideal(float(r.operational_intensity))
        said = float(r.efficiency_percent_tpuv3)
        ours = 100 * reached / ideal
        rows.append(
            {
                "model": r.model,
                "reached": reached / 1e12,
                "ideal": ideal / 1e12,
                "printed": said,
                "by latency": ours,
                "ratio": said / ours,
            }
        )
    return pd.DataFrame(rows)


def numbers() -> dict[str, float | str]:
    """The chapter's key numbers, by the names under which its prose quotes them."""
    v100 = factors("V100").set_index("level")
    table, e = published(), efficiency().set_index("model")
    plain = e[[m.startswith("EfficientNet-B") for m in e.index]]
    inside = intensities([*SERIES["EfficientNet"], *SERIES["EfficientNet-X"]])
    regnets = intensities(SERIES["RegNetY"])
    xs = inside[inside.network.isin(SERIES["EfficientNet-X"])]
    ratios = layer_by_layer(LEVELS, device_peaks("V100"))
    result: dict[str, float | str] = {
        "wfm_work_b0": v100.work["B0"],
        "wfm_rate_b0": v100.rate["B0"],
        "wfm_roofline_b0": v100.roofline["B0"],
        "wfm_printed_b0": v100.printed["B0"],
        "wfm_left_b0": v100.left["B0"],
        "wfm_layers_b0": ratios["layer by layer"].iloc[0],
        "wfm_layers_mean": geometric_mean(list(ratios["layer by layer"])),
        "wfm_printed_mean": geometric_mean(list(v100.printed)),
        "wfm_ridge_v100": drawn_roofs()[0].ridge,
        "wfm_ridge_h200": listed_roofs(["H200"])[0].ridge,
        "wfm_ridge_xeon": drawn_roofs()[2].ridge,
        "wfm_en_inside": int((inside[~inside.index.isin(xs.index)].inside == "=").sum()),
        "wfm_x_inside": int((xs.inside == "=").sum()),
        "wfm_regnet_off_low": regnets["off by"].min(),
        "wfm_regnet_off_high": regnets["off by"].max(),
        "wfm_e_low": e.ratio.min(),
        "wfm_e_high": e.ratio.max(),
        "wfm_e_plain_low": plain.ratio.min(),
        "wfm_e_plain_high": plain.ratio.max(),
        "wfm_resnet_latency": e.reached["ResNet-50"],
        "wfm_resnet_drawn": float(
            next(p.tops for p in reference.drawn_intensities() if p.model == "ResNet-50")
        ),
    }
    for device in COLUMNS:
        short = device.lower()
        result[f"wfm_r_flops_{short}"] = log_correlation(table.flops, table[device])
        result[f"wfm_r_bytes_{short}"] = log_correlation(table["GB moved"], table[device])
        result[f"wfm_misled_flops_{short}"] = 100 * misled(table.flops, table[device])
        result[f"wfm_misled_bytes_{short}"] = 100 * misled(table["GB moved"], table[device])
    found = records()
    if roofs := [r for r in recorded_roofs(found) if r.dtype == "fp32"]:
        result["wfm_ridge_cpu"] = roofs[0].ridge
    for title, rows in recorded(found).items():
        if rows.device.iloc[0] == "cpu":
            result |= {
                "wfm_cpu": title,
                "wfm_cpu_networks": len(rows),
                "wfm_cpu_r_flops": log_correlation(rows.flops, rows.ms),
                "wfm_cpu_r_acts": log_correlation(rows.acts, rows.ms),
                "wfm_cpu_misled": 100 * misled(rows.flops, rows.ms),
                "wfm_cpu_rate_low": rows["GF/s"].min(),
                "wfm_cpu_rate_high": rows["GF/s"].max(),
            }
            break
    return result
