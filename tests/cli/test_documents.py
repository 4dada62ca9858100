"""The README's picture and every shown command output are what the project gives now."""

import json
import re
import shlex
import xml.etree.ElementTree as ET
from html import unescape
from pathlib import Path

import pytest
import yaml

from repro.arch import PAPER, get, scale
from repro.book.chapters.scoreboard import MEANING
from repro.book.kit.figures import STRATEGY_COLOURS
from repro.book.parameters import resolve
from repro.claims import VERDICTS
from repro.cli import documents
from repro.cli.rows import grid_rows
from repro.complexity import complexity
from repro.paths import root

RENEW = "run `make documents`"


@pytest.mark.parametrize(("name", "ink"), documents.PICTURES.items())
def test_the_readme_picture_is_current(name, ink):
    svg = (root() / name).read_text(encoding="utf-8")
    assert svg == documents.picture(ink), RENEW
    assert f"fill: {ink}" in svg
    assert "currentColor" not in svg
    ET.fromstring(svg)


@pytest.mark.parametrize("name", documents.DOCUMENTS)
def test_shown_outputs_are_current(name):
    text = (root() / name).read_text(encoding="utf-8")
    assert len(documents.CONSOLE.findall(text)) >= 1
    assert documents.renewed(text) == text, RENEW


def test_the_readme_opens_with_a_picture_and_the_two_commands():
    first_screen = (root() / "README.md").read_text(encoding="utf-8").split("\n## ")[0]
    assert "make book" in first_screen
    assert "make test" in first_screen
    for name in documents.PICTURES:
        assert name in first_screen
    assert re.search(r'<img alt="[^"]{80,}"', first_screen)


def fenced(language):
    for name in documents.DOCUMENTS:
        text = (root() / name).read_text(encoding="utf-8")
        yield from re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_commands_that_run_chapters_would_start():
    lines = "\n".join(fenced("bash")).replace("\\\n", " ").splitlines()
    runs = [shlex.split(line, comments=True) for line in lines if line.startswith("repro run ")]
    runs = [words for words in runs if words[-1] not in ("--list", "--help")]
    assert len(runs) >= 4
    for _, _, chapter, *given in runs:
        words = [word for word in given if word != "--open"]
        options = list(zip(words[::2], words[1::2], strict=True))
        assignments = [value for option, value in options if option == "-p"]
        resolve(chapter, assignments, dict(options).get("--tier", "smoke"))
        assert {option for option, _ in options} <= {"-p", "--tier", "--out"}


def test_grids_that_are_shown_can_be_counted(tmp_path):
    blocks = list(fenced("json"))
    assert blocks
    for block in blocks:
        path = tmp_path / "grid.json"
        path.write_text(block)
        assert len(grid_rows(str(path))) == len(json.loads(block))


def test_the_python_that_is_shown_runs(capsys):
    for block in fenced("python"):
        exec(compile(block, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip() == str(
        complexity(scale(get("EN-B0"), PAPER["dWr"], 4)).acts
    )


def test_output_of_a_command_holds_both_streams():
    assert documents.output_of("repro complexity EN-B00").startswith("error: unknown network")
    with pytest.raises(ValueError, match="only hold repro commands"):
        documents.output_of("rm -r x")


def test_blocks_are_filled_in_and_cut_where_they_were_cut():
    text = """Before
```console
$ repro complexity EN-B00
old
$ repro list
old
older
...
```
```bash
repro list
```
"""
    out = documents.renewed(text)
    lines = out.split("\n")
    assert lines[2] == "$ repro complexity EN-B00"
    assert lines[3].startswith("error: unknown network")
    assert lines[4] == "$ repro list"
    assert lines[5].startswith("model")
    assert lines[6].startswith("EN-B0")
    assert lines[7:9] == ["...", "```"]
    assert out.endswith("```bash\nrepro list\n```\n")
    assert documents.renewed(out) == out


def test_the_scoreboard_explains_each_verdict_and_the_guide_leads_there():
    text = (root() / "chapters" / "scoreboard.ipynb").read_text(encoding="utf-8")
    outputs = [o for c in json.loads(text)["cells"] for o in c.get("outputs", ())]
    pages = ["".join(o.get("data", {}).get("text/html", ())) for o in outputs]
    (table,) = (page for page in pages if 'id="tab-verdicts"' in page)
    rows = re.findall(r"<tr><td>.</td><td>([^<]+)</td><td[^>]*>([^<]+)</td></tr>", table)
    assert [verdict for verdict, _ in rows] == list(VERDICTS)
    assert {verdict: unescape(said) for verdict, said in rows} == MEANING
    guide = (root() / "chapters" / "how-to-use.md").read_text(encoding="utf-8")
    section = guide.partition("(verdicts)=\n")[2].partition("\n(")[0]
    assert "{exhibit}`scoreboard#tab-verdicts`" in section


def test_the_welcome_page_leads_through_the_book_in_its_order():
    toc = yaml.safe_load((root() / "_toc.yml").read_text(encoding="utf-8"))
    parts = {p["caption"]: [c["file"][9:] for c in p["chapters"]] for p in toc["parts"]}
    text = (root() / "chapters" / "welcome.md").read_text(encoding="utf-8")
    way = text[text.index("## The way through") : text.index("## Who it is for")]
    numbered = re.findall(r"^(\d+)\. \{doc\}`([\w-]+)`: \S", way, re.MULTILINE)
    chapters_in_parts = [c for part, cs in parts.items() if part.startswith("Part ") for c in cs]
    assert numbered == [(str(i), c) for i, c in enumerate(chapters_in_parts, 1)]
    assert re.findall(r"^- \{doc\}`([\w-]+)`", way, re.MULTILINE) == parts["Evidence"]
    for part in parts:
        assert not part.startswith("Part ") or f"**{part}**" in way


def test_colours_of_the_lead_figure_are_the_books():
    svg = Path(root() / "_static" / "readme-light.svg").read_text(encoding="utf-8")
    for name in ("dwr", "dw", "dWr", "w"):
        assert STRATEGY_COLOURS[name] in svg
