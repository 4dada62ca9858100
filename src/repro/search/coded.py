"""Networks of EfficientNet-B0's own space as rows of digits, and what adds up over their blocks.

A network is 28 digits: expansions, kernels, repeats, squeeze-excite, seven each in the order of
the stages. Widths and strides are fixed, so that a block's cost depends on its own stage's digits
alone; whatever adds up over blocks (flops, parameters, a roofline's seconds, a measured block
table) is then known for all 1.04e11 networks from 168 blocks and a rest.

    acts = block_sums(lambda net: complexity(net).acts)
    acts(digits([("1666666", "3353553", "1223341", "1111111")]))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from repro.arch import Network, blocks
from repro.arch.b0 import B0, CHOICES, EXPANSIONS, KERNELS, SQUEEZE_EXCITE, b0_variant
from repro.arch.pieces import alone
from repro.complexity import out_size
from repro.errors import InputError

Array = NDArray[np.float64]
Digits = NDArray[np.int64]
"""Networks, one a row of 28 digits."""
STAGES = len(B0)
ALLOWED = tuple(options for column in CHOICES.values() for options in column)
"""What each of the 28 digits may be."""


def digits(texts: Iterable[Sequence[str]]) -> Digits:
    """Networks from their columns e, k, l, se, each a text of seven digits.

    Raises:
        InputError: a text that is no choice of the space; names column, stage and what is allowed.
    """
    return np.array([_digits(row) for row in texts], dtype=np.int64).reshape(-1, len(ALLOWED))


def _digits(row: Sequence[str]) -> list[int]:
    for name, text in zip(CHOICES, row, strict=True):
        if len(text) != STAGES or not (text.isascii() and text.isdecimal()):
            raise InputError(f"{name} {text!r} is not {STAGES} digits, one for each stage")
        for stage, (digit, allowed) in enumerate(zip(text, CHOICES[name], strict=True), 1):
            if int(digit) not in allowed:
                options = ", ".join(map(str, allowed))
                raise InputError(f"{name} {text!r}: {digit} in stage {stage}; allowed: {options}")
    return [int(digit) for text in row for digit in text]


def network(row: Sequence[int] | Digits) -> Network:
    """The description of a network of the space; see `b0_variant`."""
    e, k, depths, se = np.reshape([int(digit) for digit in row], (len(CHOICES), STAGES)).tolist()
    return b0_variant(e, k, depths, se)


def coded(networks: Digits) -> Array:
    """Choices as columns around their means; (n, 28) gives (n, 43).

    A digit of m options gives m - 1 orthogonal columns, each with a mean square of one over the
    options, so that no option is the base of all others.
    """
    columns = (_columns(networks[:, i], allowed) for i, allowed in enumerate(ALLOWED))
    return np.concatenate(list(columns), axis=1)


def _columns(column: Digits, options: Sequence[int]) -> Array:
    powers = np.vander(np.arange(len(options)), increasing=True).astype(float)
    basis = np.linalg.qr(powers)[0] * np.sqrt(len(options))
    return np.asarray(basis[:, 1:][np.searchsorted(options, column)])


def _pairs() -> tuple[list[int], list[int]]:
    digit = [i for i, options in enumerate(ALLOWED) for _ in options[1:]]
    both = [(i, j) for i, j in combinations(range(len(digit)), 2) if digit[i] != digit[j]]
    return [i for i, _ in both], [j for _, j in both]


PAIRS = _pairs()
"""Columns of `coded` that belong to different digits: first and second of each pair."""


@dataclass(frozen=True)
class BlockSums:
    """A cost that adds up over blocks, by stage, expansion, kernel and squeeze-excite.

    Attributes:
        first, others: (7, 3, 2, 2), of a stage's first block and of each block after it.
        rest: of stem, head and classifier.
    """

    first: Array
    others: Array
    rest: float

    def __call__(self, networks: Digits) -> Array:
        """The cost of networks, (n, 28) gives (n,)."""
        where, more = _blocks_of(networks)
        return self.rest + self.first[where].sum(1) + (self.others[where] * more).sum(1)


def _blocks_of(networks: Digits) -> tuple[tuple[Digits, ...], Digits]:
    """Where in a `BlockSums` each stage's block stands, and how many more of it there are."""
    e, k, depths, se = np.moveaxis(networks.reshape(-1, len(CHOICES), STAGES), 1, 0)
    stages = np.broadcast_to(np.arange(STAGES), e.shape)
    ranks = (np.searchsorted(o, d) for o, d in ((EXPANSIONS, e), (KERNELS, k)))
    return (stages, *ranks, se), depths - 1


def block_sums(cost: Callable[[Network], float]) -> BlockSums:
    """A cost of every block of the space, from a function of any network or piece of one."""
    shape = (STAGES, len(EXPANSIONS), len(KERNELS), len(SQUEEZE_EXCITE))
    first, others = np.zeros(shape), np.zeros(shape)
    choices = product(*(enumerate(o) for o in (EXPANSIONS, KERNELS, SQUEEZE_EXCITE)))
    for (i, e), (j, k), (m, se) in choices:
        net = b0_variant((e,) * STAGES, (k,) * STAGES, (2,) * STAGES, (se,) * STAGES)
        size = out_size(net.resolution, 2)
        for n, (block, _) in enumerate(blocks(net)):  # each stage's first, then its second
            costs = others if n % 2 else first
            costs[n // 2, i, j, m] = cost(alone(block, size))
            size = out_size(size, block.stride)
    whole = cost(net)  # the last one: all blocks of the last choice
    return BlockSums(first, others, whole - float((first + others)[:, i, j, m].sum()))


def block_counts(networks: Digits) -> Array:
    """How often each block of the space stands in a network; (n, 28) gives (n, 168)."""
    where, more = _blocks_of(networks)
    rows = np.arange(len(networks))[:, None]
    shape = (len(networks), STAGES, len(EXPANSIONS), len(KERNELS), len(SQUEEZE_EXCITE))
    first, others = np.zeros(shape), np.zeros(shape)
    first[(rows, *where)], others[(rows, *where)] = 1, more
    return np.concatenate([first.reshape(len(networks), -1), others.reshape(len(networks), -1)], 1)
