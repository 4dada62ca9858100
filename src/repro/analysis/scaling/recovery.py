"""Definitions that the paper never published, recovered from the counts that it prints.

RegNetY-500MF and RegNetY-4GF: every RegNet in a stated space is counted and compared with printed
table rows; one is left for each. RegNetZ's head conv: every width is tried. Source of the printed
values: Fast and Accurate Model Scaling, Tables 6 to 8, and "Early Convolutions", Table 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd

from repro.analysis.scaling.printed import evidence
from repro.analysis.scaling.rounding import COSTS, Counts, spans
from repro.arch import PAPER, Network, ResStage, get
from repro.arch.rounding import fit_groups, round_width
from repro.complexity import complexity
from repro.evidence.printed import MILLIONS, Published, early_convolutions_rows, printed_rows

STAGES = 4
HALF = 0.05
"""Half of the last printed digit: all three costs are printed with one decimal."""
UNIT = np.array([MILLIONS[cost] for cost in COSTS])
WITHIN = 0.1
"""How far the s of a scaled row is sought, as a fraction: rounding moves flops by that much."""


@dataclass(frozen=True)
class Space:
    """The RegNetYs to try: four stages, widths in a geometric series, any depths.

    Widths are w0, w0 wm, w0 wm^2, w0 wm^3 as in every RegNet, each rounded to a multiple of 8 and
    then to whole groups. Depths are free up to ``blocks`` in all: a RegNet's own rule is not used.
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
            for w0, wm in product(self.initial_widths, self.ratios)
        }
        return sorted({tuple(fit_groups(w, group_width, 1.0) for w in ws) for ws in widths})


SEARCHED: dict[str, tuple[str, ...]] = {
    "RegNetY-500MF": ("RegNetY-500MF", "RegNetY-500MF→4GF", "RegNetY-500MF→16GF"),
    "RegNetY-4GF": ("RegNetY-4GF", "RegNetY-4GF→16GF", "RegNetY-32GF"),
}
"""The printed rows that each search uses, in this order: first the base, then scaled by dWr."""


def searched_rows(base: str) -> list[Published]:
    """The rows of `SEARCHED`; one printed in both papers is the first paper's."""
    by_label = {row.label: row for row in (*early_convolutions_rows(), *reversed(printed_rows()))}
    return [by_label[label] for label in SEARCHED[base]]


def candidate(widths: Sequence[tuple[int, int]], depths: Iterable[int], resolution: int) -> Network:
    """A RegNetY with these ``(width, group width)`` and depths."""
    stages = tuple(ResStage(int(d), w, g) for d, (w, g) in zip(depths, widths, strict=True))
    return Network("candidate", stages, resolution, se_ratio=0.25)


def _count(net: Network) -> list[int]:
    c = complexity(net)
    return [c.flops, c.params, c.acts]


def matching(space: Space, printed: Counts) -> tuple[list[Network], int]:
    """Every network of a space whose counts round to the printed ones, and the space's size.

    A count is linear in the depths. So a list of widths needs one count with all depths 1, and one
    for each depth made 2; then a matrix product counts it with every list of depths. Params come
    first: they do not depend on resolution. Printed are 10^9 flops, 10^6 params and acts.
    """
    target = np.array([printed[cost] for cost in COSTS])
    low, high = (target - HALF) * UNIT, (target + HALF) * UNIT
    more = space.depth_lists() - 1
    more32 = more.astype(np.float32)  # off by a few units in 10^8: some slack, then exact counts
    nets: list[Network] = []
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
            nets += [
                candidate(widths[w], more[d] + 1, r)
                for d, w in zip(depth[fits], width[fits], strict=True)
            ]
    return nets, size


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


def scales_to(net: Network, row: Published) -> bool:
    """Whether dWr takes a network to a printed row, for any s near the ratio of their flops."""
    ratio = row.values["flops"] * MILLIONS["flops"] / complexity(net).flops
    near = spans(net, PAPER["dWr"], ratio * (1 - WITHIN), ratio * (1 + WITHIN))
    return any(not row.wrong(span.net) for span in near)


@dataclass(frozen=True)
class Search:
    """The size of a space, and the networks left once each printed row has to fit, too."""

    base: str
    size: int
    left: tuple[tuple[Network, ...], ...]

    @property
    def survivors(self) -> tuple[Network, ...]:
        """What all printed rows leave."""
        return self.left[-1]


