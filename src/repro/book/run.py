"""Run a chapter with other parameters: a page and a notebook, and what differs, in words."""

from __future__ import annotations

import os
import sys
import webbrowser
from itertools import count
from pathlib import Path

from repro.book.parameters import resolve, same_as
from repro.errors import InputError
from repro.paths import new_folder, root


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
    folder = out or new_folder(Path("runs", f"{chapter}-{n}") for n in count(1))
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
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient.exceptions import CellControlSignal, DeadKernelError

    from repro.book.rerun.notebook import set_parameters

    class OwnKernel(AsyncKernelManager):
        """This environment's, whatever others are installed under its name."""

        def _kernel_spec_manager_default(self) -> KernelSpecManager:
            return KernelSpecManager(kernel_dirs=[])

    os.environ["MPLBACKEND"] = "agg"  # as the book draws; another one may not even be there
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
            kernel_name="python3",
            kernel_manager_class=OwnKernel,
            coalesce_streams=True,  # a busy machine would cut a cell's text in other pieces
            language="python",
            progress_bar=sys.stderr.isatty(),
            log_output=False,
            # The kernel would warn of its unencrypted local connection on every run, and log a
            # traceback of its own on Ctrl-C. What fails in a cell is reported all the same.
            extra_arguments=["--IPKernelApp.log_level=50"],
        )
    except papermill.PapermillExecutionError as error:
        return _stopped(chapter, f"{error.ename}: {error.evalue}", partial)
    except (DeadKernelError, CellControlSignal, RuntimeError) as error:  # out of memory, or so
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
