"""Page "Recovered networks": what the search left, and which labels name two networks."""

from repro.analysis.scaling import recovery
from repro.analysis.scaling.recovery import Search, head_scan, heads_that_fit
from repro.arch import get
from repro.book.chapters import recovered_networks as page
from repro.book.kit.chapter import setup
from repro.book.kit.figures import show

Y500, Y4 = get("RegNetY-500MF"), get("RegNetY-4GF")


def test_a_search_step_by_step():
    result = Search("RegNetY-500MF", 2_000_000_000, ((Y500, Y4), (Y500,), (Y500,)))
    frame = page.funnel([result])
    assert list(frame.left) == [2_000_000_000, 2, 1, 1]
    assert frame.step[1] == "prints as 0.5 / 5.6 / 4.2 (Table 6, RegNetY-500MF)"
    assert page.definitions({"RegNetY-500MF": result}).alone.tolist() == ["yes"]
    assert page.definitions({"RegNetY-4GF": result}).alone.tolist() == ["no"]


def test_neighbours_by_kind_of_change():
    frame = recovery.broken("RegNetY-4GF")
    summary = page.broken_summary({"RegNetY-4GF": frame}).set_index("change")
    assert list(summary.index) == ["none", "depth", "width", "group width", "resolution"]
    assert summary.networks.sum() == len(frame)
    assert summary.printed["none"] == f"0 of {frame.attrs['printed']}"
    deeper = frame[frame.change == "depth"].printed
    assert summary.printed["depth"].startswith(str(deeper.min()))


def test_head_bars_span_the_widths_that_fit():
    setup()
    scan = head_scan()
    fig = page.head_figure(scan)
    fit, last = heads_that_fit(scan), fig.axes[0].patches[-1]
    assert last.get_x() == min(fit) - 0.5
    assert last.get_x() + last.get_width() == max(fit) + 0.5
    assert "<svg" in show(fig, "test", alt="alt", caption="caption")._repr_html_()


def test_labels_name_two_different_networks_each():
    frame = page.same_label()
    assert [bool(label) for label in frame.label] == [True, False] * (len(frame) // 2)
    assert (frame.flops[::2].values != frame.flops[1::2].values).all()


def test_one_curve_was_drawn_with_group_width_left_alone():
    frame = page.group_width_readings()
    off = frame[frame["off if g follows w"] > 0]
    assert off[["figure", "base", "strategy"]].values.tolist() == [
        ["Figure 2", "RegNetY-500MF", "dw"]
    ]
    assert (off["off if g stays"] == 0).all()
    assert len(frame) == 18
