"""Taking samples in turns, so that a slow drift of the machine falls on all networks alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Turn(Protocol):
    """What can take turns: a `repro.runtime.measure.Bench`, here or in another process."""

    def sample(self, count: int) -> None: ...


def interleave(benches: Sequence[Turn], samples: int, rounds: int) -> None:
    """Take each bench's samples in ``rounds`` turns.

    One bench alone has nothing to alternate with, and takes all its samples in one turn.
    """
    rounds = min(rounds, samples) if len(benches) > 1 else 1
    for turn in range(rounds):
        count = samples * (turn + 1) // rounds - samples * turn // rounds
        for bench in benches:
            bench.sample(count)
