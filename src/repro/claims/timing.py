"""Judges of what the papers say about time, from timings recorded by this project.

Source of the statements: Fast and Accurate Model Scaling, section 4, Figures 1, 2 and 8, Table 8,
about V100s; Searching for Fast Model Families on Datacenter Accelerators, sections 3, 5 and 6,
Tables 3 and 4, about V100s and TPUs of 2020. A claim is judged on every machine that has timings
of the kind it asks for, and says which; where none has, it is not testable and says how to record
them. One multiply-add is one flop. Times are per image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from math import inf, log
from statistics import correlation, geometric_mean, linear_regression
from typing import Annotated, Any, Literal

from pydantic import Field

from repro import reference
from repro.claims.arithmetic import below
from repro.claims.claim import Claim
from repro.claims.judging import Point, Points, at_least, holds, in_words, judge_function, on_each
from repro.evidence.printed import Quantity
from repro.evidence.timings import WAYS, Timed, Timings, Way, rates, timings
from repro.records import PeakRecord
from repro.stored import RECORD_GPU, machine_name, stored

Net = tuple[str] | tuple[str, str, float]
"""A base, or a base with one of the paper's strategies and a scale."""
Share = Annotated[float, Field(gt=0, lt=1)]

FEWEST = 8
"""A correlation of fewer networks is not judged."""


def _on_each(way: Way, judged: Callable[[str, Timings], Iterable[Point]]) -> Points:
    """Points of all machines with timings of this way; timings of earlier code are named so."""
    kind = "GPU" if way.startswith("gpu") else "CPU"
    how = RECORD_GPU if kind == "GPU" else "repro time --sweep laptop --out FILE.jsonl"
    return on_each(
        timings(way),
        judged,
        f"Needs timings of these networks on a {kind} ({way}), and none are recorded. "
        f"This records them: {how}",
        lambda machine, networks: (
            machine + " (timed by earlier code)" * any(not n.current for n in networks.values())
        ),
    )


def _strategies(networks: Iterable[Timed]) -> dict[str, list[Timed]]:
    """Networks by strategy; the unscaled one belongs to each."""
    known = list(networks)
    names = dict.fromkeys(n.strategy for n in known if n.strategy)
    return {s: [n for n in known if n.strategy in (None, s)] for s in names}


def _joined(groups: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """All in one group, where each has some."""
    parts = groups.values()
    return {"together": [n for part in parts for n in part]} if all(parts) else {}


def _r(networks: Sequence[Timed], quantity: str) -> float:
    return correlation([getattr(n, quantity) for n in networks], [n.seconds for n in networks])


def _of(
    networks: Timings,
    bases: Sequence[str],
    strategies: Sequence[str] | None = None,
    up_to_macts: float = inf,
) -> list[Timed]:
    """Versions of these bases: the unscaled ones, and those of the strategies (None: of all)."""
    known = [n for n in networks.values() if n.base in bases and n.macts <= up_to_macts]
    return [n for n in known if not strategies or n.strategy in (None, *strategies)]


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
) -> Points:
    """Counts and time correlate with at least ``bound``, rounded to two digits as printed.

    Args:
        each: among the versions of each base, or of each base by each strategy, or among all
            bases together.
        strategies: which versions; all where left out. up_to_macts: none with more acts, M.
    """

    def judged(_: str, networks: Timings) -> Iterable[Point]:
        groups = {base: _of(networks, [base], strategies, up_to_macts) for base in bases}
        if each == "together":
            groups = _joined(groups)
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
) -> Points:
    """Acts correlate with time better than other counts do, by more than the lead stated."""

    def judged(_: str, networks: Timings) -> Iterable[Point]:
        for base in bases:
            part = _of(networks, [base], strategies)
            if len(part) >= FEWEST:
                acts = _r(part, "macts")
                for quantity, lead in over.items():
                    label, other = f"{base}, {len(part)} networks", _r(part, quantity)
                    required = f"acts above {in_words(quantity)}"
                    required += f" by more than {lead:g}" * bool(lead)
                    text = f"r {acts:.4f} against {other:.4f}"
                    yield holds(label, required, text, acts - other > lead)

    return _on_each(way, judged)


def _pick(networks: Timings, wanted: Sequence[Net]) -> list[Timed] | None:
    """These networks, or None where one was not timed."""
    keys = [(n[0], n[1], n[2]) if len(n) == 3 else (n[0], None, 1.0) for n in wanted]
    return [networks[k] for k in keys] if all(k in networks for k in keys) else None


@judge_function
def recorded_rising(
    claim: Claim, way: Way, rising: list[list[Net]], what: Literal["seconds", "memory"] = "seconds"
) -> Points:
    """Time, or memory, of one image rises along these networks; several lists may be given."""
    unit, name = {"seconds": (1e3, "ms"), "memory": (1e-6, "MB")}[what]

    def judged(_: str, networks: Timings) -> Iterable[Point]:
        for row in rising:
            found = _pick(networks, row)
            if found is None or any(getattr(n, what) is None for n in found):
                continue
            for a, b in pairwise(found):
                x, y = unit * getattr(a, what), unit * getattr(b, what)
                text = f"{x:.4g} < {y:.4g} {name}"
                yield holds(a.label, f"below {b.label}", text, x < y)

    return _on_each(way, judged)


