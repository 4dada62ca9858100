"""Parameters, figures, page tables and key numbers of the chapter "Does accuracy survive?"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import correlation, fmean
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import pandas as pd
from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from repro.analysis.accuracy import published
from repro.analysis.accuracy.cost import Training, runs_needed, whole_study
from repro.analysis.accuracy.proxies import DATA, SINGLES, against_dwr, data_sets, trainings
from repro.analysis.accuracy.published import BASES, MEANS, REFERENCE, STRATEGIES, Noise
from repro.analysis.frames import family
from repro.analysis.timing.sets import IMAGENET_IMAGES
from repro.book.kit.chapter import span
from repro.book.kit.figures import (
    FAMILY_COLOURS,
    STRATEGY_COLOURS,
    STRATEGY_MARKERS,
    legend,
    log_axis,
    panels,
)
from repro.book.parameters import ChapterParameters, NetworkName, Scale, no_repeats
from repro.errors import did_you_mean
from repro.evidence.trainings import ALIKE, SINGLE, WORSE, gain, trained
from repro.text import count_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from repro.records import TrainingRecord

GREY = "#909090"
Numbers = dict[str, float | str]
"""Key numbers by glue name; spans and counts as text."""


def _file_of_trainings(path: str) -> str:
    trainings(path)
    return path


def _known_proxy(name: str) -> str:
    from repro.arch.proxies import PROXIES

    if name not in PROXIES:
        raise ValueError(f"{', '.join(PROXIES)} are there.{did_you_mean(name, PROXIES)}")
    return name


Way = Literal["d", "w", "r", "dwr", "alpha=2/3", "dWr"]
Ways = Annotated[list[Way], Field(min_length=1), AfterValidator(no_repeats)]
Proxy = Annotated[str, AfterValidator(_known_proxy)]
Proxies = Annotated[list[Proxy], Field(min_length=1), AfterValidator(no_repeats)]
_WAYS: list[Way] = ["d", "w", "r", "dwr", "alpha=2/3", "dWr"]


class Parameters(ChapterParameters):
    """Chapter "Does accuracy survive?"."""

    records: Annotated[str, AfterValidator(_file_of_trainings)] | None = Field(
        None, description="Your file of training runs; None: the book's own"
    )
    data: Literal["digits", "cifar10", "tiny-imagenet"] = Field(
        "digits", description="Images of the live training"
    )
    root: str | None = Field(
        None, validate_default=True, description="Folder of these images; digits need none"
    )
    proxies: Proxies = Field(["proxy-EN"], description="Bases of the live training")
    ways: Ways = Field(["w", "dwr"], description="How it scales them, to four times the flops")
    seeds: int = Field(1, ge=1, le=20, description="Runs of each")
    epochs: int = Field(3, ge=1, le=1000, description="Of each of these runs")
    device: Literal["cpu", "cuda"] = Field("cpu", description="Device of the live training")
    network: NetworkName = Field("EN-B0", description="Zoo network to price on ImageNet")
    scale: Scale = Field(11, description="Factor on its flops")
    strategies: Ways = Field(["dwr", "dWr"], description="How it is scaled")
    imagenet_epochs: int = Field(
        200, ge=1, le=10_000, description="Of one training there; the paper's 2x schedule"
    )
    tiers: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "laptop": {"ways": _WAYS, "seeds": 3, "epochs": 10},
        "gpu": {"proxies": ["proxy-EN", "proxy-Y", "proxy-Z"], "epochs": 20, "device": "cuda"},
        # Commands for all strategies; the live training is as in smoke again.
        "paper": {
            "strategies": _WAYS,
            "proxies": ["proxy-EN"],
            "ways": ["w", "dwr"],
            "seeds": 1,
            "epochs": 3,
            "device": "cpu",
        },
    }

    @field_validator("root")
    @classmethod
    def _root_where_needed(cls, root: str | None, info: ValidationInfo) -> str | None:
        data = info.data.get("data", "digits")
        if data != "digits" and root is None:
            raise ValueError(f"data set {data!r} needs its folder")
        return root


def _style(strategy: str) -> dict[str, Any]:
    """Label, colour, marker and line; dWr's means of three are dWr with open markers, dashed."""
    name = "dWr" if strategy == MEANS else strategy
    lines = {MEANS: "--", "orig": ":"}
    return {
        "label": strategy.replace("alpha=", "α = "),
        "color": STRATEGY_COLOURS.get(name, GREY),
        "marker": STRATEGY_MARKERS.get(name, "o"),
        "fillstyle": "none" if strategy == MEANS else "full",
        "linestyle": lines.get(strategy, "-"),
        "linewidth": 1.4,
    }


