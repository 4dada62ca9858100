"""An executed chapter as one HTML file in the book's style, and an index of all own runs.

The book's own builder makes the page: it reads the whole book, this chapter as it was rerun, so
that numbers and links are the book's, and writes this page alone. What it puts beside a page is
then put into it, so that the file can be moved, mailed, and opened from disk.
"""

from __future__ import annotations

import base64
import json
import mimetypes
import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from html import escape
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup

from repro.errors import InputError
from repro.paths import root, write_whole

STYLE = """
.repro-changed { text-decoration: underline dotted 2px; text-underline-offset: 3px; cursor: help; }
"""

POINTER = re.compile(
    r"\{(?:doc|ref|term|exhibit|cite:[a-z]+)\}`([^`<]+?)(?:\s*<[^`]*)?`"
    r"|(?<!!)\[([^\]]*)\]\((?!https?:|#|mailto:)[^)\s]+\)"
)
"""What points to something in the book in a way that only the book's builder understands."""


def render(notebooks: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """Write ``<chapter>.html`` of executed chapters; takes a few seconds, however many they are.

    Returns:
        What the pages say for each pointer: ``{"{exhibit}`fig-x`": "Figure 2.3"}``.

    Raises:
        InputError: the builder failed.
    """
    import nbformat
    from jupyter_book.sphinx import build_sphinx

    pointers: list[str] = []

    def marked(match: re.Match[str]) -> str:
        if match[0].startswith("#"):  # a heading, whose text also goes elsewhere
            return match[0]
        pointers.append(match[0])
        return f'<i data-pointer="{len(pointers) - 1}">{match[0]}</i>'

    sources = {}
    for chapter, notebook in notebooks.items():
        notebook = deepcopy(notebook)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = re.sub(rf"(?m)^#.*$|{POINTER.pattern}", marked, cell.source)
        sources[f"chapters/{chapter}"] = nbformat.writes(notebook)
    said = {}
    with tempfile.TemporaryDirectory(prefix="repro-page-") as name:
        html = Path(name) / "html"
        (html / "_static").mkdir(parents=True)
        settings = {"latex_individualpages": False, "nb_execution_mode": "off"}
        status = build_sphinx(
            str(root()),
            str(html),
            noconfig=True,
            path_config=str(root() / "_config.yml"),
            confoverrides={**settings, "repro_rerun": sources},
            filenames=[str(root() / f"{source}.ipynb") for source in sources],
            really_quiet=True,
        )
        for chapter in notebooks:
            page = html / "chapters" / f"{chapter}.html"
            if status or not page.is_file():
                raise InputError(f"no page could be made of {chapter}: {status}")
            soup: Any = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
            for mark in soup.select("i[data-pointer]"):
                said[pointers[int(mark["data-pointer"])]] = mark.get_text()
                mark.unwrap()
            put_inside(soup, page.parent)
            relink(soup, page, folder / page.name)
            write_whole(folder / page.name, str(soup).encode())
    return said


def put_inside(soup: Any, folder: Path) -> None:
    """Put style sheets, scripts and pictures into a page that stands in a folder."""

    def beside(address: str) -> Path:
        return (folder / address.partition("?")[0]).resolve()

    for link in soup.select("link[href]"):
        if "icon" in link["rel"]:
            link["href"] = _data(beside(link["href"]))
        elif "stylesheet" in link["rel"]:
            style = soup.new_tag("style")
            style.string = _sheet(beside(link["href"]))
            link.replace_with(style)
        else:
            link.decompose()
    soup.head.append(BeautifulSoup(f"<style>{STYLE}</style>", "html.parser"))
    for image in soup.select("img[src]"):
        if not image["src"].startswith(("data:", "http")):
            image["src"] = _data(beside(image["src"]))
    for script in soup.select("script[src]"):
        path = beside(script.attrs.pop("src"))
        if path.name == "tex-chtml.js":  # this one would fetch fonts; that one draws letters
            path = path.with_name("tex-svg.js")
        code = re.sub(r"(?m)^//# sourceMapping.*$", "", path.read_text(encoding="utf-8"))
        script.string = code.replace("</script", "<\\/script").replace("<!--", "<\\!--")
        if script.attrs.pop("defer", None) is not None:
            soup.body.append(script.extract())


def _sheet(path: Path) -> str:
    """A style sheet with its pictures inside."""
    css = re.sub(r"/\*# sourceMapping.*?\*/", "", path.read_text(encoding="utf-8"))
    # Of the theme's fonts only the one of the icons in boxes; its script draws all others.
    css = re.sub(r"@font-face\s*\{(?![^}]*fa-solid)[^}]*\}", "", css)
    css = re.sub(r",\s*url\([^)]*\)\s*format\(.?truetype.?\)", "", css)
    address = r"url\(\s*[\"']?(?!data:|#)([^)\"']+)[\"']?\s*\)"
    return re.sub(address, lambda m: f"url({_data(path.parent / m[1])})", css)


def _data(path: Path) -> str:
    """A small file as an address that holds it."""
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def relink(soup: Any, page: Path, target: Path) -> None:
    """Links to other pages lead to the built book, or, when there is none, are plain text.

    page: as the builder left it; target: where it will stand, beside its notebook.
    """
    here, book = page.parent.parent.resolve(), root() / "_build" / "html"

    def built(address: str) -> str:
        """Where a file of the book is, seen from the target; empty when it is not there."""
        goal = (page.parent / address.partition("?")[0]).resolve()
        there = book / goal.relative_to(here) if goal.is_relative_to(here) else book
        return os.path.relpath(there, target.parent) if there.is_file() else ""

    for link in soup.select("a[href]"):
        path, hash_, anchor = link["href"].partition("#")
        if not path or re.match(r"[a-z]+:", path):
            continue
        if path.endswith(".ipynb"):  # the button for the page's source; it lies beside the page
            link["href"] = f"{target.stem}.ipynb"
            link.attrs.pop("download", None)  # which the book's script would see to
        elif Path(path).name == page.name:
            link["href"] = hash_ + anchor
        elif address := built(path):
            link["href"] = address + hash_ + anchor
        else:
            del link["href"]
    for form in soup.select("form[action]"):
        form["action"] = built(form["action"])


INDEX = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Own runs: How Networks Scale</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.65 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: light-dark(#222832, #ced6dd); background: light-dark(#fff, #14181e); }}
a {{ color: light-dark(#0a7d91, #3fb1c5); }}
table {{ border-collapse: collapse; width: 100%; font-size: .92rem; }}
th, td {{ text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0;
  border-bottom: 1px solid #8886; }}
</style></head><body>
<h1>Own runs</h1>
{book}
<table><thead><tr><th scope="col">Chapter</th><th scope="col">What was changed</th>
<th scope="col">What differs</th><th scope="col">When</th></tr></thead>
<tbody>
{rows}
</tbody></table></body></html>
"""


def write_index(folder: Path) -> Path | None:
    """A page that lists the runs in a folder's folders, newest first, from their metadata.

    None where another page has this name, or none can be written.
    """
    index, built, rows = folder / "index.html", root() / "_build" / "html" / "index.html", []
    for path in folder.glob("*/*.ipynb"):
        about = None
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):  # not one of ours
            about = json.loads(path.read_text(encoding="utf-8"))["metadata"].get("rerun")
        if about:
            page = path.with_suffix(".html")
            link = (page if page.is_file() else path).relative_to(folder).as_posix()
            cells = [f'<a href="{link}">{escape(about["title"])}</a>']
            cells += [escape(about[key]) for key in ("changed", "differs", "when")]
            row = "".join(f"<td>{cell}</td>" for cell in cells)
            rows.append((about["when"], f"<tr>{row}</tr>"))
    body = "\n".join(row for _, row in sorted(rows, reverse=True))
    way = os.path.relpath(built, folder.resolve())
    book = f'<p>Of the book <a href="{way}">How Networks Scale</a></p>' * built.is_file()
    try:
        if index.exists() and "<title>Own runs:" not in index.read_text(encoding="utf-8"):
            return None
        write_whole(index, INDEX.format(rows=body, book=book).encode())
    except (OSError, ValueError):
        return None
    return index
