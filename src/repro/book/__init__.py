"""What chapters need: parameters, figures, tables, key numbers, and running a chapter."""

from repro.book.chapter import all_or_some, glue, setup
from repro.book.figures import (
    FAMILY_COLOURS,
    STRATEGY_COLOURS,
    STRATEGY_MARKERS,
    log_axis,
    show,
)
from repro.book.parameters import check
from repro.book.tables import beside, table

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
