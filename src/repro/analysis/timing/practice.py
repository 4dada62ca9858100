"""Frames of the chapter "Fast scaling in practice": times, memory and money beside the paper's.

Source of the published values: Fast and Accurate Model Scaling, Figures 1, 4, 6, 8 and Tables 5 to
8. Machines differ, so times are compared relative to the unscaled EN-B0 of the same machine. One
multiply-add is one flop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from repro import reference
from repro.analysis.frames import family
from repro.analysis.scaling.alpha_family import rounded
from repro.analysis.timing.correlates import (
    UNSCALED,
    Timings,
    along,
    figure2,
    first,
    fitted,
    network_of,
    predict,
    recorded,
    short,
)
from repro.analysis.timing.figure2 import correlation
from repro.analysis.timing.predict import fit as fit_costs
from repro.analysis.timing.predict import held_out
from repro.analysis.timing.sets import IMAGENET_IMAGES
from repro.arch import get
from repro.complexity import complexity
from repro.errors import InputError
from repro.runtime.roofline import kernel_count

BASE = "EN-B0"
"""Times are relative to this network's."""
MEASURED, PREDICTED = "measured", "predicted"
FAR = 40
"""Flops relative to the base at which Figure 2's strategies are far apart."""


@dataclass(frozen=True)
class Printed:
    """A row of Tables 5 to 8 and the network that makes it."""

    model: str
    base: str
    strategy: str
    s: float
    gflops: float
    macts: float
    minutes: float
    error: float | None


@cache
def printed() -> tuple[Printed, ...]:
    """Tables 5 to 8 without repetitions, as the ledger pairs rows and networks.

    A row whose network is unknown (RegNetZ-4GF-224) is not there.
    """
    rows = {(r.table, r.model): r for r in reference.table_rows()}
    found: dict[tuple[str, str, float], Printed] = {}
    for known in reference.printed_networks():
        if not known.table.isdigit():
            continue
        row, base, s = rows[int(known.table), known.row], known.base, float(known.s or 1)
        strategy = known.strategy or UNSCALED
        found.setdefault(
            (base, strategy, s),
            Printed(
                model=f"EfficientNet-{row.model}" if row.model in ORIGINALS else row.model,
                base=base,
                strategy=strategy,
                s=s,
                gflops=float(row.gflops),
                macts=float(row.macts),
                minutes=float(row.epoch_minutes_8xv100),
                error=None if row.error_2x is None else float(row.error_2x),
            ),
        )
    return tuple(found.values())


ORIGINALS = frozenset({"B0", "B1", "B2", "B3", "B4", "B5"})


def _counted(rows: Sequence[Printed]) -> pd.DataFrame:
    """Counts of printed rows' networks, with the columns of `Timings.frame`."""
    table = []
    for row in rows:
        net = network_of(row.base, row.strategy, row.s)
        c = complexity(net)
        table.append(
            {
                "flops": c.flops / 1e9,
                "params": c.params / 1e6,
                "acts": c.acts / 1e6,
                "kernels": kernel_count(net),
            }
        )
    return pd.DataFrame(table)


def base_ms(timings: Timings) -> float:
    """Milliseconds of one image of the unscaled EN-B0 (the mean, where it is timed repeatedly).

    Raises:
        InputError: it was not timed.
    """
    table = timings.frame
    found = table[(table.base == BASE) & (table.s == 1)].ms
    if found.empty:
        raise InputError(f"{timings.title}: {BASE}, to which times are relative, was not timed")
    return float(found.mean())


def printed_beside(sets: Sequence[Timings]) -> pd.DataFrame:
    """Every printed network with its time relative to EN-B0, published and on each machine.

    What a machine did not time is predicted by `repro.analysis.timing.predict` from what it did.

    Returns:
        Columns model, family, base, strategy, s, gflops, macts, error (top-1 at 2x, percent),
        minutes (printed), paper (relative to B0), and for each set, by its machine's short name,
        the relative time, and in ``NAME how`` whether it is measured or predicted.
    """
    rows = printed()
    table = pd.DataFrame(
        {
            "model": [r.model for r in rows],
            "family": [family(r.base) for r in rows],
            "base": [r.base for r in rows],
            "strategy": [r.strategy for r in rows],
            "s": [r.s for r in rows],
            "gflops": [r.gflops for r in rows],
            "macts": [r.macts for r in rows],
            "error": [r.error for r in rows],
            "minutes": [r.minutes for r in rows],
        }
    )
    (b0,) = (float(p.epoch_minutes_8xv100) for p in reference.original_curve() if p.model == "B0")
    table["paper"] = table.minutes / b0
    counted = _counted(rows)
    for timings in sets:
        ms, how = _times(timings, rows, counted)
        table[short(timings)] = ms / base_ms(timings)
        table[f"{short(timings)} how"] = how
    return table


