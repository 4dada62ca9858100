"""Numbers as prose says them."""

from __future__ import annotations


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


def at_start(text: str) -> str:
    """The same with a capital letter, for the start of a sentence."""
    return text[:1].upper() + text[1:]
