"""Figures of "What predicts runtime": deterministic, and showing what they say."""

import re

import pytest
from made_up_timings import CPU, GPU, by_acts, by_flops, records

from repro.analysis.timing import correlates, predict, sets
from repro.book.chapters import what_predicts_runtime
from repro.book.kit.figures import show, use_house_style

ASSUMED = {"V100, paper's Figure 2": "fp16", "V100, authors' zoo": "fp32"}


@pytest.fixture(scope="module", params=["cpu", "cpu and gpu"])
def machines(request):
    made = records("laptop", by_acts, CPU)
    if "gpu" in request.param:
        made = [*made, *records("record", by_flops, GPU)]
    use_house_style()
    with pytest.MonkeyPatch.context() as patch:
        for module in (sets, predict):
            patch.setattr(module, "stored", lambda *files: tuple(made))
        yield sets.best_training()


def check(make, *texts):
    first, second = (show(make(), "f", alt="a", caption="c").svg for _ in range(2))
    words = " ".join(re.findall(r"<t(?:ext|span)[^>]*>([^<]*)</t", first))
    assert first == second
    assert "$" not in first
    for text in texts:
        assert text in words, text


def test_figure2():
    use_house_style()
    table = sets.figure2().frame
    names = ("dwr", "w", "RegNetZ-500MF", "acts, M", "params, M")
    check(lambda: what_predicts_runtime.figure2_figure(table, 140), *names)


def test_exponents(machines):
    table = correlates.exponents_beside([sets.figure2(), *machines])
    check(lambda: what_predicts_runtime.exponent_figure(table), "V100", "Made-up CPU", "dWr")


def test_prices_and_predictions(machines):
    every = predict.with_roofline([sets.figure2(), sets.zoo(), *machines], ASSUMED, "none")
    check(lambda: what_predicts_runtime.price_figure(every), "ResNeXt", "ms for a million acts")
    errors = predict.held_out_errors(every)
    names = ("roofline", "strategy unseen", "flops + acts", "all four")
    check(lambda: what_predicts_runtime.prediction_figure(errors), *names)
