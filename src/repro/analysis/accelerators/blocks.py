"""Frames of the chapter "A search space for accelerators".

Source: Searching for Fast Model Families on Datacenter Accelerators, sections 3 and 5.1, Table 4.
Predictions are ideal times on a roofline (`repro.runtime.roofline`), measurements are records of
this project. One multiply-add is one flop; the operations of intensities count it twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from repro import reference
from repro.analysis.accelerators.roofs import (
    BATCH,
    COLUMNS,
    Files,
    fastest,
    measured_peaks,
    records,
    wrapped,
)
from repro.arch import BlockChoice, Network, XStage, blocks, get
from repro.arch.efficientnet_x import TABLE4_STEPS
from repro.complexity import complexity
from repro.records import PeakRecord, TimingRecord
from repro.runtime.blocks import BlockCost, break_even, cost, fused_gain
from repro.runtime.roofline import Fusion, Peaks, device_peaks
from repro.stored import RECORD_X, machine_name

HIDDEN_STEP = "+ space-to-depth, SE as before"
STEPS: Mapping[str, str] = {
    "EfficientNet-B0": TABLE4_STEPS["EfficientNet-B0"],
    HIDDEN_STEP: "EN-X-B0+depthwise+swish+se-plain",
    **{row: name for row, name in TABLE4_STEPS.items() if row != "EfficientNet-B0"},
}
"""Table 4's rows and the one that it leaves out, with the networks that make them."""


def on(block: str | BlockChoice | Network, device: str | Peaks, **conditions: Any) -> BlockCost:
    """`repro.search.cost` in the device's fastest dtype."""
    peaks = device_peaks(device) if isinstance(device, str) else device
    return cost(block, peaks, dtype=fastest(peaks), **conditions)


# ------------------------------------------------------------------- fused against depthwise


def widths(
    channels: Iterable[int], devices: Iterable[str], batch: int = BATCH, **choices: Any
) -> pd.DataFrame:
    """MBConv over fused MBConv for growing channels.

    Args:
        choices: ``size`` and any other field of `BlockChoice`, and ``fusion``.

    Returns:
        Columns channels, flops ratio (fused over MBConv), intensity of both, and one for each
        device: ideal time of the MBConv over the fused one's; above 1 the fused one is faster.
    """
    fusion: Fusion = choices.pop("fusion", "conv")
    rows = []
    for c in channels:
        plain, fused = (
            cost(BlockChoice(kind, c, **choices), "V100", batch, fusion=fusion)
            for kind in ("MBConv", "FusedMBConv")
        )
        row: dict[str, float] = {
            "channels": c,
            "flops, fused over MBConv": fused.flops / plain.flops,
            "intensity, MBConv": plain.intensity,
            "intensity, fused": fused.intensity,
        }
        for device in devices:
            row[device] = fused_gain(c, device, batch=batch, fusion=fusion, **choices)
        rows.append(row)
    return pd.DataFrame(rows)


CONDITIONS: Mapping[str, Mapping[str, Any]] = {
    "3×3, large maps (the base case)": {},
    "5×5 kernel": {"kernel": 5},
    "expansion 3": {"expansion": 3},
    "with squeeze-excite, ratio 0.25": {"se_ratio": 0.25},
    "with squeeze-excite, and fused": {"se_ratio": 0.25, "fusion": "all"},
    "no fusion: norm and activation are passes": {"fusion": "none"},
    "one image, maps of 7 × 7": {"batch": 1, "size": 7},
}
"""What may move the break-even, each changed alone."""


def break_evens(devices: Iterable[str]) -> pd.DataFrame:
    """The most channels at which a fused MBConv is as fast as an MBConv, by condition."""
    devices = list(devices)
    return pd.DataFrame(
        {"condition": title} | {d: _channels(break_even(d, **changed)) for d in devices}
        for title, changed in CONDITIONS.items()
    )


def _channels(found: int | None) -> str:
    return "none" if found is None else str(found)


