"""What the C library does with freed memory: keep it in the process, or give it back.

By default glibc gives large blocks back to the system. A network in eager mode frees its maps at
every layer, so each iteration takes them anew, page by page, and is charged for it: on maps of a
few megabytes that is most of the time. GPUs have torch's own allocator, which keeps what it has.
"""

from __future__ import annotations

import ctypes
from typing import Any

from repro.errors import InputError

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as malloc.h has them
_LIMITS = {_MMAP_THRESHOLD: 1 << 30, _TRIM_THRESHOLD: (1 << 31) - 1}
"""Bytes from which a block is mapped by itself, and of free memory before it is given back.

The same as ``MALLOC_MMAP_THRESHOLD_`` and ``MALLOC_TRIM_THRESHOLD_`` in the environment."""

_kept = False


def _mallopt() -> Any:
    """The C library's switch; None where it has none (musl, macOS)."""
    try:
        return ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return None


def can_keep() -> bool:
    """Whether this machine's C library can be told to keep freed memory."""
    return _mallopt() is not None


def set_allocator(allocator: str | None) -> None:
    """Have this process treat freed memory so, from now on: ``"keep"``, or ``"system"``.

    None leaves it alone. There is no way back from ``"keep"`` but a new process.

    Raises:
        InputError: the C library cannot keep memory, or this process keeps it already.
    """
    global _kept
    if allocator == "system" and _kept:
        raise InputError("allocator 'system' needs a process that does not keep memory yet")
    if allocator == "keep" and not _kept:
        switch = _mallopt()
        if switch is None or not all(switch(name, size) for name, size in _LIMITS.items()):
            raise InputError("allocator 'keep' needs glibc. Allowed here: system")
        _kept = True
