"""Timings of networks from three sources in one form, and what predicts them.

The sources: the paper's Figure 2 (minutes of an epoch on eight V100s), its authors' model zoo (one
batch on eight V100s), and the records in ``data/records``, one set for each machine and way of
timing; a GPU's records are picked up by themselves. The questions are those of Fast and Accurate
Model Scaling, section 4. One multiply-add is one flop.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import pandas as pd

from repro import reference
from repro.analysis.frames import family
from repro.analysis.scaling.alpha_family import COSTS, rounded
from repro.analysis.timing.figure2 import (
    bootstrap,
    correlation,
    interval,
    published_times,
    time_exponents,
)
from repro.analysis.timing.predict import COUNTS, FEATURE_SETS, Fit, fit, report, with_counts
from repro.analysis.timing.sets import IMAGENET_IMAGES, frame
from repro.arch import Network, get
from repro.claims import JUDGES, Claim, judge, load, timing
from repro.complexity import complexity
from repro.errors import InputError
from repro.evidence.printed import network
from repro.evidence.timings import FIRST_PAPER
from repro.records import Dtype, Mode, PeakRecord, TimingRecord, changed_code
from repro.runtime.roofline import Fusion, Peaks, device_peaks, recorded_peaks, roofline
from repro.stored import RECORD_GPU, machine_name, record_files, stored

UNSCALED = "unscaled"
"""Stands in the column ``strategy`` of a base network."""
FEWEST = 8
"""Fewer networks give no correlation, and no set."""
V100 = "V100"
UNKNOWN_BATCH = 64
"""Of one device, where none is published; it decides little but the traffic of weights."""
MODES = {"infer": "inference", "train": "forward and backward", "step": "training"}


@dataclass(frozen=True)
class Timings:
    """Networks timed in one way on one machine.

    Attributes:
        key: short and unique. title: for tables and panels.
        kind: ``"published"``, ``"cpu"`` or ``"cuda"``. machine: its name.
        mode: ``"infer"``, ``"train"`` or ``"step"``. dtype: as in records; None: not published.
        devices: how many worked together.
        frame: one row per network: model, base, family, strategy, s, flops (G), params, acts (M),
            kernels, batch (of one device; NaN: not published), minutes (of an ImageNet epoch on
            all devices), ms (of one image on one device); for records also ms_low, ms_high
            (quartiles), memory_mb and joules (of one image).
    """

    key: str
    title: str
    kind: str
    machine: str
    mode: Mode
    dtype: Dtype | None
    devices: int
    frame: pd.DataFrame

    @property
    def brief(self) -> str:
        """A shorter title, for wide tables: machine, what was timed, on a GPU in which dtype."""
        if self.kind == "published":
            return self.title
        dtype = f", {self.dtype}" if self.kind == "cuda" else ""
        return f"{short(self)}: {MODES[self.mode]}{dtype}"

    @property
    def scaled(self) -> bool:
        """Whether the networks are versions of a few bases, by strategies."""
        return bool((self.frame.strategy != UNSCALED).any())

    def up_to(self, macts: float) -> Timings:
        """The networks with at most so many acts, M."""
        return replace(self, frame=self.frame[self.frame.acts <= macts])


def _as_costs(points: pd.DataFrame) -> pd.DataFrame:
    """Columns by the names of the chapters: s, flops (G), params, acts (M)."""
    names = {"gflops": "flops", "mparams": "params", "macts": "acts", "scale": "s"}
    return points.rename(columns=names)


def _as_counts(points: pd.DataFrame) -> pd.DataFrame:
    """And back, as `repro.analysis.timing.predict` calls them."""
    names = {"flops": "gflops", "params": "mparams", "acts": "macts", "s": "scale"}
    return points.rename(columns=names)


def _from_minutes(points: pd.DataFrame, devices: int) -> pd.DataFrame:
    return points.assign(ms=points.minutes * devices * 60e3 / IMAGENET_IMAGES)


def figure2() -> Timings:
    """The paper's Figure 2, with this project's counts."""
    points = published_times()
    counted = _as_costs(with_counts(_as_counts(points)))
    counted["model"] = [f"{p.base} {p.strategy} ×{p.s:g}" for p in counted.itertuples()]
    counted["batch"] = float("nan")
    table = _from_minutes(counted, 8)
    return Timings("figure2", "V100, Figure 2", "published", V100, "step", None, 8, table)


def zoo(mode: Mode = "train") -> Timings:
    """The authors' model zoo: forward and backward, or inference.

    Args:
        mode: ``"train"`` or ``"infer"``.
    """
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
                "strategy": "",
                "scale": 1.0,
                "batch": batch / 8,
                "minutes": IMAGENET_IMAGES / batch * seconds / 60,
            }
        )
    table = _as_costs(with_counts(pd.DataFrame(rows))).assign(strategy=UNSCALED)
    table = _from_minutes(table, 8)
    title = f"V100, authors' zoo{'' if training else ', inference'}"
    return Timings(f"zoo-{mode}", title, "published", V100, mode, None, 8, table)


def recorded() -> list[Timings]:
    """One set for each machine and way of timing in ``data/records``.

    GPUs before CPUs, training before inference, then the sets with most networks first.

    Networks of the first paper and its authors' zoo alone. Ways that only a few were timed in, and
    ways that exist to show an effect (zeros as input, compiled, another memory format), are left
    out.
    """
    plain = [
        record
        for record in stored()
        if isinstance(record, TimingRecord)
        and _of_first_paper(record)
        and (record.protocol.compile, record.protocol.memory_format, record.protocol.input)
        == ("none", "channels_last", "random")
    ]
    ways: dict[tuple[object, ...], dict[str, TimingRecord]] = {}
    for r in plain:
        p = r.protocol
        way = (machine_name(r), p.mode, p.dtype, p.batch, p.memory_gb)
        ways.setdefault(way, {})[r.subject.name] = r  # the later of two timings counts
    sets = [_timings(list(of.values())) for of in ways.values()]
    sets = [t for t in sets if len(t.frame) >= FEWEST]
    order = {"step": 0, "train": 1, "infer": 2}
    return sorted(sets, key=lambda t: (t.kind == "cpu", order[t.mode], -len(t.frame)))


def _of_first_paper(record: TimingRecord) -> bool:
    return record.subject.base.startswith(FIRST_PAPER)


def _timings(records: Sequence[TimingRecord]) -> Timings:
    """Records of one machine and way as a set."""
    first = records[0]
    p = first.protocol
    table = _as_costs(frame(records))
    table["family"] = [family(base) for base in table.base]
    table["strategy"] = table.strategy.fillna(UNSCALED)
    table["minutes"] = table.epoch_minutes
    for name in ("ms", "ms_low", "ms_high"):
        table[name] = table[name] / table.batch
    table["memory_mb"] = 1e3 * table.peak_gb.astype(float) / table.batch
    table["joules"] = table.joules_per_image.astype(float)
    batch = "largest batch" if p.batch == "max" else f"batch {p.batch}"
    batch += f" in {p.memory_gb:g} GB" if p.memory_gb else ""
    machine = machine_name(first)
    title = f"{machine}: {MODES[p.mode]}, {p.dtype}, {batch}"
    key = f"{machine}-{p.mode}-{p.dtype}-{p.batch}-{p.memory_gb}"
    kept = ["model", "base", "family", "strategy", "s", "resolution", *COSTS, "kernels", "batch"]
    kept += ["minutes", "ms", "ms_low", "ms_high", "memory_mb", "joules"]
    return Timings(key, title, p.device, machine, p.mode, p.dtype, 1, table[kept])


def main_sets() -> list[Timings]:
    """Figure 2, the zoo, and each recorded machine's training with the most networks.

    Raises:
        InputError: nothing is recorded; says which command records it.
    """
    return [figure2(), zoo(), *best_training()]


def best_training() -> list[Timings]:
    """Of each recorded machine the training set with the most networks.

    Raises:
        InputError: nothing is recorded; says which command records it.
    """
    found: dict[str, Timings] = {}
    for timings in recorded():
        if timings.mode != "infer":
            found.setdefault(timings.machine, timings)
    if not found:
        raise InputError(
            "data/records holds no training times of at least "
            f"{FEWEST} networks; repro time --sweep laptop --out data/records/laptop-cpu.jsonl "
            "records them"
        )
    return list(found.values())


def first(sets: Iterable[Timings], kind: str, *modes: str) -> Timings | None:
    """The first set of a kind of machine, of one of the modes where some are given; or None."""
    return next((t for t in sets if t.kind == kind and t.mode in (modes or MODES)), None)


# ---------------------------------------------------------------------------- what is there


def files_table() -> pd.DataFrame:
    """The records files with the first paper's networks, and whether they still belong.

    Returns:
        Columns file, machine, torch, networks, timings (how many of each) and code unchanged:
        ``"yes"``, or the modules of this project that have changed since.
    """
    rows = []
    for path in record_files():
        records = stored(path)
        timed = [r for r in records if isinstance(r, TimingRecord) and _of_first_paper(r)]
        if len(timed) < FEWEST:
            continue
        changed = sorted({module for r in records for module in changed_code(r)})
        rows.append(
            {
                "file": path.name,
                "machine": ", ".join(dict.fromkeys(machine_name(r) for r in timed)),
                "torch": ", ".join(dict.fromkeys(r.machine.torch for r in timed)),
                "networks": len({r.subject.name for r in timed}),
                "timings": len(timed),
                "code unchanged": f"no: {', '.join(changed)}" if changed else "yes",
            }
        )
    return pd.DataFrame(rows)


def gpu_status() -> str:
    """One sentence, in Markdown: which GPUs are recorded, or how to record one."""
    names = dict.fromkeys(t.machine for t in recorded() if t.kind == "cuda")
    if names:
        return f"GPUs recorded: {', '.join(names)}."
    return (
        "No GPU has been recorded yet. One command does it, in N parts of which this is part I: "
        f"`{RECORD_GPU}`; the pages pick the file up when they are built again."
    )


def gpu_answer(sets: Sequence[Timings], edge: float) -> str:
    """The takeaway about recorded GPUs, as plain text: correlations within EN-B0."""
    found = [t for t in sets if t.kind == "cuda"]
    if not found:
        return (
            "Whether this holds on a present GPU is open until one is recorded, for which one "
            "command is enough."
        )
    parts = []
    for t in found:
        b0 = t.frame[t.frame.base == "EN-B0"]
        r = {c: correlation(b0[c], b0.minutes) for c in COSTS}
        drawn = b0[b0.acts <= edge]
        parts.append(
            f"On {t.machine}, over {len(b0)} EN-B0, r is {r['acts']:.2f} for activations "
            f"({correlation(drawn.acts, drawn.minutes):.2f} up to {edge:g} M), "
            f"{r['flops']:.2f} for flops and {r['params']:.2f} for parameters."
        )
    return " ".join(parts)


def timing_claims() -> pd.DataFrame:
    """The ledger's claims that timings decide, with their verdicts and machines.

    Returns:
        Columns claim, verdict, machine (–: none has been recorded).
    """
    judged = [judge(claim) for claim in load().claims if claim.paper == PAPER_1 and _timed(claim)]
    return pd.DataFrame(
        [{"claim": j.statement, "verdict": j.verdict, "machine": j.machine or "–"} for j in judged]
    )


PAPER_1 = "dollar2021fast"


def _timed(claim: Claim) -> bool:
    return claim.judge is not None and JUDGES[claim.judge].__module__ == timing.__name__


# ----------------------------------------------------------------------------- correlation


def groups(timings: Timings) -> dict[str, pd.DataFrame]:
    """All networks together, then each family that has enough of them."""
    table = timings.frame
    found = {"together": table}
    for name, part in table.groupby("family", sort=False):
        if FEWEST <= len(part) < len(table):
            found[str(name)] = part
    return found


def correlations(
    sets: Iterable[Timings], edge: float, *, seed: int, resamples: int
) -> pd.DataFrame:
    """Correlation of time with each cost, in every set and group, whole and up to ``edge`` M acts.

    A group that does not reach beyond the edge stands there once.

    Returns:
        Long form: set, brief (titles), group, range (``"all"`` or ``"drawn"``), models, cost,
        method (Pearson or Spearman), r, low, high (95 % bootstrap interval).
    """
    rows = []
    for timings in sets:
        for group, table in groups(timings).items():
            drawn = table[table.acts <= edge]
            ranges = {"all": table}
            if FEWEST <= len(drawn) < len(table):
                ranges["drawn"] = drawn
            for which, part in ranges.items():
                for method, rank in (("Pearson", False), ("Spearman", True)):
                    for cost in COSTS:
                        x, y = part[cost], part.minutes
                        samples = bootstrap(x, y, seed=seed, resamples=resamples, rank=rank)
                        low, high = interval(samples)
                        rows.append(
                            {
                                "set": timings.title,
                                "brief": timings.brief,
                                "group": group,
                                "range": which,
                                "models": len(part),
                                "cost": cost,
                                "method": method,
                                "r": correlation(x, y, rank),
                                "low": low,
                                "high": high,
                            }
                        )
    return pd.DataFrame(rows)


def correlation_table(
    found: pd.DataFrame, sets: Iterable[Timings], edge: float, *, seed: int, resamples: int
) -> pd.DataFrame:
    """Pearson's r of `correlations` as a table: a row per group, and by how much acts lead.

    Args:
        found: from `correlations` with the same other arguments.
    """
    known = {t.brief: t for t in sets}
    rows = []
    part = found[found.method == "Pearson"]
    for keys, one in part.groupby(["brief", "group", "range", "models"], sort=False):
        title, group, which = map(str, keys[:3])
        row: dict[str, object] = {"timings": title}
        row["networks"] = f"{group}{', drawn' * (which == 'drawn')}"
        row |= {"n": keys[3]} | dict(zip(one.cost, one.r, strict=True))
        timings = replace(known[title], frame=groups(known[title])[group])
        timings = timings.up_to(edge) if which == "drawn" else timings
        value, low, high = lead(timings, seed=seed, resamples=resamples)
        row["acts minus flops"] = f"{value:+.2f} ({low:+.2f} to {high:+.2f})".replace("-", "−")
        rows.append(row)
    return pd.DataFrame(rows)


def lead(
    timings: Timings, over: str = "flops", *, seed: int, resamples: int, base: str | None = None
) -> tuple[float, float, float]:
    """By how much r of acts exceeds r of another cost: the difference and its 95 % interval.

    Both are taken from the same resampled networks.
    """
    table = timings.frame if base is None else timings.frame[timings.frame.base == base]
    draws = {
        c: bootstrap(table[c], table.minutes, seed=seed, resamples=resamples)
        for c in ("acts", over)
    }
    low, high = interval(draws["acts"] - draws[over])
    value = correlation(table.acts, table.minutes) - correlation(table[over], table.minutes)
    return value, low, high


def ways_table() -> pd.DataFrame:
    """Every way of timing that is known, beside the training times of the same machine.

    Returns:
        Columns timings, n, flops, params, acts (Pearson's r with time) and training (r with the
        training times of the same networks on the same machine; 1 for those themselves).
    """
    known = [figure2(), zoo(), zoo("infer"), *recorded()]
    training: dict[str, Timings] = {}
    rows = []
    for timings in known:
        table = timings.frame
        group = "zoo" if timings.key.startswith("zoo") else timings.machine
        if timings.mode != "infer" and timings.key != "figure2":
            training.setdefault(group, timings)
        row: dict[str, object] = {"timings": timings.title, "n": len(table)}
        row |= {cost: correlation(table[cost], table.ms) for cost in COSTS}
        row["training"] = float("nan")
        if timings.key != "figure2" and group in training:
            both = table.merge(training[group].frame[["model", "ms"]], on="model")
            if len(both) >= FEWEST:
                row["training"] = correlation(both.ms_x, both.ms_y)
        rows.append(row)
    return pd.DataFrame(rows)


# ------------------------------------------------------------------------------- exponents


def along(timings: Timings) -> pd.DataFrame:
    """A set of scaled networks as curves: the unscaled network stands in every strategy's."""
    table = timings.frame
    if not (table.strategy == UNSCALED).any():
        return table  # Figure 2 times it with each strategy already
    parts: list[pd.DataFrame] = []
    for (base, strategy), part in table.groupby(["base", "strategy"], sort=False):
        if strategy != UNSCALED:
            start = table[(table.base == base) & (table.strategy == UNSCALED)]
            curve = pd.concat([start.assign(strategy=str(strategy)), part])
            parts.append(curve.sort_values("s"))
    if not parts:
        return table.iloc[:0]
    return pd.concat(parts, ignore_index=True)


