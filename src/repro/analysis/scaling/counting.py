"""Frames and figure of the page "Counting conventions".

Our three counts of every network, the parts behind the papers' conventions, what outside
counters say of the same networks and why. Sources: Fast and Accurate Model Scaling, section 3.1,
Tables 5 to 8 and Figure 2; the authors' own counts in ``data/reference/``. One multiply-add is
one flop, except where a counter says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import pandas as pd

from repro import reference
from repro.arch import Network, get, scale
from repro.book.kit.figures import STRATEGY_COLOURS
from repro.book.kit.folds import PageBlock, fold
from repro.book.kit.tables import table
from repro.complexity import Complexity, complexity
from repro.counters import Comparison, count, torchinfo_counts
from repro.evidence.printed import network
from repro.models import build
from repro.reference import select

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COSTS: tuple[str, ...] = ("flops", "params", "acts")
PARTS: Mapping[str, str] = {
    "convs": STRATEGY_COLOURS["d"],
    "squeeze-excite": STRATEGY_COLOURS["dwr"],
    "classifier": STRATEGY_COLOURS["r"],
    "batch norm": STRATEGY_COLOURS["dWr"],
    "max-pool": STRATEGY_COLOURS["alpha=2/3"],
}
"""The layers that cost something, in the order of tables and figures, and their colours."""


# -------------------------------------------------------------------- parts and conventions


def what_counts() -> pd.DataFrame:
    """The first paper's convention, layer by layer: columns layer, flops, params, acts."""
    rows = [
        ("conv, k×k, w to w′ channels in n groups, output r′×r′", "k²ww′r′²/n", "k²ww′/n", "w′r′²"),
        ("its bias, if it has one", "w′r′²", "w′", None),
        ("squeeze-excite: two 1×1 convs with bias, maps of 1×1", *["as convs"] * 3),
        ("classifier, w to c classes, with bias", "wc + c", "wc + c", "c"),
        ("batch norm over w channels", None, "2w", None),
        ("max-pool in a ResNet's stem", None, None, "wr′²"),
        (
            "activation function, average pool, squeeze-excite's product, addition of a skip,"
            " dropout",
            *[None] * 3,
        ),
    ]
    return pd.DataFrame(rows, columns=["layer", *COSTS])


def _by_layer(c: Complexity) -> dict[str, tuple[int, int, int]]:
    """Flops, params and acts of each kind of layer; bias additions count with their layer."""
    return {
        "convs": (c.conv_macs, c.conv_params, c.conv_acts),
        "squeeze-excite": (c.se_macs + c.se_biases, c.se_params, c.se_acts),
        "classifier": (
            c.classifier_macs + c.classifier_biases,
            c.classifier_params,
            c.classifier_acts,
        ),
        "batch norm": (0, c.bn_params, 0),
        "max-pool": (0, 0, c.pool_acts),
    }


def parts(name: str) -> pd.DataFrame:
    """Where a network's counts come from, and the sums that the two papers take.

    Returns:
        Columns part, flops, params, acts; parts without any are missing values.
    """
    c = complexity(get(name))
    rows: list[tuple[str, int, int, int]] = [
        ("convs outside squeeze-excite", c.conv_macs, c.conv_params, c.conv_acts),
        ("convs of squeeze-excite", c.se_macs, c.se_params, c.se_acts),
        ("classifier", c.classifier_macs, c.classifier_params, c.classifier_acts),
        ("bias additions, squeeze-excite", c.se_biases, 0, 0),
        ("bias additions, classifier", c.classifier_biases, 0, 0),
        ("batch norm", 0, c.bn_params, 0),
        ("max-pool of the stem", 0, 0, c.pool_acts),
        ("first paper: all of them", *c.counted_as("pycls")),
        ("second paper: no bias additions, acts of convs", *c.counted_as("efficientnet-x")),
    ]
    frame = pd.DataFrame(rows, columns=["part", *COSTS])
    for cost in COSTS:
        frame[cost] = frame[cost].astype("Int64").mask(frame[cost] == 0)
    return frame


def shares(names: Iterable[str]) -> pd.DataFrame:
    """Each kind of layer's share of a network's flops, params and acts.

    Returns:
        Long form: network, cost, part, share (0 to 1).
    """
    rows = []
    for name in names:
        c = complexity(get(name))
        totals = (c.flops, c.params, c.acts)
        for part, counts in _by_layer(c).items():
            for cost, value, total in zip(COSTS, counts, totals, strict=True):
                rows.append({"network": name, "cost": cost, "part": part, "share": value / total})
    return pd.DataFrame(rows)


