"""Table 3 of the second paper remade, and what its rows pair; Tables 2, 5 and 6 beside the builder.

Source: Searching for Fast Model Families on Datacenter Accelerators, Tables 2, 3, 5, 6, Figure 3.
Flops are multiply-adds, as that paper counts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from math import log2, prod
from typing import Any

import pandas as pd

from repro import claims, reference
from repro.analysis.accelerators.x_times import Device
from repro.arch import get
from repro.arch.efficientnet_x import coefficients
from repro.book.kit.tables import PageTable, agrees_as_printed, table
from repro.claims import Claim
from repro.complexity import complexity
from repro.runtime.roofline import device_peaks, roofline

LEVELS = tuple(f"B{i}" for i in range(8))
TIMM: Mapping[str, tuple[str, int]] = {
    "Inception-v3": ("inception_v3", 299),
    "Inception-v4": ("inception_v4", 299),
    "NASNet-A": ("nasnetalarge", 331),
    "ResNeSt-101": ("resnest101e", 256),
    "ResNeSt-200": ("resnest200e", 320),
    "ResNeSt-269": ("resnest269e", 416),
}
"""Rows of Table 3 that no description here covers: timm's name, and its own resolution."""


def timed_name(model: str, device: Device) -> str:
    """The name under which what a row of Table 3 names is timed.

    On a GPU an X row is given the network whose latency it prints, as far as that is known: scaled
    by LACS, and ReLU throughout. Elsewhere it is given the network whose parameters it prints.
    """
    name = zoo_name(model)
    if name is None:
        return f"timm/{TIMM[model][0]}"
    lacs = device == "cuda" and name.startswith("EN-X-")
    return name.replace("EN-X-", "EN-X-GPU-") + "+relu" if lacs else name


def zoo_name(model: str) -> str | None:
    """The network here that a row of Table 3 names; None: only timm has it.

    X rows are given the network whose parameters they print, ``EN-X-B0`` to ``EN-X-B7``.
    """
    if model in TIMM:
        return None
    if model.startswith("EfficientNet-X-"):
        return model.replace("EfficientNet-X", "EN-X")
    return model.replace("EfficientNet", "EN-TF")


@cache
def timm_counts() -> Mapping[str, tuple[int, int]]:
    """Parameters and multiply-adds of timm's networks, counted on the meta device.

    Returns:
        By the row's name in Table 3. Imports torch and timm.
    """
    from repro.counters import count
    from repro.runtime.timm_networks import PREFIX, create

    found = {}
    for model, (name, size) in TIMM.items():
        counted = count(create(PREFIX + name, "meta"), (3, size, size))
        found[model] = counted.params, counted.conv_macs + counted.linear_macs
    return found


def decimals(printed: Decimal) -> int:
    """How many digits were printed behind the point."""
    exponent = printed.as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)


def intensity(name: str) -> tuple[float, float]:
    """Operations per byte with less and with more fusion; 2 bytes, batch 128."""
    peaks = device_peaks("V100")  # any: intensity does not depend on it
    low, high = (
        roofline(get(name), peaks, 128, "fp16", fusion=fusion).intensity
        for fusion in ("conv", "all")
    )
    return low, high


