"""Judges of what the first paper says about time, from timings recorded by this project.

Source of the statements: Fast and Accurate Model Scaling, section 4, Figures 1, 2 and 8, Table 8,
about V100s. A claim is judged on every machine that has all the timings it asks for, and says
which; where none has, it is not testable and says what is missing and how to record it. One
multiply-add is one flop. Times are per image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, pairwise
from math import inf, log
from statistics import correlation, linear_regression
from typing import Annotated, Literal

from pydantic import Field

from repro import reference
from repro.claims.arithmetic import below
from repro.claims.claim import Claim
from repro.claims.judging import (
    NotTestable,
    Point,
    Points,
    at_least,
    holds,
    in_words,
    judge_function,
    on_each,
)
from repro.evidence.printed import Quantity
from repro.evidence.timings import WAYS, Timed, Timings, Way, name_of, timings
from repro.records import PeakRecord
from repro.stored import RECORD_GPU, machine_name, stored

Net = tuple[str] | tuple[str, str, float]
"""A base, or a base with one of the paper's strategies and a scale."""
Share = Annotated[float, Field(gt=0, lt=1)]
Reach = Annotated[float, Field(gt=1)]
"""The s to which every strategy must be timed at least, before a claim is judged."""

FEWEST = 8
"""A correlation of fewer networks is not judged."""


def _on_each(way: Way, judged: Callable[[str, Timings], Iterable[Point]]) -> Points:
    """Points of all machines with timings of this way; timings of earlier code are named so."""
    kind = "GPU" if way.startswith("gpu") else "CPU"
    how = RECORD_GPU if kind == "GPU" else "repro time --sweep laptop --out FILE.jsonl"
    what = way[len(kind) + 1 :].replace(" at ", " at batch ")
    return on_each(
        timings(way),
        judged,
        f"Needs times of {what} on a {kind}",
        how,
        lambda machine, networks: (
            machine + " (timed by earlier code)" * any(not n.current for n in networks.values())
        ),
    )


def _r(networks: Sequence[Timed], quantity: str) -> float:
    return correlation([getattr(n, quantity) for n in networks], [n.seconds for n in networks])


def _of(networks: Timings, base: str, strategies: Sequence[str]) -> list[Timed]:
    """The unscaled base and its versions by these strategies."""
    known = [n for n in networks.values() if n.base == base]
    return [n for n in known if n.strategy in (None, *strategies)]


def _whole(
    networks: Timings,
    bases: Sequence[str],
    strategies: Sequence[str],
    reach: float,
    every: bool = False,
) -> dict[str, list[Timed]]:
    """Versions of each base that was timed unscaled and by all strategies up to s = reach.

    One strategy's networks lie on one curve, on which any count goes with time: they decide
    nothing alone.

    Raises:
        NotTestable: no base has them, or with ``every`` not each; says what is missing.
    """
    lacks = {}
    for base in bases:
        known = _of(networks, base, strategies)
        to = {n.strategy: n.scale for n in sorted(known, key=lambda n: n.scale)}
        short = [s for s in strategies if to.get(s, 0) < reach]
        parts = ["unscaled"] * (None not in to)
        parts += [f"by {', '.join(short)} up to s = {reach:g}"] * bool(short)
        if parts:
            lacks[base] = f"{base} {' and '.join(parts)}"
    if lacks and (every or len(lacks) == len(bases)):
        raise NotTestable(("; " if every else "; or ").join(lacks.values()))
    return {base: _of(networks, base, strategies) for base in bases if base not in lacks}


def _enough(
    groups: Mapping[str, Sequence[Timed]], every: bool = False
) -> Iterable[tuple[str, Sequence[Timed]]]:
    """Groups of enough networks for a correlation, labelled with their number.

    Raises:
        NotTestable: no group has enough, or with ``every`` one has not.
    """
    few = {label: len(part) for label, part in groups.items() if len(part) < FEWEST}
    if few and (every or len(few) == len(groups)):
        known = ", ".join(f"{n} of {label}" for label, n in few.items())
        raise NotTestable(f"networks: {FEWEST} at least are needed, it has {known}")
    for label, part in groups.items():
        if label not in few:
            yield f"{label}, {len(part)} networks", part


