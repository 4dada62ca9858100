"""Records of timings and of peak rates, made up."""

from repro.records import (
    Machine,
    PeakRecord,
    Protocol,
    State,
    Subject,
    TimingRecord,
    TrapRecord,
    stamp,
    timing_inputs,
)

MACHINE = Machine(
    device="cpu",
    device_name="a processor",
    memory_bytes=8,
    compute_units=2,
    capability="AVX2",
    python="3.11",
    system="Linux",
    torch="2.15",
    timm="1.0",
)


def timing(name="a network", samples=(0.2, 0.1, 0.3), **changes):
    """A valid record, made up."""
    subject = Subject(name=name, base=name, resolution=32, params=10, flops=4, acts=3, kernels=2)
    protocol = changes.pop("protocol", Protocol(threads=1))
    machine = changes.pop("machine", MACHINE)
    fields = {
        "batch": 2,
        "iterations": 1,
        "samples_s": samples,
        "settled": True,
        "before": State(),
        "under_load": State(),
    }
    start = stamp(TimingRecord.entry, timing_inputs(subject, protocol), machine)
    return TimingRecord(**start, subject=subject, protocol=protocol, **{**fields, **changes})


def peak():
    """A valid record of peak rates, made up."""
    protocol = Protocol()
    start = stamp(PeakRecord.entry, {"kind": "peak", "protocol": protocol.inputs()}, MACHINE)
    return PeakRecord(
        **start,
        protocol=protocol,
        matmul_size=8,
        copy_size=8,
        matmul_flops=(1e12, 2e12),
        copy_bytes=(3e9, 1e9),
    )


def traps(samples):
    """A valid record of traps, made up: samples by trap, by way and for each process."""
    processes = len(next(iter(next(iter(samples.values())).values())))
    setting = {"network": "EN-B0", "rounds": 2, "threads": 1, "cores": 2}
    inputs = {"kind": "traps", "setting": setting, "processes": processes}
    return TrapRecord(
        **stamp(TrapRecord.entry, inputs, MACHINE),
        setting=setting,
        processes=processes,
        samples_s=samples,
        before=State(load=0.1),
        after=State(load=0.9),
    )
