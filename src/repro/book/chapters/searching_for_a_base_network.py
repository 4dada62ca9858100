"""Chapter "Searching for a base network": a space whose networks were trained, searched.

Source: Accel-NASBench (arXiv 2404.08005), 4,638 networks of EfficientNet-B0's own space, and the
claims of Searching for Fast Model Families on Datacenter Accelerators, section 5.1.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, cast

import numpy as np
import pandas as pd
from pydantic import AfterValidator, Field
from sklearn.linear_model import Ridge as Line

from repro.arch import Network
from repro.arch.efficientnet_x import XStage
from repro.book.kit.chapter import glue as store
from repro.book.kit.figures import STRATEGY_COLOURS, dots, legend, log_axis, panels
from repro.book.parameters import ChapterParameters, DeviceName, no_repeats
from repro.complexity import placed
from repro.errors import InputError
from repro.search import latency
from repro.search.budgets import fits
from repro.search.evolve import Found, within
from repro.search.scaling import EXPONENT
from repro.search.space import ACCELERATOR, EFFICIENTNET, Codes, Floats, Sums
from repro.search.table import (
    FOLDS,
    Ridge,
    columns,
    published,
    rank_correlation,
    retrained,
    table,
)
from repro.search.throughput import DEVICES, milliseconds, throughput

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Timed = Literal["A100", "RTX 3090", "TPUv2", "TPUv3"]
Signal = Literal["flops", "acts", "params", "roofline", "A100", "RTX 3090", "TPUv2", "TPUv3"]
Part = Literal["e", "k", "l", "se"]


def glue(**numbers: object) -> None:
    """Key numbers to nine digits: the last ones depend on how many threads add up."""
    store(**{k: float(f"{v:.9g}") if isinstance(v, float) else v for k, v in numbers.items()})


class Parameters(ChapterParameters):
    """Chapter "Searching for a base network"."""

    space: Annotated[list[Part], Field(min_length=1), AfterValidator(no_repeats)] = Field(
        ["e", "k", "l", "se"],
        description="Chosen: expansions, kernels, repeats, squeeze-excites; the rest stays B0's",
    )
    device: Timed = Field("A100", description="Whose time is the budget, and whose roofline")
    signals: Annotated[list[Signal], Field(min_length=1), AfterValidator(no_repeats)] = Field(
        ["flops", "acts", "roofline", "A100", "RTX 3090", "TPUv3"],
        description="What searches are told that a network costs",
    )
    budget: float = Field(1.0, ge=0.7, le=2, description="Of that, over what B0 costs")
    rooflines: Annotated[list[DeviceName], Field(min_length=1, max_length=5)] = Field(
        ["V100", "TPUv3", "H100", "CPU"], description="Devices on which stages are fused"
    )
    seed: int = Field(0, ge=0, description="Of all searches and samples")


Score = Callable[[Codes], Floats]
"""Something of points of a space: what they reach, or what they cost."""
Searcher = Callable[[Score, Score], Codes]
"""The best point, as one row, by what points reach and by what they cost."""
GREY = "#909090"
FIRST, SECOND = STRATEGY_COLOURS["d"], STRATEGY_COLOURS["dwr"]
THIRD = STRATEGY_COLOURS["r"]
B0 = EFFICIENTNET.own[None]
NEAR = 0.1
"""Networks are near B0's time when theirs differs by at most this share."""
LINE = 100
"""Networks that a straight line is drawn through."""


def charge(signal: str, device: str) -> Score:
    """What a signal says that points of B0's space cost; the roofline is the device's."""
    if signal in DEVICES:
        return throughput(signal).ms
    if signal == "roofline":
        return Sums(EFFICIENTNET, latency.roofline(DEVICES[device].roofline))
    return Sums(EFFICIENTNET, latency.budget(signal))  # type: ignore[arg-type]


