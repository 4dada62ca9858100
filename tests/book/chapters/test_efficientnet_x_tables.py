"""The page "EfficientNet-X, table by table": printed beside counted, and what agrees."""

from decimal import Decimal

import pytest

from repro.analysis.accelerators import efficientnet_x as tables
from repro.book.chapters import efficientnet_x_tables as page


@pytest.fixture(scope="module")
def rows():
    return page.agreement(tables.table3()).set_index("model")


def test_every_row_of_table3_has_a_network(rows):
    assert len(rows) == 26
    for model in rows.index:
        assert (tables.zoo_name(model) is None) == (model in tables.TIMM)
    assert (rows.network.str.startswith("timm") == rows.low.isna()).all()


def test_printed_digits_decide_agreement(rows):
    off = set(rows.index[rows.params_mark == "≠"])
    assert off == {"RegNetY-4.0GF", "EfficientNet-B2", "Inception-v4", "EfficientNet-X-B4"}
    html = page.sizes(rows.reset_index(), "Flops: a multiply-add as one.").html
    assert ">10.0</td>" in html  # 10.0 M of X-B2, not 10
    for block in (page.sizes, page.speeds):
        html = block(rows.reset_index(), "Flops: a multiply-add as one.").html
        assert html.count("<tr>") == 27
        assert html.index("<details") < html.index("<table")


def test_efficiency_by_latency_is_what_the_row_reached(rows):
    r = rows.loc["EfficientNet-B0"]  # left of the ridge: bandwidth is the roof
    reached = 2 * 128 * 0.39e9 / 13.4e-3
    assert r.by_latency == pytest.approx(100 * reached / (0.922e12 * 19.7))


def test_decimals_as_printed():
    assert [page._decimals(Decimal(d)) for d in ("26", "9.10", "0.91")] == [0, 2, 2]


def test_an_intensity_agrees_between_its_bounds(rows):
    compared = rows[rows.intensity_mark != "–"]
    inside = compared.intensity.astype(float).between(compared.low, compared.high)
    assert list(compared.intensity_mark == "=") == list(inside)
    assert rows.intensity_mark["RegNetY-4.0GF"] == rows.intensity_mark["EfficientNet-X-B7"] == "≠"


def test_what_the_sources_of_lacs_say_of_b7():
    levels = page.levels()
    assert list(levels.level) == list(tables.LEVELS)
    assert levels["GPU, Table 6"].iloc[-1] == "79, 368"
    assert list(page.table5()["X-B7 by these bases"]) == ["75, 369", "79, 347"]
