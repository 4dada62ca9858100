"""A stage of equal convs: its cost as formulas, and counted on a real module.

Behind the chapter "What scaling costs". Formulas are kept as sympy expressions, so that a page can
show the algebra from one conv to the exponents of Tables 1 to 3 of Fast and Accurate Model Scaling
(sections 3.2 to 3.5). The counts come from operators that ran, and know nothing of the formulas.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from math import lcm, log2
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
import sympy as sp

from repro.analysis.frames import log_slope
from repro.arch import get
from repro.book.kit.tables import PageTable
from repro.complexity import complexity
from repro.errors import InputError
from repro.reference import exponent_rows, table_rows

if TYPE_CHECKING:
    from IPython.display import Math
    from torch import nn

COSTS = ("flops", "params", "acts")


class Cost(NamedTuple):
    """Flops (one multiply-add is one), params, and output elements, for one image."""

    flops: int
    params: int
    acts: int


@dataclass(frozen=True, slots=True)
class Stage:
    """Convs in a row, each from ``width`` channels to ``width``, stride 1, no bias.

    Attributes:
        depth: number of convs.
        width: channels.
        resolution: pixels per side of the square maps.
        group_width: channels per group; None for dense convs.
        kernel: side of the kernel, odd.
    """

    depth: int
    width: int
    resolution: int
    group_width: int | None = None
    kernel: int = 3

    def __post_init__(self) -> None:
        if self.width % (self.group_width or self.width):
            raise InputError(f"group width {self.group_width} does not divide width {self.width}")

    def scaled(self, powers: Mapping[str, Fraction], s: float) -> Stage:
        """The stage with each dimension times its power of ``s``, to the nearest whole number.

        Args:
            powers: exponents of s by dimension (d, w, g, r); those left out stay.
            s: scale factor.
        """

        def grown(size: int, dimension: str) -> int:
            return max(1, round(size * s ** float(powers.get(dimension, 0))))

        return replace(
            self,
            depth=grown(self.depth, "d"),
            width=grown(self.width, "w"),
            resolution=grown(self.resolution, "r"),
            group_width=None if self.group_width is None else grown(self.group_width, "g"),
        )


def by_formula(stage: Stage) -> Cost:
    """The stage's cost from the formulas of `stage_cost`."""
    numbers = {
        _D: stage.depth,
        _W: stage.width,
        _G: stage.group_width or stage.width,
        _R: stage.resolution,
        _K: stage.kernel,
    }
    cost = stage_cost(grouped=True)
    return Cost(*(int(cost[name].subs(numbers)) for name in COSTS))


def module(stage: Stage) -> nn.Module:
    """The stage as torch convs on the meta device, where shapes are real and memory is not."""
    import torch
    from torch import nn

    groups = stage.width // (stage.group_width or stage.width)
    with torch.device("meta"):
        convs = [
            nn.Conv2d(
                stage.width,
                stage.width,
                stage.kernel,
                padding=stage.kernel // 2,
                groups=groups,
                bias=False,
            )
            for _ in range(stage.depth)
        ]
    return nn.Sequential(*convs)


@cache
def counted(stage: Stage) -> Cost:
    """The stage's cost by running its module and counting what reaches torch's dispatcher."""
    from repro.counters import count

    seen = count(module(stage), (stage.width, stage.resolution, stage.resolution))
    return Cost(seen.flops, seen.params, seen.acts)


# Symbols print under these names; all sizes and s are positive, so powers of products split.
_D, _W, _G, _R, _K, _S = sp.symbols("d w g r k s", positive=True)
_DIMENSIONS = {"d": _D, "w": _W, "g": _G, "r": _R}
ALPHA = sp.Symbol("alpha", positive=True)
"""Width's share of the log-flops, for strategies that leave it open."""


