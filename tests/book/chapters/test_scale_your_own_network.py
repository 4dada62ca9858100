"""Figure and tables of "Scale your own network": deterministic, and showing what they say."""

import re

import pytest
from pydantic import ValidationError

from repro.book.chapters import scale_your_own_network as chapter
from repro.book.kit.figures import show, use_house_style
from repro.search.advise import STRATEGIES
from repro.search.scale_law import ScaleLaw


@pytest.fixture(scope="module")
def frame():
    return chapter.cases()


def test_every_case_is_there_and_ties_are_named(frame):
    cases = len(chapter.NETWORKS) * len(chapter.DEVICES) * len(chapter.BUDGETS)
    assert len(frame) == cases * len(STRATEGIES)
    table = chapter.summary(frame)
    assert len(table) == cases / 2
    for row in table.to_dict("records"):
        mine = (frame.network == row["network"]) & (frame.device == row["device"])
        tied = frame[mine & (frame.budget == "8x") & frame.tied]
        low, _, high = row["their params, M"].partition(" to ")
        assert int(low) == round(tied.params.min() / 1e6) <= int(high)
        assert row["dwr, 8x"] >= 0
    assert (frame.groupby(["network", "device", "budget"]).behind.min() == 0).all()


def test_names_of_many_are_those_of_few_that_are_missing():
    assert chapter.names(list(STRATEGIES)) == "all"
    assert chapter.names([s for s in STRATEGIES if s != "r"]) == "all but r"
    assert chapter.names(["2/3", "w"]) == "w, α = 2/3"
    assert chapter.names([]) == ""


def test_the_figure_shows_ties_as_ties(frame):
    use_house_style()
    first, second = (
        show(chapter.ties_figure(frame), "f", alt="a", caption="c").svg for _ in range(2)
    )
    assert first == second and "$" not in first
    words = " ".join(re.findall(r"<t(?:ext|span)[^>]*>([^<]*)</t", first))
    for text in ("EN-B0, 2x", "RegNetY-4GF, 8x", "LACS-GPU", "α = 2/3", "params, M"):
        assert text in words


def test_costs_without_accuracy():
    table = chapter.costs("ResNet-50", "rtx4090", "2x", ("dWr", "r"))
    assert sorted(table.strategy) == ["dWr", "r"] and (table["flops, G"] > 4).all()
    assert table.set_index("strategy").loc["dWr", "points over dWr"] == "–"


def test_errors_where_the_bases_is_known():
    table = chapter.costs("EN-B0", "H100", "2x", error=22.72).set_index("strategy")
    assert set(table.tied[["w", "dWr"]]) == {"tied"} and table.tied["r"] == ""
    low, _, band = table["top-1 error, %"]["dWr"].partition(" ± ")
    assert 15 < float(low) < 22.72 and 0 < float(band) < 1
    assert table["off by, %"].isna().all()  # nobody measured how far a roofline is off


def test_where_the_law_of_errors_is_too_kind():
    at = chapter.missed("EN-B0", (10.9, 11.1)).set_index("strategy")
    assert at.trained["w"] == 18.16 and sorted(at.trained["dWr"]) == [17.61, 17.73]
    assert at.kind["w"] > at.kind["dw"] > max(at.kind["dwr"], at.kind["dWr"].max())
    says = ScaleLaw.known().error(22.72, "w", at.ratio["w"])
    assert at.trained["w"] - at.kind["w"] == pytest.approx(says)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"network": "EN-B00"}, "unknown network 'EN-B00'"),
        ({"budget": "-2x"}, "is not allowed; a positive number"),
        ({"device": "rtx409"}, "Did you mean 'rtx4090'"),
        ({"error": 0.0}, "greater than 0"),
    ],
)
def test_bad_parameters(values, message):
    with pytest.raises(ValidationError, match=re.escape(message)):
        chapter.Parameters(**values)


def test_no_error_is_told_where_nothing_was_published():
    table = chapter.costs("EN-B0", "rtx4090", "2ms", error=22.72)["top-1 error, %"]
    assert "unknown" in set(table) and any("±" in text for text in table)
