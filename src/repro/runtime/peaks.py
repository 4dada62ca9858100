"""Peak rates of a device, measured: a large matrix product, a large conv and a large copy."""

from __future__ import annotations

import time
from typing import Any

import torch
import torch.nn.functional as F

from repro.records import Protocol
from repro.runtime.protocol import TORCH_DTYPE, check, settings

SIZES = {"cpu": (2048, 1 << 28), "cuda": (8192, 1 << 32)}
"""Side of the square matrices, and bytes of the tensor that is copied: far above any cache."""
WARM_S = 0.3
"""Seconds of calls that do not count, three at least."""
CONV = {"cpu": (8, 256, 56), "cuda": (256, 256, 56)}
"""Images, channels in and out, and side of the map of a 3x3 conv, channels last.

Measured beside the product, as another library does it: on some CPUs a conv is a third faster."""


def measure_peaks(protocol: Protocol) -> dict[str, Any]:
    """Rates of the device in the protocol's dtype, on random data.

    Returns:
        The fields of a `repro.records.PeakRecord`: operations per second of the product and of the
        conv (a multiply-add is two) and bytes per second of the copy (read and written), one per
        sample.
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
        images, channels, r = CONV[protocol.device]
        x = torch.randn(images, channels, r, r, device=where).to(dtype)
        w = torch.randn(channels, channels, 3, 3, device=where).to(dtype)
        x, w = (t.contiguous(memory_format=torch.channels_last) for t in (x, w))
        conv = _times(lambda: F.conv2d(x, w, padding=1), protocol)
        copy = _times(lambda: target.copy_(source), protocol)
    return {
        "matmul_size": side,
        "copy_size": size,
        "matmul_flops": tuple(2 * side**3 / t for t in matmul),
        "conv_flops": tuple(2 * 9 * channels**2 * images * r**2 / t for t in conv),
        "copy_bytes": tuple(2 * size / t for t in copy),
    }


def _times(run: Any, protocol: Protocol) -> list[float]:
    """Seconds of each call, after a while that does not count: an idle GPU's clock is low."""

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

    warm, calls = time.perf_counter() + WARM_S, 0
    while calls < 3 or time.perf_counter() < warm:
        once()
        calls += 1
    return [once() for _ in range(protocol.samples)]
