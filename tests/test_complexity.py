import csv
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.arch import NAMES, MBStage, Network, ResStage, get, scale
from repro.complexity import Complexity, complexity, out_size


@pytest.mark.parametrize(
    "size, stride, out", [(224, 2, 112), (225, 2, 113), (7, 2, 4), (1, 2, 1), (9, 1, 9), (10, 3, 4)]
)
def test_out_size(size, stride, out):
    assert out_size(size, stride) == out


def test_res_by_hand():
    net = Network("tiny", (ResStage(1, 8, 4),), resolution=8, stem_width=8, num_classes=10)
    # 8 x 8 -> stem 4 x 4 -> block 2 x 2; the skip is a projection
    assert complexity(net) == Complexity(
        conv_macs=3 * 9 * 8 * 16 + 8 * 8 * 16 + 9 * 8 * 4 * 4 + 8 * 8 * 4 + 8 * 8 * 4,
        se_macs=0,
        classifier_macs=80,
        se_biases=0,
        classifier_biases=10,
        conv_params=216 + 64 + 288 + 64 + 64,
        bn_params=2 * (8 + 8 + 8 + 8 + 8),
        se_params=0,
        classifier_params=90,
        conv_acts=8 * 16 + 8 * 16 + 8 * 4 + 8 * 4 + 8 * 4,
        se_acts=0,
        classifier_acts=10,
        pool_acts=0,
    )


def test_mb_by_hand():
    stage = MBStage(depth=2, width=8, expansion=2, kernel=5, stride=1)
    net = Network("tiny", (stage,), resolution=8, stem_width=8, se_ratio=0.25, num_classes=10)
    # all maps 4 x 4; two equal blocks of 8 -> 16 -> 8 channels, squeezed to 2
    assert complexity(net) == Complexity(
        conv_macs=3456 + 2 * (8 * 16 * 16 + 25 * 16 * 16 + 16 * 8 * 16),
        se_macs=2 * (16 * 2 + 2 * 16),
        classifier_macs=80,
        se_biases=2 * (2 + 16),
        classifier_biases=10,
        conv_params=216 + 2 * (128 + 400 + 128),
        bn_params=2 * (8 + 2 * (16 + 16 + 8)),
        se_params=2 * (64 + 18),
        classifier_params=90,
        conv_acts=128 + 2 * (256 + 256 + 128),
        se_acts=2 * 18,
        classifier_acts=10,
        pool_acts=0,
    )


def test_stem_pool_head_and_no_classes_by_hand():
    net = Network(
        "tiny",
        (MBStage(1, 4, 1),),
        resolution=16,
        stem="conv7_pool",
        stem_width=4,
        head_width=12,
        num_classes=0,
    )
    # 16 -> conv 8 x 8 -> pool 4 x 4; block without expansion; head at 4 x 4
    count = complexity(net)
    assert count.conv_macs == 3 * 49 * 4 * 64 + (9 * 4 + 4 * 4) * 16 + 4 * 12 * 16
    assert count.conv_params == 588 + 36 + 16 + 48
    assert count.bn_params == 2 * (4 + 4 + 4 + 12)
    assert count.conv_acts == 4 * 64 + 4 * 16 + 4 * 16 + 12 * 16
    assert count.pool_acts == 4 * 16
    assert (count.classifier_macs, count.classifier_params, count.classifier_acts) == (0, 0, 0)


def test_every_row_of_the_authors_code(reference_rows):
    wrong = []
    for row in reference_rows:
        net = get(row["base"])
        if row["scale_type"]:
            net = scale(net, row["scale_type"], row["scale"])
        count = complexity(net)
        ours = {"flops": count.flops, "params": count.params, "acts": count.acts}
        if ours != {key: row[key] for key in ours}:
            wrong.append((net.name, ours))
    assert len(reference_rows) == 998
    assert not wrong


@pytest.mark.parametrize("level", [f"b{i}" for i in range(8)])
def test_efficientnets_by_the_second_papers_convention(level, reference_folder):
    with (reference_folder / "efficientnet_x_complexity.csv").open() as file:
        row = next(r for r in csv.DictReader(file) if r["model"] == f"efficientnet-{level}")
    expected = tuple(int(row[key]) for key in ("flops", "params", "acts"))
    count = complexity(get(f"EN-{level.upper()}"))
    assert count.counted_as("efficientnet-x") == expected
    assert count.counted_as("pycls") == (count.flops, count.params, count.acts)
    # the conventions differ in biases and in the classifier's outputs
    assert count.flops - expected[0] == count.se_biases + 1000
    assert count.acts - expected[2] == 1000


