"""Latencies: counts of layers as arrays, the roofline's own time, prices, budgets, phi."""

import pytest

from repro.arch import NAMES, BlockChoice, get
from repro.complexity import complexity
from repro.errors import InputError
from repro.prices.counts import counts_of
from repro.prices.law import milliseconds, published
from repro.records import Protocol
from repro.runtime import roofline as floor
from repro.runtime.roofline import device_peaks, layers
from repro.search.latency import (
    budget,
    fitted,
    measured,
    on_device,
    priced,
    roofline,
)


@pytest.mark.parametrize("name", NAMES)
def test_plain_budgets_are_the_counter_s_to_the_unit(name):
    net = get(name)
    count = complexity(net)
    assert [budget(what)(net) for what in ("flops", "acts", "params")] == [
        count.flops,
        count.acts,
        count.params,
    ]


def test_counts_of_layers_by_hand():
    # 16 -> 96 -> depthwise 3x3 -> 24 on a map of 10, which the stride halves
    net = BlockChoice("MBConv", 16, 10, 24, stride=2).network()
    found = {
        what: [sum(budget(what).bill(layer)) for layer in layers(net)]
        for what in ("flops", "acts", "params")
    }
    assert found["flops"] == [16 * 96 * 100, 9 * 96 * 25, 96 * 24 * 25]
    assert found["acts"] == [96 * 100, 96 * 25, 24 * 25]
    assert found["params"] == [16 * 96 + 2 * 96, 9 * 96 + 2 * 96, 96 * 24 + 2 * 24]


def test_memory_of_training_by_hand():
    net = get("EN-B0")
    count = complexity(net)
    wanted = 12 * count.params + 4.5 * 2 * 8 * count.acts
    assert budget("memory", batch=8, dtype="fp16")(net) == pytest.approx(wanted)


@pytest.mark.parametrize("fusion", ["none", "conv", "all"])
@pytest.mark.parametrize("mode", ["infer", "train", "step"])
@pytest.mark.parametrize("name", ["EN-B0", "EN-X-GPU-B2", "ResNet-50", "FusedMBConv-c24-b2@28"])
def test_a_rooflines_latency_is_its_least_time(name, mode, fusion):
    net, peaks = get(name), device_peaks("V100")
    wanted = floor.roofline(net, peaks, 8, "fp16", mode, fusion).ideal_s
    assert roofline("V100", 8, "fp16", mode, fusion)(net) == pytest.approx(wanted, rel=1e-12)
    assert roofline(peaks, 8, None, mode, fusion)(net) == pytest.approx(wanted, rel=1e-12)


def test_phi_is_the_derivative_by_the_price_of_a_flop():
    """A device that multiplies a little slower takes longer by phi times as much."""
    net, peaks, more = get("EN-X-GPU-B3"), device_peaks("CPU"), 1e-6
    slower = floor.Peaks(
        "slower", {k: v and v / (1 + more) for k, v in peaks.operations.items()}, peaks.bandwidth
    )
    quick, slow = roofline(peaks), roofline(slower)
    assert 0.1 < quick.phi(net) < 0.99
    assert (slow(net) / quick(net) - 1) / more == pytest.approx(quick.phi(net), abs=1e-3)
    assert budget("flops").phi(net) == 1 and budget("acts").phi(net) == 0


def test_prices_by_hand():
    net = get("EN-B0")
    count = complexity(net)
    law = priced("made up", flop=2e-12, act=3e-9, constant=1e-4, batch=4)
    seconds = 4 * (2e-12 * count.flops + 3e-9 * count.acts + 1e-4)
    assert law(net) == pytest.approx(seconds)
    assert law.phi(net) == pytest.approx(4 * 2e-12 * count.flops / seconds)


@pytest.mark.parametrize("name", ["EN-B0", "ResNet-50", "RegNetZ-4GF"])
def test_fitted_prices_are_those_of_the_project(name):
    net, device = get(name), "rtx4090"
    prices = [p for p in published("two prices") if (p.device, p.mode) == (device, "infer")]
    best = min((p for p in prices if not p.compiled), key=lambda p: p.errors["all"])
    ms = milliseconds(best, counts_of(net))
    assert fitted(device, batch=8)(net) == pytest.approx(8e-3 * ms)
    assert on_device(device, 8).name == best.setting == fitted(best.setting).name
    # only compiled timings of this CPU are public
    assert "inductor" in fitted("cpu_i7_12700h").name


def test_what_is_unknown_is_named():
    with pytest.raises(InputError, match=r"unknown budget 'flop'. Did you mean 'flops'"):
        budget("flop")
    with pytest.raises(InputError, match=r"unknown device 'V10'. Did you mean 'V100'"):
        on_device("V10")
    with pytest.raises(InputError, match=r"unknown device 'rtx3091'. Did you mean 'rtx3090'"):
        fitted("rtx3091")
    with pytest.raises(InputError, match="no sourced peak rate of TPUv3 in fp32"):
        roofline("TPUv3", dtype="fp32")


def test_a_network_is_measured_once(tmp_path):
    out = tmp_path / "mine.jsonl"
    protocol = Protocol(threads=1, samples=2, rounds=1, min_time=0)
    seconds = measured(protocol, out)
    net = get("MBConv-c8@7")
    first = seconds(net)
    assert first > 0 and seconds(net) == first
    assert len(out.read_text().splitlines()) == 1
    with pytest.raises(InputError, match="tf32"):
        measured(Protocol(threads=1, dtype="tf32"))(net)