def exponents(timings: Timings, largest: float | None = None) -> pd.DataFrame:
    """Slopes of log time and of log costs against log s, per base and strategy.

    Args:
        largest: leave out larger s, so that two sets can be compared over the same range.

    Returns:
        As `repro.analysis.timing.figure2.time_exponents`; curves of fewer than three networks are
        left out.
    """
    curves = along(timings)
    if largest is not None:
        curves = curves[(curves.s <= largest) & (curves.s >= 1)]
    sizes = curves.groupby(["base", "strategy"], sort=False).s.transform("nunique")
    return time_exponents(curves[sizes >= 3])


def exponents_beside(sets: Sequence[Timings]) -> pd.DataFrame:
    """Exponents of time of scaled sets side by side, over the scales that each machine covers.

    Returns:
        Columns network, strategy, acts, flops (exponents, from the last set), then for each set
        its exponent of time, over s from 1 to the largest of the last set; NaN: not timed.
    """
    largest = float(sets[-1].frame.s.max())
    found = [exponents(t, largest).set_index(["base", "strategy"]) for t in sets]
    last = found[-1]
    table = pd.DataFrame({"acts": last.acts, "flops": last.flops})
    for timings, one in zip(sets, found, strict=True):
        table[f"time, {short(timings)}"] = one.minutes.reindex(table.index)
    table = table.rename_axis(["network", "strategy"]).reset_index()
    return table


