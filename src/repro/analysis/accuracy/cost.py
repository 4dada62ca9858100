"""What it would take to train the paper's networks again: commands, GPU-hours, numbers of runs.

Times are those that the first paper publishes for eight V100s, and where it prints none, those that
the price list of its Figure 2 predicts (`predict`); for this project's machines
predicted from their recorded training steps. Source of the schedule: section 6.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from repro import reference
from repro.analysis.accuracy.published import Noise
from repro.analysis.timing.predict import fitted
from repro.analysis.timing.sets import (
    IMAGENET_IMAGES,
    Timings,
    best_training,
    figure2,
    network_of,
    short,
)
from repro.arch import PAPER, alpha_strategy
from repro.complexity import complexity
from repro.runtime.roofline import kernel_count

GPUS = 8
MARGIN = 1.25
"""A cluster's time limit over the estimate: evaluation and checkpoints come on top."""


@dataclass(frozen=True)
class Training:
    """One network to train on ImageNet.

    Attributes:
        strategy: the paper's short name. flops (G), acts (M), params (M): of one image.
        minutes: of an epoch on eight V100s. published: read in a figure, not predicted.
    """

    base: str
    strategy: str
    factor: float
    flops: float
    acts: float
    params: float
    resolution: int
    minutes: float
    published: bool

    def hours(self, epochs: int) -> float:
        """GPU-hours of V100s for one training."""
        return GPUS * self.minutes * epochs / 60


def grammar(strategy: str) -> str:
    """A strategy as the command line takes it."""
    if strategy.startswith("alpha="):
        return alpha_strategy(strategy.removeprefix("alpha=")).grammar
    return PAPER[strategy].grammar


def published_minutes(base: str, strategy: str, factor: float) -> float | None:
    """Epoch minutes on eight V100s that a figure shows for just this network, or None."""
    name = strategy.removeprefix("alpha=")
    points: list[Any] = [*reference.figure_points(), *reference.runtime_points()]
    for point in points:
        same = (point.base, point.strategy, point.scale) == (base, name, factor)
        if same and point.epoch_minutes_8xv100 is not None:
            return float(point.epoch_minutes_8xv100)
    return None


def training(base: str, strategy: str, factor: float) -> Training:
    """A scaled network and what its training takes.

    Raises:
        InputError: unknown base or strategy, or a factor that cannot be used.
    """
    net = network_of(base, strategy, factor)
    count = complexity(net)
    known = published_minutes(base, strategy, factor)
    minutes = known or _ms(figure2(), base, strategy, factor) * IMAGENET_IMAGES / 60e3 / GPUS
    return Training(
        base,
        strategy,
        factor,
        count.flops / 1e9,
        count.acts / 1e6,
        count.params / 1e6,
        net.resolution,
        minutes,
        known is not None,
    )


def _ms(timings: Timings, base: str, strategy: str, factor: float) -> float:
    """Milliseconds of one image on one device, by a set's price list."""
    net = network_of(base, strategy, factor)
    count = complexity(net)
    table = pd.DataFrame(
        {
            "flops": [count.flops / 1e9],
            "params": [count.params / 1e6],
            "acts": [count.acts / 1e6],
            "kernels": [kernel_count(net)],
        }
    )
    return float(fitted(timings).predict(table).iloc[0])


def price_table(
    trainings: Sequence[Training], epochs: int, seeds: int, machines: Sequence[Timings]
) -> pd.DataFrame:
    """What the trainings take: a row for each.

    Returns:
        Columns strategy, r, flops, G, acts, M, minutes (of an epoch, as text; ≈: predicted),
        V100-hours (of one training), of N (of all seeds), and years on each of our machines.
    """
    rows = []
    for t in trainings:
        row: dict[str, object] = {
            "strategy": t.strategy,
            "r": t.resolution,
            "flops, G": t.flops,
            "acts, M": t.acts,
            "minutes": f"{'' if t.published else '≈ '}{t.minutes:.1f}",
            "V100-hours": t.hours(epochs),
            f"× {seeds} seeds": seeds * t.hours(epochs),
        }
        for timings in machines:
            hours = _ms(timings, t.base, t.strategy, t.factor) * IMAGENET_IMAGES * epochs / 3.6e6
            days = hours / 24
            row[short(timings)] = (
                f"≈ {days:,.0f} days" if days < 365 else f"≈ {days / 365:.1f} years"
            )
        rows.append(row)
    return pd.DataFrame(rows)


