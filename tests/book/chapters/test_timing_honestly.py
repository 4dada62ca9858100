import matplotlib.pyplot as plt
from made_up_records import traps

from repro.book.chapters.timing_honestly import (
    overview_figure,
    series_figure,
    turns_figure,
    typical,
)

RUNS = tuple(tuple(1 + 0.01 * i for i in range(20)) for _ in range(2))
MODE = {"mode": dict.fromkeys(("inference", "autograd on", "train mode"), RUNS)}


def test_figures_hold_every_sample():
    titles = ("one after the other", "in turns")
    record = traps(
        {
            "series": {"undisturbed": RUNS, "disturbed": RUNS},
            "turns": {f"{name}, {title}": RUNS for title in titles for name in "AB"},
        }
    )
    left, right = turns_figure(record).axes
    assert sorted(x for line in right.lines[:2] for x in line.get_xdata()) == list(range(1, 41))
    assert [x for line in left.lines[:2] for x in line.get_xdata()] == list(range(1, 41))
    assert len(series_figure(record).axes[1].lines[0].get_ydata()) == 20


def test_a_reader_s_record_gets_a_panel_of_its_own():
    fig = overview_figure(
        {"one": traps({"warm-up": {"iteration": RUNS}} | MODE), "two": traps(MODE)}
    )
    labels = [t.get_text() for t in fig.axes[0].get_yticklabels()]
    assert labels == ["first iteration", "autograd left on", "train mode"]
    place = plt.rcParams["axes.titlelocation"]
    assert [ax.get_title(loc=place) for ax in fig.axes] == ["one", "two"]


def test_a_process_that_was_disturbed_all_along_is_not_the_one_drawn():
    spoilt = (1.0, *(9.0 if i % 4 == 0 else 1.0 for i in range(19)))
    ways = {"undisturbed": (spoilt, *RUNS), "disturbed": (spoilt, *RUNS)}
    assert typical(traps({"series": ways})) > 0
