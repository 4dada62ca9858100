import pytest

from repro.arch import NAMES, get, to_config
from repro.complexity import complexity
from repro.errors import InputError

FAMILIES = {"EN": 8, "RegNetX": 12, "RegNetY": 14, "RegNetZ": 2, "ResNet": 4, "ResNeXt": 3}
FAMILIES |= {"EN-TF": 8, "EN-X": 8, "EN-X-GPU": 8, "EN-X-TPU": 8, "EN-H": 3, "EN-H-TPU": 3}
FAMILIES |= {"EN-X-Table6-GPU": 7, "EN-X-Table6-TPU": 7}


def test_the_zoo_is_complete():
    families = [name.rsplit("-", 1)[0] for name in NAMES]
    assert {family: families.count(family) for family in families} == FAMILIES
    assert len(set(NAMES)) == len(NAMES)
    assert all(get(name).name == name for name in NAMES)


@pytest.mark.parametrize(
    "alias, name",
    [
        ("R-50-1x64d", "ResNet-50"),
        ("R-101-1x64d", "ResNet-101"),
        ("R-152-1x64d", "ResNet-152"),
        ("R-200-1x64d", "ResNet-200"),
        ("X-50-32x4d", "ResNeXt-50"),
        ("X-101-32x4d", "ResNeXt-101"),
        ("X-152-32x4d", "ResNeXt-152"),
    ],
)
def test_file_names_of_resnets_are_aliases(alias, name):
    assert get(alias) == get(name)


@pytest.mark.parametrize("size", ["500MF", "4GF"])
def test_regnetz_heads(size):
    base = to_config(get(f"RegNetZ-{size}"))
    assert to_config(get(f"RegNetZ-{size}-head1000")) == base
    assert to_config(get(f"RegNetZ-{size}-head1024")) == base | {"head_w": 1024}
    assert to_config(get(f"RegNetZ-{size}-head0")) == base | {"head_w": 0}


def test_two_networks_are_called_regnety_4gf():
    zoo, paper = get("RegNetY-4.0GF"), get("RegNetY-4GF")
    assert to_config(zoo) != to_config(paper)
    # what the paper prints (Table 6), in units of its last digit
    count = complexity(paper)
    printed = (round(count.flops / 1e8), round(count.params / 1e5), round(count.acts / 1e5))
    assert printed == (41, 224, 145)


def test_efficientnet_stages_by_hand():
    b2 = get("EN-B2")  # width x 1.1, depth x 1.2
    # 32 -> 35.2 -> 32; 80 -> 88; 1280 -> 1408
    assert (b2.stem_width, b2.head_width, b2.resolution) == (32, 1408, 260)
    assert [s.depth for s in b2.stages] == [2, 3, 3, 4, 4, 5, 2]
    assert [s.width for s in b2.stages] == [16, 24, 48, 88, 120, 208, 352]


@pytest.mark.parametrize(
    "name, nearest",
    [
        ("EN-B9", "EN-B7"),
        ("en-b0", "EN-B0"),
        ("efficientnet-b0", "EN-B0"),
        ("resnet50", "ResNet-50"),
        ("RegNetY-4.0", "RegNetY-4.0GF"),
        ("X-50-32x4", "X-50-32x4d"),
        ("RegNetZ-4GF-head", "RegNetZ-4GF"),
        ("RegNetZ-4GF-head٣", "RegNetZ-4GF"),
        ("RegNetZ-4GF-head123456", "RegNetZ-4GF"),
    ],
)
def test_unknown_names_suggest_the_nearest(name, nearest):
    with pytest.raises(InputError) as caught:
        get(name)
    assert repr(name) in str(caught.value)
    assert f"Did you mean {nearest!r}?" in str(caught.value)


@pytest.mark.parametrize("name", ["", "   ", "vit_base_patch16", "\udcff", "x" * 100_000])
def test_hopeless_names_are_errors_all_the_same(name):
    with pytest.raises(InputError, match="unknown network"):
        get(name)
