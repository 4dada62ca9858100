import pytest

from repro.errors import did_you_mean

NAMES = ("EN-B7", "EN-B0", "RegNetY-4GF", "ResNet-50")


@pytest.mark.parametrize(
    "given, nearest",
    [
        ("EN-B00", "EN-B0"),
        ("regnety-4gf", "RegNetY-4GF"),
        ("resnet50", "ResNet-50"),
        ("EN-BO", "EN-B0"),
    ],
)
def test_suggests_the_nearest_whatever_its_case(given, nearest):
    assert did_you_mean(given, NAMES) == f" Did you mean {nearest!r}?"


def test_suggests_nothing_when_nothing_is_near():
    assert did_you_mean("vit_base", NAMES) == ""
    assert did_you_mean("EN-B0", ()) == ""
