"""Budgets as people write them: ``5ms``, ``10GF``, ``50Macts``, ``8GB``, ``2x``."""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple

from repro.errors import InputError, did_you_mean

What = Literal["time", "flops", "acts", "params", "memory", "times"]
UNITS: dict[str, tuple[float, What]] = {
    "us": (1e-6, "time"),
    "ms": (1e-3, "time"),
    "s": (1.0, "time"),
    "MF": (1e6, "flops"),
    "GF": (1e9, "flops"),
    "TF": (1e12, "flops"),
    "Kacts": (1e3, "acts"),
    "Macts": (1e6, "acts"),
    "Gacts": (1e9, "acts"),
    "Mparams": (1e6, "params"),
    "MB": (1e6, "memory"),
    "GB": (1e9, "memory"),
    "x": (1.0, "times"),
}
"""What each unit is worth: in seconds, in counts of one image, in bytes, in times the base."""
_WRITTEN = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+) ?([A-Za-z]+)")


KEPT, STATE = 4.5, 12
"""Training keeps about so many times the acts, and so many bytes a parameter: weights, gradients
and momentum in single precision; as `repro.runtime.estimates` has it."""


ROUNDING = 1e-9
"""A cost that exceeds a limit by no more of it keeps to it: sums in another order differ so."""


def fits(cost: Any, limit: float) -> Any:
    """Whether a cost keeps to a limit, or which of an array do."""
    return cost <= limit * (1 + ROUNDING)


class Budget(NamedTuple):
    """A limit, of what, and as it was written."""

    limit: float
    what: What
    text: str

    def shown(self, value: float) -> str:
        """Another value in the unit of this budget: ``4.7 ms``."""
        unit = _WRITTEN.fullmatch(self.text)[2]  # type: ignore[index]
        space = "" if unit == "x" else " "
        return f"{value / UNITS[unit][0]:.3g}{space}{unit}"


def read_budget(text: str) -> Budget:
    """A budget from the command line.

    Raises:
        InputError: empty, negative or zero, not a number and a unit, or an unknown unit.
    """
    match = _WRITTEN.fullmatch(text.strip())
    if not match:
        raise InputError(
            f"budget {text!r} is not allowed; a positive number and a unit are needed, "
            "such as 5ms, 10GF, 50Macts, 8GB or 2x"
        )
    number, unit = float(match[1]), match[2]
    if unit not in UNITS:
        raise InputError(
            f"budget {text!r}: unknown unit {unit!r}.{did_you_mean(unit, UNITS)} "
            f"Units: {', '.join(UNITS)}"
        )
    if not 0 < number < float("inf"):
        raise InputError(f"budget {text!r} is not allowed; it must be above zero and finite")
    size, what = UNITS[unit]
    return Budget(number * size, what, match[0])
