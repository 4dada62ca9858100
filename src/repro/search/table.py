"""What a network of EfficientNet-B0's own space reaches, learned from thousands that were trained.

Source: Accel-NASBench (data/reference/README.md): one seed each, under a shortened schedule.

The model is ridge regression on the choices and their products in pairs, of log(most - top1):
accuracy saturates, and so must its prediction. A straight-line model is too high just among the
best, where a search looks, and the search would report that as its gain. The one constant,
``most``, is where the best tenth of the out-of-fold predictions have no bias.

    table().top1(EFFICIENTNET.parse("B0-1666666-3353553-1223341-1111111")[None])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from threadpoolctl import threadpool_limits

from repro import reference
from repro.arch.b0 import CHOICES
from repro.errors import InputError
from repro.search.space import EFFICIENTNET, Choice, Codes, Floats

FOLDS = 5
FEWEST = 500
"""Networks to learn from; fewer tell nothing of 887 pairs."""
PENALTIES = (100.0, 300.0, 3000.0)
"""On pairs."""
OWN_PENALTY = 0.05
"""On choices, over that on pairs."""
MOST = np.linspace(0.2, 12.0, 60)
"""Percentage points above the best network seen that ``most`` may be."""
SEED = 0
"""Of the folds."""


def one_thread() -> Any:
    """For fits: on a busy machine the threads of small products wait for each other."""
    return threadpool_limits(1)


class Errors(NamedTuple):
    """How far predictions are from what was trained, in percentage points of top-1.

    Attributes:
        networks: how many were judged. mae: mean absolute error. bias: mean of predicted less
            trained. best_bias: the same of the hundredth that is predicted to be the best: what a
            search would believe too much.
    """

    networks: int
    mae: float
    bias: float
    best_bias: float


def errors(predicted: Floats, trained: Floats) -> Errors:
    """Errors of predictions for networks that were not learned from."""
    off = predicted - trained
    best = _best_bias(predicted, trained, 0.01)
    return Errors(len(off), float(np.mean(abs(off))), float(np.mean(off)), best)


def rank_correlation(one: Floats, other: Floats) -> float:
    """Kendall's tau-b."""
    from scipy.stats import kendalltau  # takes a second to import

    return float(kendalltau(one, other).statistic)


def _best_bias(predicted: Floats, trained: Floats, share: float) -> float:
    best = np.argsort(-predicted, kind="stable")[: max(1, round(share * len(predicted)))]
    return float(np.mean((predicted - trained)[best]))


# ---------------------------------------------------------------------------- networks as columns


_FIELDS = {name: [c for c in EFFICIENTNET.choices if c.field == name] for name in CHOICES}


def codes(rows: Iterable[Sequence[str]]) -> Codes:
    """Points of `EFFICIENTNET` from columns e, k, l, se, texts of seven digits each.

    Raises:
        InputError: a text that is no choice of the space; names column, stage and what is allowed.
    """
    pairs = (zip(_FIELDS.items(), row, strict=False) for row in rows)
    found = [[place for field, text in row for place in _places(*field, text)] for row in pairs]
    return np.array(found, np.int8).reshape(-1, len(EFFICIENTNET.choices))


def _places(name: str, choices: Sequence[Choice], text: str) -> Iterator[int]:
    if len(text) != len(choices):
        raise InputError(f"{name} {text!r} is not 7 digits, one for each of B0's stages")
    for stage, (choice, letter) in enumerate(zip(choices, text, strict=True), 1):
        if letter not in choice.letters:
            allowed = ", ".join(choice.letters)
            raise InputError(f"{name} {text!r}: {letter} in stage {stage}; allowed: {allowed}")
        yield choice.letters.index(letter)


