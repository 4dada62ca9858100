"""Judges that count networks: tables, plotted points, and the authors' own counts."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import Literal

from repro import reference
from repro.arch import Network, get, scale
from repro.arch.rounding import fit_groups
from repro.claims.claim import Claim
from repro.claims.judging import Point, Points, equals, holds, judge_function, rounds_to
from repro.complexity import complexity
from repro.errors import InputError
from repro.evidence.printed import (
    EARLY,
    UNITS,
    Quantity,
    count,
    group_width_left_alone,
    network,
    network_of_row,
)
from repro.reference import select


def counted(
    claim: Claim, label: str, quantity: str, published: Decimal | None, net: Network
) -> Point:
    """A published count beside ours."""
    if published is None:
        raise InputError(f"no {quantity} was published for {label}")
    name, _, unit = UNITS[quantity]
    return rounds_to(claim, label, name, published, count(net, quantity), unit)


@judge_function("our counts against the paper")
def table_complexity(
    claim: Claim, table: Literal[5, 6, 7, 8, "Early Convolutions"], row: str | list[str]
) -> Points:
    """Flops, params and acts of rows of Tables 5 to 8, or of `EARLY`'s Table 2."""
    for name in [row] if isinstance(row, str) else row:
        printed: reference.TableRow | reference.EarlyConvolutionsRow
        if table == EARLY:
            (printed,) = select(reference.early_convolutions(), model=name)
        else:
            (printed,) = select(reference.table_rows(), table=table, model=name)
        net = network_of_row(table, name)
        yield from (counted(claim, name, q, getattr(printed, q), net) for q in UNITS)


@judge_function("our counts against the paper")
def drawn_counts(
    claim: Claim,
    points: Literal["figure_points", "original_curve", "epoch_time_points", "runtime_points"],
    quantity: Quantity = "gflops",
    base: str | None = None,
    strategy: str | None = None,
    figure: str | None = None,
) -> Points:
    """What one curve of a figure shows (`repro.reference` has the names), beside its networks."""
    for p in getattr(reference, points)():
        if (base and p.base != base) or (strategy and p.strategy != strategy):
            continue
        if figure and figure not in p.figure.split(";"):
            continue
        if points == "runtime_points" and not p.drawn(quantity):
            continue
        if points == "original_curve":
            label, net = p.model, get(f"EN-{p.model}")
        else:
            label, net = f"s={p.scale:g}", network(p.base, p.strategy, p.scale)
        yield counted(claim, label, quantity, getattr(p, quantity), net)


@judge_function("our counts against the paper")
def runtime_acts_without_group_width(claim: Claim, base: str, strategy: str) -> Points:
    """Acts plotted in Figure 2 beside networks whose group width is left alone."""
    alone = group_width_left_alone(strategy)
    for p in select(reference.runtime_points(), base=base, strategy=strategy):
        net = scale(get(base), alone, p.scale)
        yield counted(claim, f"s={p.scale:g}", "macts", p.macts, net)


@judge_function("our counts against the paper")
def single_count(
    claim: Claim, base: str, quantity: Quantity, strategy: str | None = None, s: float | None = None
) -> Points:
    """One count of one network beside the ledger's own published value."""
    return [counted(claim, base, quantity, claim.published[0], network(base, strategy, s))]


@judge_function("the authors' code")
def authors_points(claim: Claim, figures: Literal["1, 4-8", "2"]) -> Points:
    """What is not drawn of every plotted network, as the authors' public code counts it."""
    rows: Sequence[reference.RuntimePoint | reference.FigurePoint]
    rows = reference.runtime_points() if figures == "2" else reference.figure_points()
    for p in rows:
        net, label = network(p.base, p.strategy, p.scale), f"{p.base} {p.strategy} x{p.scale:g}"
        if isinstance(p, reference.FigurePoint):
            yield equals(label, "resolution", p.resolution, net.resolution)
        for q in UNITS:
            if not (p.drawn(q) if isinstance(p, reference.RuntimePoint) else q == "gflops"):
                yield counted(claim, label, q, getattr(p, q), net)


@judge_function("the authors' code")
def authors_counts(claim: Claim, models: Literal["zoo_timings", "scaled_models"]) -> Points:
    """Every model of the authors' zoo, or that their scaling code was run on, to the unit."""
    for row in getattr(reference, models)():
        if models == "zoo_timings":
            label, net = row.model, get(row.model.replace("EfficientNet-", "EN-"))
            yield equals(label, "resolution", row.resolution, net.resolution)
        elif row.scale_type is None:
            label, net = row.base, get(row.base)
        else:
            label = f"{row.base} {row.scale_type} x{row.scale:g}"
            net = scale(get(row.base), row.scale_type, row.scale)
        ours = complexity(net)
        for cost in ("flops", "params", "acts"):
            yield equals(label, cost, getattr(row, cost), getattr(ours, cost))


@judge_function("our counts against the paper")
def fewer_blocks_in_last_stage(claim: Claim, searched: dict[str, tuple[str, str, float]]) -> Points:
    """Searched networks end in fewer blocks than scaled ones of the same flops."""
    for name, (base, strategy, s) in searched.items():
        ours, scaled = get(name).stages[-1].depth, network(base, strategy, s).stages[-1].depth
        label, text = f"{name} against {base} {strategy} x{s:g}", f"{ours} against {scaled}"
        yield holds(label, "fewer blocks in the last stage", text, ours < scaled)


@judge_function("theory")
def width_moves_at_most(claim: Claim, share: str, below: int) -> Points:
    """Rounding a width to whole groups moves it by at most a share of itself.

    Tried on every width and group width that are multiples of 8 and below ``below``.
    """
    sizes = range(8, below, 8)
    moved, width, g = max(
        (Fraction(abs(fit_groups(width, g, 1.0)[0] - width), width), width, g)
        for width, g in product(sizes, sizes)
        if g <= width
    )
    label = f"worst: width {width}, group width {g}"
    return [holds(label, f"at most {share}", f"{moved}", moved <= Fraction(share))]
