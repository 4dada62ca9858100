"""``repro run``: a chapter with other parameters, and what its parameters are."""

from __future__ import annotations

import shlex
from contextlib import suppress
from pathlib import Path
from textwrap import TextWrapper
from typing import Annotated, Literal

import typer

from repro.errors import InputError

LINES = TextWrapper(96, subsequent_indent="      ", break_on_hyphens=False)


def run(
    context: typer.Context,
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
        typer.Option(metavar="DIR", help="Where page and notebook go. [default: runs/CHAPTER-N]"),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    list_: Annotated[
        bool, typer.Option("--list", help="List the chapters, or the parameters of CHAPTER.")
    ] = False,
    help_: Annotated[
        bool, typer.Option("--help", help="Show this message, or the parameters of CHAPTER.")
    ] = False,
) -> int:
    """Execute a chapter with your own parameters, and make its page.

    Page and notebook get a folder of their own; the stored chapter stays as it is. Said at
    the end, in words: which tables, figures and numbers differ from the stored chapter's.

    \b
    Examples:
      repro run --list
      repro run what-scaling-costs --list
      repro run what-scaling-costs -p depth=8 --open
      repro run rounding-and-tables -p 'scales=[1, 2, 4]' --tier laptop --out runs/mine
    """
    from repro.book.parameters import chapters, titles

    if chapter is None and not (list_ or help_):
        raise InputError(f"give a CHAPTER: {', '.join(chapters())}")
    if chapter is None:
        width = max(map(len, chapters()), default=0)
        rows = [f"  {name:<{width}}  {title}" for name, title in titles().items()]
        head = [context.get_help(), ""] if help_ else []
        print("\n".join([*head, "Chapters, in the book's order:", *rows]))
    elif list_ or help_:
        print(parameters_text(chapter))
    else:
        from repro.book.run import run_chapter

        return run_chapter(chapter, parameters or [], tier, out, show)
    return 0


def parameters_text(chapter: str) -> str:
    """A chapter's parameters: what each is, what it may be, and what the tiers change."""
    from repro.book.parameters import allowed, parameters_of, titles

    model, kinds = parameters_of(chapter), allowed(chapter)
    lines = [f"{chapter}: {titles()[chapter]}", ""]
    for name, field in model.model_fields.items():
        text = f"{field.description}. Allowed: {kinds[name]}. [default: {field.default}]"
        lines += [f"  {name}", LINES.fill(f"      {text}")]
    lines += [""] if kinds else ["  no parameters", ""]
    for tier, values in model.tiers.items():
        changed = ", ".join(f"{name} = {value}" for name, value in values.items())
        lines.append(LINES.fill(f"--tier {tier}: {changed}"))
    lines += [] if model.tiers else ["All tiers compute the same."]
    return "\n".join([*lines, f"Example: repro run {chapter}{_example(chapter)} --open"])


def _example(chapter: str) -> str:
    """`` -p NAME=VALUE`` for a shell, with a value that is not the default; or nothing."""
    from repro.book.parameters import allowed, parameters_of, resolve

    for name, kind in allowed(chapter).items():
        old, others = parameters_of(chapter).model_fields[name].default, kind.split(" or ")
        if isinstance(old, list):
            others = ["[EN-B0, ResNet-50]", "[H100]", str(old[:-1]).replace("'", "")]
        elif isinstance(old, bool | int | float):
            others = [str(not old)] if isinstance(old, bool) else [str(2 * old), str(old - 1)]
        for text in (f"{name}={other}" for other in others if old is not None):
            with suppress(InputError):
                if resolve(chapter, [text], "smoke")[name] != old and len(text) < 40:
                    return f" -p {shlex.quote(text)}"
    return ""