def table3(relative: Mapping[str, float] | None = None, device: Device = "cpu") -> pd.DataFrame:
    """All 26 rows, printed beside computed, and measured where given.

    Args:
        relative: measured time over EfficientNet-B0's, by the name that was timed.
        device: on which; see `timed_name`.

    Returns:
        Columns model, network; mparams, gflops and intensity each as ``_printed`` (Decimal),
        ``_ours`` (float; of intensity the two bounds as ``_low``, ``_high``) and ``_agrees``;
        v100, tpuv3 (printed latency over EfficientNet-B0's) and measured.
    """
    relative = relative or {}
    start = next(r for r in reference.x_results() if r.model == "EfficientNet-B0")
    rows = []
    for row in reference.x_results():
        name = zoo_name(row.model)
        if name is None:
            params, flops = timm_counts()[row.model]
            low, high = float("nan"), float("nan")
        else:
            flops, params, _ = complexity(get(name)).counted_as("efficientnet-x")
            low, high = intensity(name)
        ours = {"mparams": params / 1e6, "gflops": flops / 1e9}
        v100 = row.v100_fp16_ms_batch128 / start.v100_fp16_ms_batch128
        tpu = row.tpuv3_ms_batch128 / start.tpuv3_ms_batch128
        entry: dict[str, object] = {
            "model": row.model,
            "network": name or "timm " + "@".join(map(str, TIMM[row.model])),
        }
        for key, value in ours.items():
            printed: Decimal = getattr(row, key)
            agrees = agrees_as_printed(float(printed), value, decimals(printed))
            entry |= {f"{key}_printed": printed, f"{key}_ours": value, f"{key}_agrees": agrees}
        entry |= {
            "intensity_printed": row.operational_intensity,
            "intensity_low": low,
            "intensity_high": high,
            "intensity_agrees": None if name is None else low <= row.operational_intensity <= high,
            "v100": float(v100),
            "tpuv3": float(tpu),
            "measured": relative.get(timed_name(row.model, device), float("nan")),
        }
        rows.append(entry)
    return pd.DataFrame(rows)


_MARKS = {"=": "repro-good", "≠": "repro-off"}


def _mark(agrees: Any) -> str:
    return "–" if agrees is None else "=" if agrees else "≠"


def counts_page(frame: pd.DataFrame, caption: str) -> PageTable:
    """Parameters and flops of `table3` as a page shows them: printed digits, ours with one more."""
    rows = []
    for found in frame.itertuples():
        r: Any = found
        digits = {key: decimals(getattr(r, f"{key}_printed")) + 1 for key in ("mparams", "gflops")}
        rows.append(
            {
                "model": r.model,
                "counted": r.network,
                "params, M": str(r.mparams_printed),
                "ours": f"{r.mparams_ours:.{digits['mparams']}f}",
                " ": _mark(r.mparams_agrees),
                "flops, G": str(r.gflops_printed),
                "ours ": f"{r.gflops_ours:.{digits['gflops']}f}",
                "  ": _mark(r.gflops_agrees),
            }
        )
    formats = dict.fromkeys(("params, M", "ours", "flops, G", "ours "), "")
    return table(pd.DataFrame(rows), caption, formats=formats, marks=_MARKS)


def speed_page(frame: pd.DataFrame, caption: str, measured: str) -> PageTable:
    """Intensities and times of `table3` as a page shows them.

    Args:
        frame: from `table3`. measured: heading of the column of measured times.
    """
    rows = []
    for found in frame.itertuples():
        r: Any = found
        low, high = r.intensity_low, r.intensity_high
        rows.append(
            {
                "model": r.model,
                "I": str(r.intensity_printed),
                "ours": "–" if pd.isna(low) else f"{low:.0f} to {high:.0f}",
                " ": _mark(r.intensity_agrees),
                "TPUv3": r.tpuv3,
                "V100": r.v100,
                f"{measured}, ours": r.measured,
            }
        )
    formats = dict.fromkeys(("TPUv3", "V100", f"{measured}, ours"), ".2f")
    return table(pd.DataFrame(rows), caption, formats=formats | {"I": "", "ours": ""}, marks=_MARKS)


# ---------------------------------------------------------------------------- what a row pairs


