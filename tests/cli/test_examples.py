"""Examples in the help of search, lacs and advise run as they are printed there."""

import re
import shlex

import pytest

from repro.cli import advise, lacs, search
from repro.paths import root
from repro.search.space import ACCELERATOR, EFFICIENTNET


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
    e, k, l, se = EFFICIENTNET.base.split("-")[1:]
    (tmp_path / "networks.csv").write_text(f"e,k,l,se\n{e},{k},{l},{se}\n")
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
