"""What chapters need: parameters, figures, tables, key numbers, and running a chapter."""

from repro.book.kit.chapter import glue, setup, span
from repro.book.kit.figures import (
    FAMILY_COLOURS,
    STRATEGY_COLOURS,
    STRATEGY_MARKERS,
    legend,
    log_axis,
    panels,
    show,
)
from repro.book.kit.tables import beside, table
from repro.book.parameters import check
from repro.text import all_or_some