def shares_figure(frame: pd.DataFrame) -> Figure:
    """Stacked bars from `shares`, a panel for each of flops, params and acts."""
    import matplotlib.pyplot as plt

    names = list(frame.network.unique())
    height = 1.15 + 0.34 * len(names)
    fig, axes = plt.subplots(1, 3, figsize=(7.6, height), sharey=True)
    for ax, cost in zip(axes, COSTS, strict=True):
        wide = frame[frame.cost == cost].pivot(index="network", columns="part", values="share")
        left = pd.Series(0.0, index=names)
        for part, colour in PARTS.items():
            width = 100 * wide.loc[names, part]
            ax.barh(names, width, left=left, color=colour, height=0.68, label=part, linewidth=0)
            left += width
        ax.set(title=cost, xlim=(0, 100), xticks=[0, 25, 50, 75, 100])
        ax.grid(axis="y", visible=False)
        ax.tick_params(axis="y", length=0)
    axes[0].invert_yaxis()
    axes[1].set_xlabel("percent of the total")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    return fig


def conventions(names: Iterable[str]) -> pd.DataFrame:
    """Flops and acts as each paper counts them. Params are the same in both."""
    rows = []
    for name in names:
        c = complexity(get(name))
        first, second = c.counted_as("pycls"), c.counted_as("efficientnet-x")
        rows.append(
            {
                "network": name,
                "flops, first": first[0],
                "flops, second": second[0],
                "acts, first": first[2],
                "acts, second": second[2],
            }
        )
    return pd.DataFrame(rows)


def authors() -> pd.DataFrame:
    """The authors' exact counts, and how many of them each convention meets to the unit.

    Returns:
        Columns source, numbers, and equal by each convention.
    """
    rows: dict[str, list[tuple[Network, tuple[int, int, int]]]] = {
        "first paper's code, scaled networks": [
            (
                get(m.base)
                if m.scale_type is None or m.scale is None
                else scale(get(m.base), m.scale_type, m.scale),
                (m.flops, m.params, m.acts),
            )
            for m in reference.scaled_models()
        ],
        "first paper's model zoo": [
            (get(m.model.replace("EfficientNet-", "EN-")), (m.flops, m.params, m.acts))
            for m in reference.zoo_timings()
        ],
        "second paper's builder": [
            (get(_second_paper_name(m.model)), (m.flops, m.params, m.acts))
            for m in reference.efficientnet_x_counts()
        ],
    }
    out = []
    for source, published in rows.items():
        row: dict[str, object] = {"source": source, "numbers": 3 * len(published)}
        for title, convention in (("first", "pycls"), ("second", "efficientnet-x")):
            row[f"equal, {title} paper's way"] = sum(
                ours == theirs
                for net, counts in published
                for ours, theirs in zip(
                    complexity(net).counted_as(convention),  # type: ignore[arg-type]
                    counts,
                    strict=True,
                )
            )
        out.append(row)
    return pd.DataFrame(out)


def _second_paper_name(model: str) -> str:
    """``efficientnet-x-gpu-b3`` is our EN-X-GPU-B3; a plain EfficientNet is the control EN-TF."""
    name = model.replace("efficientnet", "EN").upper()
    return name.replace("EN-B", "EN-TF-B")


READINGS: tuple[str, ...] = (
    "convs outside squeeze-excite",
    "all convs, as the text says",
    "and the classifier",
    "and the max-pool, as the code does",
)
"""What "acts" could mean, each more than the one before."""


INFERRED: tuple[str, ...] = ("RegNetY-500MF", "RegNetY-4GF", "RegNetZ-500MF", "RegNetZ-4GF")
"""Networks whose definitions, or heads, were inferred from printed counts: they would be evidence
for the reading with which they were inferred."""


def _readings(c: Complexity) -> tuple[int, ...]:
    convs = c.conv_acts + c.se_acts
    return c.conv_acts, convs, convs + c.classifier_acts, c.acts


def _rounds_to(computed: int, published: Decimal) -> bool:
    """Whether a count rounds to a printed number of millions, an exact half either way."""
    exponent = published.as_tuple().exponent
    assert isinstance(exponent, int)
    return abs(Fraction(computed, 10**6) - Fraction(published)) <= Fraction(10) ** exponent / 2