def search(base: str, blocks: int = 30, resolution_step: int = 16) -> Search:
    """Look for RegNetY-500MF or RegNetY-4GF among all RegNets of a space.

    The paper says that its 500MF networks have resolution 224, and that a 4GF network's was
    searched: then every ``resolution_step`` pixels from 192 to 320 are tried.
    """
    first, *scaled = searched_rows(base)
    every = tuple(range(192, 321, resolution_step))
    space = Space((224,) if base == "RegNetY-500MF" else every, blocks)
    nets, size = matching(space, first.values)
    left = [tuple(nets)]
    for row in scaled:
        left.append(tuple(net for net in left[-1] if scales_to(net, row)))
    return Search(base, size, tuple(left))


def neighbours(net: Network) -> list[tuple[str, Network]]:
    """Every network one step away, each with what it changes.

    A depth by 1, a width by 8 channels (or a group where that is wider), group width to half or
    twice, resolution by 4 or 8.
    """
    near: list[tuple[str, Network]] = []
    stages = [s for s in net.stages if isinstance(s, ResStage)]
    for i, stage in enumerate(stages):
        for kind, step in (("depth", 1), ("width", max(8, stage.group_width))):
            for size in (getattr(stage, kind) - step, getattr(stage, kind) + step):
                if size >= step:
                    changed = (*stages[:i], replace(stage, **{kind: size}), *stages[i + 1 :])
                    near.append((kind, replace(net, stages=changed)))
    g = stages[0].group_width
    for other in (g // 2, g * 2):
        if other and all(s.mid_width % other == 0 for s in stages):
            new = tuple(replace(s, group_width=other) for s in stages)
            near.append(("group width", replace(net, stages=new)))
    return near + [("resolution", net.at(net.resolution + by)) for by in (-8, -4, 4, 8)]


def broken(base: str) -> pd.DataFrame:
    """For a base (first) and its neighbours: how many published numbers cannot be its counts.

    Scaled rows and points use the scale factor that fits the base itself. ``attrs["printed"]`` and
    ``attrs["drawn"]`` hold how many numbers there are.
    """
    items = evidence(base)
    rows = []
    for change, net in [("none", get(base)), *neighbours(get(base))]:
        wrong = {True: 0, False: 0}
        for item in items:
            wrong[item.drawn] += len(item.wrong(item.network(net)))
        rows.append({"change": change, "printed": wrong[False], "drawn": wrong[True]})
    frame = pd.DataFrame(rows)
    for name, drawn in (("printed", False), ("drawn", True)):
        frame.attrs[name] = sum(len(item.values) for item in items if item.drawn is drawn)
    return frame


MOST_HEAD = 2048


def head_scan() -> pd.DataFrame:
    """For each printed row of a RegNetZ: which widths of the head conv, from 0 on, it allows.

    A scaled row may have been made with any s near the one that is known: all are tried.
    """
    seen: dict[object, Published] = {}
    for row in (*printed_rows(), *early_convolutions_rows()):
        if row.base.startswith("RegNetZ"):
            seen.setdefault((row.base, tuple(row.values.items())), row)
    rows = []
    for row in seen.values():
        trunks = [get(row.base)]  # scaling leaves the head alone
        if row.strategy and row.s:
            ends = row.s * (1 - WITHIN), row.s * (1 + WITHIN)
            trunks = [span.net for span in spans(trunks[0], row.strategy, *ends)]
        fits = np.any([heads_that_print(net, row) for net in trunks], axis=0)
        rows.append({"where": row.where, "row": row.label, "fits": fits})
    return pd.DataFrame(rows)


def heads_that_print(net: Network, row: Published) -> np.ndarray:
    """Whether each head width from 0 to `MOST_HEAD` gives the printed counts.

    Counts are linear in the head's width, but for 0, where the classifier reads the trunk.
    """
    one, two = (np.array(_count(replace(net, head_width=h))) for h in (1, 2))
    counts = one + np.arange(-1, MOST_HEAD)[:, None] * (two - one)
    counts[0] = _count(replace(net, head_width=0))
    target = np.array([row.values[cost] for cost in COSTS])
    return np.asarray(np.all(np.abs(counts - target * UNIT) <= HALF * UNIT, axis=1))


def heads_that_fit(scan: pd.DataFrame) -> list[int]:
    """The head widths that fit every row that any head fits."""
    return [int(h) for h in np.flatnonzero(np.all([f for f in scan.fits if f.any()], axis=0))]
