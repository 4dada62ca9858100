"""The surrogate of the published table: hand-made worlds first, then the table itself."""

import numpy as np
import pytest

from repro import reference
from repro.errors import InputError
from repro.search import table as search
from repro.search.space import EFFICIENTNET

B0 = ("1666666", "3353553", "1223341", "1111111")


def sample(n, seed=0):
    return EFFICIENTNET.sample(np.random.default_rng(seed), n)


def test_codes_are_the_space_s():
    (code,) = search.codes([B0])
    assert EFFICIENTNET.text(code) == "B0-" + "-".join(B0)
    rows = reference.b0_space()[:50]
    assert [EFFICIENTNET.text(c) for c in search.codes(rows)] == [
        f"B0-{row.e}-{row.k}-{row.l}-{row.se}" for row in rows
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("166666", *B0[1:]), r"e '166666' is not 7 digits"),
        (("9666666", *B0[1:]), "e '9666666': 9 in stage 1; allowed: 1, 4, 6"),
        ((*B0[:2], "1223345", B0[3]), "l '1223345': 5 in stage 7; allowed: 1, 2, 3"),
        ((*B0[:3], "nan"), "se 'nan' is not 7 digits"),
        ((*B0[:3], "１１１１１１１"), "1, stage|in stage 1; allowed: 0, 1"),
    ],
)
def test_rows_that_are_no_network(row, message):
    with pytest.raises(InputError, match=message):
        search.codes([row])


def test_columns_are_orthogonal_over_a_whole_choice():
    """Each digit's columns have mean 0 and mean square 1 over its values, whatever the others."""
    everything = np.zeros((4, 28), np.int8)
    everything[:, 19] = range(4)  # repeats of stage 6, the only choice of four
    made = search.columns(everything)
    assert made.shape == (4, 43)
    changing = made[:, np.ptp(made, axis=0) > 0]
    assert changing.T @ changing / 4 == pytest.approx(np.eye(3))
    assert changing.mean(axis=0) == pytest.approx(0)


def test_errors_by_hand():
    found = search.errors(np.array([3.0, 2.0, 1.0]), np.array([2.0, 2.5, 0.0]))
    assert found.networks == 3
    assert found.mae == pytest.approx(2.5 / 3)
    assert found.bias == pytest.approx(0.5)
    assert found.best_bias == 1.0  # of the one that is predicted best


def test_a_world_of_choices_and_pairs_is_learned_exactly():
    points = sample(3000)
    x = search.columns(points)
    log_gap = 2 + 0.1 * x[:, 3] - 0.05 * x[:, 20] + 0.04 * x[:, 3] * x[:, 20]
    learned = search.fit(points, 75 - np.exp(log_gap))
    assert learned.held_out.mae < 0.02
    assert learned.top1(points) == pytest.approx(75 - np.exp(log_gap), abs=0.1)


def saturating(points, seed=1):
    x = search.columns(points)
    slope = np.random.default_rng(seed).normal(0, 0.06, x.shape[1])
    noise = np.random.default_rng(seed + 1).normal(0, 0.2, len(points))
    return 70 - np.exp(1.5 + x @ slope) + noise


def test_noise_of_the_training_does_not_bias_the_best():
    points = sample(4000)
    learned = search.fit(points, saturating(points))
    assert abs(learned.held_out.best_bias) < 0.15
    assert learned.held_out.mae < 0.3


def test_the_level_without_bias_is_found_from_above():
    """By chance a level that is far too low may have none either."""
    assert search._without_bias([0.1, -0.1, -0.2, -0.05, 0.1, 0.3]) == 3
    assert search._without_bias([0.2, 0.1, 0.3]) == 1
    assert search._without_bias([-0.2, -0.1]) == 1


def test_rows_of_one_network_are_never_on_both_sides():
    points = np.repeat(sample(700), 2, axis=0)
    folds = search.folds(points)
    assert (folds[::2] == folds[1::2]).all()
    assert set(folds.tolist()) == set(range(search.FOLDS))


def test_folds_are_the_same_for_everybody():
    points = sample(1000)
    assert (search.folds(points) == search.folds(points)).all()


@pytest.mark.parametrize(
    ("n", "change", "message"),
    [
        (10, 60.0, "10 networks are too few to learn from; 500 are needed"),
        (600, 0.0, "top1 0 is not a percentage between 0 and 100"),
        (600, float("nan"), "top1 nan is not a percentage"),
    ],
)
def test_what_cannot_be_learned_from(n, change, message):
    points = sample(n)
    top1 = np.full(n, 60.0)
    top1[3] = change
    with pytest.raises(InputError, match=message):
        search.fit(points, top1)


def test_the_published_table_is_learned_as_well_as_asked_for():
    held_out = search.table().held_out
    assert held_out.networks == 4638
    assert held_out.mae <= 0.4 and abs(held_out.best_bias) <= 0.15
    assert search.rank_correlation(search.table().unseen, search.published()[1]) > 0.9
    assert abs(held_out.bias) < 0.05


def test_networks_trained_again_are_predicted_as_well_as_by_another_training():
    again = search.retrained()
    assert again.unseen.networks == 117
    assert again.unseen.mae < 0.4
    assert again.unseen.mae < again.another.mae
    assert again.seeds_long < again.seeds_short
    assert 0.85 < again.tau < 1