def stage_choices(name: str, devices: Iterable[str], batch: int = BATCH) -> pd.DataFrame:
    """For each stage of an EfficientNet-X, what fusing it alone would gain on rooflines.

    The network is timed twice, with the stage fused and not; the gain is that of its own time, all
    other stages cancel.

    Returns:
        Columns stage (as in Table 1, where the first searched one is 3), kernel, channels (into
        its last block), expansion, X fuses, and one for each device: time with depthwise over time
        with fused convs.
    """
    net = get(name)
    devices = list(devices)
    rows = []
    for i, stage in enumerate(net.stages):
        assert isinstance(stage, XStage)
        row: dict[str, object] = {
            "stage": i + 3,
            "block": f"{stage.kernel}×{stage.kernel}, expansion {stage.expansion}",
            "channels": stage.out_width,
            "X fuses": "yes" if stage.fused else "no",
        }
        for device in devices:
            rest = on(_first(net, i), device, batch=batch).ideal_s if i else 0.0
            plain, fused = (
                on(_first(_with(net, i, f), i + 1), device, batch=batch).ideal_s - rest
                for f in (False, True)
            )
            row[device] = plain / fused
        rows.append(row)
    return pd.DataFrame(rows)


def _with(net: Network, i: int, fused: bool) -> Network:
    stages = list(net.stages)
    stage = stages[i]
    assert isinstance(stage, XStage)
    stages[i] = replace(stage, fused=fused)
    return replace(net, stages=tuple(stages))


def _first(net: Network, count: int) -> Network:
    from repro.arch.pieces import first_stages

    return first_stages(net, count)


# ---------------------------------------------------------------------- the other choices


def pieces(
    names: Mapping[str, str], devices: Iterable[str], batch: int = BATCH, fusion: Fusion = "conv"
) -> pd.DataFrame:
    """Blocks or first stages beside each other; names by the title of their row.

    Returns:
        Columns piece, M flops and k params (of one image), MB moved (per image), intensity, and
        ideal microseconds per image on each device.
    """
    devices, rows = list(devices), []
    for title, name in names.items():
        found = [on(name, d, batch=batch, fusion=fusion) for d in devices]
        first = found[0]
        rows.append(
            {
                "piece": title,
                "M flops": first.flops / batch / 1e6,
                "k params": first.params / 1e3,
                "MB moved": first.bytes / batch / 1e6,
                "intensity": first.intensity,
            }
            | {f"µs, {d}": 1e6 * c.ideal_s / batch for d, c in zip(devices, found, strict=True)}
        )
    return pd.DataFrame(rows)


def reshaped(stages: int) -> dict[str, str]:
    """Stem and first stages of B0 without and with space-to-depth, for `pieces`."""
    cut = f"[:{stages}]"
    return {
        "EfficientNet-B0": STEPS["EfficientNet-B0"] + cut,
        "space-to-depth": STEPS[HIDDEN_STEP] + cut,
        "and fourfold SE": STEPS["+ space-to-depth"] + cut,
        "and fused convs": STEPS["+ fused conv"] + cut,
    }


def one_choice(base: str, size: int, options: Mapping[str, str]) -> dict[str, str]:
    """Blocks that differ in one choice, for `pieces`: name parts by title."""
    return {title: f"{base}{part}@{size}" for title, part in options.items()}


# ------------------------------------------------------------------------------- Table 4


def table4(devices: Sequence[str], batch: int = BATCH) -> pd.DataFrame:
    """Table 4 with the step that it hides: printed and computed, and what rooflines predict.

    Returns:
        Columns row, network, params printed and ours (M), flops printed and ours (G), ms on a V100
        printed, and ideal ms on each device. What is not printed is missing.
    """
    printed = {r.model: r for r in reference.x_ablation()}
    rows = []
    for row, name in STEPS.items():
        flops, params, _ = complexity(get(name)).counted_as("efficientnet-x")
        said = printed.get(row)
        rows.append(
            {
                "row": row,
                "network": name,
                "params, paper": None if said is None else float(said.mparams),
                "params, ours": params / 1e6,
                "flops, paper": None if said is None else float(said.gflops),
                "flops, ours": flops / 1e9,
                "ms, V100": None if said is None else float(said.v100_fp16_ms_batch128),
            }
            | {f"ideal ms, {d}": 1e3 * on(name, d, batch=batch).ideal_s for d in devices}
        )
    return pd.DataFrame(rows)


