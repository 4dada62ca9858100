"""Which dimension to scale first: both papers' rules in one set of coordinates, and their regrets.

Sources: Fast and Accurate Model Scaling, sections 5 and 6 (errors, minutes); Searching for Fast
Model Families on Datacenter Accelerators, Tables 2, 3 and 6. Errors are ImageNet top-1 in percent;
one multiply-add is one flop.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Literal

import numpy as np
import pandas as pd

from repro import reference
from repro.arch import PAPER, get
from repro.arch.efficientnet_x import coefficients
from repro.arch.strategy import COMPOUND, paper_strategy
from repro.search.accuracy import Form, Surface, built
from repro.search.candidates import Candidates, Rule, Scaler
from repro.search.latency import Additive, budget, priced, roofline
from repro.search.scaling import affordable, grid, largest, of_b0, regret, shares, triangle

FORMS: tuple[Form, ...] = ("quadratic", "norm", "product")
RULES = ("w", "dWr", "2/3", "dw", "dwr", "EfficientNet", "LACS-GPU", "LACS-TPU", "d", "r")
"""In the order of tables."""
LEVELS = ("B2", "B3", "B4")
"""Whose costs the regrets are at: beyond them the best networks lie outside of what is known."""
DEVICES = ("V100", "TPUv3", "A100", "H100", "CPU")
DRAWS, SEED = 200, 0
INTERVAL = (5, 95)
BALANCES = tuple(np.geomspace(1e-4, 1, 21))
"""Prices of a flop, where an act costs one: from all but free to all that counts."""
STEP = 0.04
"""Between shares, where every rule is tried."""
PAIR = ("LACS-GPU", "dWr")


def scaler(base: str = "EN-B0", rounding: Rule | None = None) -> Scaler:
    """EN-B0, or a relative, to be scaled."""
    return of_b0(get(base), rounding)


@cache
def costs(devices: tuple[str, ...] = DEVICES, batch: int = 128) -> dict[str, Additive]:
    """What a network is charged: flops, acts, and seconds on the rooflines of devices."""
    return {what: budget(what) for what in ("flops", "acts")} | {
        device: roofline(device, batch) for device in devices
    }


@cache
def fits(form: Form, draws: int) -> tuple[Surface, ...]:
    """A surface, and after it those that other trainings could have given."""
    surface = Surface.fit(form)
    return (surface, *surface.bootstrap(SEED, draws))


# ---------------------------------------------------------------------------- rules


def rule_shares() -> pd.DataFrame:
    """Shares of the log-flops that every rule gives to depth, width and resolution.

    Of the second paper's builder, whose levels follow no one rule, each level by itself.
    """
    rows = [
        ("first paper", name, *PAPER[name].shares) for name in ("w", "dWr", "dw", "dwr", "d", "r")
    ]
    rows += [("first paper", "2/3", *paper_strategy("2/3").shares)]
    rows += [("second paper", name, *rule.shares) for name, rule in COMPOUND.items()]
    for family in ("EN-X", "EN-X-GPU", "EN-X-TPU"):
        for level in range(1, 8):
            c = coefficients(f"{family}-B{level}")
            factors = (c.depth, c.width, c.resolution / 224)
            rows.append(("builder", f"{family}-B{level}", *shares(factors)))
    return pd.DataFrame(rows, columns=["source", "rule", "d", "w", "r"])


# ---------------------------------------------------------------------------- published points


def minutes() -> pd.DataFrame:
    """Published errors with the minutes of an epoch; where not drawn, between Figure 2's points.

    estimated: the minutes are interpolated, on logarithmic axes, by flops along the same curve.
    """
    drawn: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for p in reference.runtime_points():
        curve = drawn.setdefault((p.base, p.strategy), [])
        curve.append((float(p.gflops), float(p.epoch_minutes_8xv100)))
    rows = []
    for q in reference.figure_points():
        known, flops = q.epoch_minutes_8xv100, float(q.gflops)
        found = (
            float(known) if known is not None else _between(drawn.get((q.base, q.strategy)), flops)
        )
        error = float(q.top1_error_percent)
        rows.append((q.base, q.strategy, q.scale, flops, error, found, known is None))
    for o in reference.original_curve():
        error, found = float(o.top1_error_percent), float(o.epoch_minutes_8xv100)
        rows.append(("EN-B0", "EfficientNet", np.nan, float(o.gflops), error, found, False))
    names = ["base", "strategy", "s", "flops", "error", "minutes", "estimated"]
    frame = pd.DataFrame(rows, columns=names).dropna(subset=["minutes"])
    return frame.groupby(["base", "strategy", "flops"], sort=False, as_index=False).first()


def _between(curve: Iterable[tuple[float, float]] | None, flops: float) -> float:
    points = sorted(curve or ())
    if not points or not points[0][0] <= flops * 1.001 <= points[-1][0] * 1.002:
        return float("nan")
    return float(np.exp(np.interp(np.log(flops), *np.log(points).T)))


def at_equal(what: Literal["minutes", "flops"] = "minutes") -> pd.DataFrame:
    """Error of every curve at equal minutes (or flops, G), by base; between published points.

    At the most of it that all curves of a base reach, on a logarithmic axis.
    """
    rows, frame = [], minutes()
    curves = frame[frame.groupby(["base", "strategy"]).transform("size") > 1]
    most = curves.groupby(["base", "strategy"])[what].max().groupby("base").min()
    for (base, strategy), curve in curves.groupby(["base", "strategy"], sort=False):
        points, limit = curve.sort_values(what), float(most.loc[str(base)])
        error = float(np.interp(np.log(limit), np.log(points[what]), points.error))
        rows.append((base, strategy, limit, error))
    frame = pd.DataFrame(rows, columns=["base", "strategy", what, "error"])
    return frame.sort_values(["base", "error"], kind="stable").reset_index(drop=True)


# ---------------------------------------------------------------------------- one judges the other


def judged(forms: Sequence[Form] = FORMS) -> pd.DataFrame:
    """The second paper's families by the first paper's surfaces, and on a V100's roofline.

    ms: the least for 128 images. inside: the surfaces know such a network.
    """
    base, cost, rows = get("EN-X-B0"), costs()["V100"], []
    for level in range(8):
        for family in ("EN-X", "EN-X-GPU", "EN-X-TPU"):
            net = get(f"{family}-B{level}")
            factors = built(net, base)
            surfaces = {f: Surface.fit(f) for f in forms}
            errors = {f: float(s.error(*factors, extrapolate=True)) for f, s in surfaces.items()}
            known = bool(next(iter(surfaces.values())).inside(*factors))
            row: dict[str, object] = {"level": f"B{level}", "family": family, "inside": known}
            rows.append(row | errors | {"ms": 1e3 * cost(net)})
    return pd.DataFrame(rows)


# ---------------------------------------------------------------------------- regret


def regrets(
    rounding: Rule | None = None,
    rules: Sequence[str] = RULES,
    levels: Sequence[str] = LEVELS,
    charges: Mapping[str, Additive] | None = None,
    forms: Sequence[Form] = FORMS,
    draws: int = DRAWS,
    base: str = "EN-B0",
) -> pd.DataFrame:
    """What each rule loses against the best known network at equal cost, in points.

    One row a cost, level, surface and rule: the budget is what the base's level costs, EN-B3 say.
    low, high: of the bootstrap; gap, gap_low, gap_high: the same of the difference from dWr. used:
    the part of the budget that the rule's largest network takes; d, w, r: its factors as built.

    Args:
        base: or EN-X-B0, which is charged as it is and judged as if it were EN-B0.
    """
    start, rows = scaler(base, rounding), []
    strategies, ours = [paper_strategy(name) for name in rules], list(rules).index("dWr")
    for form in forms:
        surface, *drawn = fits(form, draws)
        candidates = None if rounding == "none" else grid(start, surface)
        for name, cost in (charges or costs()).items():
            for level in levels:
                target = cost(get(base.replace("B0", level)))
                some = candidates or _of_one_cost(start, target, surface, cost)
                lost = regret(some, strategies, target, surface, cost, drawn)
                gaps = lost.draws - lost.draws[:, [ours]]
                bands = (np.percentile(x, INTERVAL, axis=0) for x in (lost.draws, gaps))
                (low, high), (gap_low, gap_high) = bands
                spent, as_built = lost.networks.cost(cost), np.column_stack(lost.networks.built)
                for i, rule in enumerate(rules):
                    gap = lost.values[i] - lost.values[ours]
                    rows.append(
                        {
                            "cost": name,
                            "level": level,
                            "surface": form,
                            "rule": rule,
                            "regret": lost.values[i],
                            "low": low[i],
                            "high": high[i],
                            "gap": gap,
                            "gap_low": gap_low[i],
                            "gap_high": gap_high[i],
                            "inside": bool(lost.inside[i]),
                            "used": float(spent[i]) / target,
                            **dict(zip("dwr", as_built[i].tolist(), strict=True)),
                        }
                    )
    return pd.DataFrame(rows)


def _of_one_cost(start: Scaler, target: float, surface: Surface, cost: Additive) -> Candidates:
    """Every rule's network at a cost, as far as the surface knows them: without rounding, all."""
    networks = largest(start, triangle(STEP), target, cost)
    return networks[surface.inside(*networks.built)]


