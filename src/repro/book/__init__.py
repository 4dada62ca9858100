"""What chapters need: parameters, figures, tables, key numbers, and running a chapter."""

from repro.book.chapter import glue, setup
from repro.book.figures import FAMILY_COLOURS, STRATEGY_COLOURS, log_axis, show
from repro.book.parameters import check
from repro.book.tables import beside, table

__all__ = [
    "FAMILY_COLOURS",
    "STRATEGY_COLOURS",
    "beside",
    "check",
    "glue",
    "log_axis",
    "setup",
    "show",
    "table",
]
