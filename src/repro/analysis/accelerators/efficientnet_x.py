"""Tables 3 to 6 of the second paper beside what its networks count and its bases give.

Source: Searching for Fast Model Families on Datacenter Accelerators, Tables 2 to 6, Figure 3.
Flops are multiply-adds, as that paper counts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from math import exp, log

import numpy as np
import pandas as pd

from repro import reference
from repro.arch import get
from repro.arch.efficientnet_x import TABLE4_STEPS, coefficients
from repro.complexity import complexity
from repro.runtime.roofline import device_peaks, roofline

LEVELS = tuple(f"B{i}" for i in range(8))
DEVICES = {"V100": "v100_fp16_ms_batch128", "TPUv3": "tpuv3_ms_batch128"}
"""The two of Table 3, each with the column of its latencies."""
TIMM: Mapping[str, tuple[str, int]] = {
    "Inception-v3": ("inception_v3", 299),
    "Inception-v4": ("inception_v4", 299),
    "NASNet-A": ("nasnetalarge", 331),
    "ResNeSt-101": ("resnest101e", 256),
    "ResNeSt-200": ("resnest200e", 320),
    "ResNeSt-269": ("resnest269e", 416),
}
"""Rows of Table 3 that no description here covers: timm's name, and its own resolution."""


def zoo_name(model: str) -> str | None:
    """The network here that a row of Table 3 names; None: only timm has it.

    X rows are given the network whose params they print, ``EN-X-B0`` to ``EN-X-B7``.
    """
    if model in TIMM:
        return None
    if model.startswith("EfficientNet-X-"):
        return model.replace("EfficientNet-X", "EN-X")
    return model.replace("EfficientNet", "EN-TF")


@cache
def timm_counts() -> Mapping[str, tuple[int, int]]:
    """Multiply-adds and params of timm's networks, by the row's name; imports torch and timm."""
    from repro.counters import count
    from repro.runtime.timm_networks import PREFIX, create

    counts = {}
    for model, (name, size) in TIMM.items():
        counted = count(create(PREFIX + name, "meta"), (3, size, size))
        counts[model] = counted.conv_macs + counted.linear_macs, counted.params
    return counts


def intensity(name: str) -> tuple[float, float]:
    """Operations per byte with less and with more fusion; 2 bytes an element, batch 128."""
    peaks = device_peaks("V100")  # any: intensity does not depend on it
    low, high = (
        roofline(get(name), peaks, 128, "fp16", fusion=fusion).intensity
        for fusion in ("conv", "all")
    )
    return low, high


def table3() -> pd.DataFrame:
    """All 26 rows, printed beside computed, in M and G.

    low, high: bounds of the intensity, missing for timm's networks; by_latency, in percent: what
    the row's own flops, intensity and TPUv3 latency give for the efficiency, under Figure 2's
    roofline.
    """
    tpu = next(r for r in reference.drawn_rooflines() if r.device == "TPUv3")
    rows = []
    for row in reference.x_results():
        name = zoo_name(row.model)
        if name is None:
            flops, params = timm_counts()[row.model]
            low, high = float("nan"), float("nan")
        else:
            flops, params, _ = complexity(get(name)).counted_as("efficientnet-x")
            low, high = intensity(name)
        reached = 2 * 128 * row.gflops / row.tpuv3_ms_batch128  # 10^12 operations per second
        ideal = min(tpu.peak_tops, tpu.bandwidth_tb_s * row.operational_intensity)
        rows.append(
            {
                "model": row.model,
                "top1": row.top1_percent,
                "network": name or "timm " + "@".join(map(str, TIMM[row.model])),
                "mparams": row.mparams,
                "params": params / 1e6,
                "gflops": row.gflops,
                "flops": flops / 1e9,
                "intensity": row.operational_intensity,
                "low": low,
                "high": high,
                "efficiency": row.efficiency_percent_tpuv3,
                "by_latency": float(100 * reached / ideal),
                "TPUv3": row.tpuv3_ms_batch128,
                "V100": row.v100_fp16_ms_batch128,
            }
        )
    return pd.DataFrame(rows)


def plain_ms(device: str, top1: float | Decimal) -> float:
    """Milliseconds of an EfficientNet of that top-1, in percent; not a number beyond B0 to B7.

    Between two levels of Table 3 the logarithm of latency is taken as linear in top-1.
    """
    rows = {r.model: r for r in reference.x_results()}
    known = [rows[f"EfficientNet-{level}"] for level in LEVELS]
    ms = [log(getattr(r, DEVICES[device])) for r in known]
    top1s = [float(r.top1_percent) for r in known]
    return exp(np.interp(float(top1), top1s, ms, left=np.nan, right=np.nan))