def _printed_acts() -> Iterator[tuple[str, str, Decimal, Network]]:
    """Place, row, published acts in millions, and the network that makes them.

    Each network of the tables counts once, though Table 8 repeats rows of Tables 5 to 7. Scaled
    rows are left out: the tables print no scale factor, and what was inferred from their acts is
    no evidence on how acts are counted.
    """
    seen: set[Network] = set()
    for known in reference.printed_networks():
        if not known.table.isdigit() or known.base in INFERRED or known.s:
            continue
        (row,) = select(reference.table_rows(), table=int(known.table), model=known.row)
        net = get(known.base)
        if net not in seen:
            seen.add(net)
            yield "Tables 5 to 8", f"Table {row.table}, {row.model}", row.macts, net
    for point in reference.runtime_points():
        if point.base == "EN-B0" and point.drawn("macts"):
            net = network(point.base, point.strategy, point.scale)
            label = f"Figure 2, {point.base}, {point.strategy}, s = {point.scale:g}"
            yield "Figure 2, EN-B0", label, point.macts, net


def readings() -> pd.DataFrame:
    """How many of the paper's acts each reading of "acts" explains.

    Returns:
        One row per reading, one column per place; the column titles have the number of values.
    """
    values: dict[str, list[tuple[bool, ...]]] = {}
    for place, _, published, net in _printed_acts():
        fits = tuple(_rounds_to(acts, published) for acts in _readings(complexity(net)))
        values.setdefault(place, []).append(fits)
    frame = pd.DataFrame({"counted as acts": READINGS})
    for place, rows in values.items():
        column = [sum(fits) for fits in zip(*rows, strict=True)]
        frame[f"{place}: {len(rows)} values"] = column
    return frame


def telling_rows(cases: int = 3) -> pd.DataFrame:
    """Rows of the tables whose printed digits tell the readings apart, one for each pattern.

    Args:
        cases: at most so many rows for each set of readings that fit.
    """
    shown: dict[tuple[bool, ...], list[dict[str, object]]] = {}
    for place, label, published, net in _printed_acts():
        acts = _readings(complexity(net))
        fits = tuple(_rounds_to(value, published) for value in acts)
        if place != "Tables 5 to 8" or all(fits):
            continue
        row: dict[str, object] = {"row": label, "printed": str(published)}
        row |= {
            reading: f"{value / 1e6:.3f} {'=' if ok else '≠'}"
            for reading, value, ok in zip(READINGS, acts, fits, strict=True)
        }
        group = shown.setdefault(fits, [])
        if len(group) < cases:
            group.append(row)
    return pd.DataFrame([row for group in shown.values() for row in group])


# -------------------------------------------------------------------------- three counts


def series(name: str) -> str:
    """The zoo's series a network belongs to: its name without the last part."""
    return name.rpartition("-")[0]


def agreement(names: Iterable[str]) -> pd.DataFrame:
    """Each network counted from its description and again from a built module.

    Returns:
        Columns network, series, flops, params, acts: whether both counts are equal. Flops and
        acts come from the operators that the module runs on the meta device, params from its
        weights.
    """
    rows = []
    for name in names:
        c, seen = complexity(get(name)), count(build(name, device="meta"))
        equal = {cost: getattr(c, cost) == getattr(seen, cost) for cost in COSTS}
        rows.append({"network": name, "series": series(name)} | equal)
    return pd.DataFrame(rows)


def by_series(agreed: pd.DataFrame) -> pd.DataFrame:
    """`agreement`, as networks and equal counts per series, with a row for all."""
    grouped = agreed.groupby("series", sort=False)
    frame = grouped[list(COSTS)].sum()
    frame.insert(0, "networks", grouped.size())
    frame.loc["all"] = frame.sum()
    frame.columns = ["networks", *(f"equal {cost}" for cost in COSTS)]
    return frame.astype(int).rename_axis("series").reset_index()


# ---------------------------------------------------------------------- outside counters

Explained = Mapping[str, Sequence[Comparison]]
"""Comparisons by network, from `repro.counters.explain`."""

NAMED: Mapping[str, str] = {"fvcore": "fvcore", "torchinfo": "torchinfo", "torch": "PyTorch"}