def between(table: pd.DataFrame, machine: str) -> float:
    """Where time's exponent lies on the way from that of acts (0) to that of flops (1), on average.

    Args:
        table: from `exponents_beside`; curves whose two exponents differ by less than a tenth, or
            that not every machine has, are left out.
        machine: short name of a set.
    """
    part = table.dropna()
    part = part[part.flops - part.acts > 0.1]
    return float(((part[f"time, {machine}"] - part.acts) / (part.flops - part.acts)).mean())


def short(timings: Timings) -> str:
    """A machine's name, without the number of threads."""
    return timings.machine.partition(",")[0]


# ------------------------------------------------------------------------------- predictor


def with_roofline(timings: Timings, peaks: Peaks, dtype: Dtype, fusion: Fusion) -> Timings:
    """A set with the roofline's least time, work and operational intensity.

    Returns:
        Further columns ideal (ms of one image), operations (of one image; a multiply-add is two)
        and intensity (operations per byte).

    Args:
        peaks: of the machine. dtype: of maps and weights. fusion: see `repro.runtime.roofline`.
    """
    table = timings.frame.copy()
    rows = []
    for base, strategy, s, known in zip(
        table.base, table.strategy, table.s, table.batch, strict=True
    ):
        batch = UNKNOWN_BATCH if known != known else round(known)
        net = network_of(base, strategy, s)
        found = roofline(net, peaks, batch, dtype, timings.mode, fusion)
        rows.append((1e3 * found.ideal_s / batch, found.intensity, found.operations / batch))
    columns = ["ideal", "intensity", "operations"]
    table[columns] = pd.DataFrame(rows, columns=columns, index=table.index)
    return replace(timings, frame=table)