# ---------------------------------------------------------------------------- what decides


def phase(
    level: str = "B3",
    balances: Sequence[float] = BALANCES,
    forms: Sequence[Form] = FORMS,
    draws: int = 20,
    step: float = STEP,
) -> pd.DataFrame:
    """The best shares where an act costs one and a flop so much, without rounding.

    The budget is what EfficientNet of the level costs. draw 0 is the fit itself, others are of the
    bootstrap. phi: share of the cost that flops are charged for, of the base and of the best.
    """
    start, rules, rows = scaler(rounding="none"), triangle(step), []
    surfaces = {form: fits(form, draws) for form in forms}
    for flop in balances:
        cost = priced("a balance", flop, 1.0)
        networks = largest(start, rules, cost(get(f"EN-{level}")), cost)
        known = np.flatnonzero(surfaces[forms[0]][0].inside(*networks.built))
        some, phi = networks[known], networks.phi(cost)[known]
        for form, drawn in surfaces.items():
            for draw, surface in enumerate(drawn):
                errors = surface.error(*some.built, extrapolate=True)
                best = int(np.argmin(errors))
                found = (*rules[known[best]].tolist(), float(errors[best]))
                at = (level, form, draw, flop, cost.phi(start.base), float(phi[best]))
                rows.append((*at, *found))
    names = ["level", "surface", "draw", "flop", "phi_base", "phi", "d", "w", "r", "error"]
    return pd.DataFrame(rows, columns=names)