def errors_figure(points: pd.DataFrame, gaps: pd.DataFrame, noise: Noise) -> Figure:
    """Figures 1 and 4 to 7: errors against flops, and below them their distance from dwr.

    The bands hold 95 % of the differences of two runs of equally good networks, at the smaller and
    at the larger reading of the noise.
    """
    fig, axes = panels(
        6, 3, (2.5, 3.1), sharex=True, sharey="row", gridspec_kw={"height_ratios": [1, 1.6]}
    )
    single = points[(points.figure != "8") & (points.flops < 1.1 * published.TOP)]
    for base, above, below in zip(BASES, axes[:3], axes[3:], strict=True):
        mine = single[single.base == base]
        for strategy in ("orig", *STRATEGIES, REFERENCE):
            line = mine[mine.strategy == strategy]
            if len(line):
                above.plot(line.flops, line.error, **_style(strategy) | {"markersize": 3.5})
        for half, alpha in zip(noise.halves(2**0.5)[::-1], (0.13, 0.17), strict=True):
            below.axhspan(-half, half, color=GREY, alpha=alpha, linewidth=0)
        below.axhline(0, color=STRATEGY_COLOURS[REFERENCE], linewidth=1.4)
        for name, line in gaps[gaps.base == base].groupby("strategy", sort=False):
            below.plot(line.flops, line.gap, **_style(str(name)))
        above.set_title(base)
        log_axis(below, "x", (0.5, 1, 2, 4))
        below.set_xlim(0.34, 5)
        below.set_yticks([x / 10 for x in range(-4, 15, 2)])
    axes[0].set_ylabel("top-1 error, %")
    axes[3].set_ylabel("points above dwr at equal flops")
    fig.supxlabel("flops, G", fontsize=10)
    legend(fig, axes, 5)
    return fig


def large_figure(points: pd.DataFrame) -> Figure:
    """Figure 8: means of three runs against flops, a curve for each base scaled by dWr."""
    fig, (ax,) = panels(1)
    drawn = points[points.runs == published.TRIALS]
    for (name, strategy), part in drawn.groupby(["base", "strategy"], sort=False):
        original, large = strategy == "orig", str(name).endswith("4GF")
        ax.plot(
            *part.sort_values("flops")[["flops", "error"]].to_numpy().T,
            color=FAMILY_COLOURS[family(str(name))],
            linestyle=":" if original else "--" if large else "-",
            marker="X" if original else "s" if large else "o",
            label="EfficientNet B0 to B5 (orig)" if original else f"{name}, dWr",
        )
    log_axis(ax, "x", (0.5, 1, 2, 4, 8, 16))
    ax.set(xlabel="flops, G", ylabel="top-1 error, %")
    ax.legend()
    return fig


def top_table(points: pd.DataFrame, gaps: pd.DataFrame, noise: Noise) -> pd.DataFrame:
    """Each strategy's largest networks: errors by base, and the mean distance from dwr in points.

    by chance: 95 % half widths at the two noises.
    """
    dwr = points[(points.strategy == REFERENCE) & (points.flops < published.TOP)]
    largest = dwr.loc[dwr.groupby("base").flops.idxmax()]
    top = pd.concat([largest, published.at_the_top(gaps)])
    mean = published.pooled(gaps)
    rows = []
    for strategy in (REFERENCE, *STRATEGIES):
        mine = top[top.strategy == strategy].set_index("base")
        row: dict[str, Any] = {"strategy": strategy.replace("alpha=", "α = ")}
        row |= {"flops, G": span(mine.flops, ".1f")} | {
            base: mine.error.get(base) for base in BASES
        }
        if strategy in mean.index:
            gap, unit = float(mean.gap[strategy]), float(mean.unit[strategy])
            row |= {"above dwr": gap, "by chance": f"± {span(noise.halves(unit), '.2f')}"}
            row["verdict"] = published.verdict(gap, unit, noise)
        rows.append(row)
    return pd.DataFrame(rows)


def published_numbers(gaps: pd.DataFrame, noise: Noise) -> Numbers:
    """What the prose quotes from the published errors, by glue name."""
    top, mean = published.at_the_top(gaps), published.pooled(gaps)
    r, far = top[top.strategy == "r"], published.beside_original().iloc[-1]
    twice, of_twice = published.drawn_twice(), published.noise_of_drawn_twice()
    near = gaps[(gaps.base == BASES[1]) & gaps.flops.between(0.9, 1.2)]
    others = near[~near.strategy.isin(["r", MEANS])]
    tables, fast = published.networks(), mean.loc[["dWr", MEANS]]
    b0 = top[top.base == "EN-B0"].set_index("strategy").loc[["dWr", MEANS]]
    numbers: Numbers = {
        "das_noise": span((noise.low, noise.high), ".2f"),
        "das_printed": len(tables),
        "das_longer": float((tables.error_1x - tables.error_2x).mean()),
        "das_twice": len(twice),
        "das_twice_most": float(twice.abs().max()),
        "das_twice_noise": span((of_twice.low, of_twice.high), ".2f"),
        "das_fast": span(fast.gap, ".2f"),
        "das_fast_share": span(100 * fast.gap / fast.gain, ".0f"),
        "das_w": float(mean.gap["w"]),
        "das_gain": float(mean.gain["dWr"]),
        "das_b0_gaps": span(b0.gap, ".2f"),
        "das_b0_images": span(500 * b0.gap, ".0f"),  # of 50,000
        "das_r": span(r.gap, ".2f"),
        "das_r_share": span(100 * r.gap / r.gain, ".0f"),
        "das_lucky": count_text(int((others.gap < 0).sum()), len(others)),
        "das_far_flops": float(far.flops),
        "das_far": float(far.gap),
        "das_far_half": span(noise.halves(far.unit), ".2f"),
    }
    for key, strategy in {"one": "dWr", "three": MEANS}.items():
        numbers[f"das_{key}_gap"] = float(mean.gap[strategy])
        numbers[f"das_{key}_half"] = span(noise.halves(mean.unit[strategy]), ".2f")
        numbers[f"das_b0_{key}"] = float(b0.error[strategy])
    return _rounded(numbers)


