"""``repro train`` and ``repro sweep``; nothing here imports torch before it is needed."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from repro.errors import InputError


def _opt(text: str, metavar: str | None = None, least: int | None = None) -> Any:
    return typer.Option(metavar=metavar, min=least, help=text)


def _flag(name: str, text: str) -> Any:
    return typer.Option(name, help=text)


Device = Annotated[Literal["cpu", "cuda"] | None, _opt("Where to train. [default: a GPU if any]")]
Root = Annotated[str | None, _opt("Folder of the data set; digits need none.", "DIR")]
Download = Annotated[bool, _flag("--download", "Fetch the official archive into an empty --root.")]
PaperNames = Annotated[bool, _flag("--paper-names", "Read w, dw, wr, dwr as the paper does.")]


def train(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A network, or a proxy (see above).")],
    strategy: Annotated[str | None, _opt("Train it scaled so. Needs --scale.", "S")] = None,
    scale: Annotated[str | None, _opt("By this factor on flops. Needs --strategy.", "X")] = None,
    paper_names: PaperNames = False,
    data: Annotated[str, _opt("digits, cifar10, tiny-imagenet, imagenet, or folder.")] = "digits",
    root: Root = None,
    download: Download = False,
    epochs: Annotated[int | None, _opt("[default: the recipe's]", "N")] = None,
    seed: Annotated[int, _opt("Of weights, order, crops.", "K", 0)] = 0,
    out: Annotated[
        Path | None, _opt("The run's. [default: a new one in runs/train]", "DIR")
    ] = None,
    resume: Annotated[bool, _flag("--resume", "Go on with the run in --out where it was.")] = False,
    preset: Annotated[str | None, _opt("fast-scaling, efficientnet-x, or small-data.", "P")] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe; may be repeated."),
    ] = None,
    batch: Annotated[int | None, _opt("Images per update, all devices; lr follows.", "N")] = None,
    accumulate: Annotated[int, _opt("Compute each update in N parts.", "N", 1)] = 1,
    resolution: Annotated[int | None, _opt("Of the base. [default: see above]", "R")] = None,
    images: Annotated[int | None, _opt("Train on N images only, evenly by class.", "N")] = None,
    holdout: Annotated[
        float | None, _opt("For choices. [default: 0.1; on disk 0.02]", "SHARE")
    ] = None,
    classes: Annotated[int | None, _opt("That the data must have.", "N")] = None,
    device: Device = None,
    threads: Annotated[int | None, _opt("Of a CPU. [default: one per core]", "N", 1)] = None,
    amp: Annotated[
        Literal["none", "fp16", "bf16"] | None, _opt("Mixed precision. [default: on a GPU]")
    ] = None,
    memory_format: Annotated[
        Literal["channels_last", "contiguous"], _opt("Of weights and images.")
    ] = "channels_last",
    compile_: Annotated[
        Literal["none", "graph", "inductor"], _flag("--compile", "CUDA graph or torch.compile.")
    ] = "none",
    workers: Annotated[
        int | None, _opt("Decode images, for each process. [default: a share of all cores]", "N", 0)
    ] = None,
    skip_corrupt: Annotated[bool, _flag("--skip-corrupt", "Go on without damaged images.")] = False,
    save_every: Annotated[float, _opt("Seconds between checkpoints.", "S", 0)] = 60.0,
    executor: Annotated[
        Literal["here", "local", "slurm"], _opt("Here, or as submitit's jobs; slurm: a cluster's.")
    ] = "here",
    nodes: Annotated[int, _opt("Machines of a job.", "N", 1)] = 1,
    ranks: Annotated[int, _opt("Processes on each.", "N", 1)] = 1,
    hours: Annotated[float, _opt("Time limit of a job.", "H")] = 24.0,
    cores: Annotated[int, _opt("Of each process of a job.", "N", 1)] = 1,
    partition: Annotated[str | None, _opt("Slurm's. [default: the cluster's]", "P")] = None,
    as_json: Annotated[bool, _flag("--json", "Print the record as JSON.")] = False,
) -> int:
    """Train a network; learning curve and test error at the end, the outcome as a record.

    Networks are those of `repro list`, description files (mine.json), and three small bases
    made for quick experiments: proxy-EN, proxy-Y, proxy-Z. Strategies have the authors'
    meaning, in which a bare w leaves group width alone; the paper's w is w1_g1 here;
    --paper-names reads them so.

    digits (8 x 8 pixels, embedded) are the default. Small data sets are fed at 32 pixels
    (Tiny ImageNet: 64) to networks made for more; scaling then multiplies that. Their recipe
    is small-data; otherwise it is fast-scaling, the first paper's. efficientnet-x has the
    flags of the second paper's program.

    A run can be stopped by Ctrl-C, SIGTERM or SIGHUP, or killed; the same command with
    --resume goes on, and on a CPU ends bit-identical. Test images are looked at once.

    \b
    Examples:
      repro train EN-B0 --data digits --epochs 2
      repro train proxy-Y --strategy dWr --scale 4 --epochs 20 --seed 1
      repro train RegNetY-500MF --data cifar10 --root data/cifar --download --out runs/mine
      torchrun --nproc-per-node 8 -m repro train EN-B0 --data imagenet --root /data/imagenet
      repro train EN-B0 --data imagenet --root /data/imagenet --executor slurm --ranks 8
    """
    from repro.cli.rows import as_in_paper, read_scale
    from repro.training.folder import new_place
    from repro.training.names import IN_MEMORY
    from repro.training.plan import Options, plan
    from repro.training.spec import Launched, launched

    device = device or _device(executor)
    if resume and out is None:
        raise InputError("--resume needs the run's folder: --out DIR")
    if skip_corrupt and data in IN_MEMORY:
        raise InputError(f"--skip-corrupt is for images on disk; of {data} all have to be whole")
    given: dict[str, Any] = {"resolution": resolution, "images": images, "holdout": holdout}
    given |= {"classes": classes, "epochs": epochs, "batch": batch, "seed": seed}
    given |= {"accumulate": accumulate, "memory_format": memory_format, "compile": compile_}
    given |= {"preset_name": preset, "changes": changes or (), "amp": amp or _amp(device, executor)}
    if paper_names and strategy:
        strategy = as_in_paper(strategy)
    run = plan(name, data, strategy, None if scale is None else read_scale(scale), **given)
    us = launched() if executor == "here" else Launched()
    if resume and out and not (out / "run.json").exists():
        _say(f"note: {out} holds no run; this one starts at its beginning")
    _note_reading([run])
    if workers is None:  # a share of the machine, or a job's cores
        here = max(1, (os.cpu_count() or 1) // us.local_ranks)
        workers = here if executor == "here" else cores
    options = Options(root, download, workers, skip_corrupt, resume, device, threads, save_every)
    sizes = {"nodes": nodes, "cpus_per_task": cores, "slurm_partition": partition}
    place = out or Path("runs", "train", f"{run.net.name.replace(' ', '-')}-{data}")
    with nullcontext(place) if out or us.rank else new_place(place) as path:
        if executor == "here":
            return _train(run, path, options, as_json, us)
        return _submit(run, path, options, as_json, executor, ranks=ranks, hours=hours, **sizes)


def sweep(
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", help="The runs; see above.")],
    out: Annotated[Path, _opt("A folder for each run, and all records.", "DIR")],
    paper_names: PaperNames = False,
    root: Root = None,
    download: Download = False,
    device: Device = None,
    threads: Annotated[int, _opt("Of a CPU, for each run.", "N", 1)] = 1,
    jobs: Annotated[int | None, _opt("Runs at a time, at most. [default: by core]", "N", 1)] = None,
    time: Annotated[bool, _flag("--time", "Time an update of each network; train none.")] = False,
    dry_run: Annotated[bool, _flag("--dry-run", "List the runs; train nothing.")] = False,
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

    Strategies are read as in `repro train`. Bases are trained unscaled too, unless
    unscaled: false says otherwise. same_flops: true picks factors near the scales for which
    flops come out alike after rounding. Other keys are the options of `repro train`;
    set: {lr: 0.2} changes the recipe.

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
    from repro.cli.rows import as_in_paper
    from repro.training import sweep as s
    from repro.training.plan import Options

    planned = s.read(file, as_in_paper if paper_names else str)
    _note_reading([job.run for job in planned])
    if dry_run:
        return _list(planned)
    device = device or _device("here")
    if time:
        return _time_updates(planned, out, device, threads)
    together = s.at_a_time(planned, device, jobs)
    bar = tqdm(total=len(planned), unit="run", disable=None, file=sys.stderr)
    kept = out / "records.jsonl"
    # Rounding can make one network of two strategies, whose runs then have one key.
    written = {(r.key, r.subject.name) for r in (stored.read(kept) if kept.exists() else ())}

    def done(job: Any, answer: Any) -> None:
        bar.update()
        if isinstance(answer, str):
            tqdm.write(f"not completed: {job.name}: {answer}", file=sys.stderr)
            return
        if (answer.key, answer.subject.name) not in written:
            stored.append(kept, answer)
        if bar.disable:
            _say(f"trained: {job.name}: test error {100 * answer.test.error:.2f} %")

    options = Options(root=root, download=download, device=device, threads=threads)
    try:
        answers = s.sweep(planned, out, options, together, done)
    except KeyboardInterrupt:
        bar.close()
        _say(f"\nstopped; {out} holds what was done; the same command goes on from there")
        raise
    bar.close()
    complete = {name: a for name, a in answers.items() if not isinstance(a, str)}
    if complete:
        print(s.table([*complete.values()]))
    if old := [name for name, record in complete.items() if records.changed_code(record)]:
        which = f"{len(old)} of these records were made by earlier code, {old[0]} among them"
        _say(f"warning: {which}; a fresh --out makes all anew")
    where = f"records are in {kept}" if kept.exists() else "there are no records yet"
    _say(f"{len(complete)} of {len(planned)} runs are complete; {where}")
    return int(len(complete) < len(planned))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _note_reading(runs: list[Any]) -> None:
    """One line where a strategy leaves group width alone and the paper's of that name does not."""
    from repro.cli.rows import note_reading

    leads = os.environ.get("RANK", "0") == "0"
    asked = {(r.base, r.strategy.grammar, r.scale): r.net for r in runs if r.strategy and leads}
    for (base, grammar, scale), net in asked.items():  # a scaled network's convs are grouped alike
        bare = "".join(part.removesuffix("1") for part in grammar.split("_"))  # w1_r1: wr
        if note_reading([base], [(bare, scale)], {base: net}.__getitem__):
            return


