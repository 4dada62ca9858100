"""Judges of what this book found in public timings, before it set any threshold.

Source of the numbers: `repro.evidence.public`, some six hundred networks of timm on devices of
today, and the prices fitted to them (`repro.prices.law`). A finding holds as long as the table says
so; that it holds elsewhere nothing here shows. One multiply-add is one flop.
"""

from __future__ import annotations

from itertools import groupby
from math import log
from operator import attrgetter
from statistics import correlation, median
from typing import Annotated, Literal

from pydantic import Field

from repro.claims.claim import Claim
from repro.claims.judging import Points, between, holds, in_words, judge_function
from repro.evidence import public
from repro.evidence.printed import Quantity
from repro.prices import law

Devices = Literal["GPU", "CPU"]


def _settings(devices: Devices) -> list[public.Setting]:
    """The table's settings on GPUs, or on CPUs, by device."""
    cpu = devices == "CPU"
    return [s for s in public.settings() if s.device.startswith("cpu") == cpu]


def _r(setting: public.Setting, quantity: Quantity) -> float:
    """Pearson's r of the logarithms of time and of a count, over all networks of a setting."""
    rows = [row for row in public.public_timings() if setting in row.seconds]
    counts = [log(getattr(row, quantity)) for row in rows]
    return correlation(counts, [log(row.seconds[setting]) for row in rows])


@judge_function("public measurements")
def public_lead(claim: Claim, devices: Devices, leader: Quantity, over: Quantity) -> Points:
    """In every setting log time goes more closely with the log of one count than of another."""
    required = f"r of {in_words(leader)} above that of {in_words(over)}"
    for device, settings in groupby(_settings(devices), attrgetter("device")):
        found = [(_r(s, leader), _r(s, over)) for s in settings]
        a, b = min(found, key=lambda pair: pair[0] - pair[1])
        label = f"{device}, the closest of {len(found)} settings"
        yield holds(label, required, f"{a:.3f} against {b:.3f}", a > b)


@judge_function("public measurements")
def public_ratio(
    claim: Claim,
    device: str,
    pairs: list[tuple[str, str, int]],
    within: Annotated[float, Field(gt=0, lt=1)],
) -> Points:
    """Pairs of networks at equal pixels are equally fast in every setting of a device."""
    known = {(row.model, row.resolution): row for row in public.public_timings()}
    for first, second, pixels in pairs:
        a, b = known[first, pixels].seconds, known[second, pixels].seconds
        ratios = [b[s] / a[s] for s in a if s.device == device and s in b]
        farthest = max(ratios, key=lambda ratio: abs(log(ratio)))
        label = f"{first} against {second} at {pixels} pixels, the farthest of {len(ratios)}"
        yield between(label, 1 - within, 1 + within, farthest, ".3f", " times as fast")


def _prices(devices: Devices, mode: law.Mode | None = None) -> list[law.Price]:
    """By the law of two prices: in the table's settings, and on a GPU those of V100s."""
    table = {str(setting) for setting in _settings(devices)}
    v100 = "v100/" if devices == "GPU" else "none of a CPU"
    found = [p for p in law.published("two prices") if p.mode == (mode or p.mode)]
    return [p for p in found if p.setting in table or p.setting.startswith(v100)]


@judge_function("public measurements")
def act_price(claim: Claim, devices: Devices, low: float, high: float) -> Points:
    """In every setting one act costs as much as so many flops."""
    prices = _prices(devices)
    for which, name in ((min, "the fewest"), (max, "the most")):
        found = which(prices, key=lambda p: p.in_flops["acts"].value)
        value, least, most = found.in_flops["acts"]
        text = f"{value:.0f} ({least:.0f} to {most:.0f})"
        label = f"{name} in {len(prices)} settings, {found.setting}"
        yield holds(label, f"{low:g} to {high:g} flops an act", text, low <= value <= high)


@judge_function("public measurements")
def price_error(
    claim: Claim, devices: Devices, mode: law.Mode, at_most: Annotated[float, Field(gt=0, lt=1)]
) -> Points:
    """Times of families not seen are predicted from two prices with at most this median error."""
    prices = _prices(devices, mode)
    worst = max(prices, key=lambda p: p.errors["all"])
    middle = median(p.errors["all"] for p in prices)
    text = f"{100 * worst.errors['all']:.1f} %, and {100 * middle:.1f} % in the middle"
    label = f"the largest in {len(prices)} settings, {worst.setting}"
    yield holds(label, f"at most {100 * at_most:g} %", text, worst.errors["all"] <= at_most)
