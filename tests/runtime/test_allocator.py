import subprocess
import sys

import pytest

from repro.errors import InputError
from repro.runtime import allocator

FRESH = """
import sys, resource
from repro.runtime.allocator import set_allocator
set_allocator(sys.argv[1])
import torch
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(12):
    torch.ones(1 << 24)
before = faults()
for _ in range(8):
    torch.ones(1 << 24)  # 64 MiB: above the largest size that glibc keeps by itself
print(faults() - before)
"""


def pages_taken(how):
    """Pages that eight blocks of 64 MiB take from the system, in a fresh process."""
    command = [sys.executable, "-c", FRESH, how]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(not allocator.can_keep(), reason="no glibc")
def test_kept_memory_is_not_taken_again():
    assert pages_taken("keep") * 20 < pages_taken("system")


def test_there_is_no_way_back(monkeypatch):
    monkeypatch.setattr(allocator, "_kept", True)
    with pytest.raises(InputError, match="'system' needs a process that does not keep"):
        allocator.set_allocator("system")
    allocator.set_allocator(None)


def test_another_c_library(monkeypatch):
    monkeypatch.setattr(allocator, "_kept", False)
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda _: object())
    assert not allocator.can_keep()
    with pytest.raises(InputError, match=r"'keep' needs glibc\. Allowed here: system"):
        allocator.set_allocator("keep")