def winner(looked: Found, limit: float) -> Codes:
    """The best point of a search, as one row.

    Raises:
        InputError: nothing keeps to the limit.
    """
    best = looked.best(within(limit))
    if not fits(looked.cost[best], limit).all():
        raise InputError(
            f"budget is too small: none of {len(looked.cost):,} networks needs less than "
            f"{looked.cost.min() / limit:.2f} times as much"
        )
    return looked.codes[best]


class Trained(NamedTuple):
    """Networks that were trained, and timed on a device.

    Attributes:
        ms: of an image. top1: percent. unseen: the same, by a model without their fold.
    """

    codes: Codes
    ms: Floats
    top1: Floats
    unseen: Floats


@cache
def trained(device: str) -> Trained:
    """All of the table that were timed on a device."""
    ms, (codes, top1) = milliseconds(device), published()
    timed = np.isfinite(ms)
    return Trained(codes[timed], ms[timed], top1[timed], table().unseen[timed])


def clouds_figure(devices: Sequence[str], every: int = 5) -> Figure:
    """Measured times over flops and over a roofline, a row of panels for each device."""
    fig, axes = panels(2 * len(devices), 2, (3.7, 2.7))
    for row, device in enumerate(devices):
        codes, ms, *_ = trained(device)
        roof = DEVICES[device].roofline
        for ax, signal, unit, label in (
            (axes[2 * row], "flops", 1e-6, "flops, M"),
            (axes[2 * row + 1], "roofline", 1e6 / latency.BATCH, f"least µs, {roof}'s roofline"),
        ):
            x = unit * charge(signal, device)(codes)
            ax.add_patch(dots(x[::every].tolist(), (1e3 * ms[::every]).tolist()))
            at = unit * charge(signal, device)(B0), 1e3 * throughput(device).ms(B0)
            ax.plot(*at, "*", color=SECOND, markersize=13, label="EfficientNet-B0, by block prices")
            ax.set(xlim=(0, 1.05 * x.max()), ylim=(0, 1.05e3 * ms.max()))
            ax.set(title=f"{device}, τ = {rank_correlation(x, ms):.2f}", xlabel=label)
        axes[2 * row].set_ylabel("measured µs an image")
    legend(fig, axes[:1])
    return fig


def gain(code: Codes) -> float:
    """Predicted points of a network above B0."""
    model = table()
    return float((model.top1(code) - model.top1(B0))[0])


def signals_table(
    found: Mapping[str, Codes], tied: Mapping[str, int], devices: Sequence[str]
) -> pd.DataFrame:
    """What searches found: predicted points above B0, and costs as multiples of B0's."""
    costs = {name: charge(name, devices[0]) for name in ("flops", "params", "acts", *devices)}
    return pd.DataFrame(
        {"searched by": signal, "gain, points": gain(code)}
        | {name: float((cost(code) / cost(B0))[0]) for name, cost in costs.items()}
        | {"tied": tied[signal]}
        for signal, code in found.items()
    )


def judged_by_others(find: Callable[[Score], Codes]) -> pd.DataFrame:
    """Gains of searches by a model of two fifths of the networks, as that model predicts them
    (believed) and as a model of the other three fifths does (judged)."""
    codes, reached = published()
    ridge, logs, found = Ridge(codes), np.log(table().most - reached), []

    def model(folds: Collection[int]) -> Score:
        return replace(table(), log_gap=ridge.fit(logs, table().penalty, [*folds])).top1

    for mine in combinations(range(FOLDS), 2):
        own, other = model(mine), model({*range(FOLDS)} - {*mine})
        best = find(own)
        found.append([float((top1(best) - top1(B0))[0]) for top1 in (own, other)])
    return pd.DataFrame(found, columns=["believed", "judged"])


def front(find: Callable[[float], Codes], time: Score, top1: Score) -> pd.DataFrame:
    """The best predicted top-1 for more and less time: columns of, ms, top1.

    find: the best network for a multiple of the budget; `InputError` where there is none.
    """
    found = []
    for of in (0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2):
        try:
            best = find(of)
        except InputError:
            continue
        found.append((of, float(time(best)[0]), float(top1(best)[0])))
    return pd.DataFrame(found, columns=["of", "ms", "top1"])


