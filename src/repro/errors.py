"""One exception for bad input, so that every entry point can report it the same way."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_ALIKE = str.maketrans("ol", "01")
"""Characters that look alike in many fonts, in lower case."""


class InputError(ValueError):
    """A value from outside that cannot be used; the message names it and what is allowed."""


def did_you_mean(value: str, allowed: Iterable[str]) -> str:
    """``" Did you mean 'EN-B0'?"`` (with the leading space), or ``""`` when no name is near.

    A name that differs only in characters that look alike (O and 0, l and 1) comes first.
    """
    by_lower = {name.lower(): name for name in allowed}
    by_look = {name.translate(_ALIKE): name for name in by_lower}
    look = value.lower().translate(_ALIKE)
    if look in by_look:
        return f" Did you mean {by_lower[by_look[look]]!r}?"
    near = get_close_matches(value.lower(), by_lower, n=1, cutoff=0.5)
    return f" Did you mean {by_lower[near[0]]!r}?" if near else ""
