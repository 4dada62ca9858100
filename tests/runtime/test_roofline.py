import pytest

from repro.arch import NAMES, MBStage, Network, ResStage, get, scale
from repro.complexity import complexity
from repro.errors import InputError
from repro.runtime.roofline import (
    Peaks,
    device_peaks,
    intensity_bounds,
    kernel_count,
    known_devices,
    layer_cost,
    layers,
    recorded_peaks,
    roofline,
)

UNIT = Peaks("one operation and one byte a second", dict.fromkeys(("fp32", "fp16"), 1.0), 1.0)
# Stem 3 -> 8 at 8 pixels to 4; one MBConv 8 -> 8, expansion 2, at 4 to 2; no head; 10 classes.
SMALL = Network("small", (MBStage(1, 8, 2, 3, 2),), 8, stem_width=8, se_ratio=0.25, num_classes=10)


def test_layers_counted_by_hand():
    stem, expand, spatial, se, project, classifier = layers(SMALL)
    assert (stem.macs, stem.weights, stem.read, stem.written) == (216 * 16, 216, 192, 128)
    assert (expand.macs, expand.read, expand.written) == (128 * 16, 128, 256)
    assert (spatial.macs, spatial.weights, spatial.written) == (144 * 4, 144, 64)
    assert (se.macs, se.weights, se.read, se.written) == (64, 64, 18, 18)
    assert (project.macs, project.weights, project.written) == (128 * 4, 128, 32)
    assert (classifier.macs, classifier.read, classifier.written) == (80, 8, 10)
    assert spatial.extra == (64, 192) and project.extra == (0, 0) and not project.act


def test_traffic_of_one_conv_by_hand():
    _, expand, *_ = layers(SMALL)
    maps, weights = 128 + 256, 128
    for fusion, passes in (("all", 0), ("conv", 0), ("none", 4 * 256)):
        cost = layer_cost(expand, 2, "fp32", "infer", fusion)
        assert cost == (2 * 2 * 128 * 16, 4 * (2 * (maps + passes) + weights))
    training = layer_cost(expand, 2, "fp16", "train", "conv")
    assert training.operations == 3 * 2 * 2 * 128 * 16
    assert training.bytes == 2 * (2 * (3 * maps + 256) + weights) + weights * (2 + 4)
    step = layer_cost(expand, 2, "fp16", "step", "conv")
    assert step.bytes == training.bytes + 20 * weights


def test_operations_of_one_forward_pass_by_hand():
    # Stem 3, expand 3, depthwise 3, squeeze-excite 6, project 2, pooling and classifier 2.
    assert kernel_count(SMALL) == 19


@pytest.mark.parametrize("name", NAMES)
def test_layers_add_up_to_the_counts(name):
    net = get(name)
    count, all_layers = complexity(net), list(layers(net))
    assert sum(layer.macs for layer in all_layers) == count.macs
    assert sum(layer.written for layer in all_layers if layer.norm) == count.conv_acts
    biases = count.se_biases + count.classifier_biases
    assert sum(layer.weights for layer in all_layers) == count.params - count.bn_params - biases


def test_a_block_alone_has_its_own_layers_only():
    """A 1x1 expansion, a depthwise 5x5 and a projection; cut for space-to-batch, two copies."""
    expand, spatial, project = layers(get("MBConv-c8-e2-k5@4"))
    assert (expand.macs, expand.read, expand.written) == (128 * 16, 128, 256)
    assert (spatial.macs, spatial.weights, spatial.extra) == (400 * 16, 400, (0, 0))
    assert (project.macs, project.extra) == (128 * 16, (128, 3 * 128))  # the addition
    first, *same, last = layers(get("MBConv-c8-e2-k5-b2@4"))
    assert same == [expand, spatial, project]
    assert (first.macs, first.read, first.written) == (last.macs, last.read, last.written)
    assert (first.macs, first.read) == (0, 128)


@pytest.mark.parametrize("name", ["FusedMBConv-c8-se0.5-x3@9", "EN-X-B0[:2]", "MBConv-c8-b2@8"])
def test_layers_of_pieces_add_up_to_the_counts(name):
    net = get(name)
    count, all_layers = complexity(net), list(layers(net))
    assert sum(layer.macs for layer in all_layers) == count.macs
    assert sum(layer.written for layer in all_layers if layer.norm) == count.conv_acts


