"""Scaling by latency: the reward, what is best and what cannot be told apart, and the procedure."""

import time

import numpy as np
import pytest

from repro.arch import PAPER, get, scale
from repro.arch.efficientnet_x import coefficients
from repro.arch.strategy import COMPOUND
from repro.complexity import complexity
from repro.errors import InputError
from repro.search import scaling as search
from repro.search.accuracy import Surface, built
from repro.search.candidates import Scaler
from repro.search.latency import budget, roofline

NORM = Surface.fit("norm")
X = search.of_b0(get("EN-X-B0"))
B0 = search.of_b0(get("EN-B0"))


def test_reward_by_hand():
    assert search.reward(80, 2.0, 2.0) == 80
    assert search.reward(80, 4.0, 2.0) == pytest.approx(80 * 2**-0.09)


def test_the_reward_does_not_know_its_target():
    """Of two candidates the same wins at every target: 80 % in 2 s against 82 % in 3 s."""
    for target in (0.1, 1.0, 2.5, 40.0):
        assert search.reward(80, 2.0, target) > search.reward(82, 3.0, target)
        assert search.reward(80, 2.0, target) < search.reward(82, 2.5, target)


def test_shares_by_hand():
    m = PAPER["dWr"].multipliers(7.3)
    assert search.shares((m.d, m.w, m.r)) == pytest.approx((0.1, 0.8, 0.1))
    assert search.shares((4, 1, 1)) == (1, 0, 0) and search.shares((1, 1, 1)) == (0, 0, 0)
    assert search.shares((1.28, 1.17, 1.07)) == pytest.approx(COMPOUND["LACS-GPU"].shares, abs=1e-4)


def test_both_families_of_x_are_worth_about_the_same_to_the_surface():
    """Levels are meant to be of one accuracy, whatever the scaling; not fitted to either."""
    for level in ("B1", "B2", "B3", "B4"):
        nets = [get(f"{family}-{level}") for family in ("EN-X", "EN-X-GPU", "EN-X-TPU")]
        errors = [float(NORM.error(*built(net, X.base), extrapolate=True)) for net in nets]
        assert max(errors) - min(errors) < 0.5


def flops(net):
    """A latency that is flops alone."""
    return complexity(net).macs / 1e12


def test_search_keeps_to_the_target_and_beats_the_plain_family():
    target = flops(get("EN-X-B3"))
    found = search.lacs(target, flops, NORM, X, steps=6)
    c = found.coefficients
    assert (1 - search.NEAR) * target <= found.latency <= target
    assert found.latency == flops(X.network(c.depth, c.width, c.resolution / 224))
    c = coefficients("EN-X-B3")
    net = X.network(c.depth, c.width, c.resolution / 224)
    plain = float(NORM.error(*built(net, X.base)))
    assert found.error < plain
    assert found.reward > search.reward(100 - plain, flops(net), target)


def test_search_follows_the_latency_it_is_given():
    """Where only blocks cost time the search goes wide, where only channels do it goes deep."""

    def blocks_alone(net):
        return sum(s.depth for s in net.stages) * net.resolution

    def channels_alone(net):
        return net.stem_width * net.resolution

    wide, deep = (
        search.lacs(2 * latency(get("EN-X-B0")), latency, NORM, X, steps=6).coefficients
        for latency in (blocks_alone, channels_alone)
    )
    assert wide.width > 2 * deep.width and deep.depth > 2 * wide.depth


def test_a_price_of_acts_alone_gives_width_one_of_flops_depth():
    found = {}
    candidates = search.grid(B0, NORM)
    for what in ("acts", "flops"):
        cost = budget(what)
        some, errors = search.affordable(candidates, cost(get("EN-B3")), NORM, cost)
        assert (np.diff(errors) >= 0).all() and (some.cost(cost) <= cost(get("EN-B3"))).all()
        found[what] = search.shares([x[0] for x in some.built])
    assert found["acts"][1] > 0.7
    assert found["flops"][0] > 1.5 * found["acts"][0] and found["flops"][1] < found["acts"][1]


def test_a_grid_holds_each_network_once_and_only_what_is_known():
    candidates = search.grid(B0, NORM, steps=8)
    rows = np.column_stack(candidates.built)
    assert len(np.unique(rows, axis=0)) == len(rows) > 100
    assert NORM.inside(*candidates.built).all()
    # what is the same network is the same as built
    nets = {candidates.network(i).stages for i in range(len(candidates))}
    assert len(nets) == len({(d, w) for d, w, _ in rows.tolist()})


