import pandas as pd
import pytest

from repro.book.kit.figures import STRATEGY_COLOURS, STRATEGY_MARKERS, use_house_style
from repro.book.kit.strategies import errors_and_gaps, strategy_style


def test_means_look_like_their_strategy_but_open():
    one, means = strategy_style("dWr"), strategy_style("dWr, means of 3")
    assert (one["color"], one["marker"]) == (STRATEGY_COLOURS["dWr"], STRATEGY_MARKERS["dWr"])
    assert {k for k in one if one[k] != means[k]} == {"label", "fillstyle", "linestyle"}
    assert strategy_style("alpha=2/3")["label"] == "α = 2/3"


def test_errors_stand_above_their_distance_from_the_reference():
    use_house_style()
    base = {"base": ["A"] * 4 + ["B"] * 4, "strategy": ["w", "w", "dwr", "dwr"] * 2}
    points = pd.DataFrame(base | {"hours": [3, 1, 1, 2] * 2, "error": [20, 22, 22, 21] * 2})
    gaps = points[points.strategy == "w"].assign(gap=[-1.0, 0.0] * 2)
    fig = errors_and_gaps(
        points,
        gaps,
        over="hours",
        bases=("A", "B"),
        strategies=("dwr", "w"),
        reference="dwr",
        halves=(0.1, 0.2),
        label="hours",
        ticks=(1, 2, 3),
    )
    top, _, below, _ = fig.axes
    drawn = {line.get_label(): line for line in top.lines}
    assert list(drawn) == ["dwr", "w"] and list(drawn["w"].get_xdata()) == [1, 3]
    zero, line = below.lines
    assert list(zero.get_ydata()) == [0, 0] and list(line.get_ydata()) == [-1, 0]
    assert [p.get_height() for p in below.patches] == pytest.approx([0.4, 0.2])
    assert below.get_ylabel() == "points above dwr, at equal hours"
