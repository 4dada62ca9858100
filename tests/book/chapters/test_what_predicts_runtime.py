"""Figures of "What predicts runtime": deterministic, and showing what they say."""

import re

import pytest
from pydantic import ValidationError

from repro.analysis.timing import sets, today
from repro.book.chapters import what_predicts_runtime as chapter
from repro.book.kit.figures import show, use_house_style
from repro.evidence.public import setting_of
from repro.prices.law import published


@pytest.fixture(autouse=True)
def style():
    use_house_style()


def check(make, *texts):
    first, second = (show(make(), "f", alt="a", caption="c").svg for _ in range(2))
    words = " ".join(re.findall(r"<t(?:ext|span)[^>]*>([^<]*)</t", first))
    assert first == second
    assert "$" not in first
    for text in texts:
        assert text in words, text


def test_clouds():
    nearby = [today.timings(setting_of(name)) for name in chapter.SHOWN[:2]]
    names = ("RTX 5090, eager", "RTX 5090, compiled", "flops, G", "acts, M", "RegNet", "others")
    check(lambda: chapter.cloud_figure(nearby), *names)


def test_settings():
    prices = {p.setting: p for p in published("two prices")}
    shown = [(today.timings(s), today.way(s), prices[str(s)]) for s in today.newest()]
    zoo = (sets.zoo("infer"), "eager", prices["v100/infer/zoo"])
    table = today.standing([zoo, *shown], 100)
    check(
        lambda: chapter.settings_figure(table), "V100", "RTX 5090", "Core", "training", "compiled"
    )
    free = table.assign(price_high=float("inf"))
    assert show(chapter.settings_figure(free), "f", alt="a", caption="c").svg.count("inf") == 0


def test_figure2():
    table = sets.figure2().frame
    names = ("dwr", "w", "RegNetZ-500MF", "acts, M", "params, M")
    check(lambda: chapter.figure2_figure(table, 140), *names)


def test_time_of_an_act():
    table = today.early_convolutions()
    names = ("ViT_C", "RegNetZ", "flops for each act")
    check(lambda: chapter.per_act_figure(table, (0.1, 1e-4)), *names)


def test_a_setting_that_the_table_has_not_is_refused():
    with pytest.raises(ValidationError, match="Did you mean 'rtx5090/infer/amp/nchw/2"):
        chapter.Parameters(close="rtx5090/infer/amp/nchw/2.9.1/eeger")


def test_every_kind_and_step_is_in_the_table():
    for one, other in chapter.STEPS.values():
        assert not set(today.timings(one).frame.model).isdisjoint(today.timings(other).frame.model)
    patterns = {kind: pattern for kind, (pattern, _) in chapter.KINDS.items()} | chapter.MODERN
    table = today.odd_ones(patterns, [setting_of(chapter.SHOWN[0])])
    assert (table["count"] >= 4).all(), table
