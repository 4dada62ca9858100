"""The recipe's numbers, against the paper and the authors' code worked out by hand."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from repro.arch import get
from repro.arch.proxies import PROXIES
from repro.errors import InputError
from repro.training.ema import Average
from repro.training.plan import matching_factor, plan
from repro.training.recipe import (
    IMAGENET_IMAGES,
    PRESETS,
    Recipe,
    ema_weight,
    lr_at,
    preset,
    weight_decay_of,
)
from repro.training.spec import Place, Setting, check_parts, differences
from repro.training.trainer import make_optimizer

STEPS = 1251  # updates in an epoch of ImageNet at batch 1024


def test_defaults_are_the_papers():
    r = Recipe()
    assert (r.epochs, r.batch, r.optimizer, r.momentum) == (200, 1024, "sgd", 0.9)
    assert (r.lr, r.schedule, r.final_lr, r.warmup_epochs) == (2.0, "exponential", 0.02, 5)
    assert (r.label_smoothing, r.mixup, r.augment) == (0.1, 0.2, "autoaugment")
    assert weight_decay_of(r, mbconv=True) == 1e-5
    assert weight_decay_of(r, mbconv=False) == 2e-5


def test_exponential_schedule():
    r = Recipe(epochs=100)
    assert lr_at(r, 50 * STEPS, STEPS) == pytest.approx(2 * math.sqrt(0.02))
    assert lr_at(r, 100 * STEPS, STEPS) == pytest.approx(0.04)
    # Once per epoch, as in the authors' code.
    assert lr_at(r, 51 * STEPS - 1, STEPS) == lr_at(r, 50 * STEPS, STEPS)
    steady = r.model_copy(update={"lr_changes": "step"})
    assert lr_at(steady, 51 * STEPS - 1, STEPS) < lr_at(steady, 50 * STEPS, STEPS)


def test_warm_up_and_linear_rule():
    r = Recipe(epochs=100)
    assert lr_at(r, 0, STEPS) == pytest.approx(0.2)
    assert lr_at(r, STEPS, STEPS) == pytest.approx(2 * 0.02**0.01 * (0.1 + 0.9 / 5))
    assert lr_at(r, 5 * STEPS, STEPS) == pytest.approx(2 * 0.02**0.05)
    half = r.model_copy(update={"batch": 512})
    assert lr_at(half, 30 * STEPS, STEPS) == pytest.approx(lr_at(r, 30 * STEPS, STEPS) / 2)
    # A run of four epochs spends one of them on warming up, not all.
    assert lr_at(Recipe(epochs=4), STEPS, STEPS) == pytest.approx(2 * 0.02**0.25)


def test_staircase_of_the_second_paper():
    r = PRESETS["efficientnet-x"]
    steps = 625
    assert lr_at(r, 5 * steps, steps) == pytest.approx(0.128 * 0.97**2)
    assert lr_at(r, 0, steps) == 0
    assert lr_at(r, 48 * steps, steps) == pytest.approx(0.128 * 0.97**20)
    assert lr_at(r, 48 * steps - 1, steps) == pytest.approx(0.128 * 0.97**19)


def test_average_as_in_the_authors_code():
    r = Recipe(epochs=100)
    weight = lambda step, **k: ema_weight(r, step, STEPS, k.get("images", IMAGENET_IMAGES))  # noqa: E731
    assert weight(10 * STEPS) == pytest.approx(1e-5 * 1024 / 100 * 32)
    assert weight(10 * STEPS + 1) == 0  # every 32 updates
    assert weight(10 * STEPS + 32) == weight(10 * STEPS)
    assert weight(4 * STEPS + 32) == 1  # a copy while warming up
    # On a data set a tenth as large it moves ten times as fast: the same share of the run.
    assert weight(10 * STEPS, images=IMAGENET_IMAGES / 10) == pytest.approx(10 * 1e-5 * 1024 * 0.32)
    ramped = PRESETS["efficientnet-x"]
    assert ema_weight(ramped, 0, 1, 1) == pytest.approx(0.9)
    assert ema_weight(ramped, 10**6, 1, 1) == pytest.approx(1e-4)


def test_average_follows():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    average = Average(model)
    start = model[0].weight.detach().clone()
    with torch.no_grad():
        model[0].weight += 1
        model[1].running_mean += 2
        model[1].num_batches_tracked += 7
    average.update(0.0)
    assert torch.equal(average.model[0].weight, start)
    average.update(0.25)
    torch.testing.assert_close(average.model[0].weight, start + 0.25)
    torch.testing.assert_close(average.model[1].running_mean, torch.full((4,), 0.5))
    assert average.model[1].num_batches_tracked == 7
    average.update(1.0)
    assert torch.equal(average.model[0].weight, model[0].weight)


def test_batch_norm_is_not_decayed():
    model = nn.Sequential(nn.Conv2d(3, 4, 1, bias=True), nn.BatchNorm2d(4), nn.Linear(4, 2))
    for name in ("fast-scaling", "efficientnet-x"):
        optimizer = make_optimizer(model, PRESETS[name], 3e-5)
        decayed, spared = optimizer.param_groups
        assert decayed["weight_decay"] == 3e-5 and len(decayed["params"]) == 4
        assert spared["weight_decay"] == 0 and len(spared["params"]) == 2


def test_rmsprop_is_tensorflows():
    """One step worked out: the mean square starts at 1, epsilon is under the root."""
    p = nn.Parameter(torch.tensor([1.0]))
    model = nn.Module()
    model.register_parameter("p", p)
    optimizer = make_optimizer(model, PRESETS["efficientnet-x"], 0.5)
    optimizer.param_groups[0]["lr"] = 0.1
    p.grad = torch.tensor([3.0])
    optimizer.step()
    gradient = 3.0 + 0.5 * 1.0
    square = 0.9 * 1.0 + 0.1 * gradient**2
    assert p.item() == pytest.approx(1 - 0.1 * gradient / math.sqrt(square + 1e-3), rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("fastscaling",), "Did you mean 'fast-scaling'"),
        (("fast-scaling", ["lr"]), "KEY=VALUE"),
        (("fast-scaling", ["learning_rate=1"]), "no 'learning_rate'"),
        (("fast-scaling", ["lr=-1"]), "greater than 0"),
        (("fast-scaling", ["lr=much"]), "lr"),
        (("fast-scaling", ["lr=.inf"]), "lr"),
        (("fast-scaling", ["schedule=linear"]), "exponential"),
        (("fast-scaling", ["area=[0.5, 0.1]"]), "smallest <= largest"),
        (("fast-scaling", ["final_lr=0"]), "final_lr"),
        (("fast-scaling", ["lr=["]), "cannot be read"),
    ],
)
def test_bad_recipes(arguments, says):
    with pytest.raises(InputError) as error:
        preset(*arguments)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_changes_are_read_as_yaml():
    r = preset("small-data", ["area=[0.35, 1]", "weight_decay=null", "flip=false"], epochs=3)
    assert (r.area, r.weight_decay, r.flip, r.epochs) == ((0.35, 1.0), None, False, 3)


# ------------------------------------------------------------------------------ plans


def test_resolution_follows_data_and_strategy():
    assert plan("EN-B0", "digits").net.resolution == 32
    assert plan("EN-B0", "imagenet").net.resolution == 224
    assert plan("proxy-Y", "tiny-imagenet").net.resolution == 32
    assert plan("proxy-Y", "cifar10", "r", 4).net.resolution == 64
    assert plan("proxy-Y", "cifar10", "r", 4, resolution=16).net.resolution == 32


def test_recipe_follows_data():
    assert plan("EN-B0", "digits").setting.recipe.batch == 16
    assert plan("EN-B0", "imagenet").setting.recipe == Recipe()
    assert plan("EN-B0", "digits", preset_name="fast-scaling").setting.recipe == Recipe()


@pytest.mark.parametrize("name", PROXIES)
def test_matching_factor_brings_flops_together(name):
    from repro.arch import scale
    from repro.complexity import complexity

    base = replace(PROXIES[name].at(16), num_classes=10)
    for strategy in ("d", "w1_g1", "dwgr", "dWr"):
        run = plan(name, "cifar10", strategy, 4, resolution=16, same_flops=True)
        ratio = complexity(run.net).flops / complexity(base).flops
        plain = complexity(scale(base, run.strategy, 4)).flops / complexity(base).flops
        assert abs(math.log(ratio / 4)) <= abs(math.log(plain / 4)) + 1e-9
        assert ratio == pytest.approx(4, rel=0.2)
        assert matching_factor(base, run.strategy, 4) == run.scale


def test_setting_differences_are_named():
    one = plan("proxy-Y", "digits").setting
    two = plan("proxy-Y", "digits", changes=["lr=1.0"], seed=3).setting
    found = differences(one.model_dump(), two.model_dump())
    assert found == ["recipe.lr: 0.05, now 1.0", "seed: 0, now 3"]
    assert differences(one.model_dump(), one.model_dump(mode="json")) == []


def test_batches_that_cannot_be_shared():
    setting, net = Setting(data="digits", accumulate=3), get("EN-B0").at(32)
    with pytest.raises(InputError, match="1024 cannot be shared evenly by 2 processes x 3"):
        check_parts(setting, Place(ranks=2), net)
    with pytest.raises(InputError, match="compile 'graph' cannot be combined with a CPU"):
        check_parts(Setting(data="digits", compile="graph"), Place(), net)
    one = setting.model_copy(update={"recipe": Recipe(batch=6)})
    with pytest.raises(InputError, match=r"at 32 pixels the last map of .*--resolution above 32"):
        check_parts(one, Place(ranks=2), net)
    check_parts(one, Place(ranks=2), net.at(33))  # four values per channel
    check_parts(one, Place(), net)
