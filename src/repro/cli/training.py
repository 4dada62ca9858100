"""``repro train`` and ``repro sweep``: what the user typed becomes runs, and outcomes text.

The command line itself is `repro.cli.app`; nothing here imports torch before it is needed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from repro.errors import InputError

Device = Annotated[
    Literal["cpu", "cuda"] | None, typer.Option(help="Where to train. [default: a GPU if any]")
]
Root = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder of the data set; digits need none.")
]
Download = Annotated[
    bool, typer.Option("--download", help="Fetch the official archive into --root if it is empty.")
]
Threads = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Of a CPU. [default: one per core]")
]


def train(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A network, or a proxy (see above).")],
    strategy: Annotated[
        str | None, typer.Option(metavar="S", help="Train it scaled so. Needs --scale.")
    ] = None,
    scale: Annotated[
        str | None, typer.Option(metavar="X", help="By this factor on flops. Needs --strategy.")
    ] = None,
    data: Annotated[
        str, typer.Option(help="digits, cifar10, tiny-imagenet, imagenet, or folder.")
    ] = "digits",
    root: Root = None,
    download: Download = False,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="[default: the recipe's]")] = None,
    seed: Annotated[int, typer.Option(metavar="K", min=0, help="Of weights, order, crops.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The run's folder. [default: a new one in runs/train]"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out where it was.")
    ] = False,
    preset: Annotated[
        str | None,
        typer.Option(metavar="P", help="fast-scaling, efficientnet-x, or small-data; see above."),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe; may be repeated."),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(metavar="N", help="Images per update, all devices together; lr follows it."),
    ] = None,
    accumulate: Annotated[
        int, typer.Option(metavar="N", min=1, help="Compute each update in N parts.")
    ] = 1,
    resolution: Annotated[
        int | None,
        typer.Option(metavar="R", help="Of the base, before scaling. [default: see above]"),
    ] = None,
    images: Annotated[
        int | None, typer.Option(metavar="N", help="Train on N images only, evenly by class.")
    ] = None,
    holdout: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Of training images, kept for choices. [default: 0.1, 0.02 on disk]",
        ),
    ] = None,
    classes: Annotated[
        int | None, typer.Option(metavar="N", help="That the data must have.")
    ] = None,
    device: Device = None,
    threads: Threads = None,
    amp: Annotated[
        Literal["none", "fp16", "bf16"] | None,
        typer.Option(help="Mixed precision. [default: bf16 or fp16 on a GPU, none on a CPU]"),
    ] = None,
    memory_format: Annotated[
        Literal["channels_last", "contiguous"], typer.Option(help="Of weights and images.")
    ] = "channels_last",
    compile_: Annotated[
        Literal["none", "graph", "inductor"],
        typer.Option("--compile", help="Eager, CUDA graph or torch.compile."),
    ] = "none",
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="That decode images, for each process. [default: one per core, shared evenly]",
        ),
    ] = None,
    skip_corrupt: Annotated[
        bool, typer.Option("--skip-corrupt", help="Go on without images that cannot be decoded.")
    ] = False,
    save_every: Annotated[
        float, typer.Option(metavar="S", min=0, help="Seconds between checkpoints.")
    ] = 60.0,
    executor: Annotated[
        Literal["here", "local", "slurm"],
        typer.Option(help="This process, or jobs of submitit: on this machine, on a cluster."),
    ] = "here",
    nodes: Annotated[int, typer.Option(metavar="N", min=1, help="Machines of a job.")] = 1,
    ranks: Annotated[int, typer.Option(metavar="N", min=1, help="Processes on each.")] = 1,
    hours: Annotated[float, typer.Option(metavar="H", help="Time limit of a job.")] = 24.0,
    cores: Annotated[int, typer.Option(metavar="N", min=1, help="Of each process of a job.")] = 1,
    partition: Annotated[
        str | None, typer.Option(metavar="P", help="Slurm's. [default: the cluster's]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
) -> int:
    """Train a network; learning curve and test error at the end, the outcome as a record.

    Networks are those of `repro list`, and three small bases made for quick experiments:
    proxy-EN, proxy-Y, proxy-Z. Strategies have the authors' meaning, in which a bare w
    leaves group width alone; the paper's w is w1_g1 here.

    digits (8 x 8 pixels, embedded) are the default. Small data sets are fed at 32 pixels
    (Tiny ImageNet: 64) to networks made for more; scaling then multiplies that. Their recipe
    is small-data; otherwise it is fast-scaling, the first paper's. efficientnet-x has the
    flags of the second paper's program.

    A run can be stopped by Ctrl-C or SIGTERM, or killed; the same command with --resume goes
    on, and on a CPU ends bit-identical. Test images are looked at once, at the end.

    \b
    Examples:
      repro train EN-B0 --data digits --epochs 2
      repro train proxy-Y --strategy dWr --scale 4 --epochs 20 --seed 1
      repro train RegNetY-500MF --data cifar10 --root data/cifar --download --out runs/mine
      repro train EN-B0 --data imagenet --root /data/imagenet --epochs 100 --out runs/b0
      torchrun --nproc-per-node 8 -m repro train EN-B0 --data imagenet --root /data/imagenet
      repro train EN-B0 --data imagenet --root /data/imagenet --executor slurm --ranks 8
    """
    from repro.cli.rows import read_scale
    from repro.training.names import IN_MEMORY
    from repro.training.plan import plan

    device = device or _device(executor)
    if skip_corrupt and data in IN_MEMORY:
        raise InputError(f"--skip-corrupt is for images on disk; of {data} all have to be whole")
    run = plan(
        name,
        data,
        strategy,
        None if scale is None else read_scale(scale),
        resolution=resolution,
        preset_name=preset,
        changes=changes or (),
        epochs=epochs,
        batch=batch,
        seed=seed,
        images=images,
        holdout=holdout,
        classes=classes,
        accumulate=accumulate,
        amp=amp or _amp(device, executor),
        memory_format=memory_format,
        compile=compile_,
    )
    if resume and out is None:
        raise InputError("--resume needs the run's folder: --out DIR")
    path = out or _new_folder(f"{run.name.replace(' ', '-')}-{data}")
    if resume and not (path / "run.json").exists():
        print(f"note: {path} holds no run; this one starts at its beginning", file=sys.stderr)
    options = {
        "root": None if root is None else str(root),
        "download": download,
        "workers": _workers(executor, cores) if workers is None else workers,
        "skip_corrupt": skip_corrupt,
        "resume": resume,
        "device": device,
        "threads": threads,
        "save_every": save_every,
    }
    if executor != "here":
        sizes = {"nodes": nodes, "ranks": ranks, "hours": hours, "cores": cores}
        return _submit(run, path, options, {**sizes, "partition": partition}, executor, as_json)
    return _train(run, path, options, as_json)


def sweep(
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", help="The runs; see above.")],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="A folder for each run, and all records.")
    ],
    root: Root = None,
    download: Download = False,
    device: Device = None,
    threads: Annotated[int, typer.Option(metavar="N", min=1, help="Of a CPU, for each run.")] = 1,
    jobs: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Runs at a time, memory permitting. [default: one per core]"
        ),
    ] = None,
    time: Annotated[
        bool,
        typer.Option("--time", help="Time an update of each network, alone; train nothing."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the runs and what they cost; train nothing.")
    ] = False,
) -> int:
    """Train many networks: strategies x scales x seeds, several at a time; one table at the end.

    What is complete is not run again, and what was interrupted goes on where it was: give the
    same command again. The file is a YAML list of blocks:

    \b
      - data: digits
        bases: [proxy-EN, proxy-Y]
        strategies: [d, w1_g1, r, dwgr, dWr]
        scales: [2, 4]
        seeds: [0, 1, 2]
        epochs: 10

    Bases are trained unscaled too, unless unscaled: false says otherwise. same_flops: true
    picks factors near the scales for which flops come out alike after rounding. Other keys
    are the options of `repro train`; set: {lr: 0.2} changes the recipe.

    Runs side by side slow each other down, so their own seconds compare badly: --time measures
    as `repro time` does, into times.jsonl in --out.

    \b
    Examples:
      repro sweep data/sweeps/first.yaml --out runs/first
      repro sweep data/sweeps/proxy_cpu.yaml --root data/cifar --out runs/proxy-cpu
      repro sweep mine.yaml --out runs/mine --jobs 4 --dry-run
    """
    from tqdm import tqdm

    from repro import records, stored
    from repro.training import sweep as s

    planned = s.read(file)
    if dry_run:
        print(_listing(planned))
        return 0
    device = device or _device("here")
    if time:
        return _time_updates(planned, out, device, threads)
    together = s.at_a_time(planned, device, jobs)
    bar = tqdm(total=len(planned), unit="run", disable=None, file=sys.stderr)
    # Rounding can make one network of two strategies, whose runs then have one key.
    there = stored.read(out / "records.jsonl") if _has_records(out) else ()
    written = {(r.key, r.subject.name) for r in there}

    def done(job: Any, answer: Any) -> None:
        bar.update()
        if isinstance(answer, str):
            tqdm.write(f"not completed: {job.name}: {answer}", file=sys.stderr)
            return
        if (answer.key, answer.subject.name) not in written:
            stored.append(out / "records.jsonl", answer)
        if bar.disable:
            error = f"test error {100 * answer.test.error:.2f} %"
            print(f"trained: {job.name}: {error}", file=sys.stderr, flush=True)

    options = {
        "root": None if root is None else str(root),
        "download": download,
        "device": device,
        "threads": threads,
    }
    try:
        summary = s.sweep(planned, out, options, together, done)
        found = summary.records
        summary.records = {job.name: found[job.name] for job in planned if job.name in found}
    except KeyboardInterrupt:
        bar.close()
        print(
            f"\nstopped; {out} holds what was done; the same command goes on from there",
            file=sys.stderr,
        )
        raise
    bar.close()
    if summary.records:
        print(s.table(summary))
    if old := [name for name, record in summary.records.items() if records.changed_code(record)]:
        print(
            f"warning: {len(old)} of these records were made by earlier code, {old[0]} among them; "
            "a fresh --out makes all anew",
            file=sys.stderr,
        )
    counts = f"{len(summary.records)} of {len(planned)} runs are complete"
    print(f"{counts}; records are in {out / 'records.jsonl'}", file=sys.stderr)
    return 1 if summary.failures else 0


def _time_updates(planned: list[Any], out: Path, device: Any, threads: int) -> int:
    """One update of each network of a sweep, as it trains; networks take turns."""
    from repro.cli.timing import measure
    from repro.records import Protocol
    from repro.runtime.jobs import Job, resolved, subject_of, unique

    jobs = []
    for planned_run in planned:
        run, setting = planned_run.run, planned_run.run.setting
        protocol = Protocol(
            device=device,
            mode="step",
            batch=setting.recipe.batch,
            dtype="fp32" if setting.amp == "none" else setting.amp,
            memory_format=setting.memory_format,
            compile=setting.compile,
            threads=threads if device == "cpu" else None,
        )
        subject = subject_of(run.net, run.base, run.strategy, run.scale)
        jobs.append(Job(run.net, subject, resolved(protocol)))
    out.mkdir(parents=True, exist_ok=True)
    return measure(unique(jobs), out / "times.jsonl", group=13, minutes=None)


def _has_records(out: Path) -> bool:
    return (out / "records.jsonl").exists()


def _listing(planned: list[Any]) -> str:
    """What a dry run prints."""
    from repro.complexity import complexity
    from repro.text import aligned

    rows = []
    for job in planned:
        count, setting = complexity(job.run.net), job.run.setting
        cells = (f"{count.flops / 1e6:.2f}", f"{count.params / 1e6:.3f}", f"{count.acts / 1e3:.1f}")
        rows.append((job.name, *cells, str(setting.recipe.epochs)))
    table = aligned(("<run", "flops (M)", "params (M)", "acts (k)", "epochs"), rows)
    return f"{table}\n\n{len(planned)} runs; nothing was run"


def _device(executor: str) -> Literal["cpu", "cuda"]:
    """A GPU where there is one; on a cluster, nobody can look from here."""
    if executor == "slurm":
        return "cuda"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _amp(device: str, executor: str) -> str:
    """Mixed precision, as in the paper, wherever there is a GPU for it."""
    if device == "cpu":
        return "none"
    import torch

    here = executor != "slurm" and torch.cuda.is_available()
    return "fp16" if here and torch.cuda.get_device_capability() < (8,) else "bf16"


def _workers(executor: str, cores: int) -> int:
    """How many decode images for each process: they share the machine, or have a job's cores."""
    if executor != "here":
        return cores
    return max(1, (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def _new_folder(name: str) -> Path:
    """runs/train/NAME, or with the next free number behind it."""
    folder, number = Path("runs", "train", name), 1
    while folder.exists():
        number += 1
        folder = Path("runs", "train", f"{name}-{number}")
    return folder


def _train(run: Any, path: Path, options: dict[str, Any], as_json: bool) -> int:
    import torch

    from repro.training.run import Options, Stopped, ranks
    from repro.training.run import run as carry_out
    from repro.training.trainer import Diverged
    from repro.training.watch import Terminal

    leads = os.environ.get("RANK", "0") == "0"

    class Announced(Terminal):
        """Says what is trained once nothing stands in its way."""

        def begin(self, step: int, steps: int) -> None:
            print(_plan_text(run, path, options["device"]), file=sys.stderr)
            super().begin(step, steps)

    watch = Announced()
    complete = (path / "record.jsonl").exists()
    try:
        result = carry_out(run, path, Options(**options), watch)
    except Diverged as error:
        watch.close()
        if leads:
            print(f"error: {error}", file=sys.stderr)
        return 1
    except torch.OutOfMemoryError:
        watch.close()
        advice = "--accumulate 2 computes each update in two parts, --amp and --batch save as well"
        print(f"error: out of GPU memory; {advice}", file=sys.stderr)
        return 1
    except RuntimeError as error:
        if ranks() == 1 or not _others_are_gone(error):
            raise
        watch.close()
        who = f"process {os.environ.get('RANK', '?')} of {ranks()}"
        print(f"error: {who} lost another one, whose own message says why", file=sys.stderr)
        return 1
    finally:
        watch.close()
    if isinstance(result, Stopped):
        if leads:
            print(
                f"stopped after update {result.step}; the same command goes on from there with "
                f"--resume --out {path}",
                file=sys.stderr,
            )
        return 128 + result.signal
    if leads:
        if complete:
            print("this run was complete before; nothing was trained", file=sys.stderr)
        _show(result, path, as_json)
    return 0


def _others_are_gone(error: RuntimeError) -> bool:
    """Whether an exchange between processes failed."""
    import torch.distributed as dist

    return isinstance(error, dist.DistError) or "gloo" in str(error)


def _plan_text(run: Any, path: Path, device: str) -> str:
    """What is about to happen, in two lines."""
    from repro.complexity import complexity

    recipe, count = run.setting.recipe, complexity(run.net)
    size = run.net.resolution
    return (
        f"{run.name} on {run.setting.data} at {size} x {size}: {count.flops / 1e6:,.1f} M flops, "
        f"{count.params / 1e6:,.2f} M params\n"
        f"{recipe.epochs} epoch{'s' * (recipe.epochs > 1)}, batch {recipe.batch}, "
        f"{recipe.optimizer}, on {device}; "
        f"everything is kept in {path}"
    )


def _show(record: Any, path: Path, as_json: bool) -> None:
    """The outcome; the curve's picture goes into the folder."""
    from repro.runtime.picture import curves_text, save_curves
    from repro.training.folder import RunFolder

    metrics = RunFolder(path).metrics()
    save_curves(metrics, path / "curve.svg")
    if as_json:
        print(record.model_dump_json())
        return
    test, epochs = record.test, len(record.curve)
    print(curves_text(metrics, epochs))
    print(
        f"\ntest error {100 * test.error:.2f} % ({test.wrong} of {test.images} images), "
        f"with the weights of epoch {record.reported_epoch} of {epochs}\n"
        f"{record.images_per_s:,.0f} images/s, {100 * record.data_s / record.train_s:.1f} % of "
        f"the time spent on getting them; record, metrics and curve.svg are in {path}"
    )


def _submit(
    run: Any,
    path: Path,
    options: dict[str, Any],
    sizes: dict[str, Any],
    executor: Any,
    as_json: bool,
) -> int:
    from repro.training.launch import Cluster, submit
    from repro.training.run import Options, Stopped

    job = submit(run, path, Options(**options), Cluster(executor, **sizes))
    print(f"job {job.job_id}; its logs are in {path / 'jobs'}", file=sys.stderr)
    if executor == "slurm":
        return 0
    try:
        result = job.results()[0]
    except Exception as error:  # submitit has several kinds, and puts a traceback in the text
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise InputError(f"the job failed: {lines[-1] if lines else error}") from None
    if isinstance(result, Stopped):
        return 128 + result.signal
    _show(result, path, as_json)
    return 0