@cache
def network_of(base: str, strategy: str, s: float) -> Network:
    """A row's network."""
    if strategy == UNSCALED:
        return get(base)
    return network(base, strategy.removeprefix("alpha="), s)


def peaks_of(timings: Timings) -> Peaks | None:
    """A set's machine: measured rates where they are recorded, a V100's from the table; or None."""
    if timings.kind == "published":
        return device_peaks(V100)
    records = _peak_records(timings)
    if not records:
        return None
    found = recorded_peaks(records, records[0].machine.device_name)
    return found if found.operations.get(timings.dtype or "") else None


def _peak_records(timings: Timings) -> list[PeakRecord]:
    return [r for r in stored() if isinstance(r, PeakRecord) and machine_name(r) == timings.machine]


def rooflines(
    sets: Iterable[Timings], assumed: Mapping[str, Dtype], fusion: Fusion
) -> list[Timings]:
    """The sets whose machine's rates are known, with `with_roofline`'s columns.

    Args:
        assumed: precision of published sets, by key; what is assumed stands in their ``dtype``.
    """
    found = []
    for timings in sets:
        dtype = timings.dtype or assumed[timings.key]
        known = replace(timings, dtype=dtype)
        if peaks := peaks_of(known):
            found.append(with_roofline(known, peaks, dtype, fusion))
    return found