@judge_function("our measurement")
def recorded_pearson(
    claim: Claim,
    way: Way,
    quantities: list[Quantity],
    bases: list[str],
    bound: Share,
    strategies: list[str],
    reach: Reach,
    each: Literal["base", "strategy", "together"] = "base",
    up_to_macts: float = inf,
) -> Points:
    """Counts and time correlate with at least ``bound``, rounded to two digits as printed.

    Args:
        each: among the versions of each base, or of each base by each strategy, or among all
            bases together.
        up_to_macts: none with more acts, M.
    """

    def judged(_: str, networks: Timings) -> Iterable[Point]:
        whole = _whole(networks, bases, strategies, reach, every=each == "together")
        groups = {b: [n for n in part if n.macts <= up_to_macts] for b, part in whole.items()}
        if each == "together":
            groups = {"together": [n for part in groups.values() for n in part]}
        elif each == "strategy":
            groups = {
                f"{base} {name}": [n for n in part if n.strategy in (None, name)]
                for base, part in groups.items()
                for name in strategies
            }
        for label, part in _enough(groups, every=each == "strategy"):
            for quantity in quantities:
                r = _r(part, quantity)
                ok = round(r, 2) >= bound
                yield holds(label, f"r of at least {bound:g}", f"{r:.4f}", ok, quantity)

    return _on_each(way, judged)


@judge_function("our measurement")
def recorded_lead(
    claim: Claim,
    way: Way,
    bases: list[str],
    over: dict[Quantity, Annotated[float, Field(ge=0)]],
    strategies: list[str],
    reach: Reach,
) -> Points:
    """Acts correlate with time better than other counts do, by more than the lead stated."""

    def judged(_: str, networks: Timings) -> Iterable[Point]:
        for label, part in _enough(_whole(networks, bases, strategies, reach)):
            acts = _r(part, "macts")
            for quantity, lead in over.items():
                other = _r(part, quantity)
                required = f"acts above {in_words(quantity)}"
                required += f" by more than {lead:g}" * bool(lead)
                text = f"r {acts:.4f} against {other:.4f}"
                yield holds(label, required, text, acts - other > lead)

    return _on_each(way, judged)


def _pick(networks: Timings, wanted: Sequence[Net]) -> list[Timed]:
    """These networks; `NotTestable` names those that were not timed."""
    keys = [(n[0], n[1], n[2]) if len(n) == 3 else (n[0], None, 1.0) for n in wanted]
    if lacks := [name_of(*key) for key in keys if key not in networks]:
        raise NotTestable(", ".join(lacks))
    return [networks[key] for key in keys]


@judge_function("our measurement")
def recorded_rising(
    claim: Claim, way: Way, rising: list[list[Net]], what: Literal["seconds", "memory"] = "seconds"
) -> Points:
    """Time, or memory, of one image rises along these networks; several lists may be given."""
    unit, name = {"seconds": (1e3, "ms"), "memory": (1e-6, "MB")}[what]

    def judged(_: str, networks: Timings) -> Iterable[Point]:
        rows = [_pick(networks, row) for row in rising]
        if any(getattr(n, what) is None for row in rows for n in row):
            raise NotTestable(what)
        for a, b in chain.from_iterable(map(pairwise, rows)):
            x, y = unit * getattr(a, what), unit * getattr(b, what)
            yield holds(a.label, f"below {b.label}", f"{x:.4g} against {y:.4g} {name}", x < y)

    return _on_each(way, judged)


@judge_function("our measurement")
def recorded_speedup(
    claim: Claim, way: Way, slow: Net, fast: Net, bound: Annotated[float, Field(gt=1)]
) -> Points:
    """One network takes at least so many times as long as another."""

    def judged(_: str, networks: Timings) -> Iterable[Point]:
        a, b = _pick(networks, [slow, fast])
        yield at_least(f"{a.label} over {b.label}", bound, a.seconds / b.seconds, ".3f")

    return _on_each(way, judged)


@judge_function("our measurement")
def recorded_growth(
    claim: Claim, way: Way, bases: list[str], rising: list[str], reach: Reach
) -> Points:
    """The exponent of s in time rises along these strategies, and stays below that of flops."""

    def exponent(part: Sequence[Timed], what: str) -> float:
        xs = [log(n.scale) for n in part]
        return linear_regression(xs, [log(getattr(n, what)) for n in part]).slope

    def judged(_: str, networks: Timings) -> Iterable[Point]:
        for base, known in _whole(networks, bases, rising, reach).items():
            parts = {s: [n for n in known if n.strategy in (None, s)] for s in rising}
            slopes = {s: exponent(part, "seconds") for s, part in parts.items()}
            for a, b in pairwise(rising):
                text = f"{slopes[a]:.3f} against {slopes[b]:.3f}"
                yield holds(base, f"{a} below {b}", text, slopes[a] < slopes[b])
            for s, part in parts.items():
                flops = exponent(part, "gflops")
                text = f"{slopes[s]:.3f} against {flops:.3f}"
                yield holds(f"{base} {s}", "time below flops", text, slopes[s] < flops)

    return _on_each(way, judged)


