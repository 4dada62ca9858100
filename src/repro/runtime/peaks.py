"""Peak rates of a device, measured: a large matrix product and a large copy."""

from __future__ import annotations

import time
from typing import Any

import torch

from repro.records import Protocol
from repro.runtime.protocol import TORCH_DTYPE, check, settings

SIZES = {"cpu": (2048, 1 << 28), "cuda": (8192, 1 << 32)}
"""Side of the square matrices, and bytes of the tensor that is copied: far above any cache."""


def measure_peaks(protocol: Protocol) -> dict[str, Any]:
    """Rates of the device in the protocol's dtype, on random data.

    Returns:
        The fields of a `repro.records.PeakRecord`: operations per second of the product (a
        multiply-add is two) and bytes per second of the copy (read and written), one per sample.
    """
    check(protocol)
    side, size = SIZES[protocol.device]
    dtype, where = TORCH_DTYPE[protocol.dtype], protocol.device
    with settings(protocol), torch.inference_mode():
        a, b = (torch.randn(side, side, device=where).to(dtype) for _ in range(2))
        product = torch.empty_like(a)
        source = torch.randn(size // 4, device=where)
        target = torch.empty_like(source)
        matmul = _times(lambda: torch.matmul(a, b, out=product), protocol)
        copy = _times(lambda: target.copy_(source), protocol)
    return {
        "matmul_size": side,
        "copy_size": size,
        "matmul_flops": tuple(2 * side**3 / t for t in matmul),
        "copy_bytes": tuple(2 * size / t for t in copy),
    }


def _times(run: Any, protocol: Protocol) -> list[float]:
    """Seconds of each call, after three that do not count."""

    def once() -> float:
        if protocol.device == "cpu":
            start = time.perf_counter()
            run()
            return time.perf_counter() - start
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        run()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / 1e3

    for _ in range(3):
        once()
    return [once() for _ in range(protocol.samples)]
