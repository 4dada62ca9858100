"""Built modules: like timm's own networks, initialised as the authors', usable as timm's."""

import copy
import math
import subprocess
import sys
from functools import cache

import pytest
import timm
import torch
import torch.nn.functional as F
from timm.data import resolve_data_config
from timm.layers import DropPath
from timm.models import FeatureListNet
from torch import Tensor, nn

import repro
from repro.arch import NAMES, PAPER, get, scale
from repro.complexity import complexity
from repro.errors import InputError
from repro.models import Block, Model, build

SMALL = [
    "EN-B0",
    "RegNetX-200MF",
    "RegNetY-200MF",
    "RegNetY-500MF",
    "RegNetZ-500MF",
    "ResNet-50",
    "ResNeXt-50",
]

TIMM = {
    **{f"EN-B{i}": f"efficientnet_b{i}" for i in range(8)},
    **{
        f"RegNet{kind}-{size}": f"regnet{kind.lower()}_{number}"
        for kind in "XY"
        for size, number in {
            "200MF": "002",
            "400MF": "004",
            "600MF": "006",
            "800MF": "008",
            "1.6GF": "016",
            "3.2GF": "032",
            "4.0GF": "040",
            "6.4GF": "064",
            "8.0GF": "080",
            "12GF": "120",
            "16GF": "160",
            "32GF": "320",
        }.items()
    },
    "RegNetZ-500MF-head1024": "regnetz_005",
    "RegNetZ-4GF-head0": "regnetz_040",
    "RegNetZ-4GF-head1536": "regnetz_040_h",
    **{f"ResNet-{n}": f"resnet{n}" for n in (50, 101, 152, 200)},
    **{f"ResNeXt-{n}": f"resnext{n}_32x4d" for n in (50, 101)},
}
"""timm's name of each network that timm has too."""

# These have no counterpart: RegNetZ's head of 1000, and two networks that were never published.
PYCLS = {name for name in NAMES if get(name).rules == "pycls"}
assert PYCLS - set(TIMM) == {
    *("RegNetZ-500MF", "RegNetZ-4GF", "RegNetY-500MF", "RegNetY-4GF", "ResNeXt-152")
}


@cache
def small(name: str) -> Model:
    """One float64 network per name for all tests, in evaluation mode with lively statistics."""
    torch.manual_seed(0)
    model = build(name).double()
    shake(model)
    return model.eval()


def shake(model: nn.Module) -> None:
    """Random batch-norm scales, shifts and statistics: at their initial values, errors hide."""
    generator = torch.Generator().manual_seed(1)

    def uniform(t: Tensor, low: float, high: float) -> None:
        t.data.copy_(torch.rand(t.shape, generator=generator, dtype=t.dtype) * (high - low) + low)

    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            uniform(m.weight, 0.5, 1.5)
            uniform(m.bias, -0.5, 0.5)
            uniform(m.running_mean, -0.5, 0.5)
            uniform(m.running_var, 0.5, 1.5)