def prediction_report(sets: Iterable[Timings]) -> pd.DataFrame:
    """Held-out errors of each set of counts, and of the roofline where a set has one.

    Returns:
        Columns set, brief (titles), counts, left_out (none, family, strategy), error (median of
        the relative error's size), worst, pearson.
    """
    parts = []
    for timings in sets:
        points = _as_counts(timings.frame)
        features = list(FEATURE_SETS)
        if "ideal" in points:
            features.insert(4, ("ideal",))
        found = report(points, "ms", features, ("family", "strategy"))
        parts.append(found.assign(set=timings.title, brief=timings.brief))
    table = pd.concat(parts, ignore_index=True)
    table["counts"] = table.counts.map(_in_words)
    return table


def _in_words(counts: str) -> str:
    names = {"gflops": "flops", "mparams": "params", "macts": "acts", "ideal": "roofline"}
    return " + ".join(names.get(c, c) for c in counts.split(" + "))


def prediction_table(found: pd.DataFrame) -> pd.DataFrame:
    """`prediction_report` as a table: median errors in percent, a column per set of counts."""
    names = list(dict.fromkeys(found.counts))
    rows = []
    for (title, left_out), part in found.groupby(["brief", "left_out"], sort=False):
        errors = dict(zip(part.counts, 100 * part.error, strict=True))
        row: dict[str, object] = {"timings": title, "left out": LEFT_OUT[str(left_out)]}
        rows.append(row | {name: errors.get(name, float("nan")) for name in names})
    return pd.DataFrame(rows).rename(columns={FOUR: "all four"})


