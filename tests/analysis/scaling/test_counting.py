"""Frames of the page "Counting conventions"."""

import dataclasses

import pytest

from repro.analysis.scaling import counting as conformance
from repro.arch import get
from repro.complexity import complexity
from repro.counters import Comparison, explain

PART_ROWS = 7
"""Rows of `parts` before the two sums."""


@pytest.mark.parametrize("name", ["EN-B0", "ResNet-50", "RegNetY-4.0GF", "EN-X-B0"])
def test_parts_add_up_to_the_first_papers_sum(name):
    frame = conformance.parts(name)
    c = complexity(get(name))
    sums = frame[list(conformance.COSTS)][:PART_ROWS].sum()
    assert sums.to_dict() == {"flops": c.flops, "params": c.params, "acts": c.acts}
    assert frame.iloc[-2][list(conformance.COSTS)].tolist() == [c.flops, c.params, c.acts]
    assert frame.iloc[-1].flops == c.macs
    assert frame.iloc[-1].acts == c.acts - c.classifier_acts - c.pool_acts


def test_a_part_that_costs_nothing_is_missing_rather_than_zero():
    assert conformance.parts("EN-B0").set_index("part").loc["max-pool of the stem"].isna().all()


def test_shares_add_up_to_one():
    frame = conformance.shares(["EN-B0", "ResNet-50"])
    assert frame.groupby(["network", "cost"]).share.sum().tolist() == pytest.approx([1] * 6)
    resnet = frame[(frame.network == "ResNet-50") & (frame.part == "squeeze-excite")]
    assert resnet.share.tolist() == [0, 0, 0]


def test_shares_are_drawn_to_the_right_edge():
    frame = conformance.shares(["EN-B0", "ResNet-50"])
    fig = conformance.shares_figure(frame)
    for ax in fig.axes:
        ends = [bar.get_x() + bar.get_width() for bar in ax.containers[-1]]
        assert ends == pytest.approx([100, 100])
        assert len(ax.containers) == len(conformance.PARTS)


def test_each_paper_is_met_by_its_own_convention_alone():
    frame = conformance.authors().set_index("source")
    first, second = frame.columns[1:]
    assert (frame[first] == frame.numbers).tolist() == [True, True, False]
    assert (frame[second] == frame.numbers).tolist() == [False, False, True]
    assert frame.numbers.tolist() == [2994, 108, 72]


def test_only_the_codes_reading_of_acts_explains_the_tables():
    frame = conformance.readings().set_index("counted as acts")
    tables = frame["Tables 5 to 8: 9 values"]
    assert tables.iloc[-1] == 9
    assert (tables.iloc[:-1] < 9).all()
    figure = frame["Figure 2, EN-B0: 54 values"]
    assert figure.iloc[0] < figure.iloc[1] < figure.iloc[2] == figure.iloc[3] == 54


def test_telling_rows_say_which_reading_fits():
    frame = conformance.telling_rows().set_index("row")
    code = conformance.READINGS[-1]
    assert frame[code].str.endswith("=").all()
    assert frame[conformance.READINGS[0]].str.endswith("≠").all()
    assert frame.loc["Table 8, ResNet50", conformance.READINGS[1]] == "11.114 ≠"
    assert frame.loc["Table 8, ResNet50", code] == "11.316 ="
    assert len(conformance.telling_rows(1)) == 2


def test_agreement_per_series():
    agreed = conformance.agreement(["EN-B0", "ResNet-50", "EN-X-GPU-B0"])
    assert agreed.series.tolist() == ["EN", "ResNet", "EN-X-GPU"]
    frame = conformance.by_series(agreed).set_index("series")
    assert frame.loc["all"].tolist() == [3, 3, 3, 3]


def test_a_disagreement_is_counted(monkeypatch):
    count = conformance.count

    def off_by_one(model):
        seen = count(model)
        return dataclasses.replace(seen, pool_acts=seen.pool_acts + 1)

    monkeypatch.setattr(conformance, "count", off_by_one)
    frame = conformance.by_series(conformance.agreement(["EN-B0"])).set_index("series")
    assert frame.loc["all"].tolist() == [1, 1, 1, 0]


def test_reasons_take_each_difference_apart():
    explained = {"ResNet-50": explain(get("ResNet-50"))}
    frame = conformance.reasons(explained)
    starts = [i for i, network in enumerate(frame.network) if network]
    assert frame.counter[starts].tolist() == [
        "fvcore, flops",
        "fvcore, acts",
        "torchinfo, acts",
        "PyTorch, flops",
    ]
    for start, end in zip(starts, [*starts[1:], len(frame)], strict=True):
        block = frame.units[start:end].tolist()
        assert block[0] == sum(block[1:])
        assert block[-1] == 0
        assert frame.reason[end - 1] == "left over"
    assert conformance.extremes(explained)["comparisons"] == 7
    assert conformance.extremes(explained)["equal"] == 3


def test_what_is_not_explained_is_left_over():
    off = Comparison("fvcore", "flops", 100, 110, {"batch norm": 7, "nothing": 0})
    frame = conformance.reasons({"toy": [off]})
    assert frame.reason.tolist() == ["theirs minus ours (+10.00 %)", "batch norm", "left over"]
    assert frame.units.tolist() == [10, 7, 3]
    numbers = conformance.extremes({"toy": [off]})
    assert numbers == {"comparisons": 1, "equal": 0, "left_over": 3, "largest": 0.1}


def test_side_by_side_has_gaps_where_a_counter_has_no_figure():
    frame = conformance.side_by_side(
        {
            "toy": [
                Comparison("fvcore", "flops", 100, 110, {}),
                Comparison("torch", "flops", 100, 200, {}),
                *(
                    Comparison(counter, figure, 5, 6, {})
                    for counter in ("fvcore", "torchinfo")
                    for figure in ("params", "acts")
                ),
                Comparison("torchinfo", "flops", 100, 100, {}),
            ]
        }
    )
    assert frame.PyTorch.tolist()[0] == 200
    assert frame.PyTorch.isna().tolist() == [False, True, True]
    assert frame.torchinfo.tolist() == [100, 6, 6]


def test_folds_have_every_difference_and_the_first_is_open():
    comparisons = [
        Comparison("fvcore", "flops", 1000, 1100, {"batch norm": 100, "pool": 0}),
        Comparison("fvcore", "params", 5, 5, {}),
    ]
    html = conformance.folded({"toy": comparisons, "other": comparisons})._repr_html_()
    assert html.count("<details") == 2
    assert html.count(" open>") == 1
    assert html.count("fvcore, flops +10.00 %") == 2
    assert "params" not in html
    assert '<td class="num">+100</td>' in html
    assert '<td class="repro-left-over">left over</td><td class="num">0</td>' in html


def test_plain_batch_norms_are_explained_to_the_unit():
    frame = conformance.leaf_norms().set_index("count")
    assert frame["left over"].tolist() == [0, 0, 0]
    c = complexity(get("ResNet-50"))
    assert (frame.torchinfo - frame.ours).tolist() == [c.bn_params, 0, c.conv_acts - c.pool_acts]
    assert frame.loc["params"].isna().sum() == 3


def test_what_counts_names_every_cost():
    frame = conformance.what_counts()
    assert list(frame.columns) == ["layer", *conformance.COSTS]
    assert frame.iloc[-1][list(conformance.COSTS)].isna().all()


def test_nothing_left_over_is_said_in_words():
    said = conformance.in_words({"left_over": 0})["conf_left_over_text"]
    assert said == "nothing is left over"
    assert "1,200 units" in conformance.in_words({"left_over": 1200})["conf_left_over_text"]
