"""Advice: the largest networks of a budget, their errors, and ties."""

import re
import statistics
import subprocess
import sys

import pytest

from repro import reference
from repro.arch import get, scale
from repro.arch.strategy import paper_strategy
from repro.errors import InputError
from repro.evidence.printed import network
from repro.prices.law import milliseconds, published
from repro.search.advise import STRATEGIES, Described, advise, device, known_error
from repro.search.budgets import read_budget
from repro.search.latency import budget as plain_budget
from repro.search.latency import missed_by_rooflines, roofline
from repro.search.scale_law import ScaleLaw

GPU = device("rtx4090")


def told(name="EN-B0", text="2x", charges=GPU, error=22.72, **more):
    return advise(Described(get(name)), charges, read_budget(text), error, **more)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_it_is_the_largest_network_in_the_budget(strategy):
    base = Described(get("EN-B0"))
    (row,) = told(text="2x", strategies=[strategy])
    limit = 2 * GPU.ms(base.base)
    assert row.ms <= limit
    larger = (base.grow(paper_strategy(strategy), row.scale * 1.002**k) for k in range(1, 200))
    assert next(GPU.ms(g) for g in larger if g.flops > row.flops) > limit
    net = scale(get("EN-B0"), paper_strategy(strategy), row.scale)
    assert base.grow(paper_strategy(strategy), row.scale).net == net


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("0.2ms", lambda r: r.ms / 1e3),
        ("1GF", lambda r: r.flops),
        ("20Macts", lambda r: r.acts),
        ("8GB", lambda r: r.memory),
    ],
)
def test_every_kind_of_budget_is_kept_and_used(text, counted):
    limit = read_budget(text).limit
    rows = told(text=text)
    assert {row.strategy for row in rows} == set(STRATEGIES)
    assert all(0.75 * limit < counted(row) <= limit for row in rows)


def test_memory_is_that_of_the_plain_budget():
    base = Described(get("EN-B0"))
    assert base.base.memory(16) == plain_budget("memory", 16)(get("EN-B0"))


def test_the_roofline_is_the_searchs_own():
    for mode in ("infer", "train"):
        ours, theirs = device("roofline:v100", mode), roofline("V100", mode=mode)
        base = Described(get("EN-B0")).base
        assert ours.ms(base) == pytest.approx(1e3 * theirs(get("EN-B0")) / 128)
        assert ours.phi(base) == pytest.approx(theirs.phi(get("EN-B0")))
        assert ours.error(base) is None


def test_times_are_those_of_the_prices():
    price = next(p for p in published() if p.setting.startswith("v100/infer"))
    charges, base = device("v100"), Described(get("ResNet-50")).base
    assert charges.ms(base) == milliseconds(price, base.priced)
    assert charges.error(base) == price.error("dense")


def test_a_device_that_is_known_compiled_only():
    assert "inductor" in device("cpu_i9_10940x").source
    assert "inductor" in device("rtx4090", compiled=True).source
    assert "eager" in GPU.source


def test_ties_are_what_overlaps_the_best_and_come_first():
    rows = told()
    best = min(rows, key=lambda row: row.top1_error)
    for row in rows:
        assert row.tied == (row.gap - row.band <= best.gap + best.band)
    ties = [row for row in rows if row.tied]
    assert 1 < len(ties) < len(rows) and rows[: len(ties)] == ties
    assert [r.memory for r in ties] == sorted(r.memory for r in ties)
    assert {"w", "dWr", "2/3"} <= {row.strategy for row in ties}
    assert rows[-1].strategy == "r"


def test_the_times_error_is_part_of_the_interval():
    between = ScaleLaw.known().between
    assert all(row.band == between for row in told(text="1GF"))
    assert all(row.band > between for row in told())


def test_ties_on_rooflines_know_how_far_ratios_are_off():
    """Of times that no one has seen the absolute error is unknown; that of ratios is not."""
    between, seen = ScaleLaw.known().between, missed_by_rooflines()
    assert set(seen) == {"V100", "TPUv3"} and all(0.01 < off < 0.2 for off in seen.values())
    v100, h100 = device("roofline:V100"), device("H100")
    assert (v100.ratio, v100.assumed) == (seen["V100"], None)
    assert (h100.ratio, h100.assumed) == (max(seen.values()), max(seen, key=seen.get))
    rows = told(charges=h100)
    assert all(row.ms_error is None and row.band > between for row in rows)


