"""Plain text: numbers as prose says them, tables in columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def count_text(n: int, total: int) -> str:
    """How many of a set: ``"all 19"``, ``"both"``, ``"none of the 19"``, ``"7 of the 19"``.

    Raises:
        ValueError: ``n`` is not between 0 and ``total``, or nothing is counted.
    """
    if not 0 <= n <= total or total < 1:
        raise ValueError(f"{n} of {total} is no part of a set")
    if n == total:
        return {1: "the one", 2: "both"}.get(total, f"all {total}")
    return f"{'none' if n == 0 else n} of the {total}"


def all_or_some(part: int, whole: int) -> str:
    """How many of how many, as prose says it: "all 30", "28 of 30", "none of 30"."""
    if not part:
        return f"none of {whole}"
    return f"all {whole}" if part == whole else f"{part} of {whole}"


def aligned(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in columns, set right; a title that starts with ``<`` sets its column left."""
    left = [title.startswith("<") for title in header]
    table = [[title.removeprefix("<") for title in header], *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if to_left else cell.rjust(width)
            for cell, width, to_left in zip(line, widths, left, strict=True)
        ).rstrip()
        for line in table
    )
