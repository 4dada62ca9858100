"""The chapter "A search space for accelerators": each number against another way to it."""

import pytest

from repro import reference
from repro.analysis.accelerators.blocks import fused_gains
from repro.analysis.accelerators.roofs import records as all_records
from repro.arch import get
from repro.book.chapters import accelerator_search_space as c
from repro.book.kit.figures import show, use_house_style
from repro.complexity import complexity


@pytest.mark.parametrize(
    ("name", "labels", "channels", "sizes"),
    [
        ("MBConv-c24@56", ["1×1 conv", "3×3 depthwise", "1×1 conv"], [144, 144, 24], [56] * 3),
        ("FusedMBConv-c24-s2@56", ["3×3 dense", "1×1 conv"], [144, 24], [28, 28]),
        ("MBConv-c8-e1-se0.5@7", ["3×3 depthwise\n+ SE 4", "1×1 conv"], [8, 8], [7, 7]),
        (
            "EN-X-B0",
            ["2×2 conv\nstride 2", "2×2 depthwise\n+ SE 32", "1×1 conv"],
            [128, 128, 64],
            [56] * 3,
        ),
    ],
)
def test_the_convs_of_a_block_are_read_from_its_description(name, labels, channels, sizes):
    convs = list(c.convs(*c.first_block(name)))
    assert [conv.label for conv in convs] == labels
    assert [conv.channels for conv in convs] == channels
    assert [conv.size for conv in convs] == sizes


def test_a_drawings_flops_are_the_blocks():
    for name in ("MBConv-c24@56", "FusedMBConv-c48-k5@28"):
        convs = c.convs(*c.first_block(name))
        assert sum(conv.flops for conv in convs) == complexity(get(name)).macs


def test_choices_change_what_they_should():
    table = c.choices_table(all_records(), ["V100"]).set_index("choice")
    swish = table.loc["swish for ReLU, MBConv"]
    assert swish.flops == swish.bytes == swish["time, V100"] == 1
    cut = table.loc["space-to-batch, 2 × 2 parts"]
    assert cut.flops == 1 and cut.bytes > 1
    folded = table.loc["space-to-depth"]
    assert folded.flops > 1.5 and folded.bytes < 1
    assert table.filter(like="AMD EPYC").notna().all(axis=None)
    assert list(c.choices_table({}, ["V100"]).columns)[-1] == "time, V100"


def test_the_hidden_step_of_table_4_is_squeeze_excite():
    table = c.table4("V100").set_index("row")
    printed = {r.model: float(r.mparams) for r in reference.x_ablation()}
    ours = table["params, ours"]
    assert round(ours[c.HIDDEN_STEP], 1) != printed["+ space-to-depth"]
    assert round(ours["+ space-to-depth"], 1) == printed["+ space-to-depth"]
    before, after = (complexity(get(c.STEPS[k])) for k in (c.HIDDEN_STEP, "+ space-to-depth"))
    assert after.params - before.params == after.se_params - before.se_params
    assert table["params, paper"].isna().sum() == table["V100 ms"].isna().sum() == 1


def test_the_activation_moves_no_byte():
    least = c.table4("H200").set_index("row")["least ms, H200"]
    assert least["+ activation"] == least["+ fused conv"]


def test_figures_are_drawn():
    use_house_style()
    widths = c.pd.DataFrame({"channels": [16, 64], "V100": [1.7, 0.8]})
    figures = {
        "blocks": c.blocks_figure({"A block": "MBConv-c24@56"}, "V100"),
        "widths": c.widths_figure(widths),
        "gains": c.gains_figure(fused_gains(all_records())),
        "no gains": c.gains_figure(fused_gains({})),
    }
    drawn = {name: show(fig, name, alt="x", caption="x").svg for name, fig in figures.items()}
    assert "A block" in drawn["blocks"] and "144 ch." in drawn["blocks"]
    assert "V100" in drawn["widths"]
    assert "112 × 112" in drawn["gains"]
