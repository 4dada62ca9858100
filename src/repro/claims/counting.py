"""Judges that count networks: tables, plotted points, and the authors' own counts."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import Literal

from repro import reference
from repro.arch import Network, ResStage, get, scale
from repro.arch.rounding import fit_groups, round_width
from repro.arch.strategy import paper_strategy
from repro.claims.claim import Claim
from repro.claims.judging import Point, equals, holds, judge_function, rounds_to
from repro.complexity import complexity
from repro.errors import InputError
from repro.evidence.printed import EARLY, UNITS, Quantity, count, network, network_of_row
from repro.reference import select


def counted(
    claim: Claim, label: str, quantity: str, published: Decimal | None, net: Network
) -> Point:
    """A published count beside ours."""
    if published is None:
        raise InputError(f"no {quantity} was published for {label}")
    name, _, unit = UNITS[quantity]
    return rounds_to(claim, label, name, published, count(net, quantity), unit)


@judge_function
def table_complexity(claim: Claim, table: int, row: str) -> list[Point]:
    """Flops, params and acts of a row of Tables 5 to 8, from the network that makes it."""
    (printed,) = select(reference.table_rows(), table=table, model=row)
    net = network_of_row(table, row)
    return [counted(claim, row, q, getattr(printed, q), net) for q in UNITS]


@judge_function
def early_convolutions_complexity(claim: Claim, rows: list[str]) -> list[Point]:
    """Rows of Table 2 of "Early Convolutions"."""
    points = []
    for row in rows:
        (printed,) = select(reference.early_convolutions(), model=row)
        net = network_of_row(EARLY, row)
        points += [counted(claim, row, q, getattr(printed, q), net) for q in UNITS]
    return points


@judge_function
def figure_flops(claim: Claim, figure: str, base: str, strategy: str) -> list[Point]:
    """Plotted flops of one curve of Figures 1 (top) and 4 to 8."""
    curve = [
        point
        for point in select(reference.figure_points(), base=base, strategy=strategy)
        if figure in point.figure.split(";")
    ]
    return [
        counted(claim, f"s={p.scale:g}", "gflops", p.gflops, network(base, strategy, p.scale))
        for p in curve
    ]


@judge_function
def original_curve_flops(claim: Claim) -> list[Point]:
    """Plotted flops of the curve of EfficientNet-B0 to B5."""
    return [
        counted(claim, p.model, "gflops", p.gflops, get(f"EN-{p.model}"))
        for p in reference.original_curve()
    ]


@judge_function
def epoch_time_flops(claim: Claim, strategy: str) -> list[Point]:
    """Plotted flops of one curve of Figure 1, bottom right."""
    return [
        counted(claim, f"s={p.scale:g}", "gflops", p.gflops, network(p.base, strategy, p.scale))
        for p in select(reference.epoch_time_points(), strategy=strategy)
    ]


@judge_function
def runtime_counts(claim: Claim, base: str, strategy: str, quantity: Quantity) -> list[Point]:
    """What Figure 2 plots of one base and strategy in the panel over one quantity."""
    return [
        counted(
            claim,
            f"s={p.scale:g}",
            quantity,
            getattr(p, quantity),
            network(base, strategy, p.scale),
        )
        for p in select(reference.runtime_points(), base=base, strategy=strategy)
        if p.drawn(quantity)
    ]


@judge_function
def runtime_acts_with_group_width(
    claim: Claim,
    base: str,
    strategy: str,
    group_width: int,
    scales: list[float] | None = None,
) -> list[Point]:
    """Acts plotted in Figure 2 beside networks whose group width is held at a given value.

    At the named scales; at every scale of the curve where none are named.
    """
    m_rows = select(reference.runtime_points(), base=base, strategy=strategy)
    points = []
    for s in scales or [row.scale for row in m_rows]:
        (printed,) = select(m_rows, scale=s)
        stages, width_factor = [], paper_strategy(strategy).multipliers(s).w
        scaled = network(base, strategy, s)
        for stage, original in zip(scaled.stages, get(base).stages, strict=True):
            if not (isinstance(stage, ResStage) and isinstance(original, ResStage)):
                raise InputError(f"{base} has no group width")
            wanted = round_width(original.width * width_factor)
            width, g = fit_groups(wanted, group_width, stage.bottleneck)
            stages.append(replace(stage, width=width, group_width=g))
        net = replace(scaled, stages=tuple(stages))
        points.append(counted(claim, f"s={s:g}", "macts", printed.macts, net))
    return points


@judge_function
def single_count(
    claim: Claim, base: str, quantity: Quantity, strategy: str | None = None, s: float | None = None
) -> list[Point]:
    """One count of one network beside the ledger's own published value."""
    return [counted(claim, base, quantity, claim.published[0], network(base, strategy, s))]


@judge_function
def authors_points(claim: Claim, figures: Literal["1, 4-8", "2"]) -> list[Point]:
    """What is not drawn of every plotted network, as the authors' public code counts it."""
    points = []
    if figures == "2":
        for p in reference.runtime_points():
            net, label = network(p.base, p.strategy, p.scale), f"{p.base} {p.strategy} x{p.scale:g}"
            points += [
                counted(claim, label, q, getattr(p, q), net) for q in UNITS if not p.drawn(q)
            ]
        return points
    for f in reference.figure_points():
        net, label = network(f.base, f.strategy, f.scale), f"{f.base} {f.strategy} x{f.scale:g}"
        points.append(equals(label, "resolution", f.resolution, net.resolution))
        points += [counted(claim, label, q, getattr(f, q), net) for q in ("mparams", "macts")]
    return points


def _exact(
    label: str, row: reference.ZooTiming | reference.ScaledModel, net: Network
) -> list[Point]:
    c = complexity(net)
    return [equals(label, q, getattr(row, q), getattr(c, q)) for q in ("flops", "params", "acts")]


@judge_function
def authors_zoo(claim: Claim) -> list[Point]:
    """Every model of the authors' zoo, to the unit."""
    points = []
    for row in reference.zoo_timings():
        net = get(row.model.replace("EfficientNet-", "EN-"))
        points.append(equals(row.model, "resolution", row.resolution, net.resolution))
        points += _exact(row.model, row, net)
    return points


@judge_function
def authors_scaled_models(claim: Claim) -> list[Point]:
    """Every network that the authors' scaling code was run on, to the unit."""
    points = []
    for row in reference.scaled_models():
        net, label = get(row.base), row.base
        if row.scale_type is not None and row.scale is not None:
            net = scale(net, row.scale_type, row.scale)
            label = f"{row.base} {row.scale_type} x{row.scale:g}"
        points += _exact(label, row, net)
    return points


@judge_function
def fewer_blocks_in_last_stage(
    claim: Claim, searched: str, base: str, strategy: str, s: float
) -> list[Point]:
    """A searched network ends in fewer blocks than a scaled one of the same flops."""
    ours, scaled = get(searched).stages[-1].depth, network(base, strategy, s).stages[-1].depth
    return [
        holds(
            f"{searched} against {base} {strategy} x{s:g}",
            "fewer blocks in the last stage",
            f"{ours} against {scaled}",
            ours < scaled,
        )
    ]


@judge_function
def width_moves_at_most(claim: Claim, share: str, below: int) -> list[Point]:
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