def _time_updates(planned: list[Any], out: Path, device: Any, threads: int) -> int:
    """One update of each network of a sweep, as it trains; networks take turns."""
    from repro.cli.timing import measure
    from repro.records import Protocol
    from repro.runtime.jobs import Job, resolved, subject_of, unique

    jobs = []
    for run in (job.run for job in planned):
        setting, subject = run.setting, subject_of(run.net, run.base, run.strategy, run.scale)
        protocol = Protocol(
            device=device,
            mode="step",
            batch=setting.recipe.batch,
            dtype="fp32" if setting.amp == "none" else setting.amp,
            memory_format=setting.memory_format,
            compile=setting.compile,
            threads=threads if device == "cpu" else None,
        )
        jobs.append(Job(run.net, subject, resolved(protocol)))
    out.mkdir(parents=True, exist_ok=True)
    return measure(unique(jobs), out / "times.jsonl", group=13, minutes=None)


def _list(planned: list[Any]) -> int:
    """A dry run."""
    from repro.complexity import complexity
    from repro.text import aligned

    rows = []
    for job in planned:
        c, epochs = complexity(job.run.net), job.run.setting.recipe.epochs
        cells = f"{c.flops / 1e6:.2f} {c.params / 1e6:.3f} {c.acts / 1e3:.1f} {epochs}"
        rows.append((job.name, *cells.split()))
    print(aligned(("<run", "flops (M)", "params (M)", "acts (k)", "epochs"), rows))
    print(f"\n{len(planned)} runs; nothing was run")
    return 0


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


