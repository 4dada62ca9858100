"""A network's time as the sum of its blocks', each measured alone once, and a constant.

``repro time --blocks-of SPACE --out FILE.jsonl`` times every block that a search space can make,
and some whole networks of it, which give the constant (stem, head, classifier) and say how far off
such sums are.

    table = BlockTable.of(stored(Path("data/records/block-table-cpu.jsonl")))
    table(EFFICIENTNET.network(code)), table.error
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from statistics import median
from typing import Any

import numpy as np

from repro.arch import Block, BlockStage, MBStage, Network, ResStage, XStage
from repro.complexity import Placed, placed
from repro.errors import InputError
from repro.records import Protocol, TimingRecord
from repro.search.space import Space
from repro.stored import machine_name

WHOLE = 12
"""Networks of a space that are timed beside its blocks."""
KINDS: Mapping[str, Any] = {k.__name__: k for k in (ResStage, MBStage, XStage, BlockStage)}


def blocks_of(space: Space) -> tuple[Placed, ...]:
    """Every block that a network of a space can have, each once."""
    base = space.decode(space.parse(space.base))
    found: dict[Placed, None] = {}
    for part in space.parts:
        values = [space.choices[space.places[name]].values for name in part]
        for chosen in product(*values):
            net = space.build({**base, **dict(zip(part, chosen, strict=True))})
            found.update((one, None) for _, one, _ in placed(net))
    return tuple(found)


def to_time(space: Space, seed: int = 0) -> list[Network]:
    """What a block table is made of: all blocks alone, and whole networks evenly among them."""
    codes = space.sample(np.random.default_rng(seed), WHOLE - 1)
    whole = [space.network(space.parse(space.base)), *map(space.network, codes)]
    pieces = [one.network() for one in blocks_of(space)]
    step = -(-len(pieces) // len(whole))
    mixed = ([*pieces[i * step : (i + 1) * step], net] for i, net in enumerate(whole))
    return [net for some in mixed for net in some]


def described(description: Mapping[str, Any], name: str) -> Network:
    """The network of a record, from its description."""
    values = dict(description)
    stages = []
    for stage in values.pop("stages"):
        given = {k: v for k, v in stage.items() if k != "kind"}
        if "block" in given:
            given["block"] = Block(**given["block"])
        stages.append(KINDS[stage["kind"]](**given))
    return Network(name, tuple(stages), **values)


@dataclass(frozen=True)
class BlockTable:
    """Seconds of networks whose blocks were all measured, on one machine under one protocol.

    Attributes:
        machine: as `repro.stored.machine_name` has it, threads and allocator included.
        protocol: of all its timings. seconds: of each block alone.
        constant: seconds of what is no block.
        errors: by whole network, predicted over measured - 1, by the constant of the others.
    """

    machine: str
    protocol: Protocol
    seconds: Mapping[Placed, float]
    constant: float
    errors: Mapping[str, float]

    @classmethod
    def of(cls, records: Iterable[Any], machine: str | None = None) -> BlockTable:
        """The table that records hold.

        Args:
            machine: whose; needed where there are several.

        Raises:
            InputError: no block, tables of several machines (or allocators) or protocols, none of
                the machine, or no whole network beside the blocks.
        """
        timed = [r for r in records if isinstance(r, TimingRecord) and r.subject.description]
        nets = {r.key: described(r.subject.description or {}, r.subject.name) for r in timed}
        names = sorted({machine_name(r) for r in timed if nets[r.key].is_piece})
        if not names:
            raise InputError("no block was timed; `repro time --blocks-of SPACE` does it")
        chosen = machine or names[0]
        if chosen not in names or (machine is None and len(names) > 1):
            asked = f"none of {machine!r}" if machine else "of several machines; name one"
            raise InputError(f"blocks were timed on {' and '.join(names)}: {asked}")
        timed = [r for r in timed if machine_name(r) == chosen]
        ways = {r.protocol.model_dump_json() for r in timed}
        if len(ways) > 1:
            raise InputError(f"blocks of {chosen} were timed under {len(ways)} protocols, not one")
        seconds: dict[Placed, float] = {}
        for r in timed:
            if nets[r.key].is_piece:
                ((_, one, _),) = placed(nets[r.key])
                seconds[one] = r.quartiles[1]
        table = cls(chosen, timed[0].protocol, seconds, 0.0, {})
        whole = [r for r in timed if not nets[r.key].is_piece]
        rest = {r.subject.name: r.quartiles[1] - table(nets[r.key]) for r in whole}
        measured = {r.subject.name: r.quartiles[1] for r in whole}
        if not rest:
            raise InputError(f"blocks of {chosen} were timed without a whole network beside them")
        return replace(table, constant=median(rest.values()), errors=_held_out(rest, measured))

    def __call__(self, net: Network) -> float:
        """Seconds of a network, or of a piece of one, for the protocol's batch.

        Raises:
            InputError: a block that was not measured; names it.
        """
        total = 0.0 if net.is_piece else self.constant
        for _, one, repeats in placed(net):
            if one not in self.seconds:
                raise InputError(
                    f"block {one.name} of {net.name} is not in the block table of {self.machine}"
                )
            total += repeats * self.seconds[one]
        return total

    @property
    def error(self) -> float:
        """Median size of `errors`: how far off a whole network's time is, as a share."""
        return median(map(abs, self.errors.values())) if self.errors else float("nan")


def _held_out(rest: Mapping[str, float], measured: Mapping[str, float]) -> dict[str, float]:
    """Error of each whole network by the constant that the others have; needs two."""
    if len(rest) < 2:
        return {}
    others = {name: median(v for k, v in rest.items() if k != name) for name in rest}
    return {name: (others[name] - rest[name]) / measured[name] for name in rest}
