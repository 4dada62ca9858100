"""``repro search SPACE``."""

import json
import re
import shlex

import pytest

from repro.cli import advise, lacs, search
from repro.paths import root
from repro.search.space import ACCELERATOR, EFFICIENTNET

B0 = EFFICIENTNET.base
V100 = "roofline:V100"
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
    """`repro search efficientnet --device roofline:V100 --budget 1x --out FILE` made the record."""
    recorded = json.loads((root() / "data" / "searches" / "efficientnet-V100.json").read_text())
    found = json.loads(
        run("search", "efficientnet", "--device", V100, "--budget", "1x", "--json")[1]
    )
    pairs = list(zip(found.pop("networks"), recorded.pop("networks"), strict=True))
    assert found.pop("tied") == pytest.approx(recorded.pop("tied"), rel=0.05)
    for one, other in [*pairs, (found, recorded)]:
        assert one.keys() == other.keys()
        for key, value in other.items():
            wanted = pytest.approx(value, rel=1e-6) if isinstance(value, float) else value
            assert one[key] == wanted, key


def test_text_says_what_decides_and_how_sure_it_is(run):
    status, out, err = run("search", "efficientnet", "--device", V100, "--budget", "4ms", *QUICK)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("efficientnet: 600 of 1.04e+11 networks looked at, seed 0; hard")
    assert lines[0].endswith("budget 4 ms")
    assert lines[1] == "for 128 images at once on V100's roofline"
    assert "ms a batch" in lines[3] and lines[4].startswith(f"{B0} (the space's own)")
    assert "points\non average" in out and "are within that" in out
    assert lines[-1].startswith("Flops are ") and "network's time on V100's roofline" in lines[-1]


def test_a_budget_of_counts_needs_no_device(run):
    _, out, _ = run("search", "efficientnet", "--budget", "400MF", *QUICK, "--json")
    found = json.loads(out)
    assert found["networks"][1]["flops"] <= 4e8 and found["phi"] == 1
    assert found["networks"][1]["ms"] is None
    _, out, _ = run("search", "efficientnet", "--budget", "9GF", *QUICK)
    assert "The budget decides nothing" in out and "flops alone decide" in out
    assert " ms" not in out


def test_blocks_of_another_machine_are_a_warning(run, monkeypatch):
    from repro.runtime import device

    here = device.machine("cpu")
    table = str(root() / "data" / "records" / "block-table-cpu.jsonl")
    for name, warned in (("AMD EPYC", False), ("Another CPU", True)):
        there = here.model_copy(update={"device_name": name})
        monkeypatch.setattr(device, "machine", lambda kind, there=there: there)
        words = ("search", "efficientnet", "--device", table, "--budget", "1x", *QUICK)
        status, out, err = run(*words)
        assert status == 0 and ("warning: these blocks were timed on AMD EPYC" in err) == warned
        assert "AMD EPYC, 1 thread, by the blocks of" in out and "Sums of blocks are off by" in out


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
        (
            ("efficientnet", "--budget", "1GF", "--score", "a.csv"),
            "--score cannot be combined with --budget",
        ),
        (("--score", "a.csv", "--seed", "3"), "--score cannot be combined with --seed; only --dev"),
        (("efficientnet", "--budget", "5ms", "--device", "cpu"), "measured, which needs --shared"),
    ],
)
def test_bad_input(fails, arguments, message):
    assert message in fails("search", *arguments)


# examples of the help, this verb's and its neighbours'


def examples():
    for verb in (search.search, lacs.lacs, advise.advise):
        _, _, shown = (verb.__doc__ or "").partition("Examples:\n")
        for line in shown.splitlines():
            if line.strip().startswith("repro "):
                yield line.strip()


def test_there_are_some():
    assert sum("lacs" in line for line in examples()) == 3 and len([*examples()]) > 10


@pytest.mark.parametrize("line", [*examples()])
def test_an_example_runs(run, line, tmp_path, monkeypatch):
    """With files as it names them; what times networks here looks at two of them."""
    (tmp_path / "mine.csv").write_text(f"network,error\n{ACCELERATOR.base},22.7\n")
    digits = EFFICIENTNET.base.removeprefix("B0-").replace("-", ",")
    (tmp_path / "networks.csv").write_text(f"e,k,l,se\n{digits}\n")
    table = root() / "data" / "records" / "block-table-cpu.jsonl"
    (tmp_path / "blocks.jsonl").write_text(table.read_text())
    (tmp_path / "mine.json").write_text(run("complexity", "ResNet-50", "--json")[1])
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line.partition("#")[0].partition(">")[0])[1:]
    if "--shared" in words:
        words[words.index("20ms")] = "9s"  # whatever else this machine does
        words += ["--evaluations", "2"]
    status, out, err = run(*words)
    assert status == 0 and out and not re.search("error|Traceback", err)
