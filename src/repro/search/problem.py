"""A search for a base network, put together: a space, what is reached, what it costs, the budget.

Problem(EFFICIENTNET, read_budget("1x"), "V100").cheap()
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from repro.arch import Network
from repro.complexity import complexity
from repro.errors import InputError
from repro.records import Device, Protocol
from repro.search import latency
from repro.search.budgets import Budget, fits
from repro.search.evolve import Fitness, Found, evolve, reward, within
from repro.search.latency import Additive
from repro.search.rows import read_rows
from repro.search.space import EFFICIENTNET, Codes, Floats, Space, Sums
from repro.search.table import table

TABLE = "table"
HERE = ("cpu", "cuda")
"""Devices of this machine: their times are measured."""
Reached = Callable[[Codes], Floats]
"""Top-1 in percent of points."""


@dataclass(frozen=True)
class Problem:
    """What to look for.

    Attributes:
        device: whose time is meant; None where the budget is no time.
        accuracy: "table", or the path of a CSV file with columns network and error; the search is
            then among the networks of the file.
        rule: "hard" keeps to the budget, "soft" is the second paper's reward.

    Raises:
        InputError: asked for what the others do not allow.
    """

    space: Space
    budget: Budget
    device: str | None = None
    batch: int = latency.BATCH
    accuracy: str = TABLE
    rule: Literal["hard", "soft"] = "hard"
    evaluations: int = 20_000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.budget.what in ("time", "times") and self.device is None:
            raise InputError(f"budget {self.budget.text!r} needs a --device, such as V100")
        if self.accuracy == TABLE and self.space.name != EFFICIENTNET.name:
            raise InputError(
                f"nobody published what networks of the space {self.space.name} reach; "
                "give --accuracy FILE.csv with columns network and error"
            )

    @cached_property
    def time(self) -> Additive | None:
        """Seconds of a batch on the device, by its roofline or by prices fitted to it."""
        return None if self.device is None else latency.on_device(self.device, self.batch)

    @cached_property
    def cost(self) -> Additive:
        """What the budget is of."""
        if self.time is not None and self.budget.what in ("time", "times"):
            return self.time
        return latency.budget(self.budget.what, self.batch)  # type: ignore[arg-type]

    @cached_property
    def limit(self) -> float:
        """The budget in the units of the cost."""
        own = self.cost(self.space.network(self.space.own)) if self.budget.what == "times" else 1.0
        return self.budget.limit * own

    @property
    def fitness(self) -> Fitness:
        return within(self.limit) if self.rule == "hard" else reward(self.limit)

    @cached_property
    def listed(self) -> tuple[Codes, Floats] | None:
        """Points of the reader's file and what they reach; None where the table says it."""
        return None if self.accuracy == TABLE else read_accuracies(self.accuracy, self.space)

    def top1(self, codes: Codes) -> Floats:
        """By the table."""
        return table().top1(codes)

    @property
    def top1_error(self) -> float | None:
        """How far a predicted top-1 is off on average, in points; None for a reader's own."""
        return None if self.listed else table().held_out.mae

    def cheap(self, progress: Callable[[int], None] = lambda made: None) -> dict[str, Any]:
        """Search by predicted accuracy and cost."""
        charge = Sums(self.space, self.cost)
        if self.listed:
            codes, reached = self.listed
            return self.answer(Found(self.space, codes, reached, charge(codes)))

        def score(codes: Codes) -> tuple[Floats, Floats]:
            return self.top1(codes), charge(codes)

        rules = (self.fitness, self.evaluations, self.seed)
        return self.answer(evolve(self.space, score, *rules, progress))

    def shared(
        self, path: Path, progress: Callable[[int], None] = lambda n: None
    ) -> dict[str, Any]:
        """Search by predicted accuracy and time measured here; see `repro.search.shared`.

        Raises:
            InputError: the budget is no time, the device is not this machine's, or the file holds
                another search.
        """
        from repro.runtime.device import machine
        from repro.runtime.jobs import resolved
        from repro.runtime.protocol import check
        from repro.search.shared import Results, Shared

        if self.budget.what != "time" or self.device not in HERE or self.listed:
            raise InputError(
                "--shared times networks here: it needs --device cpu or cuda, a --budget of time "
                "such as 5ms, and the table's accuracy"
            )
        device = cast(Device, self.device)
        protocol = resolved(Protocol(device=device, batch=self.batch))
        check(protocol)
        seconds = latency.measured(protocol)

        def evaluate(net: Network) -> Results:
            top1 = float(self.top1(self.space.parse(net.name)[None])[0])
            return {"top1": top1, "cost": seconds(net)}

        def worth(results: Results) -> float:
            return float(self.fitness(np.array([results["top1"]]), np.array([results["cost"]]))[0])

        about = {
            "machine": machine(device).device_name,
            "protocol": protocol.model_dump(mode="json", exclude_none=True),
            "budget": self.budget.text,
            "reward": self.rule,
        }
        search = Shared(path, self.space, about, self.seed)
        made = search.run(evaluate, worth, self.evaluations, progress)
        if not made:
            raise InputError(f"{path}: no network has been timed yet")
        reached, cost = (np.array([e.results[key] for e in made]) for key in ("top1", "cost"))
        codes = np.array([e.code for e in made])
        return self.answer(Found(self.space, codes, reached, cost))

    def answer(self, found: Found) -> dict[str, Any]:
        """What was found, ready for JSON.

        Returns:
            ``networks``: the space's own (``top1`` None where the reader's file has none) and the
            best; ``tied``: how many that were looked at keep to the budget and are predicted within
            ``top1_error`` of the best; ``phi``: the share of the best network's cost that flops are
            charged for, None where it was measured; ``binds``: whether anything looked at is
            beyond the budget.

        Raises:
            InputError: nothing keeps to a hard budget.
        """
        best = int(found.best(self.fitness)[0])
        hard = self.rule == "hard"
        if hard and not fits(found.cost[best], self.limit):
            raise InputError(
                f"budget {self.budget.text!r} is too small: of {len(found.cost):,} networks none "
                f"needs less than {self.shown(float(found.cost.min()))}"
            )
        at_base = np.flatnonzero((found.codes == self.space.own).all(axis=1))
        rows = [self._row(self.space.own, found, int(at_base[0]) if len(at_base) else None)]
        near = found.reached >= found.reached[best] - (self.top1_error or 0.0)
        measured = self.device in HERE
        return {
            "space": self.space.name,
            "size": self.space.size,
            "device": self.device,
            "batch": self.batch,
            "budget": self.budget.text,
            "limit": self.limit,
            "reward": self.rule,
            "accuracy": self.accuracy,
            "top1_error": self.top1_error,
            "seed": self.seed,
            "evaluations": len(found.cost),
            "networks": [*rows, self._row(found.codes[best], found, best)],
            "tied": int((near & fits(found.cost, self.limit)).sum()) - 1 if hard else None,
            "binds": not fits(found.cost.max(), self.limit),
            "phi": None if measured else self.cost.phi(self.space.network(found.codes[best])),
        }

    def _row(self, code: Codes, found: Found, place: int | None) -> dict[str, Any]:
        net = self.space.network(code)
        count = complexity(net)
        seconds = None if self.device in HERE or self.time is None else self.time(net)
        if place is not None and self.device in HERE:
            seconds = float(found.cost[place])
        return {
            "network": net.name,
            "top1": None if place is None else float(found.reached[place]),
            "ms": None if seconds is None else 1e3 * seconds,
            "flops": count.flops,
            "params": count.params,
            "acts": count.acts,
        }

    def shown(self, cost: float) -> str:
        """A cost in the unit of the budget."""
        return f"{1e3 * cost:.3g} ms" if self.budget.what == "times" else self.budget.shown(cost)


def read_accuracies(path: str, space: Space) -> tuple[Codes, Floats]:
    """A reader's own: points of a CSV file with columns network and error, and their top-1.

    Raises:
        InputError: see `read_rows`; a network of another space, one that stands twice, or an error
            outside of 0 to 100.
    """
    seen: set[str] = set()

    def read(row: Sequence[str]) -> tuple[Codes, float]:
        (name, written), wrong = row, float("nan")
        code = space.parse(name)
        with suppress(ValueError):
            wrong = float(written)
        if not 0 <= wrong <= 100:
            raise InputError(f"error {written!r} is no percentage between 0 and 100")
        if name in seen:
            raise InputError(f"{name} stands twice")
        seen.add(name)
        return code, 100 - wrong

    codes, reached = zip(*read_rows(path, "accuracy", ("network", "error"), read), strict=True)
    return np.array(codes), np.array(reached)