def columns(points: Codes) -> Floats:
    """Choices as columns around their means; (n, 28) gives (n, 43).

    A choice of m values gives m - 1 orthogonal columns, each with a mean square of one over the
    values, so that no value is the base of all others.
    """
    own = []
    for column, count in enumerate(EFFICIENTNET.counts.tolist()):
        powers = np.vander(np.arange(float(count)), increasing=True)
        own.append((np.linalg.qr(powers)[0] * np.sqrt(count))[:, 1:][points[:, column]])
    return np.concatenate(own, axis=1)


@cache
def _pairs() -> tuple[list[int], list[int]]:
    """Columns that belong to different choices: first and second of each pair."""
    choice = [i for i, count in enumerate(EFFICIENTNET.counts.tolist()) for _ in range(count - 1)]
    both = [(i, j) for i, j in combinations(range(len(choice)), 2) if choice[i] != choice[j]]
    return [i for i, _ in both], [j for _, j in both]


@dataclass(frozen=True)
class Quadratic:
    """A number for every point: constant, choices and pairs, by `columns`; pairs (43, 43)."""

    constant: float
    own: Floats
    pairs: Floats

    def __call__(self, points: Codes) -> Floats:
        x = columns(points)
        return np.asarray(self.constant + x @ self.own + ((x @ self.pairs) * x).sum(axis=1))


def folds(points: Codes) -> NDArray[np.int64]:
    """A fold for each row, the same for all rows of one network."""
    same = np.unique(points, axis=0, return_inverse=True)[1].ravel()
    return np.random.default_rng(SEED).permutation(same.max() + 1)[same] % FOLDS


class Ridge:
    """Ridge regression of many targets at once on a constant, choices and pairs."""

    def __init__(self, points: Codes) -> None:
        x, (first, second) = columns(points), _pairs()
        self.own = x.shape[1]
        self.x = np.column_stack([np.ones(len(x)), x, x[:, first] * x[:, second]])
        self.held_back = np.repeat([0.0, OWN_PENALTY, 1.0], [1, self.own, len(first)])
        self.folds = folds(points)
        self.parts = [self.x[self.folds == fold] for fold in range(FOLDS)]
        self.grams = [part.T @ part for part in self.parts]

    def _solve(self, gram: Floats, target: Floats, penalty: float) -> Floats:
        return np.asarray(cho_solve(cho_factor(gram + np.diag(penalty * self.held_back)), target))

    def out_of_fold(self, y: Floats, penalty: float) -> Floats:
        """Predictions of every row by a fit without its fold; y is (n, m)."""
        targets = [part.T @ y[self.folds == fold] for fold, part in enumerate(self.parts)]
        gram, target, predicted = np.sum(self.grams, axis=0), np.sum(targets, axis=0), 0.0 * y
        for fold, part in enumerate(self.parts):
            weights = self._solve(gram - self.grams[fold], target - targets[fold], penalty)
            predicted[self.folds == fold] = part @ weights
        return predicted

    def best(self, y: Floats, judge: Callable[[Floats], tuple[float, Any]]) -> tuple[float, Any]:
        """The penalty of least error on what a fit has not seen, and what the judge says of it.

        judge: of predictions out of fold (n, m), the error, and whatever is worth keeping.
        """
        found = [(*judge(self.out_of_fold(y, penalty)), penalty) for penalty in PENALTIES]
        _, kept, penalty = min(found, key=lambda each: each[0])
        return penalty, kept

    def fit(
        self, y: Floats, penalty: float, part: Sequence[int] = tuple(range(FOLDS))
    ) -> Quadratic:
        """The fit to all rows, or to those of some folds; y is (n,)."""
        rows = np.isin(self.folds, part)
        gram = np.sum([self.grams[fold] for fold in part], axis=0)
        weights = self._solve(gram, self.x[rows].T @ y[rows], penalty)
        pairs = np.zeros((self.own, self.own))
        pairs[_pairs()] = weights[1 + self.own :]
        return Quadratic(float(weights[0]), weights[1 : 1 + self.own], pairs)


# ---------------------------------------------------------------------------- the model


