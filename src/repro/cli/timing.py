"""``repro time`` and ``repro compare``: what the user typed becomes jobs, and results text.

The command line itself is `repro.cli.app`; nothing here imports torch before a network is timed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from repro.errors import InputError

MOST_BUSY = 25.0
"""Percent of all processors that other programs may use before a timing, without a warning."""


def time(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...", help="Networks; `repro list` prints names. Or timm/NAME."
        ),
    ] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option(metavar="S", help="Time them scaled so, see above; may be repeated."),
    ] = None,
    scale: Annotated[
        list[str] | None,
        typer.Option(metavar="X", help="By this factor on flops; may be repeated."),
    ] = None,
    paper_names: Annotated[
        bool,
        typer.Option("--paper-names", help="Read strategies w, dw, wr, dwr as the paper does."),
    ] = False,
    grid: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A JSON list, as for `repro complexity --grid`."),
    ] = None,
    sweep: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A named sweep, see above, or a file."),
    ] = None,
    chunk: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="Only part I of N parts that take equally long."),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(metavar="M", min=0, help="Begin nothing that would end later than this."),
    ] = None,
    device: Annotated[
        Literal["cpu", "cuda"] | None, typer.Option(help="Where to run. [default: cpu]")
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(metavar="N|max", help="Images at once; max: as many as fit. [default: 1]"),
    ] = None,
    mode: Annotated[
        Literal["infer", "train", "step"] | None,
        typer.Option(help="Forward; forward and backward; or with an SGD update. [default: infer]"),
    ] = None,
    dtype: Annotated[
        Literal["fp32", "tf32", "fp16", "bf16"] | None,
        typer.Option(help="Half precision: cast for infer, else autocast. [default: fp32]"),
    ] = None,
    memory_format: Annotated[
        Literal["channels_last", "contiguous"] | None,
        typer.Option(help="Of weights and images. [default: channels_last]"),
    ] = None,
    compile_: Annotated[
        Literal["none", "graph", "inductor"] | None,
        typer.Option("--compile", help="Eager, CUDA graph or torch.compile. [default: none]"),
    ] = None,
    resolution: Annotated[
        int | None,
        typer.Option(metavar="R", help="Of the images. [default: each network's own]"),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(metavar="N", help="Of the CPU. [default: one per core]")
    ] = None,
    min_time: Annotated[
        float | None,
        typer.Option(metavar="S", help="Seconds of timed samples per network. [default: 1]"),
    ] = None,
    samples: Annotated[
        int | None, typer.Option(metavar="N", help="Timed samples per network. [default: 10]")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="K", help="Of weights and images.")] = None,
    memory_gb: Annotated[
        float | None,
        typer.Option(metavar="GB", help="Limit for --batch max. [default: all of a GPU]"),
    ] = None,
    group: Annotated[int, typer.Option(metavar="N", min=1, help="Networks that take turns.")] = 4,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.jsonl", help="Records file; one that exists is continued."),
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="Also draw the times as an SVG.")
    ] = None,
    peaks: Annotated[
        bool, typer.Option("--peaks", help="First measure the device's peak rates.")
    ] = False,
    traffic: Annotated[
        bool, typer.Option("--traffic", help="Count memory traffic with ncu in place of timing.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be timed and how long it takes.")
    ] = False,
) -> int:
    """Time networks: warm-up until times settle, then samples in turns; medians, quartiles.

    With --out the records are kept, and a sweep that was stopped, by Ctrl-C or otherwise,
    goes on where it was when the same command is given again.

    Strategies have the authors' meaning, in which a bare w leaves group width alone; the
    paper's w is w1_g1 here, its dwr dwgr; --paper-names reads them so. Named sweeps: smoke, laptop,
    blocks on a CPU; paper-gpu, efficientnet-x on a GPU. timm/NAME times a network of timm's.

    \b
    Examples:
      repro time EN-B0
      repro time EN-B0 RegNetY-500MF --strategy dWr --strategy d --scale 2 --scale 4
      repro time EN-B0 --mode step --batch 8 --out mine.jsonl --figure mine.svg
      repro time RegNetZ-4GF --device cuda --batch max --mode step --dtype bf16
      repro time EN-X-B0 timm/efficientnet_b0 --device cpu
      repro time --sweep laptop --out mine.jsonl
      repro time --sweep paper-gpu --chunk 1/3 --dry-run
    """
    from repro.runtime import jobs as j

    changes = {
        "device": device,
        "batch": _batch(batch),
        "mode": mode,
        "dtype": dtype,
        "memory_format": memory_format,
        "compile": compile_,
        "resolution": resolution,
        "threads": threads,
        "min_time": min_time,
        "samples": samples,
        "seed": seed,
        "memory_gb": memory_gb,
    }
    changes = {key: value for key, value in changes.items() if value is not None}
    if sweep is not None:
        if names or strategy or scale or grid:
            raise InputError("--sweep brings its own networks; leave out NAME, --strategy, --grid")
        tasks = j.named_sweep(sweep, changes)
    else:
        ways = strategy or [], scale or []
        tasks = _tasks(names or [], *ways, grid, changes, peaks, paper_names)
    if traffic:
        tasks = [j.traffic(task) for task in tasks if isinstance(task, j.Job)]
    tasks = j.unique(tasks)
    if chunk is not None:
        tasks = j.chunk(tasks, chunk)
    if figure is not None:
        _check_figure(figure)
    if dry_run:
        print(_plan(tasks))
        return 0
    return measure(tasks, out, figure, group, minutes)


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


def _check_figure(path: Path) -> None:
    """Refuse, before anything is measured, what could not be drawn afterwards."""
    name = str(path)
    if path.suffix.lower() != ".svg":
        raise InputError(f"--figure {name!r} is not allowed; an SVG is drawn, as FILE.svg")
    if not path.parent.is_dir():
        raise InputError(f"--figure {name!r}: there is no folder {str(path.parent)!r}")
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError(f"--figure {name!r} cannot be written")


def _tasks(
    names: list[str],
    strategies: list[str],
    scales: list[str],
    grid: str | None,
    changes: dict[str, Any],
    peaks: bool,
    paper_names: bool,
) -> list[Any]:
    """The jobs of one protocol: every name, as it is or scaled in every way that was given."""
    from repro.cli.rows import as_in_paper, grid_rows, note_reading, read_scale
    from repro.records import Protocol, checked
    from repro.runtime.jobs import PeakJob, job, resolved

    protocol = resolved(checked(Protocol, changes, "protocol"))
    if bool(strategies) != bool(scales):
        raise InputError("give both --strategy and --scale, or neither")
    if paper_names:
        strategies = [as_in_paper(s) for s in strategies]
    ways: list[tuple[str | None, float | None]] = [
        (s, read_scale(x)) for s in strategies for x in scales
    ] or [(None, None)]
    tasks: list[Any] = [PeakJob(protocol)] if peaks else []
    tasks += [job(name, s, x, protocol) for name in names for s, x in ways]
    note_reading(names, ways)
    if grid is not None:
        rows = grid_rows(grid, paper_names)
        tasks += [job(r["model"], r["strategy"], r["scale"], protocol) for r in rows]
    if not tasks:
        raise InputError("give a NAME (`repro list` prints them), --grid FILE or --sweep NAME")
    return tasks


def _plan(tasks: list[Any]) -> str:
    """What a dry run prints: jobs by protocol, and about how long they take."""
    from itertools import groupby

    from repro.records import Protocol
    from repro.runtime.jobs import estimated_s
    from repro.text import aligned

    rows = []
    for protocol, run in groupby(tasks, key=lambda task: task.protocol):
        members = list(run)
        names = [task.name.split(",")[0] for task in members]
        p, usual = protocol, Protocol()
        how = f"{p.device} {p.mode} {p.dtype} batch {p.batch}"
        how += f" within {p.memory_gb:g} GB" if p.memory_gb else ""
        how += f" {p.compile}" * (p.compile != usual.compile)
        how += f" {p.memory_format}" * (p.memory_format != usual.memory_format)
        how += f" {p.input}" * (p.input != usual.input)
        shown = ", ".join(names[:2]) + (f" ... {names[-1]}" if len(names) > 2 else "")
        rows.append((how, str(len(names)), f"{sum(map(estimated_s, members)):.0f}", shown))
    total = sum(map(estimated_s, tasks)) / 60
    table = aligned(("<protocol", "networks", "seconds", "<which"), rows)
    return f"{table}\n\n{len(tasks)} measurements, about {total:.3g} minutes; nothing was run"


def measure(
    tasks: list[Any], out: Path | None, figure: Path | None, group: int, minutes: float | None
) -> int:
    """Measure with a progress bar, then print what came out."""
    import psutil
    from tqdm import tqdm

    from repro.records import TimingRecord
    from repro.runtime.picture import save_figure, summary
    from repro.runtime.sweep import sweep

    bar = tqdm(unit="network", disable=None, file=sys.stderr)

    def started(total: int) -> None:
        if total and (busy := psutil.cpu_percent(0.3)) > MOST_BUSY:
            tqdm.write(
                f"warning: other programs keep the processors {busy:.0f} % busy; "
                "times will be longer and vary more",
                file=sys.stderr,
            )
        bar.reset(total)

    def done(task: Any, result: Any) -> None:
        bar.update()
        if isinstance(result, str):
            tqdm.write(f"not measured: {task.name}: {result}", file=sys.stderr)
        elif bar.disable:
            print(f"measured: {task.name}", file=sys.stderr, flush=True)

    try:
        outcome = sweep(tasks, out, group, minutes, started, done)
    except KeyboardInterrupt:
        bar.close()
        kept = "nothing was kept"
        if out:
            kept = "nothing was measured yet"
        if out and out.exists():
            kept = f"{out} holds what was measured; the same command goes on from there"
        print("\n" * sys.stderr.isatty() + f"stopped; {kept}", file=sys.stderr)
        raise
    bar.close()
    if outcome.records:
        print(summary(outcome.records))
    timings = [r for r in outcome.records if isinstance(r, TimingRecord)]
    if figure and timings:
        save_figure(timings, figure)
    print(_closing(outcome, out), file=sys.stderr)
    return 1 if outcome.failures else 0


def _closing(outcome: Any, out: Path | None) -> str:
    parts = [f"records are in {out}" if out else "nothing was kept; --out FILE.jsonl keeps records"]
    if outcome.skipped:
        parts.append(f"{outcome.skipped} were there already")
    if outcome.left:
        parts.append(f"{outcome.left} are left: give the same command again")
    if outcome.failures:
        parts.append(f"{len(outcome.failures)} could not be measured")
    return "; ".join(parts)
