"""Where timm's EfficientNet-X and -H are other networks than the authors'."""

import pytest
from torch import nn

from repro.analysis.accelerators.timm_x import TIMM_MODELS, both, params_of, timm_differences
from repro.arch import get
from repro.complexity import complexity
from repro.counters import count
from repro.models import Block

# timm's parameters, and its conv outputs in millions at a resolution: its own result files print
# 13.3, 33.44 and 45.88 M, and 15.6, 68.87 and 73.9 M.
PRINTED = {
    "efficientnet_x_b3": (13_299_652, 288, 15.60),
    "efficientnet_x_b5": (33_439_614, 448, 68.87),
    "efficientnet_h_b5": (45_884_172, 448, 73.90),
}


@pytest.fixture(scope="module")
def differences():
    return timm_differences()


@pytest.fixture(scope="module", params=TIMM_MODELS)
def pair(request):
    return request.param, *both(request.param)


def test_counts_of_timms_networks(pair):
    name, _, theirs = pair
    params, resolution, macts = PRINTED[name]
    counted = count(theirs, (3, resolution, resolution))
    assert counted.params == params
    assert round(counted.conv_acts / 1e6, 2) == macts


def test_every_parameter_of_the_difference_is_explained(pair, differences):
    name, ours, theirs = pair
    explained = sum(d.params for d in differences if d.model == name)
    assert params_of(ours) == complexity(get(TIMM_MODELS[name])).params
    assert explained == params_of(theirs) - params_of(ours) > 0


def test_differences_one_by_one(differences):
    b3 = {d.what: (d.authors, d.timm) for d in differences if d.model == "efficientnet_x_b3"}
    assert b3 == {
        "activation of the fused stages": ("SiLU", "ReLU"),
        "activation everywhere else": ("ReLU", "SiLU"),
        "padding": ("SAME in every conv", "24 convs as SAME, 4 symmetric"),
        "batch norm": ("eps 0.001, momentum 0.01", "eps 1e-05, momentum 0.1"),
        "dropout and stochastic depth by default": ("0.3, 0.2", "0, 0"),
        "pixels per side by default": ("300", "288"),
        "spatial conv of block 2": ("2x2", "3x3"),
        "squeeze width of block 3": ("6", "24"),
    }
    assert {d.what for d in differences if d.model == "efficientnet_h_b5"} - set(b3) == {
        "spatial conv of block 3",
        "squeeze width of block 4",
    }
    assert all(d.authors != d.timm for d in differences)


def test_what_is_the_same(pair):
    """Widths, repeats, the 2x2 conv, hidden widths, skips and head."""
    _, ours, theirs = pair
    mine = [m for m in ours.modules() if isinstance(m, Block)]
    timms = [b for stage in theirs.blocks for b in stage]
    assert [len(s) for s in ours.stages] == [len(s) for s in theirs.blocks]
    for a, t in zip(mine, timms, strict=True):
        spatial = t.conv_exp if hasattr(t, "conv_exp") else t.conv_dw
        last = t.conv_pwl if hasattr(t, "conv_pwl") else t.conv_pw
        assert a.spatial.conv.out_channels == spatial.out_channels
        assert a.project.conv.out_channels == last.out_channels
        assert (a.skip is not None) == t.has_skip
        assert isinstance(a.space_to_depth, nn.Identity) == (getattr(t, "conv_s2d", None) is None)
    assert ours.head_conv.conv.out_channels == theirs.conv_head.out_channels
