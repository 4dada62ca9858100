"""The first call of every chapter, and the numbers that its prose quotes."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable

from repro.book.kit.figures import use_house_style


def setup() -> None:
    """Make a chapter's output the same on every machine: house style, no stray warnings.

    Only warnings that libraries raise while being imported are silenced, by their text.
    """
    warnings.filterwarnings("ignore", message="IProgress not found")
    warnings.filterwarnings("ignore", message=".*torch.jit.script.* is deprecated")
    logging.getLogger("fvcore").setLevel(logging.ERROR)
    use_house_style()


def span(values: Iterable[float], spec: str) -> str:
    """The least and the largest of some values as prose says them: ``"0.12 to 0.27"``."""
    low, high = format(min(values := list(values)), spec), format(max(values), spec)
    return low if low == high else f"{low} to {high}"


def glue(**numbers: object) -> None:
    """Store a chapter's key numbers, so that its prose can quote them and reruns be compared.

    Args:
        numbers: name and value; prose writes ``{glue:text}`name:.2f` ``.
    """
    from myst_nb import glue as store

    for name, value in numbers.items():
        # numpy scalars print differently across versions; plain numbers do not
        store(name, value.item() if hasattr(value, "item") else value, display=False)
