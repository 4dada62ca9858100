"""A handful of runs, trained while the chapter "Does accuracy survive?" is executed.

The same code, recipe and proxies as in the recorded sweep, only fewer and shorter runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pandas as pd
import yaml

from repro.analysis.accuracy.cost import grammar
from repro.analysis.accuracy.proxies import UNSCALED, by_network, runs_frame, sweep_file
from repro.errors import InputError
from repro.records import TrainingRecord
from repro.training.plan import Run, plan

TIMES = 4


def planned(
    proxies: Sequence[str],
    ways: Sequence[str],
    seeds: int,
    epochs: int,
    data: str = "digits",
) -> Iterator[Run]:
    """The runs: every proxy unscaled and scaled each way by about four, every seed.

    What is not given is as in the recorded sweep.
    """
    block = next(b for b in yaml.safe_load(sweep_file()) if b["data"] == "digits")
    changes = [f"{key}={value}" for key, value in block["set"].items()]
    for seed in range(seeds):
        for proxy in proxies:
            for way in (None, *ways):
                yield plan(
                    proxy,
                    data,
                    None if way is None else grammar(way),
                    None if way is None else TIMES,
                    same_flops=True,
                    resolution=block["resolution"],
                    batch=block["batch"],
                    changes=changes,
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


def learning_curves(records: Sequence[TrainingRecord]) -> pd.DataFrame:
    """Columns base, strategy, seed, epoch, loss (training), error (hold-out, percent)."""
    return pd.DataFrame(
        [
            {
                "base": r.subject.base,
                "strategy": r.subject.strategy or UNSCALED,
                "seed": r.setting["seed"],
                "epoch": e.epoch,
                "loss": e.train_loss,
                "error": math.nan if e.holdout is None else 100 * e.holdout.error,
            }
            for r in records
            for e in r.curve
        ]
    )


def outcome_table(records: Sequence[TrainingRecord], data: str) -> pd.DataFrame:
    """The runs for a page: a row for each network, with its mean test error over seeds."""
    means = by_network(runs_frame(records, data))
    table = means[["base", "strategy", "resolution", "flops", "acts", "seeds", "error", "ms"]]
    names = {"base": "proxy", "flops": "flops, M", "acts": "acts, M", "error": "test error, %"}
    return table.rename(columns={**names, "ms": "ms per image"}).sort_values("proxy", kind="stable")