def _times(
    timings: Timings, rows: Sequence[Printed], counted: pd.DataFrame
) -> tuple[np.ndarray, list[str]]:
    """Milliseconds of each printed network, measured where it was, else predicted."""
    known = timings.frame.groupby(["base", "strategy", "s"]).ms.mean()
    predicted = predict(fitted(timings), counted)
    ms, how = [], []
    for row, guess in zip(rows, predicted, strict=True):
        key = (row.base, row.strategy, row.s)
        ms.append(float(known[key]) if key in known.index else float(guess))
        how.append(MEASURED if key in known.index else PREDICTED)
    return np.array(ms), how


def printed_table(beside: pd.DataFrame, sets: Sequence[Timings]) -> pd.DataFrame:
    """`printed_beside` for a page: predicted times carry a ≈."""
    out = beside[["model", "gflops", "macts", "error", "minutes", "paper"]].copy()
    for timings in sets:
        name = short(timings)
        out[name] = [
            f"{'≈ ' if how == PREDICTED else ''}{value:.1f}"
            for value, how in zip(beside[name], beside[f"{name} how"], strict=True)
        ]
    return out.rename(
        columns={
            "model": "network",
            "gflops": "flops, G",
            "macts": "acts, M",
            "error": "error, %",
            "paper": "V100s",
        }
    )


def prediction_check() -> pd.DataFrame:
    """The predictor where the truth is known: fitted to Figure 2, asked for Tables 5 to 8.

    Returns:
        Columns model, minutes (printed), predicted (minutes), ratio.
    """
    timings, rows = figure2(), printed()
    ms = predict(fitted(timings), _counted(rows))
    minutes = ms * IMAGENET_IMAGES / 60e3 / timings.devices
    said = np.array([r.minutes for r in rows])
    return pd.DataFrame(
        {
            "model": [r.model for r in rows],
            "minutes": said,
            "predicted": minutes,
            "ratio": minutes / said,
        }
    )


def unseen_strategy_error(timings: Timings) -> float:
    """Median relative error of a machine's predicted times, each strategy left out in turn."""
    names = {"flops": "gflops", "params": "mparams", "acts": "macts"}
    points = timings.frame.rename(columns=names)
    guess = held_out(points, "ms", ("gflops", "mparams", "macts", "kernels"), "strategy")
    return float((guess / points.ms - 1).abs().median())


# --------------------------------------------------------------------------------- curves


def published_curves() -> pd.DataFrame:
    """Figures 1, 4, 6 and 8: time relative to the unscaled EN-B0 along each curve.

    Returns:
        Columns panel (``"EN-B0"``: Figures 1, 4 and 6; ``"dWr"``: Figure 8), curve (strategy or
        base), flops (G), relative, error (top-1, percent; NaN: not plotted there).
    """
    rows: list[dict[str, object]] = []
    names = {"2/3": "alpha=2/3"}
    points = [p for p in reference.figure_points() if p.epoch_minutes_8xv100 is not None]
    small = [p for p in points if p.base == BASE and set(p.figure.split(";")) & {"4", "6"}]
    (start,) = {float(p.epoch_minutes_8xv100 or 0) for p in small if p.scale == 1}
    for p in small:
        rows.append(
            {
                "panel": BASE,
                "curve": names.get(p.strategy, p.strategy),
                "flops": float(p.gflops),
                "relative": float(p.epoch_minutes_8xv100 or 0) / start,
                "error": float(p.top1_error_percent),
            }
        )
    figure1 = [p for p in reference.epoch_time_points() if p.strategy == "dw"]
    (first_minutes,) = (float(p.epoch_minutes_8xv100) for p in figure1 if p.scale == 1)
    for q in figure1:
        if q.gflops < 5:  # as far as the other curves of the panel
            relative = float(q.epoch_minutes_8xv100) / first_minutes
            rows.append(
                {"panel": BASE, "curve": "dw", "flops": float(q.gflops), "relative": relative}
            )
    for p in points:
        if p.figure == "8":
            rows.append(
                {
                    "panel": "dWr",
                    "curve": p.base,
                    "flops": float(p.gflops),
                    "relative": float(p.epoch_minutes_8xv100 or 0) / start,
                    "error": float(p.top1_error_percent),
                }
            )
    for o in reference.original_curve():
        rows.append(
            {
                "panel": "dWr",
                "curve": "orig",
                "flops": float(o.gflops),
                "relative": float(o.epoch_minutes_8xv100) / start,
                "error": float(o.top1_error_percent),
            }
        )
    return pd.DataFrame(rows)


