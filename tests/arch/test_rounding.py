import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.arch.rounding import (
    fit_groups,
    round_depth,
    round_group_width,
    round_resolution,
    round_width,
)


@pytest.mark.parametrize(
    "depth, rounded",
    # exact halves go to the even neighbour; nothing goes below one block
    [(0.0, 1), (0.4, 1), (0.5, 1), (1.4, 1), (1.5, 2), (2.5, 2), (3.5, 4), (4.51, 5)],
)
def test_depth(depth, rounded):
    assert round_depth(depth) == rounded


@pytest.mark.parametrize(
    "width, rounded",
    [(0.1, 8), (4, 8), (11.9, 8), (12, 16), (20, 16), (28, 32), (36, 32), (44, 48), (44.1, 48)],
)
def test_width_is_the_nearest_multiple_of_8(width, rounded):
    assert round_width(width) == rounded


@pytest.mark.parametrize(
    "group_width, rounded",
    [
        # to an integer first, at least 1; 1 and 2 stay
        *[(0.1, 1), (0.5, 1), (1.4, 1), (1.5, 2), (2.49, 2), (2.5, 2)],
        # 3 to 5 become 4; 5.5 is 6 by then, and one 8
        *[(2.51, 4), (3, 4), (4, 4), (5, 4), (5.49, 4), (5.5, 8), (6, 8)],
        # then to a multiple of 8, again halves to even
        *[(11, 8), (12, 16), (20, 16), (28, 32), (36, 32), (44, 48)],
        # rounded twice: 11.5 is 12, and so 16, though 11.5 itself is nearer to 8
        *[(11.4, 8), (11.5, 16), (19.5, 16), (20.5, 16), (20.6, 24)],
    ],
)
def test_group_width(group_width, rounded):
    assert round_group_width(group_width) == rounded


@pytest.mark.parametrize(
    "resolution, rounded",
    [(224, 224), (225.9, 224), (226, 224), (230, 232), (226.1, 228), (240.07, 240), (1, 0)],
)
def test_resolution_is_the_nearest_multiple_of_4(resolution, rounded):
    assert round_resolution(resolution) == rounded


@pytest.mark.parametrize(
    "width, group_width, bottleneck, fitted",
    [
        (64, 16, 1.0, (64, 16)),  # fits already
        (8, 16, 1.0, (8, 8)),  # group width lowered to the bottleneck
        (56, 16, 1.0, (64, 16)),  # 3.5 groups: to the even 4
        (360, 16, 1.0, (352, 16)),  # 22.5 groups: to the even 22
        (96, 64, 1.0, (128, 64)),  # 1.5 groups: to the even 2
        (256, 64, 0.25, (256, 64)),  # ResNet: one group
        (2584, 648, 0.25, (2584, 646)),  # lowered, and not rounded again
        (48, 8, 4.0, (48, 8)),  # RegNetZ: bottleneck of 192
        (136, 24, 4.0, (138, 24)),  # 544 channels to 552: a width that 8 does not divide
        (8, 3, 4.0, (9, 3)),  # a multiple of 3 and of 4: 36 channels
    ],
)
def test_fit_groups(width, group_width, bottleneck, fitted):
    assert fit_groups(width, group_width, bottleneck) == fitted


@given(st.integers(1, 4096), st.integers(1, 1024), st.sampled_from([0.25, 0.5, 1.0, 2.0, 3.0, 4.0]))
def test_fitted_bottlenecks_divide_into_whole_groups(width, group_width, bottleneck):
    fitted, g = fit_groups(width, group_width, bottleneck)
    mid = fitted * bottleneck
    assert mid == int(mid) >= g >= 1
    assert mid % g == 0
    assert g == min(group_width, max(1, int(width * bottleneck)))
    assert fit_groups(fitted, g, bottleneck) == (fitted, g)  # nothing is left to do
