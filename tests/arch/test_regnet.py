import pytest

from repro.arch.network import ResStage
from repro.arch.regnet import regnet_stages
from repro.errors import InputError


def test_by_hand():
    # widths 16, 24, 32, 40 in steps of 2: exponents 0, 0.58, 1, 1.32 round to 0, 1, 1, 1
    assert regnet_stages(depth=4, w0=16, wa=8, wm=2.0, group_width=8) == (
        ResStage(depth=1, width=16, group_width=8),
        ResStage(depth=3, width=32, group_width=8),
    )


def test_group_width_is_lowered_where_a_stage_is_narrower():
    assert [s.group_width for s in regnet_stages(4, 16, 8, 2.0, 24)] == [16, 24]


def test_a_published_stage_list():
    stages = regnet_stages(22, 96, 31.41, 2.24, 64)  # RegNetY-4.0GF
    assert [s.depth for s in stages] == [2, 6, 12, 2]
    assert [s.width for s in stages] == [128, 192, 512, 1088]


def test_the_first_width_may_move_to_hold_whole_groups():
    assert regnet_stages(14, 56, 38.84, 2.4, 16)[0].width == 64  # RegNetY-800MF starts at 56


@pytest.mark.parametrize(
    "wrong",
    [
        {"depth": 0},
        {"w0": 0},
        {"w0": -8},
        {"wa": -1.0},
        {"wm": 1.0},
        {"wm": 0.5},
        {"group_width": 0},
    ],
)
def test_impossible_parameters_are_named(wrong):
    usable = {"depth": 4, "w0": 16, "wa": 8.0, "wm": 2.0, "group_width": 8}
    name, value = next(iter(wrong.items()))
    with pytest.raises(InputError, match=f"{name}.*{value}"):
        regnet_stages(**(usable | wrong))
