"""Page "Rounding and the papers' tables"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import pandas as pd
from pydantic import AfterValidator, Field

from repro import reference
from repro.arch import get
from repro.book.kit.figures import FAMILY_COLOURS, legend, log_axis, panels
from repro.book.kit.folds import PageBlock, fold
from repro.book.kit.tables import table
from repro.book.parameters import ChapterParameters, Networks, Scales, differing
from repro.evidence.printed import (
    EARLY,
    early_convolutions_rows,
    in_print_units,
    printed_rows,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure


class Parameters(ChapterParameters):
    """Page "Rounding and the papers' tables"."""

    bases: Networks = Field(
        ["EN-B0", "RegNetY-500MF", "RegNetY-4GF", "RegNetZ-500MF", "RegNetZ-4GF"],
        description="Zoo names of the networks to scale",
    )
    scales: Annotated[Scales, AfterValidator(differing)] = Field(
        [1, 2, 4, 8, 16, 32], description="Factors on flops to try"
    )
    strategy: Literal["d", "w", "r", "dw", "wr", "dr", "dwr", "dWr"] = Field(
        "dWr", description="The paper's strategy whose rounding is drawn"
    )
    tiers: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "laptop": {"scales": [1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96]}
    }


GREY = "#8c8c8c"


def sawtooth_figure(after: pd.DataFrame, before: pd.DataFrame, ticks: Sequence[float]) -> Figure:
    """Flops over base flops over s against s, one panel per base."""
    bases = list(after.base.unique())
    fig, axes = panels(len(bases), 2, (3.6, 1.9), sharex=True, sharey=True)
    for ax, base in zip(axes, bases, strict=True):
        real, smooth = after[after.base == base], before[before.base == base]
        ax.axhline(1, color=GREY, linewidth=1, linestyle=(0, (4, 3)), label="nominal: s")
        colour = FAMILY_COLOURS[str(real.family.iloc[0])]
        ax.plot(real.s, real.miss, color=colour, linewidth=0.9, label="after rounding")
        ax.plot(smooth.s, smooth.miss, color=GREY, linewidth=2.2, label="before rounding")
        log_axis(ax, "x", ticks)
        ax.set_title(base)
    legend(fig, axes)
    fig.supxlabel("scale factor s", fontsize=10)
    fig.supylabel("flops ÷ base flops ÷ s", fontsize=10)
    return fig


# ------------------------------------------------------------------------- printed tables

TITLES: Mapping[str, str] = {
    "Table 5": "Table 5: EfficientNets",
    "Table 6": "Table 6: RegNet baselines",
    "Table 7": "Table 7: scaling and search",
    "Table 8": "Table 8: large models",
    EARLY: "Early Convolutions, Table 2: the same networks, trained again",
}
QUANTITIES: Mapping[str, tuple[str, str]] = {
    "GF": ("flops", "gflops"),
    "params, M": ("params", "mparams"),
    "acts, M": ("acts", "macts"),
}
ERRORS: Mapping[str, str] = {
    **{f"error_{n}x": f"{n}×, %" for n in (1, 2, 4)},
    "error_icml": "ICML, %",
    "error_arxiv": "arXiv, %",
    **{f"error_{n}_epochs": f"{n} epochs, %" for n in (100, 200, 400)},
    "error_in21k": "IN-21k, %",
}


def printed_frame(where: str) -> pd.DataFrame:
    """A printed table: our counts beside the printed ones, then what else is printed.

    A row that an earlier table has, too, is left out, and named there. ``attrs["agree"]`` counts
    the rows whose counts all agree, ``attrs["repeats"]`` the rows left out. The unknown row stands
    beside the only published candidate, RegNetZ-4GF at 224 pixels.
    """
    known = {(p.where, p.label): p for p in (*printed_rows(), *early_convolutions_rows())}
    every: list[tuple[str, Any]] = [(f"Table {r.table}", r) for r in reference.table_rows()]
    if where == EARLY:  # its transformers are no networks of ours
        every = [(EARLY, r) for r in reference.early_convolutions() if (EARLY, r.model) in known]
    places: dict[str, list[str]] = {}
    for place, row in every:
        places.setdefault(row.model, []).append(place)
    here = [row for place, row in every if place == where]
    rows, agree = [], 0
    for row in here:
        if places[row.model][0] != where:
            continue
        source = known.get((where, row.model))
        ours = in_print_units(source.network() if source else get("RegNetZ-4GF").at(224))
        made = source.recipe if source else "unknown; RegNetZ-4GF at 224"
        if "→" in row.model:  # the base stands before the arrow
            made = made.partition(", ")[2]
        cells: dict[str, object] = {"model": row.model, "made by": made}
        if where != EARLY:
            later = [place.removeprefix("Table ") for place in places[row.model][1:]]
            cells["also in"] = ", ".join(later) or "–"
        for title, (cost, column) in QUANTITIES.items():
            value = getattr(row, column)
            same = reference.agrees_as_printed(float(value), ours[cost], 1)
            cells[title] = f"{value} {'=' if same else '≠'} {ours[cost]:.2f}"
        agree += not any("≠" in str(cell) for cell in cells.values())
        cells["minutes"] = str(row.epoch_minutes_8xv100)
        for column, title in ERRORS.items():
            value = getattr(row, column, None)
            spread = getattr(row, column.replace("error", "spread"), None)
            cells[title] = f"{value} ± {spread}" if spread else value and str(value)
        rows.append(cells)
    frame = pd.DataFrame(rows).dropna(axis=1, how="all")
    frame.attrs = {"agree": agree, "repeats": len(here) - len(rows)}
    return frame


def printed_tables() -> PageBlock:
    """Tables 5 to 8 and Table 2 of "Early Convolutions", a fold for each."""
    folds = []
    for where, title in TITLES.items():
        frame = printed_frame(where)
        at = list(frame.columns).index("minutes")
        counts, rest = frame.iloc[:, :at], frame.iloc[:, [0, *range(at, len(frame.columns))]]
        caption = (
            f"{title}. GF: billions of flops (1 multiply-add = 1 flop); left of the sign the "
            "printed value, right of it our count."
        )
        if repeats := frame.attrs["repeats"]:
            caption += f" {repeats} rows repeat earlier tables and stand there."
        off = {v: "repro-off" for c in QUANTITIES for v in frame[c] if "≠" in v}
        body = table(counts, caption, formats=dict.fromkeys(counts.columns[2:], ""), marks=off).html
        caption = (
            f"{title}, as printed: minutes of an epoch on 8 V100s, and ImageNet errors (1×: after "
            "100 epochs)."
        )
        body += table(rest, caption, formats=dict.fromkeys(rest.columns[1:], "")).html
        tally = f"<span>{frame.attrs['agree']} of {len(frame)} rows agree</span>"
        folds.append(fold(title, tally, body))
    return PageBlock("\n".join(folds), "Tables 5 to 8, and Early Convolutions, Table 2")