def pairing() -> pd.DataFrame:
    """Per level: whose parameters an X row of Table 3 prints, and whose latency.

    Returns:
        Columns level; printed, own, gpu, tpu (parameters in M: printed, and of ``EN-X``,
        ``EN-X-GPU``, ``EN-X-TPU``); for each device, here ``v100`` and ``tpuv3``: ``_row``
        (speed-up by Table 3's latencies), ``_lacs`` and ``_single`` (Figure 3's bars).
    """
    printed = {r.model: r for r in reference.x_results()}
    bars = {(b.device, b.scaling, b.level): float(b.speedup) for b in reference.speedup_bars()}
    rows = []
    for level in LEVELS:
        x, plain = printed[f"EfficientNet-X-{level}"], printed[f"EfficientNet-{level}"]
        row: dict[str, object] = {"level": level, "printed": float(x.mparams)}
        for key, family in (("own", "EN-X"), ("gpu", "EN-X-GPU"), ("tpu", "EN-X-TPU")):
            row[key] = complexity(get(f"{family}-{level}")).params / 1e6
        for device, column in (("V100", "v100_fp16_ms_batch128"), ("TPUv3", "tpuv3_ms_batch128")):
            row |= {
                f"{device.lower()}_row": float(getattr(plain, column) / getattr(x, column)),
                f"{device.lower()}_lacs": bars[device, "LACS", level],
                f"{device.lower()}_single": bars[device, "single-objective", level],
            }
        rows.append(row)
    return pd.DataFrame(rows)


def bars() -> dict[str, pd.Series]:
    """Figure 3's speed-ups on V100 by level, by a title for each scaling."""
    titles = {"LACS": "V100 as printed, LACS", "single-objective": "V100, single objective"}
    return {
        title: pd.Series(
            {
                b.level: float(b.speedup)
                for b in reference.speedup_bars()
                if (b.device, b.scaling) == ("V100", scaling)
            }
        )
        for scaling, title in titles.items()
    }


def pairing_numbers(frame: pd.DataFrame) -> dict[str, float]:
    """Key numbers of `pairing`, under the names that the chapter gives them."""
    later = frame[frame.level != "B0"]
    top = frame.iloc[-1]
    devices = ("v100", "tpuv3")
    near = max(float((frame[f"{d}_row"] - frame[f"{d}_lacs"]).abs().max()) for d in devices)
    far = max(float((1 - frame[f"{d}_single"] / frame[f"{d}_row"]).max()) for d in devices)
    return {
        "enx_bar_near": near,
        "enx_bar_far": 100 * far,
        "enx_own_within": 100 * float((later.own / later.printed - 1).abs().max()),
        "enx_b7_printed": float(top.printed),
        "enx_b7_own": float(top.own),
        "enx_b7_gpu": float(top.gpu),
        "enx_b7_gpu_ratio": float(top.gpu / top.printed),
        "enx_v100_mean": _percent_faster(frame.v100_row),
        "enx_tpu_mean": _percent_faster(frame.tpuv3_row),
        "enx_v100_largest": float(frame.v100_row.max()),
        "enx_tpu_largest": float(frame.tpuv3_row.max()),
        "enx_v100_single_mean": _percent_faster(frame.v100_single),
        "enx_tpu_single_mean": _percent_faster(frame.tpuv3_single),
    }


def _percent_faster(ratios: pd.Series) -> float:
    """The geometric mean of speed-ups, in percent above 1."""
    return 100 * (float(prod(ratios)) ** (1 / len(ratios)) - 1)


# ---------------------------------------------------------------------------- three LACS sources


def nominal_doublings(level: str) -> float:
    """Doublings of B0's depth × width² × resolution² by EfficientNet's own coefficients."""
    c = coefficients(f"EN-X-{level}")
    return log2(c.depth * c.width**2 * (c.resolution / 224) ** 2)


def lacs() -> pd.DataFrame:
    """Depth and resolution that Table 2, Table 6 and the builder give to each LACS level.

    Table 2 prints bases only; they are raised to the level's nominal work. Depth is nominal: 16
    blocks times the depth factor, rounded down.

    Returns:
        Columns source, device, level, depth, resolution.
    """
    rows: list[dict[str, object]] = []

    def add(source: str, device: str, level: str, depth: int, resolution: int) -> None:
        rows.append(
            {
                "source": source,
                "device": device,
                "level": level,
                "depth": depth,
                "resolution": resolution,
            }
        )

    for device in ("GPU", "TPU"):
        (base,) = (b for b in reference.x_bases() if b.scaling == f"LACS {device}")
        for level in LEVELS:
            phi = nominal_doublings(level)
            depth, size = 16 * float(base.depth) ** phi, 224 * float(base.resolution) ** phi
            add("Table 2", device, level, int(depth), round(size))
        for printed in reference.x_levels():
            if printed.scaling == f"LACS {device}":
                add("Table 6", device, printed.level, printed.depth, printed.resolution)
        for level in LEVELS:
            c = coefficients(f"EN-X-{device}-{level}")
            # + 1e-9: 16 * 1.0625 must not become 16.999...
            add("builder", device, level, int(16 * c.depth + 1e-9), c.resolution)
    return pd.DataFrame(rows)


