"""``repro time`` and ``repro compare``: what the user typed becomes jobs, and results text.

The command line itself is `repro.cli.app`; nothing here imports torch before a network is timed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from repro.errors import InputError

MOST_BUSY = 25.0
"""Percent of all processors that other programs may use before a timing, without a warning."""
Words = list[str] | None
Text = str | None
Whole = int | None
Number = float | None
Mode = Literal["infer", "train", "step"]
Dtype = Literal["fp32", "tf32", "fp16", "bf16"]
Allocator = Literal["keep", "system"]
Layout = Literal["channels_last", "contiguous"]
Compiler = Literal["none", "graph", "inductor"]


def _opt(text: str, metavar: str | None = None, *names: str, **limits: Any) -> Any:
    return typer.Option(*names, metavar=metavar, help=text, **limits)


def _flag(name: str, text: str) -> Any:
    return typer.Option(name, help=text)


def time(
    context: typer.Context,
    names: Annotated[
        Words,
        typer.Argument(
            metavar="[NAME]...", help="`repro list` prints names. Or timm/NAME, or mine.json."
        ),
    ] = None,
    strategy: Annotated[
        Words, _opt("Time them scaled so, see above; may be repeated.", "S")
    ] = None,
    scale: Annotated[Words, _opt("By this factor on flops; may be repeated.", "X")] = None,
    paper_names: Annotated[
        bool, _flag("--paper-names", "Read strategies w, dw, wr, dwr as the paper does.")
    ] = False,
    grid: Annotated[Text, _opt("A JSON list, as for `repro complexity --grid`.", "FILE")] = None,
    sweep: Annotated[Text, _opt("A named sweep, see above, or a file.", "NAME")] = None,
    blocks_of: Annotated[
        Text, _opt("Every block of a search space, and some networks: a block table.", "SPACE")
    ] = None,
    chunk: Annotated[Text, _opt("Only part I of N parts that take equally long.", "I/N")] = None,
    minutes: Annotated[
        Number, _opt("Begin nothing that would end later than this.", "M", min=0)
    ] = None,
    device: Annotated[Literal["cpu", "cuda"] | None, _opt("Where to run. [default: cpu]")] = None,
    batch: Annotated[
        Text, _opt("Images at once; max: as many as fit. [default: 1]", "N|max")
    ] = None,
    mode: Annotated[
        Mode | None, _opt("Forward; forward and backward; or with an SGD update. [default: infer]")
    ] = None,
    dtype: Annotated[
        Dtype | None, _opt("Half precision: cast for infer, else autocast. [default: fp32]")
    ] = None,
    memory_format: Annotated[
        Layout | None, _opt("Of weights and images. [default: channels_last]")
    ] = None,
    compile: Annotated[
        Compiler | None, _opt("Eager, CUDA graph or torch.compile. [default: none]")
    ] = None,
    resolution: Annotated[Whole, _opt("Of images. [default: each network's own]", "R")] = None,
    threads: Annotated[Whole, _opt("Of the CPU. [default: one per core]", "N")] = None,
    allocator: Annotated[
        Allocator | None, _opt("Freed memory of a CPU process. [default: keep, where it can be]")
    ] = None,
    min_time: Annotated[Number, _opt("Seconds of samples per network. [default: 1]", "S")] = None,
    samples: Annotated[Whole, _opt("Timed samples per network. [default: 10]", "N")] = None,
    seed: Annotated[Whole, _opt("Of weights and images.", "K")] = None,
    memory_gb: Annotated[
        Number, _opt("Limit for --batch max. [default: all of a GPU]", "GB")
    ] = None,
    group: Annotated[int, _opt("Networks that take turns.", "N", min=1)] = 4,
    out: Annotated[
        Path | None, _opt("Records file; one that exists is continued.", "FILE.jsonl")
    ] = None,
    peaks: Annotated[bool, _flag("--peaks", "First measure the device's peak rates.")] = False,
    traps: Annotated[bool, _flag("--traps", "First, for minutes, the traps of timing.")] = False,
    traffic: Annotated[bool, _flag("--traffic", "Count memory traffic (ncu), not time.")] = False,
    beside: Annotated[
        bool, _flag("--beside", "Do not wait for another timing on this machine; records say so.")
    ] = False,
    dry_run: Annotated[bool, _flag("--dry-run", "Print what would be timed, how long.")] = False,
) -> int:
    """Time networks: warm-up until times settle, then samples in turns; medians, quartiles.

    With --out the records are kept, and a sweep that was stopped, by Ctrl-C or otherwise,
    goes on where it was when the same command is given again. A second timing on a machine
    waits for the first.

    Strategies have the authors' meaning, in which a bare w leaves group width alone; the
    paper's w is w1_g1 here, its dwr dwgr; --paper-names reads them so. Named sweeps: smoke, laptop,
    blocks on a CPU; record on a GPU, for which see `repro record`. timm/NAME times one of timm's.

    \b
    Examples:
      repro time EN-B0
      repro time EN-B0 RegNetY-500MF --strategy dWr --strategy d --scale 2 --scale 4
      repro time EN-B0 --mode step --batch 8 --out mine.jsonl
      repro time RegNetZ-4GF --device cuda --batch max --mode step --dtype bf16
      repro time EN-X-B0 timm/efficientnet_b0 --device cpu
      repro time --sweep laptop --out mine.jsonl
      repro time --sweep laptop --chunk 1/3 --dry-run
      repro time --blocks-of efficientnet --threads 1 --out blocks.jsonl
    """
    from repro.records import Protocol
    from repro.runtime import jobs as j
    from repro.runtime.estimates import chunk as part_of

    given = {**context.params, "batch": _batch(batch)}
    changes = {key: given[key] for key in Protocol.model_fields if given.get(key) is not None}
    if sweep is not None or blocks_of is not None:
        if names or strategy or scale or grid or (sweep and blocks_of):
            option = "--sweep" if blocks_of is None else "--blocks-of"
            raise InputError(f"{option} brings its own networks; leave out all others")
        tasks = j.named_sweep(sweep, changes) if sweep else _block_table(str(blocks_of), changes)
    else:
        first = [j.PeakJob] * peaks + [j.TrapJob] * traps
        ways = strategy or [], scale or []
        tasks = _tasks(names or [], *ways, grid, changes, first, paper_names)
    if traffic:
        tasks = [j.traffic(task) for task in tasks if isinstance(task, j.Job)]
    tasks = j.unique(tasks)
    if chunk is not None:
        tasks = part_of(tasks, chunk)
    if dry_run:
        print(plan_text(tasks))
        return 0
    return measure(tasks, out, group, minutes, beside)


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="FILE, FILE:LINE, FILE:NAME, FILE:KEY.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The other, likewise.")],
) -> None:
    """Why is my number different? List the conditions in which two timings differ.

    The likeliest causes come first.

    \b
    Examples:
      repro compare mine.jsonl:EN-B0 theirs.jsonl:EN-B0
      repro compare mine.jsonl:1 mine.jsonl:2
    """
    from repro.runtime.compare import explain, select_both

    print(explain(*select_both(a, b)))


def _batch(text: str | None) -> int | str | None:
    if text is None or text == "max":
        return text
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise InputError(f"batch {text!r} is not allowed; a whole number from 1 on, or max")
    return int(text)


def _tasks(
    names: list[str],
    strategies: list[str],
    scales: list[str],
    grid: str | None,
    changes: dict[str, Any],
    first: list[Any],
    paper_names: bool,
) -> list[Any]:
    """The jobs of one protocol: every name, as it is or scaled in every way that was given."""
    from repro.cli.rows import as_in_paper, grid_rows, note_reading, read_scale
    from repro.records import Protocol, checked
    from repro.runtime.jobs import job, resolved

    protocol = resolved(checked(Protocol, changes, "protocol"))
    if bool(strategies) != bool(scales):
        raise InputError("give both --strategy and --scale, or neither")
    if paper_names:
        strategies = [as_in_paper(s) for s in strategies]
    ways: list[tuple[str | None, float | None]] = [
        (s, read_scale(x)) for s in strategies for x in scales
    ] or [(None, None)]
    tasks = [kind(protocol) for kind in first]
    tasks += [job(name, s, x, protocol) for name in names for s, x in ways]
    note_reading(names, ways)
    rows = [] if grid is None else grid_rows(grid, paper_names)
    tasks += [job(r["model"], r["strategy"], r["scale"], protocol) for r in rows]
    if not tasks:
        raise InputError("give a NAME (`repro list` prints them), --grid FILE or --sweep NAME")
    return tasks


def _block_table(name: str, changes: dict[str, Any]) -> list[Any]:
    """The jobs of a block table: short ones, because there are hundreds."""
    from repro.records import Protocol, checked
    from repro.runtime.jobs import job, resolved
    from repro.search.blocktable import to_time
    from repro.search.space import space

    short = {"min_time": 0.1, "rounds": 2}
    protocol = resolved(checked(Protocol, {**short, **changes}, "protocol"))
    return [job(net, protocol=protocol) for net in to_time(space(name), protocol.seed)]


def plan_text(tasks: list[Any]) -> str:
    """What a dry run prints: jobs by protocol, and about how long they take."""
    from itertools import groupby

    from repro.records import Protocol
    from repro.runtime.estimates import estimated_s
    from repro.text import aligned

    usual, rows = Protocol(), []
    for p, run in groupby(tasks, key=lambda task: task.protocol):
        members = list(run)
        names = [task.name.split(",")[0] for task in members]
        words = [p.device, p.mode, p.dtype, "batch", str(p.batch)]
        words += [f"of {p.memory_gb:g} GB"] if p.memory_gb else []
        others = ("compile", "memory_format", "input")
        words += [str(getattr(p, o)) for o in others if getattr(p, o) != getattr(usual, o)]
        words += ["giving memory back"] * (p.allocator == "system")
        shown = names[0] + (f" ... {names[-1]}" if len(names) > 1 else "")
        seconds = f"{sum(map(estimated_s, members)):.0f}"
        rows.append((" ".join(words), str(len(names)), seconds, shown))
    total = sum(map(estimated_s, tasks)) / 60
    table = aligned(("<protocol", "networks", "seconds", "<which"), rows)
    return f"{table}\n\n{len(tasks)} measurements, about {total:.2g} minutes; nothing was run"


def busy() -> str | None:
    """A warning where other programs keep the processors from what is to be timed."""
    import psutil

    if (percent := psutil.cpu_percent(0.3)) <= MOST_BUSY:
        return None
    return (
        f"warning: other programs keep the processors {percent:.0f} % busy; "
        "times will be longer and vary more"
    )


def measure(
    tasks: list[Any], out: Path | None, group: int, minutes: float | None, beside: bool = False
) -> int:
    """Measure with a progress bar, then print what came out."""
    from tqdm import tqdm

    from repro.runtime.estimates import check_memory
    from repro.runtime.jobs import Job
    from repro.runtime.picture import summary
    from repro.runtime.sweep import sweep

    for task in tasks:
        if isinstance(task, Job) and task.protocol.batch != "max":
            check_memory(task.net, task.protocol, task.protocol.batch)
    bar = tqdm(unit="network", disable=None, file=sys.stderr)

    def started(total: int) -> None:
        if total and (warning := busy()):
            tqdm.write(warning, file=sys.stderr)
        bar.reset(total)

    def done(task: Any, result: Any) -> None:
        bar.update()
        if isinstance(result, str):
            tqdm.write(f"not measured: {task.name}: {result}", file=sys.stderr)
        elif bar.disable:
            print(f"measured: {task.name}", file=sys.stderr, flush=True)

    try:
        outcome = sweep(tasks, out, group, minutes, started, done, beside=beside)
    except KeyboardInterrupt:
        bar.close()
        kept = "nothing was measured yet" if out else "nothing was kept"
        if out and out.exists():
            kept = f"{out} holds what was measured; the same command goes on from there"
        print("\n" * sys.stderr.isatty() + f"stopped; {kept}", file=sys.stderr)
        raise
    bar.close()
    if outcome.records:
        print(summary(outcome.records))
    kept = f"records are in {out}" if out else "nothing was kept; --out FILE.jsonl keeps records"
    notes = {
        kept: True,
        f"{outcome.skipped} were there already": outcome.skipped,
        f"{outcome.left} are left: give the same command again": outcome.left,
        f"{len(outcome.failures)} could not be measured": outcome.failures,
    }
    print("; ".join(note for note, holds in notes.items() if holds), file=sys.stderr)
    return 1 if outcome.failures else 0
