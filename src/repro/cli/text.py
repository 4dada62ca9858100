"""What the verbs of the command line print for reading: plain-text tables and lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from textwrap import fill
from typing import TYPE_CHECKING

from repro.arch import parse_strategy
from repro.cli.rows import Row
from repro.text import aligned

if TYPE_CHECKING:
    from repro.claims import Judgement

CONVENTION = (
    "One multiply-add is one flop. Bias additions of squeeze-excite and classifier are flops too;\n"
    "acts are outputs of convs, squeeze-excite convs, classifier and the stem's max-pool."
)

READING = (
    "Strategies have the authors' meaning: a bare w leaves group width alone. In the paper group\n"
    "width always follows width, so its w is written w1_g1 here, its dwr dwgr, and its dWr\n"
    "d1_w8_g8_r1 (or dWr). The two readings give different networks wherever convs are grouped."
)


def _counts(row: Row) -> tuple[str, str, str, str]:
    return (
        str(row["resolution"]),
        f"{row['flops'] / 1e9:,.3f}",
        f"{row['params'] / 1e6:,.3f}",
        f"{row['acts'] / 1e6:,.3f}",
    )


_COUNTS = ("resolution", "flops (G)", "params (M)", "acts (M)")


def zoo_text(rows: list[Row]) -> str:
    """The table of `repro list`."""
    cells = [(row["model"], *_counts(row), row["note"]) for row in rows]
    return f"{aligned(('<model', *_COUNTS, '<note'), cells)}\n\n{CONVENTION}"


def grid_text(rows: list[Row]) -> str:
    """The table of `repro complexity --grid`."""
    cells = [
        (
            row["model"],
            row["strategy"] or "-",
            "-" if row["scale"] is None else f"{row['scale']:.12g}",
            *_counts(row),
        )
        for row in rows
    ]
    table = aligned(("<model", "<strategy", "scale", *_COUNTS), cells)
    return f"{table}\n\n{CONVENTION}\n\n{READING}"


_STAGE_COLUMNS = {
    "depth": "depths",
    "width": "widths",
    "stride": "strides",
    "group width": "group_ws",
    "bottleneck": "bot_muls",
    "expansion": "exp_ratios",
    "kernel": "kernels",
}


def network_text(row: Row) -> str:
    """What `repro complexity NAME` prints: counts, their parts, and the stages."""
    config, title = row["config"], row["model"]
    scaled = row["multipliers"]
    if scaled:
        grammar = parse_strategy(row["strategy"]).grammar
        title += f", scaled by {row['scale']:.12g} with strategy {row['strategy']}"
        title += f" = {grammar}" * (grammar != row["strategy"])
        title += (
            "\nbefore rounding: depth x {d:.4g}, width x {w:.4g}, group width x {g:.4g}, "
            "resolution x {r:.4g}".format(**scaled)
        )
    totals = [
        (name, f"{row[name]:,}", f"{row[name] / unit:,.3f} {letter}")
        for name, unit, letter in (("flops", 1e9, "G"), ("params", 1e6, "M"), ("acts", 1e6, "M"))
    ]
    columns = {shown: key for shown, key in _STAGE_COLUMNS.items() if key in config}
    stages = zip(*(config[key] for key in columns.values()), strict=True)
    rest = (
        f"stem width {config['stem_w']}, head width {config['head_w']}, "
        f"squeeze-excite ratio {config['se_r']:g}, {config['activation']}, "
        f"{config['num_classes']} classes"
    )
    size = row["resolution"]
    paragraphs = [
        title,
        aligned(("<total", f"at {size} x {size}", ""), totals),
        aligned(("<part", "number"), [(k, f"{v:,}") for k, v in row["parts"].items()]),
        aligned(
            ("stage", *columns),
            [(str(i), *(f"{v:.12g}" for v in stage)) for i, stage in enumerate(stages, 1)],
        )
        + f"\n{rest}",
        CONVENTION,
    ]
    return "\n\n".join([*paragraphs, READING] if scaled else paragraphs)


def claims_text(papers: Mapping[str, str], judged: Sequence[Judgement]) -> str:
    """The list of `repro claims`: by paper and group, each with its verdict, and counts at the end.

    Args:
        papers: key to title.
        judged: in the ledger's order.
    """
    from repro.claims import VERDICTS

    lines = []
    for paper, of_paper in groupby(judged, lambda j: j.paper):
        lines += [papers[paper], "=" * len(papers[paper]), ""]
        for group, claims in groupby(of_paper, lambda j: j.group):
            lines += [group, "-" * len(group)]
            for claim in claims:
                values = f"published {claim.published}" if claim.published else ""
                values += f", computed {claim.computed}" if claim.computed else ""
                paragraph = f"{claim.where}: {claim.statement}"
                lines.append(f"{claim.verdict.upper()}  {claim.id}")
                lines += [
                    fill(text, 96, initial_indent="    ", subsequent_indent="    ")
                    for text in (paragraph, values, claim.why)
                    if text
                ]
            lines.append("")
    counts = Counter(j.verdict for j in judged)
    rows = [(verdict, str(counts[verdict])) for verdict in VERDICTS]
    summary = aligned(("<verdict", "claims"), [*rows, ("all claims", str(len(judged)))])
    return "\n".join([*lines, summary])