def stage_cost(grouped: bool = False) -> dict[str, sp.Expr]:
    """Flops, params and acts of a stage in the symbols d, w, r, k, and g where convs are grouped.

    Everything follows from two facts about a conv: it puts out ``w r^2`` elements, and ``k^2 g``
    weights meet at each of them, where g is the whole width if the conv is dense.
    """
    outputs = _W * _R**2
    meeting = _K**2 * (_G if grouped else _W)
    return {"flops": _D * outputs * meeting, "params": _D * _W * meeting, "acts": _D * outputs}


@dataclass(frozen=True)
class Derivation:
    """A scaling strategy carried through the formulas.

    Attributes:
        powers: exponent of s by dimension (d, w, g, r) for those that grow.
        growth: exponent of s in flops, params and acts.
        grouped: which formulas were used.
    """

    powers: Mapping[str, sp.Expr]
    growth: Mapping[str, sp.Expr]
    grouped: bool

    def fractions(self) -> dict[str, Fraction]:
        """``powers`` as fractions, where they are numbers."""
        return {name: Fraction(str(power)) for name, power in self.powers.items()}


def _tidy(expression: sp.Expr) -> sp.Expr:
    """One fraction, as a reader would write it: ``(1 - alpha)/2``."""
    return sp.together(sp.expand(expression))


def derive(shares: str | Mapping[str, Any], grouped: bool = False) -> Derivation:
    """Exponents of a strategy, by substitution into the formulas.

    Args:
        shares: how the factor s on flops is divided among the dimensions (d, w, g, r): relative
            weights, numbers or sympy expressions. Letters alone (``"dwr"``) share it equally.
        grouped: let g be a dimension of its own; otherwise convs are dense.

    Raises:
        InputError: a dimension that the formulas do not have.
    """
    weights = {letter: 1 for letter in shares} if isinstance(shares, str) else dict(shares)
    cost = stage_cost(grouped)
    for name in weights:
        if name not in _DIMENSIONS or not cost["flops"].has(_DIMENSIONS[name]):
            raise InputError(f"a stage of {'group' if grouped else 'dense'} convs has no {name!r}")
    total = sum(map(sp.nsimplify, weights.values()))
    powers = {
        # Where a dimension enters flops squared, half the exponent does.
        name: _tidy(sp.nsimplify(weight) / total / sp.degree(cost["flops"], _DIMENSIONS[name]))
        for name, weight in weights.items()
    }
    larger = {_DIMENSIONS[name]: _S**power * _DIMENSIONS[name] for name, power in powers.items()}
    ratios = {
        name: formula.subs(larger, simultaneous=True) / formula for name, formula in cost.items()
    }
    growth = {
        # All symbols are positive, so that the logarithm of a power may be split.
        name: _tidy(sp.expand_log(sp.log(sp.powsimp(ratio)), force=True) / sp.log(_S))
        for name, ratio in ratios.items()
    }
    return Derivation(powers, growth, grouped)


def _latex(expression: sp.Expr) -> str:
    return sp.latex(expression, order="none", fold_frac_powers=True, root_notation=False)


def algebra(derivation: Derivation) -> Math:
    """The substitution written out, one line for each cost; make it a cell's last expression."""
    from IPython.display import Math

    lines = []
    for (name, formula), letter in zip(stage_cost(derivation.grouped).items(), "fpa", strict=True):
        factors, summands = [], []
        for dimension, symbol in {**_DIMENSIONS, "k": _K}.items():
            degree = sp.degree(formula, symbol)
            if not degree:
                continue
            power = derivation.powers.get(dimension)
            if power is None:
                factors.append(symbol**degree)
                continue
            base = sp.Mul(_S**power, symbol, evaluate=False)
            factors.append(sp.Pow(base, degree, evaluate=False) if degree > 1 else base)
            summands.append(_latex(power) if degree == 1 else rf"{degree} \cdot {_latex(power)}")
        product = " ".join(rf"\left({_latex(f)}\right)" if f.is_Mul else _latex(f) for f in factors)
        power_sum = " + ".join(summands) or "0"
        growth = derivation.growth[name]
        result = rf"{_latex(_S**growth)} \; {letter}" if growth else letter
        lines.append(rf"{letter}' &= {product} = s^{{{power_sum}}} \; {letter} = {result}")
    return Math(r"\begin{aligned} " + r" \\ ".join(lines) + r" \end{aligned}")


