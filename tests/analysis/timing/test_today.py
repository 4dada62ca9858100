"""The public table as sets of timings, and what two prices make of it; checked on small tables."""

import pytest

from repro.analysis.timing import correlates, sets, today
from repro.analysis.timing.sets import FEWEST
from repro.evidence.public import setting_of, settings
from repro.prices import sources
from repro.prices.counts import Counts
from repro.prices.law import published

EAGER, COMPILED, TRAINING = (
    setting_of(name)
    for name in (
        "rtx5090/infer/amp/nchw/2.9.1/eager",
        "rtx5090/infer/amp/nchw/2.9.1/inductor",
        "rtx3090/train/amp/nchw/1.12/eager",
    )
)


def test_ways_in_words():
    assert [today.way(s) for s in (EAGER, COMPILED, TRAINING)] == ["eager", "compiled", "training"]
    assert today.way(EAGER._replace(layout="nhwc")) == "eager, NHWC"


def test_every_way_is_shown_once_and_with_the_newest_torch():
    shown = today.newest()
    keys = [(s.device, today.way(s)) for s in shown]
    assert len(set(keys)) == len(keys)
    assert set(keys) == {(s.device, today.way(s)) for s in settings()}
    assert setting_of("rtx3090/infer/amp/nchw/2.4.0/eager") in shown  # not 1.13: no text order


def test_a_setting_as_a_set():
    timings = today.timings(EAGER)
    assert timings.title == "RTX 5090, eager" and timings.machine == "RTX 5090"
    row = timings.frame.set_index("model").loc["resnet50 224"]
    assert row.flops == pytest.approx(4.1, abs=0.1) and row.acts == pytest.approx(11.1, abs=0.1)
    assert row.family == "resnet" and row.params == pytest.approx(25.6, abs=0.1)
    assert 0.1 < row.ms < 0.5


def made_up(act, flop, families=6, each=5):
    """Networks of a device with these prices, in seconds."""
    rows = []
    for i in range(families):
        for j in range(1, each + 1):
            counts = Counts(1e9 * j * (1 + i), 1e6 * j * (7 - i), 0, 0, "dense")
            seconds = act * counts.acts + flop * counts.flops
            rows.append(sources.Timed(f"n{i}{j} 224", f"f{i}", f"f{i}", counts, seconds))
    return tuple(rows)


@pytest.fixture
def two_devices(monkeypatch):
    """The 5090 with prices of 1 ns an act and 2 ps a flop; compiled, 0.5 ns and 2 ps."""
    table = {str(EAGER): made_up(1e-9, 2e-12), str(COMPILED): made_up(5e-10, 2e-12)}
    monkeypatch.setattr(today, "_public", lambda: table)
    sizes = [
        type("Row", (), {"model": t.name[:3], "resolution": 224, "mparams": 1.0})
        for t in table[str(EAGER)]
    ]
    monkeypatch.setattr(today, "public_timings", lambda: sizes)


def test_changes_of_prices_are_found(two_devices):
    found = today.changes(EAGER, COMPILED)
    assert found["act"].factor == pytest.approx(0.5, rel=1e-3)
    assert found["flop"].factor == pytest.approx(1, rel=1e-3)
    assert found["price"].low == pytest.approx(0.5, rel=1e-2)
    assert 0.5 < found["time"].factor < 1
    assert str(found["act"]) == "0.50\N{NO-BREAK SPACE}(0.50–0.50)"


def test_what_a_network_takes_over_what_its_prices_say():
    ratio = today.taken(EAGER)
    assert len(ratio) == len(today.timings(EAGER).frame)
    assert 0.8 < ratio.median() < 1.2
    table = today.odd_ones({"dense": "^densenet", "none": "^no such"}, [EAGER, COMPILED])
    assert list(table.columns) == ["networks", "count", "RTX 5090, eager", "RTX 5090, compiled"]
    assert table.loc[0, "count"] > 3 and table.loc[0, "RTX 5090, eager"] > 1.3
    assert table.loc[1, "count"] == 0 and table.loc[1].isna().sum() == 2


def test_the_standing_of_acts():
    figure2 = sets.figure2()
    known = next(p for p in published("two prices") if p.setting == "v100/train/figure 2")
    table = today.standing([(figure2, "training", known), (figure2, "training", None)], 100)
    given, fitted = table.to_dict("records")
    assert given["lead"] == fitted["lead"] > 0
    assert fitted["price"] == pytest.approx(given["price"], rel=0.01)
    assert fitted["price_low"] < fitted["price"] < fitted["price_high"]
    assert given["device"] == "V100" and given["error"] > 0


def test_x_is_compared_on_images_of_one_size():
    table = today.x_speedups()
    assert table.timings[0] == "V100" and len(table) > 4
    assert (table.B3[1:] < table.B3[0]).all() and table["B3, by prices"].isna().sum() == 1
    for x, plain in today.X_PAIRS.values():
        assert x.split()[1] == plain.split()[1]


def test_the_later_paper_in_the_same_units():
    table = today.early_convolutions().set_index("model")
    row = table.loc["ResNet-50"]
    assert row.ms == pytest.approx(3.4 * 8 * 60e3 / sets.IMAGENET_IMAGES)
    assert (row.family, row.acts) == ("ResNet", 11.3)
    assert set(table.family) == {"EffNet", "ResNet", "RegNetY", "RegNetZ", "ViT_P", "ViT_C"}
    assert len(table) > FEWEST and correlates.correlation(table.acts, table.ms) > 0.9
