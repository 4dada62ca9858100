"""What the page shows, also of runs that are not the project's."""

import pytest
from made_up_trainings import GAINS, law, runs

from repro.analysis.accuracy import cost, natural, published
from repro.analysis.accuracy.trainings import experiments
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


@pytest.fixture(scope="module")
def pairs():
    return natural.pairs()


def test_each_pair_is_a_row_that_names_its_recipes(pairs):
    table = chapter.natural_table(pairs, published.noise())
    assert len(table) == len(natural.PAIRS) <= 12
    row = table[table["from, to"] == "ResNet-152 → Wide-ResNet-50-2"].iloc[0]
    first, second = 78.330 - 78.486, 82.294 - 81.612
    assert row.error == pytest.approx((first + second) / 2)
    assert row.recipes == f"{first:+.1f} to {second:+.1f}"
    assert table.recipes[table["from, to"].str.startswith("RepVGG")].item() == "–"


def test_arrows_lead_to_fewer_activations(pairs):
    axes = chapter.natural_figure(pairs).axes
    arrows = [[text for text in ax.texts if text.arrowprops] for ax in axes]
    depth = int((pairs.given_up == natural.DEPTH).sum())
    assert list(map(len, arrows)) == [depth, len(pairs) - depth]
    assert all(arrow.xyann[0] > arrow.xy[0] for arrow in arrows[0] + arrows[1])


def test_numbers_of_the_pairs(pairs):
    noise = published.Noise(0.1, 0.2)
    numbers = chapter.natural_numbers(pairs, noise)
    assert numbers["das_wrn"] == "-0.16 and +0.68" and numbers["das_wrn_176"] == "-0.22"
    wide = natural.by_pair(pairs).query("given_up == 'depth'")
    assert numbers["das_wide"] == pytest.approx(wide.gap.mean())
    assert numbers["das_deeper_gain"] == pytest.approx(83.144 - 82.066)


@pytest.mark.parametrize("without", [(), ("d",), ("w", "alpha=2/3", "dWr")])
def test_a_reader_s_runs_are_shown_in_place_of_ours(without):
    records = [r for r in runs(law(GAINS)) if r.subject.strategy not in without]
    (own,) = experiments(records)
    numbers = chapter.own_numbers(own)
    assert numbers["das_own_r"] == "+2.0"
    assert numbers["das_own_d"] == ("–" if "d" in without else "+1.0")
    (ax,) = chapter.forest_figure(own).axes
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels == [f"{way}: holds" for way in ("d", "w", "r", "dWr") if way not in without]


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
