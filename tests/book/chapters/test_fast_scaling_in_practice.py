"""Figures of "Fast scaling in practice": their labels, and the values that they draw."""

import pytest
from made_up_timings import CPU, by_acts, records

from repro.analysis.accuracy import minutes, published
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


@pytest.fixture(scope="module")
def points():
    return minutes.curves()


def test_errors_over_minutes_have_two_rows_of_panels(points):
    use_house_style()
    gaps = minutes.above_dwr(points)
    fig = chapter.minutes_figure(points, gaps, published.noise())
    titles = [ax.get_title(loc="left") for ax in fig.axes]
    assert titles == [*published.BASES, "", "", ""]
    for base, top, below in zip(published.BASES, fig.axes, fig.axes[3:], strict=False):
        names = set(points.strategy[points.base == base])
        drawn = {name.replace("alpha=", "α = ") for name in names}
        assert set(labelled(top)) == drawn
        assert {"dWr", "w"} <= set(labelled(below)) & drawn and "dwr" not in labelled(below)
        low, high = below.get_ylim()
        inside = gaps[(gaps.base == base) & (gaps.strategy != "r")].gap
        assert inside.between(low, high).all()


def test_the_table_ends_each_multiple_with_the_mean(points):
    table = chapter.minutes_table(points, published.noise())
    assert len(table) == 12 and list(table.base[3::4]) == [chapter.MEAN] * 3
    for start in (0, 4, 8):
        part = table.iloc[start : start + 4]
        for column in ("dWr − dwr", "w − dWr"):
            gaps = [float(text.split()[0]) for text in part[column]]
            assert gaps[3] == pytest.approx(sum(gaps[:3]) / 3, abs=0.011)
    assert table.minutes[3::4].isna().all() and table.minutes.notna().sum() == 9


def test_a_curve_is_better_until_it_is_not(points):
    """A point of error better up to 5 minutes, equal from 5.5 on."""
    one = points[(points.base == "EN-B0") & (points.strategy == "dwr")].head(2)
    made = [one.iloc[[0] * 4].assign(minutes=[2.0, 5.0, 5.5, 9.0]) for _ in "12"]
    first, second = (part.reset_index(drop=True) for part in made)
    first.loc[:1, "error"] -= 1
    late, early = chapter.better_until(first, second, published.Noise(0.1, 0.2))
    assert 5 <= late < early < 5.5
    assert chapter.better_until(second, first, published.Noise(0.1, 0.2)) == (0, 0)


def test_numbers_of_equal_minutes_are_the_table_s(points):
    noise = published.noise()
    numbers = chapter.minutes_numbers(points, minutes.above_dwr(points), noise)
    mean = chapter.minutes_table(points, noise).iloc[-1]
    assert mean["dWr − dwr"] == f"-{numbers['fsp_wide']} (± {numbers['fsp_wide_half']})"
    ends = points[(points.base == "EN-B0") & (points.strategy == "w")].minutes.max()
    until = [float(m) for m in numbers["fsp_until"].split(" to ")]
    assert until == sorted(until) and until[0] > 0 and until[-1] < ends
