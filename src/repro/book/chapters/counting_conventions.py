"""Page "Counting conventions"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from repro.analysis.scaling.counting import COUNTERS, sums
from repro.book.kit.folds import PageBlock, fold
from repro.book.kit.tables import PageTable, table
from repro.book.parameters import ChapterParameters, Networks
from repro.counters import Comparison


class Parameters(ChapterParameters):
    """Page "Counting conventions"."""

    networks: Networks = Field(
        ["EN-B0", "ResNet-50", "RegNetY-4.0GF", "RegNetZ-500MF", "EN-X-B0"],
        description="Zoo names of the networks to count with every counter",
    )


def sums_table(comparisons: Sequence[Comparison], caption: str) -> PageTable:
    """Every difference as an addition: our count, the reasons, the other counter's count."""
    frame = sums(comparisons)
    whole = frame.reason.str.endswith("count")
    frame["units"] = [
        format(n, ",d" if w else "+,d") for n, w in zip(frame.units, whole, strict=True)
    ]
    marks = {"its count": "repro-left-over", "left over": "repro-off"}
    return table(frame, caption, formats={"units": ""}, marks=marks)


def folded_sums(explained: Mapping[str, Sequence[Comparison]]) -> PageBlock:
    """A fold for each network with its `sums_table`, the first one open."""
    parts: list[str] = []
    for name, comparisons in explained.items():
        tally = " ".join(
            f"<span>{COUNTERS[c.counter]}, {c.figure} {100 * (c.theirs / c.ours - 1):+.2f} %</span>"
            for c in comparisons
            if c.theirs != c.ours
        )
        caption = f"{name}: from our count to each counter's that differs (one image)."
        body = sums_table(comparisons, caption).html
        parts.append(fold(name, tally, body, unfold=not parts))
    return PageBlock("\n".join(parts), f"Reasons for differences, {len(parts)} networks")
