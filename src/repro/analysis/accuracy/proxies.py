"""Our own training runs of small proxies, as the chapter "Does accuracy survive?" shows them.

The statistics and the thresholds are those of `evidence` and of the ledger; here they become
frames, tables and sentences. A reader's records can take the place of the project's. Errors are
top-1 of the test split, in percent. One multiply-add is one flop.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

import pandas as pd

from repro.analysis.accuracy.published import Curve, each
from repro.analysis.scaling.alpha_family import rounded
from repro.analysis.timing.sets import IMAGENET_IMAGES
from repro.claims import Judgement, judge, load
from repro.errors import InputError
from repro.evidence import trainings as evidence
from repro.evidence.trainings import (
    Cells,
    Difference,
    Trained,
    cells,
    difference,
    gain,
    trained,
)
from repro.paths import locate, root
from repro.records import TimingRecord, TrainingRecord, changed_code, read
from repro.stored import record_files, stored

UNSCALED = "base"
"""Stands in the column ``strategy`` of a proxy that was not scaled."""
WAYS = ("d", "w", "r", "dwr", "alpha=2/3", "dWr")
DATA: Mapping[str, str] = {
    "cifar10": "CIFAR-10",
    "tiny-imagenet": "Tiny ImageNet",
    "digits": "digits",
    "imagenet": "ImageNet",
    "folder": "own images",
}
"""Data sets as the page calls them, the one that the claims are about first."""
JUDGES = ("trained_gain", "trained_worse", "trained_alike")
RECORD_GPU = f"{evidence.RECORD_GPU} --jobs 8"


def read_trainings(path: str) -> tuple[TrainingRecord, ...]:
    """The training runs of a reader's file.

    Raises:
        InputError: no such file, a line that is no record, or no training run.
    """
    found = tuple(r for r in read(locate(path)) if isinstance(r, TrainingRecord))
    if not found:
        raise InputError(
            f"records file {path!r} holds no training run; `repro sweep FILE --out DIR` leaves "
            "them in DIR/records.jsonl"
        )
    return found


def trainings(path: str | None = None) -> tuple[TrainingRecord, ...]:
    """All training runs: of a reader's file, or of the project."""
    if path is not None:
        return read_trainings(path)
    return tuple(r for r in stored() if isinstance(r, TrainingRecord))


def data_sets(records: Iterable[TrainingRecord]) -> list[str]:
    """Names of the data sets with runs that can be compared, in the order of `DATA`."""
    records = list(records)
    known = {r.setting["data"] for r in records}
    return [name for name in DATA if name in known and trained(name, records)]


def runs_frame(records: Sequence[TrainingRecord], data: str) -> pd.DataFrame:
    """One row per run of a data set.

    Returns:
        Columns base, strategy, times, seed, error, flops, acts, params (M), resolution, ms (of
        training on one image: timed alone, where that is recorded of all; runs side by side slow
        each other down), loss (of the last epoch, in training), network (a text that is the same
        for the same network).
    """
    alone = _updates()
    rows = []
    for run in trained(data, records):
        subject, record = run.record.subject, run.record
        seconds = record.train_s / (len(record.curve) * record.data.train)
        setting, amp = record.setting, record.setting["amp"]
        threads = record.threads if record.machine.device == "cpu" else None
        dtype = "fp32" if amp == "none" else amp
        how = (setting["recipe"]["batch"], threads, dtype, setting["compile"])
        rows.append(
            {
                "base": run.base,
                "strategy": run.strategy or UNSCALED,
                "times": run.times,
                "seed": run.seed,
                "error": run.error,
                "flops": (subject.flops or 0) / 1e6,
                "acts": (subject.acts or 0) / 1e6,
                "params": subject.params / 1e6,
                "resolution": subject.resolution,
                "ms": 1e3 * seconds,
                "alone": 1e3 * alone.get(_conditions(record, *how), math.nan),
                "loss": record.curve[-1].train_loss,
                "network": repr((subject.description, subject.resolution)),
            }
        )
    frame = pd.DataFrame(rows)
    timed = frame.pop("alone")
    if timed.notna().all():
        frame["ms"] = timed
    rank = {name: i for i, name in enumerate((UNSCALED, *WAYS))}
    order = frame.strategy.map(lambda s: rank.get(s, len(rank)))
    return (
        frame.assign(rank=order)
        .sort_values(["times", "rank", "base", "seed"], kind="stable")
        .drop(columns="rank")
        .reset_index(drop=True)
    )