def whole_scale(powers: Mapping[str, Fraction]) -> int:
    """The smallest power of two that multiplies every dimension by a whole number."""
    return 2 ** lcm(*(power.denominator for power in powers.values()))


def counted_exponents(stage: Stage, powers: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """Exponents of s in the costs, from counts before and after scaling by `whole_scale`.

    No size is rounded there, so the exponents are exact: both logarithms are whole numbers.
    """
    s = whole_scale(powers)
    before, after = counted(stage), counted(stage.scaled(powers, s))
    return {
        name: Fraction(log2(Fraction(a, b))) / Fraction(log2(s))
        for name, b, a in zip(COSTS, before, after, strict=True)
    }


_LONG_NAMES = {"d": "depth", "w": "width", "g": "group_width", "r": "resolution"}


def three_ways(number: int, stage: Stage) -> pd.DataFrame:
    """Table 1, 2 or 3 of the paper: its exponents beside the derived and the counted ones.

    Args:
        number: of the table; in Table 3 convs are grouped.
        stage: the real stage to count; grouped for Table 3.

    Returns:
        A row for each strategy and cost: strategy, powers (exponents of s that multiply each
        dimension, derived), s (the factor it was counted at), cost, then the cost's exponents
        paper, derived and counted. ``agree`` is "=" where these three are equal and the printed
        powers are the derived ones, else "≠".
    """
    rows = []
    for printed in exponent_rows():
        if printed.table != number:
            continue
        derivation = derive(printed.strategy, grouped=number == 3)
        powers = derivation.fractions()
        seen = counted_exponents(stage, powers)
        same_powers = all(
            Fraction(getattr(printed, long) or 0) == powers.get(short, 0)
            for short, long in _LONG_NAMES.items()
        )
        for name in COSTS:
            paper = Fraction(getattr(printed, name))
            derived = Fraction(str(derivation.growth[name]))
            agree = same_powers and paper == derived == seen[name]
            rows.append(
                {
                    "strategy": printed.strategy,
                    "powers": powers,
                    "s": whole_scale(powers),
                    "cost": name,
                    "paper": paper,
                    "derived": derived,
                    "counted": seen[name],
                    "agree": "=" if agree else "≠",
                }
            )
    return pd.DataFrame(rows)


def _power_html(base: str, exponent: Fraction) -> str:
    if exponent in (0, 1):
        return base if exponent else "1"
    return f"{base}<sup>{exponent}</sup>"


def three_ways_table(frame: pd.DataFrame, caption: str) -> PageTable:
    """A frame from `three_ways` as a page's table: three rows to a strategy."""
    titles = ("strategy", "cost", "paper", "derived", "counted", "", "scales", "counted at")
    rows = []
    for name, part in frame.groupby("strategy", sort=False):
        powers, s = part["powers"].iloc[0], part["s"].iloc[0]
        scales = "<br>".join(f"{x} × {_power_html('s', power)}" for x, power in powers.items())
        whole = "<br>".join(f"{x} × {round(s ** float(power))}" for x, power in powers.items())
        # What is the same for the three rows stands last: a phone shows the exponents first.
        before = f'<th scope="rowgroup" rowspan="3">{name}</th>'
        after = f'<td rowspan="3">{scales}</td><td rowspan="3">s = {s}<br>{whole}</td>'
        for row in part.to_dict("records"):
            css = "repro-good" if row["agree"] == "=" else "repro-off"
            three = (row["paper"], row["derived"], row["counted"])
            cells = "".join(f"<td>{_power_html('s', exponent)}</td>" for exponent in three)
            verdict = f'<td class="{css}">{row["agree"]}</td>'
            rows.append(f"<tr>{before}<td>{row['cost']}</td>{cells}{verdict}{after}")
            before = after = ""
    head = "".join(f'<th scope="col">{title}</th>' for title in titles)
    html = (
        f'<div class="repro-table"><table><caption>{caption}</caption>\n<thead><tr>{head}</tr>'
        "</thead>\n<tbody>\n" + "</tr>\n".join(rows) + "</tr>\n</tbody></table></div>"
    )
    return PageTable(html, caption)


def agreement(frames: Iterable[pd.DataFrame]) -> tuple[int, int]:
    """Of frames from `three_ways`: how many rows agree, of how many."""
    marks = [mark for frame in frames for mark in frame["agree"]]
    return marks.count("="), len(marks)


def sweep(stage: Stage, strategies: Iterable[str], scales: Sequence[float]) -> pd.DataFrame:
    """A dense stage under several strategies, sizes rounded to whole numbers, then counted.

    Returns:
        Columns strategy, s, depth, width, resolution, then for each cost its ratio to the
        unscaled stage (``flops`` ...) and the exponent of s in theory (``flops_power`` ...).
    """
    base = counted(stage)
    rows = []
    for name in strategies:
        derivation = derive(name)
        powers = derivation.fractions()
        for s in scales:
            larger = stage.scaled(powers, s)
            row: dict[str, Any] = {
                "strategy": name,
                "s": s,
                "depth": larger.depth,
                "width": larger.width,
                "resolution": larger.resolution,
            }
            for cost, before, after in zip(COSTS, base, counted(larger), strict=True):
                row[cost] = after / before
                row[f"{cost}_power"] = float(derivation.growth[cost])
            rows.append(row)
    return pd.DataFrame(rows)


def fits(frame: pd.DataFrame) -> pd.DataFrame:
    """Of a frame from `sweep`: each cost's exponent in theory, and fitted to the counts.

    Returns:
        A row per strategy: strategy, then ``<cost>, theory`` and ``<cost>, fitted``.
    """
    return pd.DataFrame(
        [
            {"strategy": name}
            | {
                f"{cost}, {source}": value
                for cost in COSTS
                for source, value in (
                    ("theory", part[f"{cost}_power"].iloc[0]),
                    ("fitted", log_slope(part["s"].tolist(), part[cost].tolist())),
                )
            }
            for name, part in frame.groupby("strategy", sort=False)
        ]
    )


def scaled_counts(stage: Stage, strategies: Iterable[str], s: float) -> pd.DataFrame:
    """A dense stage before and after scaling: sizes, and costs as counted.

    Returns:
        A row "base", then one per strategy: strategy, d, w, r, flops, params, acts.
    """
    stages = {"base": stage}
    stages |= {name: stage.scaled(derive(name).fractions(), s) for name in strategies}
    return pd.DataFrame(
        [
            {"strategy": name, "d": x.depth, "w": x.width, "r": x.resolution} | counted(x)._asdict()
            for name, x in stages.items()
        ]
    )


def two_networks() -> pd.DataFrame:
    """EN-B0 and ResNet-50: counts, and published minutes for an epoch; last row, their ratio.

    Minutes are from Tables 5 and 8 of the paper, on eight V100 GPUs.
    """
    minutes = {row.model: float(row.epoch_minutes_8xv100) for row in table_rows()}
    names, costs = [], []
    for name, printed in {"EN-B0": "B0", "ResNet-50": "ResNet50"}.items():
        c = complexity(get(name))
        names.append(name)
        costs.append([c.flops / 1e9, c.params / 1e6, c.acts / 1e6, minutes[printed]])
    names.append("ResNet-50 over EN-B0")
    costs.append([second / first for first, second in zip(*costs, strict=True)])
    columns = ["flops, G", "params, M", "acts, M", "minutes an epoch"]
    frame = pd.DataFrame(costs, columns=columns)
    frame.insert(0, "model", names)
    return frame
