"""Search where an evaluation is cheap: a genetic algorithm on whole arrays of points.

The second paper's reward is accuracy times (latency / target)^w with w = -0.09 (section 5.1): it is
the same search for every target, since the target is a constant factor. `within` keeps to a budget
for real; `front` wants every trade at once.

A search is repeated exactly by its seed, so that resuming one is running it again. Evaluations that
cost seconds go through `repro.search.shared`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from repro.search import scaling
from repro.search.budgets import fits
from repro.search.space import Codes, Floats, Space

POPULATION = 200
"""Points that are kept, and children in a generation."""
PARENTS = 4
"""Points that a parent is the fittest of."""

Score = Callable[[Codes], tuple[Floats, Floats]]
"""What each point reaches (more is better, such as top-1 in percent) and what it costs."""
Fitness = Callable[[Floats, Floats], Floats]
"""How fit points are among each other, by what they reach and cost; more is better."""


def within(budget: float) -> Fitness:
    """What is reached, within the budget; beyond it, the nearer the fitter, and never as fit."""

    def fitness(reached: Floats, cost: Floats) -> Floats:
        return np.where(fits(cost, budget), reached, np.minimum(reached.min(), 0) - cost / budget)

    return fitness


def reward(target: float) -> Fitness:
    """The second paper's soft reward."""
    return lambda reached, cost: scaling.reward(reached, cost, target)


def front(reached: Floats, cost: Floats) -> Floats:
    """Ranks of non-dominated sorting: the first front before the second; within one, the lonelier.

    Source: NSGA-II (Deb et al., 2002), for two objectives.
    """
    order = np.lexsort((-reached, cost))
    ranks, left, level = np.empty(len(order)), order, 0
    while len(left):
        best = np.maximum.accumulate(reached[left])
        leads = reached[left] > np.concatenate([[-np.inf], best[:-1]])
        ranks[left[leads]] = _loneliness(reached[left[leads]], cost[left[leads]]) - level
        left, level = left[~leads], level + 1
    return ranks


def _loneliness(reached: Floats, cost: Floats) -> Floats:
    """Room around each point of a front sorted by cost, from 0 up to but without 1; ends have most.

    That of both objectives together, as shares of the front's own extent.
    """
    room = np.full(len(cost), 0.999)
    if len(cost) > 2:
        shares = sum(
            (values[2:] - values[:-2]) / (values[-1] - values[0]) for values in (reached, cost)
        )
        room[1:-1] = shares / 2 * 0.99
    return room


@dataclass(frozen=True)
class Found:
    """What a search evaluated, in that order.

    Attributes:
        codes: (n, choices), no two alike. reached, cost: (n,), as its score said.
    """

    space: Space
    codes: Codes
    reached: Floats
    cost: Floats

    def best(self, fitness: Fitness, n: int = 1) -> NDArray[np.intp]:
        """Places of the n fittest of all, the fittest first."""
        return np.argsort(-fitness(self.reached, self.cost), kind="stable")[:n]

    def trades(self) -> NDArray[np.intp]:
        """Places of the points that no other beats in both, by cost."""
        first = np.flatnonzero(front(self.reached, self.cost) >= 0)
        return first[np.argsort(self.cost[first], kind="stable")]


def _new(codes: Codes, seen: set[bytes], most: int) -> Codes:
    """Points that were not seen, each once and no more than so many; now they are seen."""
    fresh: list[int] = []
    for place, row in enumerate(codes):
        if (key := row.tobytes()) not in seen and len(fresh) < most:
            seen.add(key)
            fresh.append(place)
    return codes[fresh]


def _children(space: Space, rng: np.random.Generator, pool: Codes, fit: Floats) -> Codes:
    """As many as the population, of parents that win tournaments."""
    picked = rng.integers(0, len(pool), (2, POPULATION, PARENTS))
    winners = fit[picked].argmax(axis=-1)[..., None]
    one, other = np.take_along_axis(picked, winners, axis=-1)[..., 0]
    return space.mutate(rng, space.cross(rng, pool[one], pool[other]))


@threadpool_limits.wrap(limits=1)  # threads of small products wait for each other
def evolve(
    space: Space,
    score: Score,
    fitness: Fitness,
    evaluations: int = 20_000,
    seed: int = 0,
    progress: Callable[[int], None] = lambda made: None,
) -> Found:
    """Search a space: tournaments choose parents, children mix them and change a little.

    The fittest of parents and children stay; no point is evaluated twice. A space no larger than
    the number of evaluations is evaluated whole.

    Args:
        score, fitness: see `Score`, and `within`, `reward` and `front`.
        progress: called after each generation with how many evaluations it made.
    """
    if space.size <= evaluations:
        codes = space.every()
        found = Found(space, codes, *score(codes))
        progress(len(codes))
        return found
    rng, seen = np.random.default_rng(seed), set[bytes]()
    codes = np.concatenate([space.own[None], space.sample(rng, 2 * POPULATION)])
    pool, values, parts, made = codes[:0], np.empty((0, 2)), [], 0
    while made < evaluations:
        if made:
            codes = _children(space, rng, pool, fitness(*values.T))
        fresh = _new(codes, seen, min(POPULATION, evaluations - made))
        if not len(fresh):  # a small space, nearly used up
            more = space.sample(rng, 10 * POPULATION)
            fresh = _new(more, seen, evaluations - made)
        if not len(fresh):
            break
        scored = np.column_stack(score(fresh))
        parts.append((fresh, scored))
        made += len(fresh)
        progress(len(fresh))
        pool, values = np.concatenate([pool, fresh]), np.concatenate([values, scored])
        stay = np.argsort(-fitness(*values.T), kind="stable")[:POPULATION]
        pool, values = pool[stay], values[stay]
    reached, cost = np.concatenate([scored for _, scored in parts]).T
    return Found(space, np.concatenate([fresh for fresh, _ in parts]), reached, cost)
