"""What prices are fitted to: timm's public table, the first paper's V100s, and records.

Every source gives whole networks, timed in one setting, with counts made in one way
(`repro.prices.counts`). Those of timm's networks stand in ``data/public_counts.csv``;
``python -m repro.prices.sources`` makes it and needs timm.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple, cast

from repro import reference
from repro.errors import InputError
from repro.evidence.printed import family, network
from repro.evidence.public import public_timings, settings
from repro.evidence.timings import IMAGENET_IMAGES
from repro.paths import root, write_whole
from repro.prices.counts import Counts, Kind, counts_of, counts_of_timed, timm_counts
from repro.prices.law import Mode
from repro.records import TimingRecord
from repro.stored import machine_name, stored


class Timed(NamedTuple):
    """A network, and what one image of it took.

    ``unit``: what is drawn together for an interval: a family, or a curve of one base under one
    strategy.
    """

    name: str
    family: str
    unit: str
    counts: Counts
    seconds: float


class Timings(NamedTuple):
    """Networks that one device ran in one setting."""

    setting: str
    device: str
    mode: Mode
    compiled: bool
    networks: tuple[Timed, ...]


@cache
def public_counts() -> dict[tuple[str, int], Counts]:
    """Counts of the public table's networks by name and image size."""
    with (root() / "data" / "public_counts.csv").open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    found = {}
    for model, image, flops, acts, writes, kernels, kind in rows:
        counts = Counts(int(flops), int(acts), int(writes), int(kernels), cast(Kind, kind))
        found[model, int(image)] = counts
    return found


def public() -> Iterator[Timings]:
    """The public table, setting by setting."""
    counts = public_counts()
    for setting in settings():
        networks = tuple(
            Timed(f"{row.model} {row.resolution}", row.family, row.family, known, seconds)
            for row in public_timings()
            if (seconds := row.seconds.get(setting))
            and (known := counts[row.model, row.resolution])
        )
        compiled = setting.mode != "eager"
        yield Timings(str(setting), setting.device, setting.what, compiled, networks)


def v100() -> Iterator[Timings]:
    """The zoo of the first paper's authors, and its Figure 2, whose curves are its units."""
    infer, train = [], []
    for row in reference.zoo_timings():
        name = row.model.replace("EfficientNet-", "EN-")
        counts, kind = counts_of(network(name)), family(name)
        tested = row.test_fw_s * 8 / row.test_batch_8gpu
        trained = row.train_fw_bw_s * 8 / row.train_batch_8gpu
        infer.append(Timed(name, kind, kind, counts, tested))
        train.append(Timed(name, kind, kind, counts, trained))
    yield Timings("v100/infer/zoo", "v100", "infer", False, tuple(infer))
    yield Timings("v100/train/zoo", "v100", "train", False, tuple(train))
    points = tuple(
        Timed(
            f"{p.base} {p.strategy} {p.scale:g}",
            family(p.base),
            f"{p.base} {p.strategy}",
            counts_of(network(p.base, p.strategy.removeprefix("alpha="), p.scale)),
            float(p.epoch_minutes_8xv100) * 60 * 8 / IMAGENET_IMAGES,
        )
        for p in reference.runtime_points()
    )
    yield Timings("v100/train/figure 2", "v100", "train", False, points)


def recorded(records: Iterable[Any]) -> list[Timings]:
    """Records of whole networks, by machine and way of timing; most networks first.

    Of two timings of one network the later counts. Setting: as in the public table.
    """
    ways: dict[tuple[Any, ...], dict[str, Any]] = {}
    for record in records:
        if isinstance(record, TimingRecord) and record.protocol.input == "random":
            p = record.protocol
            how = (p.mode, p.dtype, p.batch, p.memory_gb, p.memory_format, p.compile)
            way = (machine_name(record), *how, record.machine.torch)
            ways.setdefault(way, {})[f"{record.subject.name} {record.subject.resolution}"] = record
    sets = (_timings(way) for way in ways.values())
    return sorted(sets, key=lambda found: -len(found.networks))


def _timings(way: dict[str, Any]) -> Timings:
    networks = []
    for name, record in way.items():
        try:
            counts = counts_of_timed(record.subject)
        except InputError:  # a block, or what an earlier version described
            continue
        seconds = record.quartiles[1] / record.batch
        base, strategy = record.subject.base, record.subject.strategy
        unit = f"{base} {strategy}" if strategy else _family(base)
        networks.append(Timed(name, _family(base), unit, counts, seconds))
    p, machine = record.protocol, record.machine
    device = re.sub(r"[^a-z0-9]+", "-", machine_name(record).lower()).strip("-")
    mode: Mode = "infer" if p.mode == "infer" else "train"
    layout = "nhwc" if p.memory_format == "channels_last" else "nchw"
    style = "eager" if p.compile == "none" else p.compile
    setting = "/".join((device, mode, p.dtype, layout, machine.torch, style))
    return Timings(setting, device, mode, p.compile != "none", tuple(networks))


def _family(base: str) -> str:
    """Of a described network, or of one of timm's: its source file, where the table has it."""
    if not base.startswith("timm/"):
        return family(base)
    known = {row.model: row.family for row in public_timings()}
    short = base.removeprefix("timm/")
    return known.get(short, re.split(r"[\d_]", short)[0])


def stored_timings(fewest: int) -> list[Timings]:
    """Of the project's records, what has this many networks of two families; one set a setting."""
    found: dict[str, Timings] = {}
    for timings in recorded(stored()):
        families = {timed.family for timed in timings.networks}
        if len(timings.networks) >= fewest and len(families) > 1:
            found.setdefault(timings.setting, timings)
    return list(found.values())


def counted_again() -> str:
    """``data/public_counts.csv`` as this timm has it."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("model", "image", *Counts._fields))
    for row in public_timings():
        counts, _ = timm_counts(f"timm/{row.model}", row.resolution)
        writer.writerow((row.model, row.resolution, *map(int, counts[:-1]), counts.kind))
    return file.getvalue()


if __name__ == "__main__":
    write_whole(root() / "data" / "public_counts.csv", counted_again().encode())