def side_by_side(explained: Explained) -> pd.DataFrame:
    """Every counter's figures beside ours; missing where a counter has none.

    Returns:
        Columns network, count, ours, fvcore, torchinfo, PyTorch.
    """
    rows = []
    for name, comparisons in explained.items():
        for cost in COSTS:
            of_cost = [c for c in comparisons if c.figure == cost]
            row: dict[str, object] = {"network": name, "count": cost, "ours": of_cost[0].ours}
            row |= {NAMED[c.counter]: c.theirs for c in of_cost}
            rows.append(row)
    frame = pd.DataFrame(rows)
    numbers = ["ours", *NAMED.values()]
    return frame.astype(dict.fromkeys(numbers, "Int64"))


def reasons(explained: Explained) -> pd.DataFrame:
    """Every difference taken apart, until nothing is left over.

    Returns:
        Columns network, counter, reason, units: one row per difference, then its reasons, then
        what they leave over. Reasons of size 0 are left out.
    """
    rows: list[tuple[str, str, str, int]] = []
    for name, comparisons in explained.items():
        for c in comparisons:
            if c.theirs == c.ours:
                continue
            what = f"{NAMED[c.counter]}, {c.figure}"
            rows.append((name, what, f"theirs minus ours ({_percent(c)})", c.theirs - c.ours))
            rows += [("", "", why, units) for why, units in c.reasons.items() if units]
            rows.append(("", "", "left over", c.residual))
    return pd.DataFrame(rows, columns=["network", "counter", "reason", "units"])


def folded(explained: Explained) -> PageBlock:
    """`reasons`, a fold for each network, the first one open."""
    parts = []
    for i, (name, comparisons) in enumerate(explained.items()):
        frame = reasons({name: comparisons}).drop(columns="network")
        frame["units"] = [f"{units:+,d}" if units else "0" for units in frame.units]
        spans = [
            f"<span>{NAMED[c.counter]}, {c.figure} {_percent(c)}</span>"
            for c in comparisons
            if c.theirs != c.ours
        ]
        caption = f"{name}: differences from our count, and what they consist of."
        shown = table(frame, caption, formats={"units": ""}, marks=LEFT_OVER)
        parts.append(fold(name, " ".join(spans), shown.html, unfold=i == 0))
    return PageBlock("\n".join(parts), f"Reasons for differences, {len(parts)} networks")


def _percent(c: Comparison) -> str:
    return f"{100 * (c.theirs - c.ours) / c.ours:+.2f} %"


LEFT_OVER: Mapping[str, str] = {"left over": "repro-left-over"}
"""How tables mark the last line of a difference."""


def leaf_norms() -> pd.DataFrame:
    """torchinfo on timm's own ResNet-50, whose batch norms are leaf modules, beside our count.

    Returns:
        Columns count, ours, the reasons, torchinfo, left over; missing where a reason has no part.
    """
    import timm
    import torch

    with torch.device("meta"):
        theirs = torchinfo_counts(timm.create_model("resnet50"))
    c = complexity(get("ResNet-50"))
    reasons = {
        "scales and shifts of batch norm": {"flops": c.bn_params},
        "outputs of batch norm": {"acts": c.conv_acts},  # one behind every conv
        "outputs of max-pool": {"acts": -c.pool_acts},
    }
    rows = []
    for cost in COSTS:
        row: dict[str, object] = {"count": cost, "ours": getattr(c, cost)}
        row |= {reason: sizes.get(cost) for reason, sizes in reasons.items()}
        explained = getattr(c, cost) + sum(sizes.get(cost, 0) for sizes in reasons.values())
        rows.append(row | {"torchinfo": theirs[cost], "left over": theirs[cost] - explained})
    frame = pd.DataFrame(rows)
    return frame.astype(dict.fromkeys(reasons, "Int64"))


def in_words(found: Mapping[str, float]) -> dict[str, str]:
    """What the prose says of `extremes`, by glue name."""
    left = int(found["left_over"])
    return {
        "conf_left_over_text": f"up to {left:,} units are left over"
        if left
        else "nothing is left over"
    }


def extremes(explained: Explained) -> dict[str, float]:
    """Of all comparisons: how many there are, how many are equal, what is left over at most, and
    the largest relative difference of a counter whose flop is a multiply-add."""
    every = [c for comparisons in explained.values() for c in comparisons]
    return {
        "comparisons": len(every),
        "equal": sum(c.theirs == c.ours for c in every),
        "left_over": max(abs(c.residual) for c in every),
        "largest": max(abs(c.theirs - c.ours) / c.ours for c in every if c.counter != "torch"),
    }