def step_gains(devices: Sequence[str], batch: int = BATCH) -> pd.DataFrame:
    """Each of Table 4's steps as a factor on speed: printed, by rooflines, fused and not."""
    printed = {r.model: r for r in reference.x_ablation()}
    rows = []
    for (before, old), (after, new) in pairwise(TABLE4_STEPS.items()):
        row: dict[str, object] = {"step": after}
        for device, column in COLUMNS.items():
            ms = [float(getattr(printed[title], column)) for title in (before, after)]
            row[f"{device}, printed"] = ms[0] / ms[1]
        for d in devices:
            for title, fusion in (("ideal", "conv"), ("nothing fused", "none")):
                slow, fast = (on(n, d, batch=batch, fusion=fusion).ideal_s for n in (old, new))
                row[f"{d}, {title}"] = slow / fast
        rows.append(row)
    return pd.DataFrame(rows)


# ------------------------------------------------------------------------------- records


def block_records(path: str | None = None) -> Files:
    """Files in which blocks were timed, the reader's among them; of the others, peak rates alone.

    Raises:
        InputError: as `records`.
    """
    return {
        source: rows
        if source == "yours" or any("@" in r.subject.name for r in rows if r.kind == "timing")
        else tuple(r for r in rows if isinstance(r, PeakRecord))
        for source, rows in records(path).items()
    }


def timed(found: Files) -> dict[str, dict[str, TimingRecord]]:
    """Recorded inference, eager or compiled, by machine and conditions, then by name."""
    groups: dict[str, dict[str, TimingRecord]] = {}
    for source, rows in found.items():
        for r in rows:
            if not isinstance(r, TimingRecord):
                continue
            if r.protocol.mode == "infer" and r.protocol.compile != "graph":
                how = ", compiled" if r.protocol.compile == "inductor" else ""
                whose = ", yours" if source == "yours" else ""
                title = f"{machine_name(r)}, {r.protocol.dtype}, batch {r.batch}{how}{whose}"
                groups.setdefault(title, {})[r.subject.name] = r
    return groups


def choices(size: int) -> dict[str, tuple[str, str]]:
    """What is compared, by title: the block said to be slower on an accelerator, and the other."""
    block = f"MBConv-c32{{}}@{size}"
    return {
        "ReLU, not swish (MBConv)": (block.format("-silu"), block.format("")),
        "ReLU, not swish (fused)": (f"Fused{block.format('-silu')}", f"Fused{block.format('')}"),
        "no squeeze-excite": (block.format("-se0.25"), block.format("")),
        "SE ratio 0.25, not 1": (block.format("-se1"), block.format("-se0.25")),
        "no space-to-batch": (block.format("-b2"), block.format("")),
        "space-to-depth, first two stages": (
            reshaped(2)["EfficientNet-B0"],
            reshaped(2)["space-to-depth"],
        ),
    }


