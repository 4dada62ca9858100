"""A handful of runs, trained while the chapter "Does accuracy survive?" is executed.

The recipe and the proxies of ``data/sweeps/proxy_cpu.yaml``, only fewer and shorter runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pandas as pd

from repro.analysis.accuracy.cost import strategy_of
from repro.errors import InputError
from repro.records import TrainingRecord
from repro.training.plan import Run, plan

TIMES = 4


def planned(
    proxies: Sequence[str], ways: Sequence[str], seeds: int, epochs: int, data: str = "digits"
) -> Iterator[Run]:
    """Every proxy unscaled and scaled each way by about four, every seed."""
    for seed in range(seeds):
        for proxy in proxies:
            for way in (None, *ways):
                yield plan(
                    proxy,
                    data,
                    None if way is None else strategy_of(way).grammar,
                    None if way is None else TIMES,
                    same_flops=True,
                    resolution=16,
                    batch=64,
                    changes=["lr=0.2"],
                    epochs=epochs,
                    seed=seed,
                )


def train(
    runs: Sequence[Run], root: str | None = None, device: Literal["cpu", "cuda"] = "cpu"
) -> list[TrainingRecord]:
    """Carry out the runs, one after another, in a folder that is thrown away.

    Raises:
        InputError: the data or the device cannot be used.
    """
    from repro.training.run import Options, Silent, Stopped
    from repro.training.run import run as carry_out

    records = []
    options = Options(root=root, device=device, threads=1, save_every=math.inf)
    with TemporaryDirectory() as folder:
        for number, run in enumerate(runs):
            outcome = carry_out(run, Path(folder) / str(number), options, Silent())
            if isinstance(outcome, Stopped):
                raise InputError(f"training was stopped by signal {outcome.signal}")
            records.append(outcome)
    return records


def outcome_table(records: Sequence[TrainingRecord]) -> pd.DataFrame:
    """The runs for a page, a row for each network: size, mean errors over seeds, time."""
    frame = pd.DataFrame(
        {
            "proxy": r.subject.base,
            "strategy": r.subject.strategy or "base",
            "pixels": r.subject.resolution,
            "flops, M": (r.subject.flops or 0) / 1e6,
            "acts, M": (r.subject.acts or 0) / 1e6,
            "training loss": r.curve[-1].train_loss,
            "test error, %": 100 * r.test.error,
            "ms per image": 1e3 * r.train_s / (len(r.curve) * r.data.train),
        }
        for r in records
    )
    means = frame.groupby(["proxy", "strategy"], sort=False)
    return means.mean().assign(seeds=means.size()).reset_index()
