"""Running a chapter: into a folder of its own, strictly, and compared with the stored one."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from pydantic import Field

from repro.book import parameters
from repro.book.parameters import ChapterParameters
from repro.book.rerun import report
from repro.book.run import run_chapter
from repro.errors import InputError


class Tiny(ChapterParameters):
    n: int = Field(2, ge=0, description="A number")
    names: list[str] | None = Field(["a"], description="Some names")


def glued(name, text):
    """The output that gluing a number leaves in a stored notebook."""
    return nbformat.v4.new_output(
        "display_data",
        data={"application/papermill.record/text/plain": text},
        metadata={"scrapbook": {"name": name, "mime_prefix": "application/papermill.record/"}},
    )


def inside(folder="."):
    return sorted(path.name for path in Path(folder).iterdir())


def no_page(notebooks, folder):
    """Stands in for the book's builder, which tests/book/rerun tries."""
    for chapter in notebooks:
        (folder / f"{chapter}.html").write_text("a page")
    return {}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with one throw-away chapter, stored with n = 2."""
    (tmp_path / "data").mkdir()
    chapters = tmp_path / "chapters"
    chapters.mkdir()
    stored = new_code_cell("glue('tiny_square', n * n)", execution_count=3)
    stored.outputs = [glued("tiny_square", "4")]
    same = new_code_cell("glue('tiny_three', 3)", execution_count=4)
    same.outputs = [glued("tiny_three", "3")]
    prose = "# Tiny\n\nThe square of {glue:text}`tiny_three` or so is {glue:text}`tiny_square:.1f`."
    cells = [
        new_markdown_cell(prose),
        new_code_cell(
            "n: int = 2  # A number\nnames: list[str] | None = ['a']  # Some names",
            metadata={"tags": ["parameters"]},
        ),
        # The stand-in for gluing keeps this test from importing what it does not test.
        new_code_cell(
            "from pathlib import Path\n"
            "from IPython.display import display\n"
            "def glue(name, value):\n"
            "    display({'application/papermill.record/text/plain': repr(value)},\n"
            "            metadata={'scrapbook': {'name': name}}, raw=True)\n"
            "assert Path.cwd().name == 'chapters'\n"
            "assert names is None or isinstance(names, list)\n"
            "assert n != 13, 'unlucky'\n"
        ),
        stored,
        same,
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(new_notebook(cells=cells, metadata=metadata), chapters / "tiny.ipynb")
    monkeypatch.setenv("REPRO_ROOT", str(tmp_path))
    monkeypatch.setattr(parameters, "chapters", lambda: ("tiny",))
    monkeypatch.setattr(report, "render", no_page)
    monkeypatch.setitem(sys.modules, "repro.book.chapters.tiny", SimpleNamespace(Parameters=Tiny))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return tmp_path


def test_a_chapter_runs_into_its_own_folder_and_equals_the_stored_one(project, capfd):
    before = (project / "chapters" / "tiny.ipynb").read_bytes()
    assert run_chapter("tiny", []) == 0
    out, err = capfd.readouterr()
    assert out.splitlines() == [
        "Done: runs/tiny-1/tiny.html",
        "      runs/tiny-1/tiny.ipynb",
        "Changed: no parameter",
        "Nothing differs from the stored chapter. Compared, captions too: 2 numbers.",
        "All own runs: runs/index.html",
    ]
    assert err == ""
    assert inside("runs/tiny-1") == ["tiny.html", "tiny.ipynb"]
    assert (project / "chapters" / "tiny.ipynb").read_bytes() == before
    assert inside(project / "chapters") == ["tiny.ipynb"]


def test_other_parameters_change_numbers_and_the_next_folder_is_free(project, capfd):
    Path("runs/tiny-1").mkdir(parents=True)
    assert run_chapter("tiny", ["n=5", "names=None"], "laptop") == 0
    out, err = capfd.readouterr()
    assert out.splitlines() == [
        "Done: runs/tiny-2/tiny.html",
        "      runs/tiny-2/tiny.ipynb",
        "Changed: n = 5 (stored: 2); names = None (stored: ['a'])",
        "What differs from the stored chapter (1 number):",
        "  ... of 3 or so is 25.0 (stored: 4.0).",
        "The same as stored: 1 number.",
        "All own runs: runs/index.html",
    ]
    assert err == "tiny computes the same in tier laptop as in smoke.\n"
    notebook = nbformat.read("runs/tiny-2/tiny.ipynb", as_version=4)
    assert [cell.source for cell in notebook.cells if cell.metadata.get("tags")] == [
        "n: int = 5  # A number\nnames: list[str] | None = None  # Some names"
    ]
    assert "The square of 3 or so is 25.0." in notebook.cells[0].source
    index = Path("runs/index.html").read_text()
    assert '<a href="tiny-2/tiny.html">Tiny</a>' in index and "n = 5 (stored: 2)" in index


def test_the_page_opens_in_a_browser_when_wanted(project, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert run_chapter("tiny", [], out=project / "mine", show=True) == 0
    assert opened == [(project / "mine" / "tiny.html").as_uri()]
    assert '<a href="mine/tiny.html">Tiny</a>' in (project / "index.html").read_text()


def test_a_failing_cell_is_status_1_and_keeps_the_notebook_so_far(project, capfd):
    assert run_chapter("tiny", ["n=13"], out=project / "mine") == 1
    out, err = capfd.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert first == "error: tiny stopped: AssertionError: unlucky"
    partial = project / "mine" / "tiny.unfinished.ipynb"
    assert second.endswith(str(partial))
    assert inside(project / "mine") == ["tiny.unfinished.ipynb"]
    sources = [cell.source for cell in nbformat.read(partial, as_version=4).cells]
    assert any("n: int = 13" in source for source in sources)


def test_a_kernel_that_dies_is_reported_too(project, capfd):
    path = project / "chapters" / "tiny.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(new_code_cell("import os\nos._exit(9)"))
    nbformat.write(notebook, path)
    assert run_chapter("tiny", [], out=project / "mine") == 1
    assert "error: tiny stopped: Kernel died" in capfd.readouterr().err


def test_the_kernel_is_this_environments_and_draws(project, monkeypatch):
    """Whatever else is installed under the kernel's name, and whatever a reader draws with."""
    other = project / "jupyter" / "kernels" / "python3"
    other.mkdir(parents=True)
    spec = {"argv": ["/bin/false", "{connection_file}"], "display_name": "x", "language": "python"}
    (other / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(project / "jupyter"))
    monkeypatch.setenv("MPLBACKEND", "nonsense")
    path = project / "chapters" / "tiny.ipynb"
    notebook = nbformat.read(path, as_version=4)
    slow = "import matplotlib, time\nprint(1, flush=True)\ntime.sleep(0.5)\nprint(2)"
    notebook.cells.append(new_code_cell(slow))
    nbformat.write(notebook, path)
    assert run_chapter("tiny", [], out=project / "mine") == 0
    [output] = nbformat.read(project / "mine" / "tiny.ipynb", as_version=4).cells[-1].outputs
    assert output.text == "1\n2\n"  # in one piece, however long it took


