"""A chapter's markdown as Jupyter shows it: what only the book's builder understands, in words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from repro.paths import root

_ROLE = re.compile(r"\{([a-z]+(?::[a-z]+)?)\}`([^`]+)`")
_FENCE = re.compile(r"(:{3,}|`{3,})\{([a-z-]+)\}[ ]*(.*)")
_DROPPED = ("bibliography", "solution-end", "contents")
_OPTION = re.compile(r":[a-z-]+:.*")
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:|#|mailto:)([^)\s]+)\)")


@cache
def headings(folder: Path) -> dict[str, str]:
    """Titles by what a link may say: a chapter's file, or a label that stands above a heading."""
    found = {}
    for path in sorted(folder.iterdir()):
        text = path.read_text(encoding="utf-8") if path.suffix in (".ipynb", ".md") else ""
        if path.suffix == ".ipynb":
            cells = json.loads(text)["cells"]
            text = "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
        if title := re.search(r"^# (.+)$", text, re.MULTILINE):
            found[path.stem] = title[1]
        found |= re.findall(r"^\(([^)\n]+)\)=\n#+ (.+)$", text, re.MULTILINE)
    return found


@cache
def _bibliography(path: Path) -> Any:
    from pybtex.database import parse_file

    return parse_file(str(path), "bibtex").entries


def _surname(person: Any) -> str:
    text = " ".join([*person.prelast_names, *person.last_names])
    from pybtex.richtext import Text

    return str(Text.from_latex(text))


def cite(kind: str, keys: str) -> str:
    """``Dollár et al. (2021)`` for kind ``t``, ``(Dollár et al., 2021)`` for all others."""
    made = []
    for key in keys.split(","):
        entry = _bibliography(root() / "references.bib")[key.strip()]
        people = [_surname(p) for p in entry.persons.get("author", [])]
        short = " and ".join(people) if len(people) < 3 else f"{people[0]} et al."
        short, year = short or key.strip(), entry.fields.get("year", "")
        made.append(f"{short} ({year})" if kind == "t" else f"{short}, {year}")
    return " and ".join(made) if kind == "t" else f"({'; '.join(made)})"


def _role(match: re.Match[str], numbers: Mapping[str, str]) -> str:
    role, text = match.groups()
    if role.startswith("cite"):
        return cite(role.partition(":")[2], text)
    if titled := re.fullmatch(r"(.*?)\s*<([^>]*)>", text, re.DOTALL):
        return titled[1]
    if role in ("doc", "ref", "numref"):
        return headings(root() / "chapters").get(Path(text).name, text)
    if role == "exhibit":
        return numbers.get(text, "the figure" if text.startswith("fig-") else "the table")
    return text


def plain(markdown: str, numbers: Mapping[str, str] | None = None) -> str:
    """Markdown without roles, directives and labels.

    Args:
        markdown: of one cell, its glued numbers written out.
        numbers: what ``{exhibit}`` says for each anchor, for example ``"Figure 2.3"``.
    """
    text = _ROLE.sub(lambda match: _role(match, numbers or {}), markdown)
    text = _LINK.sub(
        lambda m: m[1] or headings(root() / "chapters").get(Path(m[2]).name, m[2]), text
    )
    text = re.sub(r"^\([^)\n]+\)=\n", "", text, flags=re.MULTILINE)
    lines: list[str] = []
    open_fences: list[tuple[str, str]] = []  # the fence that closes it, what its lines begin with
    options = False
    for line in text.split("\n"):
        margin = open_fences[-1][1] if open_fences else ""
        options = options and bool(_OPTION.fullmatch(line.strip()) or not line.strip())
        if opening := _FENCE.fullmatch(line.strip()):
            fence, name, title = opening.groups()
            head, inner = _opening(name, title)
            lines += [margin + part for part in head]
            open_fences.append((fence, margin + inner))
            options = True
        elif open_fences and line.strip() == open_fences[-1][0]:
            lines.append(open_fences.pop()[1].rstrip().removesuffix(">").rstrip())
            options = False
        elif not options:
            lines.append((margin + line).rstrip() if margin else line)
        elif not line.strip():
            options = False
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _opening(name: str, title: str) -> tuple[list[str], str]:
    """What stands for the first line of a directive, and what its other lines begin with."""
    if name in _DROPPED:
        return [], ""
    if name == "exercise":
        return [f"**Exercise** ({title})" if title else "**Exercise**", ""], ""
    if name.startswith("solution"):
        return ["**Solution**", ""], ""
    return [f"> **{title or name.capitalize()}**", ">"], "> "