def points_of_time(trades: pd.DataFrame) -> float:
    """Points that a tenth of the time buys on the front about the budget; 0 where it is flat."""
    about = trades[trades.of.between(0.89, 1.11)]
    steps = np.log(about.ms.iloc[-1] / about.ms.iloc[0])
    rise = about.top1.iloc[-1] - about.top1.iloc[0]
    return float(rise / steps * np.log(1 / 0.9)) if steps else 0.0


def reward_points(top1: float, faster: float) -> float:
    """Points that the paper's reward gives for being some times as fast."""
    return top1 * (1 - faster**EXPONENT)


def raw_figure(
    device: str,
    trades: pd.DataFrame,
    b0: tuple[float, float],
    found: tuple[float, float],
    limit: float,
    lowest: float = 60,
) -> Figure:
    """Top-1 over time: networks that were trained, B0, and the best by the model.

    Args:
        b0, found: milliseconds an image and predicted top-1. limit: of the search.
        lowest: where the axis of top-1 begins.
    """
    fig, [ax] = panels(1)
    _, ms, top1, _ = trained(device)
    shown = top1 > lowest
    ax.add_patch(dots((1e3 * ms[shown]).tolist(), top1[shown].tolist()))
    ax.plot([], [], "o", color=GREY, markersize=3, label="trained and timed")
    error = table().held_out.mae
    x = 1e3 * trades.ms
    ax.fill_between(x, trades.top1 - error, trades.top1 + error, color=FIRST, alpha=0.15, lw=0)
    ax.plot(x, trades.top1, "o-", color=FIRST, label="best predicted, by budget")
    for (time, reached), marker, colour, label in (
        (found, "D", FIRST, "found"),
        (b0, "*", SECOND, "EfficientNet-B0, predicted"),
    ):
        size = 13 if marker == "*" else 8
        ax.plot(1e3 * time, reached, marker, color=colour, markersize=size, label=label)
    ax.axvline(1e3 * limit, color=GREY, linestyle=":", linewidth=1.2)
    ax.set(xlim=(0.95e3 * ms[shown].min(), 1.02e3 * max(ms.max(), trades.ms.max())))
    ax.set(ylim=(lowest, max(top1.max(), trades.top1.max()) + 0.7))
    log_axis(ax, "x", (60, 80, 100, 125, 150, 200, 250, 300, 400, 600, 800, 1000, 1500, 2000))
    ax.set(xlabel=f"µs an image, {device} (log)", ylabel="top-1, %, short schedule")
    legend(fig, [ax], 4)
    return fig


class Piece(NamedTuple):
    """A block, or stem or head: least seconds, and what a drawing shows of it."""

    stage: int
    seconds: float
    kernel: int
    expansion: int
    squeeze: bool


def pieces(net: Network, cost: Callable[[Network], float]) -> Iterator[Piece]:
    """Blocks of a network of B0's space, in order; last, as stage 0, what stem and head take."""
    rest = cost(net)
    for stage, one, times in placed(net):
        block, seconds = one.block, cost(one.network())
        expansion = block.mid_width // block.in_width
        yield from [Piece(stage, seconds, block.kernel, expansion, block.se_width > 0)] * times
        rest -= times * seconds
    yield Piece(0, rest, 0, 6, False)


def strips_figure(nets: Mapping[str, Network], device: str) -> Figure:
    """Networks as strips of blocks: as wide as their least time, as high as their expansion."""
    from matplotlib.patches import Patch

    fig, axes = panels(len(nets), 1, (6.8, 1.5), sharex=True)
    cost = latency.roofline(device)
    colours = {3: FIRST, 5: SECOND, 0: GREY}
    for ax, (title, net) in zip(axes, nets.items(), strict=True):
        x, last = 0.0, 0
        for piece in pieces(net, cost):
            wide = 1e3 * piece.seconds
            bars = [(piece.expansion, colours[piece.kernel])] + [(0.5, THIRD)] * piece.squeeze
            for high, colour in bars:
                ax.bar(x, high, 0.93 * wide, align="edge", color=colour, edgecolor="none")
            if piece.stage != last and piece.stage:
                ax.text(x, piece.expansion + 0.25, str(piece.stage), fontsize=9)
            x, last = x + wide, piece.stage
        ax.set(title=title, ylim=(0, 7.6), yticks=(1, 4, 6), ylabel="expansion")
        ax.grid(visible=False)
    axes[-1].set_xlabel(f"least ms of {latency.BATCH} images, {device}'s roofline, block by block")
    names = {"3×3": FIRST, "5×5": SECOND, "with squeeze-excite": THIRD, "stem, head": GREY}
    marks = [Patch(color=colour, label=name) for name, colour in names.items()]
    fig.legend(handles=marks, loc="outside upper center", ncols=4)
    return fig


