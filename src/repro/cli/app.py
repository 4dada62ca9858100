"""The command line: one sub-command per verb, and one place that turns errors into exit status.

Every verb imports what it needs when it is called, so that counting never waits for torch.
"""

from __future__ import annotations

from repro import interrupt

with interrupt.leaving_at_once():
    import contextlib
    import importlib.metadata
    import json
    import os
    import sys
    import warnings
    from collections.abc import Sequence
    from io import TextIOWrapper
    from typing import Annotated, Any

    import typer

    from repro.cli import advise as cli_advise
    from repro.cli import chapters as cli_chapters
    from repro.cli import claims as cli_claims
    from repro.cli import lacs as cli_lacs
    from repro.cli import predicting as cli_predict
    from repro.cli import recording as cli_record
    from repro.cli import search as cli_search
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

# What typer raises for bad usage: a class of its own since 0.26, before that click's.
Misused: type[Exception] = getattr(typer, "TyperException", typer.BadParameter.__mro__[2])

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
    from repro.cli.text import json_lines, zoo_text

    rows = zoo_rows()
    print(json_lines(rows) if as_json else zoo_text(rows))


@app.command()
def complexity(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="A base network; `repro list` prints all. Or mine.json."
        ),
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
    paper_names: Annotated[
        bool,
        typer.Option("--paper-names", help="Read strategies w, dw, wr, dwr as the paper does."),
    ] = False,
    parts: Annotated[
        bool, typer.Option("--parts", help="Also show what the counts are made of, and the stages.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Count flops, params and acts of one network or of a grid, exactly.

    Strategies say which of depth d, width w, group width g and resolution r grow, and with
    which weights: d, dwgr, w1_g1, d1_w8_g8_r1 (or its alias dWr). They have the meaning of
    the authors' code, in which a bare w leaves group width alone. In the paper group width
    always follows width: its w is w1_g1 here, its dwr is dwgr, and --paper-names reads them
    so. The two readings give different networks, which a note then says, wherever convs are
    grouped (RegNets, ResNets, ResNeXts); elsewhere, as for EN-B0, they are the same.

    \b
    Examples:
      repro complexity RegNetY-4.0GF --parts
      repro complexity EN-B0 --strategy dWr --scale 4
      repro complexity RegNetY-4GF --strategy dwr --scale 4 --paper-names
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
        options = ("NAME", "--strategy", "--scale", "--resolution")
        values = (name, strategy, scale, resolution)
        if given := [o for o, v in zip(options, values, strict=True) if v is not None]:
            raise InputError(f"--grid cannot be combined with {', '.join(given)}")
        rows = catalog.grid_rows(grid, paper_names)
        print(console.json_lines(rows) if as_json else console.grid_text(rows))
        return
    if name is None:
        raise InputError("give a NAME (`repro list` prints them) or --grid FILE")
    factor = None if scale is None else catalog.read_scale(scale)
    size = None if resolution is None else catalog.read_resolution(resolution)
    if paper_names and strategy is not None:
        strategy = catalog.as_in_paper(strategy)
    row = catalog.describe(name, strategy, factor, size)
    catalog.note_reading([name], [(strategy, factor)])
    print(json.dumps(row) if as_json else console.network_text(row, parts))


app.command()(cli_predict.predict)
app.command()(cli_time.time)
app.command()(cli_record.record)
app.command()(cli_time.compare)
app.command()(cli_advise.advise)
app.command()(cli_lacs.lacs)
app.command()(cli_train.train)
app.command()(cli_train.sweep)
# Its own --help also lists the chapters, or the parameters of one.
app.command(context_settings={"help_option_names": []})(cli_chapters.run)
app.command()(cli_claims.claims)
app.command()(cli_search.search)


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


TORCH = {
    *("torch", "timm", "numpy", "scipy", "sklearn", "matplotlib", "tqdm", "psutil", "pynvml"),
    *("submitit", "torchvision", "PIL"),
}
"""What comes with the extra ``torch``; everything else that can be missing comes with ``book``."""


def how_to_get(error: ModuleNotFoundError) -> str:
    """Which package is not installed, and the command that installs it.

    Raises:
        ModuleNotFoundError: the same again, of a module of this project's own.
    """
    name = (error.name or "").partition(".")[0]
    if name in ("", "repro"):
        raise error
    extra = "torch" if name in TORCH else "book"
    command, about = f"pip install '.[{extra}]' in the project's folder", None
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # run from its sources
        about = importlib.metadata.distribution("repro").read_text("direct_url.json")
    if about:
        origin = json.loads(about)
        command = f"pip install 'repro[{extra}] @ {origin['url']}'"
        if origin.get("dir_info", {}).get("editable"):
            command = f"pip install -e '{origin['url'].removeprefix('file://')}[{extra}]'"
    return f"this needs {name}, which is not installed: {command}"


def _said(error: Exception) -> str:
    """What is wrong, and the value, which typer does not name where pydantic checks it."""
    message: str = getattr(error, "format_message", error.__str__)()
    found = getattr(error.__context__, "errors", None)
    if found and not isinstance(error, InputError):
        value = repr(found()[0]["input"])
        message = message.replace("Value error, ", "")
        message += f", not {value}" * (value not in message)
    return message


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
    except ModuleNotFoundError as error:
        print("error:", how_to_get(error), file=sys.stderr)
        return 2
    except (InputError, Misused) as error:
        print("error:", " ".join(map(str.strip, _said(error).splitlines())), file=sys.stderr)
        return 2
    except (KeyboardInterrupt, typer.Abort):
        return interrupt.STATUS
    except BrokenPipeError:  # whoever was reading (head, less) has seen enough
        return 1
    except OSError as error:
        print("error:", error, file=sys.stderr)
        return 1
    return status or 0
