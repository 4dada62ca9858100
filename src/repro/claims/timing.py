"""Judges of what the paper says about time, from timings recorded by this project.

Source of the statements: Fast and Accurate Model Scaling, section 4, Figures 1, 2 and 8, Table 8,
all about V100s. A claim is judged on every machine that has timings of the kind it asks for, and
says which; where none has, it is not testable and says how to record them. One multiply-add is one
flop. Times are per image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from math import exp, inf, log
from statistics import correlation, linear_regression
from typing import Annotated, Literal

from pydantic import Field

from repro import reference
from repro.claims.claim import Claim
from repro.claims.judging import Point, holds, in_words, judge_function, of_machines
from repro.evidence.printed import Quantity
from repro.evidence.timings import WAYS, Timed, Timings, Way, timings
from repro.records import PeakRecord
from repro.stored import RECORD_GPU, machine_name, stored

Net = tuple[str] | tuple[str, str, float]
"""A base, or a base with one of the paper's strategies and a scale."""
Share = Annotated[float, Field(gt=0, lt=1)]

FEWEST = 8
"""A correlation of fewer networks is not judged."""


def _on_each(way: Way, judged: Callable[[str, Timings], Iterable[Point]]) -> list[Point]:
    """Points of all machines, each with its machine.

    Raises:
        NotTestable: no machine has what the claim needs.
    """
    points = []
    for machine, networks in timings(way).items():
        earlier = not all(n.current for n in networks.values())
        on = machine + " (timed by earlier code)" * earlier
        points += [p.on(on) for p in judged(machine, networks)]
    kind = "GPU" if way.startswith("gpu") else "CPU"
    how = RECORD_GPU if kind == "GPU" else "repro time --sweep laptop --out FILE.jsonl"
    return of_machines(
        points,
        f"Needs timings of these networks on a {kind} ({way}), and none are recorded. "
        f"This records them: {how}",
    )


def _strategies(networks: Iterable[Timed]) -> dict[str, list[Timed]]:
    """Networks by strategy; the unscaled one belongs to each."""
    known = list(networks)
    names = dict.fromkeys(n.strategy for n in known if n.strategy)
    return {s: [n for n in known if n.strategy in (None, s)] for s in names}


def _r(networks: Sequence[Timed], quantity: str) -> float:
    return correlation([getattr(n, quantity) for n in networks], [n.seconds for n in networks])


def _of(
    networks: Timings,
    bases: Sequence[str],
    strategies: Sequence[str] | None = None,
    up_to_macts: float = inf,
) -> list[Timed]:
    """Versions of these bases: the unscaled ones, and those of the strategies (None: of all)."""
    return [
        n
        for n in networks.values()
        if n.base in bases
        and n.macts <= up_to_macts
        and (strategies is None or n.strategy is None or n.strategy in strategies)
    ]


@judge_function
def recorded_pearson(
    claim: Claim,
    way: Way,
    quantities: list[Quantity],
    bases: list[str],
    bound: Share,
    each: Literal["base", "strategy", "together"] = "base",
    strategies: list[str] | None = None,
    up_to_macts: float = inf,
) -> list[Point]:
    """Counts and time correlate with at least ``bound``, rounded to two digits as printed.

    Args:
        each: among the versions of each base, or of each base by each strategy, or among all
            bases together.
        strategies: which versions; all where left out. up_to_macts: none with more acts, M.
    """

    def judged(_: str, networks: Timings) -> Iterable[Point]:
        groups = {base: _of(networks, [base], strategies, up_to_macts) for base in bases}
        if each == "together":
            parts = groups.values()
            groups = {"together": [n for part in parts for n in part]} if all(parts) else {}
        elif each == "strategy":
            groups = {
                f"{base} {name}": part
                for base, known in groups.items()
                for name, part in _strategies(known).items()
            }
        for label, part in groups.items():
            if len(part) >= FEWEST:
                for quantity in quantities:
                    r = _r(part, quantity)
                    text = f"{label}, {len(part)} networks"
                    ok = round(r, 2) >= bound
                    yield holds(text, f"r of at least {bound:g}", f"{r:.4f}", ok, quantity)

    return _on_each(way, judged)