def fused_times(device: str, sets: Codes) -> Floats:
    """Least seconds of EfficientNet-X-B0 with sets of fused stages, (n, 7) of 0 and 1."""
    codes = np.tile(ACCELERATOR.own, (len(sets), 1))
    codes[:, [ACCELERATOR.places[f"fused{stage}"] for stage in range(1, 8)]] = sets
    return Sums(ACCELERATOR, latency.roofline(device))(codes)


def fused_table(devices: Sequence[str], top1: float) -> pd.DataFrame:
    """What fusing each stage alone adds to the time, percent, and points that even it out.

    top1: percent, of which the paper's reward takes a share for time on the first device.
    """
    sets = np.vstack([np.zeros(7), np.eye(7)]).astype(np.int8)
    seconds = {device: fused_times(device, sets) for device in devices}
    ratios = {device: one[1:] / one[0] for device, one in seconds.items()}
    stages = cast(tuple[XStage, ...], ACCELERATOR.network(ACCELERATOR.own).stages)
    return pd.DataFrame(
        {
            "stage": range(1, 8),
            "channels": [stage.out_width for stage in stages],
            "kernel": [f"{stage.kernel}×{stage.kernel}" for stage in stages],
            **{f"{device}, %": 100 * (ratio - 1) for device, ratio in ratios.items()},
            "points": [reward_points(top1, 1 / ratio) for ratio in ratios[devices[0]]],
        }
    )


def line(codes: Codes, top1: Floats) -> Score:
    """A straight line in all choices, lightly held back; points of B0's space."""
    fit = Line(alpha=3.0).fit(columns(codes), top1)
    return lambda points: np.asarray(fit.predict(columns(points)))


def proxies_table(device: str, find: Searcher, draws: int = 5) -> pd.DataFrame:
    """What ranks networks as their training does, and what a search by it finds.

    Columns: how many networks have to be trained; tau over all timed networks, and over those
    within `NEAR` of B0's time; gain of the network found, in the eyes of the table's model.
    """
    time, (codes, ms, reached, unseen) = charge(device, device), trained(device)
    near = abs(ms / time(B0) - 1) <= NEAR

    def row(name: str, cost: str, *scores: Score, ranks: Floats | None = None) -> dict[str, object]:
        found = []
        for score in scores:
            values = score(codes) if ranks is None else ranks
            taus = (rank_correlation(values[some], reached[some]) for some in (slice(None), near))
            found.append((*taus, gain(find(score, time))))
        keys = ("tau", f"tau near B0's {device} time", "gain, points")
        mean = np.mean(found, axis=0).tolist()
        return {"predictor": name, "to be trained": cost, **dict(zip(keys, mean, strict=True))}

    rng = np.random.default_rng(0)
    parts = [rng.permutation(len(codes))[:LINE] for _ in range(draws)]
    lines = [line(codes[part], reached[part]) for part in parts]
    again = {"predictor": "a training with another seed", "to be trained": "each network"}
    return pd.DataFrame(
        [
            *(row(name, "none", charge(name, device)) for name in ("acts", "flops", "params")),
            row(f"a line through {LINE} networks", f"{LINE}", *lines),
            row("the table's model", f"{len(table().unseen):,}", table().top1, ranks=unseen),
            again | {"tau": retrained().another_tau},
        ]
    )
