"""Published counts of the first paper, each with the network that makes it.

Source: Fast and Accurate Model Scaling, Tables 5 to 8 and Figures 1, 2 and 4 to 8; "Early
Convolutions", Table 2. Which network makes a printed row stands in
``data/reference/fast_scaling_networks.csv``. One multiply-add is one flop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from statistics import fmean
from typing import Literal

from repro import reference
from repro.arch import PAPER, Network, Strategy, get, scale
from repro.arch.strategy import paper_strategy
from repro.complexity import complexity
from repro.errors import InputError
from repro.reference import agrees_as_printed, select

Quantity = Literal["gflops", "mparams", "macts"]
UNITS: dict[str, tuple[str, int, str]] = {
    "gflops": ("flops", 10**9, "GF"),
    "mparams": ("params", 10**6, "M"),
    "macts": ("acts", 10**6, "M"),
}
"""Column of the reference files: what it is, how many of them make the unit, the unit."""
MILLIONS = {name: unit for name, unit, _ in UNITS.values()}
"""Units that are printed: flops in 10^9, params and acts in 10^6."""
PRINTED = {name: column for column, (name, _, _) in UNITS.items()}
"""Flops, params, acts: their columns in the reference files."""
READ_TO = {"flops": 0.0016, "params": 0.002, "acts": 0.002}
"""How well the drawings could be read (data/reference/README.md), in 10^9 flops, 10^6 params and
acts."""
READING = {"flops": READ_TO["flops"] + 0.0005, "params": 0.007, "acts": 0.007}
"""How far a drawn point may lie from its network: that, and half of the last digit kept."""
EARLY = "Early Convolutions"
# The first that fits: EfficientNet-X before EfficientNet.
FAMILIES: Mapping[str, str] = {
    "EN-X": "EfficientNet-X",
    "EN-H": "EfficientNet-H",
    "EN": "EfficientNet",
    "RegNetX": "RegNetX",
    "RegNetY": "RegNetY",
    "RegNetZ": "RegNetZ",
    "ResNet": "ResNet",
    "ResNeXt": "ResNeXt",
}


def family(name: str) -> str:
    """The family of a zoo network (or of an alias), as figures and tables call it."""
    known = get(name).name
    return next(title for prefix, title in FAMILIES.items() if known.startswith(f"{prefix}-"))


def network(base: str, strategy: str | None = None, s: float | None = None) -> Network:
    """A base network, scaled by one of the paper's strategies where one is given."""
    if strategy is None or s is None:
        return get(base)
    return scale(get(base), paper_strategy(strategy), s)


def count(net: Network, quantity: str) -> Fraction:
    """``gflops``, ``mparams`` or ``macts`` of a network, exactly."""
    name, unit, _ = UNITS[quantity]
    return Fraction(getattr(complexity(net), name), unit)


def in_print_units(net: Network) -> dict[str, float]:
    """Flops in 10^9, params and acts in 10^6, unrounded."""
    return {cost: float(count(net, column)) for cost, column in PRINTED.items()}


@cache
def run_noise() -> float:
    """Standard deviation of one run's top-1 error, in points, from the ± of Tables 5 to 8.

    The paper does not say what ± is. This is the larger reading, the standard error of a mean of
    three; by the smaller one, the deviation of the three, it is less by a factor of sqrt(3).
    """
    spreads = {row.model: float(row.spread_2x or 0) for row in reference.table_rows()}
    return (3 * fmean(spread**2 for spread in spreads.values())) ** 0.5


def network_of_row(table: int | str, row: str) -> Network:
    """The network that makes a row of Tables 5 to 8 (or of `EARLY`'s Table 2).

    Raises:
        InputError: none is known.
    """
    try:
        known = select(reference.printed_networks(), table=str(table), row=row)[0]
    except InputError:
        raise InputError(f"no network is known for row {row!r} of table {table}") from None
    return network(known.base, known.strategy or None, float(known.s) if known.s else None)


