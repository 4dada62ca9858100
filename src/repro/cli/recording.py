"""``repro record``: a device measured in the order of what decides most, within given minutes."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from repro.errors import InputError

if TYPE_CHECKING:
    from repro.claims import Judgement

ORDER = {"cuda": "record", "cpu": "laptop"}
"""The sweeps, most important first, by which a device is recorded."""
LAST_S = 3.0
"""Kept free at the end, for what is said there."""


def record(
    out: Annotated[
        Path, typer.Option(metavar="FILE.jsonl", help="Records file; one that exists is continued.")
    ],
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="What to record.")] = "cuda",
    minutes: Annotated[
        float, typer.Option(metavar="M", min=0, help="From now on; nothing begins that ends later.")
    ] = 10.0,
    sweep: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Another order than record (cuda) or laptop (cpu)."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be measured, in order, how long.")
    ] = False,
) -> int:
    """Record a device: what decides most first, for as many minutes as there are.

    Four minutes of an H100 decide half of the claims about time that the ledger asks of a GPU,
    ten minutes nearly all; longer recordings fill in the rest. What the minutes cut off is
    what matters least. The same command goes on where the last one ended, by itself, by Ctrl-C
    or by a kill; nothing is measured twice. A file holds one machine.

    At the end, and as they fall, it prints the verdicts that this file alone decides.

    \b
    Examples:
      repro record --device cuda --minutes 4 --out gpu.jsonl
      repro record --device cuda --minutes 10 --out data/records/gpu-h100.jsonl
      repro record --device cpu --minutes 15 --out mine.jsonl
      repro record --dry-run --out gpu.jsonl
    """
    order = partial(_order, sweep or ORDER[device], device)
    if dry_run:
        from repro.cli.timing import plan_text

        print(plan_text(order()))
        return 0
    return _record(order, device, out, minutes)


def _order(name: str, device: str) -> list[Any]:
    """The measurements, most important first; without ncu, none of memory traffic."""
    from repro.runtime import jobs as j

    tasks = j.unique(j.named_sweep(name, {"device": device}))
    counts = shutil.which("ncu") is not None
    return [task for task in tasks if counts or not isinstance(task, j.TrafficJob)]


class Verdicts:
    """What the ledger makes of one file of records, as it grows."""

    def __init__(self, device: Literal["cpu", "cuda"], file: Path) -> None:
        from repro.claims import asked_of

        self.claims, self.file = asked_of(device), file
        self.decided: dict[str, Judgement] = {}

    def look(self) -> list[Judgement]:
        """Judge again; what was decided by this alone since the last look."""
        from repro.cli.claims import judged
        from repro.stored import only

        with only(self.file):
            found = [judged(claim) for claim in self.claims]
        before = self.decided
        self.decided = {j.id: j for j in found if j.verdict != "not testable here"}
        return [j for i, j in self.decided.items() if i not in before]

    def text(self) -> str:
        """How many questions are decided, each with its verdict, and which are open."""
        from repro.text import aligned

        rows = [(j.verdict, i, j.computed) for i, j in self.decided.items()]
        still = [claim.id for claim in self.claims if claim.id not in self.decided]
        lines = [aligned(("<verdict", "<claim", "<found"), rows)] * bool(rows)
        lines += [f"open: {', '.join(still)}"] * bool(still)
        return "\n".join([*lines, f"{len(rows)} of {len(self.claims)} questions decided"])


def _record(
    order: Callable[[], list[Any]], device: Literal["cpu", "cuda"], out: Path, minutes: float
) -> int:
    """Measure, with a line for each group, and say what is decided."""
    import psutil

    from repro.cli.timing import busy
    from repro.runtime.sweep import sweep

    start, verdicts = psutil.Process().create_time(), Verdicts(device, out)
    measured: list[Any] = []
    protocols: list[Any] = []

    def begun(members: Sequence[Any], seconds: float) -> None:
        if not protocols:
            verdicts.look()  # what the file decided before is not news
            if device == "cpu" and (warning := busy()):
                _say(f"{warning}, and a recording may outlast its minutes")
        elif members[0].protocol != protocols[-1]:
            _tell(verdicts.look())
        protocols.append(members[0].protocol)
        first, *others = members
        rest = ", ".join(task.name.partition(",")[0] for task in others)
        _say(f"{seconds / 60:5.1f} min left  {first.name}{f'; {rest}' * bool(rest)}")

    def done(task: Any, result: Any) -> None:
        if isinstance(result, str):
            _say(f"not measured: {task.name}: {result}")
        else:
            measured.append(result)

    jobs = order if device == "cuda" else order()
    left = minutes - (time.time() - start + LAST_S) / 60
    try:
        outcome = sweep(jobs, out, minutes=left, begun=begun, done=done, recording=True)
    except KeyboardInterrupt:
        kept = f"{out} holds what was measured; the same command goes on from there"
        _say(
            "\n" * sys.stderr.isatty() + f"stopped; {kept if out.exists() else 'nothing was kept'}"
        )
        raise
    if outcome.left and not (measured or outcome.failures):
        raise InputError(
            f"{minutes:g} minutes are too few for what comes next; give more --minutes"
            + f" ({outcome.skipped} measurements are in {out} already)" * bool(outcome.skipped)
        )
    for reason, count in outcome.impossible.items():
        _say(f"note: {count} left out: {reason}")
    if device == "cuda" and shutil.which("ncu") is None:
        _say("note: no ncu (NVIDIA Nsight Compute) on the path; memory traffic is left out")
    _tell(verdicts.look())
    print(verdicts.text(), flush=True)
    took = time.time() - start
    notes = {
        f"{len(measured)} measured in {took / 60:.1f} minutes": True,
        f"{timed_s(measured) / took:.0%} of them timed iterations": measured,
        f"{outcome.skipped} were there already": outcome.skipped,
        f"{outcome.left} are left: give the same command again": outcome.left,
        f"{len(outcome.failures)} could not be measured": outcome.failures,
        f"records are in {out}": out.exists(),
    }
    _say("; ".join(note for note, holds in notes.items() if holds))
    return 1 if outcome.failures else 0


def timed_s(records: Sequence[Any]) -> float:
    """Seconds of all iterations whose times these records hold, warm-up among them."""
    timings = (r for r in records if r.kind == "timing")
    return sum(sum(r.warmup_s) + r.iterations * sum(r.samples_s) for r in timings)


def _tell(decided: Sequence[Judgement]) -> None:
    for judgement in decided:
        _say(f"decided: {judgement.id}: {judgement.verdict}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
