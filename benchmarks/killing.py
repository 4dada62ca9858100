"""What a kill costs: every command that takes long, killed at random moments and gone on with.

    python benchmarks/killing.py [--kills 20] [--only train] [--full 10] [--seed 0]

Each command first runs undisturbed. Then it is killed (kill -9, of all its processes or of the one
that matters) at a moment between its start and its usual end, given again, killed again, until it
ends; and so anew until there were enough kills. Printed is what they cost: records that were there
and are not any more, files that cannot be read, images that changed their split, results that
differ from the undisturbed ones. On a CPU a training must end with the same bits.

Then the disk is full (a small file system in memory, which needs the right to mount one) at random
sizes: the command has to say so in one line, and to go on when there is space.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from PIL import Image

from repro.training import checkpoint

ROOT = Path(__file__).parents[1]
PYTHON = (sys.executable, "-m")
SIZES = (
    *("--resolution", "8", "--epochs", "3", "--batch", "16", "--threads", "1", "--device", "cpu"),
    *("--seed", "5", "--save-every", "0", "--set", "dropout=0.1", "--set", "augment=autoaugment"),
)
TRAIN = ("repro", "train", "proxy-EN", *SIZES, "--out", "out")
DIGITS = ("--images", "320")
SWEEP = """
- {data: digits, bases: [proxy-EN], strategies: [d, w1_g1], scales: [2], seeds: [0, 1],
   resolution: 8, images: 160, epochs: 2, batch: 16, set: {lr: 0.1}}
"""
RECORDING = """
- protocol: &images {device: cuda, samples: 3, min_time: 0, rounds: 2, dtype: fp16, batch: 128}
  peaks: true
- protocol: *images
  bases: [MBConv-c16@56, FusedMBConv-c16@56, EN-TF-B0, EN-X-GPU-B0+relu, RegNetY-4GF, EN-B4]
- protocol: {<<: *images, mode: step, batch: max, memory_gb: 32}
  bases: [EN-B0, EN-B2, RegNetY-500MF]
