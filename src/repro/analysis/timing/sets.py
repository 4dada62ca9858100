"""Networks timed by others and by this project, in one form.

The sources: the paper's Figure 2 (minutes of an epoch on eight V100s), its authors' model zoo (one
batch on eight V100s), and the records in ``data/records``, a set for each machine and way of
timing. One multiply-add is one flop.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from repro import reference
from repro.analysis.frames import family
from repro.arch import Network
from repro.errors import InputError
from repro.evidence.printed import in_print_units, network
from repro.evidence.timings import FIRST_PAPER, IMAGENET_IMAGES, USUAL
from repro.records import Dtype, Mode, TimingRecord, changed_code
from repro.runtime.roofline import kernel_count
from repro.stored import machine_name, read, stored

UNSCALED = "unscaled"
"""Stands in the column ``strategy`` of a base network."""
COUNTS = ("flops", "params", "acts", "kernels")
FEWEST = 8
"""Fewer networks give no correlation, and no set."""
V100 = "V100"
MODES = {"infer": "inference", "train": "forward and backward", "step": "training"}


@dataclass(frozen=True)
class Timings:
    """Networks timed in one way on one machine, a row of ``frame`` for each.

    flops in G, params and acts in M; batch of one device; minutes of an ImageNet epoch (published
    ones on eight devices); ms of one image on one device; for records also ms_low, ms_high
    (quartiles) and memory_mb (of one image). Missing, as batch or dtype: not published.
    """

    title: str
    kind: str
    machine: str
    mode: Mode
    dtype: Dtype | None
    frame: pd.DataFrame

    @property
    def brief(self) -> str:
        """A shorter title: machine, what was timed, on a GPU in which precision."""
        if self.kind == "published":
            return self.title
        dtype = f", {self.dtype}" if self.kind == "cuda" else ""
        return f"{short(self)}: {MODES[self.mode]}{dtype}"


def short(timings: Timings) -> str:
    """A machine's name, without the number of threads."""
    return timings.machine.partition(",")[0]


@cache
def network_of(base: str, strategy: str, s: float) -> Network:
    """The network of a row: a base (strategy empty or `UNSCALED`), or a base scaled."""
    scaled = strategy not in ("", UNSCALED)
    return network(base, strategy.removeprefix("alpha=") if scaled else None, s)


def with_counts(points: pd.DataFrame) -> pd.DataFrame:
    """Points with exact counts of one image beside them, which replace columns of these names.

    flops in G, params and acts in M.
    """
    rows = []
    for base, strategy, s in points[["base", "strategy", "s"]].itertuples(index=False):
        net = network_of(base, strategy, s)
        rows.append(in_print_units(net) | {"kernels": kernel_count(net)})
    counts = pd.DataFrame(rows, columns=list(COUNTS), index=points.index)
    return pd.concat([points.drop(columns=[c for c in COUNTS if c in points]), counts], axis=1)


def figure2() -> Timings:
    """The paper's Figure 2, with this project's counts."""
    points = pd.DataFrame(
        {
            "model": f"{p.base} {p.strategy} ×{p.scale:g}",
            "base": p.base,
            "family": family(p.base),
            "strategy": p.strategy,
            "s": p.scale,
            "batch": float("nan"),
            "minutes": float(p.epoch_minutes_8xv100),
        }
        for p in reference.runtime_points()
    )
    return _published("V100, paper's Figure 2", "step", points)


def zoo(mode: Mode = "train") -> Timings:
    """The authors' model zoo: forward and backward (``"train"``), or inference (``"infer"``)."""
    training = mode == "train"
    rows = []
    for row in reference.zoo_timings():
        seconds = row.train_fw_bw_s if training else row.test_fw_s
        batch = row.train_batch_8gpu if training else row.test_batch_8gpu
        name = row.model.replace("EfficientNet-", "EN-")
        rows.append(
            {
                "model": name,
                "base": name,
                "family": family(name),
                "strategy": UNSCALED,
                "s": 1.0,
                "batch": batch / 8,
                "minutes": IMAGENET_IMAGES / batch * seconds / 60,
            }
        )
    title = f"V100, authors' zoo{'' if training else ', inference'}"
    return _published(title, mode, pd.DataFrame(rows))


def _published(title: str, mode: Mode, points: pd.DataFrame) -> Timings:
    """Minutes of an epoch on eight V100s as a set."""
    table = with_counts(points)
    table["ms"] = table.minutes * 8 * 60e3 / IMAGENET_IMAGES
    return Timings(title, "published", V100, mode, None, table)


