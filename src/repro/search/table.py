"""What a network of EfficientNet-B0's own space reaches, learned from thousands that were trained.

Source: Accel-NASBench (data/reference/README.md). One seed each, under a shortened schedule.

The model is ridge regression on the choices and their products in pairs, of log(most - top1):
accuracy saturates, and so must its prediction. A straight-line model is too high just among the
best, where a search looks, and the search would report that as its gain. The one constant,
``most``, is where the best tenth of the out-of-fold predictions have no bias.

    table().top1(digits([("1666666", "3353553", "1223341", "1111111")]))
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.stats import kendalltau

from repro import reference
from repro.errors import InputError
from repro.search.coded import ALLOWED, PAIRS, Array, Digits, coded, digits

FOLDS = 5
FEWEST = 500
"""Networks to learn from; fewer tell nothing of 887 pairs."""
PENALTIES = np.geomspace(1.0, 300.0, 9)
"""On pairs; choices themselves are hardly held back."""
MOST = np.linspace(0.2, 12.0, 60)
"""Percentage points above the best network seen that ``most`` may be."""
SEED = 0
"""Of the folds."""


class Errors(NamedTuple):
    """How far predictions are from what was trained, in percentage points of top-1.

    Attributes:
        networks: how many were judged. mae: mean absolute error. tau: Kendall's rank correlation.
        bias: mean of predicted less trained. best_bias: the same of the hundredth that is
            predicted to be the best: what a search would believe too much.
    """

    networks: int
    mae: float
    tau: float
    bias: float
    best_bias: float


def errors(predicted: Array, trained: Array) -> Errors:
    """Errors of predictions for networks that were not learned from."""
    off = predicted - trained
    return Errors(
        len(off),
        float(np.mean(abs(off))),
        float(kendalltau(predicted, trained).statistic),
        float(np.mean(off)),
        _best_bias(predicted, trained, 0.01),
    )


def _best_bias(predicted: Array, trained: Array, share: float) -> float:
    best = np.argsort(-predicted, kind="stable")[: max(1, round(share * len(predicted)))]
    return float(np.mean((predicted - trained)[best]))


@dataclass(frozen=True)
class Table:
    """A model of top-1 accuracy, percent, of every network of the space.

    Attributes:
        most: what no network passes. constant, choices, pairs: of log(most - top1), by the columns
            of `coded`; pairs (43, 43).
        penalty: of the ridge. held_out: errors out of fold, whole networks left out.
    """

    most: float
    constant: float
    choices: Array
    pairs: Array
    penalty: float
    held_out: Errors

    def top1(self, networks: Digits) -> Array:
        """Predicted top-1 in percent under the table's short schedule; (n, 28) gives (n,)."""
        columns = coded(networks)
        logs = self.constant + columns @ self.choices
        logs += np.einsum("ni,ni->n", columns @ self.pairs, columns)
        return np.asarray(self.most - np.exp(logs))


def fit(networks: Digits, top1: Array) -> Table:
    """A model of networks that were trained.

    Args:
        networks: (n, 28). top1: percent, (n,); several rows may be the same network.

    Raises:
        InputError: fewer than 500 networks, or an accuracy that is not between 0 and 100.
    """
    if len(networks) < FEWEST:
        raise InputError(f"{len(networks)} networks are too few to learn from; {FEWEST} are needed")
    if wrong := [float(value) for value in top1 if not 0 < value < 100]:
        raise InputError(f"top1 {wrong[0]:g} is not a percentage between 0 and 100")
    first, second = PAIRS
    columns = coded(networks)
    x = np.column_stack([np.ones(len(columns)), columns, columns[:, first] * columns[:, second]])
    most = float(top1.max()) + MOST
    y = np.log(most - top1[:, None])
    held_back = np.repeat([0.0, 0.05, 1.0], [1, columns.shape[1], len(first)])
    unseen = _out_of_fold(x, y, held_back, _folds(networks))
    best = min(
        (_without_bias(most, most - np.exp(logs), top1, penalty) for penalty, logs in unseen),
        key=lambda found: found[0].mae,
    )
    held_out, level, penalty = best
    weights = _solve(x.T @ x, x.T @ np.log(level - top1), penalty * held_back)
    pairs = np.zeros((columns.shape[1],) * 2)
    pairs[first, second] = weights[1 + columns.shape[1] :]
    choices = weights[1 : 1 + columns.shape[1]]
    return Table(level, float(weights[0]), choices, pairs, penalty, held_out)


def _folds(networks: Digits) -> Digits:
    """A fold for each row, the same for all rows of one network."""
    same = np.unique(networks, axis=0, return_inverse=True)[1].ravel()
    return np.random.default_rng(SEED).permutation(same.max() + 1)[same] % FOLDS


def _solve(gram: Array, target: Array, penalties: Array) -> Array:
    return np.asarray(cho_solve(cho_factor(gram + np.diag(penalties)), target))


def _out_of_fold(
    x: Array, y: Array, held_back: Array, folds: Digits
) -> list[tuple[float, Array]]:
    """For each penalty the predictions of every row by a fit without its fold; y is (n, m)."""
    parts = [(x[folds == fold], y[folds == fold]) for fold in range(FOLDS)]
    grams, targets = [a.T @ a for a, _ in parts], [a.T @ b for a, b in parts]
    gram, target = sum(grams), sum(targets)
    found = []
    for penalty in PENALTIES.tolist():
        predicted = np.empty_like(y)
        for fold, (part, _) in enumerate(parts):
            weights = _solve(gram - grams[fold], target - targets[fold], penalty * held_back)
            predicted[folds == fold] = part @ weights
        found.append((penalty, predicted))
    return found


def _without_bias(
    most: Array, predicted: Array, top1: Array, penalty: float
) -> tuple[Errors, float, float]:
    """The level at which the best tenth has least bias; predictions (n, m) for m levels."""
    bias = [abs(_best_bias(column, top1, 0.1)) for column in predicted.T]
    least = int(np.argmin(bias))
    return errors(predicted[:, least], top1), float(most[least]), penalty


@cache
def table() -> Table:
    """The model of the published networks; made once."""
    rows = reference.b0_space()
    return fit(digits([row[:4] for row in rows]), np.array([float(row.top1) for row in rows]))


class Retrained(NamedTuple):
    """What a second training says of networks that the table has never seen.

    Attributes:
        errors: of the table against the mean of three seeds, short schedule.
        seeds_short, seeds_long: standard deviation between seeds, points.
        another: errors of one seed of the short schedule against the mean of the other two.
        tau: rank correlation of means under the short and under the long schedule.
    """

    errors: Errors
    seeds_short: float
    seeds_long: float
    another: Errors
    tau: float


@cache
def retrained() -> Retrained:
    """The table against networks trained three times under each of two schedules."""
    rows = reference.b0_schedules()
    short, long = (
        np.array([[float(getattr(row, f"{name}_{seed}")) for seed in (1, 2, 3)] for row in rows])
        for name in ("short", "long")
    )
    predicted = table().top1(digits([row[:4] for row in rows]))
    spread = [float(np.sqrt(np.mean(np.var(runs, axis=1, ddof=1)))) for runs in (short, long)]
    tau = float(kendalltau(short.mean(1), long.mean(1)).statistic)
    another = errors(short[:, 0], short[:, 1:].mean(1))
    return Retrained(errors(predicted, short.mean(1)), *spread, another, tau)
