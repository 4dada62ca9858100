"""Zoo networks as timm's: created, changed, scripted, saved and loaded in timm's own words."""

from functools import cache
from itertools import chain

import pytest
import timm
import torch
from timm.models import FeatureInfo, group_parameters, is_model_pretrained, save_for_hf
from timm.optim import param_groups_layer_decay
from torch import nn
from torch.fx import symbolic_trace

from repro import arch
from repro.arch import NAMES, get
from repro.errors import InputError
from repro.models import Block, build
from repro.models.registry import ZOO, ScriptableBlock, timm_name

KINDS = ["EN-B0", "EN-X-B0", "RegNetY-200MF", "RegNetZ-500MF", "ResNet-50"]
"""Space-to-depth and "same" padding, squeeze-excite, linear blocks, a head conv, a 7x7 stem."""

SMALL = "repro_regnety_200mf"
IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def made(name, device="cpu", **arguments):
    torch.manual_seed(0)
    return timm.create_model(timm_name(name), device=device, **arguments).eval()


@cache
def untouched(name):
    """For tests that change nothing."""
    return made(name)


def shape(model, size, channels=3):
    return tuple(model(torch.empty(1, channels, size, size, device="meta")).shape)


# ------------------------------------------------------------------------------------ names


def test_every_zoo_network_has_a_name_of_its_own():
    assert len(ZOO) == len(NAMES)
    assert set(timm.list_models("repro_*")) == set(ZOO)
    assert set(timm.list_models(module="registry")) == set(ZOO)  # none of timm's own is replaced
    assert timm_name("RegNetY-4.0GF") != timm_name("RegNetY-4GF")
    assert all(name.isidentifier() for name in ZOO)


@pytest.mark.parametrize("name", KINDS)
def test_the_module_is_the_one_that_build_builds(name):
    model = untouched(name)
    torch.manual_seed(0)
    plain = build(name).eval()
    ours, theirs = model.state_dict(), plain.state_dict()
    assert list(ours) == list(theirs) and all(torch.equal(ours[k], theirs[k]) for k in ours)
    with torch.no_grad():
        assert torch.equal(model(IMAGES), plain(IMAGES))


# ----------------------------------------------------------------------- what timm is told


@pytest.mark.parametrize("name", KINDS)
def test_default_cfg_is_true(name):
    model = made(name, "meta")
    cfg = model.default_cfg
    assert cfg["architecture"] == timm_name(name) and cfg["num_classes"] == 1000
    assert cfg["input_size"] == (3, get(name).resolution, get(name).resolution)
    image = torch.empty(1, *cfg["input_size"], device="meta")
    assert tuple(model.forward_features(image).shape[2:]) == cfg["pool_size"]
    weights = model.state_dict()
    assert weights[cfg["classifier"] + ".weight"].shape == (1000, model.num_features)
    assert next(iter(weights)) == cfg["first_conv"] + ".weight"


def test_cfg_can_be_overlaid():
    overlay = {"input_size": (1, 160, 160), "num_classes": 7, "interpolation": "bicubic"}
    model = timm.create_model(SMALL, pretrained_cfg_overlay=overlay, device="meta")
    assert overlay.items() <= model.default_cfg.items()
    assert (model.num_classes, model.in_chans) == (7, 1) and shape(model, 64, 1) == (1, 7)
    assert timm.create_model(SMALL, device="meta").default_cfg["num_classes"] == 1000


def test_parameters_are_grouped_from_stem_to_head():
    model = untouched("EN-B0")
    names = [name for name, _ in model.named_parameters()]
    groups = group_parameters(model, model.group_matcher(coarse=True))
    assert (
        sorted(chain.from_iterable(groups.values())) == sorted(names) and len(groups) == 1 + 7 + 1
    )
    assert all(name.startswith("stem") for name in groups[0])
    layers = group_parameters(model, model.group_matcher())
    assert len(layers) == 1 + sum(stage.depth for stage in model.net.stages) + 1
    scale = {id(p): g["lr_scale"] for g in param_groups_layer_decay(model) for p in g["params"]}
    rates = [scale[id(p)] for p in model.parameters()]
    assert rates == sorted(rates) and rates[-1] == 1 > rates[0]


# ------------------------------------------------------------------------------ heads, maps


@pytest.mark.parametrize("name", KINDS)
def test_pooling_can_be_chosen_and_left_out(name):
    bare = made(name, "meta", num_classes=0, global_pool="")
    assert shape(bare, 64) == (1, bare.num_features, 2, 2)
    bare.reset_classifier(5, "catavgmax")
    assert bare.head_hidden_size == 2 * bare.num_features and shape(bare, 64) == (1, 5)
    other = made(name, "meta")
    other.reset_classifier(0, "")
    assert shape(other, 64) == (1, bare.num_features, 2, 2)