@judge_function
def recorded_lead(
    claim: Claim,
    way: Way,
    bases: list[str],
    over: dict[Quantity, Annotated[float, Field(ge=0)]],
    strategies: list[str] | None = None,
) -> list[Point]:
    """Acts correlate with time better than other counts do, by more than the lead stated."""

    def judged(_: str, networks: Timings) -> Iterable[Point]:
        for base in bases:
            part = _of(networks, [base], strategies)
            if len(part) >= FEWEST:
                acts = _r(part, "macts")
                for quantity, lead in over.items():
                    other = _r(part, quantity)
                    yield holds(
                        f"{base}, {len(part)} networks",
                        f"acts above {in_words(quantity)}" + f" by more than {lead:g}" * bool(lead),
                        f"r {acts:.4f} against {other:.4f}",
                        acts - other > lead,
                    )

    return _on_each(way, judged)


def _pick(networks: Timings, wanted: Sequence[Net]) -> list[Timed] | None:
    """These networks, or None where one was not timed."""
    keys = [(n[0], n[1], n[2]) if len(n) == 3 else (n[0], None, 1.0) for n in wanted]
    return [networks[k] for k in keys] if all(k in networks for k in keys) else None


@judge_function
def recorded_rising(
    claim: Claim, way: Way, rising: list[list[Net]], what: Literal["seconds", "memory"] = "seconds"
) -> list[Point]:
    """Time, or memory, of one image rises along these networks; several lists may be given."""

    def judged(_: str, networks: Timings) -> Iterable[Point]:
        for row in rising:
            found = _pick(networks, row)
            if found is None or any(getattr(n, what) is None for n in found):
                continue
            for a, b in pairwise(found):
                x, y = getattr(a, what), getattr(b, what)
                text = (
                    f"{1e3 * x:.4g} < {1e3 * y:.4g} ms"
                    if what == "seconds"
                    else f"{x / 1e6:.4g} < {y / 1e6:.4g} MB"
                )
                yield holds(a.label, f"below {b.label}", text, x < y)

    return _on_each(way, judged)


@judge_function
def recorded_speedup(
    claim: Claim, way: Way, slow: Net, fast: Net, at_least: Annotated[float, Field(gt=1)]
) -> list[Point]:
    """One network takes at least so many times as long as another."""

    def judged(_: str, networks: Timings) -> Iterable[Point]:
        found = _pick(networks, [slow, fast])
        if found:
            a, b = found
            ratio = a.seconds / b.seconds
            label = f"{a.label} over {b.label}"
            yield holds(label, f"at least {at_least:g}", f"{ratio:.3f}", ratio >= at_least)

    return _on_each(way, judged)


@judge_function
def recorded_growth(claim: Claim, way: Way, bases: list[str], rising: list[str]) -> list[Point]:
    """The exponent of s in time rises along these strategies, and stays below that of flops."""

    def exponent(part: Sequence[Timed], what: str) -> float:
        xs = [log(n.scale) for n in part]
        return linear_regression(xs, [log(getattr(n, what)) for n in part]).slope

    def judged(_: str, networks: Timings) -> Iterable[Point]:
        for base in bases:
            known = _strategies(_of(networks, [base]))
            parts = {s: known.get(s, []) for s in rising}
            if min(map(len, parts.values())) < 3:
                continue
            slopes = {s: exponent(part, "seconds") for s, part in parts.items()}
            for a, b in pairwise(rising):
                text = f"{slopes[a]:.3f} < {slopes[b]:.3f}"
                yield holds(base, f"{a} below {b}", text, slopes[a] < slopes[b])
            for s, part in parts.items():
                flops = exponent(part, "gflops")
                text = f"{slopes[s]:.3f} < {flops:.3f}"
                yield holds(f"{base} {s}", "time below flops", text, slopes[s] < flops)

    return _on_each(way, judged)


@judge_function
def recorded_inference(claim: Claim, way: Way, inference: Way, bound: Share) -> list[Point]:
    """Times of inference and of training correlate over the networks that have both."""

    inferred = timings(inference)

    def judged(machine: str, training: Timings) -> Iterable[Point]:
        other = inferred.get(machine, {})
        both = [net for net in training if net in other]
        if len(both) >= FEWEST:
            r = correlation([training[n].seconds for n in both], [other[n].seconds for n in both])
            label = f"{len(both)} networks"
            yield holds(label, f"r of at least {bound:g}", f"{r:.4f}", r >= bound)

    return _on_each(way, judged)


