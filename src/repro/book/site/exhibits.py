"""Figures and tables get numbers, each with a link, and prose can name them.

They are HTML in the outputs of cells, which Sphinx does not look into: their names are read when a
page is read, their numbers follow from the order of the book when it is written.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from docutils import nodes
from sphinx.util.nodes import make_refnode

START = re.compile(
    r'<figure class="repro-figure" id="(?P<figure>[^"]+)">.*?<figcaption>'
    r'|<div class="repro-table(?! repro-claims)[^"]*"(?: id="(?P<table>[^"]+)")?[^>]*>'
    r"\s*<table[^>]*>\s*<caption>",
    re.DOTALL,
)
"""The beginning of an exhibit up to its caption; the lists of claims are none."""

FRONT = "0"
"""What stands before the dot on pages without a number."""

LEAST_TEXT = 11.0
"""Pixels that the smallest text of a figure has on a phone, where the figure scrolls."""

Labels = dict[str, dict[str, str]]
"""For each page the exhibits' anchors and what they are called, "Figure 3.2"."""


def anchors(html: str, tables: int = 0) -> Iterator[tuple[str, str]]:
    """Kind and anchor of each exhibit with a caption.

    A table without a name is known by its place: ``tables`` stand before it on the page.
    """
    for match in START.finditer(html):
        if match["figure"]:
            yield "Figure", match["figure"]
        else:
            tables += 1
            yield "Table", match["table"] or f"tab-{tables}"


def labels(order: Mapping[str, str], found: Mapping[str, Iterable[tuple[str, str]]]) -> Labels:
    """What each exhibit of the book is called, from the pages' numbers and what is on them."""
    count: Counter[tuple[str, str]] = Counter()
    called: Labels = {}
    for page, number in order.items():
        called[page] = {}
        for kind, anchor in found.get(page, ()):
            prefix = number or FRONT
            count[prefix, kind] += 1
            called[page][anchor] = f"{kind} {prefix}.{count[prefix, kind]}"
    return called


def with_label(match: re.Match[str], anchor: str, label: str) -> str:
    """The beginning of an exhibit, with its number at the head of its caption."""
    start = match[0]
    if match["figure"]:
        start = readable(start)
    elif not match["table"]:
        start = start.replace("<div ", f'<div id="{anchor}" ', 1)
    return f'{start}<a class="repro-number" href="#{anchor}">{label}</a> '


def readable(figure: str) -> str:
    """Say in a figure's style how wide it must be for its smallest text to be read."""
    width = re.search(r'viewBox="0 0 ([\d.]+)', figure)
    sizes = [float(size) for size in re.findall(r"font(?:-size)?: (?:\w+ )*([\d.]+)px", figure)]
    if not width or not sizes:
        return figure
    least = float(width[1]) * LEAST_TEXT / min(sizes)
    return figure.replace('style="', f'style="--readable:{least:.0f}px;', 1)


def page_number(env: Any, page: str) -> str:
    """The number before a page's title: 1, 2, … in the parts, A, B, … in the evidence, or ""."""
    return ".".join(map(str, env.toc_secnumbers.get(page, {}).get("", ())))


def _outputs(doctree: Any) -> Iterator[Any]:
    return (n for n in doctree.findall(nodes.raw) if "html" in n.get("format", "").split())


def collect(app: Any, doctree: Any) -> None:
    """Remember a page's exhibits when it is read."""
    if not hasattr(app.env, "repro_exhibits"):
        app.env.repro_exhibits, app.env.repro_labels = {}, {}
    found: list[tuple[str, str]] = []
    for node in _outputs(doctree):
        found += anchors(node.astext(), sum(kind == "Table" for kind, _ in found))
    app.env.repro_exhibits[app.env.docname] = found


def forget(app: Any, env: Any, docname: str) -> None:
    """A page is read anew or gone."""
    getattr(env, "repro_exhibits", {}).pop(docname, None)


def renumber(app: Any, env: Any) -> list[str]:
    """Number all exhibits when all pages have been read; returns every page if a number changed."""
    found = getattr(env, "repro_exhibits", {})
    called = labels({page: page_number(env, page) for page in sorted(found)}, found)
    changed = called != getattr(env, "repro_labels", {})
    env.repro_labels = called
    return sorted(env.found_docs) if changed else []


def resolve(app: Any, env: Any, node: Any, contnode: Any) -> Any:
    """The role ``{exhibit}`fig-name` ``, on another page ``{exhibit}`stem#fig-name` ``."""
    if node["reftype"] != "exhibit":
        return None
    stem, _, anchor = node["reftarget"].rpartition("#")
    page = f"chapters/{stem}" if stem else node["refdoc"]
    label = env.repro_labels.get(page, {}).get(anchor)
    if label is None and app.config.repro_rerun:  # a rerun may have fewer
        return nodes.inline("", "the figure" if anchor.startswith("fig-") else "the table")
    if label is None:
        return None  # Sphinx warns
    text = contnode if node["refexplicit"] else nodes.inline("", label)
    return make_refnode(app.builder, node["refdoc"], page, anchor, text)


def label(app: Any, doctree: Any, docname: str) -> None:
    """Write the numbers into a page's captions."""
    called = iter(getattr(app.env, "repro_labels", {}).get(docname, {}).items())
    for node in _outputs(doctree):
        html = START.sub(lambda match: with_label(match, *next(called)), node.astext())
        node.children = []
        node += nodes.Text(html)
