"""What the machine is and what it is doing: clocks, power and throttling by NVML, load on a CPU.

Everything that a driver does not report is None. No names of hosts, users or folders.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import torch

from repro.records import Device, Machine, State

# Bits of NVML's "clocks event reasons", from the lowest on.
_REASONS: tuple[str, ...] = ("idle", "application clocks", "power cap", "hardware slowdown")
_REASONS += ("sync boost", "software thermal", "hardware thermal", "power brake", "display clocks")


def machine(device: Device) -> Machine:
    """The device and the software, as a record keeps them."""
    common: dict[str, Any] = {
        "device": device,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "torch": torch.__version__,
        "timm": importlib.metadata.version("timm"),
    }
    if device == "cpu":
        return Machine(
            **common,
            device_name=_cpu_name(),
            memory_bytes=psutil.virtual_memory().total,
            compute_units=os.cpu_count() or 1,
            capability=torch.backends.cpu.get_cpu_capability(),
        )
    gpu = torch.cuda.get_device_properties(0)
    driver = _ask(lambda nvml: nvml.nvmlSystemGetDriverVersion())
    return Machine(
        **common,
        device_name=gpu.name,
        memory_bytes=gpu.total_memory,
        compute_units=gpu.multi_processor_count,
        capability=f"{gpu.major}.{gpu.minor}",
        driver=driver.decode() if isinstance(driver, bytes) else driver,
        cuda=torch.version.cuda,
        cudnn=str(torch.backends.cudnn.version()),
    )


def state(device: Device) -> State:
    """What the device is doing now."""
    if device == "cpu":
        clock = getattr(psutil, "cpu_freq", lambda: None)()
        return State(
            load=os.getloadavg()[0], cpu_clock_mhz=round(clock.current, 1) if clock else None
        )

    def number(read: Callable[[Any, Any], float], scale: float = 1.0) -> float | None:
        value = _ask(lambda nvml: read(nvml, _handle(nvml)))
        return None if value is None else value * scale

    reasons = _ask(lambda nvml: nvml.nvmlDeviceGetCurrentClocksThrottleReasons(_handle(nvml)))
    return State(
        sm_clock_mhz=number(lambda n, h: n.nvmlDeviceGetClockInfo(h, n.NVML_CLOCK_SM)),
        max_sm_clock_mhz=number(lambda n, h: n.nvmlDeviceGetMaxClockInfo(h, n.NVML_CLOCK_SM)),
        memory_clock_mhz=number(lambda n, h: n.nvmlDeviceGetClockInfo(h, n.NVML_CLOCK_MEM)),
        power_w=number(lambda n, h: n.nvmlDeviceGetPowerUsage(h), 1e-3),
        power_limit_w=number(lambda n, h: n.nvmlDeviceGetEnforcedPowerLimit(h), 1e-3),
        temperature_c=number(lambda n, h: n.nvmlDeviceGetTemperature(h, n.NVML_TEMPERATURE_GPU)),
        throttle=None
        if reasons is None
        else tuple(name for bit, name in enumerate(_REASONS) if reasons >> bit & 1),
    )


def energy_j(device: Device) -> float | None:
    """Joules that the GPU has used since its driver was loaded; None on a CPU.

    Work that is still queued is waited for: it belongs to what came before.
    """
    if device == "cpu":
        return None

    def read(nvml: Any) -> Any:
        torch.cuda.synchronize()
        return nvml.nvmlDeviceGetTotalEnergyConsumption(_handle(nvml))

    millijoules = _ask(read)
    return None if millijoules is None else millijoules / 1e3


def _ask(question: Callable[[Any], Any]) -> Any:
    """An answer of NVML, or None where there is no NVML or it does not know."""
    try:
        import pynvml

        pynvml.nvmlInit()  # counted by NVML; cheap after the first time
        return question(pynvml)
    except Exception:  # NVML's errors differ by version, and none of them may stop a timing
        return None


def _handle(nvml: Any) -> Any:
    """The GPU that torch calls cuda:0, which need not be NVML's first."""
    identifier = f"GPU-{torch.cuda.get_device_properties(0).uuid}"
    try:
        return nvml.nvmlDeviceGetHandleByUUID(identifier)
    except Exception:  # an older binding wants bytes; a slice of a GPU has no handle of its own
        return nvml.nvmlDeviceGetHandleByIndex(0)


def _cpu_name() -> str:
    """The processor's own name where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
