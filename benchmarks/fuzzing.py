"""Files that people write, changed at random: each ends with a result or with one line of error.

    python benchmarks/fuzzing.py [COUNT]

So many seeded mutations (200 when not said) of training sweeps, timing sweeps, grids, network
descriptions, records and score files go through the command line, each in a fork of its own with
half a minute and 4 GB. Wanted: status 0 or 2, with 2 nothing printed and one line of error, no
traceback, no crash, and a folder that holds what it held before. Prints what else happened.
"""

from __future__ import annotations

import json
import os
import random
import re
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import repro.cli.score
import repro.search.advise
import repro.training.sweep  # noqa: F401  (imported once, before the forks)
from repro.cli.app import main
from repro.paths import root

SECONDS, BYTES = 30, 4 << 30
NASTY = (
    *("null", "[]", "{}", "''", "true", "-1", "0", "2.5", "1e400", ".nan", "NaN", "1e-300"),
    *("9" * 30, "9" * 5000, "&a [*a]", "*a", "!!int x", "2001-99-99", "<<", "\t", "\x00", "\r"),
    *('"', "'", "[" * 500, "{", "}", ":", ",", "- ", "\u00e9", "\U0001f600", "\ud800", "a" * 300),
)
VALUE = re.compile(r"[\w.+-]+")
TRAINING = """# étude
- data: digits
  bases: [proxy-EN, proxy-Y]
  strategies: [d, w1_g1]
  scales: [2]
  seeds: [0, 1]
  resolution: 16
  epochs: 5
  batch: 64
  set: {lr: 0.2, area: [0.5, 1.0]}
"""
TIMING = """- protocol: &usual {device: cpu, batch: 1, samples: 5, min_time: 0.1}
  bases: [EN-B0, timm/resnet18]
- protocol: {<<: *usual, mode: step, memory_format: contiguous}
  peaks: true
  bases: [RegNetY-500MF]
  strategies: [dWr]
  scales: [2, 4]
"""
GRID = """[{"base": "EN-B0", "scale_type": "dWr", "scale": 4},
 {"base": "X-50-32x4d", "scale_type": null, "scale": null}]
"""
SCORES = "e,k,l,se\n1666666,3353553,1223341,1111111\n4646464,5353535,1121221,0101010\n"


def kinds() -> dict[str, tuple[str, list[str]]]:
    """By kind of file: a sound one, and the command that reads it (FILE stands for its path)."""
    from repro.arch import get, to_config

    records = (root() / "data/records/examples/two-timings.jsonl").read_text(encoding="utf-8")
    advise = ["advise", "FILE", "--budget", "2x", "--device", "rtx4090", "--error", "20"]
    return {
        "sweep.yaml": (TRAINING, ["sweep", "FILE", "--out", "out", "--dry-run"]),
        "times.yaml": (TIMING, ["time", "--sweep", "FILE", "--dry-run"]),
        "grid.json": (GRID, ["complexity", "--grid", "FILE", "--json"]),
        "mine.json": (json.dumps(to_config(get("RegNetY-500MF"))), advise),
        "records.jsonl": (records, ["compare", "FILE:1", "FILE:2"]),
        "scores.csv": (SCORES, ["search", "--score", "FILE", "--device", "A100"]),
    }


def mutated(text: str, chance: random.Random) -> bytes:
    """One change or two: values, lines, single bytes, the end, the encoding."""

    def value(old: str) -> str:
        if not (found := list(VALUE.finditer(old))):
            return old
        at = chance.choice(found)
        others = (chance.choice(found)[0], str(chance.randint(-2, 300)), str(chance.random()))
        new = chance.choice((*others, chance.choice(NASTY)))
        return old[: at.start()] + new + old[at.end() :]

    def line(old: str) -> str:
        lines = old.splitlines(keepends=True) or [""]
        at = chance.randrange(len(lines))
        lines[at : at + chance.randrange(2)] = [chance.choice(lines)] * chance.randrange(3)
        return "".join(lines)

    def cut(old: str) -> str:
        a, b = sorted(chance.randrange(len(old) + 1) for _ in range(2))
        return chance.choice((old[:a], old[:a] + old[b:], old[:b] + old[a:]))

    def insert(old: str) -> str:
        at = chance.randrange(len(old) + 1)
        return old[:at] + chance.choice(NASTY) + old[at:]

    for _ in range(chance.choice((1, 1, 2))):
        text = chance.choice((value, value, value, line, cut, insert))(text)
    encoding = chance.choice(("utf-8",) * 8 + ("latin-1", "utf-16", "utf-8-sig"))
    data = bytearray(text.encode(encoding, "replace" if encoding == "latin-1" else "surrogatepass"))
    if data and chance.random() < 0.15:
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


def outcome(arguments: list[str], folder: Path) -> tuple[int, str, str]:
    """Status, output and errors of a command, in a fork; a negative status is a signal."""
    said = [folder.parent / name for name in ("stdout", "stderr")]
    if (child := os.fork()) == 0:
        for number, path in enumerate(said, 1):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), number)
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_DATA, (BYTES, BYTES))
        sys.stdout, sys.stderr = (os.fdopen(n, "w", errors="backslashreplace") for n in (1, 2))
        os.chdir(folder)
        status = 70
        try:
            status = main(arguments)
        except BaseException as error:
            print(f"Traceback: {type(error).__name__}: {error}", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    output, errors = (path.read_text(encoding="utf-8", errors="replace") for path in said)
    return status, output, errors


def problem(status: int, output: str, errors: str) -> str:
    """What is wrong with how a command ended, or nothing."""
    told = [line for line in errors.splitlines() if not line.startswith(("warning: ", "note: "))]
    if status not in (0, 2):
        return f"status {status}: {' '.join(told[-1:])}"
    if "Traceback" in errors:
        return "a traceback"
    if status == 2 and (output or len(told) != 1 or not told[0].startswith("error: ")):
        return f"not one line of error: {told} {output[:80]!r}"
    return ""


def fuzz(count: int, report: Callable[[str], None] = print) -> Counter[str]:
    """How often what happened; everything unwanted is reported with its file."""
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "files")
        folder.mkdir()
        commands = list(kinds().items())
        for seed in range(-len(commands), count):  # the sound ones first
            name, (text, command) = commands[seed % len(commands)]
            data = text.encode() if seed < 0 else mutated(text, random.Random(seed))
            (folder / name).write_bytes(data)
            status, output, errors = outcome([w.replace("FILE", name) for w in command], folder)
            wrong = problem(status, output, errors) or "a sound file" * (seed < 0 < status)
            if [path.name for path in folder.iterdir()] != [name]:
                wrong = wrong or "other files in its folder"
            elif (folder / name).read_bytes() != data:
                wrong = wrong or "another file than before"
            if seed >= 0:
                found[f"{name}: {(wrong and 'wrong') or f'status {status}'}"] += 1
            if wrong:
                report(f"seed {seed}, {name}: {wrong}\n  {errors.strip()[-300:]}\n  {data[:600]!r}")
            (folder / name).unlink()
    return found


if __name__ == "__main__":
    counted = fuzz(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
    print(*(f"{number:5} {what}" for what, number in sorted(counted.items())), sep="\n")
    sys.exit(any("wrong" in what for what in counted))
