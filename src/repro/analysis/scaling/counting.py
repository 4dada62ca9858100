"""What each convention counts, and why two counters of one network disagree.

Sources: Fast and Accurate Model Scaling, section 3.1, Tables 5 to 8 and Figure 2; the authors' own
counts in ``data/reference/``. One multiply-add is one flop, except where a counter says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from repro import reference
from repro.analysis.scaling.rounding import COSTS
from repro.arch import Network, get, scale
from repro.complexity import complexity
from repro.counters import Comparison, count, torchinfo_counts
from repro.evidence.printed import network, printed_rows
from repro.models import build

COUNTERS = {"fvcore": "fvcore", "torchinfo": "torchinfo", "torch": "PyTorch"}


def parts(name: str) -> pd.DataFrame:
    """Where a network's counts come from, and the sums that the two papers take."""
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


def _authors_networks() -> Iterator[tuple[str, Network, tuple[int, int, int]]]:
    """Source, network, and flops, params and acts by its authors' own program."""
    for m in reference.scaled_models():
        net = get(m.base)
        if m.scale_type is not None and m.scale is not None:
            net = scale(net, m.scale_type, m.scale)
        yield "first paper's code, scaled networks", net, (m.flops, m.params, m.acts)
    for z in reference.zoo_timings():
        net = get(z.model.replace("EfficientNet-", "EN-"))
        yield "first paper's model zoo", net, (z.flops, z.params, z.acts)
    for x in reference.efficientnet_x_counts():
        # "efficientnet-x-gpu-b3" is EN-X-GPU-B3; a plain EfficientNet is the control EN-TF
        name = x.model.replace("efficientnet", "EN").upper().replace("EN-B", "EN-TF-B")
        yield "second paper's builder", get(name), (x.flops, x.params, x.acts)


def authors() -> pd.DataFrame:
    """The authors' exact counts, and how many of them each convention meets to the unit."""
    ways = {"equal, first paper's way": "pycls", "equal, second paper's way": "efficientnet-x"}
    rows = []
    for source, net, theirs in _authors_networks():
        row: dict[str, object] = {"source": source, "numbers": len(theirs)}
        for title, way in ways.items():
            ours = complexity(net).counted_as(way)  # type: ignore[arg-type]
            row[title] = sum(a == b for a, b in zip(ours, theirs, strict=True))
        rows.append(row)
    return pd.DataFrame(rows).groupby("source", sort=False).sum().reset_index()


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


def _printed_acts() -> Iterator[tuple[str, float, float, Network]]:
    """Place, published acts in millions, half of their last digit, and the network.

    Each network of the tables counts once. Scaled rows are left out: the tables print no scale
    factor, and what was inferred from their acts is no evidence on how acts are counted.
    """
    seen: set[Network] = set()
    for row in printed_rows():
        net = row.network()
        if row.s is None and row.base not in INFERRED and net not in seen:
            seen.add(net)
            yield "Tables 5 to 8", row.values["acts"], 0.05, net
    for point in reference.runtime_points():
        if point.base == "EN-B0" and point.drawn("macts"):
            net = network(point.base, point.strategy, point.scale)
            yield "Figure 2, EN-B0", float(point.macts), 0.005, net


def readings() -> pd.DataFrame:
    """How many of the paper's acts each reading explains; column titles have how many there are."""
    places: dict[str, list[list[bool]]] = {}
    for place, published, half, net in _printed_acts():
        c = complexity(net)
        convs = c.conv_acts + c.se_acts
        every = (c.conv_acts, convs, convs + c.classifier_acts, c.acts)
        fits = [abs(acts / 1e6 - published) <= half + 1e-9 for acts in every]
        places.setdefault(place, []).append(fits)
    sums = {
        f"{place}: {len(rows)} values": [sum(fits) for fits in zip(*rows, strict=True)]
        for place, rows in places.items()
    }
    return pd.DataFrame({"counted as acts": READINGS, **sums})


def disagreeing(names: Iterable[str]) -> list[str]:
    """The networks whose built module, run on the meta device, counts otherwise."""
    pairs = [(name, complexity(get(name)), count(build(name, device="meta"))) for name in names]
    return [n for n, c, seen in pairs if any(getattr(c, k) != getattr(seen, k) for k in COSTS)]


def sums(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Our count of a network, reasons, and another counter's count: reasons add up to it.

    Equal counts and reasons of size 0 are left out.
    """
    rows: list[tuple[str, str, int]] = []
    for c in comparisons:
        if c.theirs != c.ours:
            rows.append((f"{COUNTERS[c.counter]}, {c.figure}", "our count", c.ours))
            rows += [("", why, units) for why, units in c.reasons.items() if units]
            if c.residual:
                rows.append(("", "left over", c.residual))
            rows.append(("", "its count", c.theirs))
    return pd.DataFrame(rows, columns=["counter", "reason", "units"])


def leaf_norms() -> tuple[Comparison, ...]:
    """torchinfo on timm's own ResNet-50, whose batch norms are leaf modules, beside our count."""
    import timm
    import torch

    with torch.device("meta"):
        theirs = torchinfo_counts(timm.create_model("resnet50"))
    c = complexity(get("ResNet-50"))
    no_pool = {"outputs of the stem's max-pool left out": -c.pool_acts}
    reasons = {
        "flops": {"scales and shifts of batch norm": c.bn_params},
        "params": {},
        "acts": {"outputs of batch norm, one behind every conv": c.conv_acts, **no_pool},
    }
    return tuple(
        Comparison("torchinfo", cost, getattr(c, cost), theirs[cost], reasons[cost])
        for cost in COSTS
    )
