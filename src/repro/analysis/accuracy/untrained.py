"""What might rank networks without training them, and how far it is off.

Scores of fresh weights: ``data/searches/zero-cost.json``, made by ``benchmarks/zero_cost.py``, of
networks of EfficientNet-B0's space ("space": Accel-NASBench trained them) and of the first paper's
zoo ("zoo": its authors did). Counts, and recipes: timm's public networks. Errors are of ImageNet's
top-1, in percent. One multiply-add is one flop.
"""

from __future__ import annotations

import json
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from repro import reference
from repro.arch import get
from repro.complexity import complexity
from repro.paths import root
from repro.prices.sources import public_counts
from repro.search.space import EFFICIENTNET

SCORES = ("naswot", "synflow", "grad norm", "zico")
COUNTS = ("params", "flops", "acts")
DRAWS = 2000
HELPED = "in12k|in21k|in22k|jft|ig1b|yfcc|seer|swag|ssld|dist"
"""In the names of weights that had more images than ImageNet-1k's to learn from, or a teacher."""
Floats = NDArray[np.float64]


def scored(which: Literal["space", "zoo"], images: str = "digits", seed: int = 0) -> pd.DataFrame:
    """Networks by name: top1 (percent), `SCORES`, `COUNTS`, and seconds that scoring took."""
    text = (root() / "data" / "searches" / "zero-cost.json").read_text(encoding="utf-8")
    rows = pd.DataFrame(json.loads(text)["rows"])
    rows = rows[(rows.set == which) & (rows.images == images) & (rows.seed == seed)]
    found = rows.set_index("network")[["top1", *SCORES, "seconds"]]
    read = get if which == "zoo" else lambda name: EFFICIENTNET.network(EFFICIENTNET.parse(name))
    counts = [complexity(read(name)) for name in found.index]
    return found.assign(**{key: [getattr(c, key) for c in counts] for key in COUNTS})


def _times(n: int) -> Floats:
    """How often each of n stands in a draw, (1 + `DRAWS`, n); first, each once."""
    drawn = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), DRAWS)
    return np.vstack([np.ones(n), drawn])


def _interval(draws: Floats) -> tuple[float, ...]:
    """What the first draw of `_times` gives, and the 95 % interval of the others."""
    return draws[0], *np.quantile(draws[1:], (0.025, 0.975)).tolist()


def _signs(values: pd.Series) -> Floats:
    """Which of each two is larger: 1, 0 or -1; (n, n)."""
    x = values.to_numpy(float)
    return np.sign(x[:, None] - x)


def _taus(one: Floats, other: Floats, times: Floats) -> Floats:
    """Kendall's tau-b of two orders (`_signs`) whose networks stand (draws, n) times."""

    def pairs(agree: Floats) -> Floats:
        return np.asarray(((times @ agree) * times).sum(axis=1))

    return np.asarray(pairs(one * other) / np.sqrt(pairs(one**2) * pairs(other**2)))


def taus(values: pd.DataFrame, top1: pd.Series, beside: str) -> pd.DataFrame:
    """Kendall's tau of each column with top-1, and how far it leads that of the column ``beside``.

    Columns tau and lead, each with low and high of its 95 % interval, ``lead_low``. Intervals draw
    networks anew, the same for all columns; scores and trainings stay as they are.
    """
    times, order = _times(len(values)), _signs(top1)
    found = {name: _taus(_signs(values[name]), order, times) for name in values}
    rows = {k: (*_interval(x), *_interval(x - found[beside])) for k, x in found.items()}
    columns = [f"{what}{end}" for what in ("tau", "lead") for end in ("", "_low", "_high")]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _public() -> pd.DataFrame:
    """Public weights that had nothing but ImageNet-1k to learn from."""
    rows = reference.to_frame(reference.public_accuracy())
    return rows[~(rows.arch + rows.tag).str.contains(HELPED)].astype({"top1": float})


def recipes() -> pd.DataFrame:
    """Public networks at one image size under several recipes: how many, and spread in points."""
    found = _public().groupby(["arch", "image"]).top1.agg(["size", "min", "max"])
    found = found[found["size"] > 1].rename(columns={"size": "recipes"})
    return found.assign(spread=found["max"] - found["min"])


def across_families() -> pd.DataFrame:
    """Public networks' errors from counts, by families that a fit has not seen.

    Columns family, error and predicted, of each network and image size (means over recipes). The
    fit is linear, between the logarithms of the error and of `COUNTS`.
    """
    from sklearn.linear_model import LinearRegression
    from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

    keys, counts = ["arch", "image", "module"], public_counts()
    rows = _public().astype({"mparams": float}).groupby(keys)[["top1", "mparams"]].mean()
    rows = rows[[key[:2] in counts for key in rows.index]]
    known = [counts[key[:2]] for key in rows.index]
    x = np.log([(c.flops, c.acts, params) for c, params in zip(known, rows.mparams, strict=True)])
    error, families = 100 - rows.top1, rows.index.get_level_values("module")
    others = {"groups": families, "cv": LeaveOneGroupOut()}
    predicted = np.exp(cross_val_predict(LinearRegression(), x, np.log(error), **others))
    found = {"family": families, "error": error, "predicted": predicted}
    return pd.DataFrame(found).reset_index(drop=True)


def missed(found: pd.DataFrame) -> tuple[float, ...]:
    """Root mean square of `across_families`, points; its 95 % interval draws families anew."""
    squares = ((found.predicted - found.error) ** 2).groupby(found.family).agg(["sum", "size"])
    total, size = (_times(len(squares)) @ squares.to_numpy()).T
    return _interval(np.sqrt(total / size))
