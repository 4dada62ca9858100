"""Parameters, figures, page tables and key numbers of the chapter "Does accuracy survive?"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import pandas as pd
from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from repro.analysis.accuracy import natural, published
from repro.analysis.accuracy.cost import Training, runs_needed, whole_study
from repro.analysis.accuracy.published import BASES, MEANS, REFERENCE, STRATEGIES, Noise
from repro.analysis.accuracy.trainings import (
    ALIKE,
    DATA,
    against_dwr,
    gain,
    largest,
    trainings,
    visible,
)
from repro.analysis.frames import family
from repro.analysis.timing.sets import IMAGENET_IMAGES
from repro.book.kit.chapter import span
from repro.book.kit.figures import (
    FAMILY_COLOURS,
    STRATEGY_COLOURS,
    legend,
    log_axis,
    panels,
)
from repro.book.kit.strategies import GREY, errors_and_gaps, strategy_style
from repro.book.parameters import ChapterParameters, NetworkName, Scale, no_repeats
from repro.errors import did_you_mean
from repro.text import count_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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


def errors_figure(points: pd.DataFrame, gaps: pd.DataFrame, noise: Noise) -> Figure:
    """Figures 1 and 4 to 7: errors against flops, and below them their distance from dwr.

    The bands hold 95 % of the differences of two runs of equally good networks, at the smaller and
    at the larger reading of the noise.
    """
    fig = errors_and_gaps(
        points[(points.figure != "8") & (points.flops < 1.1 * published.TOP)],
        gaps,
        over="flops",
        bases=BASES,
        strategies=("orig", *STRATEGIES, REFERENCE),
        reference=REFERENCE,
        halves=noise.halves(2**0.5),
        label="flops, G",
        ticks=(0.5, 1, 2, 4),
    )
    for ax in fig.axes[len(BASES) :]:
        ax.set_xlim(0.34, 5)
        ax.set_yticks([x / 10 for x in range(-4, 15, 2)])
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


OTHER = "its authors'"
_RECIPE_COLOURS = {
    "tv": "#0173b2",
    "tv2": "#d55e00",
    "gluon": "#029e73",
    "ra": "#cc5fb0",
    "a1": "#c98205",
    "a2": "#87912a",
    "a3": "#8b5fd6",
    OTHER: GREY,
}


def _short(recipe: str) -> str:
    return recipe.removesuffix("_in1k")


def natural_figure(found: pd.DataFrame) -> Figure:
    """Pairs of equal flops as arrows over acts, from more to fewer, by what they give up."""
    fig, axes = panels(2, 2, (3.7, 4.2), sharey=True)
    for ax, title in zip(axes, ("less depth", "no groups; dotted: no bottlenecks"), strict=True):
        for recipe, colour in _RECIPE_COLOURS.items():
            ax.plot([], [], color=colour, linewidth=3, label=recipe)
        ax.set_title(title)
    named: set[str] = set()
    for row in found.to_dict("records"):
        ax = axes[row["given_up"] != natural.DEPTH]
        start, end = ((row[f"acts_{side}"], row[f"error_{side}"]) for side in ("more", "fewer"))
        colour = _RECIPE_COLOURS.get(_short(row["recipe"]), _RECIPE_COLOURS[OTHER])
        ax.plot(*start, "o", color=colour, markersize=3.5)
        ax.plot(*end, ",", color=colour)
        line = ":" if row["given_up"] == natural.BOTTLENECKS else "-"
        arrow: dict[str, Any] = {"arrowstyle": "-|>", "color": colour, "linestyle": line}
        ax.annotate(
            "", end, start, arrowprops=arrow | {"linewidth": 1.3, "shrinkA": 0, "shrinkB": 0}
        )
        if row["more"] not in named:
            ax.annotate(row["more"], start, (5, 3), textcoords="offset points", fontsize=8)
            named.add(row["more"])
    for ax, right in zip(axes, (700, 80), strict=True):
        log_axis(ax, "x", (5, 10, 20, 50, 100, 200))
        ax.set_xlim(None, right)
        ax.set_xlabel("acts, M")
    axes[0].set_ylabel("top-1 error, %")
    legend(fig, axes[:1], 8)
    return fig


def natural_table(found: pd.DataFrame, noise: Noise) -> pd.DataFrame:
    """Each pair: what it saves (the second network's over the first's), and what that costs."""
    table = natural.by_pair(found)
    recipes = []
    for row in table.to_dict("records"):
        mine = found[(found.more == row["more"]) & (found.fewer == row["fewer"])].gap
        recipes.append(span(mine, "+.1f") if len(mine) > 1 else "–")
    return pd.DataFrame(
        {
            "less": table.given_up,
            "from, to": table.more + " → " + table.fewer,
            "flops": table.flops,
            "acts": table.acts,
            "train": table.training,
            "infer": table.inference,
            "error": table.gap,
            "chance": [f"± {noise.halves(unit)[1]:.1f}" for unit in table.unit],
            "recipes": recipes,
        }
    )


def natural_numbers(found: pd.DataFrame, noise: Noise) -> Numbers:
    """What the prose quotes from pairs of public networks, by glue name."""
    pairs = natural.by_pair(found)
    wide = pairs[pairs.given_up == natural.DEPTH]
    gap, unit = natural.over_designs(pairs, natural.DEPTH)
    wrn, next_50 = (found[found.fewer == name] for name in ("Wide-ResNet-50-2", "ResNet-50"))
    resnets = natural.recipes_alone("tv_in1k", "tv2_in1k")
    regnets = natural.recipes_alone("pycls_in1k", "tv2_in1k")
    small = ("wide_resnet50_2", "resnet152")
    at_176 = [natural.error(name, "tv2_in1k", 176) for name in small]
    numbers: Numbers = {
        "das_wide": gap,
        "das_wide_half": span(noise.halves(unit), ".2f"),
        "das_wide_designs": len(wide),
        "das_wide_draws": published.half_of_draws(wide.gap),
        "das_wide_saved": span(100 * (1 - wide.acts), ".0f"),
        "das_wide_slowest": 100 * (float(wide.inference.max()) - 1),
        "das_wrn": " and ".join(f"{value:+.2f}" for value in wrn.gap),
        "das_wrn_saved": 100 * (1 - float((wrn.acts_fewer / wrn.acts_more).iloc[0])),
        "das_wrn_training": 100 * (1 - float((wrn.training_fewer / wrn.training_more).iloc[0])),
        "das_wrn_176": f"{at_176[0] - at_176[1]:+.2f}",
        "das_dense": span(next_50.gap, ".1f"),
        "das_basic": span(found[found.given_up == natural.BOTTLENECKS].gap, ".1f"),
        "das_recipe_resnets": float(resnets.mean()),
        "das_recipe_regnets": span(regnets, ".1f"),
        "das_binomial": natural.binomial(20),
    }
    tiny, deeper, wider = (
        natural.network(f"convnext_{size}", "fb_in1k") for size in ("tiny", "small", "base")
    )
    for key, start, end in (("deeper", tiny, deeper), ("wider", deeper, wider)):
        for what in ("flops", "acts"):
            numbers[f"das_{key}_{what}"] = end[what] / start[what]
        numbers[f"das_{key}_gain"] = start["error"] - end["error"]
    return _rounded(numbers)


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


def forest_figure(runs: pd.DataFrame) -> Figure:
    """Each run's distance from dwr's mean, and the intervals; in the band both are alike."""
    found, top = against_dwr(runs), largest(runs)
    fig, (ax,) = panels(1)
    most = ALIKE * gain(runs)
    ax.axvspan(-most, most, color=GREY, alpha=0.25, linewidth=0)
    ax.axvline(0, color=STRATEGY_COLOURS[REFERENCE], linewidth=1.4)
    for y, row in enumerate(found.to_dict("records")):
        style = strategy_style(str(row["strategy"]))
        ax.plot([row["low"], row["high"]], [y, y], color=style["color"], linewidth=2)
        ax.plot([row["mean"]], [y], **style | {"markersize": 7})
        single = top[top.strategy == row["strategy"]].above
        ax.plot(single, [y - 0.22] * len(single), "x", color=style["color"], markersize=5)
    ax.set_yticks(range(len(found)), list(found.strategy + ": " + found.verdict))
    ax.set_ylim(len(found) - 0.5, -0.6)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("points of error above dwr")
    return fig


def own_numbers(runs: pd.DataFrame) -> Numbers:
    """What the prose quotes from an experiment of our own, by glue name."""
    first, means = runs.record.iloc[0], against_dwr(runs).set_index("strategy")["mean"]
    recipe = first.setting["recipe"]
    numbers: Numbers = {
        "das_own_data": DATA[first.setting["data"]],
        "das_own_train": f"{int(recipe['epochs'])} epochs of {first.data.train:,} images",
        "das_own_updates": f"{recipe['epochs'] * (first.data.train // recipe['batch']):,}",
        "das_paper_updates": f"{200 * (IMAGENET_IMAGES // 1024):,}",
        "das_own_loss": float(runs.loss.corr(runs.error)),
        "das_own_visible": visible(runs),
        "das_alike": 100 * ALIKE,
    }
    numbers |= {f"das_own_{k}": f"{means[k]:+.1f}" if k in means else "–" for k in ("d", "r")}
    return _rounded(numbers)


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
