"""The chapter "Width first or depth first?": figures and tables."""

import pandas as pd
import pytest

from repro import reference
from repro.analysis.scaling import width_or_depth as frames
from repro.arch import get
from repro.arch.strategy import paper_strategy
from repro.book.chapters import width_first_or_depth_first as chapter
from repro.book.kit.figures import show, use_house_style
from repro.search.latency import budget, priced
from repro.search.scaling import of_b0

FEW = {"draws": 2}


def drawn(fig):
    return show(fig, "name", alt="x", caption="x").svg


@pytest.fixture(autouse=True)
def style():
    use_house_style()


def test_corners_of_the_triangle():
    x, y = chapter._corner([1, 0, 0], [0, 1, 0], [0, 0, 1])
    assert list(x) == [0, 0.5, 1] and list(y) == pytest.approx([0, 0.75**0.5, 0])


def test_every_rule_is_named_in_the_triangle():
    rules = frames.rule_shares()
    fig = chapter.rules_figure(rules)
    (ax,) = fig.axes
    named = set(rules.rule[rules.source != "builder"])
    assert {t.get_text().replace("α = ", "") for t in ax.texts} >= named
    rings = [line for line in ax.lines if line.get_markerfacecolor() == "none"]
    assert [len(line.get_xdata()) for line in rings] == [7, 7, 7]
    assert drawn(fig).count("<path") > 20


def test_what_no_surface_knows_is_not_shaded():
    some = {"dWr": paper_strategy("dWr")}
    field = frames.field(budget("acts"), "B2", step=0.1)
    assert "<path" in drawn(chapter.flat_figure(field, 0.1, some))


def test_printed_errors_stand_beside_predicted_ones():
    found = frames.judged()
    table = chapter.judged_table(found).set_index("level")
    assert list(table.index) == [f"B{i}" for i in range(1, 8)]
    printed = next(r for r in reference.x_results() if r.model == "EfficientNet-X-B3")
    assert table.printed["B3"] == pytest.approx(100 - float(printed.top1_percent))
    known = found.set_index(["family", "level"]).inside
    for family, column in (("EN-X", "own"), ("EN-X-GPU", "LACS-GPU"), ("EN-X-TPU", "LACS-TPU")):
        for level, text in table[column].items():
            assert text.endswith("*") != known[family, level]
    assert table["faster, printed"]["B7"] == pytest.approx(1.73 / 1.25, abs=0.02)


def test_each_rule_of_each_surface_has_a_mark():
    lost = frames.regrets("none", chapter.DRAWN, charges={"acts": budget("acts")}, **FEW)
    fig = chapter.regrets_figure(lost, {"acts": "by acts"})
    assert [ax.get_title(loc="left") for ax in fig.axes] == [
        f"by acts, {level}" for level in frames.LEVELS
    ]
    for ax in fig.axes:
        marks = [line for line in ax.lines if line.get_linestyle() == "None"]
        assert sum(len(line.get_xdata()) for line in marks) == 3 * len(chapter.DRAWN)


def test_a_duel_reads_as_difference_and_interval():
    row = {"level": "B2", "phi": 0.3, "surface": "norm", "gap": 0.204, "low": -0.004, "high": 0.3}
    table = chapter.duel_table([("mine", pd.DataFrame([row]))])
    assert table.to_dict("records") == [
        {"charged for": "mine", "level": "B2", "φ": 0.3, "norm": "+0.20 (+0.00 to +0.30)"}
    ]


def test_the_figures_of_what_decides():
    law = frames.duel({f"{x}": priced("", x, 1.0) for x in (1e-3, 1e-1)}, **FEW)
    device = chapter.MACHINES["CPUs"][0]
    ticks = law[law.cost == "0.1"].assign(cost=device)
    fig = chapter.duel_figure(law, law, ticks)
    assert [len(ax.get_yticks()) for ax in fig.axes[3:]] == [4, 4, 4]
    phis = [x for line in fig.axes[5].lines for x in line.get_xdata()]
    assert phis == ticks.phi[ticks.level == "B4"].tolist()
    phases = frames.phase("B2", (1e-3, 1e-1), draws=2, step=0.1)
    fig = chapter.shares_figure(phases, {"dWr": paper_strategy("dWr")})
    heights = [[line.get_ydata()[0] for line in ax.lines if line.get_marker() == "P"]
               for ax in fig.axes]  # fmt: skip
    assert [h for (h,) in heights] == pytest.approx([0.8, 0.1, 0.1])


def test_lacs_printed_and_found_again():
    cost = budget("flops")
    table = chapter.lacs_table(of_b0(get("EN-B0"), "none"), cost, {"B2": cost(get("EN-B2"))})
    assert table.LACS.tolist()[3:] == ["ours, at X-B2"] * 3
    bases = reference.x_bases()
    gpu = next(b for b in bases if b.scaling == "LACS GPU")
    assert table.loc[0, ["depth", "width", "resolution"]].tolist() == [
        float(x) for x in (gpu.depth, gpu.width, gpu.resolution)
    ]
    ours = table[3:]
    assert (ours.depth * ours.width**2 * ours.resolution**2).tolist() == pytest.approx([2] * 3)
    assert ours[["d", "w", "r"]].sum(axis=1).tolist() == pytest.approx([1] * 3)


def test_regrets_of_all_surfaces_are_one_cell():
    lost = pd.DataFrame(
        {
            "rule": ["w", "w", "dWr", "dWr"],
            "cost": ["acts"] * 4,
            "low": [-0.04, 0.1, 0.0, 0.2],
            "high": [0.3, 0.26, 0.1, 0.21],
            "inside": [True, False, True, True],
        }
    )
    table = chapter.regret_table(lost)
    assert table.to_dict("list") == {"rule": ["w", "dWr"], "acts": ["0.0 to 0.3*", "0.0 to 0.2"]}
