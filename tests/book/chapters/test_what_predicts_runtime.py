"""Figures of the runtime chapters: deterministic, and showing what they say."""

import re

import pytest
from made_up_timings import CPU, GPU, by_acts, by_flops, records

from repro.analysis.timing import correlates as rf
from repro.analysis.timing import practice as pf
from repro.book.chapters import what_predicts_runtime as figures
from repro.book.kit.figures import show, use_house_style

ASSUMED = {"figure2": "fp16", "zoo-train": "fp32"}


@pytest.fixture(scope="module", params=["cpu", "cpu and gpu"])
def sets(request):
    made = records("laptop", by_acts, CPU)
    if "gpu" in request.param:
        made = [*made, *records("paper-gpu", by_flops, GPU)]
    use_house_style()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rf, "stored", lambda *files: tuple(made))
        yield rf.main_sets()


def words(svg):
    return " ".join(re.findall(r"<t(?:ext|span)[^>]*>([^<]*)</t", svg))


def check(make, *texts):
    first, second = (show(make(), "f", alt="a", caption="c").svg for _ in range(2))
    assert first == second
    assert "$" not in first
    for text in texts:
        assert text in words(first), text
    return first


def test_side_by_side(sets):
    svg = check(lambda: figures.side_by_side(sets, 140), "V100, Figure 2", "V100, authors' zoo")
    assert "Made-up CPU, 2 threads: training, fp32, batch 4" in words(svg)
    assert len(re.findall(r"r \d\.\d\d, ρ \d\.\d\d", words(svg))) == 3 * len(sets)


def test_intervals(sets):
    found = rf.correlations(sets, 140, seed=0, resamples=100)
    check(lambda: figures.interval_figure(found), "EfficientNet, drawn", "Spearman")


def test_exponents(sets):
    scaled = [t for t in sets if t.scaled]
    check(lambda: figures.exponent_figure(scaled, 4), "exponent of time", "dWr")


def test_prediction(sets):
    found = rf.prediction_report(rf.rooflines(sets, ASSUMED, "none"))
    check(lambda: figures.prediction_figure(found), "roofline", "strategy unseen", "flops + acts")


def test_rooflines(sets):
    found = rf.rooflines(sets, ASSUMED, "none")
    assert len(found) == len(sets)
    check(lambda: figures.roofline_figure(found), "operations per byte")


def test_same_networks(sets):
    check(lambda: figures.same_figure(pf.same_networks(sets[2:])), "Made-up CPU", "dwr")


def test_curves(sets):
    curves = {"V100": pf.published_curves()}
    curves |= {rf.short(t): pf.recorded_curves(t) for t in sets[2:]}
    check(lambda: figures.curves_figure(curves), "V100", "Made-up CPU", "orig", "RegNetY-4GF")


def test_errors_over_time(sets):
    beside = pf.printed_beside(sets[2:])
    names = ["paper", *map(rf.short, sets[2:])]
    check(lambda: figures.error_figure(beside, names), "V100", "Made-up CPU", "ResNeXt")


def test_the_front_holds_what_nothing_beats():
    import pandas as pd

    times, errors = pd.Series([3.0, 1.0, 2.0, 4.0]), pd.Series([5.0, 9.0, 10.0, 4.0])
    assert figures._front(times, errors) == ([1, 3, 4], [9, 5, 4])


def test_memory(sets):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pf, "recorded", lambda: sets[2:])
        chosen = pf.memory_sets()
    check(lambda: figures.memory_figure(chosen), "memory per image, MB", "RegNetZ")
