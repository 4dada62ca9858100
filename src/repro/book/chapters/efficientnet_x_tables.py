"""The page "EfficientNet-X, table by table": its tables."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pandas as pd

from repro import reference
from repro.analysis.accelerators.efficientnet_x import doublings, grown, lacs
from repro.book.kit.folds import PageBlock, fold
from repro.book.kit.tables import PageTable, table
from repro.book.parameters import ChapterParameters
from repro.reference import agrees_as_printed


class Parameters(ChapterParameters):
    """Page "EfficientNet-X, table by table"."""


MARKS = {"=": "repro-good", "≠": "repro-off"}


def _decimals(printed: Decimal) -> int:
    exponent = printed.as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)


def agreement(frame: pd.DataFrame) -> pd.DataFrame:
    """`table3` with what agrees: ``params_mark``, ``flops_mark`` and ``intensity_mark``.

    ``=``: the count rounds to the printed digits, or the printed intensity lies between our
    bounds; ``≠``: not; ``–``: nothing to compare.
    """
    marks: dict[str, list[str]] = {}
    for printed, ours in (("mparams", "params"), ("gflops", "flops")):
        marks[f"{ours}_mark"] = [
            "=" if agrees_as_printed(float(p), o, _decimals(p)) else "≠"
            for p, o in zip(frame[printed], frame[ours], strict=True)
        ]
    marks["intensity_mark"] = [
        "–" if pd.isna(low) else "=" if low <= printed <= high else "≠"
        for printed, low, high in zip(frame.intensity, frame.low, frame.high, strict=True)
    ]
    return frame.assign(**marks)


def folded(page: PageTable, title: str) -> PageBlock:
    """A long table that opens on a click."""
    return PageBlock(fold(title, "", page.html), page.caption)


def sizes(frame: pd.DataFrame, caption: str) -> PageBlock:
    """Params and flops of `agreement`: printed digits, ours with one digit more."""
    columns: dict[str, Any] = {"model": frame.model, "counted": frame.network}
    for title, printed, ours in (
        ("params, M", "mparams", "params"),
        ("flops, G", "gflops", "flops"),
    ):
        columns[title] = frame[printed].map(str)
        columns[f"{title}, ours"] = [
            f"{o:.{_decimals(p) + 1}f}" for p, o in zip(frame[printed], frame[ours], strict=True)
        ]
        columns["agrees" if ours == "params" else "agree"] = frame[f"{ours}_mark"]
    numeric = [c for c in columns if c.startswith(("params", "flops"))]
    page = table(pd.DataFrame(columns), caption, formats=dict.fromkeys(numeric, ""), marks=MARKS)
    return folded(page, "Table 3: params and flops")


def speeds(frame: pd.DataFrame, caption: str) -> PageBlock:
    """Top-1, intensity, efficiency and latency of `agreement`."""
    ours = [
        "–" if pd.isna(a) else f"{a:.0f} to {b:.0f}"
        for a, b in zip(frame.low, frame.high, strict=True)
    ]
    columns = {
        "model": frame.model,
        "top-1, %": frame.top1.map(str),
        "I": frame.intensity.map(str),
        "I, ours": ours,
        "inside": frame.intensity_mark,
        "E, %": frame.efficiency.map(str),
        "E by latency": frame.by_latency.map("{:.1f}".format),
        "TPUv3, ms": frame.TPUv3.map(str),
        "V100, ms": frame.V100.map(str),
    }
    numeric = [c for c in columns if c not in ("model", "inside")]
    page = table(pd.DataFrame(columns), caption, formats=dict.fromkeys(numeric, ""), marks=MARKS)
    return folded(page, "Table 3: top-1, intensity, efficiency and latency")


def levels() -> pd.DataFrame:
    """`lacs` for a page: one row a level, "depth, pixels" by scaling and source."""
    frame = lacs()
    frame["text"] = [f"{d}, {r}" for d, r in zip(frame.depth, frame.resolution, strict=True)]
    frame = frame[(frame.scaling != "single objective") | (frame.source == "Table 6")]
    short = frame.scaling.str.removeprefix("LACS ").replace("single objective", "single")
    frame["column"] = short + ", " + frame.source
    columns = list(dict.fromkeys(frame.column))
    return frame.pivot(index="level", columns="column", values="text")[columns].reset_index()


def table5() -> pd.DataFrame:
    """Table 5 with the X-B7 that its bases give beside the X-B7 that it prints."""
    rows = []
    for r in reference.x_searches():
        depth, pixels = grown(r, doublings("B7"))
        bases = {"depth": r.depth, "width": r.width, "resolution": r.resolution}
        rows.append(
            {"searched at": r.searched_at}
            | {name: str(value) for name, value in bases.items()}
            | {"X-B7, printed": f"{r.x_b7_depth}, {r.x_b7_resolution}"}
            | {"X-B7 by these bases": f"{depth}, {pixels}"}
        )
    return pd.DataFrame(rows)