def speedups() -> pd.DataFrame:
    """X over the EfficientNet of its level: by Table 3's latencies, and as Figure 3 draws it.

    equal: by latency, over an EfficientNet of X's own top-1 (see `plain_ms`).
    """
    of = {r.model: r for r in reference.x_results()}
    bars = {(b.device, b.scaling, b.level): float(b.speedup) for b in reference.speedup_bars()}
    rows = []
    for device, column in DEVICES.items():
        for level in LEVELS:
            plain, x = (of[f"EfficientNet{kind}-{level}"] for kind in ("", "-X"))
            slow, fast = (float(getattr(r, column)) for r in (plain, x))
            rows.append(
                {
                    "device": device,
                    "level": level,
                    "latency": slow / fast,
                    "equal": plain_ms(device, x.top1_percent) / fast,
                    "top1": x.top1_percent,
                    "plain_top1": plain.top1_percent,
                    "single": bars[device, "single-objective", level],
                    "LACS": bars[device, "LACS", level],
                }
            )
    return pd.DataFrame(rows)


def ablation() -> pd.DataFrame:
    """Table 4, with how many times as fast each row is as EfficientNet-B0, as printed.

    low, high: our bounds of the intensity, see `intensity`. ", equal": as fast as an EfficientNet
    of the row's own top-1 on that device, see `plain_ms`.
    """
    table = reference.x_ablation()
    rows = []
    for r in table:
        top1 = {"TPUv3": r.top1_percent, "V100": r.top1_percent_gpu or r.top1_percent}
        low, high = intensity(TABLE4_STEPS[r.model])
        row: dict[str, object] = {
            "step": r.model,
            "top1": " / ".join(dict.fromkeys(map(str, top1.values()))),
            "intensity": r.operational_intensity,
            "low": low,
            "high": high,
            "efficiency": r.efficiency_percent_tpuv3,
        }
        for device, column in DEVICES.items():
            ms = float(getattr(r, column))
            row[device] = float(getattr(table[0], column)) / ms
            row[f"{device}, equal"] = plain_ms(device, top1[device]) / ms
        rows.append(row)
    return pd.DataFrame(rows)


def pairing() -> pd.DataFrame:
    """Whose params (M) an X row of Table 3 prints, and whose latency, by `speedups`."""
    frame = pd.DataFrame({"level": LEVELS})
    printed = {r.model: float(r.mparams) for r in reference.x_results()}
    frame["printed"] = [printed[f"EfficientNet-X-{level}"] for level in LEVELS]
    for family in ("EN-X", "EN-X-GPU", "EN-X-TPU"):
        frame[family] = [complexity(get(f"{family}-{level}")).params / 1e6 for level in LEVELS]
    for device, part in speedups().groupby("device", sort=False):
        for column in ("latency", "LACS", "single"):
            frame[f"{device}, {column}"] = part[column].to_list()
    return frame


def doublings(level: str) -> float:
    """How often depth × width² × resolution² doubles up to a level of EfficientNet's own scaling.

    The exponent of Table 2's bases that gives a LACS network of the level the same nominal work.
    """
    c = coefficients(f"EN-X-{level}")
    return log(c.depth * c.width**2 * (c.resolution / 224) ** 2, 2)


def grown(bases: reference.XBases | reference.XSearchRow, phi: float) -> tuple[int, int]:
    """Nominal depth, 16 blocks times its factor rounded down, and pixels per side."""
    return int(16 * float(bases.depth) ** phi), round(224 * float(bases.resolution) ** phi)


def lacs() -> pd.DataFrame:
    """Nominal depth (see `grown`) and pixels of levels: Table 6, Table 2's bases, the builder."""
    families = {"single objective": "EN-X", "LACS GPU": "EN-X-GPU", "LACS TPU": "EN-X-TPU"}
    names = {"accuracy only": "single objective"}
    bases = {names.get(b.scaling, b.scaling): b for b in reference.x_bases()}
    rows: list[tuple[str, str, str, int, int]] = []
    for row in reference.x_levels():
        c = coefficients(f"{families[row.scaling]}-{row.level}")
        for source, (depth, resolution) in {
            "Table 6": (row.depth, row.resolution),
            "Table 2": grown(bases[row.scaling], doublings(row.level)),
            # + 1e-9: 16 * 1.0625 must not become 16.999...
            "code": (int(16 * c.depth + 1e-9), c.resolution),
        }.items():
            rows.append((row.scaling, source, row.level, depth, resolution))
    return pd.DataFrame(rows, columns=["scaling", "source", "level", "depth", "resolution"])
