"""Definitions that the paper never published, recovered from the counts that it prints.

RegNetY-500MF and RegNetY-4GF: every RegNet in a stated space is counted and compared with printed
table rows; one is left for each. RegNetZ's head conv: every width is tried. Source of the printed
values: Fast and Accurate Model Scaling, Tables 6 to 8, and "Early Convolutions", Table 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd

from repro.analysis.scaling.printed import (
    Published,
    early_convolutions_rows,
    evidence,
    printed_rows,
)
from repro.analysis.scaling.rounding import COSTS, Counts, spans
from repro.arch import PAPER, Network, ResStage, get
from repro.arch.rounding import fit_groups, round_width
from repro.complexity import complexity
from repro.errors import InputError
from repro.evidence.printed import MILLIONS

STAGES = 4
HALF = 0.05
"""Half of the last printed digit: all three costs are printed with one decimal."""


@dataclass(frozen=True)
class Space:
    """The RegNetYs to try: four stages, widths in a geometric series, any depths.

    Widths are w0, w0 wm, w0 wm^2, w0 wm^3 as in every RegNet, each rounded to a multiple of 8 and
    then to whole groups. Depths are free: a RegNet's own rule for them is not used.

    Attributes:
        initial_widths: w0. ratios: wm. group_widths: g. resolutions: r.
        blocks: largest total depth.
    """

    resolutions: tuple[int, ...]
    blocks: int = 30
    initial_widths: tuple[int, ...] = tuple(range(8, 129, 8))
    ratios: tuple[float, ...] = tuple(k / 1000 for k in range(2000, 3001))
    group_widths: tuple[int, ...] = (4, *range(8, 65, 8))

    def depth_lists(self) -> np.ndarray:
        """All lists of four depths, one per row."""
        most = self.blocks - STAGES + 1
        lists = np.array(list(product(range(1, most + 1), repeat=STAGES)))
        return lists[lists.sum(axis=1) <= self.blocks]

    def width_lists(self, group_width: int) -> list[tuple[tuple[int, int], ...]]:
        """All distinct lists of four ``(width, group width)``."""
        widths = {
            tuple(round_width(w0 * wm**k) for k in range(STAGES))
            for w0 in self.initial_widths
            for wm in self.ratios
        }
        return sorted({tuple(fit_groups(w, group_width, 1.0) for w in ws) for ws in widths})


SEARCHED = ("RegNetY-500MF", "RegNetY-4GF")


def space_of(base: str, blocks: int = 30, resolution_step: int = 16) -> Space:
    """Where to look for a base.

    The paper says that its 500MF networks have resolution 224, and that a 4GF network's was
    searched: then every ``resolution_step`` pixels from 192 to 320 are tried.

    Raises:
        InputError: another base.
    """
    if base not in SEARCHED:
        raise InputError(f"no search is set up for {base!r}; choose one of {', '.join(SEARCHED)}")
    searched = tuple(range(192, 321, resolution_step))
    return Space((224,) if base == "RegNetY-500MF" else searched, blocks)


PRINTED_ROWS: dict[str, tuple[str, ...]] = {
    "RegNetY-500MF": ("RegNetY-500MF", "RegNetY-500MF→4GF", "RegNetY-500MF→16GF"),
    "RegNetY-4GF": ("RegNetY-4GF", "RegNetY-4GF→16GF", "RegNetY-32GF"),
}
"""The printed rows that the search uses, in this order: first the base, then scaled by dWr."""


def _rows(base: str) -> list[Published]:
    by_label = {row.label: row for row in (*early_convolutions_rows(), *reversed(printed_rows()))}
    return [by_label[label] for label in PRINTED_ROWS[base]]


def candidate(widths: Sequence[tuple[int, int]], depths: Iterable[int], resolution: int) -> Network:
    """A RegNetY with these stages."""
    stages = tuple(ResStage(int(d), w, g) for d, (w, g) in zip(depths, widths, strict=True))
    return Network("candidate", stages, resolution, se_ratio=0.25)


def _count(net: Network) -> list[int]:
    c = complexity(net)
    return [c.flops, c.params, c.acts]


def matching(space: Space, printed: Counts) -> tuple[list[Network], int]:
    """Every network of a space whose counts round to the printed ones, and the space's size.

    A count is linear in the depths. So a list of widths needs one count with all depths 1, and
    one for each depth made 2; then a matrix product counts it with every list of depths. Params
    come first: they do not depend on resolution.

    Args:
        printed: flops in 10^9, params and acts in 10^6, with one decimal.
    """
    target = np.array([printed[cost] for cost in COSTS])
    unit = np.array([MILLIONS[cost] for cost in COSTS])
    low, high = (target - HALF) * unit, (target + HALF) * unit
    more = space.depth_lists() - 1
    more32 = more.astype(np.float32)  # off by a few units in 10^8: some slack, then exact counts
    found: list[Network] = []
    size = 0
    for g in space.group_widths:
        widths = space.width_lists(g)
        size += len(widths) * len(more) * len(space.resolutions)
        ones, step = _depth_one_and_steps(widths, space.resolutions[0])
        pairs = []
        for part in np.array_split(np.flatnonzero(ones[:, 1] <= high[1]), len(widths) // 128 + 1):
            params = more32 @ step[part, :, 1].T.astype(np.float32) + ones[part, 1]
            depth, column = np.nonzero((params > low[1] - 100) & (params < high[1] + 100))
            pairs.append((depth, part[column]))
        depth, width = (np.concatenate(x) for x in zip(*pairs, strict=True))
        used, where = np.unique(width, return_inverse=True)
        for r in space.resolutions:
            ones, step = _depth_one_and_steps([widths[n] for n in used], r)
            counts = ones[where] + np.einsum("nd,ndc->nc", more[depth], step[where])
            fits = np.all((counts >= low) & (counts <= high), axis=1)
            found += [
                candidate(widths[w], more[d] + 1, r)
                for d, w in zip(depth[fits], width[fits], strict=True)
            ]
    return found, size


def _depth_one_and_steps(
    widths: Sequence[tuple[tuple[int, int], ...]], resolution: int
) -> tuple[np.ndarray, np.ndarray]:
    """Counts with all depths 1, and what one more block adds in each stage."""
    ones = np.empty((len(widths), len(COSTS)))
    step = np.empty((len(widths), STAGES, len(COSTS)))
    added: dict[tuple[int, int, int], np.ndarray] = {}  # depends on this stage's width alone
    for n, ws in enumerate(widths):
        ones[n] = _count(candidate(ws, (1,) * STAGES, resolution))
        for i, (w, g) in enumerate(ws):
            if (i, w, g) not in added:
                deeper = [2 if k == i else 1 for k in range(STAGES)]
                added[i, w, g] = np.array(_count(candidate(ws, deeper, resolution))) - ones[n]
            step[n, i] = added[i, w, g]
    return ones, step


def scales_to(net: Network, row: Published, within: float = 0.1) -> bool:
    """Whether dWr takes a network to a printed row, for any s near the ratio of their flops.

    Args:
        within: how far s may lie from the ratio, as a fraction: rounding moves flops by that much.
    """
    ratio = row.values["flops"] * MILLIONS["flops"] / complexity(net).flops
    return any(
        not row.wrong(span.net)
        for span in spans(net, PAPER["dWr"], ratio * (1 - within), ratio * (1 + within))
    )


@dataclass(frozen=True)
class Search:
    """What a search tried and what each printed row left.

    Attributes:
        base: the network looked for.
        size: networks in the space.
        left: label of a printed row, and the networks left once it has to fit too.
    """

    base: str
    size: int
    left: tuple[tuple[str, tuple[Network, ...]], ...]

    @property
    def survivors(self) -> tuple[Network, ...]:
        """What all printed rows leave."""
        return self.left[-1][1]


def search(base: str, blocks: int = 30, resolution_step: int = 16) -> Search:
    """Look for RegNetY-500MF or RegNetY-4GF among all RegNets of its space, see `space_of`."""
    first, *scaled = _rows(base)
    nets, size = matching(space_of(base, blocks, resolution_step), first.values)
    left = [(first.label, tuple(nets))]
    for row in scaled:
        nets = [net for net in nets if scales_to(net, row)]
        left.append((row.label, tuple(nets)))
    return Search(base, size, tuple(left))


def funnel(searches: Sequence[Search]) -> pd.DataFrame:
    """Columns: network, step, networks left."""
    rows: list[tuple[str, str, int]] = []
    for found in searches:
        rows.append((found.base, "all RegNets of the space", found.size))
        for row, (_, nets) in zip(_rows(found.base), found.left, strict=True):
            printed = " / ".join(f"{row.values[cost]:.1f}" for cost in COSTS)
            verb = "dWr takes it to" if row.strategy else "prints as"
            rows.append((found.base, f"{verb} {printed} ({row.where}, {row.label})", len(nets)))
    return pd.DataFrame(rows, columns=["network", "step", "left"])


def described(net: Network) -> dict[str, object]:
    """Depths, widths, group widths and resolution, for a table."""
    stages = [s for s in net.stages if isinstance(s, ResStage)]
    return {
        "depths": ", ".join(str(s.depth) for s in stages),
        "widths": ", ".join(str(s.width) for s in stages),
        "g": ", ".join(dict.fromkeys(str(s.group_width) for s in stages)),
        "r": net.resolution,
    }


def definitions(found: Mapping[str, Search]) -> pd.DataFrame:
    """The zoo's recovered networks, and whether a search left just that one.

    Returns:
        Columns network, depths, widths, g, r, found (yes or no).
    """
    rows = []
    for base, result in found.items():
        ours = described(get(base))
        same = [described(net) for net in result.survivors] == [ours]
        rows.append({"network": base} | ours | {"found": "yes" if same else "no"})
    return pd.DataFrame(rows)


# ------------------------------------------------------------------------- neighbours


def neighbours(net: Network) -> dict[str, Network]:
    """Every network one step away: a depth by 1, a width by one step, g by one, r by 4 or 8.

    A width's step is 8 channels, or a group where that is wider.
    """
    found: dict[str, Network] = {}
    stages = [s for s in net.stages if isinstance(s, ResStage)]

    def put(i: int, stage: ResStage) -> Network:
        return replace(net, stages=(*stages[:i], stage, *stages[i + 1 :]))

    for i, stage in enumerate(stages):
        step = max(8, stage.group_width)
        for sign in (-1, 1):
            if stage.depth + sign >= 1:
                label = f"stage {i + 1}: depth {stage.depth} → {stage.depth + sign}"
                found[label] = put(i, replace(stage, depth=stage.depth + sign))
            if stage.width + sign * step >= step:
                label = f"stage {i + 1}: width {stage.width} → {stage.width + sign * step}"
                found[label] = put(i, replace(stage, width=stage.width + sign * step))
    g = stages[0].group_width
    for other in (g // 2, g * 2):
        if other and all(s.mid_width % other == 0 for s in stages):
            new = tuple(replace(s, group_width=other) for s in stages)
            found[f"group width {g} → {other}"] = replace(net, stages=new)
    for other in (net.resolution - 8, net.resolution - 4, net.resolution + 4, net.resolution + 8):
        found[f"resolution {net.resolution} → {other}"] = net.at(other)
    return found


def broken(base: str) -> pd.DataFrame:
    """For a base and each of its neighbours: how many published numbers cannot be its counts.

    Scaled rows and points use the scale factor that fits the base itself.

    Returns:
        Columns change, printed, drawn: numbers that break; the first row is the base unchanged.
        ``attrs["printed"]`` and ``attrs["drawn"]`` hold how many numbers there are.
    """
    items = evidence(base)
    rows = []
    for label, net in {"none": get(base), **neighbours(get(base))}.items():
        wrong = {True: 0, False: 0}
        for item in items:
            wrong[item.drawn] += len(item.wrong(item.network(net)))
        rows.append({"change": label, "printed": wrong[False], "drawn": wrong[True]})
    frame = pd.DataFrame(rows)
    for name, drawn in (("printed", False), ("drawn", True)):
        frame.attrs[name] = sum(len(item.values) for item in items if item.drawn is drawn)
    return frame


def broken_summary(broken: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Frames of `broken` by kind of change.

    Returns:
        Columns network, change, networks (how many), and the fewest and most published numbers
        that break, as text: printed, drawn.
    """
    rows = []
    for base, frame in broken.items():
        for kind in ("none", "depth", "width", "group width", "resolution"):
            # "stage 2: width 88 → 96", "group width 4 → 8"
            part = frame[frame.change.str.contains(rf"^(?:stage \d: )?{kind}\b")]
            row: dict[str, object] = {"network": base, "change": kind, "networks": len(part)}
            for column in ("printed", "drawn"):
                low, high = part[column].min(), part[column].max()
                fewest = f"{low}" if low == high else f"{low} to {high}"
                row[column] = f"{fewest} of {frame.attrs[column]}"
            rows.append(row)
    return pd.DataFrame(rows)


