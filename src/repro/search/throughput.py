"""How long networks of EfficientNet-B0's own space take where thousands of them were timed.

Source: Accel-NASBench (data/reference/README.md). Batch and number format are not stated there.

Laws of one, two or three prices (flops, acts, a roofline) are compared on networks that were not
seen, and so is a price for each of the space's 168 blocks: what a block takes as the first of its
stage, and as each further one. That last law, with a correction by pairs of choices for devices on
which blocks do not quite add up (TPUv3 feeds small networks too slowly), is `Throughput`.

    throughput("A100").ms(EFFICIENTNET.parse("B0-1666666-3353553-1223341-1111111")[None])
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from repro import reference
from repro.arch.b0 import EXPANSIONS, KERNELS, SQUEEZE_EXCITE
from repro.errors import InputError, did_you_mean
from repro.search import latency
from repro.search.space import EFFICIENTNET, Codes, Floats, Sums
from repro.search.table import (
    FOLDS,
    Quadratic,
    Ridge,
    folds,
    one_thread,
    published,
    rank_correlation,
)


class Timed(NamedTuple):
    """A device of the file: the column of its images per second, and whose roofline is near."""

    column: str
    roofline: str


DEVICES = {
    "A100": Timed("a100_img_s", "A100"),
    "RTX 3090": Timed("rtx3090_img_s", "A100"),
    "TPUv2": Timed("tpuv2_img_s", "TPUv3"),
    "TPUv3": Timed("tpuv3_img_s", "TPUv3"),
}
"""No sourced peak rates of an RTX 3090 and of a TPUv2 are known here."""
LAWS = ("flops", "acts", "flops and acts", "roofline", "blocks", "blocks and pairs")


class TimeErrors(NamedTuple):
    """How far predicted times are from measured ones, of networks that were not seen.

    Attributes:
        networks: how many. median, p95: quantiles of the relative error, without its sign.
        tau: Kendall's rank correlation.
    """

    networks: int
    median: float
    p95: float
    tau: float


def time_errors(predicted: Floats, measured: Floats) -> TimeErrors:
    """Errors of predicted times."""
    off = abs(predicted / measured - 1)
    median, p95 = np.quantile(off, [0.5, 0.95]).tolist()
    return TimeErrors(len(off), median, p95, rank_correlation(predicted, measured))


def milliseconds(device: str) -> Floats:
    """Of an image, on a device, for all networks of the table; nan where nobody timed it.

    Raises:
        InputError: another device.
    """
    if device not in DEVICES:
        near = did_you_mean(device, DEVICES)
        raise InputError(f"unknown device {device!r}.{near} Devices: {', '.join(DEVICES)}")
    images = [getattr(row, DEVICES[device].column) for row in reference.b0_space()]
    return np.array([np.nan if n is None else 1000 / float(n) for n in images])


def measured(device: str) -> tuple[Codes, Floats]:
    """Networks that were timed on a device, and their milliseconds an image."""
    ms = milliseconds(device)
    return published()[0][np.isfinite(ms)], ms[np.isfinite(ms)]


def block_counts(points: Codes) -> Floats:
    """One, and how often each block is the first and a further one of its stage: (n, 169)."""
    e, k, more, se = np.moveaxis(points.reshape(len(points), 4, 7), 1, 0)
    where = (np.arange(len(points))[:, None], np.arange(7)[None], e, k, se)
    shape = (len(points), 7, len(EXPANSIONS), len(KERNELS), len(SQUEEZE_EXCITE))
    first, others = np.zeros(shape), np.zeros(shape)
    first[where], others[where] = 1, more
    flat = [block.reshape(len(points), -1) for block in (first, others)]
    return np.concatenate([np.ones((len(points), 1)), *flat], axis=1)


def prices(counts: Floats, ms: Floats) -> Floats:
    """Prices of counts by least squares on relative errors, none of them negative."""
    q, r = np.linalg.qr(counts / ms[:, None])
    return np.asarray(nnls(r, q.sum(axis=0))[0])


def _without_a_fold(counts: Floats, ms: Floats, fold_of: NDArray[np.int64]) -> Floats:
    """Times by prices fitted without each fold; (n, folds)."""
    kept = [fold_of != fold for fold in range(FOLDS)]
    return np.column_stack([counts @ prices(counts[rows], ms[rows]) for rows in kept])


@dataclass(frozen=True)
class Throughput:
    """A model of the time of every network of the space on one device.

    Attributes:
        device: see `DEVICES`. blocks: (169,), prices by `block_counts`, milliseconds.
        correction: of the logarithm of what blocks add up to.
        held_out: errors out of fold, whole networks left out.
    """

    device: str
    blocks: Floats
    correction: Quadratic
    held_out: TimeErrors

    def ms(self, points: Codes) -> Floats:
        """Milliseconds an image; (n, 28) gives (n,)."""
        return np.asarray(block_counts(points) @ self.blocks * np.exp(self.correction(points)))


@cache
def throughput(device: str) -> Throughput:
    """The model of a device; made once.

    Raises:
        InputError: another device than those of the file.
    """
    points, ms = measured(device)
    with one_thread():
        counts, ridge = block_counts(points), Ridge(points)
        sums = _without_a_fold(counts, ms, ridge.folds)
        own = np.arange(len(ms)), ridge.folds  # of each row, the fit without its fold

        def judge(logs: Floats) -> tuple[float, TimeErrors]:
            found = time_errors(sums[own] * np.exp(logs[own]), ms)
            return found.median, found

        penalty, held_out = ridge.best(np.log(ms[:, None] / sums), judge)
        blocks = prices(counts, ms)
        correction = ridge.fit(np.log(ms / (counts @ blocks)), penalty)
    return Throughput(device, blocks, correction, held_out)


@cache
def laws(device: str) -> dict[str, TimeErrors]:
    """Held-out errors of every law of `LAWS`, each fitted without the fold that it is judged on.

    Raises:
        InputError: another device than those of the file.
    """
    points, ms = measured(device)
    one = np.ones(len(ms))
    flops, acts = (Sums(EFFICIENTNET, latency.budget(what))(points) for what in ("flops", "acts"))
    roofline = Sums(EFFICIENTNET, latency.roofline(DEVICES[device].roofline))(points)
    designs = {
        "flops": [flops, one],
        "acts": [acts, one],
        "flops and acts": [flops, acts, one],
        "roofline": [roofline, one],
    }
    named = {law: np.column_stack(columns) for law, columns in designs.items()}
    named["blocks"] = block_counts(points)
    own = np.arange(len(ms)), folds(points)
    found = {
        law: time_errors(_without_a_fold(counts, ms, own[1])[own], ms)
        for law, counts in named.items()
    }
    return {**found, "blocks and pairs": throughput(device).held_out}
