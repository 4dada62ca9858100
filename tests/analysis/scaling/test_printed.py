"""Published rows and points beside our counts, and the scale factors behind them."""

from dataclasses import replace

import pytest

from repro import reference
from repro.analysis.scaling import printed as published
from repro.analysis.scaling.printed import Published
from repro.arch import PAPER, get, scale
from repro.errors import InputError


def test_a_row_is_judged_by_its_printed_digit():
    net = get("EN-B0")  # 0.3858 GF, 5.2885 M params, 6.748 M acts
    row = Published("Table 5", "B0", "EN-B0", None, None, {"flops": 0.4, "params": 5.3})
    assert row.network() == net and row.wrong(net) == []
    assert replace(row, values={"flops": 0.3, "acts": 6.7}).wrong(net) == ["flops"]
    assert row.wrong(get("EN-B1")) == ["flops", "params"]


def test_a_point_is_judged_by_how_well_it_could_be_read():
    point = Published("Figure 4", "d", "EN-B0", PAPER["d"], 1, {"flops": 0.387}, drawn=True)
    assert point.wrong(get("EN-B0")) == []
    assert replace(point, values={"flops": 0.389}).wrong(get("EN-B0")) == ["flops"]


def test_a_recipe_scales_another_base_too():
    row = next(r for r in published.printed_rows() if r.label == "RegNetZ-4GF→16GF")
    assert row.recipe == "RegNetZ-4GF, dWr, s = 3.88"
    other = row.network(get("EN-B0"))
    assert other.stages == scale(get("EN-B0"), PAPER["dWr"], 3.88).stages


def test_every_printed_row_but_one_agrees():
    rows = published.printed_rows()
    assert {(r.where[-1], r.label) for r in rows} == {
        (str(r.table), r.model) for r in reference.table_rows() if r.model != published.UNKNOWN
    }
    assert [r.label for r in rows if r.wrong(r.network())] == []
    frames = [published.table_frame(n) for n in (5, 6, 7, 8)]
    assert published.tally(frames) == (30, 31)


def test_the_unknown_row_is_shown_to_differ():
    page = published.comparison(published.table_frame(6), "Table 6")._repr_html_()
    assert page.count("repro-off") == 3
    assert "20.8 ≠ 18.58" in page and "5.6 = 5.58" in page


def test_early_convolutions_disagrees_in_one_number():
    wrong = {r.label: r.wrong(r.network()) for r in published.early_convolutions_rows()}
    assert {label for label in wrong if wrong[label]} == {"RegNetZ-16GF"}
    assert wrong["RegNetZ-16GF"] == ["flops"]
    assert len(wrong) == 8


def test_every_drawn_value_agrees():
    frame = published.drawn_frame()
    assert (frame.off == 0).all()
    # Figure 2: EN-B0 flops, params and 54 acts, the RegNets' acts; the others: flops
    figure2 = 64 + 64 + 54 + 64 + 59
    assert frame.points.sum() == figure2 + 103 + 6 + 24


def test_a_wrong_network_is_noticed_in_the_drawings():
    net = get("RegNetY-500MF")
    wider = replace(net, stages=(*net.stages[:3], replace(net.stages[3], width=696)))
    points = [p for p in published.evidence("RegNetY-500MF") if p.drawn]
    assert sum(bool(p.wrong(p.network(wider))) for p in points) > len(points) / 2


def test_evidence_has_no_repetitions():
    items = published.evidence("RegNetY-4GF")
    assert [i.drawn for i in items] == [False] * 3 + [True] * 3
    assert [i.s for i in items] == [None, 4, 8, 1, 2, 4]


def test_scale_intervals_give_the_published_network():
    frame = published.scale_intervals()
    assert ((frame.low <= frame.s) & (frame.s <= frame.high)).all()
    assert ((frame["from"] <= frame.low) & (frame.high <= frame["to"])).all()
    by = frame.set_index(["base", "s"])
    assert not by.inside["RegNetZ-500MF", 8.1]
    assert by.inside["RegNetY-4GF", 4]
    # several heads of EN-B0 have nearly the same flops; a RegNet's is not scaled
    assert by.networks["EN-B0", 1.9] > 1
    assert (frame.networks[frame.base != "EN-B0"] == 1).all()
    shown = published.interval_table(frame)
    assert len(shown) == len(frame) and set(shown.fits) == {"yes", "no"}
    assert "8.023–8.270" in set(shown["same network for"])


def test_same_label_lists_pairs_of_different_networks():
    frame = published.same_label()
    for _, pair in frame.groupby("label", sort=False):
        assert len(pair) == 2 and pair.flops.nunique() == 2


def test_one_curve_was_drawn_with_group_width_left_alone():
    frame = published.group_width_readings()
    off = frame[frame["off if g follows w"] > 0]
    assert off[["figure", "base", "strategy"]].values.tolist() == [
        ["Figure 2", "RegNetY-500MF", "dw"]
    ]
    assert (off["off if g stays"] == 0).all()
    assert published.off_if_g_follows("RegNetY-500MF", "dw") == [72, 80, 88, 96]
    assert published.off_if_g_follows("RegNetZ-500MF", "dw") == []
    assert published.largest_difference("RegNetY-500MF", "dw")[0] > 1
    assert published.largest_difference("EN-B0", "dw")[0] == 0  # depthwise


def test_ledger_value():
    assert published.ledger_value("figure2-regnety-base-acts") == 4.161
    with pytest.raises(InputError, match="no single value for claim 'table5-b0'"):
        published.ledger_value("table5-b0")