def test_what_rooflines_miss_is_the_spread_about_one_constant():
    rows = [r for r in reference.x_results() if r.model.startswith("EfficientNet-X-B")]
    ratios = [
        roofline("TPUv3")(get(row.model.replace("EfficientNet-", "EN-")))
        / float(row.tpuv3_ms_batch128)
        for row in rows
    ]
    off = [abs(ratio / statistics.median(ratios) - 1) for ratio in ratios]
    assert len(rows) == 8 and min(off) < missed_by_rooflines()["TPUv3"] < max(off)


def test_without_an_error_of_the_base_only_differences_are_known():
    rows = told("ResNet-50", error=None)
    assert all(row.top1_error is None for row in rows)
    gaps = {row.strategy: row.gap for row in rows}
    assert gaps["dWr"] == 0 < gaps["r"]
    known = {row.strategy: row for row in told("ResNet-50", error=21.5)}
    for row in rows:
        assert row.gap == pytest.approx(known[row.strategy].gap, abs=0.05)
        assert row.band >= known[row.strategy].band - 0.02


def test_it_predicts_what_was_published():
    """The law's own points: dWr and dwr at the flops of the drawn networks."""
    law = ScaleLaw.known()
    for strategy, s, error in (("dWr", 5.0, 18.71), ("dwr", 10.0, 17.47)):
        flops = Described(network("EN-B0", strategy, s)).base.flops
        (row,) = told(text=f"{flops / 1e9 + 1e-4:.6f}GF", strategies=[strategy])
        assert row.top1_error == pytest.approx(error, abs=3 * law.residual)


def test_published_errors():
    assert known_error("EN-B0") == (22.72, "Fast and Accurate Model Scaling")
    assert known_error("EN-B2")[0] == 19.954
    assert known_error("ResNet-50")[0] == 23.19
    assert known_error("EN-X-B0") is None


def test_what_lies_beyond_the_published_networks_is_marked():
    assert not any(row.extrapolated for row in told())
    far = told(text="100GF")
    assert all(row.extrapolated and row.top1_error is None for row in far)
    near = {row.strategy: row for row in told(text="1GF")}
    assert all(row.band > near[row.strategy].band for row in far)
    middle = told(text="6GF")  # 15 times as many: guessed, and less surely
    assert all(row.extrapolated and row.top1_error is not None for row in middle)


def test_what_no_card_can_train_is_said():
    (row,) = told(text="5ms", strategies=["w"])
    assert row.memory > 24e9 and row.warning == "more than its 24 GB"
    assert device("roofline:TPUv3").card == pytest.approx(34.36e9)
    assert device("cpu_i7_12700h").card is None


def test_one_name_means_one_thing():
    for name in ("rtx4090", "RTX4090", "RTX 4090"):
        assert device(name) == GPU
    assert device("V100") == device("v100") and device("V100").price
    h100 = [device(name) for name in ("h100", "H100", "roofline:h100")]
    assert {(d.name, d.source) for d in h100} == {(h100[0].name, h100[0].source)}
    with pytest.raises(InputError, match="no prices for mode 'train'; allowed: infer"):
        device("RTX5090", "train")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.1ms", "budget '0.1ms' is too small: EN-B0 itself needs 0.113 ms"),
        ("0.5x", "budget '0.5x' is too small: EN-B0 itself needs 1x"),
        ("0.3GF", "EN-B0 itself needs 0.386 GF"),
        ("1GB", "EN-B0 itself needs 3.95 GB"),
        ("900s", "is more than any strategy takes at 1,000 times the flops of EN-B0"),
    ],
)
def test_budgets_that_nothing_fits(text, message):
    with pytest.raises(InputError, match=re.escape(message)):
        told(text=text)


def test_a_strategy_without_end_is_left_out():
    assert "r" not in {row.strategy for row in told(text="20Mparams")}


@pytest.mark.parametrize(
    ("name", "mode", "message"),
    [
        ("rtx409", "infer", "unknown device 'rtx409'. Did you mean 'rtx4090'"),
        ("H10", "infer", "Did you mean 'H100'"),
        ("rtx4090", "train", "device 'rtx4090' has no prices for mode 'train'; allowed: infer"),
    ],
)
def test_devices_that_nothing_is_known_of(name, mode, message):
    with pytest.raises(InputError, match=re.escape(message)):
        device(name, mode)


def test_errors_that_the_law_cannot_take():
    with pytest.raises(InputError, match="error 12 is not allowed; a percentage between 15"):
        told(error=12)


def test_a_piece_is_refused():
    with pytest.raises(InputError, match="is a piece of a network"):
        Described(get("MBConv-c16-se0.25@14"))


def test_it_needs_neither_numpy_nor_torch():
    code = (
        "import sys; from repro.cli.app import main; main(['advise', 'EN-B0', '--budget', '2x']);"
        "print([m for m in ('numpy', 'scipy', 'torch', 'pandas') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"
