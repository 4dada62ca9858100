"""How fast networks are scored that nobody builds.

    python benchmarks/scaling.py

In processor time, 10,000 distinct networks by roofline, one by one, are to take less than 5 s,
2,000 triplets of a search by latency less than 1 s once the base is counted, and `repro advise`
less than 1 s with its start.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np

from repro.arch import get
from repro.search.accuracy import Surface
from repro.search.latency import roofline
from repro.search.scaling import grid, lacs, largest, of_b0, triangle
from repro.search.space import EFFICIENTNET


def timed(label: str, start: float) -> None:
    print(f"{label:<60}{time.process_time() - start:>8.2f} s")


def main() -> None:
    cost, surface, scaler = roofline("V100"), Surface.fit("norm"), of_b0(get("EN-X-B0"))
    start = time.process_time()
    nets = map(EFFICIENTNET.network, EFFICIENTNET.sample(np.random.default_rng(0), 10_000))
    least = min(map(cost, nets))
    timed("10,000 networks described and scored one by one", start)
    target = cost(get("EN-X-GPU-B3"))
    for label in ("counting the base included", "once it is counted"):
        start = time.process_time()
        found = lacs(target, cost, surface, scaler)  # twice 12 x 12 pairs, each in 9 sizes
        timed(f"2,600 triplets, {label}", start)
    start = time.process_time()
    candidates = grid(scaler, surface)
    candidates.cost(cost)
    timed(f"a grid of {len(candidates)} networks", start)
    start = time.process_time()
    largest(of_b0(get("EN-B0"), "none"), triangle(0.04), target, cost)
    timed(f"{len(triangle(0.04))} rules at one cost, without rounding", start)
    before = os.times().children_user
    command = [sys.executable, "-m", "repro", "advise", "EN-B0", "--budget", "2x"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    print(f"{'repro advise EN-B0 --budget 2x':<60}{os.times().children_user - before:>8.2f} s")
    print(f"fastest {1e3 * least:.2f} ms; best {found.coefficients}")


if __name__ == "__main__":
    main()
