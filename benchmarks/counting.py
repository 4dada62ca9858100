"""What one count costs: analytic, from operators on the meta device, and by fvcore.

    python benchmarks/counting.py

All three in one run on one machine, in rotation over the same networks, medians printed. The
analytic count is to stay at about 0.3 ms or less, which is what the authors' own analytic counter
takes; 3,000 models on the command line are to take less than 2 s, start-up included.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from repro.arch import NAMES, PAPER, get, scale
from repro.complexity import complexity

# fvcore runs the network for real: the zoo's members up to about 4 GF, so that this takes minutes.
SMALL = [name for name in NAMES if complexity(get(name)).flops < 4.2e9]
GRID_SCALES = [1 + i / 8 for i in range(1000)]


def seconds(work: Callable[[], object], repeats: int = 1) -> float:
    """Wall time of one call, as the mean of ``repeats`` in a row."""
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats


def row(label: str, times: list[float], unit: float) -> None:
    print(f"{label:<44}{median(times) * 1e3:>10.3f} ms{median(times) / unit:>12.1f}x")


def per_model(rounds: int = 5) -> None:
    """Median time a model of each way to count, over the small members of the zoo."""
    from repro.counters import count, fvcore_counts
    from repro.models import build

    count(build("EN-B0", device="meta"))
    fvcore_counts(build("EN-B0"))  # imports and first calls are not part of it
    times: dict[str, list[float]] = {}

    def add(label: str, value: float) -> None:
        times.setdefault(label, []).append(value)

    for _, name in itertools.product(range(rounds), SMALL):
        net = get(name)
        add("analytic count", seconds(lambda net=net: complexity(net), 100))
        add(
            "analytic scale + count",
            seconds(lambda net=net: complexity(scale(net, PAPER["dWr"], 2)), 100),
        )
        add("build on meta", seconds(lambda net=net: build(net, device="meta")))
        meta, real = build(net, device="meta"), build(net)
        add("dispatcher count on meta, built", seconds(lambda m=meta: count(m)))
        add("fvcore flops and acts on CPU, built", seconds(lambda m=real: fvcore_counts(m)))
    print(f"{f'{len(SMALL)} networks, {rounds} rounds, per model':<44}{'median':>13}{'ratio':>13}")
    unit = median(times["analytic count"])
    for label, values in times.items():
        row(label, values, unit)


def import_time(module: str, rounds: int = 7) -> float:
    """Median seconds that a fresh interpreter spends on importing ``module``."""
    code = f"import time; s = time.perf_counter(); import {module}; print(time.perf_counter() - s)"
    runs = (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(rounds)
    )
    return median(float(run.stdout) for run in runs)


def grid() -> float:
    """Wall seconds of the command line on 3,000 models, start-up included."""
    bases = ("EN-B0", "RegNetY-4.0GF", "RegNetZ-500MF")
    models = [
        {"base": base, "scale_type": "d1_w8_g8_r1", "scale": s}
        for s, base in itertools.product(GRID_SCALES, bases)
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "grid.json"
        file.write_text(json.dumps(models))
        command = [sys.executable, "-m", "repro", "complexity", "--grid", str(file), "--json"]
        run = lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True)  # noqa: E731
        return median(seconds(run) for _ in range(3))


if __name__ == "__main__":
    bare = seconds(lambda: subprocess.run([sys.executable, "-c", ""], check=True))
    print(f"interpreter alone: {bare:.3f} s")
    print(f"import repro.complexity: {import_time('repro.complexity'):.3f} s more")
    if find_spec("repro.cli.app"):
        print(f"repro complexity --grid, 3,000 models: {grid():.2f} s wall")
    per_model()
