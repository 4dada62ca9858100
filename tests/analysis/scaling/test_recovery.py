"""The search for unpublished definitions, and what would contradict them."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from repro.analysis.scaling import recovery
from repro.analysis.scaling.printed import in_print_units, printed_rows
from repro.analysis.scaling.recovery import Space, candidate, matching, neighbours, scales_to
from repro.arch import get
from repro.book.kit.tables import agrees_as_printed
from repro.errors import InputError

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
    first, *rows = recovery._rows(base)
    assert all(row.strategy for row in rows)
    assert all(scales_to(get(base), row) for row in rows)
    for net in neighbours(get(base)).values():
        assert first.wrong(net) or not all(scales_to(net, row) for row in rows)
    halved = replace(get(base), stages=get(base).stages[:3])
    assert not any(scales_to(halved, row) for row in rows)


def test_the_search_leaves_the_recovered_network():
    result = recovery.search("RegNetY-500MF", blocks=18)
    assert [recovery.described(net) for net in result.survivors] == [
        recovery.described(get("RegNetY-500MF"))
    ]
    assert recovery.definitions({"RegNetY-500MF": result}).found.tolist() == ["yes"]
    assert recovery.definitions({"RegNetY-4GF": result}).found.tolist() == ["no"]
    left = [len(nets) for _, nets in result.left]
    assert left == sorted(left, reverse=True) and left[0] > 100
    funnel = recovery.funnel([result])
    assert list(funnel.left) == [result.size, *left]
    assert funnel.step[1] == "prints as 0.5 / 5.6 / 4.2 (Table 6, RegNetY-500MF)"


def test_other_networks_are_not_searched():
    with pytest.raises(InputError, match="no search is set up for 'EN-B0'"):
        recovery.space_of("EN-B0")
    assert recovery.space_of("RegNetY-4GF", resolution_step=4).resolutions[:2] == (192, 196)


def test_neighbours_are_one_step_away():
    near = neighbours(get("RegNetY-4GF"))
    assert near["stage 3: width 512 → 544"].stages[2].width == 544  # one group of 32
    assert near["stage 1: depth 2 → 1"].stages[0].depth == 1
    assert near["group width 32 → 16"].stages[3].group_width == 16
    assert "group width 32 → 64" not in near  # 96 is not a multiple
    assert near["resolution 240 → 236"].resolution == 236
    assert "stage 1: depth 1 → 0" not in neighbours(get("RegNetY-500MF"))


@pytest.mark.parametrize("base", recovery.SEARCHED)
def test_every_neighbour_contradicts_what_was_published(base):
    frame = recovery.broken(base)
    assert frame.change[0] == "none"
    assert frame.iloc[0][["printed", "drawn"]].tolist() == [0, 0]
    assert (frame.printed[1:] > 0).all() and (frame.drawn[1:] > 0).all()
    assert (frame.drawn <= frame.attrs["drawn"]).all()
    summary = recovery.broken_summary({base: frame}).set_index("change")
    assert summary.networks.sum() == len(frame)
    assert summary.printed["none"] == f"0 of {frame.attrs['printed']}"
    deeper = frame[frame.change.str.contains("depth")].drawn
    assert summary.drawn["depth"].startswith(str(deeper.min()))


def test_heads_are_counted_as_the_counter_counts():
    row = next(r for r in printed_rows() if r.label == "RegNetZ-4GF")
    fits = recovery._heads_that_print(get("RegNetZ-4GF"), row)
    for head in (0, 1, 955, 956, 1000, 1009, 1010, 2048):
        assert fits[head] == (not row.wrong(replace(get("RegNetZ-4GF"), head_width=head)))


def test_the_head_is_1000_or_near_it():
    scan = recovery.head_scan()
    fit = recovery.heads_that_fit(scan)
    assert 1000 in fit and 1024 not in fit
    assert [h for h in fit if h % 100 == 0] == [1000]
    nothing = scan[~np.array([f.any() for f in scan.fits])]
    assert list(nothing.row) == ["RegNetZ-16GF"]