@pytest.mark.parametrize("name", KINDS)
def test_feature_maps(name):
    model = untouched(name)
    info = FeatureInfo(model.feature_info, 5)
    assert info.reduction() == [2, 4, 8, 16, 32]
    with torch.no_grad():
        final, maps = model.forward_intermediates(IMAGES)
        assert torch.equal(final, model.forward_features(IMAGES))
        assert [m.shape[1] for m in maps] == info.channels()
        assert [m.shape[2] for m in maps] == [32, 16, 8, 4, 2]
        for kind in (None, "hook", "fx") if name == "RegNetY-200MF" else (None,):
            features = made(name, features_only=True, feature_cls=kind)
            assert features.feature_info.reduction() == info.reduction()
            assert all(map(torch.equal, features(IMAGES), maps)), kind
        two = made(name, features_only=True, out_indices=(1, -2), feature_cls="getter")
        assert len(two.model.stages) < len(model.stages)
        assert all(map(torch.equal, two(IMAGES), (maps[1], maps[3])))
        early, one = model.forward_intermediates(IMAGES, [0], stop_early=True)
        assert torch.equal(early, maps[0]) and torch.equal(one[0], maps[0])


def test_maps_that_are_not_there():
    model = made("RegNetY-200MF", "meta")
    for indices in (0, 6, [5]):
        with pytest.raises((ValueError, IndexError)):
            model.forward_intermediates(IMAGES.to("meta"), indices)
    with pytest.raises(ValueError, match="NHWC"):
        model.forward_intermediates(IMAGES.to("meta"), output_fmt="NHWC")


# ------------------------------------------------------------------- scripts and gradients


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
@pytest.mark.parametrize("name", KINDS)
def test_torchscript_gives_the_same(name):
    model = made(name, scriptable=True)
    with torch.no_grad():
        expected = model(IMAGES)
        torch.testing.assert_close(torch.jit.script(model)(IMAGES), expected)
        if name == "RegNetY-200MF":
            torch.testing.assert_close(torch.jit.script(symbolic_trace(model))(IMAGES), expected)
            maps = made(name, features_only=True, feature_cfg={"feature_cls": "fx"})
            torch.testing.assert_close(torch.jit.script(maps)(IMAGES), maps(IMAGES))


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_space_to_batch_in_torchscript():
    geometry = arch.Block(6, 12, 8, 3, 1, 12, 0, True, True, "none", "silu", space_to_batch=2)
    block = Block(geometry).eval()
    x = torch.randn(2, 6, 8, 12)
    with torch.no_grad():
        expected = block(x)
        block.__class__ = ScriptableBlock
        assert torch.equal(block(x), expected)
        torch.testing.assert_close(torch.jit.script(block)(x), expected)


def test_checkpoints_give_the_same_gradients_from_less():
    gradients, kept = [], []
    for checkpoints in (False, True):
        model = made("RegNetY-200MF", num_classes=3).train()
        model.set_grad_checkpointing(checkpoints)
        sizes = []

        def keep(tensor, sizes=sizes):
            sizes.append(tensor.nbytes)
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = model(IMAGES).square().mean()
        kept.append(sum(sizes))
        loss.backward()
        gradients.append([p.grad for p in model.parameters()])
    torch.testing.assert_close(gradients[1], gradients[0])
    assert kept[1] < kept[0] / 2


# ------------------------------------------------------------------------- folders, refusals


def test_saved_to_a_folder_and_back(tmp_path):
    plain = build("RegNetY-200MF", num_classes=7, in_channels=1).eval()
    weights = tmp_path / "weights.pt"
    torch.save(plain.state_dict(), weights)  # as a training here leaves them
    model = timm.create_model(SMALL, num_classes=7, in_chans=1, checkpoint_path=weights)
    save_for_hf(model, tmp_path, safe_serialization=True)
    image = IMAGES[:, :1]
    back = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    more = timm.create_model(f"local-dir:{tmp_path}", pretrained=True, in_chans=3, num_classes=2)
    maps = timm.create_model(f"local-dir:{tmp_path}", pretrained=True, features_only=True).eval()
    with torch.no_grad():
        assert torch.equal(back(image), plain(image))
        assert torch.equal(maps(image)[0], plain.stem(image))
    assert more(IMAGES).shape == (2, 2)
    plain.load_state_dict(back.state_dict())


def test_there_are_no_pretrained_weights():
    assert not any(map(is_model_pretrained, ZOO))
    with pytest.raises(RuntimeError, match=f"No pretrained weights exist for {SMALL}"):
        timm.create_model(SMALL, pretrained=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"drop_path": 0.1}, "takes no argument 'drop_path'. Did you mean 'drop_path_rate'"),
        ({"num_classes": "10"}, "num_classes '10' is not allowed; a whole number is"),
        ({"num_classes": 10.0}, "num_classes 10.0 is not allowed"),
        ({"num_classes": -1}, "num_classes -1 is not allowed"),
        ({"in_chans": "3"}, "in_chans '3' is not allowed; a whole number is"),
        ({"drop_rate": "0.1"}, "drop_rate '0.1' is not allowed; a number is"),
        ({"drop_path_rate": 1.0}, "drop_path 1.0 is not allowed"),
    ],
)
def test_what_cannot_be_created(arguments, message):
    with pytest.raises(InputError) as error:
        timm.create_model(SMALL, **arguments)
    assert message in str(error.value)


def test_a_classifier_for_a_word():
    with pytest.raises(InputError, match="num_classes 'ten' is not allowed"):
        made("RegNetY-200MF", "meta").reset_classifier("ten")


def test_precision_can_be_chosen():
    model = timm.create_model(SMALL, dtype=torch.float64)
    assert {p.dtype for p in model.parameters()} == {torch.float64}
    assert isinstance(model.get_classifier(), nn.Linear)
