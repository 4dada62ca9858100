"""Key numbers of the chapter "Scaling real networks", named as its prose quotes them.

Each function takes a frame that the page shows and returns what to glue.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from repro.analysis.scaling import printed as published
from repro.analysis.scaling.recovery import Search, heads_that_fit
from repro.analysis.scaling.rounding import span_of
from repro.arch import PAPER, get, scale
from repro.complexity import complexity
from repro.evidence.printed import READ_TO
from repro.text import at_start, count_text

Numbers = dict[str, object]


def _printed_flops(label: str) -> float:
    """Printed flops of a table row, in 10^9."""
    rows = (*published.printed_rows(), *published.early_convolutions_rows())
    return next(row.values["flops"] for row in rows if row.label == label)


def rounded_row() -> Numbers:
    """RegNetY-4GF under dWr with s = 4, the chapter's first example."""
    base = get("RegNetY-4GF")
    net = scale(base, PAPER["dWr"], 4)
    ratio = complexity(net).flops / complexity(base).flops
    return {
        "real_y16_ratio": ratio,
        "real_y16_short": 100 * (1 - ratio / 4),
        "real_y16_wanted": base.resolution * PAPER["dWr"].multipliers(4).r,
        "real_y16_r": net.resolution,
        "real_y16_printed": _printed_flops("RegNetY-4GF→16GF"),
    }


def misses(strategy: str, after: pd.DataFrame, before: pd.DataFrame) -> Numbers:
    """How far flops miss s, in percent; from `real_networks.sawtooth`."""
    return {
        "real_strategy": strategy,
        "real_miss_short": 100 * max(0.0, 1 - float(after.miss.min())),
        "real_miss_over": 100 * max(0.0, float(after.miss.max()) - 1),
        "real_before_short": 100 * max(0.0, 1 - float(before.miss.min())),
    }


def four_pixels(sides: pd.DataFrame) -> Numbers:
    """Growth from 224 to 228 pixels, in percent; from `real_networks.map_sides`."""
    (row,) = sides[sides.resolution == 228].to_dict("records")
    return {
        "real_area_228": 100 * (float(row["area"]) - 1),
        "real_flops_228": 100 * (float(row["flops"]) - 1),
        "real_excess_228": 100 * (float(row["flops"]) / float(row["area"]) - 1),
    }


def causes(slopes: pd.DataFrame, scale_range: float) -> Numbers:
    """What structure and rounding do to exponents; from `real_networks.exponents`."""
    structure = (slopes.before - slopes.theory).abs()
    rounding = (slopes.measured - slopes.before).abs()
    b0 = complexity(get("EN-B0"))
    return {
        "real_range": scale_range,
        "real_slopes": len(slopes),
        "real_slope_structure": float(structure.max()),
        "real_slope_rounding": float(rounding.max()),
        "real_structure_larger": int((structure > rounding).sum()),
        "real_b0_classifier": 100 * b0.classifier_params / b0.params,
    }


def drawn(frame: pd.DataFrame) -> Numbers:
    """All drawn points; from `published_networks.drawn_frame`."""
    figure2 = frame[(frame.figure == "Figure 2") & (frame.base == "RegNetY-500MF")]
    return {
        "real_drawn": int(frame.points.sum()),
        "real_drawn_off": int(frame.off.sum()),
        "real_drawn_agree": at_start(
            count_text(int(frame.points.sum() - frame.off.sum()), int(frame.points.sum()))
        ),
        "real_drawn_worst": float(frame.worst.max()),
        "real_read_flops": READ_TO["flops"],
        "real_y500_points": int(figure2.points.sum()),
    }


def intervals(frame: pd.DataFrame) -> Numbers:
    """Intervals of s; from `published_networks.scale_intervals`."""
    z4 = frame[(frame.base == "RegNetZ-500MF") & (frame.s == 8.1)].iloc[0]
    late = frame[(frame.base == "EN-B0") & (frame.s > 10)]
    z16 = span_of(get("RegNetZ-4GF"), PAPER["dWr"], 3.88)
    plain = scale(get("RegNetZ-4GF"), PAPER["dWr"], 4)
    more = complexity(plain).flops / complexity(z16.net).flops - 1
    return {
        "real_scaled": len(frame),
        "real_powers": int(frame.inside.sum()),
        "real_most_networks": int(frame.networks.max()),
        "real_en_width": 100 * float((late["to"] / late["from"] - 1).max()),
        "real_z4_low": float(z4.low),
        "real_z4_high": float(z4.high),
        "real_z16_low": z16.low,
        "real_z16_high": z16.high,
        "real_z16_more": 100 * more,
        "real_z16_r": z16.net.resolution,
        "real_z16_r4": plain.resolution,
    }


def searches(found: Mapping[str, Search]) -> Numbers:
    """Billions of candidates, and how many each printed row leaves; by `recovery.search`."""
    numbers: Numbers = {}
    for base, result in found.items():
        name = base.removeprefix("RegNetY-").lower()
        numbers |= {
            f"real_space_{name}": result.size / 1e9,
            f"real_first_{name}": len(result.left[0][1]),
            f"real_second_{name}": len(result.left[1][1]),
            f"real_found_{name}": len(result.survivors),
        }
    left = [len(result.survivors) for result in found.values()]
    numbers["real_left"] = (
        "one each is left" if set(left) == {1} else f"{' and '.join(map(str, left))} are left"
    )
    return numbers


def contradictions(broken: Mapping[str, pd.DataFrame]) -> Numbers:
    """Published numbers that the recovered networks and their neighbours contradict."""
    totals = [frame.printed + frame.drawn for frame in broken.values()]
    return {
        "real_evidence_500mf": broken["RegNetY-500MF"].attrs["drawn"],
        "real_evidence_4gf": broken["RegNetY-4GF"].attrs["drawn"],
        "real_wrong": count_text(
            int(sum(total.iloc[0] for total in totals)),
            sum(frame.attrs["printed"] + frame.attrs["drawn"] for frame in broken.values()),
        ),
        "real_least": int(min(total.iloc[1:].min() for total in totals)),
        "real_y500_acts": complexity(get("RegNetY-500MF")).acts / 1e6,
        "real_y500_drawn": published.ledger_value("figure2-regnety-base-acts"),
    }


def heads(scan: pd.DataFrame) -> Numbers:
    """Head widths of RegNetZ that fit; from `recovery.head_scan`."""
    fit = heads_that_fit(scan)
    return {
        "real_head_low": min(fit),
        "real_head_high": max(fit),
        "real_heads": len(fit),
        "real_head_eights": " and ".join(str(h) for h in fit if h % 8 == 0),
        "real_head_rows": sum(bool(f.any()) for f in scan.fits),
        "real_1024_wrong": sum(bool(f.any() and not f[1024]) for f in scan.fits),
        "real_ec16": _printed_flops("RegNetZ-16GF"),
        "real_t8_16": _printed_flops("RegNetZ-4GF→16GF"),
    }


def readings(frame: pd.DataFrame) -> Numbers:
    """The two readings of w; from `published_networks.group_width_readings`."""
    dw_flops, dw_flops_at = published.largest_difference("RegNetY-500MF", "dw")
    return {
        "real_curves": len(frame),
        "real_follow": int((frame["off if g stays"] > 0).sum()),
        "real_stay": int((frame["off if g follows w"] > 0).sum()),
        "real_dw_flops": dw_flops,
        "real_dw_flops_at": dw_flops_at,
        "real_dw_from": min(published.off_if_g_follows("RegNetY-500MF", "dw")),
    }
