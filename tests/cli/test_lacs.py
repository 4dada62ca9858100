"""``repro lacs`` as a user types it."""

import json
import re

import pytest

from repro.arch import get
from repro.cli.text import DEVICE_HELP
from repro.paths import root
from repro.prices.law import devices
from repro.search.accuracy import Surface
from repro.search.latency import roofline
from repro.search.scaling import lacs, of_b0

V100 = "roofline:V100"


def test_the_best_networks_of_a_budget(run):
    status, out, err = run("lacs", "EN-B0", "--like", "EN-B3", "--device", V100, "--json")
    rows = json.loads(out)
    assert (status, err) == (0, "")
    assert [row["surface"] for row in rows] == ["quadratic", "norm", "product"]
    for row in rows:
        assert row["cost"] <= row["target"] and 0 < row["phi"] < 0.5
        assert sum(row["shares"]) == pytest.approx(1)
        assert row["alike"]["width"][0] <= row["width"] <= row["alike"]["width"][1]
        assert row["regrets"]["r"] > row["regrets"]["dWr"]


def flat(item, path=""):
    """Every value of a JSON document, by its place."""
    if not isinstance(item, dict | list):
        return {path: item}
    pairs = item.items() if isinstance(item, dict) else enumerate(item)
    return {k: v for key, value in pairs for k, v in flat(value, f"{path}/{key}").items()}


def test_the_recorded_answer(run):
    """`repro lacs EN-B0 --like EN-B4 --device roofline:V100 --json` made the record."""
    recorded = json.loads((root() / "data" / "searches" / "lacs-EN-B0-V100.json").read_text())
    found = json.loads(run("lacs", "EN-B0", "--like", "EN-B4", "--device", V100, "--json")[1])
    values = flat(found)
    assert values.keys() == flat(recorded).keys()
    for place, value in flat(recorded).items():
        wanted = pytest.approx(value, rel=1e-6, abs=1e-9) if isinstance(value, float) else value
        assert values[place] == wanted, place


def test_what_decides_is_said(run):
    words = ("--device", V100, "--accuracy", "norm")
    status, out, _ = run("lacs", "EN-B0", "--target", "8ms", *words)
    assert status == 0 and out == run("lacs", "EN-B0", "--target", "8", *words)[1]
    assert out.startswith("EN-B0 within 8 ms\nfor 128 images at once on V100's roofline\n")
    assert out.splitlines()[-1].startswith("flops are ") and "EN-B0's time on V100's roofl" in out
    assert "quadratic" not in out
    assert "\nflops alone decide" in run("lacs", "EN-B0", "--target", "2GF")[1]


def test_a_rival_that_never_reaches_the_time_is_left_out(run):
    """Grown to 64 times the flops by width, B0 is not yet so slow as B6 on a V100's roofline."""
    words = ("lacs", "EN-B0", "--like", "EN-B6", "--device", V100, "--accuracy", "norm")
    status, out, _ = run(*words)
    assert status == 0 and "never so slow at 64 times the flops: dWr, 2/3, w" in out
    assert "THE BUDGET DECIDES NOTHING" in out
    (row,) = json.loads(run(*words, "--json")[1])
    assert row["regrets"]["w"] is None and row["regrets"]["d"] > 0 and row["binds"] is False


def test_the_papers_procedure_stands_beside_the_grid(run):
    words = ("lacs", "EN-B0", "--like", "EN-B3", "--device", V100, "--accuracy", "norm")
    (row,) = json.loads(run(*words, "--json")[1])
    surface, scaler = Surface.fit("norm"), of_b0(get("EN-B0"))
    found = lacs(roofline("V100")(get("EN-B3")), roofline("V100"), surface, scaler)
    of = row["procedure"]
    assert (of["width"], of["depth"], of["pixels"]) == found.coefficients
    assert of["error"] == found.error and sum(of["shares"]) == pytest.approx(1)
    assert f"{of['depth']:.2f}" in run(*words)[1].partition("procedure")[2]


def test_plain_budgets_need_no_device(run):
    status, out, _ = run("lacs", "EN-X-B0", "--target", "3", "--by", "flops", "--json")
    rows = json.loads(out)
    assert status == 0 and all(row["flops"] <= 3e9 and row["phi"] == 1 for row in rows)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "give either --target or --like NAME; and a --device, or --by flops"),
        (["--target", "8"], "a budget of latency needs a --device, such as V100 (or --by flops)"),
        (["--target", "8GB"], "target '8GB' is not allowed; a number of ms, GF, Macts is"),
        (["--target", "8ms", "--by", "flops"], "target '8ms' is not allowed; a number of GF is"),
        (["--device", "V100"], "give either --target or --like NAME"),
        (["--device", "V100", "--target", "8", "--like", "EN-B1"], "give either --target or"),
        (["--device", "V100", "--target", "-1"], "budget '-1' is not allowed"),
        (["--device", "V100", "--target", "nan"], "budget 'nan' is not allowed"),
        (["--device", V100, "--target", "2"], "target 2 is too small: EN-B0 itself needs 4.66 ms"),
        (
            ["--device", "V100", "--target", "100000"],
            "is more than any rule takes at 64 times",
        ),
        (["--device", "V10", "--target", "8"], "unknown device 'V10'. Did you mean 'v100'?"),
        (
            ["--by", "acts", "--device", "V100", "--target", "8"],
            "a budget of acts needs no --device",
        ),
        (["--device", "V100", "--like", "EN-B99"], "unknown network 'EN-B99'"),
    ],
)
def test_what_cannot_be_answered(fails, arguments, words):
    assert words in fails("lacs", "EN-B0", *arguments)


def test_only_relatives_of_b0(fails):
    words = fails("lacs", "ResNet-50", "--target", "8", "--device", "V100")
    assert "ResNet-50 has not EN-B0's depths and widths" in words


def test_both_meanings_of_a_v100_are_named(run):
    out = run("lacs", "EN-B0", "--target", "80ms", "--device", "V100", "--accuracy", "norm")[1]
    assert "images at once on v100/infer/zoo; --device roofline:V100 takes its roofline" in out


def test_devices_of_the_help_are_known():
    priced, rooflines = devices()
    for name in re.findall(r"[\w:]+", DEVICE_HELP.replace("(fitted prices)", "")):
        assert name in (*priced, *rooflines, "rooflines"), name