def images(resolution: int = 64, batch: int = 2, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    shape = (batch, channels, resolution, resolution)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


# ------------------------------------------------------------------------ like timm's own


def shapes(model: nn.Module) -> list[tuple[str, tuple[int, ...]]]:
    """Kind and shape of every parameter and buffer, in order; names differ, order does not."""
    return [(k.rpartition(".")[2], tuple(v.shape)) for k, v in model.state_dict().items()]


@pytest.mark.parametrize("name", TIMM)
def test_parameters_are_those_of_timm(name: str) -> None:
    with torch.device("meta"):
        theirs = timm.create_model(TIMM[name])
    assert shapes(build(name, device="meta")) == shapes(theirs)


@pytest.mark.parametrize(
    "name",
    [
        *("EN-B0", "RegNetX-400MF", "RegNetY-4.0GF", "ResNet-50", "ResNeXt-50"),
        *("RegNetZ-500MF-head1024", "RegNetZ-4GF-head0", "RegNetZ-4GF-head1536"),
    ],
)
def test_logits_are_those_of_timm(name: str) -> None:
    theirs = timm.create_model(TIMM[name]).double().eval()
    shake(theirs)
    ours = build(name).double().eval()
    assert shapes(ours) == shapes(theirs)
    values = zip(ours.state_dict(), theirs.state_dict().values(), strict=True)
    ours.load_state_dict(dict(values))
    x = images(97, batch=1)
    with torch.no_grad():
        expected, features = theirs(x), ours.forward_features(x)
        if name.endswith("head0"):
            # timm closes a RegNetZ without head conv with an activation; the authors do not.
            features = F.silu(features)
        logits = ours.forward_head(features)
    scale_ = expected.abs().max()
    assert scale_ > 1e-3 and expected.std() > 1e-4
    torch.testing.assert_close(logits / scale_, expected / scale_, rtol=0, atol=1e-11)


@pytest.mark.parametrize("name", ["EN-B0", "RegNetY-200MF"])
def test_a_feature_extractor_of_timm_accepts_the_module(name: str) -> None:
    model = small(name)
    extractor = FeatureListNet(copy.deepcopy(model), out_indices=(0, 2, 4), flatten_sequential=True)
    assert extractor.feature_info.channels() == [
        model.feature_info[i]["num_chs"] for i in (0, 2, 4)
    ]
    with torch.no_grad():
        maps = model.forward_intermediates(images(), [0, 2, 4], intermediates_only=True)
        for ours, theirs in zip(maps, extractor(images()), strict=True):
            assert torch.equal(ours, theirs)


def test_data_pipeline_of_timm_reads_the_config() -> None:
    config = resolve_data_config({}, model=build("EN-B4", device="meta"))
    assert config["input_size"] == (3, 380, 380)
    assert config["mean"] == (0.485, 0.456, 0.406)


# ------------------------------------------------------------------- shapes and interface


@pytest.mark.parametrize("name", SMALL)
def test_feature_maps_match_feature_info(name: str) -> None:
    model, x = small(name), images(65, batch=1)
    with torch.no_grad():
        final, maps = model.forward_intermediates(x)
        assert torch.equal(final, model.forward_features(x))
        assert torch.equal(model.forward_head(final), model(x))
    assert len(maps) == len(model.feature_info) == len(model.net.stages) + 1
    for info, fmap in zip(model.feature_info, maps, strict=True):
        side = math.ceil(65 / info["reduction"])
        assert fmap.shape == (1, info["num_chs"], side, side)
    assert model.feature_info[-1]["reduction"] == model.net.total_stride
    assert final.shape[1] == model.num_features


def test_intermediates_can_be_chosen_and_stopped() -> None:
    model, x = small("RegNetY-200MF"), images()
    with torch.no_grad():
        _, maps = model.forward_intermediates(x)
        last, two = model.forward_intermediates(x, indices=[0, -4], stop_early=True)
        assert [t.shape for t in two] == [maps[0].shape, maps[1].shape]
        assert torch.equal(last, maps[1])  # nothing ran after it
        ends = model.forward_intermediates(x, indices=2, intermediates_only=True)
        assert torch.equal(ends[0], maps[3]) and torch.equal(ends[1], maps[4])
    with pytest.raises(ValueError, match="NHWC"):
        model.forward_intermediates(x, output_fmt="NHWC")
    with pytest.raises(ValueError, match="last 0"):
        model.forward_intermediates(x, indices=0)


def test_classes_and_channels_can_be_set() -> None:
    model = build("RegNetZ-500MF", num_classes=10, in_channels=1).double().eval()
    assert model(images(channels=1)).shape == (2, 10)
    assert complexity(model.net).params == sum(p.numel() for p in model.parameters())
    assert model.default_cfg["num_classes"] == model.net.num_classes == model.num_classes == 10
    assert model.default_cfg["input_size"] == (1, 224, 224)


def test_no_classes_leave_the_pooled_features() -> None:
    model = build("EN-B0", num_classes=0).double().eval()
    assert isinstance(model.get_classifier(), nn.Identity)
    with torch.no_grad():
        pooled = model.forward_head(model.forward_features(images()), pre_logits=True)
        assert pooled.shape == (2, model.num_features) == (2, 1280)
        assert torch.equal(model(images()), pooled)


def test_classifier_can_be_reset() -> None:
    model = build("RegNetY-200MF").double()
    model.reset_classifier(7)
    fc = model.get_classifier()
    assert isinstance(fc, nn.Linear) and fc.weight.shape == (7, model.num_features)
    assert fc.weight.dtype == torch.float64 and fc.weight.std() < 0.02 and not fc.bias.any()
    assert model.num_classes == model.net.num_classes == model.default_cfg["num_classes"] == 7
    assert model(images()).shape == (2, 7)
    model.reset_classifier(0)
    assert model(images()).shape == (2, model.num_features)
    model.reset_classifier(3)  # from no classifier to one: same kind of number, same device
    assert model(images()).shape == (2, 3)
    with pytest.raises(InputError, match="-2"):
        model.reset_classifier(-2)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"net_or_name": "EN-B9"}, "EN-B9"),
        ({"net_or_name": "EN-B0", "num_classes": -1}, "num_classes -1"),
        ({"net_or_name": "EN-B0", "in_channels": 0}, "in_channels 0"),
        ({"net_or_name": "EN-B0", "drop_path": 1.0}, "drop_path 1.0"),
        ({"net_or_name": "EN-B0", "dropout": -0.1}, "dropout -0.1"),
    ],
)
def test_bad_arguments_are_named(arguments, named) -> None:
    with pytest.raises(InputError, match=named):
        build(**arguments)


def test_importing_the_package_does_not_import_torch() -> None:
    code = (
        "import sys, repro, repro.arch, repro.complexity; assert 'torch' not in sys.modules;"
        "assert 'build' in dir(repro); repro.build; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert repro.build is build
    with pytest.raises(AttributeError, match="bulid"):
        _ = repro.bulid


# --------------------------------------------------------------------- running and training


@pytest.mark.parametrize("name", SMALL)
def test_every_parameter_learns(name: str) -> None:
    torch.manual_seed(0)
    model = build(name, num_classes=5, drop_path=0.1, dropout=0.1)
    model.train()
    x = torch.randn(4, 3, 64, 64)
    F.cross_entropy(model(x), torch.tensor([0, 1, 2, 3])).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), key
        assert parameter.grad.any(), key