@judge_function
def recorded_peak_share(
    claim: Claim, way: Way, up_to_gflops: Annotated[float, Field(gt=0)], share: Share
) -> list[Point]:
    """No network up to so many flops reaches this share of the machine's peak rate.

    That is the rate of a measured product or conv, or of the fastest network if it is higher. A
    multiply-add is two operations here, and training runs every product three times.
    """
    products = 1 if WAYS[way]["mode"] == "infer" else 3
    measured: dict[str, float] = {}
    for record in stored():
        if isinstance(record, PeakRecord) and record.protocol.dtype == WAYS[way]["dtype"]:
            name = machine_name(record)
            measured[name] = max(record.flops, measured.get(name, 0.0))

    def judged(machine: str, networks: Timings) -> Iterable[Point]:
        if machine not in measured:
            return
        rates = {n.label: 2e9 * products * n.gflops / n.seconds for n in networks.values()}
        peak = max(measured[machine], *rates.values())
        for n in networks.values():
            if n.gflops <= up_to_gflops:
                reached = rates[n.label] / peak
                text = f"{100 * reached:.1f} %"
                yield holds(n.label, f"below {100 * share:g} % of the peak", text, reached < share)

    return _on_each(way, judged)


@judge_function
def recorded_fastest(
    claim: Claim, way: Way, fastest: list[str], others: list[str], gflops: list[float]
) -> list[Point]:
    """Scaled by dWr, one of the first bases takes less time at given flops than each other one."""

    def judged(_: str, networks: Timings) -> Iterable[Point]:
        curves = {
            base: sorted(
                (n.gflops, n.seconds)
                for n in networks.values()
                if n.base == base and n.strategy in (None, "dWr")
            )
            for base in (*fastest, *others)
        }
        for at in gflops:
            best = [t for base in fastest if (t := _at(curves[base], at)) is not None]
            for base in others:
                other = _at(curves[base], at)
                if best and other is not None:
                    text = f"{1e3 * min(best):.4g} < {1e3 * other:.4g} ms"
                    yield holds(f"{at:g} GF", f"below {base}", text, min(best) < other)

    return _on_each(way, judged)


def _at(curve: Sequence[tuple[float, float]], x: float) -> float | None:
    """A curve's value on the straight lines of a log-log plot; None outside of it."""
    for (x0, y0), (x1, y1) in pairwise(curve):
        if x0 <= x <= x1:
            return exp(log(y0) + log(x / x0) / log(x1 / x0) * log(y1 / y0))
    return None


@judge_function
def recorded_ranks(
    claim: Claim, way: Way, bases: list[str], bound: Share, together: bool = False
) -> list[Point]:
    """Networks of Figure 2 rank by time as they do there: Spearman's rho per base, or of all.

    The unscaled network, which the paper timed once for each strategy, counts with its mean there.
    """
    published: dict[tuple[str, str | None, float], list[float]] = {}
    for p in reference.runtime_points():
        net = (p.base, None if p.scale == 1 else p.strategy, p.scale)
        published.setdefault(net, []).append(float(p.epoch_minutes_8xv100))

    def judged(_: str, networks: Timings) -> Iterable[Point]:
        known = {base: [n for n in networks if n in published and n[0] == base] for base in bases}
        if together:
            every = list(known.values())
            known = {"together": [n for part in every for n in part]} if all(every) else {}
        for label, both in known.items():
            if len(both) >= FEWEST:
                theirs = [sum(published[n]) / len(published[n]) for n in both]
                rho = correlation(_ranks(theirs), _ranks([networks[n].seconds for n in both]))
                text = f"{label}, {len(both)} networks"
                yield holds(text, f"rho of at least {bound:g}", f"{rho:.4f}", rho >= bound)

    return _on_each(way, judged)


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1 on, equal values sharing their mean rank."""
    ordered = sorted(values)
    return [ordered.index(v) + (ordered.count(v) + 1) / 2 for v in values]