@judge_function
def recorded_speedup(
    claim: Claim, way: Way, slow: Net, fast: Net, bound: Annotated[float, Field(gt=1)]
) -> Points:
    """One network takes at least so many times as long as another."""

    def judged(_: str, networks: Timings) -> Iterable[Point]:
        found = _pick(networks, [slow, fast])
        if found:
            a, b = found
            yield at_least(f"{a.label} over {b.label}", bound, a.seconds / b.seconds, ".3f")

    return _on_each(way, judged)


@judge_function
def recorded_growth(claim: Claim, way: Way, bases: list[str], rising: list[str]) -> Points:
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
def recorded_inference(claim: Claim, way: Way, inference: Way, bound: Share) -> Points:
    """Times of inference and of training correlate over the networks that have both."""
    inferred = timings(inference)

    def judged(machine: str, training: Timings) -> Iterable[Point]:
        other = inferred.get(machine, {})
        both = [net for net in training if net in other]
        if len(both) >= FEWEST:
            r = correlation([training[n].seconds for n in both], [other[n].seconds for n in both])
            yield at_least(f"{len(both)} networks", bound, r, ".4f", "r of ")

    return _on_each(way, judged)


@judge_function
def recorded_peak_share(
    claim: Claim, way: Way, up_to_gflops: Annotated[float, Field(gt=0)], share: Share
) -> Points:
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
                reached, most = rates[n.label] / peak, f"below {100 * share:g} % of the peak"
                yield holds(n.label, most, f"{100 * reached:.1f} %", reached < share)

    return _on_each(way, judged)


@judge_function
def recorded_fastest(
    claim: Claim, way: Way, fastest: list[str], others: list[str], gflops: list[float]
) -> Points:
    """Scaled by dWr, one of the first bases takes less time at given flops than each other one."""

    def judged(_: str, networks: Timings) -> Iterable[Point]:
        known = [n for n in networks.values() if n.strategy in (None, "dWr")]
        points = sorted((n.gflops, 1e3 * n.seconds, n.base) for n in known)
        curves = {
            base: [(x, y) for x, y, of in points if of == base] for base in (*fastest, *others)
        }
        return below(curves, fastest, others, gflops, "ms")

    return _on_each(way, judged)


@judge_function
def recorded_ranks(
    claim: Claim, way: Way, bases: list[str], bound: Share, together: bool = False
) -> Points:
    """Networks of Figure 2 rank by time as they do there: Spearman's rho per base, or of all.

    The unscaled network, which the paper timed once for each strategy, counts with its mean there.
    """
    published: dict[tuple[str, str | None, float], list[float]] = {}
    for p in reference.runtime_points():
        net = (p.base, None if p.scale == 1 else p.strategy, p.scale)
        published.setdefault(net, []).append(float(p.epoch_minutes_8xv100))

    def judged(_: str, networks: Timings) -> Iterable[Point]:
        known = {base: [n for n in networks if n in published and n[0] == base] for base in bases}
        for label, both in (_joined(known) if together else known).items():
            if len(both) >= FEWEST:
                theirs = [sum(published[n]) / len(published[n]) for n in both]
                rho = correlation(_ranks(theirs), _ranks([networks[n].seconds for n in both]))
                yield at_least(f"{label}, {len(both)} networks", bound, rho, ".4f", "rho of ")

    return _on_each(way, judged)


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1 on, equal values sharing their mean rank."""
    ordered = sorted(values)
    return [ordered.index(v) + (ordered.count(v) + 1) / 2 for v in values]


Pair = tuple[str, str]
"""Two networks by the names under which they were timed: the faster one, and the other."""
Gains = dict[Pair, float]


def _on_all(
    pairs: list[Pair], protocol: dict[str, Any], judged: Callable[[Gains], Iterable[Point]]
) -> Points:
    """Points of every machine on which all pairs were timed.

    Without one, all claims of one protocol say so in the same words.
    """
    names = {name for pair in pairs for name in pair}
    gains = {
        machine: {(a, b): known[a] / known[b] for a, b in pairs}
        for machine, known in rates(protocol).items()
        if names <= known.keys()
    }
    conditions = ", ".join(f"{k} {v}".replace("_", " ") for k, v in protocol.items() if v)
    return on_each(
        gains,
        lambda _, found: judged(found),
        "Needs timings of its networks, all of them together on one machine, and no machine has"
        f" them in data/records ({conditions}). This records them: {RECORD_GPU}",
    )


@judge_function
def recorded_gain(
    claim: Claim,
    pairs: list[Pair],
    which: Literal["mean", "largest"],
    bound: float,
    protocol: dict[str, Any],
) -> Points:
    """The geometric mean, or the largest, of recorded speed-ups reaches a bound."""

    def judged(gains: Gains) -> Iterable[Point]:
        if which == "mean":
            found, label = geometric_mean(gains.values()), f"mean of {len(gains)}"
        else:
            best = max(gains, key=lambda pair: gains[pair])
            found, label = gains[best], f"{best[0]} over {best[1]}"
        yield at_least(label, bound, found, ".2f", unit=" times as fast")

    return _on_all(pairs, protocol, judged)


@judge_function
def recorded_order(claim: Claim, pairs: list[Pair], protocol: dict[str, Any]) -> Points:
    """In every pair the first network handles more images per second."""

    def judged(gains: Gains) -> Iterable[Point]:
        for (a, b), gain in gains.items():
            yield holds(a, f"faster than {b}", f"{gain:.2f} times as fast", gain > 1)

    return _on_all(pairs, protocol, judged)