def _train(run: Any, path: Path, options: Any, as_json: bool, us: Any) -> int:
    import torch
    import torch.distributed as dist

    from repro.training.run import run as carry_out
    from repro.training.trainer import Diverged
    from repro.training.watch import Terminal

    leads, complete = us.rank == 0, (path / "record.jsonl").exists()
    watch = Terminal(_plan_text(run, path, options.device))

    def fails(problem: object) -> int:
        watch.close()
        _say(f"error: {problem}")
        return 1

    try:
        result = carry_out(run, path, options, watch)
    except Diverged as error:  # all processes see it
        return fails(error) if leads else 1
    except (RuntimeError, MemoryError) as error:
        gpu = isinstance(error, torch.OutOfMemoryError)
        if gpu or isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):
            advice = "--accumulate 2 computes each update in two parts, --amp and --batch save too"
            return fails(f"out of {'GPU ' * gpu}memory; {advice}")
        if us.ranks == 1 or not (isinstance(error, dist.DistError) or "gloo" in str(error)):
            raise
        which = f"process {us.rank} of {us.ranks}"
        return fails(f"{which} lost another one, whose own message says why")
    finally:
        watch.close()
    if leads and complete:
        _say("this run was complete before; nothing was trained")
    return _end(result, path, as_json, leads)