def test_a_rule_s_largest_network():
    cost, rules = budget("flops"), ["dWr", "d", "r", "dwr"]
    found = search.largest(B0, [PAPER[name].shares for name in rules], 8e8, cost)
    for i, name in enumerate(rules):  # by trying scale after scale, with the scaler itself
        nets = (scale(get("EN-B0"), PAPER[name], s) for s in np.geomspace(1, 4, 300).tolist())
        last = [net for net in nets if complexity(net).flops <= 8e8][-1]
        assert (found.network(i).stages, found.network(i).resolution) == (
            last.stages,
            last.resolution,
        )
    with pytest.raises(InputError, match=r"budget 1e[+]08 is below EN-B0 itself, which needs 3.86"):
        search.largest(B0, (1, 0, 0), 1e8, cost)
    with pytest.raises(InputError, match=r"is more than 64 times the flops of EN-B0 take with sh"):
        search.largest(B0, (1, 0, 0), 1e15, cost)


def test_every_rule_is_in_the_triangle_once():
    rules = search.triangle(0.25)
    assert len(rules) == 15 and len(np.unique(rules, axis=0)) == 15
    assert np.allclose(rules.sum(1), 1) and (rules >= 0).all()
    assert [1, 0, 0] in rules.tolist() and [0.25, 0.5, 0.25] in rules.tolist()


def test_unrounded_rules_spend_the_whole_budget():
    smooth, cost = search.of_b0(get("EN-B0"), "none"), roofline("V100")
    target = cost(get("EN-B3"))
    found = search.largest(smooth, search.triangle(0.5), target, cost)
    assert found.cost(cost) == pytest.approx(target, rel=1e-6)
    assert search.shares([float(x[1]) for x in found.built]) == pytest.approx((0, 0.5, 0.5))


def test_regret_is_the_difference_from_the_best():
    """It is what predicted errors differ by, for the surface and for each of its draws."""
    cost = roofline("V100")
    target = cost(get("EN-B3"))
    rules = [PAPER["dWr"], PAPER["r"]]
    draws = NORM.bootstrap(0, 5)
    found = search.regret(search.grid(B0, NORM), rules, target, NORM, cost, draws)
    assert found.draws.shape == (5, 2) and found.inside[0]
    errors = NORM.error(*found.networks.built, extrapolate=True)
    _, least = search.affordable(search.grid(B0, NORM), target, NORM, cost)
    assert found.values == pytest.approx(errors - least[0])
    assert found.values[1] > found.values[0] + 0.5  # resolution alone, against dWr
    (one,) = (d.error(*found.networks.built, extrapolate=True) for d in draws[3:4])
    assert np.diff(found.draws[3]) == pytest.approx(np.diff(one))


def test_a_recorded_answer_stays():
    found = search.lacs(roofline("V100")(get("EN-X-GPU-B3")), roofline("V100"), NORM, X)
    assert found.coefficients == pytest.approx((1.7310, 1.3579, 224), abs=1e-4)


def test_two_thousand_triplets_take_less_than_a_second():
    cost = roofline("V100")
    target = cost(get("EN-X-GPU-B3"))
    search.lacs(target, cost, NORM, X)  # counts the base's widths and resolutions
    start = time.perf_counter()
    search.lacs(target, cost, NORM, X, steps=14)  # twice 14 x 14, each in nine sizes
    assert time.perf_counter() - start < 1


def test_nothing_near_the_target():
    with pytest.raises(InputError, match="no scaled EN-X-B0 has a latency near 1e-09"):
        search.lacs(1e-9, flops, NORM, X, steps=3)
    with pytest.raises(InputError, match="steps 1 is not allowed"):
        search.lacs(1e-3, flops, NORM, X, steps=1)
    with pytest.raises(
        InputError, match=r"no candidate costs as little as 1; the least is 3.86e[+]08"
    ):
        search.affordable(search.grid(B0, NORM, 4), 1, NORM, budget("flops"))
    with pytest.raises(InputError, match="RegNetY-4GF has not EN-B0's depths and widths"):
        search.of_b0(get("RegNetY-4GF"))


def test_x_is_scaled_with_the_squeeze_excite_of_its_upper_levels():
    assert X.network(2.4, 1.63, 282 / 224).stages == get("EN-X-GPU-B4").stages
    assert isinstance(B0, Scaler) and (B0.rounding, X.rounding) == ("nearest", "up")
