"""Pairs of public networks: what they are, and what is read between two of them."""

import math

import pandas as pd
import pytest

from repro import reference
from repro.analysis.accuracy import natural
from repro.errors import InputError
from repro.evidence.public import public_timings


@pytest.fixture(scope="module")
def pairs():
    return natural.pairs()


def test_weights_stand_once():
    rows = reference.public_accuracy()
    assert len({(r.arch, r.tag, r.image) for r in rows}) == len(rows)


def test_our_counts_are_timms_where_it_prints_them():
    """But for fvcore's flops of batch norm in small networks, and our outputs of a max-pool."""
    printed = {(row.model, row.resolution): row for row in public_timings()}
    compared = 0
    for pair in natural.PAIRS:
        for name in (*pair.networks[0], *pair.networks[1]):
            if row := printed.get((name, pair.resolution)):
                mine = natural.network(name, pair.recipes[0], pair.resolution)
                assert mine["flops"] == pytest.approx(row.gflops, rel=0.05)
                assert mine["acts"] == pytest.approx(row.macts, rel=0.02, abs=0.25)
                compared += 1
    assert compared >= 15


def test_pairs_have_equal_flops_and_save_activations(pairs):
    assert len(pairs) == sum(len(pair.recipes) for pair in natural.PAIRS)
    assert (pairs.flops_fewer / pairs.flops_more).between(1 / 1.12, 1.12).all()
    assert (pairs.acts_fewer < pairs.acts_more).all()
    both = pairs[["error_more", "error_fewer"]]
    assert (pairs.gap == both.error_fewer - both.error_more).all()


def test_errors_and_times_are_the_tables():
    row = natural.network("wide_resnet50_2", "tv_in1k")
    assert row["error"] == pytest.approx(100 - 78.486)
    assert row["training"] == pytest.approx(1e3 / 495.68)
    assert row["inference"] == pytest.approx(1e3 / 6604.74)
    # its counts are ours, its times nobody's
    assert math.isnan(natural.network("convnext_small", "fb_in1k")["training"])
    with pytest.raises(InputError, match=r"no public weights resnet50\.tv9_in1k at 224"):
        natural.network("resnet50", "tv9_in1k")


def made(name, recipe, resolution):
    """Networks on a power law of their flops, which stand in the name."""
    flops = float(name)
    return {"flops": flops, "acts": 3 * flops, "error": 20 * flops**-0.2} | dict.fromkeys(
        natural.SETTINGS, 2 * flops
    )


def test_a_network_is_compared_with_two_around_it(monkeypatch):
    monkeypatch.setattr(natural, "network", made)
    pair = natural.Pair("depth", "a", "b", (("3",), ("2", "4")), ("x",))
    (row,) = natural.pairs([pair]).itertuples()
    assert row.gap == pytest.approx(0) and row.flops_fewer == row.flops_more == 3
    assert (row.acts_fewer, row.training_fewer) == (pytest.approx(9), pytest.approx(6))
    share = math.log(1.5) / math.log(2)
    assert row.unit == pytest.approx(math.sqrt(1 + share**2 + (1 - share) ** 2), abs=0.05)
    beyond = natural.Pair("depth", "a", "b", (("5",), ("2", "4")), ("x",))
    with pytest.raises(InputError, match=r"5\.00 GF do not lie between 2 and 4"):
        natural.pairs([beyond])


def test_recipes_are_averaged_and_designs_counted_once(pairs):
    table = natural.by_pair(pairs)
    assert len(table) == len(natural.PAIRS)
    resnet = table[table.fewer == "Wide-ResNet-50-2"].iloc[0]
    both = pairs[pairs.fewer == "Wide-ResNet-50-2"]
    assert resnet.gap == pytest.approx(both.gap.mean())
    assert resnet.unit == pytest.approx(math.sqrt(2) / math.sqrt(2))
    small = pd.DataFrame({"given_up": "depth", "gap": [0.0, 1.0], "unit": [3.0, 4.0]})
    assert natural.over_designs(small, "depth") == (0.5, 2.5)


def test_a_recipe_is_judged_on_networks_that_have_both():
    found = natural.recipes_alone("tv_in1k", "tv2_in1k")
    assert found["resnet50"] == pytest.approx(80.846 - 76.156)
    assert "resnet18" not in found and "densenet121" not in found


def test_a_coin_is_thrown_for_each_image():
    assert natural.binomial(50, 10_000) == pytest.approx(0.5)
