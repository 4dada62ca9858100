"""What ranks networks untrained: rank correlations, recipes and counts, each another way."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from repro import reference
from repro.analysis.accuracy import untrained as u


def made_up(n=30):
    rng = np.random.default_rng(3)
    top1 = pd.Series(rng.integers(0, 12, n).astype(float))  # some alike
    good, other = top1 + rng.normal(0, 3, n), rng.integers(0, 9, n)
    return pd.DataFrame({"good": good, "other": other}), top1


def test_tau_is_scipys_with_ties():
    values, top1 = made_up()
    found = u.taus(values, top1, "other")
    for name in values:
        assert found.tau[name] == pytest.approx(kendalltau(values[name], top1).statistic)


def test_a_network_drawn_twice_is_there_twice():
    values, top1 = made_up()
    times = np.random.default_rng(0).multinomial(30, np.full(30, 1 / 30))
    drawn = np.repeat(np.arange(30), times)
    one, other = u._signs(values.good), u._signs(top1)
    expected = kendalltau(values.good[drawn], top1[drawn]).statistic
    assert u._taus(one, other, times[None].astype(float)) == pytest.approx([expected])


def test_an_interval_is_about_the_networks_and_a_lead_is_within_each_draw():
    values, top1 = made_up()
    found = u.taus(values.assign(again=3 * values.good), top1, "good")
    assert (found.tau_low < found.tau).all()
    assert (found.tau < found.tau_high).all()
    assert found.loc["again", ["lead", "lead_low", "lead_high"]].tolist() == [0, 0, 0]
    assert found.lead["other"] == pytest.approx(found.tau["other"] - found.tau["good"])
    many = u.taus(*(pd.concat([part] * 9, ignore_index=True) for part in (values, top1)), "good")
    wide, narrow = (f.tau_high - f.tau_low for f in (found, many))
    assert (narrow < 0.6 * wide[narrow.index]).all()


def test_scored_networks_have_their_counts():
    space, zoo = u.scored("space"), u.scored("zoo")
    assert zoo.flops["EN-B0"] == 385_825_092
    printed = {row.model: row for row in reference.zoo_timings()}
    regnets = [name for name in zoo.index if name.startswith("RegNet")]
    assert len(regnets) == 24
    for name in regnets:
        assert (zoo.params[name], zoo.acts[name]) == (printed[name].params, printed[name].acts)
    assert space.index.is_unique
    again = u.scored("space", seed=1)
    assert set(again.index) == set(u.scored("space", "noise").index) < set(space.index)
    assert not (again.synflow == space.synflow[again.index]).any()
    assert (again.flops == space.flops[again.index]).all()


def test_recipes_are_those_of_one_network_without_help():
    found = u.recipes()
    mine = [
        float(row.top1)
        for row in reference.public_accuracy()
        if (row.arch, row.image) == ("resnet50", 224)
        and not {"swsl", "ssl", "in21k", "dist"} & set(row.tag.split("_"))
        and "in12k" not in row.tag
    ]
    assert found.recipes["resnet50", 224] == len(mine)
    assert found.spread["resnet50", 224] == pytest.approx(max(mine) - min(mine))
    assert (found.recipes > 1).all()
    assert not any("ssld" in arch for arch, _ in found.index)


def test_a_family_is_predicted_by_the_others():
    """VGG's three large layers are params that no other family has."""
    found = u.across_families()
    rest, vgg = found[found.family != "vgg"], found[found.family == "vgg"]
    assert (vgg.predicted < vgg.error).all()
    assert u.missed(rest)[0] < u.missed(found)[0]


def test_what_is_missed_weighs_networks_alike():
    found = pd.DataFrame({"family": list("aab"), "error": [1.0, 1, 1], "predicted": [1.0, 4, 5]})
    rms, low, high = u.missed(found)
    assert rms == pytest.approx(((9 + 16) / 3) ** 0.5)
    assert (low, high) == pytest.approx((4.5**0.5, 4))
