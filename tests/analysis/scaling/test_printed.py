"""Drawn points beside our counts, and the scale factors behind the printed networks."""

from dataclasses import replace

import pytest

from repro.analysis.scaling import printed as published
from repro.arch import get


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
    assert by.low["RegNetZ-500MF", 8.1] == pytest.approx(8.023, abs=5e-4)
    assert not by.fits["RegNetZ-500MF", 8.1]
    assert by.fits["RegNetY-4GF", 4]
    # several heads of EN-B0 have nearly the same flops; a RegNet's is not scaled
    assert by.fit["EN-B0", 1.9] > 1
    assert (frame.fit[frame.base != "EN-B0"] == 1).all()
