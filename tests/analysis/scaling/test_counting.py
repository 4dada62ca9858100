"""Parts, conventions, and sums of reasons."""

import dataclasses

import pytest

from repro.analysis.scaling import counting
from repro.analysis.scaling.rounding import COSTS
from repro.arch import get
from repro.complexity import complexity
from repro.counters import Comparison, explain

PART_ROWS = 7
"""Rows of `parts` before the two sums."""


@pytest.mark.parametrize("name", ["EN-B0", "ResNet-50", "RegNetY-4.0GF", "EN-X-B0"])
def test_parts_add_up_to_the_first_papers_sum(name):
    frame = counting.parts(name)
    c = complexity(get(name))
    sums = frame[list(COSTS)][:PART_ROWS].sum()
    assert sums.to_dict() == {"flops": c.flops, "params": c.params, "acts": c.acts}
    assert frame.iloc[-2][list(COSTS)].tolist() == [c.flops, c.params, c.acts]
    assert frame.iloc[-1].flops == c.macs
    assert frame.iloc[-1].acts == c.acts - c.classifier_acts - c.pool_acts


def test_a_part_that_costs_nothing_is_missing_rather_than_zero():
    assert counting.parts("EN-B0").set_index("part").loc["max-pool of the stem"].isna().all()


def test_each_paper_is_met_by_its_own_convention_alone():
    frame = counting.authors().set_index("source")
    first, second = frame.columns[1:]
    assert (frame[first] == frame.numbers).tolist() == [True, True, False]
    assert (frame[second] == frame.numbers).tolist() == [False, False, True]
    assert frame.numbers.tolist() == [2994, 108, 72]


def test_only_the_codes_reading_of_acts_explains_the_tables():
    frame = counting.readings().set_index("counted as acts")
    tables = frame["Tables 5 to 8: 9 values"]
    assert tables.iloc[-1] == 9
    assert (tables.iloc[:-1] < 9).all()
    figure = frame["Figure 2, EN-B0: 54 values"]
    assert figure.iloc[0] < figure.iloc[1] < figure.iloc[2] == figure.iloc[3] == 54


def test_a_disagreement_is_noticed(monkeypatch):
    assert counting.disagreeing(["EN-B0", "ResNet-50", "EN-X-GPU-B0"]) == []
    count = counting.count

    def off_by_one(model):
        seen = count(model)
        return dataclasses.replace(seen, pool_acts=seen.pool_acts + 1)

    monkeypatch.setattr(counting, "count", off_by_one)
    assert counting.disagreeing(["EN-B0"]) == ["EN-B0"]


def additions(frame):
    """Each addition of `sums`, as its title and its lines."""
    starts = [i for i, counter in enumerate(frame.counter) if counter]
    for start, end in zip(starts, [*starts[1:], len(frame)], strict=True):
        yield frame.counter[start], frame[start:end]


def test_reasons_add_up_to_the_other_count():
    frame = counting.sums(explain(get("ResNet-50")))
    found = dict(additions(frame))
    assert list(found) == ["fvcore, flops", "fvcore, acts", "torchinfo, acts", "PyTorch, flops"]
    for lines in found.values():
        assert lines.reason.iloc[0] == "our count" and lines.reason.iloc[-1] == "its count"
        assert "left over" not in set(lines.reason)
        assert lines.units.iloc[:-1].sum() == lines.units.iloc[-1]


def test_what_is_not_explained_is_left_over():
    off = Comparison("fvcore", "flops", 100, 110, {"batch norm": 7, "nothing": 0})
    frame = counting.sums([off])
    assert frame.reason.tolist() == ["our count", "batch norm", "left over", "its count"]
    assert frame.units.tolist() == [100, 7, 3, 110]


def test_plain_batch_norms_are_explained_to_the_unit():
    flops, params, acts = counting.leaf_norms()
    assert [c.residual for c in (flops, params, acts)] == [0, 0, 0]
    c = complexity(get("ResNet-50"))
    assert flops.theirs - flops.ours == c.bn_params and params.theirs == params.ours
    assert acts.theirs - acts.ours == c.conv_acts - c.pool_acts
