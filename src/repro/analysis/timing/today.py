"""The public timings of today's devices as sets, and what two prices make of them.

Prices are those of `repro.prices`: time = price of a flop x flops + price of an act x acts + a
constant. Intervals redraw whole families, or curves. One multiply-add is one flop.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from repro import reference
from repro.analysis.accelerators.efficientnet_x import speedups
from repro.analysis.timing.correlates import QUANTILES, curves, lead
from repro.analysis.timing.sets import IMAGENET_IMAGES, UNSCALED, Timings, short
from repro.evidence.public import Setting, public_timings, settings
from repro.prices import fit, sources
from repro.prices.law import Estimate, Price, milliseconds, published
from repro.records import Mode

DEVICES: Mapping[str, str] = {
    "rtx3090": "RTX 3090",
    "rtx4090": "RTX 4090",
    "rtx5090": "RTX 5090",
    "pro6000maxq": "RTX PRO 6000",
    "cpu_i9_10940x": "Core i9-10940X",
    "cpu_i7_12700h": "Core i7-12700H",
}
"""What the public table's devices are called."""


def way(setting: Setting) -> str:
    """What was timed, in words: ``"compiled"``, ``"eager, NHWC"``, ``"training"``."""
    first = "compiled" if setting.mode == "inductor" else "eager"
    first = "training" if setting.what == "train" else first
    return first + (", NHWC" if setting.layout == "nhwc" else "")


def newest() -> list[Setting]:
    """Of each device and way the setting with the newest torch; of half precisions, amp."""
    found: dict[tuple[str, str], Setting] = {}
    for setting in settings():
        if setting.dtype in ("amp", "fp32"):
            key = (setting.device, way(setting))
            rival = found.get(key, setting)
            found[key] = max(rival, setting, key=lambda s: [int(n) for n in s.torch.split(".")])
    return list(found.values())


@cache
def _public() -> dict[str, tuple[sources.Timed, ...]]:
    return {timings.setting: timings.networks for timings in sources.public()}


def timings(setting: Setting) -> Timings:
    """The networks of one setting: ``base`` is timm's name, a family one of its source files."""
    sizes = {f"{row.model} {row.resolution}": row for row in public_timings()}
    rows = [
        {
            "model": timed.name,
            "base": sizes[timed.name].model,
            "family": timed.family,
            "strategy": UNSCALED,
            "s": 1.0,
            "flops": timed.counts.flops / 1e9,
            "params": sizes[timed.name].mparams,
            "acts": timed.counts.acts / 1e6,
            "ms": 1e3 * timed.seconds,
        }
        for timed in _public()[str(setting)]
    ]
    device = DEVICES[setting.device]
    mode: Mode = "step" if setting.what == "train" else "infer"
    title = f"{device}, {way(setting)}"
    return Timings(title, "published", device, mode, None, pd.DataFrame(rows))


def standing(sets: Iterable[tuple[Timings, str, Price | None]], draws: int) -> pd.DataFrame:
    """How acts stand to flops: their `lead` in logarithms, and what one costs in flops.

    sets: each with the way in which it was timed, and its prices; None: fitted here.
    """
    rows = []
    for one, how, prices in sets:
        table = one.frame
        groups = curves(table) if table.strategy.nunique() > 1 else table.family
        found = lead(table, groups, draws, logs=True)
        row: dict[str, object] = {"timings": one.title, "device": short(one), "way": how}
        row |= {c: found[c] for c in ("flops", "params", "acts", "lead")}
        row |= {"lead_low": found["low"], "lead_high": found["high"]}
        estimate = prices.in_flops["acts"] if prices else _price_of_acts(table, groups)
        row |= {"price": estimate.value, "price_low": estimate.low, "price_high": estimate.high}
        rows.append(row | {"error": prices.errors["all"] if prices else float("nan")})
    return pd.DataFrame(rows)


def _price_of_acts(table: pd.DataFrame, groups: pd.Series) -> Estimate:
    counts, ms = table[["flops", "acts"]].to_numpy(float), table.ms.to_numpy(float)
    flop, act, _ = fit.fit(counts, ms)
    drawn = fit.resampled(counts, ms, list(groups))
    with np.errstate(divide="ignore", invalid="ignore"):  # a fit may find flops free
        low, high = np.nanquantile(1e3 * drawn[:, 1] / drawn[:, 0], QUANTILES, method="nearest")
    return Estimate(1e3 * act / flop, float(low), float(high))