def recorded() -> list[Timings]:
    """A set for each machine and way of timing in ``data/records``.

    GPUs before CPUs, training before inference, then the sets with most networks first. Networks
    of the first paper and its authors' zoo alone; ways that few networks were timed in, or that
    exist to show an effect (zeros as input, compiled, another memory format), are left out.
    """
    ways: dict[tuple[object, ...], dict[str, TimingRecord]] = {}
    for r in stored():
        if not (isinstance(r, TimingRecord) and r.subject.base.startswith(FIRST_PAPER)):
            continue
        p = r.protocol
        if all(getattr(p, condition) == value for condition, value in USUAL.items()):
            way = (machine_name(r), p.mode, p.dtype, p.batch, p.memory_gb)
            ways.setdefault(way, {})[r.subject.name] = r  # the later of two timings counts
    sets = [_timings(list(way.values())) for way in ways.values() if len(way) >= FEWEST]
    order = ("step", "train", "infer")
    return sorted(sets, key=lambda t: (t.kind == "cpu", order.index(t.mode), -len(t.frame)))


def _timings(records: Sequence[TimingRecord]) -> Timings:
    """Records of one machine and way as a set."""
    p, machine = records[0].protocol, machine_name(records[0])
    table = frame(records).rename(
        columns={
            "scale": "s",
            "gflops": "flops",
            "mparams": "params",
            "macts": "acts",
            "epoch_minutes": "minutes",
        }
    )
    table["family"] = [family(base) for base in table.base]
    table["strategy"] = table.strategy.fillna(UNSCALED)
    for name in ("ms", "ms_low", "ms_high"):
        table[name] = table[name] / table.batch
    table["memory_mb"] = 1e3 * table.peak_gb / table.batch
    batch = "largest batch" if p.batch == "max" else f"batch {p.batch}"
    batch += f" in {p.memory_gb:g} GB" if p.memory_gb else ""
    title = f"{machine}: {MODES[p.mode]}, {p.dtype}, {batch}"
    kept = ["model", "base", "family", "strategy", "s", *COUNTS, "batch", "minutes"]
    kept += ["ms", "ms_low", "ms_high", "memory_mb"]
    return Timings(title, p.device, machine, p.mode, p.dtype, table[kept])


def best_training() -> list[Timings]:
    """Of each recorded machine the training set with the most networks.

    Raises:
        InputError: nothing is recorded; says which command records it.
    """
    best: dict[str, Timings] = {}
    for timings in recorded():
        if timings.mode != "infer":
            best.setdefault(timings.machine, timings)
    if not best:
        raise InputError(
            "data/records holds no training times of at least "
            f"{FEWEST} networks; repro time --sweep laptop --out data/records/laptop-cpu.jsonl "
            "records them"
        )
    return list(best.values())


def along(timings: Timings) -> pd.DataFrame:
    """A set of scaled networks as curves: the unscaled network stands in every strategy's."""
    table = timings.frame
    start = table[table.strategy == UNSCALED]
    scaled = table[table.strategy != UNSCALED]
    if start.empty:
        return table  # Figure 2 times it with each strategy already
    curves = scaled[["base", "strategy"]].drop_duplicates()
    starts = start.drop(columns="strategy").merge(curves, on="base")
    return pd.concat([starts, scaled]).sort_values("s", kind="stable")


def frame(*sources: Path | str | Iterable[Any]) -> pd.DataFrame:
    """Timings as rows, from records or records files; counts are of one image.

    ms, ms_low, ms_high: median and quartiles of one iteration; epoch_minutes: ImageNet, one device;
    peak_gb: allocated on a GPU, resident on a CPU, 1e9 bytes; current: the code is still the same.

    Raises:
        InputError: a file cannot be read, or holds something else than records of this version.
    """
    records: list[Any] = []
    for source in sources:
        records += read(source) if isinstance(source, Path | str) else source
    return pd.DataFrame(_row(r) for r in records if isinstance(r, TimingRecord))


def _row(record: TimingRecord) -> dict[str, Any]:
    subject, unknown = record.subject, float("nan")
    low, middle, high = record.quartiles
    peak = record.peak_rss if record.peak_allocated is None else record.peak_allocated
    return {
        "model": subject.name,
        "base": subject.base,
        "strategy": subject.strategy,
        "scale": 1.0 if subject.scale is None else subject.scale,
        "gflops": (subject.flops or unknown) / 1e9,
        "mparams": subject.params / 1e6,
        "macts": (subject.acts or unknown) / 1e6,
        "kernels": subject.kernels,
        "device": record.machine.device,
        "batch": record.batch,
        "ms": 1e3 * middle,
        "ms_low": 1e3 * low,
        "ms_high": 1e3 * high,
        "epoch_minutes": IMAGENET_IMAGES / record.images_per_s / 60,
        "peak_gb": (peak or unknown) / 1e9,
        "current": not changed_code(record),
    }