def machines() -> list[Timings]:
    """Our machines with recorded training steps."""
    return best_training()


def commands(t: Training, epochs: int, seed: int = 0) -> dict[str, str]:
    """How to train it on ImageNet: on one machine with eight GPUs, and on a Slurm cluster."""
    strategy = f"--strategy {grammar(t.strategy)} --scale {t.factor:g}"
    out = f"runs/{t.base}-{t.strategy.replace('=', '').replace('/', '_')}-{t.factor:g}-{seed}"
    data = f"--data imagenet --root DIR --epochs {epochs} --seed {seed}"
    hours = math.ceil(MARGIN * t.minutes * epochs / 60)
    what = f"{t.base} {strategy} \\\n    {data} \\\n    --out {out}"
    return {
        "torchrun": f"torchrun --nproc-per-node {GPUS} -m repro train {what}",
        "slurm": f"repro train {what} \\\n    --executor slurm --ranks {GPUS} --cores 8 "
        f"--hours {hours}",
    }


def command_text(trainings: Sequence[Training], epochs: int) -> str:
    """All commands, for printing."""
    parts = []
    for t in trainings:
        both = commands(t, epochs)
        parts.append(f"# {t.base}, {t.strategy}, {t.flops:.1f} G: one machine with {GPUS} GPUs")
        parts.append(both["torchrun"])
        parts.append("# the same on a Slurm cluster")
        parts.append(both["slurm"] + "\n")
    return "\n".join(parts).rstrip()


def runs_needed(gap: float, deviation: float, power: float = 0.8) -> int:
    """Runs of each of two networks that show a gap at the 5 % level with this power.

    Normal approximation: 2 (z(0.975) + z(power))² (deviation / gap)², rounded up.

    Args:
        gap: true difference. deviation: of one run; in points, both.
    """
    from statistics import NormalDist

    z = NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(power)
    return max(2, math.ceil(2 * (z * deviation / gap) ** 2))


def power_table(
    pair: tuple[Training, Training], gaps: Sequence[float], noise: Noise, epochs: int
) -> pd.DataFrame:
    """What it costs to resolve a gap between two networks.

    Returns:
        Columns gap (points), runs (of each, at the smaller and the larger noise, as text), and
        V100-hours of all runs, likewise.
    """
    rows = []
    for gap in gaps:
        few, many = (runs_needed(gap, deviation) for deviation in (noise.low, noise.high))
        both = sum(t.hours(epochs) for t in pair)
        rows.append(
            {
                "gap, points": gap,
                "runs of each": _span(few, many),
                "V100-hours": _span(few * both, many * both),
            }
        )
    return pd.DataFrame(rows)


def _span(low: float, high: float) -> str:
    return f"{low:,.0f}" if low == high else f"{low:,.0f} to {high:,.0f}"


def whole_study(epochs: int = 200) -> tuple[int, float]:
    """All networks of Figures 1 and 4 to 7 once: how many, and V100-hours."""
    chosen = {
        (p.base, p.strategy if p.scale > 1 else "dwr", p.scale)
        for p in reference.figure_points()
        if p.figure != "8"
    }
    hours = [
        training(base, "alpha=2/3" if name == "2/3" else name, s).hours(epochs)
        for base, name, s in chosen
    ]
    return len(hours), math.fsum(sorted(hours))