class Change(NamedTuple):
    """A factor and its interval."""

    factor: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.factor:.2f} ({self.low:.2f}–{self.high:.2f})".replace(
            " ", "\N{NO-BREAK SPACE}"
        )


def changes(old: Setting, new: Setting) -> dict[str, Change]:
    """Factors from one setting to another: on the prices of an act and a flop, and on their ratio.

    Over networks timed in both, whose families are redrawn alike in both. time: on the median
    network's, without an interval.
    """
    one, other = (timings(s).frame.set_index("model") for s in (old, new))
    both = one.assign(new=other.ms).dropna(subset="new")
    counts, families = both[["flops", "acts"]].to_numpy(float), list(both.family)
    laws = [fit.fit(counts, both[t].to_numpy()) for t in ("ms", "new")]
    drawn = [fit.resampled(counts, both[t].to_numpy(), families)[:, :2] for t in ("ms", "new")]
    (flop, act), (flops, acts) = laws[1][:2] / laws[0][:2], (drawn[1] / drawn[0]).T
    found = {"act": (act, acts), "flop": (flop, flops), "price": (act / flop, acts / flops)}
    return {
        name: Change(float(value), *map(float, np.nanquantile(values, QUANTILES)))
        for name, (value, values) in found.items()
    } | {"time": Change((both.new / both.ms).median(), float("nan"), float("nan"))}


def taken(setting: Setting) -> pd.Series:
    """Time over what the two prices of a setting predict, by name and image size."""
    price = next(p for p in published("two prices") if p.setting == str(setting))
    ratios = {
        t.name: 1e3 * t.seconds / milliseconds(price, t.counts) for t in _public()[str(setting)]
    }
    return pd.Series(ratios)


def odd_ones(groups: Mapping[str, str], shown: Sequence[Setting]) -> pd.DataFrame:
    """Median of `taken` of groups of networks, a column for each setting; NaN: none was timed.

    groups: a title, and a regular expression that timm's names of its networks match.
    """
    ratios = [taken(setting) for setting in shown]
    rows = []
    for title, pattern in groups.items():
        mine = [r[r.index.str.contains(pattern)] for r in ratios]
        names = {name.partition(" ")[0] for r in mine for name in r.index}
        rows.append([title, len(names), *(r.median() for r in mine)])
    return pd.DataFrame(rows, columns=["networks", "count", *(timings(s).title for s in shown)])


X_PAIRS: Mapping[str, tuple[str, str]] = {
    "B3": ("efficientnet_x_b3 288", "efficientnet_b3 288"),
    "B5": ("efficientnet_x_b5 448", "efficientnet_b5 448"),
}
"""Levels at which the table has EfficientNet-X and EfficientNet on images of one size."""


def x_speedups() -> pd.DataFrame:
    """How many times as fast EfficientNet-X is as EfficientNet: measured, and by two prices.

    V100: the paper's Figure 3, X grown by EfficientNet's scaling, as timm's is.
    """
    drawn = speedups()
    bars = drawn[drawn.device == "V100"].set_index("level").single
    rows: list[dict[str, object]] = [{"timings": "V100", **{v: bars[v] for v in X_PAIRS}}]
    for setting in newest():
        table = timings(setting).frame.set_index("model")
        if all(name in table.index for pair in X_PAIRS.values() for name in pair):
            law = table.ms / taken(setting)
            row: dict[str, object] = {"timings": timings(setting).title}
            for level, (x, plain) in X_PAIRS.items():
                row[level] = table.ms[plain] / table.ms[x]
                row[f"{level}, by prices"] = law[plain] / law[x]
            rows.append(row)
    return pd.DataFrame(rows)


def early_convolutions() -> pd.DataFrame:
    """Table 2 of "Early Convolutions": ms of one image on one V100, with the printed counts."""
    table = reference.to_frame(reference.early_convolutions())
    counts = {"gflops": "flops", "mparams": "params", "macts": "acts"}
    table = table.rename(columns=counts | {"epoch_minutes_8xv100": "minutes"})
    table["family"] = table.model.str.rpartition("-")[0]
    table["ms"] = table.minutes.astype(float) * 8 * 60e3 / IMAGENET_IMAGES
    return table.astype(dict.fromkeys(counts.values(), float))
