"""Our timing beside others' on the same module, tensors and flags, in rotation in one run.

    python benchmarks/timing.py [--device cpu|cuda] [--rounds N] [--seconds S]

Beside us: `torch.utils.benchmark` (blocked_autorange), the way of timm's benchmark script (a fixed
number of warm-up runs, then the mean of a fixed number of timed ones), and on a GPU
`triton.testing.do_bench`. Every tool gets about the same seconds of timed work in every round.
Printed for each network and tool: the median over rounds of its answer, the spread of its answers
between rounds (interquartile range over median), and the overhead a model, which is everything
but the timed runs. Ours should agree with the others within the spread.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from statistics import median, quantiles

import torch
from torch import nn
from torch.utils.benchmark import Timer

from repro.models import build
from repro.records import Protocol
from repro.runtime.measure import Bench
from repro.runtime.protocol import settings

NETWORKS = ("EN-B0", "RegNetY-500MF", "ResNet-50")
Answer = tuple[float, float]  # seconds an iteration, seconds of timed work


def ours(module: nn.Module, images: torch.Tensor, seconds: float) -> Answer:
    protocol = Protocol(
        device=images.device.type,
        batch=len(images),
        threads=torch.get_num_threads() if images.device.type == "cpu" else None,
        min_time=seconds,
    )
    bench = Bench(lambda: module, protocol, images.shape[-1])
    bench.prepare()
    bench.sample(protocol.samples)
    return median(bench.samples), sum(bench.samples) * bench.iterations


def torch_timer(module: nn.Module, images: torch.Tensor, seconds: float) -> Answer:
    timer = Timer(
        "module(images)",
        globals={"module": module, "images": images},
        num_threads=torch.get_num_threads(),
    )
    with torch.inference_mode():
        found = timer.blocked_autorange(min_run_time=seconds)
    return found.median, sum(found.times) * found.number_per_run


def fixed_counts(module: nn.Module, images: torch.Tensor, seconds: float) -> Answer:
    def wait() -> None:
        if images.is_cuda:
            torch.cuda.synchronize()

    with torch.inference_mode():
        for _ in range(10):
            module(images)
        wait()
        start, runs = time.perf_counter(), 0
        while runs < 40 or time.perf_counter() - start < seconds:
            module(images)
            wait()
            runs += 1
        took = time.perf_counter() - start
    return took / runs, took


def do_bench(module: nn.Module, images: torch.Tensor, seconds: float) -> Answer:
    from triton.testing import do_bench as triton_bench

    with torch.inference_mode():
        found = triton_bench(lambda: module(images), rep=int(seconds * 1e3), return_mode="median")
    return found / 1e3, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of timed work, each time")
    options = parser.parse_args()
    tools: dict[str, Callable[[nn.Module, torch.Tensor, float], Answer]] = {
        "repro": ours,
        "torch.utils.benchmark": torch_timer,
        "10 + 40 runs, mean": fixed_counts,
    }
    if options.device == "cuda":
        tools["triton do_bench"] = do_bench
    batch = 64 if options.device == "cuda" else 1

    # One set of switches for all tools: left alone, torch lets convs use TF32 and ours does not.
    with settings(Protocol(device=options.device)):
        compare(tools, options, batch)


def compare(
    tools: dict[str, Callable[[nn.Module, torch.Tensor, float], Answer]],
    options: argparse.Namespace,
    batch: int,
) -> None:
    for name in NETWORKS:
        torch.manual_seed(0)
        module = build(name, device=options.device).eval().to(memory_format=torch.channels_last)
        images = torch.randn(batch, 3, 224, 224, device=options.device)
        images = images.to(memory_format=torch.channels_last)
        answers: dict[str, list[float]] = defaultdict(list)
        overheads: dict[str, list[float]] = defaultdict(list)
        for _ in range(options.rounds):
            for tool, run in tools.items():
                start = time.perf_counter()
                answer, timed = run(module, images, options.seconds)
                answers[tool].append(answer)
                overheads[tool].append(time.perf_counter() - start - timed)
        reference = median(answers["repro"])
        print(f"\n{name}, {options.device}, batch {batch}, {options.rounds} rounds")
        print(f"{'tool':<24}{'median':>12}{'to ours':>10}{'spread':>10}{'overhead':>12}")
        for tool, values in answers.items():
            low, _, high = quantiles(values, n=4)
            middle = median(values)
            print(
                f"{tool:<24}{middle * 1e3:>9.2f} ms{middle / reference:>10.3f}"
                f"{(high - low) / middle:>10.1%}{median(overheads[tool]):>10.2f} s"
            )


if __name__ == "__main__":
    main()
