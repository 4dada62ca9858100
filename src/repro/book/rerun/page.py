"""An executed chapter as one HTML file in the book's style, and an index of all own runs.

The page is made by the book's own builder, from a project that holds this one chapter and, of all
others, their headings. What the builder puts beside a page is then put into it, so that the file
can be moved, mailed, and opened from disk.
"""

from __future__ import annotations

import base64
import json
import mimetypes
import os
import re
import shutil
import tempfile
from html import escape
from pathlib import Path
from typing import Any

from repro.errors import InputError
from repro.paths import root

STYLE = """
.repro-changed { text-decoration: underline dotted 2px; text-underline-offset: 3px; cursor: help; }
"""


def render(notebook: Any, chapter: str, target: Path) -> dict[str, str]:
    """Write a notebook's page; takes about five seconds.

    Args:
        notebook: executed, its glued numbers written out or not.
        chapter: its name in the book.
        target: the HTML file to write.

    Returns:
        What links to the page's own exhibits say, by anchor: ``{"fig-x": "Figure 2.3"}``.

    Raises:
        InputError: the builder failed.
    """
    import nbformat
    from jupyter_book.sphinx import build_sphinx

    with tempfile.TemporaryDirectory(prefix="repro-page-") as name:
        project = Path(name)
        _lay_out(project, chapter)
        nbformat.write(notebook, project / "chapters" / f"{chapter}.ipynb")
        html = project / "_build" / "html"
        (html / "_static").mkdir(parents=True)
        status = build_sphinx(
            str(project),
            str(html),
            noconfig=True,
            path_config=str(project / "_config.yml"),
            confoverrides={"latex_individualpages": False},
            really_quiet=True,
        )
        page = html / "chapters" / f"{chapter}.html"
        if status or not page.is_file():
            raise InputError(f"no page could be made of {chapter}: {status}")
        text = _in_one_file(page, target)
    target.write_text(text, encoding="utf-8")
    links = re.findall(r'<a[^>]*href="#((?:fig|tab)-[^"]+)"[^>]*>(.*?)</a>', text, re.DOTALL)
    return {anchor: re.sub(r"<[^>]+>", "", shown) for anchor, shown in links}


