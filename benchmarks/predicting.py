"""How fast predictions and fits are.

    python benchmarks/predicting.py

One network on all devices is to take less than half a second, 3,000 on all devices less than 2 s,
both with the start of the interpreter; a fit of every setting with intervals less than a minute.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

GRID_SCALES = [1 + i / 8 for i in range(1000)]


def seconds(*arguments: str, rounds: int) -> float:
    """Median wall time of a ``repro predict`` in a fresh interpreter."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        command = [sys.executable, "-m", "repro", "predict", *arguments]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - start)
    return median(times)


def main() -> None:
    one = ("EN-B0", "--strategy", "dWr", "--scale", "4", "--device", "all")
    print(f"one network, all devices:    {seconds(*one, rounds=7):.2f} s")
    models = [
        {"base": base, "scale_type": "d1_w8_g8_r1", "scale": s}
        for s, base in itertools.product(GRID_SCALES, ("EN-B0", "RegNetY-4.0GF", "RegNetZ-500MF"))
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "grid.json"
        file.write_text(json.dumps(models))
        grid = ("--grid", str(file), "--device", "all", "--json")
        print(f"3,000 networks, all devices: {seconds(*grid, rounds=5):.2f} s")

    from repro.prices.fit import document, everything

    start = time.perf_counter()
    document(everything())
    print(f"all settings fitted:         {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