def _updates() -> dict[str, float]:
    """Seconds per image of every training update that was timed, by `_conditions`."""
    return {
        _conditions(r, r.batch, r.protocol.threads, r.protocol.dtype, r.protocol.compile): (
            r.quartiles[1] / r.batch
        )
        for r in stored()
        if isinstance(r, TimingRecord) and r.protocol.mode == "step"
    }


def _conditions(record: TimingRecord | TrainingRecord, *how: object) -> str:
    """A network, a machine, and how an update runs there, as one text."""
    subject = record.subject
    return repr((subject.description, subject.resolution, record.machine.device_name, *how))


def by_network(runs: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds.

    Returns:
        Columns base, strategy, times, seeds, error, half (half width of the 95 % interval by
        Student's t; NaN for one seed), flops, acts, params, resolution, ms (median), network.
    """
    rows = []
    for (base, strategy, times), part in runs.groupby(["base", "strategy", "times"], sort=False):
        n, first = len(part), part.iloc[0]
        half = math.nan
        if n > 1:
            half = float(evidence.quantile(n - 1) * part.error.std() / math.sqrt(n))
        rows.append(
            {"base": base, "strategy": strategy, "times": times, "seeds": n}
            | {"error": float(part.error.mean()), "half": half}
            | {c: first[c] for c in ("flops", "acts", "params", "resolution", "network")}
            | {"ms": median(part.ms)}
        )
    return pd.DataFrame(rows)


def error_table(means: pd.DataFrame) -> pd.DataFrame:
    """Errors for a page: a row per strategy and scale, a column per proxy, as text."""
    text = [
        f"{e:.1f}" if math.isnan(h) else f"{e:.1f} ± {h:.1f}"
        for e, h in zip(means.error, means.half, strict=True)
    ]
    wide = means.assign(text=text).pivot_table(
        index=["times", "strategy"], columns="base", values="text", aggfunc="first", sort=False
    )
    return wide.fillna("–").reset_index().rename(columns={"times": "about × flops"})


def cost_table(means: pd.DataFrame) -> pd.DataFrame:
    """What the strategies made of the proxies at the largest scale; flops relative to the base."""
    start = means[means.strategy == UNSCALED].set_index("base")
    top = means[means.times == means.times.max()]
    return pd.DataFrame(
        {
            "proxy": top.base,
            "strategy": top.strategy,
            "resolution": top.resolution,
            "flops, M": top.flops,
            "× flops": top.flops / top.base.map(start.flops),
            "× acts": top.acts / top.base.map(start.acts),
            "× params": top.params / top.base.map(start.params),
            "ms per image": top.ms,
        }
    ).sort_values("proxy", kind="stable")


def same_networks(means: pd.DataFrame) -> str:
    """Which strategies came to one network after rounding, as a sentence in Markdown."""
    found: dict[tuple[int, str], list[str]] = {}
    for _, part in means.groupby(["base", "times", "network"], sort=False):
        if len(part) > 1:
            key = (int(part.times.iloc[0]), " and ".join(part.strategy))
            found.setdefault(key, []).append(str(part.base.iloc[0]))
    parts = [f"at × {t}, {names} on {_listed(bases)}" for (t, names), bases in found.items()]
    if not parts:
        return "After rounding, every strategy made a network of its own."
    return (
        f"After rounding, some strategies make the *same* network: {'; '.join(parts)}. "
        "Between those there is no difference to find, and runs of equal seed are equal."
    )


def _listed(names: Sequence[str]) -> str:
    return _and([f"`{n}`" for n in names])


# ----------------------------------------------------------------------------- differences


def thresholds() -> dict[str, float]:
    """Shares of the gain that the ledger set before the runs: ``worse`` and ``alike``."""
    shares = {c.judge: float(c.args["share"]) for c in load().claims if c.judge in JUDGES[1:]}
    return {"worse": shares["trained_worse"], "alike": shares["trained_alike"]}


def flops_of(runs: Iterable[Trained], strategy: str | None, times: int) -> dict[str, float]:
    """Flops of the networks that a strategy made, by base."""
    return {
        run.base: float(run.record.subject.flops or 0)
        for run in runs
        if run.strategy == strategy and run.times == times
    }


def reference_cells(runs: Sequence[Trained], strategy: str, times: int, other: str) -> Cells:
    """Errors that ``other`` would have at the flops that ``strategy`` came to, by base and seed.

    Read between the unscaled base and ``other``'s networks as in the published figures; only for
    seeds that have them all.
    """
    known = [(cells(runs, None), flops_of(runs, None, 1))]
    for scale in sorted({run.times for run in runs if run.times > 1}):
        known.append((cells(runs, other, scale), flops_of(runs, other, scale)))
    found: Cells = {}
    for base, flops in flops_of(runs, strategy, times).items():
        mine = [(at[base], errors[base]) for errors, at in known if base in errors]
        if len(mine) < 2:
            continue
        seeds = set.intersection(*(set(errors) for _, errors in mine))
        curves = {k: Curve.of([f for f, _ in mine], [e[k] for _, e in mine]) for k in seeds}
        found[base] = {seed: curves[seed].at(flops)[0] for seed in sorted(seeds)}
    return found


def against(
    records: Sequence[TrainingRecord], data: str, other: str = "dwr", times: int | None = None
) -> pd.DataFrame:
    """How much larger the error of each strategy is than that of another, averaged over proxies.

    Args:
        times: scale; the largest there is if None.

    Returns:
        Columns strategy, times, where ("as trained" or "at equal flops"), mean, low, high (points),
        pairs, share, share_low, share_high (of what ``other`` gains over the bases; NaN where that
        may be nothing), by_base (points, a dictionary).
    """
    runs = trained(data, records)
    times = times or max(r.times for r in runs)
    gained = gain(runs, other, times)
    columns = ["strategy", "times", "where", "mean", "low", "high", "pairs"]
    columns += ["share", "share_low", "share_high", "by_base"]
    rows = []
    for strategy in WAYS if gained else ():
        if strategy == other:
            continue
        mine = cells(runs, strategy, times)
        pairs: list[tuple[str, Cells]] = [
            ("as trained", cells(runs, other, times)),
            ("at equal flops", reference_cells(runs, strategy, times, other)),
        ]
        for where, theirs in pairs:
            found = difference(mine, theirs)
            if found:
                rows.append(_difference_row(strategy, times, where, found, gained))
    return pd.DataFrame(rows, columns=columns)


def _difference_row(
    strategy: str, times: int, where: str, found: Difference, gained: Difference | None
) -> dict[str, object]:
    points = {"mean": found.mean, "low": found.low, "high": found.high, "pairs": found.pairs}
    by = gained.mean if gained and gained.low > 0 else math.nan
    names = {"mean": "share", "low": "share_low", "high": "share_high"}
    shares = {new: points[old] / by for old, new in names.items()}
    head = {"strategy": strategy, "times": times, "where": where}
    return {**head, **points, **shares, "by_base": found.by_base}


def gains(records: Sequence[TrainingRecord], data: str, times: int | None = None) -> pd.DataFrame:
    """What each strategy gains over the bases: columns strategy, times, mean, low, high."""
    runs = trained(data, records)
    times = times or max(r.times for r in runs)
    rows = []
    for strategy in WAYS:
        found = gain(runs, strategy, times)
        if found:
            rows.append(
                {"strategy": strategy, "times": times, "mean": found.mean}
                | {"low": found.low, "high": found.high}
            )
    return pd.DataFrame(rows, columns=["strategy", "times", "mean", "low", "high"])


def effect_table(found: pd.DataFrame) -> pd.DataFrame:
    """`against` for a page: points with their interval, and the share of the gain."""
    rows = []
    for strategy, part in found.groupby("strategy", sort=False):
        by = {row.where: row for row in each(part)}
        here, equal = by["as trained"], by.get("at equal flops")
        low, mean, high = (100 * x for x in (here.share_low, here.share, here.share_high))
        rows.append(
            {
                "strategy": strategy,
                "points": _interval(here.mean, here.low, here.high),
                "% of dwr's gain": "–"
                if math.isnan(here.share)
                else _interval(mean, low, high, ".0f"),
                "points at equal flops": "–"
                if equal is None
                else _interval(equal.mean, equal.low, equal.high),
                "pairs": here.pairs,
            }
        )
    return pd.DataFrame(rows)


def _interval(value: float, low: float, high: float, spec: str = ".2f") -> str:
    texts = [f"{x:+{spec}}" for x in (value, low, high)]
    plain = [t.replace("-", "+") if not float(t) else t for t in texts]  # no minus zero
    return "{} ({} to {})".format(*plain)


# -------------------------------------------------------------------------------- verdicts


def judged(records: Sequence[TrainingRecord] | None, data: str) -> list[Judgement]:
    """The ledger's verdicts on a data set's runs, by the thresholds set before them.

    Args:
        records: to judge; the project's if None.
    """
    claims = [c for c in load().claims if c.judge in JUDGES and c.args["data"] == data]
    if records is None:
        return [judge(claim) for claim in claims]
    with evidence.given(records):
        return [judge(claim) for claim in claims]


WORDS: Mapping[str, str] = {
    "trend reproduced": "holds",
    "not reproduced": "fails",
    "not testable here": "open",
}
"""Verdicts, short."""


def verdict_table(judgements: Sequence[Judgement]) -> pd.DataFrame:
    """Columns statement, found (or why it is open), verdict."""
    rows = []
    for j in judgements:
        text = "; ".join(f"{p.label} {p.computed}" for p in j.points)
        if not text:
            text = j.why.removeprefix("Undecided: ").partition(". More seeds")[0]
            if text.startswith("Needs training runs"):
                text = "no runs recorded"
        rows.append({"statement": j.statement, "found": text, "verdict": WORDS[j.verdict]})
    return pd.DataFrame(rows, columns=["statement", "found", "verdict"])


def verdict_of(judgements: Sequence[Judgement], ending: str) -> str:
    """The short verdict of the claim whose id ends so; "open" where there is none."""
    return next((WORDS[j.verdict] for j in judgements if j.id.endswith(ending)), "open")


def in_a_sentence(judgements: Sequence[Judgement], data: str) -> str:
    """How the paper's statements fared, in one sentence; plain text."""
    if not judgements or all(j.why.startswith("Needs training runs") for j in judgements):
        return f"No runs on {DATA[data]} are recorded, so nothing is decided there."
    said = [WORDS[j.verdict] for j in judgements]
    counts = [(said.count("holds"), "hold"), (said.count("fails"), "fail")]
    parts = [f"{n} {verb if n > 1 else verb + 's'}" for n, verb in counts if n]
    left = said.count("open")
    if left:
        parts.append(f"{left} {'stay' if left > 1 else 'stays'} open")
    text = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"Of {len(said)} statements put to the proxies on {DATA[data]}, {text}."


SINGLE: Mapping[str, str] = {
    "holds": "On average, scaling a single dimension **is** less accurate than dwr",
    "fails": "On average, scaling a single dimension is **not** less accurate than dwr",
    "open": "Whether single dimensions are less accurate than dwr on average is **open**",
}
ALONE: Mapping[str, str] = {
    "holds": "{} alone **is** less accurate than dwr",
    "better": "{} alone is **not** less accurate than dwr but more",
    "fails": "{} alone is **not** less accurate than dwr, by the threshold set before",
    "open": "Whether {} alone is less accurate than dwr is **open**",
}
ALIKE: Mapping[str, str] = {
    "holds": "{} **is** about as accurate as dwr, by the threshold set before",
    "fails": "{} is **not** about as accurate as dwr, by the threshold set before",
    "open": "Whether {} is about as accurate as dwr is **open**",
}


def meaning(judgements: Sequence[Judgement], found: pd.DataFrame, data: str) -> str:
    """What the verdicts say about the paper's two claims, as Markdown; none of it is typed."""
    if found.empty:
        return in_a_sentence(judgements, data)
    by = {row.strategy: row for row in each(found[found["where"] == "as trained"])}
    text = {name: f"{_interval(row.mean, row.low, row.high)} points" for name, row in by.items()}
    lines = []
    if all(name in by for name in evidence.SINGLE):
        lines.append(f"- {SINGLE[verdict_of(judgements, 'single-dimension')]}.")
    for name in evidence.SINGLE:
        if name in by:
            word = verdict_of(judgements, f"{name}-alone")
            word = "better" if word == "fails" and by[name].high < 0 else word
            lines.append(f"- {ALONE[word].format(name)}: {text[name]}.")
    for name, ending in (("dWr", "fast-alike"), ("alpha=2/3", "two-thirds-alike")):
        if name in by:
            says = ALIKE[verdict_of(judgements, ending)].format(name)
            lines.append(f"- {says}: {text[name]}.")
    return "\n".join(lines)


def in_points(found: pd.DataFrame) -> str:
    """Which strategies differ from dwr at the largest scale, in one sentence; plain text."""
    if found.empty:
        return ""
    rows = list(each(found[found["where"] == "as trained"]))
    better = [f"{r.strategy} {-r.mean:.1f}" for r in rows if r.high < 0]
    worse = [f"{r.strategy} {r.mean:.1f}" for r in rows if r.low > 0]
    same = [r.strategy for r in rows if r.low <= 0 <= r.high]
    parts = [f"{_and(worse)} points worse than dwr"] if worse else []
    parts += [f"{_and(better)} points better than dwr"] if better else []
    parts += [f"{_and(same)} not told apart from it"] if same else []
    text = f"At the largest scale they find {', '.join(parts)}."
    if any(r.strategy == "r" and r.high < 0 for r in rows):
        text += (
            " But these bases are starved of pixels and trained briefly, which turns out to decide "
            "the ranking: they are no stand-in for balanced networks that are trained to the end."
        )
    return text


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


# ------------------------------------------------------------------------------- diagnosis


def losses(records: Sequence[TrainingRecord], data: str) -> pd.DataFrame:
    """Training loss at the end of training above that of the bases, at the largest scale.

    Returns:
        Columns strategy, mean, low, high: averaged over proxies, intervals as for errors.
    """
    runs = trained(data, records)
    times = max((r.times for r in runs), default=1)

    def of(strategy: str | None, scale: int) -> Cells:
        found: Cells = {}
        for run in runs:
            if run.strategy == strategy and run.times == scale:
                found.setdefault(run.base, {})[run.seed] = run.record.curve[-1].train_loss
        return found

    rows = []
    for strategy in WAYS:
        found = difference(of(strategy, times), of(None, 1))
        if found:
            rows.append(
                {"strategy": strategy, "mean": found.mean, "low": found.low, "high": found.high}
            )
    return pd.DataFrame(rows, columns=["strategy", "mean", "low", "high"])


def updates(record: TrainingRecord) -> int:
    """How many times a run changed its weights."""
    recipe = record.setting["recipe"]
    return int(recipe["epochs"]) * (record.data.train // int(recipe["batch"]))


def paper_updates(epochs: int = 200, batch: int = 1024) -> int:
    """The same of the paper's runs at its default schedule (section 6.1)."""
    return epochs * (IMAGENET_IMAGES // batch)


def diagnosis(records: Sequence[TrainingRecord], data: str, found: pd.DataFrame) -> str:
    """What may be behind the differences, as Markdown; each part only where the runs support it.

    Args:
        found: from `against`.
    """
    runs, loss = runs_frame(records, data), losses(records, data).set_index("strategy")
    by = {row.strategy: row for row in each(found[found["where"] == "as trained"])}
    parts = []
    r = float(runs.loss.corr(runs.error))
    if r > 0.8:
        ours = updates(trained(data, records)[0].record)
        parts.append(
            f"Over all {len(runs)} runs the test error follows the *training* loss (r = {r:.3f}). "
            "What separates these networks is how far they learned, not how they generalise: a "
            f"run here makes {ours:,} updates of the weights, one of the paper's "
            f"{paper_updates():,}."
        )
    if "d" in loss.index and loss.low["d"] > 0:
        mean, low, high = (float(loss[c]["d"]) for c in ("mean", "low", "high"))
        above = _interval(mean, low, high)
        parts.append(
            f"**Depth.** Scaled by d, the networks end with a training loss {above} above that of "
            "the bases, although each contains its base and more blocks besides. They could fit "
            "the images better and have not got there: deep networks learn slowly at first, or "
            "want another learning rate than the one for all, and so short a training judges that. "
            "Whatever spends flops on depth, dwr among them, pays a part of it."
        )
    if "r" in by and by["r"].high < 0:
        parts.append(
            "**Resolution.** Scaled by r, a network has no weight more to train, and sees what it "
            "was denied: the bases are fed fewer pixels than the images have, so that resolution "
            "has something to gain. The paper's bases are another start. They were found by search "
            "at the resolution that they are fed; there no dimension is especially scarce. That "
            "scaling a single dimension loses is a statement about such balanced networks."
        )
    pair = [by[name] for name in ("w", "dWr") if name in by]
    if len(pair) == 2 and pair[0].low <= pair[1].high and pair[1].low <= pair[0].high:
        parts.append(
            "**dWr and w** cannot be told apart here, and hardly could be: at these sizes dWr is w "
            "with a block more."
        )
    return "\n\n".join(parts)


# ---------------------------------------------------------------------------------- status


def files_table(path: str | None = None) -> pd.DataFrame:
    """Which files hold training runs.

    Returns:
        Columns file, data, runs, compared (how many of them this page compares; others tried out
        a learning rate, for example), networks, machine, code unchanged (``"yes"``, or
        which modules of this project have changed since).
    """
    rows = []
    every = trainings(path)
    compared = {t.record.key for data in data_sets(every) for t in trained(data, every)}
    for file in record_files() if path is None else [locate(path)]:
        known = [r for r in read(file) if isinstance(r, TrainingRecord)]
        for data in dict.fromkeys(r.setting["data"] for r in known):
            mine = [r for r in known if r.setting["data"] == data]
            modules = {module for r in mine for module in changed_code(r)}
            changed = sorted(module.removeprefix("repro.") for module in modules)
            rows.append(
                {
                    "file": str(file).rpartition("/")[2],
                    "data": DATA.get(data, data),
                    "runs": len(mine),
                    "compared": sum(r.key in compared for r in mine),
                    "networks": len({r.subject.name for r in mine}),
                    "machine": " and ".join(dict.fromkeys(r.machine.device_name for r in mine)),
                    "code unchanged": f"no: {', '.join(changed)}" if changed else "yes",
                }
            )
    columns = ["file", "data", "runs", "compared", "networks", "machine", "code unchanged"]
    return pd.DataFrame(rows, columns=columns)


def control(records: Sequence[TrainingRecord], main: str, other: str, strategy: str = "r") -> str:
    """What a strategy gains over the bases on a control data set beside the main one, Markdown."""
    tables = {data: gains(records, data).set_index("strategy") for data in (main, other)}
    if any(strategy not in table.index for table in tables.values()):
        return ""
    parts = []
    for data, table in tables.items():
        mine, dwr = (
            "{:.2f} ({:.2f} to {:.2f})".format(*table.loc[name, ["mean", "low", "high"]])
            for name in (strategy, "dwr")
        )
        parts.append(f"on {DATA[data]} {strategy} lowers the error by {mine} points, dwr by {dwr}")
    text = "; ".join(parts)
    low = {name: float(tables[other].low[name]) for name in (strategy, "dwr")}
    if low[strategy] > 0:
        found = (
            f"{strategy} gains on {DATA[other]} too, where its pixels hold nothing new: more "
            "arithmetic on a larger map is worth something by itself, and part of its gain on "
            f"{DATA[main]} may be of that kind."
        )
    elif low["dwr"] > 0:
        found = (
            f"So on {DATA[other]} {strategy} cannot be shown to gain anything, and dwr can: it is "
            "the pixels that make the difference."
        )
    else:
        left = float(by_network(runs_frame(records, other)).query("times == 1").error.mean())
        found = (
            f"So on {DATA[other]} {strategy} cannot be shown to gain anything, as expected. But "
            f"neither can dwr: with {left:.1f} % error the bases leave little to gain, and the "
            "control is a weak one."
        )
    return f"{text[0].upper()}{text[1:]}. {found}"


def status(records: Sequence[TrainingRecord]) -> str:
    """What is recorded and what is still to be, as Markdown."""
    known = data_sets(records)
    if not known:
        return (
            "**No training runs are recorded yet.** This records them, on a CPU in hours and "
            f"on a GPU in less:\n\n```console\n$ {evidence.RECORD}\n$ {RECORD_GPU}\n```"
        )
    text = f"Recorded: runs on {' and '.join(DATA[d] for d in known)}."
    if "tiny-imagenet" not in known:
        text += (
            " Still to be recorded, on a GPU: the same question on Tiny ImageNet, by\n\n"
            f"```console\n$ {RECORD_GPU}\n```"
        )
    return text


def how_trained(records: Sequence[TrainingRecord], data: str) -> str:
    """What all runs of a data set have in common, in a sentence of Markdown."""
    mine = [t.record for t in trained(data, records)]
    if not mine:
        return ""
    first = mine[0]
    recipe = first.setting["recipe"]
    sizes = sorted({r.subject.resolution for r in mine if r.subject.strategy is None})
    seeds = {r.setting["seed"] for r in mine}
    return (
        f"{len(mine)} runs on {DATA[data]} ({first.data.about}): {first.data.train:,} training and "
        f"{first.data.test:,} test images, bases fed {' or '.join(map(str, sizes))} pixels, "
        f"{recipe['epochs']} epochs, batch {recipe['batch']}, {len(seeds)} "
        f"seed{'s' if len(seeds) > 1 else ''}, one recipe for all."
    )


def test_image_error(means: pd.DataFrame, images: int) -> float:
    """At most how large the standard error of a difference is that test images alone cause.

    Two networks that err on shares a and b of the images disagree in right and wrong on at most
    a + b of them; each such image adds one count to either side. In points.
    """
    largest = means.error.nlargest(2) / 100
    disagree = min(1.0, float(largest.sum()))
    return 100 * math.sqrt(disagree / images)


def numbers(
    records: Sequence[TrainingRecord], found: Mapping[str, pd.DataFrame]
) -> dict[str, float]:
    """What the prose quotes from our runs, by glue name.

    Args:
        found: `against` of each data set.
    """
    limits = thresholds()
    out: dict[str, float] = {
        "das_worse": 100 * limits["worse"],
        "das_alike": 100 * limits["alike"],
        "das_runs": sum(len(trained(d, records)) for d in found),
    }
    for data, table in found.items():
        if table.empty:
            continue
        key = data.replace("-", "_")
        of = table[table["where"] == "as trained"].set_index("strategy")
        for strategy in of.index:
            name = strategy.replace("alpha=2/3", "23")
            out[f"das_{key}_{name}"] = float(of["mean"][strategy])
    return rounded(out)


def sweep_file() -> str:
    """The recipe of the recorded runs, as text, from the project's sweep file."""
    return (root() / "data" / "sweeps" / "proxy_cpu.yaml").read_text(encoding="utf-8")
