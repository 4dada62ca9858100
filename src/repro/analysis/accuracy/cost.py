"""What it would take to train the paper's networks again: commands, GPU-hours, numbers of runs.

Times are those that the first paper publishes for eight V100s, and where it prints none, those that
the price list of its Figure 2 predicts. Source of the schedule: section 6.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import pandas as pd

from repro import reference
from repro.analysis.timing.predict import fitted
from repro.analysis.timing.sets import IMAGENET_IMAGES, figure2
from repro.arch import Network, Strategy, get, scale
from repro.arch.strategy import paper_strategy
from repro.complexity import complexity
from repro.runtime.roofline import kernel_count

GPUS = 8
MARGIN = 1.25
"""A cluster's time limit over the estimate: evaluation and checkpoints come on top."""


@dataclass(frozen=True)
class Training:
    """One network to train on ImageNet.

    factor is on the base's flops, flops are of one image in G, minutes of an epoch on eight V100s;
    published: a figure shows the minutes, otherwise they are predicted.
    """

    base: str
    strategy: str
    factor: float
    net: Network
    flops: float
    minutes: float
    published: bool

    def hours(self, epochs: int) -> float:
        """GPU-hours of V100s for one training."""
        return GPUS * self.minutes * epochs / 60


def strategy_of(name: str) -> Strategy:
    """A strategy by the paper's short name, or ``alpha=2/3``."""
    return paper_strategy(name.removeprefix("alpha="))


def training(base: str, strategy: str, factor: float) -> Training:
    """A scaled network and what its training takes.

    Raises:
        InputError: unknown base or strategy, or a factor that cannot be used.
    """
    net = scale(get(base), strategy_of(strategy), factor)
    known = _published_minutes(base, strategy.removeprefix("alpha="), factor)
    minutes = known or _predicted_minutes(net)
    flops = complexity(net).flops / 1e9
    return Training(base, strategy, factor, net, flops, minutes, known is not None)


def _published_minutes(base: str, strategy: str, factor: float) -> float | None:
    points: list[Any] = [*reference.figure_points(), *reference.runtime_points()]
    same = (p for p in points if (p.base, p.strategy, p.scale) == (base, strategy, factor))
    minutes = (p.epoch_minutes_8xv100 for p in same)
    return next((float(m) for m in minutes if m is not None), None)


def _predicted_minutes(net: Network) -> float:
    count = complexity(net)
    row = {"flops": count.flops / 1e9, "params": count.params / 1e6, "acts": count.acts / 1e6}
    table = pd.DataFrame([row | {"kernels": kernel_count(net)}])
    ms = float(fitted(figure2()).predict(table).iloc[0])
    return ms * IMAGENET_IMAGES / 60e3 / GPUS


def price_table(trainings: Sequence[Training], epochs: int, seeds: int) -> pd.DataFrame:
    """What each training takes, and all its seeds; minutes are of an epoch (≈: predicted)."""
    return pd.DataFrame(
        {
            "strategy": t.strategy,
            "pixels": t.net.resolution,
            "flops, G": t.flops,
            "minutes": f"{'' if t.published else '≈ '}{t.minutes:.1f}",
            "V100-hours": t.hours(epochs),
            f"× {seeds} seeds": seeds * t.hours(epochs),
        }
        for t in trainings
    )


def commands(t: Training, epochs: int) -> dict[str, str]:
    """How to train it on ImageNet: on one machine with eight GPUs, and on a Slurm cluster."""
    what = (
        f"{t.base} --strategy {strategy_of(t.strategy).grammar} --scale {t.factor:g} \\\n"
        f"    --data imagenet --root DIR --epochs {epochs} --seed 0 \\\n"
        f"    --out runs/{t.base}-{t.strategy.replace('=', '').replace('/', '_')}-{t.factor:g}"
    )
    hours = math.ceil(MARGIN * t.minutes * epochs / 60)
    slurm = f"--executor slurm --ranks {GPUS} --cores 8 --hours {hours}"
    return {
        "torchrun": f"torchrun --nproc-per-node {GPUS} -m repro train {what}",
        "slurm": f"repro train {what} \\\n    {slurm}",
    }


def runs_needed(gap: float, deviation: float, power: float = 0.8) -> int:
    """Runs of each of two networks that show a gap at the 5 % level with this power.

    Normal approximation: 2 (z(0.975) + z(power))² (deviation / gap)², rounded up; both in points.
    """
    z = NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(power)
    return max(2, math.ceil(2 * (z * deviation / gap) ** 2))


def whole_study(epochs: int = 200) -> tuple[int, float]:
    """All networks of Figures 1 and 4 to 7 once: how many, and V100-hours."""
    chosen = {
        (p.base, p.strategy if p.scale > 1 else "dwr", p.scale)
        for p in reference.figure_points()
        if p.figure != "8"
    }
    named = [(base, name.replace("2/3", "alpha=2/3"), s) for base, name, s in chosen]
    return len(named), math.fsum(sorted(training(*one).hours(epochs) for one in named))
