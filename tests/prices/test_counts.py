"""Counts that have a price: from descriptions, from running modules, and beside timm's table."""

import pytest

from repro.arch import NAMES, get, scale
from repro.counters import count
from repro.errors import InputError
from repro.evidence.public import public_timings
from repro.models import build
from repro.prices.counts import counts_of, counts_of_timed, timm_counts
from repro.prices.sources import public_counts
from repro.runtime.jobs import job, subject_of
from repro.runtime.roofline import kernel_count

TABLED = (
    *("resnet50", "resnet26d", "resnext50_32x4d", "seresnet50", "wide_resnet50_2", "vgg16"),
    *("efficientnet_b0", "efficientnetv2_rw_s", "mobilenetv2_100", "mobilenetv3_rw"),
    *("regnetx_032", "regnety_032", "convnext_tiny", "densenet121", "nfnet_l0", "hrnet_w18_small"),
    *("cspdarknet53", "dla34", "ecaresnet50t", "gcresnet50t", "repvgg_b0", "inception_v4"),
)


@pytest.mark.parametrize("name", [n for n in NAMES if get(n).rules == "pycls"][::4])
def test_a_description_is_counted_as_its_module_runs(name):
    net = get(name)
    seen, counts = count(build(net, device="meta")), counts_of(net)
    assert counts.acts == seen.conv_acts + seen.linear_acts
    assert counts.writes == seen.written - counts.acts
    assert counts.kernels == seen.kernels == kernel_count(net)


def test_kinds():
    kinds = {name: counts_of(get(name)).kind for name in ("ResNet-50", "RegNetY-4GF", "EN-B0")}
    assert kinds == {"ResNet-50": "dense", "RegNetY-4GF": "grouped", "EN-B0": "depthwise"}
    assert timm_counts("timm/botnet26t_256")[0].kind == "attention"
    assert timm_counts("timm/vit_tiny_patch16_224")[0].kind == "transformer"
    assert timm_counts("timm/convnext_atto")[0].kind == "depthwise"


@pytest.mark.parametrize("name", TABLED)
def test_timm_s_networks_are_counted_as_in_timm_s_table(name):
    row = next(row for row in public_timings() if row.model == name)
    counts, size = timm_counts(f"timm/{name}", row.resolution)
    assert size == row.resolution
    assert counts.acts / 1e6 == pytest.approx(row.macts, abs=0.006)
    # the table's flops have batch norm's in them, two an element
    assert counts.flops / 1e9 == pytest.approx(row.gflops, rel=0.06, abs=0.006)
    assert counts == public_counts()[name, size]  # what the stored file says


def test_every_network_of_the_table_is_counted():
    rows = public_timings()
    assert {(row.model, row.resolution) for row in rows} == set(public_counts())
    off = [
        r for r in rows if abs(public_counts()[r.model, r.resolution].acts / 1e6 - r.macts) > 0.03
    ]
    # timm has other networks by these names today, or counted them merged
    assert {row.model.rstrip("0123456789") for row in off} <= {
        *("ghostnetv3_", "ig_resnext101_32x16d", "regnety_", "ecaresnext50t_32x4d"),
    }


def test_one_network_described_here_and_by_timm():
    theirs, _ = timm_counts("timm/resnet50")
    ours = counts_of(get("ResNet-50"))
    assert ours[1:] == theirs[1:]
    assert ours.flops == theirs.flops + 1000  # the classifier's biases


def test_what_a_record_says_was_run():
    scaled = scale(get("EN-B0"), "dWr", 4)
    asked = job("EN-B0", "dWr", 4, job("EN-B0").protocol).subject
    assert counts_of_timed(asked) == counts_of(scaled)
    small = get("EN-B0").at(64)
    assert counts_of_timed(subject_of(small, "EN-B0")) == counts_of(small)
    with pytest.raises(InputError, match="piece"):
        counts_of_timed(job("MBConv-c32@56").subject)