stages = st.one_of(
    st.lists(
        st.builds(
            lambda groups, g, **rest: ResStage(width=groups * g, group_width=g, **rest),
            st.integers(1, 4),
            st.sampled_from([1, 3, 8, 24]),
            depth=st.integers(1, 4),
            bottleneck=st.sampled_from([1.0, 2.0, 4.0]),
            stride=st.integers(1, 2),
            linear=st.booleans(),
        ),
        min_size=1,
        max_size=3,
    ),
    st.lists(
        st.builds(
            MBStage,
            depth=st.integers(1, 4),
            width=st.integers(1, 40),
            expansion=st.integers(1, 6),
            kernel=st.sampled_from([1, 3, 5, 7]),
            stride=st.integers(1, 2),
        ),
        min_size=1,
        max_size=3,
    ),
).map(tuple)
networks = st.builds(
    Network,
    st.just("random"),
    stages,
    resolution=st.integers(32, 300),
    stem_width=st.integers(1, 48),
    stem=st.sampled_from(["conv3", "conv7_pool"]),
    head_width=st.integers(0, 64),
    se_ratio=st.sampled_from([0.0, 0.25, 0.5]),
    num_classes=st.integers(0, 20),
)


def layer_by_layer(net):
    """The same counts the slow way: a list of every conv, written down one block at a time."""
    convs = []  # kernel, groups, in, out, map side after it, has bias, has BN
    pools = 0
    side = out_size(net.resolution, 2)
    convs.append((3 if net.stem == "conv3" else 7, 1, net.in_channels, net.stem_width, side, 0, 1))
    if net.stem == "conv7_pool":
        side = out_size(side, 2)
        pools = net.stem_width * side**2
    width = net.stem_width
    for stage in net.stages:
        for i in range(stage.depth):
            stride = stage.stride if i == 0 else 1
            after = out_size(side, stride)
            if isinstance(stage, MBStage):
                kernel, mid = stage.kernel, width * stage.expansion
                groups, squeeze = mid, int(width * net.se_ratio)
                expand, project = stage.expansion != 1, False
            else:
                kernel, mid = 3, int(stage.width * stage.bottleneck)
                groups, squeeze = mid // stage.group_width, round(width * net.se_ratio)
                expand = True
                project = not stage.linear and (width != stage.width or stride != 1)
            if expand:
                convs.append((1, 1, width, mid, side, 0, 1))
            convs.append((kernel, groups, mid, mid, after, 0, 1))
            if squeeze:
                convs += [(1, 1, mid, squeeze, 1, 1, 0), (1, 1, squeeze, mid, 1, 1, 0)]
            convs.append((1, 1, mid, stage.width, after, 0, 1))
            if project:
                convs.append((1, 1, width, stage.width, after, 0, 1))
            width, side = stage.width, after
    if net.head_width:
        convs.append((1, 1, width, net.head_width, side, 0, 1))
        width = net.head_width
    flops = params = acts = 0
    for kernel, groups, wide_in, wide_out, side, bias, bn in convs:
        weights = kernel**2 * wide_in // groups * wide_out
        flops += (weights + bias * wide_out) * side**2
        params += weights + (bias + 2 * bn) * wide_out
        acts += wide_out * side**2
    classifier = width * net.num_classes + net.num_classes
    return flops + classifier, params + classifier, acts + net.num_classes + pools


@given(networks)
def test_any_description_counts_as_layer_by_layer(net):
    assert complexity(net).counted_as("pycls") == layer_by_layer(net)


@given(networks)
def test_parts_add_up(net):
    count = complexity(net)
    parts = count.parts()
    assert tuple(parts) == Complexity.__match_args__
    assert all(isinstance(n, int) and n >= 0 for n in parts.values())

    def total(*endings):
        return sum(n for key, n in parts.items() if key.endswith(endings))

    assert total("_macs") == count.macs
    assert total("_macs", "_biases") == count.flops
    assert total("_params") == count.params
    assert total("_acts") == count.acts


@given(networks)
def test_each_further_block_of_a_stage_costs_the_same(net):
    def with_depth(depth):
        stages = (replace(net.stages[0], depth=depth), *net.stages[1:])
        return complexity(replace(net, stages=stages)).parts().values()

    two, three, four = (with_depth(depth) for depth in (2, 3, 4))
    assert [b - a for a, b in zip(two, three, strict=True)] == [
        c - b for b, c in zip(three, four, strict=True)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_twice_the_resolution_is_four_times_the_map(name):
    net = get(name)
    side = 4 * net.total_stride
    small, large = complexity(net.at(side)).parts(), complexity(net.at(2 * side)).parts()
    by_area = {"conv_macs", "conv_acts", "pool_acts"}
    assert large == {key: n * (4 if key in by_area else 1) for key, n in small.items()}


def test_counting_imports_neither_torch_nor_numpy():
    code = (
        "import sys, repro.arch, repro.complexity, repro.cli.rows, repro.cli;"
        "print(sorted({'torch', 'numpy', 'pandas', 'timm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
