"""Run a chapter with other parameters, and say how its key numbers moved."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

from repro.book.parameters import resolve, same_as
from repro.errors import InputError
from repro.paths import root

GLUED = "application/papermill.record/"


def key_numbers(notebook: Any) -> dict[str, str]:
    """The glued numbers of an executed notebook, by name, as printed."""
    found: dict[str, str] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            name = output.get("metadata", {}).get("scrapbook", {}).get("name")
            text = output.get("data", {}).get(GLUED + "text/plain")
            if name and text is not None:
                found[name] = text
    return found


def compare(stored: dict[str, str], rerun: dict[str, str]) -> list[str]:
    """Lines that say which key numbers differ, aligned; empty when none do."""
    names = [n for n in rerun if stored.get(n) != rerun[n]]
    missing = [n for n in stored if n not in rerun]
    rows = [(n, stored.get(n, "(not there)"), rerun[n]) for n in names]
    rows += [(n, stored[n], "(not there)") for n in missing]
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    return [f"  {n:<{widths[0]}}  {a:>{widths[1]}}  ->  {b}" for n, a, b in rows]


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
    chapter: str, parameters: list[str], tier: str = "smoke", out: Path | None = None
) -> int:
    """Execute a chapter through papermill into a folder of its own.

    Args:
        chapter: the file's stem in ``chapters/``, or its path there.
        parameters: ``NAME=VALUE`` words.
        tier: ``smoke``, ``laptop``, ``gpu`` or ``paper``.
        out: folder for the result; ``runs/<chapter>-<n>`` when left out.

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
    partial.replace(target)

    rerun = key_numbers(nbformat.read(target, as_version=4))
    stored = key_numbers(nbformat.read(source, as_version=4))
    print(f"Done: {target}")
    lines = compare(stored, rerun)
    if not rerun:
        print("This chapter has no key numbers to compare.")
    elif lines:
        total = len(stored.keys() | rerun.keys())
        print(f"{len(lines)} of {total} key numbers differ from the stored chapter:")
        print("\n".join(lines))
    else:
        print(f"All {len(stored)} key numbers equal the stored chapter's.")
    return 0


def _stopped(chapter: str, reason: str, partial: Path) -> int:
    """Say why a chapter did not run to its end, and what is kept."""
    print(f"error: {chapter} stopped: {' '.join(reason.split())}", file=sys.stderr)
    print(f"The notebook up to the failing cell is {partial}", file=sys.stderr)
    return 1