def recorded_curves(timings: Timings) -> pd.DataFrame:
    """The same curves from one machine's timings; columns as in `published_curves`, no errors."""
    start = base_ms(timings)
    curves = along(timings)
    curves = curves[curves.s >= 1]
    small = curves[(curves.base == BASE) & (curves.flops < 5)]
    large = curves[curves.strategy == "dWr"]
    table = timings.frame
    originals = table[table.base.isin([f"EN-{b}" for b in sorted(ORIGINALS)])]
    originals = originals[originals.strategy == UNSCALED]
    parts = [
        small.assign(panel=BASE, curve=small.strategy),
        large.assign(panel="dWr", curve=large.base),
    ]
    if len(originals) > 1:
        parts.append(originals.assign(panel="dWr", curve="orig"))
    out = pd.concat(parts, ignore_index=True)
    out["relative"] = out.ms / start
    return out[["panel", "curve", "flops", "relative"]]


# ------------------------------------------------------------------- one network, two machines


def same_networks(sets: Sequence[Timings]) -> pd.DataFrame:
    """Networks of Figure 2 that a machine timed too: time relative to the base on both.

    Returns:
        Long form: machine, base, family, strategy, s, flops and acts (relative to the base),
        paper, ours (time relative to the base).
    """
    theirs = figure2().frame
    unscaled = theirs[theirs.s == 1].groupby("base").ms.mean()
    rows = []
    for timings in sets:
        table = timings.frame
        keys, costs = ["base", "strategy", "s"], ["flops", "acts", "ms"]
        start = table[table.strategy == UNSCALED].drop_duplicates("base").set_index("base")[costs]
        start = start.rename(columns={c: f"{c}_base" for c in costs})
        both = theirs[theirs.s != 1].merge(table[[*keys, *costs]], on=keys, suffixes=("_", ""))
        both = both.join(start, on="base").dropna(subset=["ms_base"])
        rows.append(
            pd.DataFrame(
                {
                    "machine": short(timings),
                    "base": both.base,
                    "family": both.family,
                    "strategy": both.strategy,
                    "s": both.s,
                    "flops": both.flops / both.flops_base,
                    "acts": both.acts / both.acts_base,
                    "paper": both.ms_ / both.base.map(unscaled),
                    "ours": both.ms / both.ms_base,
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def same_table(same: pd.DataFrame, scales: tuple[float, float] = (2, 4)) -> pd.DataFrame:
    """`same_networks` for a page: one row per network, a column per machine.

    Args:
        scales: smallest and largest s to show.
    """
    keys = ["base", "strategy", "s"]
    same = same[same.s.between(*scales)]
    wide = same.pivot_table(index=keys, columns="machine", values="ours", sort=False)
    left = same.drop_duplicates(keys).set_index(keys)[["flops", "acts", "paper"]]
    table = left.join(wide).reset_index()
    return table.rename(columns={"base": "network", "paper": "V100s"})


def speedups(sets: Sequence[Timings], factor: float) -> pd.DataFrame:
    """How many times as fast as dwr other strategies are at equal flops.

    Args:
        factor: flops relative to the unscaled network; times are interpolated between the
            networks timed, linearly in the logarithms.

    Returns:
        Long form: machine, base, strategy (dWr or w), speedup, acts (dwr's over the strategy's).
        Curves that do not reach the factor are left out.
    """
    rows = []
    for timings in sets:
        curves = along(timings)
        for base, table in curves.groupby("base", sort=False):
            start = table[table.s == 1].flops.mean()
            at = {
                strategy: _at(part.assign(x=part.flops / start), factor)
                for strategy, part in table.groupby("strategy", sort=False)
            }
            for strategy in ("dWr", "w"):
                slow, fast = at.get("dwr"), at.get(strategy)
                if slow and fast:
                    rows.append(
                        {
                            "machine": short(timings),
                            "base": base,
                            "strategy": strategy,
                            "speedup": slow["ms"] / fast["ms"],
                            "acts": slow["acts"] / fast["acts"],
                        }
                    )
    return pd.DataFrame(rows, columns=["machine", "base", "strategy", "speedup", "acts"])


def _at(curve: pd.DataFrame, factor: float) -> dict[str, float] | None:
    """Time and acts of a curve at relative flops ``x``; None where it does not reach."""
    line = curve.groupby("x", as_index=False)[["ms", "acts"]].mean().sort_values("x")
    if len(line) < 2 or not line.x.min() <= factor <= line.x.max():
        return None
    x = np.log(line.x)
    return {c: float(np.exp(np.interp(np.log(factor), x, np.log(line[c])))) for c in ("ms", "acts")}


def speedup_table(found: pd.DataFrame) -> pd.DataFrame:
    """`speedups` for a page: a row per network and strategy, a column per machine."""
    wide = found.pivot_table(
        index=["strategy", "base"], columns="machine", values="speedup", sort=False
    )
    wide = wide[list(found.machine.unique())]
    acts = found.drop_duplicates(["strategy", "base"]).set_index(["strategy", "base"]).acts
    table = wide.join(acts.rename("acts, dwr over it")).reset_index()
    return table.rename(columns={"base": "network"}).sort_values("strategy", kind="stable")


# --------------------------------------------------------------------------------- memory


def memory_sets() -> list[Timings]:
    """Of each machine the training times whose memory is compared: at one batch where there are."""
    found: dict[str, Timings] = {}
    for timings in recorded():
        known = timings.mode != "infer" and timings.frame.memory_mb.notna().all()
        fixed = timings.frame.batch.nunique() == 1
        if known and (timings.machine not in found or fixed):
            before = found.get(timings.machine)
            if before is None or before.frame.batch.nunique() > 1:
                found[timings.machine] = timings
    return list(found.values())


def memory_table(sets: Sequence[Timings]) -> pd.DataFrame:
    """Where the memory of a training step goes: bytes per act and image, and per param.

    A non-negative fit on relative errors, as that of times.

    Returns:
        Columns timings, networks, bytes per act, bytes per param, rest (MB), error (median,
        percent), r (Pearson, of memory and acts).
    """
    rows = []
    for timings in sets:
        table = timings.frame
        whole = table.assign(
            memory=table.memory_mb * table.batch, macts=table.acts * table.batch
        ).rename(columns={"params": "mparams"})
        found = fit_costs(whole, "memory", ("macts", "mparams"))
        error = (found.predict(whole) / whole.memory - 1).abs().median()
        rows.append(
            {
                "timings": timings.title,
                "networks": len(table),
                "bytes per act": found.costs["macts"],
                "bytes per param": found.costs["mparams"],
                "rest, MB": found.constant,
                "error, %": 100 * float(error),
                "r with acts": correlation(table.acts, table.memory_mb),
            }
        )
    return pd.DataFrame(rows)


# ---------------------------------------------------------------------------------- money


def costs(
    sets: Sequence[Timings], networks: Sequence[str], price: float, epochs: int
) -> pd.DataFrame:
    """What an ImageNet epoch, and a training, takes and costs on each machine.

    Args:
        networks: zoo names. price: of one hour of one device. epochs: of the training.

    Returns:
        One row per network and machine: network, machine, devices, minutes (of an epoch),
        device-hours (of an epoch), kWh (of an epoch; NaN: power was not recorded), training
        (device-hours), cost (of the training).
    """
    by_base = {r.base: r for r in printed() if r.strategy == UNSCALED}
    rows = []
    for name in networks:
        net = get(name).name
        if net in by_base:
            rows.append(_cost(net, "V100", 8, by_base[net].minutes, None, price, epochs))
        for timings in sets:
            table = timings.frame
            mine = table[(table.base == net) & (table.strategy == UNSCALED)]
            if len(mine):
                one = mine.iloc[0]
                joules = None if pd.isna(one.joules) else float(one.joules)
                rows.append(
                    _cost(net, short(timings), 1, float(one.minutes), joules, price, epochs)
                )
    columns = [
        "network",
        "machine",
        "devices",
        "minutes",
        "device-hours",
        "kWh",
        "training",
        "cost",
    ]
    return pd.DataFrame(rows, columns=columns)


def _cost(
    network: str,
    machine: str,
    devices: int,
    minutes: float,
    joules: float | None,
    price: float,
    epochs: int,
) -> dict[str, object]:
    hours = devices * minutes / 60
    return {
        "network": network,
        "machine": machine,
        "devices": devices,
        "minutes": minutes,
        "device-hours": hours,
        "kWh": float("nan") if joules is None else joules * IMAGENET_IMAGES / 3.6e6,
        "training": epochs * hours,
        "cost": epochs * hours * price,
    }


def break_even(table: pd.DataFrame) -> pd.DataFrame:
    """For each other machine, the share of a V100's hourly price at which it costs as much.

    Args:
        table: from `costs`.

    Returns:
        Columns network, machine, share.
    """
    others = table[table.machine != "V100"]
    v100 = table[table.machine == "V100"].set_index("network")["device-hours"]
    out = others[["network", "machine"]].assign(
        share=others.network.map(v100) / others["device-hours"]
    )
    return out.dropna().reset_index(drop=True)


def energy_status(table: pd.DataFrame) -> str:
    """One sentence, in Markdown: whose energy is known."""
    if table.empty:
        return "No machine has timed these networks."
    known = table[table.kWh.notna()].machine.unique()
    missing = [m for m in table.machine.unique() if m not in set(known)]
    text = f"Energy was recorded on {', '.join(known)}. " if len(known) else ""
    return text + f"No power is known for {' and '.join(missing)}." * bool(missing)


# ------------------------------------------------------------------------------ key numbers


def practice_numbers(
    sets: Sequence[Timings],
    beside: pd.DataFrame,
    fast: pd.DataFrame,
    same: pd.DataFrame,
    memory: pd.DataFrame,
    money: pd.DataFrame,
) -> Mapping[str, float]:
    """What the prose quotes, by glue name; about the CPU where one is recorded.

    Args:
        sets: training times. beside: from `printed_beside`. fast: from `speedups`. same: from
            `same_networks`. memory: from `memory_table`. money: from `costs`.
    """
    out: dict[str, float] = {"fsp_printed": len(beside), "fsp_images": IMAGENET_IMAGES}
    out["fsp_b0_minutes"] = float(beside[beside.model == "EfficientNet-B0"].minutes.iloc[0])
    check = prediction_check()
    out["fsp_check_error"] = 100 * float((check.ratio - 1).abs().median())
    out["fsp_check_worst"] = 100 * float((check.ratio - 1).abs().max())
    farthest = speedups([figure2()], FAR)
    farthest = farthest[farthest.strategy == "dWr"]
    out["fsp_far"] = FAR
    out["fsp_far_low"] = float(farthest.speedup.min())
    out["fsp_far_high"] = float(farthest.speedup.max())
    b4 = beside[beside.model == "EfficientNet-B4"].iloc[0]
    out["fsp_b4_v100"] = float(b4.paper)
    cpu = first(sets, "cpu")
    for name, machine in (("v100", "V100"), ("cpu", short(cpu) if cpu else "")):
        mine = fast[(fast.machine == machine)]
        for strategy in ("dWr", "w"):
            found = mine[mine.strategy == strategy].speedup
            if len(found):
                out[f"fsp_{name}_{strategy}_low"] = float(found.min())
                out[f"fsp_{name}_{strategy}_high"] = float(found.max())
    if cpu is None:
        return rounded(out)
    name = short(cpu)
    how = beside[f"{name} how"]
    out["fsp_measured"] = int((how == MEASURED).sum())
    out["fsp_b4_cpu"] = float(b4[name])
    out["fsp_rank"] = correlation(beside.paper, beside[name], rank=True)
    out["fsp_unseen"] = 100 * unseen_strategy_error(cpu)
    mine = same[same.machine == name]
    out["fsp_same_n"] = len(mine)
    out["fsp_same_r"] = correlation(np.log(mine.paper), np.log(mine.ours))
    out["fsp_same_ratio"] = float(np.exp(np.log(mine.ours / mine.paper).mean()))
    row = memory[memory.timings.str.startswith(name)].iloc[0]
    out["fsp_act_bytes"], out["fsp_param_bytes"] = row["bytes per act"], row["bytes per param"]
    out["fsp_memory_r"] = row["r with acts"]
    b0 = money[(money.network == BASE) & (money.machine == name)]
    if len(b0):
        out["fsp_b0_hours"] = float(b0["device-hours"].iloc[0])
        even = break_even(money)
        share = even[even.machine == name].share
        out["fsp_share_low"], out["fsp_share_high"] = float(share.min()), float(share.max())
    return rounded(out)
