"""What NVML says, with NVML played by a stand-in: no GPU is needed to know how it is read."""

import sys
from types import SimpleNamespace

import pytest
import torch

from repro.records import State
from repro.runtime import device


class NoSuchReading(Exception):
    pass


@pytest.fixture
def nvml(monkeypatch):
    """A GPU whose driver knows everything but its temperature."""

    def unknown(*_):
        raise NoSuchReading

    fake = SimpleNamespace(
        NVML_CLOCK_SM=1,
        NVML_CLOCK_MEM=2,
        NVML_TEMPERATURE_GPU=0,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=lambda name: name,
        nvmlDeviceGetClockInfo=lambda handle, which: {1: 1980, 2: 3201}[which],
        nvmlDeviceGetMaxClockInfo=lambda handle, which: 2000,
        nvmlDeviceGetPowerUsage=lambda handle: 412_500,
        nvmlDeviceGetEnforcedPowerLimit=lambda handle: 700_000,
        nvmlDeviceGetTemperature=unknown,
        nvmlDeviceGetCurrentClocksThrottleReasons=lambda handle: 0x4 | 0x20,
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: 5000,
        nvmlSystemGetDriverVersion=lambda: b"580.1",
    )
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    gpu = SimpleNamespace(
        uuid="abc", name="NVIDIA H200", total_memory=10, multi_processor_count=132, major=9, minor=0
    )
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: gpu)
    return fake


def test_the_state_of_a_gpu(nvml):
    assert device.state("cuda") == State(
        sm_clock_mhz=1980,
        max_sm_clock_mhz=2000,
        memory_clock_mhz=3201,
        power_w=412.5,
        power_limit_w=700,
        temperature_c=None,
        throttle=("power cap", "software thermal"),
    )


def test_joules_are_read_after_the_work_that_they_are_of(nvml, monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: asked.append("done"))
    monkeypatch.setattr(
        nvml, "nvmlDeviceGetTotalEnergyConsumption", lambda handle: asked.append("read") or 5000
    )
    assert device.energy_j("cuda") == 5.0 and asked == ["done", "read"]


def test_a_gpu_and_its_software(nvml):
    machine = device.machine("cuda")
    assert (machine.device_name, machine.capability, machine.driver) == (
        "NVIDIA H200",
        "9.0",
        "580.1",
    )
    assert machine.compute_units == 132 and machine.torch == torch.__version__


def test_a_slice_of_a_gpu_is_found_by_its_place(nvml):
    def not_found(name):
        raise NoSuchReading

    nvml.nvmlDeviceGetHandleByUUID = not_found
    nvml.nvmlDeviceGetHandleByIndex = lambda index: "slice"
    assert device.state("cuda").sm_clock_mhz == 1980


def test_without_nvml_nothing_is_known_and_nothing_fails(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert device.state("cuda") == State()
    assert device.energy_j("cuda") is None


def test_a_cpu_reports_its_load():
    state = device.state("cpu")
    assert state.load is not None and state.load >= 0 and state.power_w is None
    assert device.energy_j("cpu") is None
    machine = device.machine("cpu")
    assert machine.device_name and machine.memory_bytes > 2**20 and machine.cuda is None
