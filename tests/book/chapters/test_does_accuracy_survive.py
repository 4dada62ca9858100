"""What the page shows, also of runs that are not the project's."""

import pytest
from made_up_trainings import GAINS, law, runs

from repro.analysis.accuracy import cost, published
from repro.book.chapters import does_accuracy_survive as chapter
from repro.book.parameters import check
from repro.errors import InputError
from repro.stored import append


@pytest.fixture(scope="module")
def gaps():
    return published.gaps()


def test_the_table_of_errors_holds_what_is_plotted(gaps):
    table = chapter.top_table(published.points(), gaps, published.noise()).set_index("strategy")
    assert len(table) == 8
    assert list(table.loc["dwr", list(published.BASES)]) == [17.47, 18.18, 17.11]
    assert table["EN-B0"][published.MEANS] == 17.73 and table["flops, G"]["r"] == "2.0 to 2.2"
    assert table.verdict["dWr"] == "within noise" and table.verdict[published.MEANS] == "worse"
    assert table["by chance"]["dWr"] == "± 0.15 to 0.25"


def test_figures_draw_every_strategy(gaps):
    fig = chapter.errors_figure(published.points(), gaps, published.noise())
    labels = {text.get_text() for text in fig.legends[0].get_texts()}
    names = {name.replace("alpha=", "α = ") for name in published.STRATEGIES}
    assert labels == {*names, "dwr", "orig"}
    (ax,) = chapter.large_figure(published.points()).axes
    assert len(ax.lines) == 5


@pytest.mark.parametrize("without", [(), ("d",), ("w", "alpha=2/3", "dWr")])
def test_a_reader_s_runs_are_shown_in_place_of_ours(without, gaps):
    records = [r for r in runs(law(GAINS)) if r.subject.strategy not in without]
    found, numbers = chapter.own_runs(records)
    assert numbers["das_own_r"] == "+2.0" and numbers["das_own_gain"] == pytest.approx(5)
    assert numbers["das_own_d"] == ("–" if "d" in without else "+1.0")
    assert numbers["das_control_r"] == "–"
    assert len(chapter.forest_figure(found).axes[0].get_yticks()) == len(found)
    table = chapter.verdict_table(found, gaps)
    assert set(table["on proxies"]) == {"holds"} and len(table) <= 6
    assert table["ImageNet, paper"].notna().all()


def test_a_file_without_anything_to_compare_is_refused(tmp_path):
    path = tmp_path / "one.jsonl"
    append(path, runs(law(GAINS))[0])
    with pytest.raises(InputError, match="two seeds or more"):
        check("does-accuracy-survive", records=str(path))
    with pytest.raises(InputError, match="needs its folder"):
        check("does-accuracy-survive", data="cifar10")
    with pytest.raises(InputError, match="proxy-EN"):
        check("does-accuracy-survive", proxies=["proxy-E"])


def test_a_smaller_noise_needs_fewer_runs():
    pair = [cost.training("EN-B0", s, 11) for s in ("dwr", "dWr")]
    numbers = chapter.cost_numbers(pair, published.Noise(0.1, 0.2))
    assert numbers["das_needed"] == "4 to 16" and numbers["das_study"] == 64
