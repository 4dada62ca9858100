"""What the verbs of the command line print for reading: plain-text tables and lists."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from math import floor, log10
from typing import Any

from repro.arch import PAPER, parse_strategy
from repro.text import aligned

Row = dict[str, Any]

DEVICE_HELP = (
    "rtx3090, rtx4090, rtx5090, pro6000maxq, v100, cpu_i7_12700h, cpu_i9_10940x (fitted prices); "
    "A100, H100, H200, TPUv3, CPU, roofline:V100 ... (rooflines)."
)

CONVENTION = (
    "One multiply-add is one flop. Bias additions of squeeze-excite and classifier are flops too;\n"
    "acts are outputs of convs, squeeze-excite convs, classifier and the stem's max-pool."
)

READING = (
    "Strategies have the authors' meaning: a bare w leaves group width alone. In the paper group\n"
    "width always follows width: --paper-names reads w, dw, wr, dwr so. The two readings give\n"
    "different networks wherever convs are grouped."
)


def json_lines(rows: Iterable[Any]) -> str:
    """A JSON list with one element per line."""
    return "[\n" + ",\n".join(map(json.dumps, rows)) + "\n]"


def level(values: Sequence[float], digits: int = 3) -> list[str]:
    """Numbers with as many decimals as the least of them needs for so many digits."""
    least = min((abs(v) for v in values if v), default=1.0)
    decimals = max(0, digits - 1 - floor(log10(least)))
    return [f"{value:,.{decimals}f}" for value in values]


def columns(of: dict[str, list[str]]) -> str:
    """A table by its columns."""
    return aligned(tuple(of), list(zip(*of.values(), strict=True)))


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


def network_text(row: Row, parts: bool = False) -> str:
    """What `repro complexity NAME` prints: the counts, and if wanted their parts and the stages."""
    config, title = row["config"], row["model"]
    scaled = row["multipliers"]
    if scaled:
        grammar = parse_strategy(row["strategy"]).grammar
        title += f", scaled by {row['scale']:.12g} with strategy {row['strategy']}"
        title += f" = {grammar}" * (grammar != row["strategy"])
        named = [name for name, s in PAPER.items() if s.grammar == row["strategy"] != name]
        title += "".join(f", the paper's {name}" for name in named)
        title += (
            "\nbefore rounding: depth x {d:.4g}, width x {w:.4g}, group width x {g:.4g}, "
            "resolution x {r:.4g}".format(**scaled)
        )
    totals = [
        (name, f"{row[name]:,}", f"{row[name] / unit:,.3f} {letter}")
        for name, unit, letter in (("flops", 1e9, "G"), ("params", 1e6, "M"), ("acts", 1e6, "M"))
    ]
    size = row["resolution"]
    counts = aligned(("<total", f"at {size} x {size}", ""), totals)
    if not parts:
        more = "--parts shows what they are made of, and the stages."
        return "\n\n".join([title, counts, f"{CONVENTION}\n{more}"])
    columns = [(shown, config[key]) for shown, key in _STAGE_COLUMNS.items() if key in config]
    stages = zip(*(values for _, values in columns), strict=True)
    cells = [(str(i), *(f"{v:.12g}" for v in stage)) for i, stage in enumerate(stages, 1)]
    rest = (
        f"stem width {config['stem_w']}, head width {config['head_w']}, "
        f"squeeze-excite ratio {config['se_r']:g}, {config['activation']}, "
        f"{config['num_classes']} classes"
    )
    stage_table = aligned(("stage", *(shown for shown, _ in columns)), cells)
    part_table = aligned(("<part", "number"), [(k, f"{v:,}") for k, v in row["parts"].items()])
    paragraphs = [title, counts, part_table, f"{stage_table}\n{rest}", CONVENTION]
    return "\n\n".join([*paragraphs, READING] if scaled else paragraphs)
