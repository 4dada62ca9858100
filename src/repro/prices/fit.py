"""Prices from timings: fitted, judged on families not seen, and with intervals of whole families.

``python -m repro.prices.fit`` writes ``data/prices.yaml``; a test says when it is out of date.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from repro.fingerprint import bare
from repro.paths import root, write_whole
from repro.prices import sources
from repro.prices.law import LAWS, UNITS, Estimate, Price
from repro.prices.sources import Timed, Timings

Array = NDArray[np.float64]
CONFIDENCE, RESAMPLES, SEED = 0.95, 200, 0
ROUNDS, SMALL = 10, 0.02
"""Of reweighting; relative errors below `SMALL` count alike."""
GAIN = 0.1
"""A richer law is kept where it lowers the error on families not seen by this. Set beforehand."""
FEWEST = 12
"""Networks for a fit."""
FEWEST_OF_A_KIND = 8


def fit(counts: Array, seconds: Array) -> Array:
    """The price of each column, and the constant last; none is negative.

    Non-negative least squares on relative errors, reweighted until it is their size that is
    smallest on average, not their square: a few networks that a device runs several times slower
    than the others do not set its prices.

    Args:
        counts: (networks, kinds of counts). seconds: (networks,), positive.
    """
    design = np.column_stack([counts, np.ones(len(counts))])
    scales = np.maximum(design.max(axis=0), 1e-300)
    relative = design / scales / seconds[:, None]
    weights = np.ones(len(seconds))
    for _ in range(ROUNDS):
        # The triangular factor has the same solution and a handful of rows.
        rows = np.column_stack([relative, np.ones(len(weights))]) * weights[:, None]
        small = np.linalg.qr(rows).R
        solution, _ = nnls(small[:, :-1], small[:, -1])
        weights = np.maximum(np.abs(relative @ solution - 1), SMALL) ** -0.5
    return np.asarray(solution / scales)


def times(prices: Array, counts: Array) -> Array:
    """Seconds predicted for networks with these counts."""
    return np.asarray(counts @ prices[:-1] + prices[-1])


def held_out(counts: Array, seconds: Array, groups: Sequence[str]) -> Array:
    """Seconds predicted for each group by a fit to all others; two groups at least."""
    names, predicted = np.asarray(groups), np.empty(len(seconds))
    for name in dict.fromkeys(groups):
        out = names == name
        predicted[out] = times(fit(counts[~out], seconds[~out]), counts[out])
    return predicted


def resampled(counts: Array, seconds: Array, units: Sequence[str]) -> Array:
    """Prices (resamples, kinds of counts + 1) of fits to as many units, drawn with replacement.

    Networks of one family, and points of one curve, share what is peculiar to them: drawing them
    singly would give intervals that are too narrow.
    """
    names = np.asarray(units)
    members = [np.flatnonzero(names == name) for name in dict.fromkeys(units)]
    random = np.random.default_rng(SEED)
    drawn = (random.integers(0, len(members), len(members)) for _ in range(RESAMPLES))
    rows = (np.concatenate([members[i] for i in draw]) for draw in drawn)
    return np.array([fit(counts[r], seconds[r]) for r in rows])


def price(timings: Timings, laws: Sequence[tuple[str, ...]] = LAWS) -> Price:
    """Prices by the first law, or by a richer one that lowers the error on families not seen.

    Where all networks are of one family, each is held out by itself.
    """
    networks, best, error = timings.networks, laws[0], np.inf
    seconds = np.array([timed.seconds for timed in networks])
    families = [timed.family for timed in networks]
    groups = families if len(set(families)) > 1 else [timed.name for timed in networks]
    for law in laws:
        predicted = held_out(_table(networks, law), seconds, groups)
        found = np.abs(predicted / seconds - 1)
        if np.median(found) < (1 - GAIN) * error or law is laws[0]:
            best, error, errors = law, float(np.median(found)), found
    counts = _table(networks, best)
    values = fit(counts, seconds)
    others = resampled(counts, seconds, [timed.unit for timed in networks])
    units = [UNITS[name] for name in (*best, "constant")]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios, drawn = values / values[0], others / others[:, :1]
    kinds = [timed.counts.kind for timed in networks]
    gflops = [timed.counts.flops / 1e9 for timed in networks]
    return Price(
        timings.setting,
        timings.device,
        timings.mode,
        timings.compiled,
        len(networks),
        len(set(families)),
        (min(gflops), max(gflops)),
        {
            name: _estimate(1e3 * unit * values[i], 1e3 * unit * others[:, i])
            for i, (name, unit) in enumerate(zip((*best, "constant"), units, strict=True))
        },
        {name: _estimate(ratios[i], drawn[:, i]) for i, name in enumerate(best) if i},
        {"all": error} | _by_kind(errors, kinds),
    )


def _table(networks: Iterable[Timed], law: Sequence[str]) -> Array:
    return np.array([[getattr(t.counts, name) for name in law] for t in networks], float)


def _estimate(value: float, drawn: Array) -> Estimate:
    ends = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    # One of the values drawn: between infinite ones, where flops are free, nothing lies.
    low, high = np.nanquantile(drawn, ends, method="inverted_cdf")
    return Estimate(float(value), float(low), float(high))


def _by_kind(errors: Array, kinds: Sequence[str]) -> dict[str, float]:
    names = np.asarray(kinds)
    return {
        kind: float(np.median(errors[names == kind]))
        for kind in sorted(set(kinds))
        if (names == kind).sum() >= FEWEST_OF_A_KIND
    }


# ------------------------------------------------------------------------- data/prices.yaml

ABOUT = """\
# What devices charge. Made by `python -m repro.prices.fit`; not to be edited.
# ms: milliseconds for 10^9 flops, 10^6 acts, 10^6 writes, 10^3 kernels, and one image (constant).
# in flops: how many flops cost as much as one. Both with their interval (95 %, whole families or
# curves drawn again). errors: median relative error of families that the fit has not seen.
# best: the law with the further prices that lower it by a tenth; where it is missing, none does.
"""


def everything() -> list[Timings]:
    """All timings that prices are published of."""
    return [*sources.public(), *sources.v100(), *sources.stored_timings(FEWEST)]


def digest(timings: Sequence[Timings]) -> str:
    """Of what prices follow from: timings, counts, and the code of the fit."""
    code = bare(Path(__file__).read_text(encoding="utf-8"))
    return hashlib.sha256(f"{timings}{LAWS}{code}".encode()).hexdigest()[:16]


def document(timings: Sequence[Timings]) -> str:
    """``data/prices.yaml``."""
    lines = [f"{ABOUT}inputs: {digest(timings)}", "settings:"]
    for each in timings:
        two, best = price(each, LAWS[:1]), price(each)
        row = asdict(two)
        timed = ("device", "mode", "compiled", "networks", "families", "gflops")
        lines += [f"  {two.setting}:", f"    timed: {_flow({name: row[name] for name in timed})}"]
        for name, law in {"two prices": two, "best": best}.items():
            if law is two or law.counts != two.counts:
                lines.append(f"    {name}:")
                parts = {"ms": law.ms, "in flops": law.in_flops, "errors": law.errors}
                lines += [f"      {part}: {_flow(values)}" for part, values in parts.items()]
    return "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    """A value of YAML on one line, numbers with three digits."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_flow(v)}" for name, v in value.items()) + "}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, float):
        return f"{value:.4g}" if np.isfinite(value) else f".{value}"
    return str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    path = root() / "data" / "prices.yaml"
    write_whole(path, document(everything()).encode())
    print(f"{path.name} is written")
