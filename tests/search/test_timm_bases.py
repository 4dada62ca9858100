"""Networks of timm's, scaled by their constructors' arguments."""

import subprocess
import sys

import pytest

from repro.arch import get
from repro.arch.strategy import paper_strategy
from repro.complexity import complexity
from repro.errors import InputError
from repro.search.advise import Described, advise, device
from repro.search.budgets import read_budget
from repro.search.timm_bases import TimmBase


@pytest.mark.parametrize(
    "name",
    [
        "convnext_atto",
        "inception_next_atto",
        "resnet26",
        "resnetv2_50",
        "nfnet_l0",
        "regnety_002",
        "rexnet_100",
        "fasternet_t0",
    ],
)
def test_each_family_grows_as_asked(name):
    base = TimmBase(f"timm/{name}")
    own = base.base
    assert base.grow(paper_strategy("w"), 1.0) == own
    deep, wide, tall = (base.grow(paper_strategy(s), 4.0) for s in ("d", "w", "r"))
    assert tall.params == own.params and tall.resolution == 2 * own.resolution
    assert deep.priced.kernels > 2 * own.priced.kernels and deep.resolution == own.resolution
    assert wide.priced.kernels == own.priced.kernels and wide.params > 2 * own.params
    for grown in (deep, wide, tall):
        assert 2.3 < grown.flops / own.flops < 5


def test_a_resnet_is_the_described_one():
    timm, ours = TimmBase("timm/resnet50"), get("ResNet-50")
    counts = complexity(ours)
    assert (timm.base.flops, timm.base.params, timm.base.acts) == (
        counts.flops,
        counts.params,
        counts.acts,
    )


def test_advice_comes_near_the_budget():
    rows = advise(
        TimmBase("timm/fasternet_t0"),
        device("rtx4090"),
        read_budget("2x"),
        strategies=("w", "r"),
    )
    for row in rows:
        assert row.top1_error is None and row.ms <= 2 * 0.035


@pytest.mark.parametrize("mode", ["infer", "train"])
def test_a_roofline_takes_what_was_run_as_it_takes_a_description(mode):
    roof, ours = device("H100", mode), Described(get("ResNet-50")).base
    timm = TimmBase("timm/resnet50").base
    assert roof.ms(timm) == pytest.approx(roof.ms(ours), rel=0.01)
    assert roof.phi(timm) == pytest.approx(roof.phi(ours), abs=0.02)


def test_a_family_without_arguments():
    with pytest.raises(InputError, match=r"takes no depths and widths in timm.*complexity EN-B0"):
        TimmBase("timm/efficientnet_lite0")
    with pytest.raises(InputError, match=r"timm has no network 'resnet5'\. Did you mean"):
        TimmBase("timm/resnet5")


def test_what_cannot_be_asked_is_known_before_timm_is_imported():
    code = (
        "import sys; from repro.cli.app import main;"
        "main(['advise', 'timm/ghostnet_100', '--budget', '2x']);"
        "main(['advise', 'timm/resnet5', '--budget', '2x']);"
        "print([m for m in ('timm', 'torch') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]" and "Did you mean" in run.stderr
