"""Records of machines that do not exist, whose times follow a stated law; for tests."""

from dataclasses import replace
from functools import cache

from made_up_records import MACHINE

from repro.records import PeakRecord, State, TimingRecord, TrafficRecord, stamp, timing_inputs
from repro.runtime.jobs import PeakJob, TrafficJob, named_sweep
from repro.stored import append

CPU = MACHINE.model_copy(update={"device_name": "Made-up CPU"})
GPU = MACHINE.model_copy(
    update={"device": "cuda", "device_name": "Made-up H200", "cuda": "13", "cudnn": "9"}
)


# Of networks of timm's not everything is counted, and of none the operations.
ACTS, FLOPS, KERNELS = 30e6, 5e9, 200


def by_acts(subject):
    """Seconds of one image on a machine that does nothing but write activations."""
    return 1e-9 * (subject.acts or ACTS)


def by_flops(subject):
    """Seconds of one image on a machine that does nothing but multiply."""
    return 1e-11 * (subject.flops or FLOPS)


def by_all(subject):
    """Seconds of one image on a machine that writes, multiplies and launches."""
    launches = 3e-5 * (subject.kernels or KERNELS)
    return by_acts(subject) + 0.3 * by_flops(subject) + launches


@cache
def sweep(plan):
    """The jobs of a named sweep, with the threads of a machine of two cores."""
    tasks = []
    for task in named_sweep(plan):
        if task.protocol.device == "cpu" and task.protocol.threads != 1:
            task = replace(task, protocol=task.protocol.model_copy(update={"threads": 2}))
        tasks.append(task)
    return tuple(tasks)


def records(plan, law, machine, peak=1e12, keep=lambda task: True):
    """A whole sweep as if it had been run: each network takes what the law says per image.

    Training takes three times as long as inference, and 10 bytes of memory for each activation.
    """
    return of_tasks(filter(keep, sweep(plan)), law, machine, peak)


def of_tasks(tasks, law, machine, peak=1e12):
    """The same of any tasks."""
    made = []
    for task in tasks:
        if isinstance(task, PeakJob):
            start = stamp(PeakRecord.entry, task.inputs(), machine)
            sizes = {"matmul_size": 8, "copy_size": 8, "copy_bytes": (peak / 50,)}
            protocol = task.protocol
            made.append(PeakRecord(**start, protocol=protocol, matmul_flops=(peak,), **sizes))
            continue
        subject, protocol = task.subject, task.protocol
        if isinstance(task, TrafficJob):
            start = stamp(TrafficRecord.entry, task.inputs(), machine)
            moved = {"read_bytes": 5 * subject.acts * protocol.batch, "launches": 9}
            moved |= {"written_bytes": 3 * subject.acts * protocol.batch, "batch": protocol.batch}
            made.append(TrafficRecord(**start, subject=subject, protocol=protocol, **moved))
            continue
        batch = 128 if protocol.batch == "max" else protocol.batch
        seconds = law(subject) * batch * (1 if protocol.mode == "infer" else 3)
        start = stamp(TimingRecord.entry, timing_inputs(subject, protocol), machine)
        bytes_used = 10 * int(subject.acts or ACTS) * batch
        on_gpu = machine.device == "cuda"
        memory = {"peak_allocated": bytes_used} if on_gpu else {"peak_rss": bytes_used}
        made.append(
            TimingRecord(
                **start,
                subject=subject,
                protocol=protocol,
                batch=batch,
                iterations=1,
                samples_s=(seconds, 1.01 * seconds, 0.99 * seconds),
                settled=True,
                energy_j=700 * 3 * seconds if on_gpu else None,
                before=State(),
                under_load=State(power_w=700.0 if on_gpu else None),
                **memory,
            )
        )
    return made


def write(folder, name, made):
    """Append records to ``data/records/NAME.jsonl`` under a made-up root, and return the file."""
    path = folder / "data" / "records" / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    for record in made:
        append(path, record)
    return path