@pytest.mark.parametrize("name", SMALL)
def test_channels_last_gives_the_same(name: str) -> None:
    model, x = small(name), images(65)
    with torch.no_grad():
        expected = model(x)
        other = copy.deepcopy(model).to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
        features = other.forward_features(x)
        assert features.is_contiguous(memory_format=torch.channels_last)
        logits = other.forward_head(features)
    torch.testing.assert_close(
        logits, expected, rtol=1e-10, atol=1e-10 * expected.abs().max().item()
    )


@pytest.mark.parametrize("name", ["EN-B0", "RegNetY-200MF", "ResNet-50"])
def test_compiles_in_one_graph_and_exports(name: str) -> None:
    model, x = small(name), images()
    with torch.no_grad():
        expected = model(x)
        compiled = torch.compile(model, backend="eager", fullgraph=True)
        assert torch.equal(compiled(x), expected)
    torch.compiler.reset()
    exported = torch.export.export(model, (x,)).module()
    torch.testing.assert_close(exported(x), expected)


def test_mixed_precision_and_copies() -> None:
    torch.manual_seed(0)
    model = build("RegNetY-200MF").eval()
    x = images().float()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        half = model(x)
    assert half.dtype == torch.bfloat16 and torch.isfinite(half).all()
    other = build("RegNetY-200MF").eval()
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        assert torch.equal(other(x), model(x))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", SMALL)
def test_cuda_gives_the_same(name: str) -> None:
    model, x = small(name), images()
    with torch.no_grad():
        expected = model(x)
        logits = copy.deepcopy(model).cuda()(x.cuda()).cpu()
    torch.testing.assert_close(logits, expected, rtol=1e-9, atol=1e-9 * expected.abs().max().item())
    assert next(build(name, device="cuda").parameters()).is_cuda


# ------------------------------------------------------------------ the authors' settings


def test_batch_norm_settings() -> None:
    for name in SMALL:
        for m in build(name, device="meta").modules():
            if isinstance(m, nn.BatchNorm2d):
                assert (m.eps, m.momentum, m.affine) == (1e-5, 0.1, True)


def test_initial_weights() -> None:
    torch.manual_seed(0)
    model = build("EN-B0")
    for m in model.modules():
        if isinstance(m, nn.Conv2d):
            k = m.kernel_size[0]
            expected = math.sqrt(2 / (k * k * m.out_channels))  # groups do not enter
            n = m.weight.numel()
            assert m.weight.std().item() == pytest.approx(expected, rel=5 / math.sqrt(2 * n))
            if m.bias is not None:  # squeeze-excite: PyTorch's default
                bound = 1 / math.sqrt(m.in_channels)
                assert 0 < m.bias.abs().max() <= bound
        elif isinstance(m, nn.BatchNorm2d):
            assert (m.weight == 1).all() and not m.bias.any()
    fc = model.get_classifier()
    assert fc.weight.std().item() == pytest.approx(0.01, rel=0.01) and not fc.bias.any()


def test_last_batch_norms_start_at_zero_only_on_request() -> None:
    for name, zeros in (("ResNet-50", 16), ("RegNetZ-500MF", 21), ("EN-B0", 0)):
        for asked in (False, True):
            blocks = [
                m for m in build(name, zero_init_last=asked).modules() if isinstance(m, Block)
            ]
            silent = [b for b in blocks if not b.project.bn.weight.any()]
            assert len(silent) == (zeros if asked else 0)


def test_the_same_seed_gives_the_same_weights() -> None:
    def first(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return build("RegNetX-200MF").stem.conv.weight

    assert torch.equal(first(3), first(3)) and not torch.equal(first(3), first(4))


def test_drop_path_grows_with_depth() -> None:
    model = build("RegNetY-200MF", drop_path=0.3)
    blocks = [m for m in model.modules() if isinstance(m, Block)]
    rates = [b.drop_path.drop_prob if isinstance(b.drop_path, DropPath) else 0.0 for b in blocks]
    assert rates[0] == 0 and rates[-1] == pytest.approx(0.3) and rates == sorted(rates)
    assert len(set(rates)) == len(blocks) == sum(s.depth for s in model.net.stages)
    # Where there is no skip, dropping would silence the block: nothing is dropped.
    strided = build("RegNetZ-500MF", drop_path=0.3).stages[2][0]
    assert strided.skip is None and isinstance(strided.drop_path, nn.Identity)


def test_scaled_descriptions_build_and_run() -> None:
    net = scale(get("RegNetY-400MF"), PAPER["dWr"], 0.25)
    model = build(net).double().eval()
    assert model.net == net and net.name in repr(model)
    assert model(images(net.resolution, batch=1)).shape == (1, 1000)
