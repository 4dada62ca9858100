"""Every published network of the first paper beside our count, and the scale factors behind it.

Source: Fast and Accurate Model Scaling, Tables 5 to 8 and Figures 1, 2 and 4 to 8; "Early
Convolutions", Table 2. Which network makes a table row is said once, in ``data/claims.yaml``. One
multiply-add is one flop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from repro import claims, reference
from repro.analysis.scaling.rounding import span_of, spans
from repro.arch import PAPER, Network, get, scale
from repro.book.kit.tables import PageTable
from repro.book.kit.tables import table as page_table
from repro.complexity import complexity
from repro.errors import InputError
from repro.evidence.printed import (
    PRINTED,
    Published,
    drawn_points,
    early_convolutions_rows,
    group_width_left_alone,
    in_print_units,
    printed_rows,
)
from repro.reference import agrees_as_printed


def drawn_frame() -> pd.DataFrame:
    """All drawn points beside our counts, one row per figure, base and cost.

    Returns:
        Columns figure, base, cost, points, off (farther than the drawing could be read), worst
        (largest difference from our count, in percent of it).
    """
    groups: dict[tuple[str, str, str], list[tuple[bool, float]]] = {}
    for point in drawn_points():
        net = point.network()
        ours, wrong = in_print_units(net), point.wrong(net)
        base = "EN-B0 to B5" if point.strategy is None else point.base
        for cost, value in point.values.items():
            groups.setdefault((point.where, base, cost), []).append(
                (cost in wrong, 100 * abs(value / ours[cost] - 1))
            )
    return pd.DataFrame(
        [
            {
                "figure": figure,
                "base": base,
                "cost": cost,
                "points": len(found),
                "off": sum(off for off, _ in found),
                "worst": max(difference for _, difference in found),
            }
            for (figure, base, cost), found in sorted(groups.items())
        ]
    )


def evidence(base: str) -> tuple[Published, ...]:
    """Everything published about a base and its scaled networks, without repetitions.

    Printed rows of Tables 5 to 8 and of "Early Convolutions", then drawn points.
    """
    found: dict[object, Published] = {}
    for item in (*printed_rows(), *early_convolutions_rows(), *drawn_points()):
        if item.base == base:
            strategy = item.strategy.name if item.strategy and item.s != 1 else None
            key = (item.drawn, strategy, item.s if strategy else None, tuple(item.values.items()))
            found.setdefault(key, item)
    return tuple(found.values())


UNKNOWN = "RegNetZ-4GF-224"
"""The one row of Tables 5 to 8 whose network was never published and cannot be recovered."""


def table_frame(table: int) -> pd.DataFrame:
    """One of Tables 5 to 8, complexity columns, with the network that makes each row.

    The row that nobody outside can make (`UNKNOWN`) is set beside the only published candidate,
    RegNetZ-4GF at resolution 224, so that the difference shows.

    Returns:
        Columns model (as printed), made (how: a base, or the strategy and s that take the base
        before the arrow there), then paper and ours of flops, params and acts.
    """
    known = {row.label: row for row in printed_rows() if row.where == f"Table {table}"}
    rows = []
    for printed in reference.table_rows():
        if printed.table != table:
            continue
        if printed.model in known:
            source = known[printed.model]
            net, made = source.network(), source.base
            if source.strategy:
                made = f"{source.strategy.name}, s = {source.s:g}"
        elif printed.model == UNKNOWN:
            net, made = get("RegNetZ-4GF").at(224), "RegNetZ-4GF at 224"
        else:
            raise InputError(f"no network is known for {printed.model!r} of Table {table}")
        ours = in_print_units(net)
        row: dict[str, object] = {"model": printed.model, "made": made}
        for cost, column in PRINTED.items():
            row |= {f"paper {cost}": float(getattr(printed, column)), f"our {cost}": ours[cost]}
        rows.append(row)
    return pd.DataFrame(rows)


def comparison(frame: pd.DataFrame, caption: str) -> PageTable:
    """A `table_frame` for a page, narrow: each cell holds the printed value and ours.

    The sign between them says whether ours rounds to the printed digit.
    """
    out = frame.rename(columns={"made": "made by"})[["model", "made by"]].copy()
    marks = {}
    for cost, title in (("flops", "GF"), ("params", "params, M"), ("acts", "acts, M")):
        cells = []
        for paper, ours in zip(frame[f"paper {cost}"], frame[f"our {cost}"], strict=True):
            sign = "=" if agrees_as_printed(paper, ours, 1) else "≠"
            cells.append(f"{paper:.1f} {sign} {ours:.2f}")
            if sign == "≠":
                marks[cells[-1]] = "repro-off"
        out[title] = cells
    return page_table(out, caption, formats={k: "" for k in out.columns[2:]}, marks=marks)


def tally(frames: Sequence[pd.DataFrame]) -> tuple[int, int]:
    """Of the rows of some `table_frame`s: how many agree in all three columns, and how many."""
    agree = [
        all(
            agrees_as_printed(paper, ours, 1)
            for paper, ours in zip(row[2::2], row[3::2], strict=True)
        )
        for frame in frames
        for row in frame.itertuples(index=False)
    ]
    return sum(agree), len(agree)


def scale_intervals() -> pd.DataFrame:
    """Which scale factors can make each dWr network of Figure 8 and of Tables 7 and 8.

    Returns:
        One row per network: base, where, s; low and high: the interval of s that rounds to the
        very same network; networks, from, to: how many neighbouring networks all fit what was
        published, and the s that they span; power: the power of two nearest to s, and whether
        "inside" those; gflops of the network, and of the one at the power of two.
    """
    groups: dict[tuple[str, float], list[Published]] = {}
    for item in (*printed_rows(), *drawn_points()):
        if item.where in ("Table 7", "Table 8", "Figure 8") and item.strategy and item.s != 1:
            assert item.s is not None
            groups.setdefault((item.base, item.s), []).append(item)
    rows = []
    for (base, s), items in sorted(groups.items()):
        net = get(base)
        own = span_of(net, PAPER["dWr"], s)
        fit = [
            span
            for span in spans(net, PAPER["dWr"], s / 1.25, s * 1.25)
            if not any(item.wrong(span.net) for item in items)
        ]
        if not fit:
            raise InputError(f"no network fits what was published of {base}, dWr, s = {s:g}")
        power = 2.0 ** round(math.log2(s))
        rows.append(
            {
                "base": base,
                "where": ", ".join(dict.fromkeys(item.where for item in items)),
                "s": s,
                "low": own.low,
                "high": own.high,
                "networks": len(fit),
                "from": min(span.low for span in fit),
                "to": max(span.high for span in fit),
                "power": power,
                "inside": any(span.low <= power <= span.high for span in fit),
                "gflops": complexity(own.net).flops / 1e9,
                "at power": complexity(scale(net, PAPER["dWr"], power)).flops / 1e9,
            }
        )
    return pd.DataFrame(rows)


def interval_table(frame: pd.DataFrame) -> pd.DataFrame:
    """`scale_intervals` with its intervals as text, for a page."""

    def interval(low: str, high: str) -> list[str]:
        return [f"{a:.3f}–{b:.3f}" for a, b in zip(frame[low], frame[high], strict=True)]

    span = [
        text if n > 1 else "–"
        for text, n in zip(interval("from", "to"), frame.networks, strict=True)
    ]
    return pd.DataFrame(
        {
            "base": frame.base,
            "s": [f"{s:g}" for s in frame.s],
            "same network for": interval("low", "high"),
            "GF": frame.gflops,
            "fit": frame.networks,
            "they span": span,
            "2ⁿ": [f"{power:g}" for power in frame.power],
            "fits": ["yes" if inside else "no" for inside in frame.inside],
            "GF at 2ⁿ": frame["at power"],
        }
    )


def same_label() -> pd.DataFrame:
    """Pairs of networks that go by one label, with their counts.

    Returns:
        Columns label, where, network, flops (10^9), params, acts (10^6).
    """
    pairs: list[tuple[str, str, str, Network]] = []
    z, y = get("RegNetZ-500MF"), get("RegNetY-500MF")
    for target, (s7, s8) in {1: (2, 1.9), 2: (4, 3.85), 4: (8, 8.1)}.items():
        label = f"RegNetZ, dWr, {target} GF"
        where = "Figure 8, Tables 7, 8" if target == 4 else "Figure 8"
        pairs += [
            (label, "Figure 7", f"s = {s7}", scale(z, PAPER["dWr"], s7)),
            (label, where, f"s = {s8}", scale(z, PAPER["dWr"], s8)),
        ]
    label = "RegNetY, 4 GF, searched"
    pairs += [
        (label, "Table 6, “-224”", "RegNetY-4.0GF", get("RegNetY-4.0GF")),
        (label, "Figure 8, Tables 6–8", "RegNetY-4GF", get("RegNetY-4GF")),
    ]
    label = "RegNetY, w, s = 8.2"
    pairs += [
        (label, "Figure 5", "g follows w", scale(y, PAPER["w"], 8.2)),
        (label, "the grammar's w", "g stays 4", scale(y, "w", 8.2)),
    ]
    label = "RegNetY, dw, s = 96"
    pairs += [
        (label, "the paper's text", "g follows w", scale(y, PAPER["dw"], 96)),
        (label, "Figure 2, as drawn", "g stays 4", scale(y, "dw", 96)),
    ]
    return pd.DataFrame(
        [
            {"label": label, "where": where, "network": recipe} | in_print_units(net)
            for label, where, recipe, net in pairs
        ]
    )


def group_width_readings() -> pd.DataFrame:
    """Which reading of w each RegNet curve of Figures 1, 2, 5, 7 and 8 was drawn with.

    A point decides when the two readings give it different counts.

    Returns:
        One row per figure, base and strategy that scales width: figure, base, strategy, points,
        and how many of them are off if g follows w, and if g stays. A point is off when it lies
        farther from the count than the drawing could be read.
    """
    rows: dict[tuple[str, str, str], list[tuple[bool, bool]]] = {}
    for p in drawn_points():
        if p.base.startswith("RegNet") and p.strategy and p.strategy.w and p.label in PAPER:
            follows, stays = (
                bool(replace(p, strategy=reading).wrong(replace(p, strategy=reading).network()))
                for reading in (PAPER[p.label], group_width_left_alone(p.label))
            )
            rows.setdefault((p.where, p.base, p.label), []).append((follows, stays))
    return pd.DataFrame(
        [
            {
                "figure": figure,
                "base": base,
                "strategy": strategy,
                "points": len(off),
                "off if g follows w": sum(follows for follows, _ in off),
                "off if g stays": sum(stays for _, stays in off),
            }
            for (figure, base, strategy), off in sorted(rows.items())
        ]
    )


def largest_difference(base: str, strategy: str) -> tuple[float, float]:
    """How far apart the flops of the two readings of w get on Figure 2's scales.

    Returns:
        The difference in percent, and the scale factor at which it is largest.
    """
    ratios = []
    for s in sorted({p.scale for p in reference.runtime_points() if p.base == base}):
        follows, stays = (
            complexity(scale(get(base), reading, s)).flops
            for reading in (PAPER[strategy], group_width_left_alone(strategy))
        )
        ratios.append((100 * abs(follows / stays - 1), s))
    return max(ratios)


def off_if_g_follows(base: str, strategy: str) -> list[float]:
    """The scale factors at which Figure 2 cannot show a strategy with group width following."""
    read = (
        replace(p, strategy=PAPER[strategy])
        for p in drawn_points()
        if p.where == "Figure 2" and (p.base, p.label) == (base, strategy)
    )
    return [p.s for p in read if p.s is not None and p.wrong(p.network())]


def ledger_value(claim: str) -> float:
    """The published value that ``data/claims.yaml`` itself holds for a claim.

    Raises:
        InputError: no such claim, or one without a single value of its own.
    """
    values = [c.published for c in claims.load().claims if c.id == claim]
    if len(values) != 1 or len(values[0]) != 1:
        raise InputError(f"the ledger holds no single value for claim {claim!r}")
    return float(values[0][0])
