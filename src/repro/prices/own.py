"""Prices of a reader's own device, from a file of records."""

from __future__ import annotations

from pathlib import Path

from repro.errors import InputError
from repro.prices.fit import FEWEST, price
from repro.prices.law import Mode, Price
from repro.prices.sources import recorded
from repro.stored import read


def own_price(file: Path, mode: Mode, compiled: bool) -> Price:
    """The prices that a file of timings gives, by the way of timing that has most networks.

    Raises:
        InputError: too few whole networks in this mode, or timings of two machines.
    """
    fitting = [t for t in recorded(read(file)) if (t.mode, t.compiled) == (mode, compiled)]
    machines = list(dict.fromkeys(t.device for t in fitting))
    if len(machines) > 1:
        raise InputError(f"{file} has timings of {' and '.join(machines)}; one machine is allowed")
    most = len(fitting[0].networks) if fitting else 0
    if most < FEWEST:
        what = "training" if mode == "train" else "inference"
        way = f"{what}, {'compiled' if compiled else 'eager'}"
        raise InputError(
            f"{file} has {most} whole networks timed in one way ({way}); {FEWEST} are needed"
        )
    return price(fitting[0])
