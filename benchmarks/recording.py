"""What a recording spends outside of timed iterations, on a GPU that is not there.

    python benchmarks/recording.py [--minutes 2] [--sweep record]

Runs `repro record` on the made-up GPU of the tests (`tests/helpers/fake_cuda.py`), with a clock
that runs as fast as ours: an iteration takes about what it takes an H100, and what Python, the
processes, the files and the judging take is real. cuDNN takes 3 ms to plan a conv that it has not
seen. Printed: the recording's own last lines, and the share of its minutes by what went on in them.
A recording should spend less than a quarter of its minutes outside of timed iterations.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HELPERS = Path(__file__).parents[1] / "tests" / "helpers"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--sweep", default="record")
    options = parser.parse_args()
    sys.path.insert(0, str(HELPERS))
    import fake_cuda

    from repro.cli.recording import timed_s
    from repro.stored import read

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "gpu.jsonl"
        environment = fake_cuda.environment(Path(folder), waits=True, plan_s=3e-3)
        arguments = ["--sweep", options.sweep, "--minutes", str(options.minutes), "--out", str(out)]
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "repro", "record", *arguments],
            env=environment,
            check=True,
        )
        took = time.perf_counter() - start
        records = read(out)
    warm_up = sum(sum(r.warmup_s) for r in records if r.kind == "timing")
    timed = timed_s(records)
    print(f"\n{len(records)} records in {took:.1f} s, of {60 * options.minutes:.0f} s given")
    print(f"samples               {(timed - warm_up) / took:6.1%}")
    print(f"warm-up, also timed   {warm_up / took:6.1%}")
    print(f"everything else       {1 - timed / took:6.1%}")


if __name__ == "__main__":
    main()
