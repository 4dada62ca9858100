"""Rows of a reader's CSV file; whatever is wrong is named with file and line."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from repro.errors import InputError

Of = TypeVar("Of")


def read_rows(
    path: str, what: str, columns: Sequence[str], read: Callable[[Sequence[str]], Of]
) -> list[Of]:
    """What is read of each row's cells in these columns; other columns may stand beside them.

    Raises:
        InputError: no such file, a column that is missing or stands twice, a row of another length,
            or none; what ``read`` raises.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a path with a null character
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{what} file {path!r} cannot be read: {reason}") from None
    reader, found = csv.reader(text.splitlines()), []
    try:
        header = [cell.strip() for cell in next(reader, [])]
        for name in columns:
            if header.count(name) != 1:
                many = "two columns" if name in header else "no column"
                raise InputError(f"{path}: {many} {name}; {', '.join(columns)} are needed, once")
        places = [header.index(name) for name in columns]
        for cells in filter(None, reader):  # a line may be empty
            where = f"{path}, line {reader.line_num}"
            if len(cells) != len(header):
                raise InputError(f"{where}: {len(cells)} cells, the header has {len(header)}")
            try:
                found.append(read([cells[place].strip() for place in places]))
            except InputError as error:
                raise InputError(f"{where}: {error}") from None
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}") from None
    if not found:
        raise InputError(f"{path} holds no network; a row after its header is needed")
    return found