def _rounded(numbers: Numbers) -> Numbers:
    """To six decimals: a stored number must not depend on the processor's last bit."""
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in numbers.items()}


def forest_figure(found: pd.DataFrame) -> Figure:
    """Differences from dwr with their intervals; the band holds what is about as accurate."""
    fig, (ax,) = panels(1)
    gained = float(found.gain.iloc[0])
    ax.axvspan(-ALIKE * gained, ALIKE * gained, color=GREY, alpha=0.25, linewidth=0)
    ax.axvline(0, color=STRATEGY_COLOURS[REFERENCE], linewidth=1.4)
    for y, row in enumerate(found.to_dict("records")):
        style = _style(str(row["strategy"]))
        ax.plot([row["low"], row["high"]], [y, y], color=style["color"], linewidth=2)
        ax.plot([row["mean"]], [y], **style | {"markersize": 7})
        single = list(row["by_base"].values())
        ax.plot(single, [y - 0.22] * len(single), "x", color=style["color"], markersize=5)
    ax.set_yticks(range(len(found)), [s.replace("alpha=", "α = ") for s in found.strategy])
    ax.set_ylim(len(found) - 0.5, -0.6)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("points of error above dwr")
    return fig


def verdict_table(found: pd.DataFrame, gaps: pd.DataFrame) -> pd.DataFrame:
    """The paper's figures beside the proxies: columns strategy, asked, two differences, verdict."""
    paper = published.pooled(gaps).gap
    paper[SINGLES] = paper[list(SINGLE)].mean()
    ours = [f"{r['mean']:+.2f} ({r['low']:+.2f} to {r['high']:+.2f})" for _, r in found.iterrows()]
    return pd.DataFrame(
        {
            "strategy": found.strategy.str.replace("alpha=", "α = "),
            "said of it": found.asked,
            "ImageNet, paper": found.strategy.map(paper),
            "proxies (95 %)": ours,
            "on proxies": found.verdict,
        }
    )


def own_runs(records: Sequence[TrainingRecord]) -> tuple[pd.DataFrame, Numbers]:
    """The main data set's differences from dwr, and what the prose quotes, by glue name."""
    data = data_sets(records)[0]
    runs = trained(data, records)
    found = against_dwr(runs)
    first, means = runs[0].record, found.set_index("strategy")["mean"]
    recipe = first.setting["recipe"]
    numbers: Numbers = {
        "das_own_data": DATA[data],
        "das_own_train": f"{int(recipe['epochs'])} epochs of {first.data.train:,} images",
        "das_own_updates": f"{recipe['epochs'] * (first.data.train // recipe['batch']):,}",
        "das_paper_updates": f"{200 * (IMAGENET_IMAGES // 1024):,}",
        "das_own_loss": correlation(
            [run.record.curve[-1].train_loss for run in runs], [run.error for run in runs]
        ),
        "das_own_left": fmean(run.error for run in runs if run.strategy is None),
        "das_own_gain": float(found.gain.iloc[0]),
        "das_worse": 100 * WORSE,
        "das_alike": 100 * ALIKE,
        "das_alike_points": ALIKE * float(found.gain.iloc[0]),
    }
    numbers |= {f"das_own_{k}": f"{means[k]:+.1f}" if k in means else "–" for k in ("d", "r")}
    control = trained("digits", records)
    times = max((run.times for run in control), default=1)
    for way in ("r", "dwr"):
        gained = gain(control, way, times)
        numbers[f"das_control_{way}"] = str(gained) if gained else "–"
    return found, _rounded(numbers)


def cost_numbers(pair: Sequence[Training], noise: Noise) -> Numbers:
    """What settling a gap of 0.2 points between two networks takes, and all figures once."""
    needed = [runs_needed(0.2, deviation) for deviation in (noise.low, noise.high)]
    both = sum(t.hours(200) for t in pair)
    networks, hours = whole_study()
    return {
        "das_needed": span(needed, "d"),
        "das_needed_hours": span((n * both for n in needed), ",.0f"),
        "das_b0_hours": " and ".join(f"{t.hours(200):,.0f}" for t in pair),
        "das_study": networks,
        "das_study_hours": f"{hours:,.0f}",
    }