def largest_level(frame: pd.DataFrame) -> pd.DataFrame:
    """X-B7 by every source, Table 5's two searches included.

    Returns:
        Columns source, device, depth, resolution.
    """
    rows = frame[frame.level == "B7"].drop(columns="level")
    searches = pd.DataFrame(
        {
            "source": f"Table 5, searched at {s.searched_at}",
            "device": "GPU",
            "depth": s.x_b7_depth,
            "resolution": s.x_b7_resolution,
        }
        for s in reference.x_searches()
    )
    both = pd.concat([rows, searches])
    order = {"Table 2": 0, "Table 6": 2, "builder": 3}
    both["order"] = [order.get(source, 1) for source in both.source]
    return both.sort_values(["device", "order"], kind="stable").drop(columns="order")


# ---------------------------------------------------------------------------- claims

SHORT = {
    "reproduced": "yes",
    "trend reproduced": "yes",
    "reproduced within tolerance": "nearly",
    "not reproduced": "no",
    "not testable here": "open",
}
"""Verdicts as an answer to: does it hold?"""


HEADLINES = (
    "x-twice-as-fast-v100",
    "x-twice-as-fast-tpu",
    "x-mean-tpu",
    "x-mean-v100-91",
    "x-mean-v100-83",
    "x-search-alone-tpu",
    "x-search-alone-v100",
    "x-search-alone-all-levels-tpu",
    "x-search-alone-all-levels-v100",
    "x-lacs-on-top-tpu",
    "x-lacs-on-top-v100",
    "x-regnet-v100",
    "x-regnet-tpu",
    "x-resnest-v100",
    "x-resnest-tpu",
    "x-figure3-lacs-bars",
)
"""The ledger's claims about speed that the paper's own numbers can decide."""
ON_HARDWARE = (
    "x-recorded-mean",
    "x-recorded-twice",
    "x-recorded-every-level",
    "x-recorded-search-alone",
    "x-recorded-without-relu",
    "x-recorded-lacs",
    "x-recorded-regnet",
    "x-recorded-resnest",
)
"""Those that timings of a GPU decide."""


def claims_page(frame: pd.DataFrame, caption: str) -> PageTable:
    """`claims_frame` as a page shows it."""
    marks = {"yes": "repro-good", "nearly": "repro-good", "no": "repro-off", "open": "repro-open"}
    rows = frame.assign(holds=frame.verdict.map(SHORT)).drop(columns="verdict")
    rows = rows[[c for c in rows if (rows[c] != "").any()]]
    return table(rows, caption, marks=marks)


def claims_frame(ids: tuple[str, ...]) -> pd.DataFrame:
    """Claims with what the paper's own numbers, or records, make of them.

    Returns:
        Columns claim, printed, found, verdict, in the order of ``ids``.
    """
    ledger: dict[str, Claim] = {c.id: c for c in claims.load().claims}
    rows = []
    for name in ids:
        judgement = claims.judge(ledger[name])
        points = judgement.points
        many = len(points) != 1
        agree = sum(p.match != "no" for p in points)
        rows.append(
            {
                "claim": ledger[name].statement,
                "printed": "" if many else points[0].published,
                "found": f"{agree} of {len(points)} hold"
                if many and points
                else ""
                if many
                else points[0].computed,
                "verdict": judgement.verdict,
            }
        )
    return pd.DataFrame(rows)