def duel(
    charges: Mapping[str, Additive] | None = None,
    base: str = "EN-B0",
    levels: Sequence[str] = LEVELS,
    forms: Sequence[Form] = FORMS,
    draws: int = 20,
    pair: tuple[str, str] = PAIR,
) -> pd.DataFrame:
    """How much more error one rule makes than another at equal cost, in points; without rounding.

    One row a cost, level and surface. phi: the mean of both networks' shares of the cost that
    flops are charged for, apart from what is charged once an image and no rule can save.

    Args:
        charges: or `BALANCES`, each by its flop's price. base: see `regrets`.
    """
    start, rows = scaler(base, "none"), []
    rules = [paper_strategy(name).shares for name in pair]
    for name, charge in (charges or {f"{b:.3g}": priced("", b, 1.0) for b in BALANCES}).items():
        cost = replace(charge, constant=0.0)
        for level in levels:
            both = largest(start, rules, cost(get(base.replace("B0", level))), cost)
            phi = float(both.phi(cost).mean())
            for form in forms:
                surface, *drawn = fits(form, draws)
                errors = [s.error(*both.built, extrapolate=True) for s in (surface, *drawn)]
                gaps = np.array([one - other for one, other in errors])
                low, high = np.percentile(gaps[1:] if drawn else gaps, INTERVAL)
                known = bool(surface.inside(*both.built).all())
                at = (name, base, level, form, cost.phi(start.base), phi)
                rows.append((*at, float(gaps[0]), float(low), float(high), known))
    names = ["cost", "base", "level", "surface", "phi_base", "phi", "gap", "low", "high", "inside"]
    return pd.DataFrame(rows, columns=names)


def even(duels: pd.DataFrame) -> pd.DataFrame:
    """Where neither rule errs less: phi by level and surface, between the balances; 1: nowhere."""
    rows = []
    for (level, form), path in duels.groupby(["level", "surface"], sort=False):
        on = path.sort_values("phi")
        behind = np.flatnonzero(on.gap <= 0)
        i = int(behind[0]) if len(behind) else 0
        some = on.iloc[max(i - 1, 0) : i + 1].sort_values("gap")
        phi = float(np.interp(0, some.gap, some.phi)) if len(behind) else 1.0
        rows.append((level, form, phi))
    return pd.DataFrame(rows, columns=["level", "surface", "phi"])


def field(
    cost: Additive, level: str = "B3", forms: Sequence[Form] = FORMS, step: float = STEP
) -> pd.DataFrame:
    """Predicted error of every rule at what EfficientNet of a level costs, without rounding.

    One row a rule, by its shares; errors of rules whose network the surfaces do not know are nan.
    """
    rules, start = triangle(step), scaler(rounding="none")
    networks = largest(start, rules, cost(get(f"EN-{level}")), cost)
    frame = pd.DataFrame(rules, columns=["d", "w", "r"]).assign(phi=networks.phi(cost))
    for form in forms:
        surface = Surface.fit(form)
        errors = surface.error(*networks.built, extrapolate=True)
        frame[form] = np.where(surface.inside(*networks.built), errors, np.nan)
    return frame


def flat(
    level: str = "B4",
    device: str = "V100",
    within: float = 0.12,
    forms: Sequence[Form] = FORMS,
    rounding: Rule | None = None,
) -> pd.DataFrame:
    """The best network at a level's cost, and the ranges of those within so many points of it."""
    start, cost, rows = scaler(rounding=rounding), roofline(device), []
    target = cost(get(f"EN-{level}"))
    for form in forms:
        surface = Surface.fit(form)
        known = (
            _of_one_cost(start, target, surface, cost)
            if rounding == "none"
            else grid(start, surface)
        )
        some, errors = affordable(known, target, surface, cost)
        alike = some[errors <= errors[0] + within].built
        rows.append(
            {"level": level, "device": device, "surface": form, "error": errors[0]}
            | {k: float(v[0]) for k, v in some.built._asdict().items()}
            | dict(zip(("d", "w", "r"), shares([float(x[0]) for x in some.built]), strict=True))
            | {f"{k}_low": float(v.min()) for k, v in alike._asdict().items()}
            | {f"{k}_high": float(v.max()) for k, v in alike._asdict().items()}
        )
    return pd.DataFrame(rows)
