"""What a protocol means in torch: settings, casts, and what a device cannot do.

The protocol itself is data and lives in `repro.records`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

from repro.errors import InputError
from repro.records import Protocol
from repro.runtime.allocator import set_allocator

TORCH_DTYPE = {
    "fp32": torch.float32,
    "tf32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}
MEMORY_FORMAT = {
    "channels_last": torch.channels_last,
    "contiguous": torch.contiguous_format,
}


def check(protocol: Protocol) -> None:
    """Refuse what this machine cannot run.

    Raises:
        InputError: the device is not there, or cannot compute in this dtype or way.
    """
    device, dtype = protocol.device, protocol.dtype
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device 'cuda' is not here: torch sees no NVIDIA GPU. Allowed: cpu")
    if device == "cpu" and dtype == "tf32":
        raise InputError("dtype 'tf32' is a mode of NVIDIA GPUs. Allowed on cpu: fp32, bf16, fp16")
    if device == "cpu" and protocol.compile == "graph":
        raise InputError("compile 'graph' is a CUDA graph. Allowed on cpu: none, inductor")
    if device == "cuda" and dtype in ("tf32", "bf16") and torch.cuda.get_device_capability() < (8,):
        name = torch.cuda.get_device_name()
        raise InputError(f"dtype {dtype!r} is not in the hardware of {name}. Allowed: fp32, fp16")
    if protocol.compile == "graph" and dtype == "fp16" and protocol.mode == "step":
        raise InputError(
            "compile 'graph' cannot capture an fp16 step, whose loss scaling reads a value back. "
            "Allowed: bf16, or mode train"
        )
    layer = nn.Conv2d(8, 8, 3, padding=1, groups=8, device=device, dtype=TORCH_DTYPE[dtype])
    try:
        layer(torch.ones(1, 8, 8, 8, device=device, dtype=TORCH_DTYPE[dtype]))
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"dtype {dtype!r} does not work on this {device}: {reason}") from None


@contextlib.contextmanager
def settings(protocol: Protocol) -> Iterator[None]:
    """Torch's global switches as the protocol wants them; put back afterwards.

    The C library's allocator stays as the protocol has it: it knows no way back.
    """
    set_allocator(protocol.allocator)
    # The old switches on purpose: inductor reads them, and mixing in the new ones is an error
    # in several versions of torch.
    cudnn = torch.backends.cudnn
    before = (torch.get_float32_matmul_precision(), cudnn.allow_tf32, cudnn.benchmark)
    threads = torch.get_num_threads()
    tf32 = protocol.dtype == "tf32"
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    cudnn.allow_tf32, cudnn.benchmark = tf32, protocol.cudnn_benchmark
    if protocol.threads:
        torch.set_num_threads(protocol.threads)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        cudnn.allow_tf32, cudnn.benchmark = before[1:]
        torch.set_num_threads(threads)


def autocast(protocol: Protocol) -> contextlib.AbstractContextManager[object]:
    """Mixed precision for training in half precision; nothing otherwise."""
    if protocol.mode == "infer" or protocol.dtype in ("fp32", "tf32"):
        return contextlib.nullcontext()
    # A captured graph may not keep casted weights from outside of it.
    return torch.autocast(
        protocol.device,
        TORCH_DTYPE[protocol.dtype],
        cache_enabled=protocol.compile != "graph",
    )


def storage_dtype(protocol: Protocol) -> torch.dtype:
    """Of weights and input: cast for inference, full precision under autocast."""
    return TORCH_DTYPE[protocol.dtype] if protocol.mode == "infer" else torch.float32