@dataclass(frozen=True, slots=True)
class Published:
    """A published row or point, with the network that makes it.

    Attributes:
        where: ``"Table 7"``, ``"Figure 5"`` ...
        label: the printed name of the row, or of the curve.
        base: the network before scaling.
        strategy: None for an unscaled one.
        s: None for an unscaled one.
        values: printed or drawn flops, params, acts in 10^9, 10^6, 10^6, as far as published.
        drawn: read from a drawing rather than printed with one decimal.
    """

    where: str
    label: str
    base: str
    strategy: Strategy | None
    s: float | None
    values: dict[str, float]
    drawn: bool = False

    def network(self, base: Network | None = None) -> Network:
        """The network; with ``base``, another base scaled in the same way."""
        net = base or get(self.base)
        if self.strategy is None or self.s is None:
            return net
        return replace(scale(net, self.strategy, self.s), name=net.name)

    @property
    def recipe(self) -> str:
        """``"RegNetZ-500MF, dWr, s = 8.1"``."""
        return self.base + (f", {self.strategy.name}, s = {self.s:g}" if self.strategy else "")

    def wrong(self, net: Network) -> list[str]:
        """The costs for which a network's count cannot be what was published."""
        ours = in_print_units(net)
        return [
            cost
            for cost, value in self.values.items()
            if not (
                abs(ours[cost] - value) <= READING[cost]
                if self.drawn
                else agrees_as_printed(value, ours[cost], 1)
            )
        ]


def _row(
    where: str,
    known: reference.PrintedNetwork,
    row: reference.TableRow | reference.EarlyConvolutionsRow,
) -> Published:
    values = {cost: float(getattr(row, column)) for cost, column in PRINTED.items()}
    strategy, s = (PAPER[known.strategy], float(known.s)) if known.s else (None, None)
    return Published(where, known.row, known.base, strategy, s, values)


@cache
def printed_rows() -> tuple[Published, ...]:
    """Rows of Tables 5 to 8 whose network is known; Table 8 repeats rows of the earlier ones."""
    rows = {(str(r.table), r.model): r for r in reference.table_rows()}
    return tuple(
        _row(f"Table {n.table}", n, rows[n.table, n.row])
        for n in reference.printed_networks()
        if n.table != EARLY
    )


@cache
def early_convolutions_rows() -> tuple[Published, ...]:
    """The CNNs of "Early Convolutions", Table 2: the same networks in a later paper."""
    rows = {r.model: r for r in reference.early_convolutions()}
    return tuple(
        _row(EARLY, n, rows[n.row]) for n in reference.printed_networks() if n.table == EARLY
    )


def group_width_left_alone(strategy: str) -> Strategy:
    """One of the paper's strategies with group width left alone: the grammar's bare ``w``."""
    return replace(PAPER[strategy], name=f"{strategy}, g alone", g=0.0)


@cache
def drawn_points() -> tuple[Published, ...]:
    """Every point drawn in Figures 1, 2 and 4 to 8, with what the drawing shows of its network.

    RegNetY's dw of Figure 2 is read with group width left alone: so it was drawn.
    """
    points = []
    for p in reference.figure_points():
        figure, strategy = f"Figure {p.figure.split(';')[0]}", paper_strategy(p.strategy)
        values = {"flops": float(p.gflops)}
        points.append(Published(figure, p.strategy, p.base, strategy, p.scale, values, True))
    for o in reference.original_curve():
        figure, values = f"Figure {o.figure.split(';')[0]}", {"flops": float(o.gflops)}
        points.append(Published(figure, "orig", f"EN-{o.model}", None, None, values, True))
    for t in reference.epoch_time_points():
        values, strategy = {"flops": float(t.gflops)}, PAPER[t.strategy]
        points.append(Published("Figure 1", t.strategy, t.base, strategy, t.scale, values, True))
    for q in reference.runtime_points():
        values = {c: float(getattr(q, k)) for c, k in PRINTED.items() if q.drawn(k)}
        alone = q.base == "RegNetY-500MF" and q.strategy == "dw"
        strategy = group_width_left_alone("dw") if alone else PAPER[q.strategy]
        points.append(Published("Figure 2", q.strategy, q.base, strategy, q.scale, values, True))
    return tuple(points)