"""
NAMES = ("EN-B0", "RegNetY-500MF", "RegNetZ-500MF", "EN-TF-B0", "ResNet-50", "EN-X-B0")
CHAPTER = "out/*[!d].ipynb"
"""A chapter that has run to its end; that of one that has not ends in ``.unfinished.ipynb``."""
COSTS = ("lost", "torn", "moved", "differ")


@dataclass(frozen=True)
class Case:
    """A command; what is added where it goes on; whether one process of it may die alone."""

    name: str
    command: tuple[str, ...]
    check: Callable[[Path, Path], Counter[str]]
    more: tuple[str, ...] = ()
    alone: bool = False
    cuda: bool = False


# ------------------------------------------------------------------------------ what is compared


def lines(path: Path) -> list[Any]:
    """What a file of JSON lines holds; None for a line that cannot be read."""
    found: list[Any] = []
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            found.append(None)
    return found


def records(folder: Path) -> set[tuple[str, str]]:
    """Names of all records under a folder, by file."""
    files = [*folder.rglob("*.jsonl")]
    return {
        (str(path.relative_to(folder)), f"{line['key']} {line.get('subject', {}).get('name')}")
        for path in files
        for line in lines(path)
        if line and "key" in line
    }


def torn(folder: Path) -> int:
    """Files under a folder that a reader would take and that are not whole."""
    bad = sum(None in lines(path) for path in folder.rglob("*.jsonl"))
    for path in folder.rglob("*"):
        if path.suffix in (".json", ".ipynb") and ".unfinished" not in path.name:
            try:
                json.loads(path.read_text())
            except ValueError:
                bad += 1
        elif path.suffix == ".pt" and path.parent.name == "checkpoints":
            bad += checkpoint._digest(path.read_bytes()) != path.stem.partition("-")[2]
        elif path.suffix == ".html" and "</html>" not in path.read_text()[-100:]:
            bad += 1
    return bad


def timed(out: Path, whole: Path) -> Counter[str]:
    """Files of timings: the same records, each once; their seconds are others."""
    names = [f"{line['key']} {line['subject']['name']}" if "subject" in line else line["key"]
             for line in lines(out / "out.jsonl") if line]  # fmt: skip
    theirs = records(whole)
    return Counter(differ=len(records(out) ^ theirs) + len(names) - len(set(names)))


def trained(out: Path, whole: Path) -> Counter[str]:
    """Runs: the same images, losses, scores and weights, to the bit."""
    cost: Counter[str] = Counter()
    for folder in sorted(path.parent for path in whole.rglob("weights.pt")):
        ours = out / folder.relative_to(whole)
        a, b = (lines(place / "record.jsonl")[-1] for place in (ours, folder))
        counts = [abs(a["data"][k] - b["data"][k]) for k in ("train", "holdout", "test", "classes")]
        other = a["data"]["digest"] != b["data"]["digest"]
        cost["moved"] += b["data"]["train"] if other else sum(counts)
        weights = [torch.load(place / "weights.pt", weights_only=True) for place in (ours, folder)]
        same = all(torch.equal(weights[0][k], v) for k, v in weights[1].items())
        metrics = [
            [{k: v for k, v in line.items() if k not in ("images_per_s", "data_share")} for line in
             lines(place / "metrics.jsonl")]
            for place in (ours, folder)
        ]  # fmt: skip
        scores = [[r[k] for k in ("test", "curve", "reported_epoch")] for r in (a, b)]
        cost["differ"] += not (same and metrics[0] == metrics[1] and scores[0] == scores[1])
    every = [place / "out" / "records.jsonl" for place in (out, whole)]
    cost["differ"] += abs(len(lines(every[0])) - len(lines(every[1])))
    return cost


def executed(out: Path, whole: Path) -> Counter[str]:
    """Chapters: the same outputs in the notebook, and a page."""
    outputs = []
    for place in (out, whole):
        (notebook,) = place.glob(CHAPTER)
        cells = json.loads(notebook.read_text())["cells"]
        outputs.append([cell["outputs"] for cell in cells if cell["cell_type"] == "code"])
    odd = [f"cell {i}" for i, (a, b) in enumerate(zip(*outputs, strict=True)) if a != b]
    page = next(whole.glob(CHAPTER)).with_suffix(".html").name
    odd += [page] * (not (out / "out" / page).exists())
    if odd:
        print(f"{out.name}: other than undisturbed: {', '.join(odd)}")
    return Counter(differ=bool(odd))


CASES = (
    Case("train", (*PYTHON, *TRAIN, "--data", "folder", "--root", "WORK/pictures"), trained,
         ("--resume",)),
    Case("train, 2 ranks", (*PYTHON, "torch.distributed.run", "--standalone", "--nproc-per-node",
         "2", "-m", *TRAIN, *DIGITS), trained, ("--resume",)),
    Case("train, submitit", (*PYTHON, *TRAIN, *DIGITS, "--executor", "local"), trained,
         ("--resume",), alone=True),
    Case("sweep", (*PYTHON, "repro", "sweep", "WORK/sweep.yaml", "--out", "out", "--device", "cpu",
         "--jobs", "2"), trained, alone=True),
    Case("time", (*PYTHON, "repro", "time", *NAMES, "--resolution", "32", "--samples", "3",
         "--min-time", "0.1", "--group", "1", "--out", "out.jsonl"), timed, alone=True),
    Case("record", (*PYTHON, "repro", "record", "--device", "cuda", "--sweep", "WORK/plan.yaml",
         "--minutes", "9", "--out", "out.jsonl"), timed, alone=True, cuda=True),
    Case("run", (*PYTHON, "repro", "run", "what-scaling-costs", "--out", "out"), executed),
)  # fmt: skip


# ------------------------------------------------------------------------------ what is done


def prepare(work: Path) -> dict[str, str]:
    """Write what the commands read; the environment of those that have a made-up GPU."""
    rng = np.random.default_rng(0)
    for split, each in (("train", 100), ("val", 30)):
        for label, name in enumerate(("cat", "dog", "fox")):
            place = work / "pictures" / split / name
            place.mkdir(parents=True)
            for i in range(each):
                noise = rng.integers(0, 99, (16, 16, 3), np.uint8) + np.uint8(70 * label)
                Image.fromarray(noise).save(place / f"{i:03}.png")
    (work / "sweep.yaml").write_text(SWEEP)
    (work / "plan.yaml").write_text(RECORDING)
    sys.path.insert(0, str(ROOT / "tests" / "helpers"))
    import fake_cuda

    (work / "made-up").mkdir()
    return {**fake_cuda.environment(work / "made-up"), "PATH": "/nowhere"}


class Command:
    """A case's command in a folder, with what it says in ``said`` beside it."""

    def __init__(self, case: Case, folder: Path, work: Path, cuda: dict[str, str]) -> None:
        begun = (folder / "out").exists()
        folder.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "REPRO_ROOT": str(ROOT), "PYTHONPATH": str(ROOT / "src")}
        self.said = work / f"{folder.name}.said"
        words = [*case.command, *(case.more if begun else ())]
        with self.said.open("a") as output:
            self.process = subprocess.Popen(
                [word.replace("WORK", str(work)) for word in words],
                cwd=folder,
                env=cuda if case.cuda else environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.folder = folder

    def end(self, seconds: float) -> int | None:
        """Its exit status; None where it still runs after so long."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        except (KeyboardInterrupt, SystemExit):
            self.kill(random.Random(), False)
            raise

    def kill(self, dice: random.Random, alone: bool) -> None:
        """All its processes at once; or one, after which the others have to end by themselves."""
        family = [psutil.Process(self.process.pid)]
        family += family[0].children(recursive=True)
        if alone and dice.random() < 0.5:
            # The one that others wait for, or one that works for it.
            dice.choice((family[0], family[-1])).kill()
            _, left = psutil.wait_procs(family, 90)
        else:
            left = family
        for process in left:
            with contextlib.suppress(psutil.Error):  # gone already
                process.kill()
        psutil.wait_procs(left, 30)
        self.process.wait()


def endure(
    case: Case, work: Path, cuda: dict[str, str], kills: int, dice: random.Random
) -> tuple[float, Counter[str]]:
    """Seconds of the undisturbed command, and what the kills cost."""
    name = case.name.replace(", ", "-").replace(" ", "-")
    whole, cost, start = work / f"{name}-whole", Counter[str](), time.monotonic()
    first = Command(case, whole, work, cuda)
    if first.end(900) != 0:
        raise SystemExit(f"{case.name} does not even run undisturbed:\n{first.said.read_text()}")
    usual = time.monotonic() - start
    while cost["kills"] < kills:
        cost["runs"] += 1
        folder, seen = work / f"{name}-{cost['runs']}", set[tuple[str, str]]()
        while True:
            last = cost["kills"] >= kills
            command = Command(case, folder, work, cuda)
            status = command.end(60 + 20 * usual if last else dice.uniform(0, usual))
            if status is not None:
                break
            command.kill(dice, case.alone)
            cost["kills"] += not last
            there = records(folder)
            cost["lost"] += len(seen - there)
            cost["torn"] += torn(folder)
            seen |= there
            if any(folder.glob(CHAPTER)):  # a chapter is complete, and refuses to run again
                status = 0
            if last or status == 0:
                break
        if status != 0:  # None: it hangs
            cost["differ"] += 1
            print(f"{case.name}: ended with {status}:\n{command.said.read_text()[-2000:]}")
        else:
            cost["lost"] += len(seen - records(folder))
            cost["torn"] += torn(folder)
            cost.update(case.check(folder, whole))
            shutil.rmtree(folder)
    return usual, cost


def fill(
    case: Case, work: Path, cuda: dict[str, str], times: int, dice: random.Random
) -> Counter[str]:
    """What a full disk costs, at so many sizes of it."""
    whole, cost = work / f"{case.name}-full", Counter[str]()
    if Command(case, whole, work, cuda).end(900) != 0:
        raise SystemExit(f"{case.name} does not even run undisturbed")
    size = sum(path.stat().st_size for path in whole.rglob("*") if path.is_file())
    disk = work / "disk"
    disk.mkdir(exist_ok=True)
    for turn in range(times):
        options = f"size={4096 + 4096 * int(dice.uniform(0.02, 0.98) * size / 4096)}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)], check=True)
        try:
            command = Command(case, disk / f"{case.name}-{turn}", work, cuda)
            command.end(900)
            said = command.said.read_text()
            cost["full"] += (failed := command.process.returncode != 0)
            bad = "Traceback" in said or said.count("\nerror: ") != failed
            if bad:
                print(f"{case.name}, {options}: {said[-2000:]}")
            cost["torn"] += torn(command.folder) + bad
            seen = records(command.folder)
            subprocess.run(["mount", "-o", "remount,size=1G", str(disk)], check=True)
            if Command(case, command.folder, work, cuda).end(900) != 0:
                cost["differ"] += 1
                print(f"{case.name}, {options}: {command.said.read_text()[-2000:]}")
                continue
            cost["lost"] += len(seen - records(command.folder))
            cost.update(case.check(command.folder, whole))
        finally:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)
    return cost


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20, help="of each command")
    parser.add_argument("--full", type=int, default=10, help="full disks, of train and of time")
    parser.add_argument("--only", help="commands whose names begin so")
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    dice, bad = random.Random(a.seed), 0
    row = "{:<18}{:>7}{:>7}{:>7}{:>7}{:>7}{:>9}{:>9}"
    print(row.format("command", "kills", *COSTS, "usual s", "took s"), flush=True)

    def show(name: str, cost: Counter[str], tries: int, usual: float, start: float) -> None:
        nonlocal bad
        bad += sum(cost[c] for c in COSTS)
        figures = (tries, *(cost[c] for c in COSTS))
        seconds = (f"{usual:.0f}" if usual else "", f"{time.monotonic() - start:.0f}")
        print(row.format(name, *figures, *seconds), flush=True)

    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        cuda = prepare(work)
        for case in CASES if a.kills else ():
            if case.name.startswith(a.only or ""):
                start = time.monotonic()
                usual, cost = endure(case, work, cuda, a.kills, dice)
                show(case.name, cost, cost["kills"], usual, start)
        for case in CASES if a.full else ():
            if case.name in ("train", "time") and case.name.startswith(a.only or ""):
                start = time.monotonic()
                cost = fill(case, work, cuda, a.full, dice)
                show(f"{case.name}, full disk", cost, cost["full"], 0, start)
    return int(bad > 0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
