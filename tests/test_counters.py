"""Counting what a built module runs: by hand, against the analytic count, against outsiders."""

from dataclasses import replace

import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.layers import SEModule
from torch import nn

from repro.arch import NAMES, PAPER, MBStage, Network, ResStage, alpha_strategy, get, scale
from repro.arch.rounding import fit_groups
from repro.complexity import complexity
from repro.counters import Unfilled, count, explain, fvcore_counts, torch_counts, torchinfo_counts
from repro.models import build

# Base, strategy (a paper's constant, or the authors' grammar), scale. The bare w and wr leave
# group widths alone and meet odd ones; ResNet-50's dwgr gives a stage of one group of 646.
SCALED = [
    *(("RegNetY-500MF", strategy, 2) for strategy in PAPER.values()),
    *(("EN-B0", strategy, 3) for strategy in PAPER.values()),
    ("RegNetZ-500MF", PAPER["dWr"], 8.1),
    ("RegNetZ-4GF", PAPER["w"], 8),
    ("RegNetZ-4GF-head0", "d1_w2_r1", 4),
    ("RegNetY-4GF", PAPER["dWr"], 4),
    ("RegNetX-4.0GF", "w", 3),
    ("RegNetY-4.0GF", "wr", 8),
    ("RegNetY-400MF", "dwgr", 0.25),
    ("RegNetY-600MF", alpha_strategy("2/3"), 16),
    ("ResNet-50", "dwgr", 4),
    ("ResNet-50", "w", 4),
    ("ResNeXt-50", "g", 2),
    ("ResNeXt-101", "d0.5_w0.25", 1.5),
]


def agree(net: Network) -> None:
    """Every part that operators show, and so flops and acts; and the module's own parameters."""
    c, seen = complexity(net), count(build(net, device="meta"))
    assert seen.conv_macs == c.conv_macs + c.se_macs
    assert seen.linear_macs == c.classifier_macs
    assert seen.bias_adds == c.se_biases + c.classifier_biases
    assert seen.conv_acts == c.conv_acts + c.se_acts
    assert seen.linear_acts == c.classifier_acts
    assert seen.pool_acts == c.pool_acts
    assert (seen.flops, seen.params, seen.acts) == (c.flops, c.params, c.acts)


# ---------------------------------------------------------------------------- by hand


def test_one_conv_by_hand() -> None:
    conv = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
    seen = count(conv, (3, 9, 9))  # 5 x 5 outputs, each the sum of 3 * 3 * 3 products
    assert (seen.conv_macs, seen.bias_adds, seen.conv_acts) == (8 * 25 * 27, 0, 8 * 25)
    assert (seen.flops, seen.params, seen.acts) == (5400, 216, 200)


def test_bias_groups_and_transposition_by_hand() -> None:
    grouped = count(nn.Conv2d(6, 12, 3, padding=1, groups=3), (6, 4, 4))
    assert grouped.conv_macs == 12 * 16 * 9 * 2
    assert grouped.bias_adds == 12 * 16
    assert grouped.params == 12 * 2 * 9 + 12
    # Each of the 2 * 9 input elements meets 5 * 2 * 2 weights.
    transposed = count(nn.ConvTranspose2d(2, 5, 2, stride=2, bias=False), (2, 3, 3))
    assert (transposed.conv_macs, transposed.conv_acts) == (18 * 20, 5 * 36)


def test_squeeze_excite_by_hand() -> None:
    seen = count(SEModule(8, rd_channels=2), (8, 4, 4))
    assert (seen.conv_macs, seen.bias_adds, seen.acts) == (2 * 8 * 2, 2 + 8, 2 + 8)
    assert (seen.flops, seen.params) == (42, 42)


def test_linear_and_max_pool_by_hand() -> None:
    layers = nn.Sequential(nn.MaxPool2d(3, 2, 1), nn.Flatten(), nn.Linear(2 * 9, 5))
    seen = count(layers, (2, 6, 6))
    assert (seen.pool_acts, seen.linear_macs, seen.bias_adds) == (18, 90, 5)
    assert (seen.flops, seen.params, seen.acts) == (95, 95, 23)
    assert count(nn.Sequential(nn.Flatten(), nn.Linear(8, 3, bias=False)), (2, 2, 2)).flops == 24


def test_inference_mode_hides_nothing() -> None:
    layers = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))
    outside = count(layers, (1, 4, 4))
    with torch.inference_mode():
        assert count(layers, (1, 4, 4)) == replace(outside, free=count(layers, (1, 4, 4)).free)


def test_frozen_parameters_are_not_counted() -> None:
    conv = nn.Conv2d(1, 2, 3)
    conv.bias.requires_grad_(False)
    assert count(conv, (1, 3, 3)).params == 18


# ------------------------------------------------------------- against the analytic count


@pytest.mark.parametrize("name", NAMES)
def test_every_base_agrees(name: str) -> None:
    agree(get(name))


@pytest.mark.parametrize(
    ("base", "strategy", "s"),
    SCALED,
    ids=[f"{b}-{getattr(strategy, 'name', strategy)}-{s}" for b, strategy, s in SCALED],
)
def test_scaled_networks_agree(base, strategy, s) -> None:
    agree(scale(get(base), strategy, s))


@pytest.mark.parametrize("name", ["EN-B0", "RegNetY-200MF", "ResNet-50"])
def test_other_resolutions_classes_and_channels_agree(name: str) -> None:
    agree(replace(get(name), resolution=97, num_classes=10, in_channels=1))
    headless = replace(get(name), resolution=65, num_classes=0)
    assert count(build(headless, device="meta")).linear_macs == 0
    agree(headless)


