"""Drawings and the opening table of "What scaling costs"."""

import pytest

from repro.book import show
from repro.book.chapters import what_scaling_costs as drawings
from repro.book.kit.figures import use_house_style


def test_two_networks_are_the_published_ones():
    frame = drawings.two_networks().set_index("network")
    assert frame["minutes an epoch"].tolist() == [2.8, 3.5, 1.25]
    # Tables 5 and 8 print 6.7 and 11.3 million acts.
    assert frame["acts, M"].iloc[:2].tolist() == pytest.approx([6.748036, 11.315688])


def test_volumes_show_one_box_for_each_conv():
    shapes = drawings.volumes().axes[0].patches
    bars = 4 * 3
    assert len(shapes) - bars == 3 * (2 + 8 + 2 + 2)  # three faces of each


def drawn():
    use_house_style()
    figures = (drawings.one_conv, drawings.volumes, drawings.group_matrices)
    return [show(make(), "name", alt="alt", caption="").svg for make in figures]


def test_drawings_are_deterministic_and_say_what_they_show():
    conv, volumes, groups = drawn()
    assert drawn() == [conv, volumes, groups]
    assert "k² w multiply-adds" in conv
    # Depth and resolution multiply acts by 4, width by 2: only width's acts are ×2.
    assert volumes.count(">×2<") == 1
    assert [groups.count(f">acts ×{n}<") for n in (1, 2, 4)] == [2, 1, 1]
    assert groups.count(">flops ×4<") == 3
