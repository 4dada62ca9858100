"""Judges of what this book found in public timings, before it set any threshold.

Source of the numbers: `repro.evidence.public`, some six hundred networks of timm on devices of
today. A finding holds as long as the table says so; that it holds elsewhere nothing here shows.
One multiply-add is one flop.
"""

from __future__ import annotations

from itertools import groupby
from math import log
from operator import attrgetter
from statistics import correlation
from typing import Annotated, Literal

from pydantic import Field

from repro.claims.claim import Claim
from repro.claims.judging import Points, between, holds, in_words, judge_function
from repro.evidence import public
from repro.evidence.printed import Quantity

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


@judge_function
def public_lead(claim: Claim, devices: Devices, leader: Quantity, over: Quantity) -> Points:
    """In every setting log time goes more closely with the log of one count than of another."""
    required = f"r of {in_words(leader)} above that of {in_words(over)}"
    for device, settings in groupby(_settings(devices), attrgetter("device")):
        found = [(_r(s, leader), _r(s, over)) for s in settings]
        a, b = min(found, key=lambda pair: pair[0] - pair[1])
        label = f"{device}, the closest of {len(found)} settings"
        yield holds(label, required, f"{a:.3f} against {b:.3f}", a > b)


@judge_function
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
