"""What scaling costs in practice: time, memory and money on V100s and on this project's machines.

Source of the published values: Fast and Accurate Model Scaling, Figures 1, 4, 6, 8 and Tables 5 to
8. Machines differ, so times are compared relative to the unscaled EN-B0 of the same machine. One
multiply-add is one flop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from repro import reference
from repro.analysis.timing.correlates import correlation
from repro.analysis.timing.predict import fit
from repro.analysis.timing.sets import UNSCALED, V100, Timings, along, recorded, short
from repro.arch import get
from repro.errors import InputError

BASE = "EN-B0"
"""Times are relative to this network's."""


def base_ms(timings: Timings) -> float:
    """Milliseconds of one image of the unscaled EN-B0 (the mean, where it is timed repeatedly).

    Raises:
        InputError: it was not timed.
    """
    table = timings.frame
    ms = table[(table.base == BASE) & (table.s == 1)].ms
    if ms.empty:
        raise InputError(f"{timings.title}: {BASE}, to which times are relative, was not timed")
    return float(ms.mean())


def published_curves() -> pd.DataFrame:
    """Figures 1, 4, 6 and 8: time relative to the unscaled EN-B0 along each curve, flops in G."""
    timed = [p for p in reference.figure_points() if p.epoch_minutes_8xv100 is not None]
    points: list[tuple[str, str, Any]] = []
    for p in timed:
        if p.figure == "8":
            points.append(("dWr", p.base, p))
        elif p.base == BASE:
            points.append((BASE, "alpha=2/3" if p.strategy == "2/3" else p.strategy, p))
    # Figure 1's dw, as far as the other curves of the panel
    points += [
        (BASE, "dw", q)
        for q in reference.epoch_time_points()
        if q.strategy == "dw" and q.gflops < 5
    ]
    points += [("dWr", "orig", o) for o in reference.original_curve()]
    start = next(float(p.epoch_minutes_8xv100 or 0) for p in timed if p.base == BASE)
    return pd.DataFrame(
        [
            (panel, curve, float(p.gflops), float(p.epoch_minutes_8xv100) / start)
            for panel, curve, p in points
        ],
        columns=["panel", "curve", "flops", "relative"],
    )


def recorded_curves(timings: Timings) -> pd.DataFrame:
    """The same curves from one machine's timings; columns as in `published_curves`."""
    curves, table = along(timings), timings.frame
    small = curves[(curves.base == BASE) & (curves.flops < 5)]
    large = curves[curves.strategy == "dWr"]
    parts = [small.assign(panel=BASE, curve=small.strategy)]
    parts += [large.assign(panel="dWr", curve=large.base)]
    named = [f"EN-{o.model}" for o in reference.original_curve()]
    originals = table[table.base.isin(named) & (table.strategy == UNSCALED)]
    if len(originals) > 1:
        parts.append(originals.assign(panel="dWr", curve="orig"))
    joined = pd.concat(parts, ignore_index=True)
    joined["relative"] = joined.ms / base_ms(timings)
    return joined.loc[joined.s >= 1, ["panel", "curve", "flops", "relative"]]


def speedups(sets: Sequence[Timings], factor: float) -> pd.DataFrame:
    """How many times as fast as dwr other strategies are at ``factor`` times the base's flops.

    Times are interpolated between the networks timed, linearly in the logarithms; curves that do
    not reach the factor are left out. acts: dwr's over the strategy's.
    """
    rows = []
    for timings in sets:
        for base, table in along(timings).groupby("base", sort=False):
            start = table[table.s == 1].flops.mean()
            at = {
                strategy: _at(part.assign(x=part.flops / start), factor)
                for strategy, part in table.groupby("strategy", sort=False)
            }
            for strategy in ("dWr", "w"):
                slow, fast = at.get("dwr"), at.get(strategy)
                if slow and fast:
                    ratios = (slow[c] / fast[c] for c in ("ms", "acts"))
                    rows.append((short(timings), base, strategy, *ratios))
    return pd.DataFrame(rows, columns=["machine", "base", "strategy", "speedup", "acts"])