LEFT_OUT = {"none": "nothing", "family": "a family", "strategy": "a strategy"}


def fitted(timings: Timings, counts: Sequence[str] = COUNTS) -> Fit:
    """Milliseconds of one image on one device from counts, fitted to all networks of a set."""
    return fit(_as_counts(timings.frame), "ms", counts)


def predict(found: Fit, networks: pd.DataFrame) -> pd.Series:
    """A fit's milliseconds for networks with columns flops (G), params, acts (M), kernels."""
    return found.predict(_as_counts(networks))


def cost_table(sets: Iterable[Timings]) -> pd.DataFrame:
    """What the fit of all four counts says that things cost: a price list for each set.

    Returns:
        Columns timings; ms per G flops, M acts, M params and kernel, and constant (ms), for one
        image; balance (flops per act at which both cost the same; infinite where flops are free).
    """
    rows = []
    for timings in sets:
        found = fitted(timings)
        row: dict[str, object] = {"timings": timings.brief}
        row |= {f"ms per {PRICED[count]}": found.costs[count] for count in COUNTS}
        rows.append(row | {"constant, ms": found.constant, "balance": balance(timings)})
    return pd.DataFrame(rows)


PRICED = {"gflops": "G flops", "macts": "M acts", "mparams": "M params", "kernels": "kernel"}


def balance(timings: Timings) -> float:
    """Flops per act at which a network spends as long on the ones as on the others, by the fit."""
    found = fitted(timings).costs
    return 1e3 * found["macts"] / found["gflops"] if found["gflops"] else float("inf")


def share_table(sets: Iterable[Timings]) -> pd.DataFrame:
    """Where the fit says that time goes: mean share of predicted time, in percent.

    Returns:
        Columns timings, then per count and for the constant its share.
    """
    rows = []
    for timings in sets:
        found, points = fitted(timings), _as_counts(timings.frame)
        total = found.predict(points)
        row: dict[str, object] = {"timings": timings.brief}
        for count, name in zip(COUNTS, ("flops", "params", "acts", "kernels"), strict=True):
            row[name] = 100 * float((found.costs[count] * points[count] / total).mean())
        rows.append(row | {"constant": 100 * float((found.constant / total).mean())})
    return pd.DataFrame(rows)


def flops_per_act(names: Sequence[str]) -> pd.DataFrame:
    """Flops per act of networks by name. Columns network, flops per act."""
    rows = []
    for name in names:
        c = complexity(get(name))
        rows.append({"network": get(name).name, "flops per act": c.flops / c.acts})
    return pd.DataFrame(rows)


def roofline_table(sets: Iterable[Timings]) -> pd.DataFrame:
    """Measured time over the roofline's least time: lowest, median and highest of each set.

    Returns:
        Columns timings, networks, lowest, median, highest, r (Pearson, of measured and least
        time).
    """
    rows = []
    for timings in sets:
        table = timings.frame
        ratio = table.ms / table.ideal
        rows.append(
            {
                "timings": timings.brief,
                "networks": len(table),
                "lowest": float(ratio.min()),
                "median": float(ratio.median()),
                "highest": float(ratio.max()),
                "r": correlation(table.ideal, table.ms),
            }
        )
    return pd.DataFrame(rows)


# ------------------------------------------------------------------------------ key numbers


