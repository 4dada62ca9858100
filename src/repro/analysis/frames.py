"""Data frames that several chapters start from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from repro.arch import Network, Strategy, get, scale
from repro.complexity import complexity
from repro.evidence.printed import family


def counts(net: Network) -> dict[str, float]:
    """One row: resolution, and flops, params and acts in units (not millions)."""
    c = complexity(net)
    return {"resolution": net.resolution, "flops": c.flops, "params": c.params, "acts": c.acts}


def scaled(
    bases: Iterable[str], strategies: Mapping[str, Strategy], scales: Sequence[float]
) -> pd.DataFrame:
    """Every base under every strategy, by the name to show, at every factor on flops.

    Ratios are relative to the unscaled base.
    """
    rows = []
    for base in bases:
        net = get(base)
        unscaled = counts(net)
        for name, strategy in strategies.items():
            for s in scales:
                row = counts(scale(net, strategy, s))
                ratios = {f"{k}_ratio": row[k] / unscaled[k] for k in ("flops", "params", "acts")}
                rows.append(
                    {"base": base, "family": family(base), "strategy": name, "s": s} | row | ratios
                )
    return pd.DataFrame(rows)


def log_slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Least-squares slope of log y against log x: the measured exponent."""
    from statistics import linear_regression

    return linear_regression([math.log(v) for v in x], [math.log(v) for v in y]).slope
