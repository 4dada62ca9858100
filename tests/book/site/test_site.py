"""What the templates are told of a page."""

import pytest

from repro.book import site
from repro.paths import root


def context(page, body=""):
    told = {"pathto": lambda name: f"../{name}.html", "body": body}
    site.add_context(None, page, "page.html", told, None)
    return told


def test_executable_chapters_can_be_run():
    told = context("chapters/what-scaling-costs")
    assert told["runs"] == "what-scaling-costs"
    assert told["run_help"] == "../chapters/how-to-use.html#rerun"


@pytest.mark.parametrize("page", ["chapters/glossary", "search"])
def test_other_pages_cannot(page):
    assert context(page)["runs"] == ""


def test_help_for_running_exists():
    page = (root() / f"{site.HELP_PAGE}.md").read_text(encoding="utf-8")
    assert "\n(rerun)=\n" in page


def test_the_switch_for_solutions_stands_where_there_are_some():
    assert not context("chapters/x", "<p>no</p>")["has_solutions"]
    assert context("chapters/x", '<details class="solution" id="y">')["has_solutions"]


def test_folds_are_named_by_what_they_say():
    body = context("chapters/x", f"{site.NO_NAME}\n<p>Show the code</p>")["body"]
    assert body == "<summary>\n<p>Show the code</p>"


def test_notebooks_are_scripts_too(tmp_path):
    folder = tmp_path / "_sources" / "chapters"
    folder.mkdir(parents=True)
    (folder / "x.ipynb").write_text('{"cells": []}\n')

    class App:
        outdir = tmp_path

    site.write_notebook_scripts(App, None)
    assert (folder / "x.ipynb.js").read_text() == 'saveNotebook({"cells": []});\n'
