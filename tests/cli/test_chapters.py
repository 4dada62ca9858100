"""``repro run``: what it hands on, and what it lists."""

import re
import shlex
import sys
from pathlib import Path
from types import ModuleType

import pytest

from repro.book.parameters import chapters, parameters_of, resolve, titles


@pytest.fixture
def chapter(monkeypatch):
    """Stands in for the execution of chapters, and remembers how it was called."""
    calls = []
    module = ModuleType("repro.book.run")
    module.run_chapter = lambda *arguments: calls.append(arguments) or 1
    monkeypatch.setitem(sys.modules, "repro.book.run", module)
    return calls


def test_run_hands_everything_on(run, chapter):
    arguments = ["-p", "scales=[1, 2]", "-p", "bases=None", "--tier", "gpu", "--out", "runs/x"]
    status, _, _ = run("run", "scaling", *arguments)
    assert status == 1  # of the chapter
    assert chapter == [("scaling", ["scales=[1, 2]", "bases=None"], "gpu", Path("runs/x"), False)]


def test_run_by_itself_is_the_smoke_tier(run, chapter):
    run("run", "scaling")
    assert chapter == [("scaling", [], "smoke", None, False)]


def test_run_refuses_an_unknown_tier(fails, chapter):
    assert "'huge'" in fails("run", "scaling", "--tier", "huge")
    assert chapter == []


def test_run_opens_the_page_when_wanted(run, chapter):
    run("run", "scaling", "--open")
    assert chapter == [("scaling", [], "smoke", None, True)]


def test_without_a_chapter_all_are_named(fails, chapter):
    assert f"give a CHAPTER: {', '.join(chapters())}" in fails("run")


@pytest.mark.parametrize("option", ["--list", "--help"])
def test_chapters_are_listed_in_the_books_order_with_their_titles(run, option):
    status, out, err = run("run", option)
    assert (status, err) == (0, "")
    lines = out.split("Chapters, in the book's order:\n")[1].splitlines()
    assert [tuple(line.split(maxsplit=1)) for line in lines] == list(titles().items())


@pytest.mark.parametrize("option", ["--list", "--help"])
@pytest.mark.parametrize("stem", chapters())
def test_a_chapters_parameters_are_listed(run, stem, option):
    status, out, err = run("run", stem, option)
    assert (status, err) == (0, "")
    text = " ".join(out.split())
    for name, field in parameters_of(stem).model_fields.items():
        assert f" {name} {' '.join(field.description.split())}. Allowed: " in text
        assert f"[default: {field.default}]" in text
    for tier in parameters_of(stem).tiers:
        assert f"--tier {tier}: " in text
    [example] = re.findall(rf"Example: repro run {stem} (.*)--open", out)
    if not parameters_of(stem).model_fields:
        return
    _, assignment = shlex.split(example)
    [(name, value)] = resolve(stem, [assignment], "smoke").items()
    assert value != parameters_of(stem).model_fields[name].default
    assert example.count("'") in (0, 2)


def test_ranges_are_said_in_words(run):
    text = " ".join(run("run", "what-scaling-costs", "--list")[1].split())
    assert "Allowed: whole number, 1 to 100. [default: 4]" in text
    assert "8 to 4096, a multiple of 8" in text
    text = " ".join(run("run", "the-dial", "--list")[1].split())
    assert "list of numbers (above 0 and up to 1000), 2 to 50 values" in text


def test_an_unknown_chapter_has_no_parameters_to_list(fails):
    assert "Did you mean 'the-dial'" in fails("run", "the-dail", "--list")
