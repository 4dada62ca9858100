"""Search spaces as data: what may be chosen, and the network that each choice makes.

A point is a row of small numbers, the place of each chosen value in its list: arrays of such rows
are sampled, mutated and crossed without a loop. `EFFICIENTNET` is B0's own space, that of
Accel-NASBench (arXiv 2404.08005); `ACCELERATOR` is the second paper's (Searching for Fast Model
Families on Datacenter Accelerators, sections 3 and 5.1) around EfficientNet-X-B0.

`Sums` scores thousands of points at once: whatever adds up over layers, such as counts and
rooflines, is a sum of one entry for each stage, which only that stage's choices (and the width and
map that reach it) decide.

    codes = EFFICIENTNET.sample(np.random.default_rng(0), 10_000)
    flops = Sums(EFFICIENTNET, lambda net: complexity(net).flops)(codes)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import groupby
from math import prod

import numpy as np
from numpy.typing import NDArray

from repro.arch import Network, get
from repro.arch.b0 import B0, CHOICES
from repro.arch.efficientnet_x import Reshape, XStage
from repro.arch.rounding import round_width
from repro.complexity import placed
from repro.errors import InputError, did_you_mean

Value = int | str
Values = Mapping[str, Value]
"""What was chosen, by the name of the choice."""
Codes = NDArray[np.int8]
"""Points, (n, choices): which of its values each choice has."""
Floats = NDArray[np.float64]
Cost = Callable[[Network], float]
"""Of a network; `Sums` needs one that adds up over blocks, apart from what is charged once for a
whole network, and not for a piece of one."""


@dataclass(frozen=True)
class Choice:
    """One thing to choose, and from what: each value is written as one character.

    Its name is that of a field and, where it is a stage's, the stage's number from 1 on: ``k3``.
    """

    name: str
    values: tuple[Value, ...]

    @property
    def field(self) -> str:
        return re.sub(r"\d+$", "", self.name)

    @cached_property
    def letters(self) -> str:
        """All values as they are written."""
        return "".join(map(str, self.values))


@dataclass(frozen=True)
class Space:
    """All networks that some choices make.

    Attributes:
        prefix: of the names of its networks. choices: in the order of a code's columns.
        build: makes the network of a value for each choice.
        base: the network that the space is built around, as `text` writes it.
        parts: for each stage the names of all choices that its blocks depend on, those before it
            that decide what reaches it included; last, those that stem, head and classifier do.
        held: names of choices that stay as the base has them.
    """

    name: str
    prefix: str
    choices: tuple[Choice, ...]
    build: Callable[[Values], Network]
    base: str
    parts: tuple[tuple[str, ...], ...]
    held: frozenset[str] = frozenset()

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How many values each choice has."""
        return np.array([len(choice.values) for choice in self.choices])

    @cached_property
    def places(self) -> dict[str, int]:
        """The column of each choice in a code."""
        return {choice.name: i for i, choice in enumerate(self.choices)}

    @cached_property
    def own(self) -> Codes:
        """The base, as one row."""
        return self.parse(self.base)

    @cached_property
    def free(self) -> NDArray[np.bool_]:
        """Which choices there really are."""
        kept = [choice.name not in self.held for choice in self.choices]
        return np.array(kept) & (self.counts > 1)

    @property
    def size(self) -> int:
        """Number of points, exactly."""
        return prod(self._ways.tolist())

    @property
    def _ways(self) -> NDArray[np.int64]:
        return np.where(self.free, self.counts, 1)

    def encode(self, values: Values) -> Codes:
        """The code of a value for each choice, as one row.

        Raises:
            InputError: a choice is left out, is not known, or has a value it cannot have.
        """
        if odd := next(iter(values.keys() ^ self.places.keys()), None):
            what = "is not chosen" if odd in self.places else "is no choice"
            raise InputError(f"{self.name}: {odd} {what}; choices: {', '.join(self.places)}")
        row = []
        for choice in self.choices:
            if values[choice.name] not in choice.values:
                allowed = ", ".join(map(str, choice.values))
                given = f"{self.name}: {choice.name} is {values[choice.name]!r}"
                raise InputError(f"{given}; allowed: {allowed}")
            row.append(choice.values.index(values[choice.name]))
        return np.array(row, np.int8)

    def decode(self, code: Codes) -> dict[str, Value]:
        """What a row chooses."""
        return {c.name: c.values[i] for c, i in zip(self.choices, code.tolist(), strict=True)}

    def network(self, code: Codes) -> Network:
        """The network of a row, named by its choices."""
        return replace(self.build(self.decode(code)), name=self.text(code))

    @cached_property
    def _words(self) -> list[list[str]]:
        """The letters of all choices, by field."""
        fields = groupby(self.choices, lambda choice: choice.field)
        return [[choice.letters for choice in choices] for _, choices in fields]

    def text(self, code: Codes) -> str:
        """A row as a name, a word for each field: ``B0-1666666-3353553-1223341-1111111``."""
        chosen = iter(code.tolist())
        words = ("".join([letters[next(chosen)] for letters in word]) for word in self._words)
        return "-".join([self.prefix, *words])

    def parse(self, text: str) -> Codes:
        """The row that `text` wrote.

        Raises:
            InputError: no such point.
        """
        letters = text.removeprefix(f"{self.prefix}-").replace("-", "")
        if len(letters) == len(self.choices):
            pairs = zip(self.choices, letters, strict=True)
            code = np.array([choice.letters.find(letter) for choice, letter in pairs], np.int8)
            if code.min() >= 0 and self.text(code) == text:
                return code
        raise InputError(
            f"{text!r} is no network of the space {self.name}; one is written like {self.base}"
        )

    def valid(self, codes: Codes) -> NDArray[np.bool_]:
        """Which rows are points of this space."""
        known = np.where(self.free, (codes >= 0) & (codes < self.counts), codes == self.own)
        return np.asarray(known.all(axis=-1))

    def sample(self, rng: np.random.Generator, n: int) -> Codes:
        """Points drawn alike from all of the space; some may be drawn twice."""
        return self._filled(rng.integers(0, self._ways, (n, len(self.choices))))

    def _filled(self, columns: NDArray[np.int64]) -> Codes:
        """Choices, and the base's own where there is none."""
        return np.where(self.free, columns, self.own).astype(np.int8)

    def mutate(self, rng: np.random.Generator, codes: Codes, rate: float = 1.0) -> Codes:
        """Change about ``rate`` choices of every point, and at least one, to another value."""
        free = np.flatnonzero(self.free)
        hit = rng.random((len(codes), len(free))) < rate / len(free)
        hit[np.arange(len(codes)), rng.integers(0, len(free), len(codes))] = True
        counts = self.counts[free]
        moved = (codes[:, free] + rng.integers(1, counts, hit.shape)) % counts
        changed = codes.copy()
        changed[:, free] = np.where(hit, moved, codes[:, free])
        return changed

    def cross(self, rng: np.random.Generator, one: Codes, other: Codes) -> Codes:
        """Points that have each choice from one of two parents, by the throw of a coin."""
        return np.where(rng.random(one.shape) < 0.5, one, other)

    def neighbours(self, code: Codes) -> Codes:
        """All points that differ from one in a single choice."""
        columns = np.flatnonzero(self.free)
        moves = [(c, v) for c in columns for v in range(self.counts[c]) if v != code[c]]
        near = np.tile(code, (len(moves), 1))
        for row, (column, value) in zip(near, moves, strict=True):
            row[column] = value
        return near

    def every(self) -> Codes:
        """All points, for a small space; the last choice changes fastest."""
        columns = np.unravel_index(np.arange(self.size), self._ways.tolist())
        return self._filled(np.column_stack(columns))

    def fixed(self, *names: str) -> Space:
        """The part of the space in which these choices, by name or field, are those of the base."""
        held = {c.name for c in self.choices if not {c.name, c.field}.isdisjoint(names)}
        return replace(self, held=self.held | held)


