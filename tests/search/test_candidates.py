"""Candidates as arrays: the same networks and costs as described one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.arch import Network, ResStage, get
from repro.arch.efficientnet_x import Coefficients, scaled
from repro.complexity import complexity
from repro.errors import InputError
from repro.search.accuracy import built
from repro.search.candidates import Scaler
from repro.search.latency import budget, roofline

BASES = ["EN-B0", "EN-X-B0+se-plain", "RegNetY-500MF", "RegNetZ-500MF", "ResNet-50", "ResNeXt-50"]
factors = st.floats(1, 4)


@given(st.sampled_from(BASES), st.sampled_from(["nearest", "up"]), factors, factors, factors)
def test_arrays_agree_with_each_network(base, rounding, d, w, r):
    scaler = Scaler(get(base), rounding)
    some = scaler.candidates([1, d, d], [w, 1, w], [r, 1, r])
    nets = [some.network(i) for i in range(3)]
    for what in ("flops", "acts", "params"):
        wanted = [getattr(complexity(net), what) for net in nets]
        # counts by width and by resolution are multiplied: to the unit but for the last bit
        assert some.cost(budget(what)) == pytest.approx(wanted, rel=1e-12)
    wanted = [roofline("A100", 16)(net) for net in nets]
    assert some.cost(roofline("A100", 16)) == pytest.approx(wanted, rel=1e-12)
    assert some.phi(roofline("A100", 16)) == pytest.approx(
        [roofline("A100", 16).phi(net) for net in nets]
    )
    assert np.allclose(np.array(some.built).T, [built(net, scaler.base) for net in nets])


def test_any_function_of_a_network_is_a_latency():
    some = Scaler(get("EN-B0"), "nearest").candidates([1, 2], 1, 1.5)
    assert some.cost(lambda net: len(net.name)).tolist() == [
        len(some.network(i).name) for i in (0, 1)
    ]
    assert np.isnan(some.charged(lambda net: 1.0)[1]).all()


def test_nothing_is_rounded_by_hand():
    tiny = Network("tiny", (ResStage(2, 32, 8), ResStage(2, 64, 8)), resolution=64)
    scaler = Scaler(tiny, "none")
    grown = scaler.candidates([1, 1.1, 1], [1, 1, 1.3], [1, 1, 1])
    flops, acts = grown.cost(budget("flops")), grown.cost(budget("acts"))
    assert flops[0] == complexity(tiny).flops
    # of four blocks two are of each stage's kind: 1.1 times the blocks is 0.1 of the later ones
    one, two = (complexity(Scaler(tiny, "up").network(d, 1, 1)) for d in (1, 2))
    assert flops[1] - flops[0] == pytest.approx((two.flops - one.flops) / 10)
    # all acts but the stem's, which does not widen, and the classifier's
    fixed = 32 * 32 * 32 + 1000
    assert acts[2] == pytest.approx(fixed + 1.3 * (acts[0] - fixed))
    assert grown.built.depth.tolist() == [1, 1.1, 1]
    with pytest.raises(InputError, match="rounding 'none' has counts and no networks"):
        grown.network(1)


def test_rounding_up_adds_blocks_that_nobody_asked_for():
    up, nearest = (Scaler(get("EN-B0"), rule).candidates(1.01, 1, 1) for rule in ("up", "nearest"))
    assert up.built.depth[0] == pytest.approx(23 / 16) and nearest.built.depth[0] == 1


def test_the_builder_s_networks():
    scaler = Scaler(scaled(Coefficients(1.0, 1.0, 224)), "up")
    for c in (Coefficients(1.63, 2.4, 282), Coefficients(2.58, 5.46, 350)):
        mine = scaler.network(c.depth, c.width, c.resolution / 224)
        assert (mine.stages, mine.resolution) == (scaled(c).stages, c.resolution)
        assert (mine.stem_width, mine.head_width) == (scaled(c).stem_width, scaled(c).head_width)


def test_some_of_many():
    some = Scaler(get("EN-B0"), "nearest").candidates([1, 2, 3], 1, 1)
    assert some[some.built.depth > 1].asked.depth.tolist() == [2, 3]
    assert some[1].built.depth.tolist() == [2] and len(some[::2]) == 2


def test_what_cannot_be_scaled():
    with pytest.raises(InputError, match="is a piece of a network"):
        Scaler(get("MBConv-c8@7"))
    with pytest.raises(InputError, match=r"width 0.9 is not allowed; factors are 1 or more"):
        Scaler(get("EN-B0")).candidates(1, 0.9, 1)
    with pytest.raises(InputError, match="resolution nan is not allowed"):
        Scaler(get("EN-B0")).candidates(1, 1, [float("nan")])
