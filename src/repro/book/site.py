"""A Sphinx extension: what the book's pages need beyond the theme and the extensions it loads."""

from __future__ import annotations

from collections import Counter
from typing import Any

from docutils import nodes

from repro.book.parameters import chapters

HELP_PAGE = "chapters/how-to-use"


def run_menu(stem: str, help_url: str) -> dict[str, Any]:
    """A menu for the theme's row of buttons above a page.

    Args:
        stem: the chapter's name.
        help_url: where running a chapter is explained.
    """
    command = f"repro run {stem}"
    return {
        "type": "group",
        "tooltip": "Run this chapter",
        "icon": "fas fa-play",
        "label": "run-buttons",
        "buttons": [
            {
                "type": "javascript",
                "javascript": f"navigator.clipboard.writeText('{command}')",
                "text": command,
                "tooltip": "Copy this command",
                "icon": "fas fa-copy",
                "label": "run-copy",
            },
            {
                "type": "link",
                "url": help_url,
                "text": "How to run chapters",
                "tooltip": "Parameters, tiers, and where the result goes",
                "icon": "fas fa-circle-question",
                "label": "run-help",
            },
        ],
    }


def add_run_menu(
    app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Put the menu before the theme's own buttons, on pages that can be run."""
    stem = pagename.rpartition("/")[2]
    if stem in chapters() and "header_buttons" in context:
        help_url = context["pathto"](HELP_PAGE) + "#rerun"
        context["header_buttons"].insert(0, run_menu(stem, help_url))


def number_repeated_ids(app: Any, doctree: Any, docname: str) -> None:
    """Give each exercise's and solution's content an id of its own.

    sphinx-exercise calls them all ``exercise-content`` and ``solution-content``; an id may stand
    only once on a page.
    """
    seen: Counter[str] = Counter()
    for section in doctree.findall(nodes.section):
        for i, name in enumerate(section["ids"]):
            if name in ("exercise-content", "solution-content"):
                seen[name] += 1
                section["ids"][i] = f"{name}-{seen[name]}"


def exhibit(
    name: str, raw: str, text: str, line: int, inliner: Any, options: Any = None, content: Any = ()
) -> tuple[list[nodes.Node], list[Any]]:
    """The role of ``{exhibit}`fig-name` ``: a link to a figure or table of the same page."""
    return [nodes.reference(raw, text, refuri=f"#{text}")], []


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx. The theme makes its list of buttons at the default priority, 500."""
    app.add_role("exhibit", exhibit)
    app.connect("html-page-context", add_run_menu, priority=600)
    app.connect("doctree-resolved", number_repeated_ids)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
