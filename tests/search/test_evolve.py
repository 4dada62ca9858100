"""The genetic algorithm and what it is told to want."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.search.evolve import evolve, front, reward, within
from repro.search.space import ACCELERATOR, EFFICIENTNET

THREE_STAGES = EFFICIENTNET.fixed(
    *(f"{field}{stage}" for field in ("e", "k", "l", "se") for stage in (1, 2, 6, 7))
)


def rugged(where, seed):
    """A score in which choices matter alone and in pairs, and a cost in which each has a price."""
    rng, width = np.random.default_rng(seed), int(where.counts.max())
    n = len(where.choices)
    alone, price = rng.normal(size=(n, width)), rng.uniform(0, 1, (n, width))
    pairs = rng.normal(scale=0.3, size=(n, width, n, width))

    def score(codes):
        hot = (codes[:, :, None] == np.arange(width)).astype(float)
        flat = hot.reshape(len(codes), -1)
        both = np.einsum("ni,ni->n", flat @ pairs.reshape(n * width, -1), flat)
        return 50 + flat @ alone.ravel() + both, flat @ price.ravel()

    return score


def test_fitness_by_hand():
    reached, cost = np.array([70.0, 80.0, 75.0, 60.0]), np.array([1.0, 3.0, 2.0, 9.0])
    hard = within(2.0)(reached, cost)
    assert hard.argmax() == 2 and list(np.argsort(-hard)) == [2, 0, 1, 3]
    assert reward(2.0)(reached, cost)[2] == 75
    assert reward(1.0)(reached, cost)[1] == pytest.approx(80 * 3**-0.09)


@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=2))
def test_the_reward_does_not_know_its_target(targets):
    rng = np.random.default_rng(0)
    reached, cost = rng.uniform(50, 80, 50), rng.uniform(1, 9, 50)
    best = {int(reward(target)(reached, cost).argmax()) for target in targets}
    assert len(best) == 1


def test_fronts_by_hand():
    #                  0    1    2    3    4
    reached = np.array([1.0, 3.0, 2.0, 3.0, 0.5])
    cost = np.array([1.0, 3.0, 2.0, 4.0, 4.0])
    ranks = np.floor(front(reached, cost))
    assert ranks.tolist() == [0, 0, 0, -1, -2]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=30, unique=True)
)
def test_the_first_front_is_what_nothing_beats(points):
    reached, cost = np.array(points, float).T
    better = (
        (reached[:, None] >= reached)
        & (cost[:, None] <= cost)
        & ((reached[:, None] > reached) | (cost[:, None] < cost))
    )
    ranks = front(reached, cost)
    assert ((ranks >= 0) == ~better.any(axis=0)).all()
    assert all(ranks[i] > ranks[j] for i, j in zip(*np.nonzero(better), strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_it_reaches_the_optimum_of_three_stages(seed):
    score = rugged(THREE_STAGES, seed)
    everything = THREE_STAGES.every()
    assert len(everything) == 36**3
    reached, cost = score(everything)
    wanted = within(float(np.quantile(cost, 0.2)))
    best = wanted(reached, cost).max()
    found = evolve(THREE_STAGES, score, wanted, evaluations=5_000, seed=seed)
    assert wanted(found.reached, found.cost).max() == best
    assert found.cost[found.best(wanted)[0]] <= np.quantile(cost, 0.2)


@pytest.mark.parametrize("where", [EFFICIENTNET, ACCELERATOR], ids=lambda s: s.name)
def test_it_repeats_itself_and_no_point(where):
    score, made = rugged(where, 0), []
    one, again, other = (
        evolve(where, score, within(10.0), 1_500, seed, made.append) for seed in (1, 1, 2)
    )
    assert (one.codes == again.codes).all() and (one.codes[1:300] != other.codes[1:300]).any()
    assert len(one.codes) == len(np.unique(one.codes, axis=0)) == 1_500
    assert sum(made) == 3 * 1_500 and where.valid(one.codes).all()
    assert where.text(one.codes[0]) == where.base
    assert score(one.codes)[0] == pytest.approx(one.reached, rel=1e-12)


def test_it_beats_chance():
    score, wanted = rugged(EFFICIENTNET, 5), within(12.0)
    codes = EFFICIENTNET.sample(np.random.default_rng(0), 4_000)
    found = evolve(EFFICIENTNET, score, wanted, 4_000)
    assert wanted(found.reached, found.cost).max() > wanted(*score(codes)).max() + 3


def test_a_small_space_is_evaluated_whole():
    small = EFFICIENTNET.fixed("e", "k", "se", "l1", "l2", "l3")
    for evaluations in (small.size, 10 * small.size):
        found = evolve(small, rugged(small, 0), within(5.0), evaluations)
        assert len(np.unique(found.codes, axis=0)) == small.size
    nearly = evolve(small, rugged(small, 0), within(5.0), small.size - 1)
    assert len(np.unique(nearly.codes, axis=0)) == len(nearly.codes) <= small.size - 1


def test_all_trades_at_once():
    score = rugged(THREE_STAGES, 7)
    found = evolve(THREE_STAGES, score, front, 8_000)
    trades = found.trades()
    assert (np.diff(found.cost[trades]) > 0).all() and (np.diff(found.reached[trades]) > 0).all()
    reached, cost = score(THREE_STAGES.every())
    true = front(reached, cost) >= 0
    reach = [reached[true & (cost <= c)].max() for c in found.cost[trades]]
    assert np.mean(np.array(reach) - found.reached[trades]) < 0.2
    assert len(trades) > 0.6 * true.sum()
