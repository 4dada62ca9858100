"""Asking prices: what is predicted, which prices are chosen, which networks are unlike."""

import pytest

from repro.arch import get
from repro.errors import InputError
from repro.prices import law
from repro.prices.counts import Counts, counts_of
from repro.prices.law import Estimate, Price, chosen, milliseconds, published, unlike


def made_up(**changes):
    ms = {"flops": 2.0, "acts": 0.5, "constant": 0.25}
    parts = {
        **{"setting": "d/infer", "device": "d", "mode": "infer", "compiled": False},
        **{"networks": 20, "families": 4, "gflops": (0.1, 10.0)},
        "ms": {name: Estimate(value, value, value) for name, value in ms.items()},
        "in_flops": {"acts": Estimate(250.0, 200.0, 300.0)},
        "errors": {"all": 0.1, "depthwise": 0.2},
    }
    return Price(**{**parts, **changes})


def test_a_time_is_a_sum_of_prices():
    counts = Counts(3e9, 4e6, 1e9, 1e9, "dense")  # writes and kernels have none here
    assert made_up().counts == ("flops", "acts")
    assert milliseconds(made_up(), counts) == pytest.approx(2 * 3 + 0.5 * 4 + 0.25)


def test_the_error_is_of_the_kind_or_of_all():
    assert made_up().error("depthwise") == 0.2
    assert made_up().error("dense") == made_up().error("transformer") == 0.1


@pytest.mark.parametrize(
    "counts, said",
    [
        (Counts(1e9, 1e6, 0, 0, "dense"), None),
        (Counts(1e9, 1e6, 0, 0, "transformer"), "mostly transformer"),
        (Counts(5e7, 1e6, 0, 0, "dense"), "tiny: less than any"),
        (Counts(2e10, 1e6, 0, 0, "dense"), "larger than any"),
        (Counts(1.01e8, 1e3, 0, 0, "dense"), "tiny: mostly the constant"),
    ],
)
def test_networks_unlike_those_fitted(counts, said):
    found = unlike(made_up(), counts, milliseconds(made_up(), counts))
    assert found is said is None or found.startswith(said)


def test_every_published_setting_is_complete():
    two = {price.setting: price for price in published("two prices")}
    assert list(two) == [price.setting for price in published()]
    for price in published():
        assert price.counts[:2] == two[price.setting].counts == ("flops", "acts")
        assert price.errors["all"] <= two[price.setting].errors["all"]
        assert set(price.ms) <= set(law.UNITS) and price.error("dense") > 0
        assert all(value >= 0 for value, _, _ in price.ms.values())
        assert 0 < price.gflops[0] < price.gflops[1]


def test_an_act_is_cheaper_on_cpus_than_on_any_gpu_of_the_table():
    ratios = {price.device: price.in_flops["acts"].value for price in published("two prices")}
    cpus = [ratio for device, ratio in ratios.items() if device.startswith("cpu_")]
    gpus = [ratio for device, ratio in ratios.items() if device.startswith(("rtx", "pro"))]
    assert len(cpus) == 2 and len(gpus) == 4 and max(cpus) < min(gpus)


def test_devices_are_chosen():
    (training,) = {price.device for price in chosen(["rtx3090"], "train", False)}
    assert training == "rtx3090"
    assert all(price.compiled for price in chosen(["all"], "infer", True))
    assert chosen(["v100", "all"], "infer", True) == chosen(["all"], "infer", True)
    assert {price.device for price in chosen(["rtx4090", "v100"], "infer", False)} == {
        *("rtx4090", "v100"),
    }


@pytest.mark.parametrize(
    "devices, way, said",
    [
        (["rtx3080"], ("infer", False), "unknown device 'rtx3080'.*Did you mean 'rtx3090'"),
        (["all", "rtx3080"], ("infer", False), "unknown device 'rtx3080'"),
        (["cpu_i7_12700h"], ("infer", False), "no prices for inference, eager; it has.*--compile"),
        (["all"], ("train", True), "no device has prices for training, compiled"),
    ],
)
def test_devices_that_cannot_be_chosen(devices, way, said):
    with pytest.raises(InputError, match=said):
        chosen(devices, *way)


def test_a_wider_network_is_predicted_to_be_faster_at_equal_flops():
    from repro.arch import scale

    base = get("EN-B0")
    wide, even = (counts_of(scale(base, how, 8)) for how in ("dWr", "dwr"))
    for price in chosen(["all"], "infer", False):
        assert milliseconds(price, wide) < milliseconds(price, even)
