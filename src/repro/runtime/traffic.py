"""Bytes that a network really moves through GPU memory, from the hardware's counters (ncu).

``measure_traffic`` runs this file under NVIDIA Nsight Compute, which counts every kernel of one
iteration after a warm-up. Caches are left as the kernel before left them, since what a kernel finds
there is not traffic; clocks are left alone.
"""

from __future__ import annotations

import csv
import io
import pickle
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from repro.errors import InputError
from repro.records import TrafficRecord, stamp
from repro.runtime.jobs import TrafficJob

MODULE = "repro.runtime.traffic"  # which is not its name when it runs under ncu
METRICS = {"dram__bytes_read.sum": "read_bytes", "dram__bytes_write.sum": "written_bytes"}
OPTIONS = {
    "--print-units": "base",
    "--profile-from-start": "off",
    "--clock-control": "none",
    "--cache-control": "none",
    "--target-processes": "application-only",
    "--metrics": ",".join(METRICS),
}


def measure_traffic(job: TrafficJob, limit_s: float = 300) -> TrafficRecord:
    """Count one iteration's traffic.

    Args:
        job: which network, and how. limit_s: seconds after which ncu is given up.

    Raises:
        InputError: no ncu, no such device, ncu may not read the counters, or takes too long.
    """
    if shutil.which("ncu") is None:
        raise InputError("ncu (NVIDIA Nsight Compute) is not on the path; it reads the counters")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job"
        path.write_bytes(pickle.dumps((job.net, job.protocol)))
        options = [word for pair in OPTIONS.items() for word in pair]
        command = ["ncu", "--csv", *options, sys.executable, "-m", MODULE, str(path)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=limit_s, check=False
            )
        except subprocess.TimeoutExpired:
            raise InputError(f"ncu did not end within {limit_s:g} s") from None
        if done.returncode:
            last = (done.stdout + done.stderr).strip().splitlines()[-1:]
            raise InputError(f"ncu failed: {''.join(last)}")
        machine = pickle.loads((path.with_suffix(".machine")).read_bytes())
    return TrafficRecord(
        **stamp(TrafficRecord.entry, job.inputs(), machine),
        subject=job.subject,
        protocol=job.protocol,
        batch=int(job.protocol.batch),
        **totals(done.stdout),
    )


def totals(output: str) -> dict[str, Any]:
    """Sums over all kernels from ncu's CSV, which follows lines of other kinds.

    Raises:
        InputError: it holds no counts.
    """
    start = output.find('"ID"')
    rows = list(csv.DictReader(io.StringIO(output[start:]))) if start >= 0 else []
    sums: dict[str, Any] = dict.fromkeys(METRICS.values(), 0)
    for row in rows:
        if name := METRICS.get(row["Metric Name"] or ""):
            sums[name] += round(float(row["Metric Value"].replace(",", "")))
    if not rows:
        raise InputError("ncu counted no kernel")
    return {**sums, "launches": len({row["ID"] for row in rows})}


def _one_iteration(path: Path) -> None:
    """In the process under ncu: warm up, then run one iteration with the counters on."""
    import torch

    from repro.models.builder import build
    from repro.runtime import device
    from repro.runtime.measure import Bench
    from repro.runtime.protocol import check, settings

    net, protocol = pickle.loads(path.read_bytes())
    check(protocol)
    make = getattr(net, "build", partial(build, net))
    bench = Bench(lambda: make(device=protocol.device), protocol, net.resolution)
    bench.prepare()
    with settings(protocol):
        torch.cuda.profiler.start()
        bench.run()
        torch.cuda.synchronize()
        torch.cuda.profiler.stop()
    path.with_suffix(".machine").write_bytes(pickle.dumps(device.machine(protocol.device)))


if __name__ == "__main__":
    _one_iteration(Path(sys.argv[1]))
