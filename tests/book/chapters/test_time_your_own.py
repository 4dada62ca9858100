import matplotlib.pyplot as plt
from made_up_records import timing

from repro.analysis.timing.overlay import Pair, networks, runs
from repro.book.chapters.time_your_own import overlay_figure
from repro.records import Protocol


def test_the_figure_has_a_point_of_each_for_every_network():
    step = Protocol(threads=1, mode="step")
    ours = runs(timing(name) for name in "abc")
    theirs = runs(timing(name, (0.6,), protocol=step) for name in "abc")
    fig = overlay_figure(networks(Pair(ours[0], theirs[0])), 3.0, ("inference", "training"))
    left, right = fig.axes
    assert [len(line.get_ydata()) for line in left.lines[:2]] == [3, 3]
    assert [round(y, 3) for y in right.lines[0].get_ydata()] == [3.0] * 3
    labels = [text.get_text() for text in fig.legends[0].get_texts()]
    assert labels == ["base", "inference", "training"]
    plt.close(fig)
