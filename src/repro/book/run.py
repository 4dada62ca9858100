"""Run a chapter with other parameters: a page and a notebook, and what differs, in words."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path

from repro.book.parameters import resolve, same_as
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

    import nbformat
    import papermill
    from nbclient.exceptions import CellControlSignal, DeadKernelError

    from repro.book.rerun.notebook import set_parameters

    notebook = nbformat.read(source, as_version=4)
    set_parameters(notebook, values)
    # Papermill saves after every cell: under this name until the whole chapter has run.
    partial = folder / f"{chapter}.unfinished.ipynb"
    nbformat.write(notebook, partial)
    try:
        papermill.execute_notebook(
            str(partial),
            str(partial),
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
        newline = "\n" * sys.stderr.isatty()
        print(f"{newline}stopped; the notebook up to here is {partial}", file=sys.stderr)
        raise
    from repro.book.rerun.report import finish

    page = finish(chapter, values, partial, target)
    if show:
        webbrowser.open(page.resolve().as_uri())
    return 0


def _stopped(chapter: str, reason: str, partial: Path) -> int:
    """Say why a chapter did not run to its end, and what is kept."""
    print(f"error: {chapter} stopped: {' '.join(reason.split())}", file=sys.stderr)
    print(f"The notebook up to the failing cell is {partial}", file=sys.stderr)
    return 1
