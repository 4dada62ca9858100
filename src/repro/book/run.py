"""Run a chapter with other parameters: a page and a notebook, and what differs, in words."""

from __future__ import annotations

import logging
import os
import sys
import webbrowser
from pathlib import Path
from typing import Any

from repro.book.parameters import parameters_of, resolve, same_as, titles
from repro.errors import InputError
from repro.paths import root


def _free_folder(chapter: str) -> Path:
    """``runs/<chapter>-<n>``, the first that does not exist."""
    n = 1
    while (folder := Path("runs") / f"{chapter}-{n}").exists():
        n += 1
    return folder


def _stem(chapter: str) -> str:
    """A chapter's name, also from its path; a path to elsewhere stays, for it is no chapter."""
    path = Path(chapter)
    return path.name.removesuffix(".ipynb") if path.parent.name in ("", "chapters") else chapter


def run_chapter(
    chapter: str,
    parameters: list[str],
    tier: str = "smoke",
    out: Path | None = None,
    show: bool = False,
) -> int:
    """Execute a chapter through papermill into a folder of its own, and make its page.

    Args:
        chapter: the file's stem in ``chapters/``, or its path there.
        parameters: ``NAME=VALUE`` words.
        tier: ``smoke``, ``laptop``, ``gpu`` or ``paper``.
        out: folder for the result; ``runs/<chapter>-<n>`` when left out.
        show: open the page in a browser.

    Returns:
        0 when the chapter ran, 1 when a cell failed (the notebook up to there is kept).

    Raises:
        InputError: before anything starts, when an argument cannot be used.
    """
    chapter = _stem(chapter)
    values = resolve(chapter, parameters, tier)
    source = root() / "chapters" / f"{chapter}.ipynb"
    if not source.is_file():
        raise InputError(f"chapter file {source} is not there")
    folder = out or _free_folder(chapter)
    target = folder / f"{chapter}.ipynb"
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder} is a file; a folder is needed")
    if folder.resolve() == source.parent.resolve():
        raise InputError(f"--out {folder} holds the stored chapters; choose another folder")
    if target.exists():
        raise InputError(f"{target} exists already; choose another --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {folder} cannot be made: {error.strerror}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"--out {folder} cannot be written to")
    if (same := same_as(chapter, tier)) != tier:
        print(f"{chapter} computes the same in tier {tier} as in {same}.", file=sys.stderr)

    import papermill
    from nbclient.exceptions import CellControlSignal, DeadKernelError

    # It warns of parameters that it cannot read, such as str | None; names were checked above.
    logging.getLogger("papermill").setLevel(logging.ERROR)
    # Papermill saves after every cell: under this name until the whole chapter has run.
    partial = folder / f"{chapter}.unfinished.ipynb"
    try:
        papermill.execute_notebook(
            str(source),
            str(partial),
            parameters=values,
            cwd=str(source.parent),
            kernel_name="python3",  # this environment's, whatever front end saved the notebook
            language="python",
            progress_bar=sys.stderr.isatty(),
            log_output=False,
            # The kernel would warn of its unencrypted local connection on every run, and log a
            # traceback of its own on Ctrl-C. What fails in a cell is reported all the same.
            extra_arguments=["--IPKernelApp.log_level=50"],
        )
    except papermill.PapermillExecutionError as error:
        return _stopped(chapter, f"{error.ename}: {error.evalue}", partial)
    except (DeadKernelError, CellControlSignal) as error:  # out of memory, for example
        return _stopped(chapter, str(error), partial)
    except KeyboardInterrupt:
        kept = f"the notebook up to here is {partial}" if partial.exists() else "nothing was kept"
        print("\n" * sys.stderr.isatty() + f"stopped; {kept}", file=sys.stderr)
        raise
    return finish(chapter, values, partial, target, show)


def finish(
    chapter: str, values: dict[str, Any], executed: Path, target: Path, show: bool = False
) -> int:
    """From an executed notebook to its page, its readable form, and a report on the console.

    Args:
        chapter: its name in the book.
        values: the parameters that were given.
        executed: the notebook as papermill left it; it is removed.
        target: the notebook to write; the page stands beside it.
        show: open the page in a browser.
    """
    import nbformat

    from repro.book.rerun.changes import changes
    from repro.book.rerun.page import write_index
    from repro.book.rerun.report import console, index_entry, page_and_notebook

    stored = nbformat.read(root() / "chapters" / f"{chapter}.ipynb", as_version=4)
    rerun = nbformat.read(executed, as_version=4)
    found = changes(stored, rerun)
    defaults = {name: field.default for name, field in parameters_of(chapter).model_fields.items()}
    given = {name: (value, defaults[name]) for name, value in values.items()}
    rerun.metadata["rerun"] = index_entry(titles()[chapter], given, found)
    page = target.with_suffix(".html")
    notebook = page_and_notebook(stored, rerun, chapter, given, found, page)
    nbformat.write(notebook, target)
    executed.unlink()
    print(f"Done: {page}\n      {target}")
    print(console(given, found))
    if target.parent.parent.name == "runs":
        print(f"All own runs: {write_index(target.parent.parent)}")
    if show:
        webbrowser.open(page.resolve().as_uri())
    return 0


def _stopped(chapter: str, reason: str, partial: Path) -> int:
    """Say why a chapter did not run to its end, and what is kept."""
    print(f"error: {chapter} stopped: {' '.join(reason.split())}", file=sys.stderr)
    print(f"The notebook up to the failing cell is {partial}", file=sys.stderr)
    return 1
