"""Figures of "Fast scaling in practice": their labels, and the values that they draw."""

import pytest
from made_up_timings import CPU, by_acts, records

from repro.analysis.timing import practice, sets
from repro.book.chapters import fast_scaling_in_practice as chapter
from repro.book.kit.figures import STRATEGY_COLOURS, show, use_house_style


@pytest.fixture(scope="module")
def machines():
    """A machine that does nothing but write activations."""
    made = records("laptop", by_acts, CPU)
    use_house_style()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sets, "stored", lambda *files: tuple(made))
        yield sets.best_training()


@pytest.fixture(scope="module")
def curves(machines):
    drawn = {"V100": practice.published_curves()}
    return drawn | {sets.short(t): practice.recorded_curves(t) for t in machines}


def labelled(ax):
    return {line.get_label(): line for line in ax.lines}


def test_strategies_have_a_panel_for_each_machine(curves):
    fig = chapter.curves_figure(curves, "EN-B0")
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["V100", "Made-up CPU"]
    for ax, table in zip(fig.axes, curves.values(), strict=True):
        names = set(table.curve[table.panel == "EN-B0"]) & set(STRATEGY_COLOURS)
        assert {"d", "r", "w", "dwr", "dWr"} <= names
        assert set(labelled(ax)) == {name.replace("alpha=", "α = ") for name in names}
    assert "α = 2/3" in labelled(fig.axes[0])
    published = curves["V100"]
    part = published[(published.panel == "EN-B0") & (published.curve == "w")]
    line = labelled(fig.axes[0])["w"]
    assert sorted(line.get_ydata()) == pytest.approx(sorted(part.relative))


def test_bases_are_all_drawn_and_the_originals_are_dashed(curves):
    fig = chapter.curves_figure(curves, "dWr")
    for ax, table in zip(fig.axes, curves.values(), strict=True):
        lines = labelled(ax)
        assert set(lines) == set(table.curve[table.panel == "dWr"]) <= set(chapter.BASES)
        assert {n for n, line in lines.items() if line.get_linestyle() == "--"} <= {"orig"}
    assert labelled(fig.axes[0])["orig"].get_linestyle() == "--"


def test_memory_grows_with_acts(machines):
    """The made-up machine fills 10 bytes for each activation."""
    fig = chapter.memory_figure(machines)
    (ax,) = fig.axes
    assert ax.get_ylabel() == "memory an image, MB"
    assert set(labelled(ax)) == {"EfficientNet", "RegNetY", "RegNetZ"}
    for line in ax.lines:
        assert list(line.get_ydata()) == pytest.approx([10 * x for x in line.get_xdata()], rel=0.1)


@pytest.mark.parametrize("panel", ["EN-B0", "dWr"])
def test_curves_are_deterministic(curves, panel):
    first, second = (
        show(chapter.curves_figure(curves, panel), "f", alt="a", caption="c").svg for _ in "12"
    )
    assert first == second
