"""A Sphinx extension: what the book's pages need beyond the theme and the extensions it loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.roles import XRefRole

from repro.book.parameters import chapters
from repro.book.site import exhibits, markup, search

HELP_PAGE = "chapters/how-to-use"
NO_NAME = '<summary aria-label="Toggle hidden content">'
"""How MyST-NB begins every fold, whatever it hides; without it, a fold is named by its text."""


def add_context(
    app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """What ``templates/buttons.html`` asks, and folds that are named by what they say."""
    stem = pagename.rpartition("/")[2]
    body = context.get("body") or ""
    context["runs"] = stem if stem in chapters() else ""
    context["run_help"] = context["pathto"](HELP_PAGE) + "#rerun"
    context["has_solutions"] = markup.SOLUTION in body
    context["body"] = body.replace(NO_NAME, "<summary>")


def write_notebook_scripts(app: Any, failure: Exception | None) -> None:
    """Each notebook once more as a script, for pages opened from disk; see ``_static/book.js``."""
    for notebook in (Path(app.outdir) / "_sources").rglob("*.ipynb"):
        script = f"saveNotebook({notebook.read_text(encoding='utf-8').rstrip()});\n"
        notebook.with_name(f"{notebook.name}.js").write_text(script, encoding="utf-8")


def use_rerun(app: Any, docname: str, source: list[str]) -> None:
    """Read a chapter as it was rerun in place of the stored one; see `repro.book.rerun.page`."""
    source[0] = app.config.repro_rerun.get(docname, source[0])


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx. The theme makes its own context at the default priority, 500."""
    app.config.templates_path.append(str(Path(__file__).parent / "templates"))
    app.add_role("exhibit", XRefRole(warn_dangling=True, innernodeclass=nodes.inline))
    app.add_config_value("repro_rerun", {}, "")
    app.connect("source-read", use_rerun)
    app.connect("doctree-read", exhibits.collect)
    app.connect("env-purge-doc", exhibits.forget)
    app.connect("env-get-updated", exhibits.renumber, priority=600)
    app.connect("missing-reference", exhibits.resolve)
    app.connect("doctree-resolved", exhibits.label)
    app.connect("doctree-resolved", markup.improve)
    app.connect("html-page-context", add_context, priority=600)
    app.connect("build-finished", search.write_index)
    app.connect("build-finished", write_notebook_scripts)
    # Pages that were read before this version know nothing of their exhibits.
    return {"env_version": 1, "parallel_read_safe": False, "parallel_write_safe": True}