# --------------------------------------------------------------------------- the head


MOST_HEAD = 2048


def head_scan() -> pd.DataFrame:
    """For each printed row of a RegNetZ: the widths of the head conv that it allows.

    A scaled row may have been made with any s near the one that is known: all are tried.

    Returns:
        Columns where, row, network, narrowest, widest (missing where no width up to 2048 fits),
        and fits: one boolean for each width from 0.
    """
    seen: dict[object, Published] = {}
    for row in (*printed_rows(), *early_convolutions_rows()):
        if row.base.startswith("RegNetZ"):
            seen.setdefault((row.base, tuple(row.values.items())), row)
    rows = []
    for row in seen.values():
        fits = np.zeros(MOST_HEAD + 1, dtype=bool)
        for net in _trunks(row):
            fits |= _heads_that_print(net, row)
        widths = np.flatnonzero(fits)
        rows.append(
            {
                "where": row.where,
                "row": row.label,
                "network": row.recipe,
                "narrowest": widths.min() if len(widths) else None,
                "widest": widths.max() if len(widths) else None,
                "fits": fits,
            }
        )
    return pd.DataFrame(rows).astype({"narrowest": "Int64", "widest": "Int64"})


def _trunks(row: Published, within: float = 0.1) -> list[Network]:
    """The networks that a row may be, but for their head conv: scaling leaves it alone."""
    if row.strategy is None or row.s is None:
        return [get(row.base)]
    around = spans(get(row.base), row.strategy, row.s * (1 - within), row.s * (1 + within))
    return [span.net for span in around]


def _heads_that_print(net: Network, row: Published) -> np.ndarray:
    """Whether each head width from 0 to `MOST_HEAD` gives the printed counts.

    Counts are linear in the head's width, but for 0, where the classifier reads the trunk.
    """
    one, two = (np.array(_count(replace(net, head_width=h))) for h in (1, 2))
    counts = one + np.arange(-1, MOST_HEAD)[:, None] * (two - one)
    counts[0] = _count(replace(net, head_width=0))
    target = np.array([row.values[cost] for cost in COSTS])
    unit = np.array([MILLIONS[cost] for cost in COSTS])
    return np.asarray(np.all(np.abs(counts - target * unit) <= HALF * unit, axis=1))


def heads_that_fit(scan: pd.DataFrame) -> list[int]:
    """The head widths that fit every row that any head fits."""
    return [int(h) for h in np.flatnonzero(np.all([f for f in scan.fits if f.any()], axis=0))]
