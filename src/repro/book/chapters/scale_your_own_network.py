"""Chapter "Scale your own network"."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import pandas as pd
from pydantic import AfterValidator, Field, WithJsonSchema

from repro import reference
from repro.book.kit.figures import legend, log_axis, panels
from repro.book.kit.strategies import GREY, strategy_style
from repro.book.parameters import ChapterParameters
from repro.search.advise import STRATEGIES, advise, device, devices, find_base, known_error
from repro.search.budgets import read_budget
from repro.search.scale_law import ScaleLaw

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _read_by(read: Callable[[str], object]) -> AfterValidator:
    """A text that something reads, which refuses what it cannot."""

    def check(text: str) -> str:
        read(text)
        return text

    return AfterValidator(check)


ALL_DEVICES = [name for group in devices() for name in group]
DeviceName = Annotated[str, _read_by(device), WithJsonSchema({"enum": ALL_DEVICES})]


class Parameters(ChapterParameters):
    """Chapter "Scale your own network"."""

    network: Annotated[str, _read_by(find_base)] = Field(
        "EN-B0", description="Yours: a name, timm/NAME, or a description's file"
    )
    budget: Annotated[str, _read_by(read_budget)] = Field(
        "2x", description="Such as 2x, 5ms, 10GF, 50Macts, 8GB"
    )
    device: DeviceName = Field("rtx4090", description="Whose time: of fitted prices, or a roofline")
    error: Annotated[float, Field(gt=0, lt=100)] | None = Field(
        None, description="Your network's top-1 error, percent; None: as published"
    )


NETWORKS = ("EN-B0", "ResNet-50", "RegNetY-4GF")
DEVICES: Mapping[str, tuple[str, bool]] = {
    "V100, training": ("v100", True),
    "H100, roofline": ("H100", False),
    "RTX 4090": ("rtx4090", False),
    "Core i7-12700H": ("cpu_i7_12700h", False),
}
"""Device, and whether training is timed."""
BUDGETS = ("2x", "8x")
FIGURE_DEVICE = "RTX 4090"


def cases() -> pd.DataFrame:
    """Advice for every network, device and budget: a row for each strategy.

    Columns: network, device, budget, phi (share of the base's time that flops are charged for),
    behind (points more than the best), and those of `repro.search.advise.Advice`.
    """
    rows = []
    for name in NETWORKS:
        base, known = find_base(name), known_error(name)
        for title, (where, training) in DEVICES.items():
            charges = device(where, "train" if training else "infer")
            case = {"network": name, "device": title, "phi": charges.phi(base.base)}
            for text in BUDGETS:
                found = advise(base, charges, read_budget(text), known[0] if known else None)
                best = min(row.gap for row in found)
                rows += [
                    {**case, "budget": text, "behind": row.gap - best, **row._asdict()}
                    for row in found
                ]
    return pd.DataFrame(rows)


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """A row for each network and device: what is tied, ties' params, how far dwr is behind."""
    rows = []
    for (network, where), case in frame.groupby(["network", "device"], sort=False):
        row = {"network": network, "device": where, "flops, %": 100 * case.phi.iloc[0]}
        ties = {text: case[case.tied & (case.budget == text)] for text in BUDGETS}
        row |= {f"tied at {text}": names(list(part.strategy)) for text, part in ties.items()}
        sizes = ties[BUDGETS[-1]].params / 1e6
        row["their params, M"] = f"{sizes.min():.0f} to {sizes.max():.0f}"
        even = case[case.strategy == "dwr"].set_index("budget").behind
        rows.append(row | {f"dwr, {text}": even[text] for text in BUDGETS})
    return pd.DataFrame(rows)


def costs(
    name: str,
    where: str,
    budget: str,
    strategies: Sequence[str] = STRATEGIES,
    error: float | None = None,
) -> pd.DataFrame:
    """What strategies give in a budget: ties first; with the base's error, percent, theirs too."""
    asked = find_base(name), device(where), read_budget(budget)
    found = advise(*asked, error, strategies=strategies)
    points = [f"{r.gap:+.1f} ± {r.band:.1f}" if r.strategy != "dWr" else "–" for r in found]
    errors = [
        "unknown" if r.top1_error is None else f"{r.top1_error:.1f} ± {r.band:.1f}" for r in found
    ]
    return pd.DataFrame(
        {
            "tied": ["tied" if row.tied else "" for row in found],
            "strategy": [row.strategy.replace("2/3", "α = 2/3") for row in found],
            "flops, G": [row.flops / 1e9 for row in found],
            "params, M": [row.params / 1e6 for row in found],
            "memory, GB": [row.memory / 1e9 for row in found],
            "ms": [row.ms for row in found],
            "off by, %": [None if row.ms_error is None else 100 * row.ms_error for row in found],
            **({"points over dWr": points} if error is None else {"top-1 error, %": errors}),
        }
    )


def missed(base: str, scales: tuple[float, float]) -> pd.DataFrame:
    """Published networks of a base between two scales: strategy, ratio of flops, trained error,
    and how many points less the law of errors says (less than zero: it says more)."""
    drawn = reference.to_frame(reference.figure_points())
    mine, known = drawn[drawn.base == base], known_error(base)
    assert known is not None, base
    some = mine[mine.scale.between(*scales)]
    ratio = some.gflops / mine.gflops[mine.scale == 1].iloc[0]
    law = [ScaleLaw.known().error(known[0], *of) for of in zip(some.strategy, ratio, strict=True)]
    trained = some.top1_error_percent.astype(float)
    found = {"strategy": some.strategy, "ratio": ratio, "trained": trained, "kind": trained - law}
    return pd.DataFrame(found).drop_duplicates()


def names(found: list[str]) -> str:
    """Strategies in the order of `STRATEGIES`; where few are missing, which."""
    missing = [s for s in STRATEGIES if s not in found]
    if len(missing) <= 3 < len(found):
        return f"all but {', '.join(missing)}" if missing else "all"
    return ", ".join(s.replace("2/3", "α = 2/3") for s in STRATEGIES if s in found)


def _style(strategy: str) -> tuple[str, str]:
    """Marker and colour."""
    known = {"2/3": "alpha=2/3", "EfficientNet": "orig"}
    style = strategy_style(known.get(strategy, strategy))
    return style["marker"], style["color"]


def ties_figure(frame: pd.DataFrame) -> Figure:
    """Predicted error with its interval against params; ties filled, in the band of the best."""
    fig, axes = panels(len(NETWORKS) * len(BUDGETS), len(NETWORKS), (2.7, 2.6), sharex="col")
    shown = frame[frame.device == FIGURE_DEVICE]
    places = [(text, name) for text in BUDGETS for name in NETWORKS]
    for ax, (text, name) in zip(axes, places, strict=True):
        _case(ax, shown[(shown.network == name) & (shown.budget == text)])
        ax.set_title(f"{name}, {text}")
        log_axis(ax, "x", (5, 10, 20, 50, 100, 200, 500))
    for ax in axes[len(NETWORKS) :]:
        ax.set_xlabel("params, M")
    for ax in axes[:: len(NETWORKS)]:
        ax.set_ylabel("top-1 error, %")
    legend(fig, axes, 5)
    return fig


def _case(ax: Axes, case: pd.DataFrame) -> None:
    best = case.sort_values("top1_error").iloc[0]
    low, high = best.top1_error - best.band, best.top1_error + best.band
    ax.axhspan(low, high, color=GREY, alpha=0.2, linewidth=0)
    for strategy in STRATEGIES:
        row = case[case.strategy == strategy].iloc[0]
        marker, colour = _style(strategy)
        x, y = row.params / 1e6, row.top1_error
        ax.plot([x, x], [y - row.band, y + row.band], "-", color=colour, linewidth=1.2)
        size = 12 if marker == "*" else 7
        (dot,) = ax.plot(x, y, marker, color=colour, markersize=size, linestyle="none")
        dot.set(markerfacecolor=colour if row.tied else "none")
        label = strategy.replace("2/3", "α = 2/3")
        ax.plot([], [], marker, color=colour, markersize=size, label=label, linestyle="none")