def _lay_out(project: Path, chapter: str) -> None:
    """The project: the book's settings, and of every other page what a link needs to know."""
    import yaml

    book = root()
    shutil.copytree(book / "_static", project / "_static")
    for name in ("_toc.yml", "references.bib"):
        shutil.copy(book / name, project)
    settings = yaml.safe_load((book / "_config.yml").read_text(encoding="utf-8"))
    settings["execute"] = {"execute_notebooks": "off"}
    (project / "_config.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    (project / "chapters").mkdir()
    for path in (book / "chapters").iterdir():
        if path.stem != chapter and path.suffix in (".ipynb", ".md"):
            stub = project / "chapters" / f"{path.stem}.md"
            stub.write_text(_stub(path), encoding="utf-8")


_HEADING = r"(?:\([^)\n]+\)=\n)?#{1,4} .*$"
_EXERCISE = r":::\{exercise\}.*\n(?::.*\n)+"


def _stub(path: Path) -> str:
    """Headings, labels and exercises of a page; the glossary and the bibliography whole."""
    text = path.read_text(encoding="utf-8")
    if path.stem in ("glossary", "bibliography"):
        return text
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    else:
        text = re.sub(r"^(`{3,})[^`].*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"\{[a-z:]+\}`[^`]*`", "", text)
    parts = re.findall(f"^(?:{_HEADING}|{_EXERCISE})", text, re.MULTILINE)
    return "\n\n".join(p if not p.startswith(":::") else f"{p}\n.\n:::" for p in parts)


def _in_one_file(page: Path, target: Path) -> str:
    """The page with its style sheets, scripts and pictures inside, and links that lead somewhere.

    Args:
        page: as the builder left it.
        target: where it will stand; links to the built book are made relative to it.
    """
    text = page.read_text(encoding="utf-8")

    def beside(address: str) -> Path:
        return (page.parent / address.partition("?")[0]).resolve()

    def sheet(match: re.Match[str]) -> str:
        path = beside(match[1])
        css = re.sub(r"/\*# sourceMapping.*?\*/", "", path.read_text(encoding="utf-8"))
        # Of the theme's fonts only the one of the icons in boxes; its script draws all others.
        css = re.sub(r"@font-face\s*\{(?![^}]*fa-solid)[^}]*\}", "", css)
        css = re.sub(r",\s*url\([^)]*\)\s*format\(.?truetype.?\)", "", css)
        css = re.sub(
            r"url\(\s*[\"']?(?!data:|#)([^)\"']+)[\"']?\s*\)",
            lambda m: f"url({_data(path.parent / m[1])})",
            css,
        )
        return f"<style>{css}</style>"

    late: list[str] = []

    def script(match: re.Match[str]) -> str:
        before, address, after = match.groups()
        path = beside(address)
        if path.name == "tex-chtml.js":  # this one would fetch fonts; that one draws letters
            path = path.with_name("tex-svg.js")
        code = path.read_text(encoding="utf-8")
        code = re.sub(r"^//# sourceMapping.*$", "", code, flags=re.MULTILINE)
        code = code.replace("</script", "<\\/script").replace("<!--", "<\\!--")
        attributes = re.sub(r"\s*\b(?:defer|async)(?:=\"\w*\")?", "", before + after)
        made = f"<script{attributes}>{code}</script>"
        if "defer" not in before + after:
            return made
        late.append(made)
        return ""

    text = re.sub(r'<link rel="(?:preload|index|search|next|prev)"[^>]*>', "", text)
    text = re.sub(r"<link(?=[^>]*rel=\"stylesheet\")[^>]*href=\"([^\"]+)\"[^>]*>", sheet, text)
    text = re.sub(r"<script([^>]*?)\s+src=\"([^\"]+)\"([^>]*)></script>", script, text)
    text = re.sub(
        r'(<(?:img|link)\b[^>]*\b(?:src|href)=")(?!data:|https?:|#)([^"]+)"',
        lambda m: f'{m[1]}{_data(beside(m[2]))}"',
        text,
    )
    text = relink(text, page, target)
    text = text.replace("</head>", f"<style>{STYLE}</style>\n</head>", 1)
    head, end, tail = text.rpartition("</body>")
    return head + "\n".join(late) + end + tail


def _data(path: Path) -> str:
    """A small file as an address that holds it."""
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def relink(text: str, page: Path, target: Path) -> str:
    """Links to other pages lead to the built book, or, when there is none, are plain text."""
    here, book = page.parent.parent, root() / "_build" / "html"

    def link(match: re.Match[str]) -> str:
        before, address = match.groups()
        path, hash_, anchor = address.partition("#")
        goal = (page.parent / path.partition("?")[0]).resolve()
        if goal == page.resolve():
            return f'{before}href="{hash_}{anchor}"'
        if goal.suffix == ".ipynb":  # the theme's button for the page's source
            return f'{before}href="{target.stem}.ipynb"'
        built = book / goal.relative_to(here.resolve()) if goal.is_relative_to(here) else book
        if not built.is_file():
            return before.rstrip()
        return f'{before}href="{os.path.relpath(built, target.parent)}{hash_}{anchor}"'

    text = re.sub(r'(<a\b[^>]*?)\bhref="(?!data:|[a-z]+:|#)([^"]*)"', link, text)
    found = (book / "search.html").is_file()
    search = os.path.relpath(book / "search.html", target.parent) if found else ""
    return re.sub(r'(<form[^>]*\baction=")[^"]*"', rf'\g<1>{search}"', text)


INDEX = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Own runs: How Networks Scale</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0;
  border-bottom: 1px solid #8886; }}
</style></head><body>
<h1>Own runs</h1>
<table><thead><tr><th scope="col">Chapter</th><th scope="col">What was changed</th>
<th scope="col">What differs</th><th scope="col">When</th></tr></thead>
<tbody>
{rows}
</tbody></table></body></html>
"""


def write_index(folder: Path) -> Path:
    """A page that lists the runs in a folder's folders, newest first.

    What each changed is read from its notebook's metadata.
    """
    rows = []
    for path in folder.glob("*/*.ipynb"):
        if path.name.endswith(".unfinished.ipynb"):
            continue
        about = json.loads(path.read_text(encoding="utf-8"))["metadata"].get("rerun")
        if about:
            page = path.with_suffix(".html")
            link = (page if page.is_file() else path).relative_to(folder).as_posix()
            cells = [f'<a href="{link}">{escape(about["title"])}</a>']
            cells += [escape(about[key]) for key in ("changed", "differs", "when")]
            rows.append((about["when"], link, "".join(f"<td>{cell}</td>" for cell in cells)))
    body = "\n".join(f"<tr>{row}</tr>" for _, _, row in sorted(rows, reverse=True))
    index = folder / "index.html"
    index.write_text(INDEX.format(rows=body), encoding="utf-8")
    return index
