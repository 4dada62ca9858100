"""Where the project's files are: chapters, reference data, records; and files written whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from repro.errors import InputError


def root() -> Path:
    """The folder that holds the project's ``data``, and in a checkout its chapters.

    ``REPRO_ROOT`` when set; else the checkout that this package stands in; else the installed
    package, whose wheel brings the data.

    Raises:
        InputError: there is no ``data`` folder there.
    """
    package = Path(__file__).parent
    given = os.environ.get("REPRO_ROOT")
    places = [Path(given)] if given else [*package.parents[1:2], package]
    for folder in places:
        if (folder / "data").is_dir():
            return folder
    raise InputError(f"no data folder in {places[0]}; {to_a_checkout()}")


def to_a_checkout() -> str:
    """What helps where the project's files are not: an installed package sees no folder around."""
    here = Path.cwd()
    checkouts = (p for p in (here, *here.parents) if (p / "src" / "repro").is_dir())
    return f"set REPRO_ROOT to a checkout of the project: REPRO_ROOT={next(checkouts, 'DIR')}"


def new_folder(names: Iterable[Path]) -> Path:
    """Make the first of these folders that is not there yet; two who ask at once get two."""
    for folder in names:
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            continue
        except OSError as error:
            raise InputError(f"folder {str(folder)!r} cannot be made: {error.strerror}") from None
    raise InputError("no name is left for a new folder")


def locate(path: str) -> str:
    """A reader's file, wherever a chapter is executed.

    A relative path is looked for in the folder of this process, in the folder where the command
    was typed, and in the project's.

    Raises:
        InputError: it is in none of them.
    """
    folders = [Path.cwd(), Path(os.environ.get("PWD") or "."), root()]
    for folder in folders:
        if (folder / path).is_file():
            return str(folder / path)
    raise InputError(f"records file {path!r} is not there; give its full path")


class CannotSave(OSError):
    """A file could not be written; what was there before still is."""

    def __init__(self, path: Path, error: OSError, kept: str) -> None:
        super().__init__(f"{path} cannot be written: {error.strerror}. {kept}")


def write_whole(path: Path, data: bytes, kept: str = "Nothing was lost") -> None:
    """Write a file complete or not at all; then `CannotSave` says, in a sentence, what is kept."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise CannotSave(path, error, kept) from None