widths = st.integers(1, 6).map(lambda n: 8 * n)


@st.composite
def res_stages(draw: st.DrawFn) -> ResStage:
    bottleneck = draw(st.sampled_from([0.25, 0.5, 1.0, 2.0, 4.0]))
    width, g = fit_groups(draw(widths), draw(st.sampled_from([1, 2, 3, 4, 5, 8, 12])), bottleneck)
    stride = draw(st.integers(1, 2))
    return ResStage(draw(st.integers(1, 2)), width, g, bottleneck, stride, draw(st.booleans()))


mb_stages = st.builds(
    MBStage,
    depth=st.integers(1, 2),
    width=widths,
    expansion=st.sampled_from([1, 4, 6]),
    kernel=st.sampled_from([3, 5, 7]),
    stride=st.integers(1, 2),
)
networks = st.builds(
    Network,
    name=st.just("drawn"),
    stages=st.one_of(
        *(st.lists(s, min_size=1, max_size=3).map(tuple) for s in (res_stages(), mb_stages))
    ),
    resolution=st.integers(32, 70),
    stem_width=widths,
    stem=st.sampled_from(["conv3", "conv7_pool"]),
    head_width=st.sampled_from([0, 24]),
    se_ratio=st.sampled_from([0.0, 0.1, 0.25]),
    activation=st.sampled_from(["relu", "silu"]),
    num_classes=st.sampled_from([0, 7]),
    in_channels=st.integers(1, 4),
)


@settings(max_examples=60, deadline=None)
@given(networks)
def test_any_description_agrees(net: Network) -> None:
    agree(net)


def test_nothing_that_multiplies_is_taken_as_free() -> None:
    norm = {"native_batch_norm", "_native_batch_norm_legit_no_training"}
    elementwise = {"add", "mul", "relu_", "sigmoid", "silu", "silu_", "clone"}
    shapes = {"mean", "t", "view", "empty"}
    for name in ("EN-B0", "ResNet-50", "RegNetY-200MF", "RegNetZ-500MF"):
        assert count(build(name, device="meta")).free <= norm | elementwise | shapes


def test_counting_leaves_the_module_as_it_was() -> None:
    model = build("RegNetY-200MF")
    model.train()
    model.stages[1].eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    for counter in (count, fvcore_counts, torchinfo_counts, torch_counts):
        counter(model, (3, 64, 64))
    assert (
        model.training and not model.stages[1].training and model.stages[1][0].se.training is False
    )
    assert model.stages[2][0].se.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_a_module_without_default_cfg_needs_a_size() -> None:
    with pytest.raises(ValueError, match="size"):
        count(nn.Conv2d(1, 1, 1))


# ------------------------------------------------------------------- outside counters


@pytest.fixture(scope="module")
def toy() -> nn.Module:
    """Conv 2 -> 4 on 6 x 6, batch norm, max-pool to 3 x 3, average pool, linear 4 -> 3."""
    return nn.Sequential(
        nn.Conv2d(2, 4, 1, bias=False),
        nn.BatchNorm2d(4),
        nn.MaxPool2d(3, 2, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 3),
    )


def test_outside_counters_by_hand(toy: nn.Module, recwarn, caplog) -> None:
    size, macs = (2, 6, 6), 4 * 36 * 2 + 4 * 3
    ours = count(toy, size)
    assert (ours.flops, ours.params, ours.acts) == (macs + 3, 8 + 8 + 15, 144 + 36 + 3)
    assert torch_counts(toy, size) == {"flops": 2 * macs}
    assert fvcore_counts(toy, size) == {
        "flops": macs + 2 * 144 + 36,  # batch norm, average pool
        "params": 31,
        "acts": 144 + 3,
        "unsupported": {"aten::max_pool2d": 1},
    }
    # A plain batch norm is a leaf: 8 more mult-adds, and its outputs are in the memory figure.
    assert torchinfo_counts(toy, size) == {"flops": macs + 3 + 8, "params": 31, "acts": 147 + 144}
    assert not caplog.records
    assert not [w for w in recwarn if "jit" in str(w.message)]


def test_fvcore_says_that_it_needs_a_real_module() -> None:
    with pytest.raises(ValueError, match="CPU"):
        fvcore_counts(build("EN-B0", device="meta"))


@pytest.mark.parametrize(
    "net",
    [
        get("EN-B0"),
        get("ResNet-50"),
        get("RegNetY-4.0GF"),
        get("RegNetZ-500MF"),
        scale(get("EN-B0"), PAPER["dWr"], 4),
        scale(get("ResNeXt-50"), "dwgr", 0.5).at(97),
        get("FusedMBConv-c48@28"),
        get("MBConv-c32@28"),
    ],
    ids=lambda net: net.name,
)
def test_every_difference_is_explained_to_the_unit(net: Network) -> None:
    comparisons = explain(net)
    figures = [(c.counter, c.figure) for c in comparisons]
    assert figures == [
        *(("fvcore", f) for f in ("flops", "params", "acts")),
        *(("torchinfo", f) for f in ("flops", "params", "acts")),
        ("torch", "flops"),
    ]
    for c in comparisons:
        assert c.residual == 0, (c, c.residual)
    flops = comparisons[0]
    assert flops.theirs != flops.ours and all(type(v) is int for v in flops.reasons.values())


def test_what_ran_on_such_maps_before_counts_as_much_again():
    first = count(timm.create_model("convnext_atto"), (3, 64, 64))  # on real maps
    with torch.device("meta"), Unfilled():
        module = timm.create_model("convnext_atto")
    once = count(module, (3, 64, 64))
    assert count(module, (3, 64, 64)) == once
    assert replace(once, free=first.free) == first  # real maps are strided, too
