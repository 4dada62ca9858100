"""The search for unpublished definitions, and what would contradict them."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from repro.analysis.scaling import recovery
from repro.analysis.scaling.recovery import Space, candidate, matching, neighbours, scales_to
from repro.arch import get
from repro.evidence.printed import in_print_units, printed_rows
from repro.reference import agrees_as_printed

SMALL = Space(
    resolutions=(224, 228, 240),
    blocks=10,
    initial_widths=(24, 32),
    ratios=(2.4, 2.78),
    group_widths=(4, 24),
)


def stages(net):
    return tuple((s.depth, s.width, s.group_width) for s in net.stages), net.resolution


def test_width_lists_by_hand():
    assert Space((224,), ratios=(2.0,), initial_widths=(24,)).width_lists(16) == [
        ((32, 16), (48, 16), (96, 16), (192, 16))  # 24 goes to the even number of groups
    ]
    assert Space((224,), blocks=5).depth_lists().tolist() == [
        [1, 1, 1, 1],
        [1, 1, 1, 2],
        [1, 1, 2, 1],
        [1, 2, 1, 1],
        [2, 1, 1, 1],
    ]


@pytest.mark.parametrize(
    ("group_width", "n", "depths", "resolution"),
    [(4, 0, (1, 2, 4, 2), 224), (24, 1, (3, 3, 2, 2), 240), (4, 2, (1, 1, 1, 1), 228)],
)
def test_matching_finds_what_counting_one_by_one_finds(group_width, n, depths, resolution):
    wanted = candidate(SMALL.width_lists(group_width)[n], depths, resolution)
    printed = {cost: round(value, 1) for cost, value in in_print_units(wanted).items()}
    expected, size = [], 0
    for g, r in product(SMALL.group_widths, SMALL.resolutions):
        for widths, lists in product(SMALL.width_lists(g), SMALL.depth_lists()):
            size += 1
            net = candidate(widths, lists, r)
            ours = in_print_units(net)
            if all(agrees_as_printed(printed[c], ours[c], 1) for c in printed):
                expected.append(stages(net))
    found, counted = matching(SMALL, printed)
    assert counted == size
    assert stages(wanted) in expected and len(expected) > 1
    assert sorted(map(stages, found)) == sorted(expected)


@pytest.mark.parametrize("base", recovery.SEARCHED)
def test_scaled_rows_accept_the_network_and_refuse_its_neighbours(base):
    first, *rows = recovery.searched_rows(base)
    assert all(row.strategy for row in rows)
    assert all(scales_to(get(base), row) for row in rows)
    for _, net in neighbours(get(base)):
        assert first.wrong(net) or not all(scales_to(net, row) for row in rows)
    halved = replace(get(base), stages=get(base).stages[:3])
    assert not any(scales_to(halved, row) for row in rows)


def test_the_search_leaves_the_recovered_network():
    result = recovery.search("RegNetY-500MF", blocks=18)
    assert [stages(net) for net in result.survivors] == [stages(get("RegNetY-500MF"))]
    left = [len(nets) for nets in result.left]
    assert left == sorted(left, reverse=True) and left[0] > 100


def test_neighbours_are_one_step_away():
    y4, near = get("RegNetY-4GF"), neighbours(get("RegNetY-4GF"))
    widths = [net.stages[2].width for kind, net in near if kind == "width"]
    assert {480, 544} <= set(widths)  # one group of 32 less and more than 512
    depths = [net.stages[0].depth for kind, net in near if kind == "depth"]
    assert {1, 3} <= set(depths)
    # 64 is no neighbour: 96 is not a multiple
    assert [n.stages[3].group_width for kind, n in near if kind == "group width"] == [16]
    pixels = [net.resolution - y4.resolution for kind, net in near if kind == "resolution"]
    assert pixels == [-8, -4, 4, 8]
    assert all(s.depth for _, net in neighbours(get("RegNetY-500MF")) for s in net.stages)


@pytest.mark.parametrize("base", recovery.SEARCHED)
def test_every_neighbour_contradicts_what_was_published(base):
    frame = recovery.broken(base)
    assert frame.change[0] == "none"
    assert frame.iloc[0][["printed", "drawn"]].tolist() == [0, 0]
    assert (frame.printed[1:] > 0).all() and (frame.drawn[1:] > 0).all()
    assert (frame.drawn <= frame.attrs["drawn"]).all()


def test_heads_are_counted_as_the_counter_counts():
    row = next(r for r in printed_rows() if r.label == "RegNetZ-4GF")
    fits = recovery.heads_that_print(get("RegNetZ-4GF"), row)
    for head in (0, 1, 955, 956, 1000, 1009, 1010, 2048):
        assert fits[head] == (not row.wrong(replace(get("RegNetZ-4GF"), head_width=head)))


def test_the_head_is_1000_or_near_it():
    scan = recovery.head_scan()
    fit = recovery.heads_that_fit(scan)
    assert 1000 in fit and 1024 not in fit
    assert [h for h in fit if h % 100 == 0] == [1000]
    nothing = scan[~np.array([f.any() for f in scan.fits])]
    assert list(nothing.row) == ["RegNetZ-16GF"]
