"""What rounding does to scaled networks: spans, counts before rounding, exponents."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from repro.analysis.scaling.rounding import (
    COSTS,
    before_rounding,
    changes,
    exponent_shifts,
    largest_jumps,
    map_sides,
    rounding_steps,
    sawtooth,
    spans,
)
from repro.arch import PAPER, Network, ResStage, get, scale
from repro.arch.strategy import Multipliers
from repro.complexity import complexity
from repro.errors import InputError

BASES = ["EN-B0", "RegNetY-500MF", "RegNetY-4GF", "RegNetZ-4GF", "ResNet-50"]


def anonymous(net):
    return replace(net, name="")


def test_rounding_steps_show_each_rounding():
    third = rounding_steps("RegNetY-4GF", "dWr", 4).iloc[2]
    # 512 x 4^0.4 = 891.4, to a multiple of 8, then to whole groups of 56
    assert third["width wanted"] == pytest.approx(512 * 4**0.4)
    assert (third["to 8"], third["width"], third["group width"]) == (888, 896, 56)
    assert third["depth wanted"] == pytest.approx(16 * 4**0.1)
    assert third["depth"] == 18


def test_spans_by_hand():
    # depth 2 under d: 2 s = n + 1/2 at s = 1.25 and 1.75
    net = Network("tiny", (ResStage(2, 8, 8),), resolution=32)
    found = spans(net, PAPER["d"], 1, 2)
    assert [(x.low, x.high) for x in found] == [(1, 1.25), (1.25, 1.75), (1.75, 2)]
    assert [x.net.stages[0].depth for x in found] == [2, 3, 4]


@pytest.mark.parametrize("base", BASES)
@given(
    s=st.floats(0.6, 40),
    name=st.sampled_from(sorted(PAPER)),
)
def test_spans_hold_the_network_of_every_scale(base, name, s):
    low, high = s / 1.05, s * 1.05
    found = spans(get(base), PAPER[name], low, high)
    assert found[0].low == low and found[-1].high == high
    assert all(a.high == b.low and a.net != b.net for a, b in pairwise(found))
    assume(all(not math.isclose(s, x.low, rel_tol=1e-9) for x in found))  # not on a breakpoint
    (own,) = (x for x in found if x.low < s < x.high)
    assert anonymous(own.net) == anonymous(scale(get(base), PAPER[name], s))


def test_spans_refuse_an_empty_range():
    with pytest.raises(InputError, match="0 < low < high"):
        spans(get("EN-B0"), PAPER["d"], 2, 2)


@pytest.mark.parametrize("base", BASES)
def test_before_rounding_is_exact_where_nothing_is_rounded(base):
    net = get(base)
    at = before_rounding(net)
    # widths x 4 and depths x 3 of any base, at a resolution that halves without remainder
    wanted = Multipliers(d=3, w=4, g=4, r=448 / net.resolution)
    stages = [
        replace(s, depth=3 * s.depth, width=4 * s.width)
        if net.is_mbconv
        else replace(s, depth=3 * s.depth, width=4 * s.width, group_width=4 * s.group_width)
        for s in net.stages
    ]
    big = replace(net, stages=tuple(stages), resolution=448)
    if net.is_mbconv:
        big = replace(big, stem_width=4 * net.stem_width, head_width=4 * net.head_width)
    c = complexity(big)
    assert {k: round(v) for k, v in at(wanted).items()} == {k: getattr(c, k) for k in COSTS}


def test_before_rounding_lies_between_the_roundings():
    at, base = before_rounding(get("RegNetY-500MF")), complexity(get("RegNetY-500MF")).flops
    one = at(PAPER["dWr"].multipliers(1))["flops"]
    assert one == pytest.approx(base, rel=1e-12)
    assert base < at(PAPER["dWr"].multipliers(1.01))["flops"] < 1.01 * base


def test_sawtooth_is_what_the_scaler_makes():
    after, before = sawtooth(["RegNetZ-4GF"], "dWr", 2, 8)
    base = complexity(get("RegNetZ-4GF")).flops
    assert after.s.iloc[0] == 2 and after.s.iloc[-1] == 8
    row = after.iloc[100]
    inside = row.s * (1 + 1e-9)  # rows come in pairs, the even one is a low end
    assert row.miss == pytest.approx(
        complexity(scale(get("RegNetZ-4GF"), PAPER["dWr"], inside)).flops / base / row.s
    )
    assert before.miss.max() < 1 < after.miss.max()


def test_the_largest_jump_says_what_changes():
    (row,) = largest_jumps(["RegNetZ-4GF"], "dWr", 3.8, 4).to_dict("records")
    assert row["what"] == "resolution 272 → 276"
    assert row["s"] == pytest.approx((274 / 256) ** 20)  # 256 s^0.05 = 274
    assert row["change"] == pytest.approx(row["GF after"] / row["GF before"] - 1)
    assert largest_jumps(["EN-B0"], "d", 1, 1.01).empty


def test_changes_name_stages_and_groups():
    a, b = get("RegNetY-500MF"), scale(get("RegNetY-500MF"), PAPER["w"], 4)
    assert changes(a, a) == ""
    assert changes(a, b).endswith("width of stage 4 688 → 1376; group width 4 → 8 in all stages")
    deeper = replace(a, stages=(replace(a.stages[0], depth=2), *a.stages[1:]), stem_width=40)
    assert changes(a, deeper) == "stem 32 → 40; depth of stage 1 1 → 2"


def test_map_sides_round_up():
    frame = map_sides("EN-B0", [224, 228]).set_index("resolution")
    assert list(frame.maps) == ["112, 56, 28, 14, 7", "114, 57, 29, 15, 8"]
    assert frame.area[228] == (228 / 224) ** 2
    ratio = complexity(get("EN-B0").at(228)).flops / complexity(get("EN-B0")).flops
    assert frame.flops[228] == ratio > frame.area[228]


def test_exponent_shifts_by_cause():
    frame = exponent_shifts(["RegNetY-500MF"], [1, 4, 16]).set_index(["strategy", "cost"])
    # r multiplies the sides by 2 and 4, which need no rounding, and leaves params alone
    assert frame.rounding["r"].abs().max() < 1e-12
    assert frame.structure["r", "params"] == 0
    # depth has no effect on the stem and on first blocks
    assert frame.structure["d", "acts"] < 0
    assert set(frame.index.get_level_values("strategy")) == set(PAPER)
