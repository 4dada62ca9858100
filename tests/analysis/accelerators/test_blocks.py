"""Behind the chapter "A search space for accelerators": each number against another way to it."""

import pandas as pd
import pytest
from made_up_timings import GPU, by_acts, records

from repro import reference
from repro.analysis.accelerators import blocks as b
from repro.arch import get
from repro.book.chapters.why_flops_mislead import gains_figure, widths_figure
from repro.book.kit.figures import show, use_house_style
from repro.complexity import complexity
from repro.runtime.blocks import break_even, cost, fused_gain
from repro.runtime.roofline import device_peaks, roofline

WIDTHS = (16, 24, 32, 48, 64, 96, 128, 192)
MAPS = (112, 56, 28, 14, 7)


def test_widths_agree_with_the_search_module_and_with_algebra():
    table = b.widths([16, 48, 128], ["V100"], size=56).set_index("channels")
    assert table["V100"][48] == fused_gain(48, "V100", size=56)
    for c in (16, 48, 128):
        assert table["flops, fused over MBConv"][c] == pytest.approx(5 * c / (c + 4.5))
    assert (table["intensity, fused"] > table["intensity, MBConv"]).all()


def test_the_lines_cross_one_at_the_break_even():
    even = break_even("H200")
    table = b.widths([even, even + 8], ["H200"], size=56)
    assert table["H200"][0] >= 1 > table["H200"][1]


def test_conditions_move_the_break_even_as_the_chapter_says():
    found = b.break_evens(["V100", "H200"]).set_index("condition")
    base = found.iloc[0].astype(int)
    assert list(base) == [48, 72]
    for device in ("V100", "H200"):
        moved = found[device].drop(found.index[0]).astype(int)
        by = {title: moved[title] - base[device] for title in moved.index}
        assert by["5×5 kernel"] < 0 and by["one image, maps of 7 × 7"] < 0
        assert by["with squeeze-excite, ratio 0.25"] > 0
        assert by["no fusion: norm and activation are passes"] > 0


def test_a_break_even_that_is_nowhere_says_so():
    assert b._channels(None) == "none"


def test_fusing_one_stage_changes_the_networks_time_by_that_stage_alone():
    table = b.stage_choices("EN-X-B0", ["V100"], batch=128).set_index("stage")
    net, peaks = get("EN-X-B0"), device_peaks("V100")

    def seconds(n):
        return roofline(n, peaks, 128, "fp16").ideal_s

    without = seconds(b._with(net, 1, fused=False))
    saved = without - seconds(net)  # stage 4 is fused in X
    alone = seconds(b._first(net, 2)) - seconds(b._first(net, 1))
    assert saved > 0
    assert table["V100"][4] == pytest.approx((alone + saved) / alone)
    assert list(table["X fuses"]) == ["no", "yes", "yes", "no", "no", "no", "no"]


def test_space_to_batch_moves_more_for_the_same_work():
    table = b.pieces(b.one_choice("MBConv-c32", 28, {"as": "", "cut": "-b2"}), ["V100"])
    plain, cut = table.iloc[0], table.iloc[1]
    assert plain["M flops"] == cut["M flops"] and plain["k params"] == cut["k params"]
    # in and out, read and written once more each: 4 maps of 32 x 28 x 28 at two bytes
    assert cut["MB moved"] - plain["MB moved"] == pytest.approx(4 * 32 * 28**2 * 2 / 1e6)


def test_space_to_depth_moves_less_for_more_work():
    table = b.pieces(b.reshaped(2), ["V100"]).set_index("piece")
    before, after = table.loc["EfficientNet-B0"], table.loc["space-to-depth"]
    assert after["M flops"] > before["M flops"] and after["MB moved"] < before["MB moved"]


def test_the_hidden_step_of_table_4_is_squeeze_excite():
    table = b.table4(["V100"]).set_index("row")
    printed = {r.model: float(r.mparams) for r in reference.x_ablation()}
    ours = table["params, ours"]
    assert round(ours[b.HIDDEN_STEP], 1) != printed["+ space-to-depth"]
    assert round(ours["+ space-to-depth"], 1) == printed["+ space-to-depth"]
    before, after = (complexity(get(b.STEPS[k])) for k in (b.HIDDEN_STEP, "+ space-to-depth"))
    assert after.params - before.params == after.se_params - before.se_params
    assert table["params, paper"].isna().sum() == 1


def test_the_activation_moves_no_byte():
    gains = b.step_gains(["V100", "H200"]).set_index("step").loc["+ activation"]
    assert gains["V100, ideal"] == gains["H200, nothing fused"] == 1
    assert gains["V100, printed"] == pytest.approx(30.5 / 22.5)