def undisturbed(
    slow: Sequence[float], fast: Sequence[float], seed: int = 0
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

    low, high = np.quantile(tenth(slow) / tenth(fast), [0.025, 0.975])
    ratio = np.quantile(slow, 0.1) / np.quantile(fast, 0.1)
    return float(ratio), float(low), float(high)


def for_page(table: pd.DataFrame) -> pd.DataFrame:
    """Without the column of machines where there is one alone, which captions name."""
    return table.drop(columns="machine") if table.machine.nunique() == 1 else table


def machines(table: pd.DataFrame) -> str:
    """The machines of a table, for its caption."""
    return "; ".join(dict.fromkeys(table.machine)) or "no machine yet"


def _names(found: Files) -> set[str]:
    """Blocks that were timed."""
    return {name for known in timed(found).values() for name in known if "@" in name}


def single_choices(found: Files) -> pd.DataFrame:
    """`measured` for `choices`, on maps of every size that was timed."""
    sizes = sorted({int(name.rpartition("@")[2]) for name in _names(found)}, reverse=True)
    wanted = {}
    for size in sizes:
        for title, pair in choices(size).items():
            own = "stages" in title  # the first stages bring their map along
            wanted[title if own else f"{title}, {size} × {size}"] = pair
    return measured(found, wanted)


def fused_gains(found: Files) -> pd.DataFrame:
    """`measured` for fused against depthwise, with columns map (pixels per side) and channels."""
    nets = [get(name) for name in _names(found)]
    shapes = {(net.resolution, next(blocks(net))[0].in_width) for net in nets}
    wanted = {
        (size, c): (f"MBConv-c{c}@{size}", f"FusedMBConv-c{c}@{size}")
        for size, c in sorted(shapes, key=lambda shape: (-shape[0], shape[1]))
    }
    table = measured(found, {f"{size} {c}": pair for (size, c), pair in wanted.items()})
    table["map"] = [int(title.split()[0]) for title in table.comparison]
    table["channels"] = [int(title.split()[1]) for title in table.comparison]
    return table.drop(columns="comparison")


def by_map(gains: pd.DataFrame) -> pd.DataFrame:
    """At how many channels fusing pays, by machine and map: predicted and measured.

    Args:
        gains: from `fused_gains`.

    Returns:
        Columns machine, map, roofline: faster (channels at which the roofline says so), and
        measured: faster, not seen, slower (by the intervals).
    """
    rows = []
    for (machine, size), part in gains.groupby(["machine", "map"], sort=False):
        ordered = part.sort_values("channels").set_index("channels")
        roof = ordered["by roofline"].astype(float)
        faster, slower = ordered.low > 1, ordered.high < 1
        rows.append(
            {
                "machine": machine,
                "map": f"{size} × {size}",
                "by roofline: faster": "not known" if roof.isna().any() else _listed(roof > 1),
                "measured: faster": _listed(faster),
                "not seen": _listed(~faster & ~slower),
                "slower": _listed(slower),
            }
        )
    columns = ["machine", "map", "by roofline: faster", "measured: faster", "not seen", "slower"]
    return pd.DataFrame(rows, columns=columns)


def _listed(where: pd.Series) -> str:
    """The channels at which something holds; three or more neighbours as a range."""
    runs: list[list[int]] = []
    before = False
    for channels, holds in zip(map(int, where.index), where, strict=True):
        if holds:
            runs = [*runs[:-1], [*runs[-1], channels]] if before else [*runs, [channels]]
        before = bool(holds)
    shown = [f"{r[0]} to {r[-1]}" if len(r) > 2 else ", ".join(map(str, r)) for r in runs]
    return ", ".join(shown) or "none"


def measured(found: Files, comparisons: Mapping[str, tuple[str, str]]) -> pd.DataFrame:
    """Recorded pairs as factors on speed, beside flops and the machine's roofline.

    Returns:
        Columns machine, comparison, by flops, by roofline (missing without recorded peaks),
        measured, low, high (see `undisturbed`), seen (low and high on one side of 1).
    """
    peaks = _peaks(found)
    rows = []
    for machine, known in timed(found).items():
        for title, (slow, fast) in comparisons.items():
            if slow in known and fast in known:
                a, b = known[slow], known[fast]
                ratio, low, high = undisturbed(a.samples_s, b.samples_s)
                roof = peaks.get(machine_name(a))
                rows.append(
                    {
                        "machine": machine,
                        "comparison": title,
                        "by flops": _flops(slow) / _flops(fast),
                        "by roofline": None if roof is None else _ideal(slow, fast, roof, a),
                        "measured": ratio,
                        "low": low,
                        "high": high,
                        "seen": "yes" if low > 1 or high < 1 else "no",
                    }
                )
    columns = ["machine", "comparison", "by flops", "by roofline"]
    return pd.DataFrame(rows, columns=[*columns, "measured", "low", "high", "seen"])


def _wide_map(channels: int, size: int) -> int:
    """Bytes of the expanded map of an MBConv of expansion 6, one image, single precision."""
    return 4 * 6 * channels * size**2


def _flops(name: str) -> int:
    return complexity(get(name)).macs


def _peaks(found: Files) -> dict[str, Peaks]:
    return measured_peaks(r for part in found.values() for r in part)


def _ideal(slow: str, fast: str, peaks: Peaks, record: TimingRecord) -> float | None:
    dtype = record.protocol.dtype
    if not peaks.operations.get(dtype):
        return None
    # Eager mode fuses nothing; the compiler does norms and activations with what is before them.
    fusion: Fusion = "none" if record.protocol.compile == "none" else "conv"
    a, b = (cost(n, peaks, record.batch, dtype, fusion).ideal_s for n in (slow, fast))
    return a / b


def measured_steps(found: Files) -> pd.DataFrame:
    """Table 4's steps, and the hidden one, on every recorded machine that has two in a row."""
    steps = {f"{new}": (STEPS[old], STEPS[new]) for old, new in pairwise(STEPS)}
    return measured(found, steps).rename(columns={"comparison": "step"})


def status(found: Files) -> str:
    """Machines with recorded blocks, and how to record blocks on a GPU where none are."""
    lines = []
    for machine, known in timed(found).items():
        if count := sum("@" in name for name in known):
            lines.append(f"{machine}: {count} blocks")
    single = [r for known in timed(found).values() for name, r in known.items() if "@" in name]
    if not any(r.machine.device == "cuda" for r in single):
        text = "No blocks are recorded on a GPU yet. This does it, part I of 3:"
        lines.append(f"{text}\n{wrapped(RECORD_X)}")
    return "\n".join(lines)


def numbers() -> dict[str, float | int | str]:
    """The chapter's key numbers, by the names under which its prose quotes them."""
    table, gains = table4(["V100"]), step_gains(["V100"]).set_index("step")
    params = dict(zip(table.row, table["params, ours"], strict=True))
    stages = stage_choices("EN-X-B0", ["V100", "H200"]).set_index("stage")
    even = break_evens(["V100", "H200"]).set_index("condition")
    base, five, se, eager = (even.iloc[i] for i in (0, 1, 3, 5))
    result: dict[str, float | int | str] = {
        "ass_even_v100": int(base["V100"]),
        "ass_even_h200": int(base["H200"]),
        "ass_even5_v100": int(five["V100"]),
        "ass_even5_h200": int(five["H200"]),
        "ass_eager_v100": int(eager["V100"]),
        "ass_eager_h200": int(eager["H200"]),
        "ass_se_v100": int(se["V100"]),
        "ass_s2d_params": params[HIDDEN_STEP],
        "ass_s2d_se_params": params["+ space-to-depth"],
        "ass_s2d_printed": float(table["params, paper"][2]),
        "ass_flops_off": 100 * (table["flops, paper"][2] / table["flops, ours"][2] - 1),
        "ass_relu_printed": gains["V100, printed"]["+ activation"],
        "ass_relu_printed_tpu": gains["TPUv3, printed"]["+ activation"],
        "ass_relu_ideal": gains["V100, ideal"]["+ activation"],
        "ass_fused_printed": gains["V100, printed"]["+ fused conv"],
        "ass_fused_ideal": gains["V100, ideal"]["+ fused conv"],
        "ass_stage4_v100": stages["V100"][4],
        "ass_stage5_v100": stages["V100"][5],
        "ass_stage5_h200": stages["H200"][5],
    }
    found = block_records()
    fused = fused_gains(found)
    fused = fused[fused.machine.str.endswith("fp32, batch 1")]
    if len(fused):
        machine = fused.machine.iloc[0]
        fused = fused[fused.machine == machine]
        table = single_choices(found)
        others = table[table.machine == machine].set_index("comparison")
        result |= {
            "ass_cpu": machine,
            "ass_cpu_low": (1 / fused.measured).min(),
            "ass_cpu_high": (1 / fused.measured).max(),
            "ass_cpu_flops_low": (1 / fused["by flops"]).min(),
            "ass_cpu_flops_high": (1 / fused["by flops"]).max(),
            "ass_cpu_faster": int((fused.low > 1).sum()),
            "ass_cpu_slower": int((fused.high < 1).sum()),
            "ass_cpu_pairs": len(fused),
            "ass_cpu_s2d": others.measured["space-to-depth, first two stages"],
            "ass_cpu_swish": others.measured["ReLU, not swish (MBConv), 28 × 28"],
            "ass_cpu_swish_fused": others.measured["ReLU, not swish (fused), 28 × 28"],
            "ass_cpu_se": others.measured["no squeeze-excite, 28 × 28"],
            "ass_wide_112": _wide_map(24, 112) / 1e6,
            "ass_wide_28": _wide_map(24, 28) / 1e6,
        }
        steps = measured_steps(found)
        steps = steps[steps.machine == machine].set_index("step").measured
        result |= {
            "ass_cpu_step_s2d": steps[HIDDEN_STEP],
            "ass_cpu_step_se": 1 / steps["+ space-to-depth"],
            "ass_cpu_step_fused": 1 / steps["+ fused conv"],
            "ass_cpu_step_relu": steps["+ activation"],
        }
    return result
