"""The chapter "Searching for a base network": each number against another way to it."""

from itertools import product

import numpy as np
import pytest

from repro.book.chapters import searching_for_a_base_network as c
from repro.book.kit.figures import show, use_house_style
from repro.errors import InputError
from repro.search import latency
from repro.search.evolve import Found, evolve, within
from repro.search.space import EFFICIENTNET
from repro.search.table import table
from repro.search.throughput import measured, throughput

KERNELS = EFFICIENTNET.fixed("e", "l", "se")
B0 = EFFICIENTNET.own[None]
FOUND = "B0-1466666-3555555-1233343-1010111"


def search(reached, cost, times=1.0, space=KERNELS):
    """The best of the kernels: all 128 are looked at."""
    limit = times * cost(B0)[0]
    looked = evolve(space, lambda codes: (reached(codes), cost(codes)), within(limit))
    return c.winner(looked, limit)


def test_a_search_finds_what_trying_all_finds():
    top1, time = table().top1, c.charge("A100", "A100")
    every = KERNELS.every()
    kept = every[time(every) <= time(B0)[0]]
    best = kept[top1(kept).argmax()]
    assert (search(top1, time)[0] == best).all()


def test_nothing_in_budget_is_an_error():
    looked = Found(KERNELS, KERNELS.every()[:2], np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    assert (c.winner(looked, 3.5) == looked.codes[:1]).all()
    with pytest.raises(InputError, match=r"none of 2 networks needs less than 1\.50 times"):
        c.winner(looked, 2.0)


@pytest.mark.parametrize(("signal", "of_b0"), [("flops", 385_825_092), ("acts", 6_748_036)])
def test_plain_signals_are_counts(signal, of_b0):
    assert c.charge(signal, "A100")(B0)[0] == of_b0


def test_a_device_has_its_clock_and_its_roofline():
    assert c.charge("TPUv2", "A100")(B0)[0] == throughput("TPUv2").ms(B0)[0]
    roofline = latency.roofline("TPUv3")(EFFICIENTNET.network(B0[0]))
    assert c.charge("roofline", "TPUv2")(B0)[0] == pytest.approx(roofline)


def test_trained_networks_and_what_a_model_that_did_not_see_them_says():
    codes, ms = measured("TPUv2")
    known = c.trained("TPUv2")
    assert (known.codes == codes).all() and known.ms == pytest.approx(ms)
    off = abs(known.unseen - known.top1).mean()
    assert off == pytest.approx(table().held_out.mae, abs=0.01)
    assert off > abs(table().top1(codes) - known.top1).mean()  # which it has seen


def test_winners_are_judged_by_models_of_other_networks():
    time = c.charge("A100", "A100")
    judged = c.judged_by_others(lambda score: search(score, time))
    assert len(judged) == 10  # two folds of five
    assert (judged.believed >= 0).all()  # B0 itself is among those looked at
    assert judged.judged.mean() < judged.believed.mean()


def test_points_of_a_tenth_of_the_time_by_hand():
    trades = c.pd.DataFrame({"of": [0.9, 1.1, 2], "ms": [9.0, 11, 20], "top1": [65.0, 66, 70]})
    each = np.log(10 / 9) / np.log(11 / 9)
    assert c.points_of_time(trades) == pytest.approx(each)
    assert c.points_of_time(trades[trades.of == 0.9]) == 0


def test_the_front_leaves_out_what_nothing_keeps_to():
    top1, time = table().top1, c.charge("A100", "A100")
    trades = c.front(lambda of: search(top1, time, of), time, top1)
    assert trades.of.min() > 0.6  # other kernels do not save so much
    assert trades.top1.is_monotonic_increasing


def test_the_papers_reward_takes_relative_accuracy():
    top1, faster = 77.8, 1.356
    left = top1 - c.reward_points(top1, faster)
    assert left * (1 / faster) ** -0.09 == pytest.approx(top1)
    assert c.reward_points(top1, 1 / faster) < 0


def test_all_sets_of_fused_stages_are_seven_numbers():
    sets = np.array(list(product((0, 1), repeat=7)), np.int8)
    seconds = c.fused_times("V100", sets)
    alone = c.fused_table(["V100"], 77.5)["V100, %"].to_numpy() / 100
    assert seconds / seconds[0] - 1 == pytest.approx(sets @ alone)
    assert (sets[seconds.argmin()] == (alone < 0)).all()


def test_pieces_of_a_network_add_up():
    net, cost = EFFICIENTNET.network(EFFICIENTNET.parse(FOUND)), latency.roofline("A100")
    found = list(c.pieces(net, cost))
    assert sum(p.seconds for p in found) == pytest.approx(cost(net))
    assert [p.stage for p in found] == [1, 2, 2, *[3] * 3, *[4] * 3, *[5] * 3, *[6] * 4, 7, 7, 7, 0]
    assert [p.expansion for p in found[:3]] == [1, 4, 4]
    assert [p.squeeze for p in found[:4]] == [True, False, False, True]
    assert all(p.seconds > 0 for p in found)


def test_a_line_is_drawn_through_what_it_is_given():
    codes = EFFICIENTNET.sample(np.random.default_rng(0), 400)
    straight = 50 + codes[:, 3] + 0.5 * codes[:, 20]
    assert c.line(codes, straight)(codes) == pytest.approx(straight, abs=0.1)


def test_proxies():
    frame = c.proxies_table("A100", search, draws=2).set_index("predictor")
    tau = frame.tau
    assert tau["acts"] < tau["flops"] < tau["params"] < tau["a line through 100 networks"]
    known = c.trained("A100")
    assert tau["the table's model"] == c.rank_correlation(known.unseen, known.top1)
    assert frame["gain, points"].max() == frame["gain, points"]["the table's model"]


def test_what_signals_found_is_told_as_multiples_of_b0():
    frame = c.signals_table({"x": B0}, {"x": 3}, ["A100", "TPUv3"])
    assert frame.loc[0, "gain, points"] == 0
    assert (frame.iloc[0, 2:-1] == 1).all() and frame.tied[0] == 3


def test_figures_are_drawn():
    use_house_style()
    trades = c.pd.DataFrame({"of": [1.0, 1.5], "ms": [0.12, 0.18], "top1": [67.1, 67.5]})
    drawn = {
        "clouds": c.clouds_figure(["A100", "TPUv3"]),
        "raw": c.raw_figure("A100", trades, (0.12, 66.0), (0.12, 67.1), 0.125),
        "strips": c.strips_figure({"B0": EFFICIENTNET.network(B0[0])}, "A100"),
    }
    svg = {name: show(fig, name, alt="x", caption="x").svg for name, fig in drawn.items()}
    assert "A100, τ = 0.65" in svg["clouds"] and "TPUv3, τ = 0.79" in svg["clouds"]
    assert "trained and timed" in svg["raw"]
    assert all(f">{stage}<" in svg["strips"] for stage in range(1, 8))
