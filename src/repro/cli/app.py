"""The command line: one sub-command per verb, and one place that turns errors into exit status.

Every verb imports what it needs when it is called, so that counting never waits for torch.
"""

from __future__ import annotations

from repro import interrupt

with interrupt.leaving_at_once():
    import importlib.metadata
    import json
    import os
    import sys
    import warnings
    from collections.abc import Sequence
    from dataclasses import asdict
    from io import TextIOWrapper
    from pathlib import Path
    from typing import Annotated, Any, Literal

    import typer

    from repro.cli import timing as cli_time
    from repro.cli import training as cli_train
    from repro.errors import InputError

# Help and errors stay plain text: one line per error, and no import of rich at each start.
app = typer.Typer(
    name="repro",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON in place of a table.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        print("repro", importlib.metadata.version("repro"))
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    """Model scaling and accelerator-friendly networks, from "Fast and Accurate Model
    Scaling" and "Searching for Fast Model Families on Datacenter Accelerators" (CVPR 2021).

    \b
    Start here:
      repro list
      repro complexity EN-B0
      repro complexity EN-B0 --strategy dWr --scale 4
      repro claims

    One multiply-add is one flop. Counting needs no GPU and builds no network.
    """


@app.command("list")
def list_zoo(as_json: AsJson = False) -> None:
    """Print every base network with its counts.

    RegNetY-4.0GF (the authors' public zoo) and RegNetY-4GF (the paper's own, never
    published and recovered here from its figures) are different networks.

    \b
    Examples:
      repro list
      repro list --json
    """
    from repro.cli.rows import zoo_rows
    from repro.cli.text import zoo_text

    rows = zoo_rows()
    print(_json_lines(rows) if as_json else zoo_text(rows))


@app.command()
def complexity(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A base network; `repro list` prints all names."),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(metavar="S", help="How to scale, see above. Needs --scale."),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(
            metavar="X",
            help="Factor on flops: finite and positive, such as 4, 0.5 or 8.2. Needs --strategy.",
        ),
    ] = None,
    resolution: Annotated[
        str | None,
        typer.Option(
            metavar="R",
            help="Count at R x R pixels, in place of the (scaled) network's own resolution.",
        ),
    ] = None,
    grid: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Count a JSON list of networks; - reads standard input."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Count flops, params and acts of one network or of a grid.

    Counts are exact, and given with their parts.

    Strategies say which of depth d, width w, group width g and resolution r grow, and with
    which weights: d, dwgr, w1_g1, d1_w8_g8_r1 (or its alias dWr). They have the meaning of
    the authors' code, in which a bare w leaves group width alone. In the paper group width
    always follows width: its w is w1_g1 here, its dwr is dwgr. The two readings give
    different networks wherever convs are grouped (RegNets, ResNets, ResNeXts).

    \b
    Examples:
      repro complexity RegNetY-4.0GF
      repro complexity EN-B0 --strategy dWr --scale 4
      repro complexity RegNetZ-4GF --strategy w1_g1 --scale 8 --json
      repro complexity R-50-1x64d --resolution 288
      repro complexity --grid grid.json --json

    \b
    A grid file holds one object per network; a null type leaves the base unscaled:
      [{"base": "EN-B0", "scale_type": "dWr", "scale": 4},
       {"base": "X-50-32x4d", "scale_type": null, "scale": null}]
    """
    from repro.cli import rows as catalog
    from repro.cli import text as console

    if grid is not None:
        single = {
            "NAME": name,
            "--strategy": strategy,
            "--scale": scale,
            "--resolution": resolution,
        }
        if given := [option for option, value in single.items() if value is not None]:
            raise InputError(f"--grid cannot be combined with {', '.join(given)}")
        rows = catalog.grid_rows(grid)
        print(_json_lines(rows) if as_json else console.grid_text(rows))
        return
    if name is None:
        raise InputError("give a NAME (`repro list` prints them) or --grid FILE")
    row = catalog.describe(
        name,
        strategy,
        None if scale is None else catalog.read_scale(scale),
        None if resolution is None else catalog.read_resolution(resolution),
    )
    print(json.dumps(row) if as_json else console.network_text(row))


app.command()(cli_time.time)
app.command()(cli_time.compare)
app.command()(cli_train.train)
app.command()(cli_train.sweep)


@app.command()
def run(
    chapter: Annotated[
        str | None, typer.Argument(metavar="CHAPTER", help="Name of a chapter; see above.")
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option("-p", metavar="NAME=VALUE", help="Set a parameter; may be repeated."),
    ] = None,
    tier: Annotated[
        Literal["smoke", "laptop", "gpu", "paper"],
        typer.Option(help="How much to compute: seconds, minutes on a CPU, a GPU, or all."),
    ] = "smoke",
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the executed chapter goes."),
    ] = None,
) -> int:
    """Execute a chapter with your own parameters.

    The result gets a folder of its own; the stored chapter stays as it is.

    \b
    Chapters:
      what-scaling-costs, the-dial, why-flops-mislead,
      timing-honestly, what-predicts-runtime, fast-scaling-in-practice,
      does-accuracy-survive, accelerator-search-space, efficientnet-x,
      time-your-own, rounding-and-tables, counting-conventions, scoreboard

    \b
    Examples:
      repro run rounding-and-tables
      repro run rounding-and-tables -p 'scales=[1, 2, 4]' --tier laptop --out runs/mine
    """
    from repro.book.parameters import chapters
    from repro.book.run import run_chapter

    if chapter is None:
        raise InputError(f"give a CHAPTER: {', '.join(chapters())}")
    return run_chapter(chapter, parameters or [], tier, out)


@app.command()
def claims(as_json: AsJson = False) -> None:
    """Print the papers' claims and how they fare here.

    A claim is judged by exact counts, or by records of what was measured.

    \b
    Examples:
      repro claims
      repro claims --json
    """
    from repro.claims import judge, load
    from repro.cli.text import claims_text

    ledger = load()
    judged = [judge(claim) for claim in ledger.claims]
    if as_json:
        rows = [asdict(j) for j in judged]
        print(_json_lines([{k: row[k] for k in row if k != "points"} for row in rows]))
    else:
        print(claims_text(ledger.papers, judged))


def _json_lines(rows: Sequence[Any]) -> str:
    """A JSON list with one element per line."""
    return "[\n" + ",\n".join(map(json.dumps, rows)) + "\n]"


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """One line, without the place in the code."""
    print("warning:", message, file=sys.stderr)


def _settle_stdout() -> None:
    """Hand over what was printed; on failure, keep Python from flushing again at exit."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    0: done. 1: the result could not be written. 2: bad input, one line on standard error.
    130: interrupted.
    """
    try:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # whatever the locale can show
        command = typer.main.get_command(app)
        arguments = sys.argv[1:] if arguments is None else arguments
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning
                status = command.main(arguments or ["--help"], "repro", standalone_mode=False)
        finally:
            _settle_stdout()
    except (InputError, typer.TyperException) as error:
        message = error.format_message() if isinstance(error, typer.TyperException) else str(error)
        print("error:", " ".join(map(str.strip, message.splitlines())), file=sys.stderr)
        return 2
    except (KeyboardInterrupt, typer.Abort):
        return interrupt.STATUS
    except BrokenPipeError:  # whoever was reading (head, less) has seen enough
        return 1
    except OSError as error:
        print("error:", error, file=sys.stderr)
        return 1
    return status or 0
