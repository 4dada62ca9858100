"""``repro lacs`` as a user types it."""

import json

import pytest

from repro.paths import root


def test_the_best_networks_of_a_budget(run):
    status, out, err = run("lacs", "EN-B0", "--like", "EN-B3", "--device", "V100", "--json")
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
    """`repro lacs EN-B0 --like EN-B4 --device V100 --json` made the record."""
    recorded = json.loads((root() / "data" / "searches" / "lacs-EN-B0-V100.json").read_text())
    found = json.loads(run("lacs", "EN-B0", "--like", "EN-B4", "--device", "V100", "--json")[1])
    values = flat(found)
    assert values.keys() == flat(recorded).keys()
    for place, value in flat(recorded).items():
        wanted = pytest.approx(value, rel=1e-6, abs=1e-9) if isinstance(value, float) else value
        assert values[place] == wanted, place


def test_what_decides_is_said(run):
    status, out, _ = run("lacs", "EN-B0", "--target", "8", "--device", "V100", "--accuracy", "norm")
    assert status == 0 and out.startswith(
        "EN-B0 within 8 ms for 128 images on V100; error in percent"
    )
    assert out.splitlines()[-1].startswith("a flop is ") and " % of EN-B0's bill on V100" in out
    assert "quadratic" not in out


def test_plain_budgets_need_no_device(run):
    status, out, _ = run("lacs", "EN-X-B0", "--target", "3", "--by", "flops", "--json")
    rows = json.loads(out)
    assert status == 0 and all(row["flops"] <= 3e9 and row["phi"] == 1 for row in rows)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--target", "8"], "give a --device, or --by flops or acts"),
        (["--device", "V100"], "give either --target or --like NAME"),
        (["--device", "V100", "--target", "8", "--like", "EN-B1"], "give either --target or"),
        (["--device", "V100", "--target", "-1"], "target -1 ms is not allowed"),
        (["--device", "V100", "--target", "nan"], "target nan ms is not allowed"),
        (["--device", "V100", "--target", "0.01"], "no candidate costs as little"),
        (
            ["--device", "V100", "--target", "100000"],
            "is more than 64 times the flops of EN-B0 take",
        ),
        (["--device", "V10", "--target", "8"], "unknown device 'V10'. Did you mean 'V100'?"),
        (["--by", "acts", "--device", "V100", "--target", "8"], "--by acts needs no --device"),
        (["--device", "V100", "--like", "EN-B99"], "unknown network 'EN-B99'"),
    ],
)
def test_what_cannot_be_answered(fails, arguments, words):
    assert words in fails("lacs", "EN-B0", *arguments)


def test_only_relatives_of_b0(fails):
    words = fails("lacs", "ResNet-50", "--target", "8", "--device", "V100")
    assert "ResNet-50 has not EN-B0's depths and widths" in words
