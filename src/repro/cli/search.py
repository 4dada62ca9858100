"""``repro search``: the best network of a space within a budget."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from repro.cli.text import DEVICE_HELP, columns, level
from repro.errors import InputError


def _opt(text: str, metavar: str | None = None, **limits: Any) -> Any:
    return typer.Option(metavar=metavar, help=text, **limits)


def search(
    context: typer.Context,
    space: Annotated[
        str | None, typer.Argument(metavar="[SPACE]", help="efficientnet or accelerator.")
    ] = None,
    budget: Annotated[
        str | None, _opt("5ms (of the whole batch), 400MF, 7Macts, 5Mparams, 1.5x.", "B")
    ] = None,
    device: Annotated[
        str | None,
        _opt(f"{DEVICE_HELP} Or FILE.jsonl, a block table. With --shared: cpu, cuda.", "D"),
    ] = None,
    batch: Annotated[
        int | None, _opt("Images at once. [default: 128; as a block table]", "N", min=1)
    ] = None,
    accuracy: Annotated[
        str, _opt("table: learned from 4,638 trained networks. Or your own.", "table|FILE.csv")
    ] = "table",
    reward: Annotated[
        Literal["hard", "soft"], _opt("hard keeps to the budget; soft is the second paper's.")
    ] = "hard",
    evaluations: Annotated[
        int | None, _opt("Networks to look at. [default: 20,000; shared: 100]", "N", min=1)
    ] = None,
    seed: Annotated[int, _opt("A search is repeated by its seed.", "K", min=0)] = 0,
    out: Annotated[Path | None, _opt("Also write the result there, as JSON.", "FILE")] = None,
    shared: Annotated[
        Path | None, _opt("Time each network here; a search that many can work on.", "FILE")
    ] = None,
    score: Annotated[
        str | None,
        _opt("Search nothing: score the networks of a file, columns e, k, l, se.", "FILE.csv"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in place of text.")] = False,
) -> None:
    """Search a space of base networks for the most accurate one within a budget.

    efficientnet is EfficientNet-B0's own space: expansion, kernel, repeats and
    squeeze-excite of each stage. accelerator is the second paper's around
    EfficientNet-X-B0; nobody published what its networks reach, so it needs your
    --accuracy, a file with columns network and error (top-1, percent), and the
    search is among the networks of the file.

    A budget of time is for ONE BATCH, of 128 images unless --batch says otherwise (that of
    `repro advise` is for one image): by prices fitted to a device that others timed, on its
    roofline, which ranks networks about as measuring does, or by the blocks that you timed with
    `repro time --blocks-of`. 1.5x is a multiple of what the space's own network needs.
    soft maximises accuracy * (cost / budget)^-0.09 instead: the budget is then only a
    unit, and does not change what is found.

    With --shared every network is timed on this machine, which takes seconds. Machines of one
    kind can work on the same file together, and a search that was killed goes on from there.

    --score predicts top-1 and milliseconds an image of networks of EfficientNet-B0's own
    space, on the devices where thousands of them were timed. A row's e, k, l, se are seven
    digits each, one for each stage: expansion 1, 4, 6; kernel 3, 5; repeats 1 to 3, in the
    sixth stage to 4; squeeze-excite 0, 1.

    \b
    Examples:
      repro search efficientnet --device V100 --budget 1x
      repro search efficientnet --budget 400MF --json
      repro search accelerator --device TPUv3 --budget 9ms --accuracy mine.csv
      repro search efficientnet --device blocks.jsonl --budget 1x
      repro search efficientnet --device cpu --batch 1 --budget 20ms --shared mine.journal
      repro search --score networks.csv --device all --json
    """
    if score is not None:
        from repro.cli.score import print_scores

        given = [name for name in context.params if _is_given(context, name)]
        if odd := [name for name in given if name not in ("score", "device", "as_json")]:
            allowed = "only --device and --json can"
            word = odd[0].upper() if odd[0] == "space" else f"--{odd[0]}"
            raise InputError(f"--score cannot be combined with {word}; {allowed}")
        print_scores(score, device or "all", as_json)
        return
    from repro.paths import write_whole
    from repro.search.budgets import read_budget
    from repro.search.problem import HERE, Problem
    from repro.search.space import SPACES
    from repro.search.space import space as find

    if space is None:
        raise InputError(f"give a SPACE ({', '.join(SPACES)}) and a --budget, or --score FILE")
    where = find(space)
    if budget is None:
        raise InputError("give a --budget, such as 5ms, 400MF, 7Macts, 5Mparams or 1x")
    if out is not None and not out.parent.is_dir():
        raise InputError(f"--out {str(out)!r}: there is no folder {str(out.parent)!r}")
    limit = read_budget(budget)
    if device in HERE and shared is None:
        hint = "; its roofline is --device CPU" if device == "cpu" else ""
        raise InputError(f"device {device!r} is measured, which needs --shared FILE{hint}")
    looks = evaluations or (100 if shared else 20_000)
    problem = Problem(where, limit, device, batch, accuracy, reward, looks, seed)
    if problem.blocks and (warning := _elsewhere(problem.blocks)):
        print(warning, file=sys.stderr)
    result = _searched(problem, shared)
    if out is not None:
        write_whole(out, (json.dumps(result, indent=1) + "\n").encode())
    print(json.dumps(result) if as_json else _text(result, problem))


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _elsewhere(blocks: Any) -> str | None:
    """A warning where the blocks were timed on another machine."""
    from repro.runtime.device import machine

    here = machine(blocks.protocol.device).device_name
    if blocks.machine.partition(",")[0] == here:
        return None
    return f"warning: these blocks were timed on {blocks.machine}; this machine is {here}"


def _searched(problem: Any, shared: Path | None) -> dict[str, Any]:
    """Search with a progress bar, which a search of two seconds never shows."""
    from tqdm import tqdm

    bar = tqdm(total=problem.evaluations, unit="network", delay=2, disable=None, file=sys.stderr)
    with bar:
        if shared is None:
            return dict(problem.cheap(bar.update))
        try:
            return dict(problem.shared(shared, lambda made: bar.update(made - bar.n)))
        except KeyboardInterrupt:
            tqdm.write(f"stopped; the same command goes on with {shared}", file=sys.stderr)
            raise


def _text(result: dict[str, Any], problem: Any) -> str:
    """What a search prints for reading."""
    base, best = result["networks"]
    both = (base, best)
    where, images = result["where"], result["batch"]
    shown = {
        "<network": [base["network"] + " (the space's own)", best["network"]],
        "top-1": ["-" if row["top1"] is None else f"{row['top1']:.2f}" for row in both],
        "ms a batch": [] if base["ms"] is None else level([row["ms"] for row in both]),
        **{k: level([row[v] / unit for row in both]) for k, (v, unit) in _COUNTS.items()},
    }
    limit = problem.shown(result["limit"])
    lines = [
        f"{result['space']}: {result['evaluations']:,} of {result['size']:.3g} networks looked at, "
        f"seed {result['seed']}; {result['reward']} budget {limit}"
        + (f"\nfor {images} image{'s' * (images > 1)} at once on {where}" if where else ""),
        "",
        columns({title: cells for title, cells in shown.items() if cells}),
        "",
    ]
    if (off := result["top1_error"]) is not None:
        lines.append(
            f"Top-1 in percent is predicted, under a short schedule, and off by {off:.2f} points\n"
            "on average for networks not seen."
        )
        if result["tied"] is not None:
            lines[-1] += f" {result['tied']:,} others that were looked at are within that."
    if problem.blocks:
        lines.append(f"Sums of blocks are off by {problem.blocks.error:.1%} (the median).")
    if not result["binds"]:
        lines.append("The budget decides nothing: no network that was looked at needs more.")
    if problem.budget.what not in ("time", "times"):
        lines.append(f"{problem.budget.what} alone decide: no time is limited.")
    elif (phi := result["phi"]) is not None:
        lines.append(
            f"Flops are {phi:.0%} of the best network's time on {where}; the rest goes to maps,"
            " and to what grows with neither."
        )
    return "\n".join(lines)


_COUNTS = {
    "flops (G)": ("flops", 1e9),
    "params (M)": ("params", 1e6),
    "acts (M)": ("acts", 1e6),
}
