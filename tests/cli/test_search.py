"""``repro search SPACE``."""

import json

import pytest

from repro.paths import root
from repro.search.space import EFFICIENTNET

B0 = EFFICIENTNET.base
QUICK = ("--evaluations", "600")


def test_json_is_one_object_and_repeats_itself(run, tmp_path):
    command = (
        "search",
        "efficientnet",
        "--device",
        "V100",
        "--budget",
        "1x",
        *QUICK,
        "--seed",
        "3",
    )
    out = tmp_path / "found.json"
    status, printed, err = run(*command, "--json", "--out", str(out))
    assert (status, err) == (0, "")
    found = json.loads(printed)
    assert found == json.loads(out.read_text()) == json.loads(run(*command, "--json")[1])
    base, best = found["networks"]
    assert base["network"] == B0 and best["ms"] <= base["ms"]
    assert set(best) == {"network", "top1", "ms", "flops", "params", "acts"}
    assert (found["seed"], found["evaluations"], found["device"]) == (3, 600, "V100")
    assert [p.name for p in tmp_path.iterdir()] == ["found.json"]


def test_the_recorded_answer(run):
    """`repro search efficientnet --device V100 --budget 1x --out FILE` made the record."""
    recorded = json.loads((root() / "data" / "searches" / "efficientnet-V100.json").read_text())
    found = json.loads(
        run("search", "efficientnet", "--device", "V100", "--budget", "1x", "--json")[1]
    )
    pairs = list(zip(found.pop("networks"), recorded.pop("networks"), strict=True))
    assert found.pop("tied") == pytest.approx(recorded.pop("tied"), rel=0.05)
    for one, other in [*pairs, (found, recorded)]:
        assert one.keys() == other.keys()
        for key, value in other.items():
            wanted = pytest.approx(value, rel=1e-6) if isinstance(value, float) else value
            assert one[key] == wanted, key


def test_text_says_what_decides_and_how_sure_it_is(run):
    status, out, err = run("search", "efficientnet", "--device", "V100", "--budget", "4ms", *QUICK)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("efficientnet: 600 of 1.04e+11 networks looked at, seed 0; hard")
    assert lines[0].endswith("budget 4 ms on V100, batch 128")
    assert lines[3].startswith(f"{B0} (the space's own)")
    assert "points\non average" in out and "are within that" in out
    assert lines[-1].startswith("A flop is ") and lines[-1].endswith("bill (V100).")


def test_a_budget_of_counts_needs_no_device(run):
    _, out, _ = run("search", "efficientnet", "--budget", "400MF", *QUICK, "--json")
    found = json.loads(out)
    assert found["networks"][1]["flops"] <= 4e8 and found["phi"] == 1
    assert found["networks"][1]["ms"] is None
    _, out, _ = run("search", "efficientnet", "--budget", "9GF", *QUICK)
    assert "The budget decides nothing" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give a SPACE (efficientnet, accelerator) and a --budget"),
        (("efficientnet",), "give a --budget, such as 5ms"),
        (("eficientnet", "--budget", "1GF"), "unknown space 'eficientnet'. Did you mean"),
        (("efficientnet", "--budget", ""), "budget '' is not allowed"),
        (("efficientnet", "--budget", "-5ms"), "budget '-5ms' is not allowed"),
        (("efficientnet", "--budget", "5m"), "unknown unit 'm'"),
        (("efficientnet", "--budget", "5ms"), "needs a --device"),
        (("efficientnet", "--budget", "5ms", "--device", "V1"), "unknown device 'V1'"),
        (("efficientnet", "--budget", "1us", "--device", "V100", *QUICK), "is too small: of 600"),
        (("accelerator", "--budget", "1GF"), "nobody published what networks"),
        (("efficientnet", "--budget", "1GF", "--accuracy", "no.csv"), "'no.csv' cannot be read"),
        (("efficientnet", "--budget", "1GF", "--out", "no/where.json"), "there is no folder 'no'"),
        (("efficientnet", "--budget", "1GF", "--evaluations", "0"), "'--evaluations'"),
        (("efficientnet", "--budget", "1GF", "--score", "a.csv"), "--score cannot be combined"),
    ],
)
def test_bad_input(fails, arguments, message):
    assert message in fails("search", *arguments)
