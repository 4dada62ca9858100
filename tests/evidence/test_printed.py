"""Published rows and points, and the networks that make them."""

from dataclasses import replace

from repro import reference
from repro.arch import PAPER, get, scale
from repro.evidence.printed import Published, early_convolutions_rows, printed_rows


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
    row = next(r for r in printed_rows() if r.label == "RegNetZ-4GF→16GF")
    assert row.recipe == "RegNetZ-4GF, dWr, s = 3.88"
    other = row.network(get("EN-B0"))
    assert other.stages == scale(get("EN-B0"), PAPER["dWr"], 3.88).stages


def test_every_known_row_agrees():
    rows = printed_rows()
    assert [r.label for r in rows if r.wrong(r.network())] == []
    every = {(str(r.table), r.model) for r in reference.table_rows()}
    assert every - {(r.where[-1], r.label) for r in rows} == {("6", "RegNetZ-4GF-224")}


def test_early_convolutions_disagrees_in_two_numbers():
    wrong = {r.label: r.wrong(r.network()) for r in early_convolutions_rows()}
    off = {label: costs for label, costs in wrong.items() if costs}
    assert off == {"RegNetZ-16GF": ["flops"], "ResNet-200": ["acts"]}
    assert len(wrong) == 15
