"""Scores of fresh weights: each formula by hand, and the record."""

import importlib.util
import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from repro import reference
from repro.arch import get
from repro.paths import root
from repro.search.space import EFFICIENTNET

SPEC = importlib.util.spec_from_file_location("zero_cost", root() / "benchmarks" / "zero_cost.py")
z = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(z)


def linear(*matrices):
    """Images as rows, then linear layers without biases."""
    layers = []
    for matrix in matrices:
        weight = torch.tensor(matrix, dtype=torch.float32)
        layers.append(nn.Linear(weight.shape[1], weight.shape[0], bias=False))
        layers[-1].weight.data = weight
    return nn.Sequential(nn.Flatten(), *layers)


def images(*pixels):
    return torch.tensor(pixels, dtype=torch.float32)[:, None, None, :]


def test_images_agree_where_both_are_on_or_both_off():
    on = torch.tensor([[1, 0, 1], [1, 1, 1], [0, 1, 0]], dtype=torch.bool)
    assert z.agreement(on).tolist() == [[3, 2, 0], [2, 3, 1], [0, 1, 3]]


@pytest.mark.parametrize("act", [nn.ReLU, nn.SiLU])
def test_naswot_is_the_logarithm_of_a_determinant(act):
    """One image turns on the first of two units, the other both: K = [[2, 1], [1, 2]]."""
    model = nn.Sequential(linear([[1, 0], [0, 1]]), act())
    assert z.naswot(model, images((1, -1), (1, 1))) == pytest.approx(math.log(3))
    assert not model[1]._forward_pre_hooks


def test_images_that_turn_on_the_same_units_have_no_volume():
    assert z.naswot(nn.Sequential(linear([[1.0]]), nn.ReLU()), images((1,), (2,))) == -math.inf


def test_synflow_of_a_linear_net_is_its_depth_times_the_product():
    one = images((0,))[0]
    assert z.synflow(linear([[-2]], [[3]]), one) == pytest.approx(math.log(2 * 6))
    two = linear([[1, -2], [3, 4]], [[-1, 5]], [[2]])
    assert z.synflow(two, images((0, 0))[0]) == pytest.approx(math.log(3 * 2 * (3 + 5 * 7)))


def test_synflow_passes_through_batch_norm_and_leaves_the_model_alone():
    def one_conv(*more):
        conv = nn.Conv2d(1, 1, 1, bias=False)
        conv.weight.data.fill_(-2)
        return nn.Sequential(conv, *more)

    model = one_conv(nn.BatchNorm2d(1, eps=0))
    assert z.synflow(model, torch.zeros(1, 1, 1)) == pytest.approx(math.log(2))
    assert model[0].weight.item() == -2
    assert model[0].weight.dtype == torch.float32


def test_gradients_of_an_undecided_net_are_by_hand():
    """Two classes at one half each: the gradient is (p - y) x."""
    [found] = z.gradients(linear([[0], [0]]), (images((2,)), torch.tensor([0])))
    assert found.flatten().tolist() == [-1, 1]


def test_grad_norm_sums_over_layers():
    assert z.grad_norm([torch.tensor([3.0, 4.0]), torch.tensor([[12.0]])]) == 17


def test_zico_sums_means_over_deviations_in_each_layer():
    """Sizes 1 and 3 have mean 2 and deviation 1; a weight that does not move does not count."""
    one, two = torch.tensor([1.0, -2.0, -1.0]), torch.tensor([-3.0, 2.0, 3.0])
    layer = math.log(2 + 2)
    assert z.zico([[one], [two]]) == pytest.approx(layer)
    assert z.zico([[one, one], [two, two]]) == pytest.approx(2 * layer)
    assert z.zico([[one], [-one]]) == 0


@pytest.mark.parametrize("kind", z.INPUTS)
def test_images_are_the_same_every_time(kind):
    first, second = z.batches(kind, 2, 8, 16)
    assert first[0].shape == (8, 3, 16, 16)
    assert not first[0].equal(second[0])
    both = torch.cat([first[0], second[0]])
    assert (float(both.mean()), float(both.std())) == pytest.approx((0, 1), abs=0.05)
    assert first[1].max() < z.CLASSES
    assert all(a.equal(b) for a, b in zip(first, z.batches(kind, 2, 8, 16)[0], strict=True))


def test_networks_are_drawn_from_those_that_were_trained():
    found = list(z.networks(5, 60))
    known = {("-".join(("B0", *row[:4])), float(row.top1)) for row in reference.b0_space()}
    assert {(net.name, top1) for kind, net, top1 in found if kind == "space"} < known
    assert len({net.name for _, net, _ in found}) == len(found)
    zoo = {net.name: top1 for kind, net, top1 in found if kind == "zoo"}
    assert zoo["RegNetX-200MF"] == pytest.approx(100 - 31.088)
    assert {get(name).resolution for name in zoo} == {z.ZOO_RESOLUTION}


def test_the_record_is_what_the_script_finds():
    record = json.loads((root() / "data/searches/zero-cost.json").read_text())
    about = record["about"]
    row = min((r for r in record["rows"] if r["set"] == "space"), key=lambda r: r["seconds"])
    data = z.batches(row["images"], about["batches"], about["images"], about["side"])
    net = EFFICIENTNET.network(EFFICIENTNET.parse(row["network"]))
    found = z.scores(net, data, row["seed"])
    assert found == pytest.approx({name: row[name] for name in found}, rel=1e-3)
    drawn = [(k, n.name, top1) for k, n, top1 in z.networks(about["networks"], about["draw"])]
    rows = [(r["set"], r["network"], r["top1"]) for r in record["rows"][: len(drawn)]]
    assert rows == [(k, name, pytest.approx(top1)) for k, name, top1 in drawn]
    assert all(np.isfinite([r[name] for name in found]).all() for r in record["rows"])
