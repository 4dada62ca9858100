"""What chapters need: parameters, figures, tables, key numbers, and running a chapter."""

from repro.book.kit.chapter import glue, setup
from repro.book.kit.figures import (
    FAMILY_COLOURS,
    STRATEGY_COLOURS,
    STRATEGY_MARKERS,
    log_axis,
    show,
)
from repro.book.kit.tables import beside, table
from repro.book.parameters import check
from repro.text import all_or_some

__all__ = [
    "FAMILY_COLOURS",
    "STRATEGY_COLOURS",
    "STRATEGY_MARKERS",
    "all_or_some",
    "beside",
    "check",
    "glue",
    "log_axis",
    "setup",
    "show",
    "table",
]