class Sums:
    """A cost of points, as a sum over tables with one entry for each way a stage can be.

    Entries are made when they are first needed, from the stage's blocks alone; the last table holds
    what stem, head and classifier add, and what is charged once for a network.
    """

    def __init__(self, space: Space, cost: Cost) -> None:
        self.space, self.cost = space, cost
        self._alone = cache(lambda one: cost(one.network()))
        self._base = space.own
        self._columns = [[space.places[name] for name in part] for part in space.parts]
        self._shapes = [tuple(space.counts[columns].tolist()) for columns in self._columns]
        self._tables = [np.full(prod(shape), np.nan) for shape in self._shapes]

    def __call__(self, codes: Codes) -> Floats:
        """The cost of each row.

        Raises:
            ValueError: the cost does not add up over stages.
        """
        first = np.isnan(self._tables[-1]).all()
        total = np.zeros(len(codes))
        for part, columns in enumerate(self._columns):
            total += self._entries(part, codes[:, columns])
        for code, value in zip(codes[:3], total, strict=False) if first else ():
            true = self.cost(self.space.network(code))
            if not np.isclose(value, true, rtol=1e-6):
                raise ValueError(f"{true:g} is not the sum over stages, {value:g}")
        return total

    def _entries(self, part: int, codes: Codes) -> Floats:
        shape, table = self._shapes[part], self._tables[part]
        wanted = np.ravel_multi_index(tuple(codes.T), shape) if shape else np.zeros(len(codes), int)
        for index in np.unique(wanted[np.isnan(table[wanted])]).tolist():
            code = self._base.copy()
            code[self._columns[part]] = np.unravel_index(index, shape) if shape else ()
            net = self.space.network(code)
            table[index] = self._stage(net, part + 1) if part < len(net.stages) else self._rest(net)
        return table[wanted]

    def _stage(self, net: Network, number: int) -> float:
        return sum(times * self._alone(one) for i, one, times in placed(net) if i == number)

    def _rest(self, net: Network) -> float:
        return self.cost(net) - sum(times * self._alone(one) for _, one, times in placed(net))


