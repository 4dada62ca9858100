"""Every relative link in the project's Markdown leads somewhere."""

import re
import subprocess
from pathlib import Path

import pytest

from repro.paths import root

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|(?:src|srcset|href)=\"([^\"]+)\"")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def documents():
    """Markdown files of the project: tracked ones, or all where this is no checkout."""
    listed = subprocess.run(
        ["git", "-C", str(root()), "ls-files", "-co", "--exclude-standard", "*.md"],
        capture_output=True,
        text=True,
    )
    if listed.returncode == 0:
        names = listed.stdout.splitlines()
    else:
        names = [
            str(p.relative_to(root()))
            for pattern in ("*.md", "chapters/*.md", "data/**/*.md")
            for p in root().glob(pattern)
        ]
    return sorted(name for name in names if (root() / name).is_file())


def links(text):
    for match in LINK.finditer(FENCE.sub("", text)):
        yield match[1] or match[2]


def leads_somewhere(target, page):
    """A file beside the page, or one of the book's pages or labels, which Sphinx checks."""
    path, _, _ = target.partition("#")
    if not path:
        return True
    return any((page.parent / (path + suffix)).exists() for suffix in ("", ".md", ".ipynb"))


def test_the_readme_is_among_them():
    assert {"README.md", "chapters/welcome.md"} <= set(documents())


@pytest.mark.parametrize("name", documents())
def test_relative_links_resolve(name):
    page = root() / name
    broken = [
        target
        for target in links(page.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:", target) and not leads_somewhere(target, page)
    ]
    assert not broken


@pytest.mark.parametrize("name", documents())
def test_links_to_other_places_are_https(name):
    text = (root() / name).read_text(encoding="utf-8")
    outside = [target for target in links(text) if re.match(r"[a-z]+:", target)]
    assert all(target.startswith(("https://", "mailto:")) for target in outside)


def test_a_broken_link_is_found(tmp_path):
    page = tmp_path / "page.md"
    text = '[a](there.md) [b](gone.md#x) ![c](img.svg "t") <img src="gone.png">\n```\n[d](no)\n```'
    (tmp_path / "there.md").touch()
    (tmp_path / "img.svg").touch()
    assert [t for t in links(text) if not leads_somewhere(t, page)] == ["gone.md#x", "gone.png"]


def test_nothing_in_the_project_points_outside_of_it():
    for name in documents():
        for target in links((root() / name).read_text(encoding="utf-8")):
            if not re.match(r"[a-z]+:|#", target):
                resolved = (root() / name).parent.joinpath(target).resolve()
                assert resolved.is_relative_to(Path(root()).resolve()), (name, target)