PROGRAM = """
import sys; sys.path.insert(0, sys.argv.pop(1))
from repro.book import parameters
from repro.cli import main
from types import SimpleNamespace
from test_run import Tiny
parameters.chapters = lambda: ("tiny",)
from repro.book.rerun import report
from test_run import no_page
report.render = no_page
sys.modules["repro.book.chapters.tiny"] = SimpleNamespace(Parameters=Tiny)
sys.exit(main(sys.argv[1:]))
"""


def process(*arguments):
    """``repro`` with the throw-away chapter, as a terminal starts it."""
    command = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, start_new_session=True, **pipes)


def test_every_declared_parameter_can_be_set_without_a_warning(project):
    running = process("run", "tiny", "-p", "names=None", "--out", "mine")
    out, err = running.communicate()
    assert (running.returncode, err) == (0, "")
    assert out.startswith("Done: mine/tiny.html")


def test_ctrl_c_says_where_the_notebook_is(project):
    path = project / "chapters" / "tiny.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(
        new_code_cell("import time\nPath('here').touch()\nfor _ in range(600): time.sleep(0.1)")
    )
    nbformat.write(notebook, path)
    running = process("run", "tiny", "--out", "mine")
    while not (project / "chapters" / "here").exists():
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate()
    assert (running.returncode, out) == (130, "")
    assert err == "stopped; the notebook up to here is mine/tiny.unfinished.ipynb\n"
    assert inside("mine") == ["tiny.unfinished.ipynb"]


@pytest.mark.parametrize(
    ("words", "tier", "message"),
    [
        (["n=-1"], "smoke", "n = -1"),
        (["m=1"], "smoke", "no parameter 'm'"),
        (["n"], "smoke", "NAME=VALUE"),
        ([], "huge", "unknown tier"),
    ],
)
def test_bad_arguments_stop_it_before_anything_starts(project, words, tier, message):
    with pytest.raises(InputError, match=message):
        run_chapter("tiny", words, tier)
    assert inside() == []


def test_an_unknown_chapter_is_bad_input(project):
    with pytest.raises(InputError, match="Did you mean 'tiny'"):
        run_chapter("tinny", [])


def test_a_path_names_a_chapter_and_a_path_to_elsewhere_does_not(project):
    for path in ("tiny.ipynb", "chapters/tiny.ipynb", str(project / "chapters" / "tiny")):
        with pytest.raises(InputError, match="chapter tiny has no parameter 'm'"):
            run_chapter(path, ["m=1"])
    with pytest.raises(InputError, match=r"unknown chapter 'runs/mine/tiny\.ipynb'"):
        run_chapter("runs/mine/tiny.ipynb", [])


def test_a_missing_chapter_file_is_bad_input(project):
    (project / "chapters" / "tiny.ipynb").unlink()
    with pytest.raises(InputError, match="is not there"):
        run_chapter("tiny", [])


def test_the_stored_chapters_folder_is_refused_however_it_is_written(project):
    for folder in (project / "chapters", project / "elsewhere" / ".." / "chapters"):
        with pytest.raises(InputError, match="holds the stored chapters"):
            run_chapter("tiny", [], out=folder)
    link = project / "link"
    link.symlink_to(project / "chapters")
    with pytest.raises(InputError, match="holds the stored chapters"):
        run_chapter("tiny", [], out=link)


def test_an_earlier_result_is_never_overwritten(project):
    (project / "mine").mkdir()
    (project / "mine" / "tiny.ipynb").write_text("precious")
    with pytest.raises(InputError, match="exists already"):
        run_chapter("tiny", [], out=project / "mine")
    assert (project / "mine" / "tiny.ipynb").read_text() == "precious"


def test_a_file_in_place_of_the_folder_is_refused(project):
    (project / "mine").write_text("a file")
    with pytest.raises(InputError, match="is a file"):
        run_chapter("tiny", [], out=project / "mine")
    with pytest.raises(InputError, match="cannot be made"):
        run_chapter("tiny", [], out=project / "mine" / "deeper")


def test_a_folder_without_permission_is_refused(project, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match="cannot be written"):
        run_chapter("tiny", [], out=project / "mine")