def _at(curve: pd.DataFrame, factor: float) -> dict[str, float] | None:
    """Time and acts of a curve at relative flops ``x``; None where it does not reach."""
    line = curve.groupby("x", as_index=False)[["ms", "acts"]].mean().sort_values("x")
    if len(line) < 2 or not line.x.min() <= factor <= line.x.max():
        return None
    x = np.log(line.x)
    return {c: float(np.exp(np.interp(np.log(factor), x, np.log(line[c])))) for c in ("ms", "acts")}


def speedup_table(fast: pd.DataFrame) -> pd.DataFrame:
    """`speedups` as a row per strategy and network, with a column per machine."""
    keys = ["strategy", "base"]
    wide = fast.pivot_table(index=keys, columns="machine", values="speedup", sort=False)
    wide = wide[list(fast.machine.unique())]
    # two machines interpolate between other networks: the first one's acts
    acts = fast.drop_duplicates(keys).set_index(keys).acts
    table = wide.join(acts.rename("acts, dwr over it")).reset_index()
    return table.rename(columns={"base": "network"}).sort_values("strategy", kind="stable")


def memory_sets() -> list[Timings]:
    """Of each machine the training times whose memory is compared: at one batch where there are."""
    chosen: dict[str, Timings] = {}
    for timings in recorded():
        if timings.mode != "infer" and timings.frame.memory_mb.notna().all():
            several = (
                timings.machine in chosen and chosen[timings.machine].frame.batch.nunique() > 1
            )
            if timings.machine not in chosen or (several and timings.frame.batch.nunique() == 1):
                chosen[timings.machine] = timings
    return list(chosen.values())


def memory_table(sets: Sequence[Timings]) -> pd.DataFrame:
    """Where the memory of a training step goes: bytes per act and image, and per param.

    A non-negative fit on relative errors, as that of times. rest: MB; error: median, percent; r:
    Pearson's, of an image's memory and acts.
    """
    rows = []
    for timings in sets:
        table = timings.frame
        step = table.assign(memory=table.memory_mb * table.batch, acts=table.acts * table.batch)
        found = fit(step, "memory", ("acts", "params"))
        rows.append(
            {
                "timings": timings.title,
                "bytes per act": found.costs["acts"],
                "bytes per param": found.costs["params"],
                "rest, MB": found.constant,
                "error, %": 100 * float((found.predict(step) / step.memory - 1).abs().median()),
                "r": correlation(table.acts, table.memory_mb),
            }
        )
    return pd.DataFrame(rows)


def printed_minutes() -> dict[str, float]:
    """Epoch minutes on eight V100s of Tables 5 to 8, by the name that they print."""
    return {r.model: float(r.epoch_minutes_8xv100) for r in reference.table_rows()}


def _minutes_of_bases() -> dict[str, float]:
    """The same of unscaled networks, by their names in the zoo."""
    printed = printed_minutes()
    rows = [n for n in reference.printed_networks() if n.row in printed and not n.s]
    return {n.base: printed[n.row] for n in rows}


def costs(
    sets: Sequence[Timings], networks: Sequence[str], price: float, epochs: int
) -> pd.DataFrame:
    """What training on ImageNet takes and costs on each machine; price: of one device's hour.

    minutes: of an epoch; hours: of all devices together, of the training; share: of the price of a
    V100's hour at which the training costs the same. Networks that a machine did not time are left
    out.
    """
    printed, rows = _minutes_of_bases(), []
    for name in networks:
        net = get(name).name
        known = printed.get(net)
        timed = [] if known is None else [(V100, 8, known)]
        for timings in sets:
            table = timings.frame
            mine = table[(table.base == net) & (table.strategy == UNSCALED)]
            timed += [(short(timings), 1, float(m)) for m in mine.minutes]
        for machine, devices, minutes in timed:
            hours = devices * minutes / 60
            share = float("nan") if known is None else 8 * known / 60 / hours
            training = (epochs * hours, epochs * hours * price)
            rows.append((net, machine, devices, minutes, *training, share))
    columns = ["network", "machine", "devices", "minutes", "hours", "cost", "share"]
    return pd.DataFrame(rows, columns=columns)