@dataclass(frozen=True)
class Table:
    """A model of top-1 accuracy, percent, of every network of the space.

    Attributes:
        most: what no network passes. log_gap: of log(most - top1). penalty: of the ridge.
        unseen: top-1 predicted out of fold of those that it is fitted to, whole networks left out.
        held_out: its errors.
    """

    most: float
    log_gap: Quadratic
    penalty: float
    unseen: Floats
    held_out: Errors

    def top1(self, points: Codes) -> Floats:
        """Predicted top-1 in percent under the table's short schedule; (n, 28) gives (n,)."""
        return np.asarray(self.most - np.exp(self.log_gap(points)))


def fit(points: Codes, top1: NDArray[np.float64]) -> Table:
    """A model of networks that were trained.

    Args:
        points: (n, 28). top1: percent, (n,); several rows may be the same network.

    Raises:
        InputError: fewer than 500 networks, or an accuracy that is not between 0 and 100.
    """
    if len(points) < FEWEST:
        raise InputError(f"{len(points)} networks are too few to learn from; {FEWEST} are needed")
    if wrong := [float(value) for value in top1 if not 0 < value < 100]:
        raise InputError(f"top1 {wrong[0]:g} is not a percentage between 0 and 100")
    ridge, levels = Ridge(points), float(top1.max()) + MOST

    def judge(logs: Floats) -> tuple[float, Any]:
        unseen = levels - np.exp(logs)
        level = _without_bias([_best_bias(p, top1, 0.1) for p in unseen.T])
        held_out = errors(unseen[:, level], top1)
        return held_out.mae, (float(levels[level]), unseen[:, level], held_out)

    penalty, (most, unseen, held_out) = ridge.best(np.log(levels - top1[:, None]), judge)
    return Table(most, ridge.fit(np.log(most - top1), penalty), penalty, unseen, held_out)


def _without_bias(bias: list[float]) -> int:
    """Which level has none: coming from the highest, at which accuracy hardly saturates, the first
    where predictions are not too high; the one of least bias where there is no such."""
    low = [level for level, b in enumerate(bias) if b <= 0]
    return low[-1] if low else int(np.argmin(np.abs(bias)))


@cache
def published() -> tuple[Codes, Floats]:
    """The networks that were trained, and their top-1 in percent."""
    rows = reference.b0_space()
    return codes(row[:4] for row in rows), np.array([float(row.top1) for row in rows])


@cache
def table() -> Table:
    """The model of the published networks; made once."""
    with one_thread():
        return fit(*published())


class Retrained(NamedTuple):
    """What a second training says of networks that the table has never seen.

    Attributes:
        unseen: errors of the table against the mean of three seeds, short schedule.
        seeds_short, seeds_long: standard deviation between seeds, points.
        another: errors of a training by the short schedule as a prediction of the mean of two
            others: what the table is to be compared with. another_tau: its rank correlation.
        tau: rank correlation of the means under the short and under the long schedule.
    """

    unseen: Errors
    seeds_short: float
    seeds_long: float
    another: Errors
    another_tau: float
    tau: float


@cache
def retrained() -> Retrained:
    """The table against networks trained three times under each of two schedules."""
    rows = reference.b0_schedules()
    short, long = (
        np.array([[float(getattr(row, f"{name}_{seed}")) for seed in (1, 2, 3)] for row in rows])
        for name in ("short", "long")
    )
    predicted = table().top1(codes(row[:4] for row in rows))
    seeds, seeds_long = (
        float(np.sqrt(np.mean(np.var(runs, axis=1, ddof=1)))) for runs in (short, long)
    )
    one, others = short[:, 0], short[:, 1:].mean(axis=1)
    another = errors(one, others), rank_correlation(one, others)
    tau = rank_correlation(short.mean(axis=1), long.mean(axis=1))
    return Retrained(errors(predicted, short.mean(axis=1)), seeds, seeds_long, *another, tau)