# ---------------------------------------------------------------------------- the two spaces

STAGES = range(len(B0))


def _of_stages(field: str, values: Sequence[tuple[Value, ...]]) -> list[Choice]:
    return [Choice(f"{field}{stage}", allowed) for stage, allowed in enumerate(values, 1)]


def _stages(values: Values) -> tuple[XStage, ...]:
    """B0's stages as chosen; squeeze-excite is in quarters of the block's input, width of B0's."""
    reshape: tuple[Reshape, ...] = ("enter", "leave") if values.get("reshape") else ()
    return tuple(
        XStage(
            depth=int(values[f"l{i}"]),
            width=_width(i, int(values.get(f"w{i}", 4))),
            expansion=int(values[f"e{i}"]),
            kernel=int(values[f"k{i}"]),
            stride=b0.stride,
            fused=values.get(f"fused{i}") == 1,
            activation="relu" if values.get(f"act{i}") == "r" else "silu",
            se_ratio=int(values[f"se{i}"]) / 4,
            reshape=reshape[i - 1] if i <= len(reshape) else "none",
        )
        for i, b0 in enumerate(B0, 1)
    )


def _width(stage: int, quarters: int) -> int:
    """Channels: a multiple of 8, in the first stage, whose 16 would not move, of 4."""
    return round_width(B0[stage - 1].width * quarters / 4, 4 if stage == 1 else 8)


EFFICIENTNET = Space(
    name="efficientnet",
    prefix="B0",
    choices=tuple(c for field, values in CHOICES.items() for c in _of_stages(field, values)),
    build=lambda values: replace(get("EN-B0"), stages=_stages(values)),
    base="B0-1666666-3353553-1223341-1111111",
    parts=(*(tuple(f"{field}{stage + 1}" for field in CHOICES) for stage in STAGES), ()),
)
"""Accel-NASBench's: expansion, kernel, repeats and squeeze-excite of B0's seven stages; 1e11."""


def _around(repeats: int) -> tuple[Value, ...]:
    """One less, as many and one more, from 1 on."""
    return tuple(n for n in (repeats - 1, repeats, repeats + 1) if n)


_X_CHOICES: dict[str, list[tuple[Value, ...]]] = {
    "fused": [(0, 1)] * 7,
    "k": [(3, 5)] * 7,
    "e": [(1,), *[(3, 4, 6)] * 6],
    "se": [(0, 1, 4)] * 7,
    "act": [("r", "s")] * 7,
    "l": [_around(stage.depth) for stage in B0],
    "w": [(3, 4, 5)] * 7,
}


def _x_part(stage: int) -> tuple[str, ...]:
    """What decides a stage's blocks: its own, the width before it, how its map is reshaped."""
    before = (f"w{stage}",) if stage else ()
    return (
        *(f"{field}{stage + 1}" for field in _X_CHOICES),
        *before,
        *(("reshape",) if stage < 2 else ()),
    )


ACCELERATOR = Space(
    name="accelerator",
    prefix="X0",
    choices=(
        Choice("reshape", (0, 1)),
        *(c for field, values in _X_CHOICES.items() for c in _of_stages(field, values)),
    ),
    build=lambda values: replace(get("EN-X-B0"), stages=_stages(values)),
    base="X0-1-0110000-3353553-1666666-4444444-rssrrrr-1223341-4444444",
    parts=(*map(_x_part, STAGES), ("w7",)),
)
"""The second paper's, around EfficientNet-X-B0: space-to-depth after the stem or not; of each stage
whether it is fused, kernel, expansion, squeeze-excite (quarters of the block's input: 0, 1, 4),
ReLU or swish, one block less or more, and width (quarters of B0's: 3, 4, 5); 1e19."""

SPACES: Mapping[str, Space] = {space.name: space for space in (EFFICIENTNET, ACCELERATOR)}


def space(name: str) -> Space:
    """One of `SPACES`; `InputError` for another name."""
    if name not in SPACES:
        raise InputError(
            f"unknown space {name!r}.{did_you_mean(name, SPACES)} Spaces: {', '.join(SPACES)}"
        )
    return SPACES[name]