def test_layers_are_the_modules_that_are_built():
    """Convs and norms of the built network, counted on the module."""
    from torch import nn

    from repro.models import build

    scaled = scale(get("EN-B0"), "dWr", 2)
    for net in (get("RegNetY-500MF"), get("ResNet-50"), get("EN-X-B0"), scaled):
        modules = list(build(net, device="meta").modules())
        convs = sum(isinstance(m, nn.Conv2d) for m in modules)
        layer_list = list(layers(net))
        norms = sum(layer.norm for layer in layer_list)
        assert sum(isinstance(m, nn.BatchNorm2d) for m in modules) == norms
        squeezes = len(layer_list) - norms - 1  # the classifier
        assert convs == norms + 2 * squeezes


def test_less_fusion_means_more_traffic_and_more_time():
    net = get("RegNetZ-500MF")
    bytes_, times = zip(
        *(
            (r.bytes, r.ideal_s)
            for r in (roofline(net, device_peaks("V100"), 8, "fp16", fusion=f) for f in _FUSIONS)
        ),
        strict=True,
    )
    assert list(bytes_) == sorted(bytes_) and list(times) == sorted(times)


_FUSIONS = ("all", "conv", "none")


@pytest.mark.parametrize("mode", ["infer", "train", "step"])
@pytest.mark.parametrize("name", ["EN-B0", "ResNet-50", "RegNetY-4GF"])
def test_one_intensity_for_a_whole_network_flatters_it(name, mode):
    peaks = device_peaks("H200")
    result = roofline(get(name), peaks, 64, "fp16", mode)
    whole = max(result.operations / peaks.of("fp16"), result.bytes / peaks.bandwidth)
    assert 0 < whole <= result.ideal_s
    assert result.intensity == pytest.approx(result.operations / result.bytes)


def test_intensity_lies_between_less_and_more_fusion():
    low, high = intensity_bounds(get("EN-B0"), 128)
    assert low == roofline(get("EN-B0"), device_peaks("V100"), 128, "fp16").intensity
    assert low < high


def test_efficientnets_lie_left_of_the_ridge_and_move_right_with_size():
    peaks = device_peaks("V100")
    ridge = peaks.of("fp16") / peaks.bandwidth
    found = [roofline(get(f"EN-B{i}"), peaks, 128, "fp16").intensity for i in range(8)]
    assert found == sorted(found) and found[-1] < ridge


def test_every_value_of_the_table_has_a_source_or_is_empty():
    import yaml

    from repro.paths import root

    sources = yaml.safe_load((root() / "data" / "devices.yaml").read_text())["sources"]
    used = set()
    for row in known_devices().values():
        for key, cell in row.items():
            if isinstance(cell, dict):
                assert (cell["value"] is None) == (cell["source"] is None), key
                used.add(cell["source"])
    assert used - {None} == set(sources)


def test_devices_are_found_by_the_name_that_a_driver_reports():
    assert device_peaks("NVIDIA H200").name == "H200"
    assert device_peaks("NVIDIA H100 80GB HBM3").name == "H100"
    assert device_peaks("Tesla V100-SXM2-32GB").bandwidth == 900e9
    with pytest.raises(InputError, match=r"no device 'H20X'.*Did you mean 'H200'"):
        device_peaks("H20X")
    for other in ("H2000", "NVIDIA GH200 480GB", "NVIDIA A100-SXM4-80GBx"):
        with pytest.raises(InputError, match="no device"):
            device_peaks(other)


def test_a_rate_that_nobody_could_read_is_an_error_and_no_guess():
    with pytest.raises(InputError, match="no sourced peak rate of TPUv3 in fp32"):
        roofline(get("EN-B0"), device_peaks("TPUv3"))


def test_without_records_of_peak_rates_there_is_no_roofline():
    with pytest.raises(InputError, match="no peak rates of 'toaster'"):
        recorded_peaks([], "toaster")


def test_work_bound_and_traffic_bound_limits():
    net = Network("one", (ResStage(1, 8, 8),), 8, num_classes=0)
    fast_memory = Peaks("", {"fp32": 1.0}, 1e30)
    fast_units = Peaks("", {"fp32": 1e30}, 1.0)
    result = roofline(net, UNIT)
    assert roofline(net, fast_memory).ideal_s == pytest.approx(result.operations)
    assert roofline(net, fast_units).ideal_s == pytest.approx(result.bytes)