def _end(result: Any, path: Path, as_json: bool, leads: bool = True) -> int:
    """Exit status of a run, which has its record or was stopped; the leading process says it."""
    from repro.training.run import Stopped

    if isinstance(result, Stopped):
        if leads:
            again = f"the same command goes on from there with --resume --out {path}"
            _say(f"stopped after update {result.step}; {again}")
        return 128 + result.signal
    if leads:
        _show(result, path, as_json)
    return 0


def _plan_text(run: Any, path: Path, device: str) -> str:
    """What is about to happen, in two lines."""
    from repro.complexity import complexity

    recipe, size, counts = run.setting.recipe, run.net.resolution, complexity(run.net)
    return (
        f"{run.net.name} on {run.setting.data} at {size} x {size}: "
        f"{counts.flops / 1e6:,.1f} M flops, {counts.params / 1e6:,.2f} M params\n"
        f"{recipe.epochs} epoch{'s' * (recipe.epochs > 1)}, batch {recipe.batch}, "
        f"{recipe.optimizer}, on {device}; everything is kept in {path}"
    )


def _show(record: Any, path: Path, as_json: bool) -> None:
    """The outcome; the curve's picture goes into the folder."""
    from repro.runtime.picture import curves_text, save_curves
    from repro.training.folder import RunFolder

    metrics = RunFolder(path).metrics()
    try:
        save_curves(metrics, path / "curve.svg")
    except Exception as error:  # whatever a reader's plotting is set to; the result is there
        _say(f"warning: no curve.svg: {' '.join(str(error).split())}")
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


def _submit(run: Any, path: Path, options: Any, as_json: bool, executor: str, **sizes: Any) -> int:
    from repro.training.launch import JobFailed, Task, result_of, submit

    job = submit(Task(run, path.resolve(), options), executor, **sizes)
    _say(f"job {job.job_id}; its logs are in {path / 'jobs'}")
    if executor == "slurm":
        return 0
    try:
        result = result_of(job)
    except JobFailed as error:
        _say(f"error: {error}")
        return 1
    return _end(result, path, as_json)
