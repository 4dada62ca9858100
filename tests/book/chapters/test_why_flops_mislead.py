"""The chapter "Why FLOPs mislead": each number against another way to it."""

import pandas as pd
import pytest
from made_up_timings import GPU, by_acts, records

from repro import reference
from repro.analysis.accelerators.roofs import drawn_roofs, listed_roofs
from repro.arch import get
from repro.book.chapters import why_flops_mislead as c
from repro.book.kit.figures import show, use_house_style
from repro.complexity import complexity
from repro.errors import InputError
from repro.runtime.roofline import intensity_bounds

PRINTED = {r.model: r for r in reference.x_results()}


def test_intensities_stand_beside_the_printed():
    table = c.intensities(c.SERIES["ResNet"] | {"EN-TF-B3": "EfficientNet-B3"})
    assert list(table.network) == ["ResNet-50", "ResNet-101", "ResNet-152", "EN-TF-B3"]
    assert table.printed.notna().tolist() == [True, False, False, True]
    assert table.printed[3] == float(PRINTED["EfficientNet-B3"].operational_intensity)
    assert ((table.less < table.printed) & (table.printed < table.more))[[0, 3]].all()
    assert table.counted.isna().all()


def test_every_row_that_is_named_is_printed_but_two_resnets():
    rows = {row for names in c.SERIES.values() for row in names.values()}
    assert rows - set(PRINTED) == {"ResNet-101", "ResNet-152"}


def test_counted_bytes_give_an_intensity():
    made = {"x": tuple(records("record", by_acts, GPU))}
    counted = c.counted_intensities(made)
    count = complexity(get("EN-TF-B0"))
    assert counted["EN-TF-B0"] == pytest.approx(2 * count.macs / (8 * count.acts))
    table = c.intensities({"EN-TF-B0": "EfficientNet-B0"}, counted=counted)
    assert table.counted[0] == counted["EN-TF-B0"]
    assert (table.less[0], table.more[0]) == intensity_bounds(get("EN-TF-B0"), 128)
    assert c.counted_intensities({}) == {}


@pytest.mark.parametrize("device", ["V100", "TPUv3"])
def test_the_factors_of_equation_1_multiply_to_the_printed_speedup(device):
    table = c.factors(device)
    assert list(table["rate"] / table.work * table.left) == pytest.approx(list(table.printed))
    roof = next(r for r in drawn_roofs() if r.device == device)

    def efficiency(row):
        seconds = float(getattr(row, c.LATENCY[device])) / 1e3
        work = 2 * c.IMAGES * float(row.gflops) * 1e9
        return work / seconds / roof.ideal(float(row.operational_intensity))

    x, plain = PRINTED["EfficientNet-X-B4"], PRINTED["EfficientNet-B4"]
    assert table.left[4] == pytest.approx(efficiency(x) / efficiency(plain))


def test_how_much_less_bytes_mislead_is_drawn_by_whole_families():
    models = ["A-1", "A-2", "EfficientNet-B0", "EfficientNet-X-B0"]
    table = pd.DataFrame({"model": models, "moved": [1, 2, 3, 4], "ms": [1, 2, 3, 4]})
    assert c.misled_less(table.assign(gflops=[4, 3, 2, 1]), "ms") == (100, 100)
    assert c.misled_less(table.assign(gflops=table.moved), "ms") == (0, 0)
    alike = table.assign(gflops=[2, 1, 3, 4])  # misled within A alone
    low, high = c.misled_less(alike, "ms")
    assert low == 0 < c.misled(alike.gflops, alike.ms) * 100 < high == 100


def test_misled_counts_pairs_in_the_wrong_order():
    assert c.misled([1, 2, 3], [10, 20, 30]) == 0
    assert c.misled([1, 2, 3], [30, 20, 10]) == 1
    assert c.misled([1, 2, 2], [10, 5, 20]) == 0.5  # the tie does not count
    with pytest.raises(InputError, match="no two networks"):
        c.misled([1, 1], [2, 3])


def test_bytes_mislead_less_often_than_flops():
    table = c.published()
    assert len(table) == 26
    for column in c.LATENCY.values():
        assert c.misled(table.moved, table[column]) < c.misled(table.gflops, table[column])


def test_figures_are_drawn():
    use_house_style()
    roofs = [*drawn_roofs(), *listed_roofs(["H200"])]
    kinds = c.pd.DataFrame({"channels": [8, 16], "dense": [10.0, 20.0]})
    figures = {
        "roofs": c.roofline_figure(roofs, {"ResNet": c.intensities(c.SERIES["ResNet"])}),
        "kinds": c.kinds_figure(kinds, roofs[:1]),
        "times": c.times_figure(c.published(), "V100"),
    }
    lines = {line.get_label(): line for line in figures["roofs"].axes[0].lines}
    broad = {
        name.split()[0]: line.get_linewidth() > 5 for name, line in lines.items() if "(" in name
    }
    assert broad == {"V100": True, "TPUv3": False, "Xeon": False, "H200": False}
    drawn = {name: show(fig, name, alt="x", caption="x").svg for name, fig in figures.items()}
    assert "H200 (data sheet, fp16)" in drawn["roofs"]
    assert "ridge of V100" in drawn["kinds"]
    assert drawn["times"].count("RegNetY") == 1
