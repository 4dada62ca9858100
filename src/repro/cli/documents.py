"""Keeps what the README and the text pages show equal to what the project does.

The README's picture is drawn from the same data as the book's lead figure, and every

    ```console
    $ repro ...

block holds the real output of its commands. ``python -m repro.cli.documents`` renews both;
a test says when they are out of date.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

from repro.book.chapters import welcome as lead
from repro.book.kit.figures import show, use_house_style
from repro.paths import root

DOCUMENTS = ("README.md", "chapters/how-to-use.md")
PICTURES = {"_static/readme-light.svg": "#1f2328", "_static/readme-dark.svg": "#e6edf3"}
"""The README's picture, once for each background, and the colour of its text."""

FONTS = "-apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif"
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CUT = "..."
"""A line that stands for the rest of a command's output."""


def picture(ink: str) -> str:
    """The lead figure as an SVG file for a background on which ``ink`` can be read."""
    use_house_style()
    svg = show(lead.lead_figure(lead.networks()), "lead", alt=lead.ALT, caption="").svg
    return (
        svg.replace("currentColor", ink).replace("font-family:sans-serif", f"font-family:{FONTS}")
        + "\n"
    )


def output_of(command: str) -> str:
    """What a ``repro`` command prints, on both streams, run in this process."""
    from repro.cli.app import main

    words = shlex.split(command)
    if words[:1] != ["repro"]:
        raise ValueError(f"a console block can only hold repro commands, not {command!r}")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        main(words[1:])
    return printed.getvalue()


def renewed(text: str) -> str:
    """A document with the real output in each of its console blocks.

    Output that ended in ``...`` is cut after as many lines as before.
    """

    def block(match: re.Match[str]) -> str:
        out: list[str] = []
        for part in re.split(r"^(?=\$ )", match[1], flags=re.MULTILINE):
            if not part:
                continue
            first, *before = part.rstrip("\n").split("\n")
            after = output_of(first.removeprefix("$ ")).rstrip("\n").split("\n")
            if before and before[-1] == CUT:
                after = [*after[: len(before) - 1], CUT]
            out += [first, *(line.rstrip() for line in after if after != [""])]
        return "```console\n" + "\n".join(out) + "\n```"

    return CONSOLE.sub(block, text)


def contents() -> dict[Path, str]:
    """Every file this module looks after, and what it should hold."""
    files = {root() / name: picture(ink) for name, ink in PICTURES.items()}
    for name in DOCUMENTS:
        path = root() / name
        files[path] = renewed(path.read_text(encoding="utf-8"))
    return files


if __name__ == "__main__":
    for path, text in contents().items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"renewed {path.relative_to(root())}")