def test_the_ratio_of_undisturbed_samples_ignores_what_disturbs():
    slow, fast = [2.0] * 20 + [90.0] * 20, [1.0] * 30 + [50.0] * 10
    ratio, low, high = b.undisturbed(slow, fast)
    assert ratio == low == high == 2
    assert b.undisturbed(slow, fast) == (ratio, low, high)
    _, low, high = b.undisturbed([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6])
    assert low < 1 < high


def test_recorded_pairs_stand_beside_flops():
    found = b.block_records()
    table = b.fused_gains(found)
    assert len(table) == len(WIDTHS) * len(MAPS) and (table["by flops"] < 0.3).all()
    assert table["by roofline"].notna().all()
    assert ((table.low <= table.measured) & (table.measured <= table.high)).all()
    seen = (table.low > 1) | (table.high < 1)
    assert list(table.seen == "yes") == list(seen)
    assert "85 blocks" in b.status(found)
    others = b.single_choices(found)
    assert not others.comparison.duplicated().any()
    stages = "space-to-depth, first two stages"
    assert {stages, "SE ratio 0.25, not 1, 28 × 28"} <= set(others.comparison)


def test_the_machines_roofline_is_that_of_as_many_threads():
    found = b.block_records()
    peaks = b._peaks(found)
    assert {"AMD EPYC, 1 thread", "AMD EPYC, 2 threads"} <= set(peaks)
    one, two = (peaks[f"AMD EPYC, {n}"].operations["fp32"] for n in ("1 thread", "2 threads"))
    assert one < two
    table = b.fused_gains(found).set_index(["map", "channels"])
    ideal = [
        cost(f"{kind}-c48@28", peaks["AMD EPYC, 1 thread"], 1, "fp32", "none").ideal_s
        for kind in ("MBConv", "FusedMBConv")
    ]
    assert table["by roofline"][28, 48] == pytest.approx(ideal[0] / ideal[1])


def test_shapes_are_sorted_by_what_the_intervals_say():
    usual = {"machine": "M", "map": 56, "channels": [16, 24, 32, 48, 64]}
    table = pd.DataFrame(
        {
            **usual,
            "by roofline": [1.2, 1.1, 1.01, 0.9, 0.8],
            "low": [0.5, 1.1, 0.9, 0.5, 0.4],
            "high": [0.9, 1.2, 1.1, 0.6, 0.5],
        }
    )
    assert list(b.by_map(table).iloc[0]) == ["M", "56 × 56", "16 to 32", "24", "32", "16, 48, 64"]
    without = b.by_map(table.assign(**{"by roofline": None}))
    assert without["by roofline: faster"][0] == "not known"
    assert b.by_map(table[:0]).empty
    assert b._listed(pd.Series([False, False], index=[16, 24])) == "none"


def test_a_gpus_blocks_stand_beside_its_own_roofline():
    made = records("efficientnet-x", by_acts, GPU, peak=1e14)
    found = {"efficientnet-x-gpu": tuple(made)}
    table = b.fused_gains(found)
    eager, compiled = (f"Made-up H200, fp16, batch 128{how}" for how in ("", ", compiled"))
    assert set(table.machine) == {eager, compiled}
    row = table[(table["map"] == 56) & (table.channels == 32)].set_index("machine")
    # acts: 6c, 6c and c of an MBConv; 6c and c of the fused one
    assert row.measured[eager] == pytest.approx(13 / 7)
    ideal = {
        how: fused_gain(32, b._peaks(found)["Made-up H200"], size=56, fusion=fusion)
        for how, fusion in ((eager, "none"), (compiled, "conv"))
    }
    assert dict(row["by roofline"]) == pytest.approx(ideal)
    assert "blocks" in b.status(found) and "No blocks" not in b.status(found)
    steps = b.measured_steps(found)
    assert set(steps.step) == set(list(b.STEPS)[1:])
    assert len(gains_figure(table).axes) == 4


def test_without_records_nothing_is_claimed():
    for table in (b.fused_gains({}), b.single_choices({})):
        assert table.empty and b.machines(table) == "no machine yet"
    assert "No blocks are recorded on a GPU yet" in b.status({})


def test_one_machine_is_named_in_the_caption_alone():
    table = b.single_choices(b.block_records())
    assert ("machine" in b.for_page(table)) == (table.machine.nunique() > 1)


def test_figures_are_drawn():
    use_house_style()
    found = b.block_records()
    made = {
        "widths": widths_figure(b.widths([16, 64], ["V100"], size=56), ["V100"]),
        "gains": gains_figure(b.fused_gains(found)),
        "no gains": gains_figure(b.fused_gains({})),
    }
    drawn = {name: show(fig, name, alt="x", caption="x").svg for name, fig in made.items()}
    assert "V100" in drawn["widths"]
    assert "112 × 112" in drawn["gains"]