def zoo_over_tables() -> pd.Series:
    """Epoch minutes by the zoo's times over those of Tables 5 and 8, for networks in both."""
    ours = zoo().frame.set_index("model").minutes
    names = {f"B{i}": f"EN-B{i}" for i in range(6)}
    names |= {"RegNetY-4GF-224": "RegNetY-4.0GF", "ResNet50": "ResNet-50"}
    names |= {"ResNeXt50": "ResNeXt-50"}
    printed = {r.model: float(r.epoch_minutes_8xv100) for r in reference.table_rows()}
    return pd.Series({name: ours[name] / printed[row] for row, name in names.items()})


def predict_numbers(
    sets: Sequence[Timings],
    roofs: Sequence[Timings],
    found: pd.DataFrame,
    edge: float,
    *,
    seed: int,
    resamples: int,
) -> dict[str, float | str]:
    """What the prose of "What predicts runtime" quotes, by glue name.

    Args:
        sets: from `main_sets`. roofs: from `rooflines`. found: from `prediction_report`.
        edge: acts, M.
    """
    out: dict[str, float] = {"wpr_edge": edge}
    cpu = first(sets, "cpu")
    named = {"figure2": sets[0], "zoo": sets[1]} | ({"cpu": cpu} if cpu else {})
    errors = found.set_index(["set", "left_out", "counts"]).error
    for name, timings in named.items():
        table = timings.frame
        value, low, high = lead(timings, seed=seed, resamples=resamples)
        out |= {
            f"wpr_{name}_n": len(table),
            f"wpr_{name}_lead": value,
            f"wpr_{name}_lead_low": low,
            f"wpr_{name}_lead_high": high,
            f"wpr_{name}_macts": float(table.acts.max()),
            f"wpr_{name}_balance": balance(timings),
        }
        within = [part for group, part in groups(timings).items() if group != "together"]
        for cost in COSTS:
            out[f"wpr_{name}_{cost}"] = correlation(table[cost], table.ms)
            each = [correlation(part[cost], part.ms) for part in within]
            out |= {f"wpr_{name}_{cost}_low": min(each), f"wpr_{name}_{cost}_high": max(each)}
        left_out = "strategy" if timings.scaled else "family"
        sought = {"flops": "flops", "acts": "acts", "two": "flops + acts", "four": FOUR}
        for short_name, counts in sought.items():
            error = errors[timings.title, left_out, counts]
            out[f"wpr_{name}_error_{short_name}"] = 100 * float(error)
        out[f"wpr_{name}_error_family"] = 100 * float(errors[timings.title, "family", FOUR])
    for name, timings in zip(("figure2", "zoo"), roofs, strict=False):
        rates = timings.frame.operations / timings.frame.ms / 1e9
        out[f"wpr_{name}_top_rate"] = float(rates.max())
    out["wpr_v100_fp32"] = device_peaks(V100).of("fp32") / 1e12
    ratios = zoo_over_tables()
    out |= {"wpr_zoo_over_low": float(ratios.min()), "wpr_zoo_over_high": float(ratios.max())}
    rest = sets[1].frame[sets[1].frame.family != "EfficientNet"]
    out["wpr_rest_n"] = len(rest)
    out |= {f"wpr_rest_{cost}": correlation(rest[cost], rest.ms) for cost in COSTS}
    if cpu:
        beside = exponents_beside([sets[0], cpu])
        out["wpr_between_n"] = int((beside.dropna().flops - beside.dropna().acts > 0.1).sum())
        out["wpr_between_v100"] = 100 * between(beside, V100)
        out["wpr_between_cpu"] = 100 * between(beside, short(cpu))
        spread = (cpu.frame.ms_high - cpu.frame.ms_low) / cpu.frame.ms
        out["wpr_spread"] = 100 * float(spread.median())
        if roof := first(roofs, "cpu"):
            over = roof.frame.ms / roof.frame.ideal
            out |= {"wpr_cpu_over_low": float(over.min()), "wpr_cpu_over_high": float(over.max())}
        convs = [r for r in _peak_records(cpu) if r.conv_flops]
        if convs:
            faster = [max(r.conv_flops) / max(r.matmul_flops) for r in convs]
            out["wpr_cpu_conv_faster"] = max(faster)
        for group, part in groups(cpu).items():
            if group != "together":
                key = f"wpr_cpu_{group.removeprefix('RegNet').replace('EfficientNet', 'EN')}"
                out |= {f"{key}_{cost}": correlation(part[cost], part.ms) for cost in COSTS}
    return {**rounded(out), "wpr_gpu": gpu_answer(sets, edge)}


FOUR = "flops + params + acts + kernels"
