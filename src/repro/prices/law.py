"""The law of prices: an image costs its flops, acts, writes, kernels, and a constant.

What a device charges was fitted (`repro.prices.fit`) to networks that others and this project have
timed, and stands in ``data/prices.yaml``. Reading and asking needs neither numpy nor torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

import yaml

from repro.errors import InputError, did_you_mean
from repro.paths import root
from repro.prices.counts import Counts
from repro.runtime.roofline import known_devices

LAWS: tuple[tuple[str, ...], ...] = (
    ("flops", "acts"),
    ("flops", "acts", "writes"),
    ("flops", "acts", "writes", "kernels"),
)
"""Counts that have a price, from the law of two prices on; every law has a constant too."""
UNITS = {"flops": 1e9, "acts": 1e6, "writes": 1e6, "kernels": 1e3, "constant": 1.0}
"""Prices are in milliseconds for so many."""
Mode = Literal["infer", "train"]


class Estimate(NamedTuple):
    """A value with the interval that nineteen in twenty resamples of whole families stay in."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Price:
    """What one device charges in one setting.

    Attributes:
        setting: the public table's name of it, or source and way. device: as users type it.
        compiled: by torch.compile or as a CUDA graph; eager otherwise.
        networks, families: that the fit has seen. gflops: the fewest and the most flops of them.
        ms: milliseconds by count, for as many as `UNITS` says, and ``constant``.
        in_flops: of each count but flops, how many flops cost as much as one.
        errors: median relative error of families that the fit has not seen, by kind, and ``all``.
    """

    setting: str
    device: str
    mode: Mode
    compiled: bool
    networks: int
    families: int
    gflops: tuple[float, float]
    ms: Mapping[str, Estimate]
    in_flops: Mapping[str, Estimate]
    errors: Mapping[str, float]

    @property
    def counts(self) -> tuple[str, ...]:
        """Which counts have a price."""
        return tuple(self.ms)[:-1]

    def error(self, kind: str) -> float:
        """The error to expect for a network of this kind; of all kinds where few were timed."""
        return self.errors.get(kind, self.errors["all"])


def milliseconds(price: Price, counts: Counts) -> float:
    """Predicted time of one image."""
    time = price.ms["constant"].value
    for name in price.counts:
        time += price.ms[name].value * getattr(counts, name) / UNITS[name]
    return time


def published(law: Literal["two prices", "best"] = "best") -> tuple[Price, ...]:
    """Every fitted setting, in the order of ``data/prices.yaml``.

    Under "two prices" a flop and an act alone have one; "best" has each further price that earned
    its place on families not seen.
    """
    return _read()[law]


@cache
def _read() -> dict[str, tuple[Price, ...]]:
    text = (root() / "data" / "prices.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    table: dict[str, dict[str, Any]] = yaml.load(text, loader)["settings"]
    return {
        law: tuple(_price(name, row, row.get(law) or row["two prices"]) for name, row in rows)
        for law, rows in (("two prices", table.items()), ("best", table.items()))
    }


def _price(setting: str, row: dict[str, Any], law: dict[str, Any]) -> Price:
    return Price(
        setting=setting,
        **row["timed"],
        ms={name: Estimate(*values) for name, values in law["ms"].items()},
        in_flops={name: Estimate(*values) for name, values in law["in flops"].items()},
        errors=law["errors"],
    )


ROOFLINE = "roofline:"


def devices() -> tuple[list[str], list[str]]:
    """Names of all devices that anything is known of: of fitted prices, and of rooflines."""
    priced = list(dict.fromkeys(p.device for p in published()))
    return priced, [ROOFLINE * (name.lower() in priced) + name for name in known_devices()]


def named(text: str) -> tuple[str, bool]:
    """A device as its table calls it, and whether its roofline is meant, not prices fitted to it.

    Capitals and spaces do not matter. ``roofline:V100`` asks for the roofline of a device that has
    prices too; where there are none, the name alone does.

    Raises:
        InputError: an unknown device; the nearest is suggested.
    """
    plain = text.replace(" ", "").lower()
    priced, rooflines = devices()
    if plain in priced:
        return plain, False
    for name in known_devices():
        if name.lower() == plain.removeprefix(ROOFLINE):
            return name, True
    if plain.endswith(".jsonl"):
        raise InputError(f"{text}: blocks of a space are no device here, but for `repro search`")
    raise InputError(
        f"unknown device {text!r}.{did_you_mean(text, [*priced, *rooflines])} Fitted prices: "
        f"{', '.join(priced)}; rooflines: {', '.join(rooflines)}"
    )


def other(text: str) -> str:
    """Of a device with prices, how its roofline is asked for, as prose says it; else nothing."""
    name, by_roofline = named(text)
    rooflines = {r.lower(): r for r in devices()[1]}
    if by_roofline or not (asked := rooflines.get(ROOFLINE + name)):
        return ""
    return f"; --device {asked} takes its roofline"


def fitted(device: str, mode: Mode = "infer", compiled: bool = False) -> Price:
    """Prices of a device; of several settings the one of least error, and of this way if any is.

    Raises:
        InputError: it has none in this mode.
    """
    right = [p for p in published() if (p.device, p.mode) == (device, mode)]
    if not right:
        modes = ", ".join(dict.fromkeys(p.mode for p in published() if p.device == device))
        raise InputError(f"device {device!r} has no prices for mode {mode!r}; allowed: {modes}")
    return min(right, key=lambda p: (p.compiled != compiled, p.errors["all"]))


def chosen(devices: Sequence[str], mode: Mode, compiled: bool) -> list[Price]:
    """The prices to predict with: of these devices, or where there is ``all`` of every one.

    Raises:
        InputError: no such device (the nearest is suggested), or nothing is fitted for one.
    """
    prices = published()
    known = list(dict.fromkeys(price.device for price in prices))
    devices = [device.replace(" ", "").lower() for device in devices]
    fits = [p for p in prices if (p.mode, p.compiled) == (mode, compiled)]
    way = f"{'training' if mode == 'train' else 'inference'}, {'compiled' if compiled else 'eager'}"
    if not fits:
        raise InputError(f"no device has prices for {way}")
    for device in devices:
        if device not in (*known, "all"):
            near = did_you_mean(device, known)
            raise InputError(f"unknown device {device!r}; known: {', '.join(known)}, all.{near}")
        if "all" not in devices and all(price.device != device for price in fits):
            others = dict.fromkeys(_flags(p) for p in prices if p.device == device)
            raise InputError(f"{device} has no prices for {way}; it has {' and '.join(others)}")
    return [price for price in fits if "all" in devices or price.device in devices]


def _flags(price: Price) -> str:
    what = "training" if price.mode == "train" else "inference"
    flags = " --train" * (price.mode == "train") + " --compile" * price.compiled
    return f"{what}, {'compiled' if price.compiled else 'eager'} ({flags.strip() or 'no flag'})"


def unlike(price: Price, counts: Counts, ms: float) -> str | None:
    """Why a network is unlike those that the prices come from, in a few words; None: it is not.

    ms: what is predicted for it.
    """
    low, high = price.gflops
    if counts.kind == "transformer":
        return "mostly transformer"
    if counts.flops < low * 1e9:
        return "tiny: less than any network timed"
    if counts.flops > high * 1e9:
        return "larger than any network timed"
    if price.ms["constant"].value > 0.5 * ms:
        return "tiny: mostly the constant"
    return None