@judge_function("our measurement")
def recorded_inference(
    claim: Claim,
    way: Way,
    inference: Way,
    bound: Share,
    bases: list[str],
    strategies: list[str],
    reach: Reach,
) -> Points:
    """Times of inference and of training correlate over the networks that have both.

    Those of these bases by these strategies must be among them.
    """
    inferred = timings(inference)

    def judged(machine: str, training: Timings) -> Iterable[Point]:
        other = inferred.get(machine, {})
        both = {net: n for net, n in training.items() if net in other}
        _whole(both, bases, strategies, reach, every=True)
        for label, part in _enough({"all": list(both.values())}):
            times = [n.seconds for n in part], [other[n.net].seconds for n in part]
            yield at_least(label.removeprefix("all, "), bound, correlation(*times), ".4f", "r of ")

    return _on_each(way, judged)


@judge_function("our measurement")
def recorded_peak_share(
    claim: Claim,
    way: Way,
    up_to_gflops: Annotated[float, Field(gt=0)],
    share: Share,
    bases: list[str],
    strategies: list[str],
    reach: Reach,
) -> Points:
    """No network up to so many flops reaches this share of the machine's peak rate.

    That is the rate of a measured product or conv, or of the fastest network if it is higher. A
    multiply-add is two operations here, and training runs every product three times. These bases
    by these strategies must be among the networks.
    """
    products = 1 if WAYS[way]["mode"] == "infer" else 3
    measured: dict[str, float] = {}
    for record in stored():
        if isinstance(record, PeakRecord) and record.protocol.dtype == WAYS[way]["dtype"]:
            name = machine_name(record)
            measured[name] = max(record.flops, measured.get(name, 0.0))

    def judged(machine: str, networks: Timings) -> Iterable[Point]:
        _whole(networks, bases, strategies, reach, every=True)
        if machine not in measured:
            raise NotTestable(f"its peak rate in {WAYS[way]['dtype']}")
        rates = {n.label: 2e9 * products * n.gflops / n.seconds for n in networks.values()}
        peak = max(measured[machine], *rates.values())
        for n in networks.values():
            if n.gflops <= up_to_gflops:
                reached, most = rates[n.label] / peak, f"below {100 * share:g} % of the peak"
                yield holds(n.label, most, f"{100 * reached:.1f} %", reached < share)

    return _on_each(way, judged)


@judge_function("our measurement")
def recorded_fastest(
    claim: Claim,
    way: Way,
    fastest: list[str],
    others: list[str],
    gflops: list[float],
    reach: Reach,
) -> Points:
    """Scaled by dWr, one of the first bases takes less time at given flops than each other one."""

    def judged(_: str, networks: Timings) -> Iterable[Point]:
        whole = _whole(networks, [*fastest, *others], ["dWr"], reach, every=True)
        curves = {
            base: sorted((n.gflops, 1e3 * n.seconds) for n in part) for base, part in whole.items()
        }
        return below(curves, fastest, others, gflops, "ms")

    return _on_each(way, judged)


@judge_function("our measurement")
def recorded_ranks(
    claim: Claim,
    way: Way,
    bases: list[str],
    bound: Share,
    strategies: list[str],
    reach: Reach,
    together: bool = False,
) -> Points:
    """Networks of Figure 2 rank by time as they do there: Spearman's rho per base, or of all.

    The unscaled network, which the paper timed once for each strategy, counts with its mean there.
    Networks far apart in scale rank alike by any count: rho must also make up for at least half of
    what the ranks by flops lack.
    """
    published: dict[tuple[str, str | None, float], list[float]] = {}
    for p in reference.runtime_points():
        net = (p.base, None if p.scale == 1 else p.strategy, p.scale)
        published.setdefault(net, []).append(float(p.epoch_minutes_8xv100))

    def judged(_: str, networks: Timings) -> Iterable[Point]:
        whole = _whole(networks, bases, strategies, reach, every=together)
        known = {base: [n for n in part if n.net in published] for base, part in whole.items()}
        if together:
            known = {"together": [n for part in known.values() for n in part]}
        for label, part in _enough(known):
            theirs = _ranks([sum(published[n.net]) / len(published[n.net]) for n in part])
            flops = correlation(theirs, _ranks([n.gflops for n in part]))
            rho = correlation(theirs, _ranks([n.seconds for n in part]))
            least = max(bound, round((1 + flops) / 2, 4))
            yield at_least(label, least, rho, ".4f", "rho of ")

    return _on_each(way, judged)


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1 on, equal values sharing their mean rank."""
    ordered = sorted(values)
    return [ordered.index(v) + (ordered.count(v) + 1) / 2 for v in values]
