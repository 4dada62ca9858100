"""The built pages: nothing comes from elsewhere, every link leads somewhere, every picture speaks.

These read ``_build/html``. `make test` builds it first; on its own, a missing or stale page skips.
"""

import os
import re
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from repro.book.parameters import chapters
from repro.paths import root

HTML = root() / "_build" / "html"
TOC = yaml.safe_load((root() / "_toc.yml").read_text(encoding="utf-8"))
PAGES = [TOC["root"]] + [c["file"] for part in TOC["parts"] for c in part["chapters"]]
MEGABYTE = 1_000_000
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
FETCHED = {
    "script": ("src",),
    "link": ("href",),
    "img": ("src", "srcset"),
    "iframe": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
    "audio": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "use": ("href", "xlink:href"),
    "image": ("href", "xlink:href"),
}
"""Attributes whose address a browser loads without being asked."""


class Page(HTMLParser):
    """Elements of a page in order, and the text of each figure's and table's caption."""

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.elements = []
        self.styles = []
        self._inside = None
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self._inside == "style":
            self.styles.append(data)

    def handle_endtag(self, tag):
        self._inside = None

    def all(self, *tags):
        return [(tag, attributes) for tag, attributes in self.elements if tag in tags]

    @property
    def ids(self):
        return [attributes["id"] for _, attributes in self.elements if attributes.get("id")]


def unavailable(reason):
    if os.environ.get("BOOK_IS_BUILT"):
        pytest.fail(reason)
    pytest.skip(f"{reason}; run `make book`")


@cache
def read(path):
    return Page(path)


def page(name):
    built = HTML / f"{name}.html"
    if not built.is_file():
        unavailable(f"{built} is not there")
    source = next(
        (
            root() / f"{name}{suffix}"
            for suffix in (".md", ".ipynb")
            if (root() / f"{name}{suffix}").is_file()
        ),
        None,
    )
    if source is None or source.stat().st_mtime > built.stat().st_mtime:
        unavailable(f"{built.name} is older than its source")
    return read(built)


every_page = pytest.mark.parametrize("name", PAGES)


def is_elsewhere(address):
    return bool(re.match(r"\s*(?:[a-z][a-z0-9+.-]*:)?//", address, re.IGNORECASE))


@every_page
def test_nothing_is_fetched_from_another_host(name):
    outside = [
        (tag, attributes[key])
        for tag, attributes in page(name).elements
        for key in FETCHED.get(tag, ())
        for address in (attributes.get(key) or "").split(",")
        if is_elsewhere(address)
        if not (tag == "link" and attributes.get("rel") in ("canonical",))
    ]
    assert outside == []


@every_page
def test_no_style_in_a_page_fetches_anything(name):
    inline = [attributes.get("style") or "" for _, attributes in page(name).elements]
    for style in (*page(name).styles, *inline):
        assert not re.search(r"@import|url\(\s*['\"]?(?:[a-z]+:)?//", style), style[:200]


@every_page
def test_no_script_in_a_page_names_another_host(name):
    scripts = re.findall(r"<script\b[^>]*>(.*?)</script>", page(name).text, re.DOTALL)
    named = [url for s in scripts for url in re.findall(r"https?://[^\s\"'<>]+", s)]
    assert named == []


def test_no_style_sheet_fetches_from_another_host():
    page(PAGES[0])
    sheets = sorted((HTML / "_static").rglob("*.css"))
    assert len(sheets) > 5
    for sheet in sheets:
        css = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not re.search(r"@import\s+(?:url\()?['\"]?(?:https?:)?//", css), sheet
        assert not re.search(r"url\(\s*['\"]?(?:https?:)?//", css), sheet


@every_page
def test_what_a_page_loads_is_in_the_book(name):
    missing = []
    for tag, attributes in page(name).elements:
        for key in FETCHED.get(tag, ()):
            address = unquote((attributes.get(key) or "").partition("?")[0].partition("#")[0])
            if not address or address.startswith("data:"):
                continue
            if tag == "link" and attributes.get("rel") in ("canonical",):
                continue
            if not (page(name).path.parent / address).exists():
                missing.append((tag, address))
    assert missing == []


@every_page
def test_every_internal_link_finds_its_page_and_its_anchor(name):
    here = page(name)
    broken = []
    for _, attributes in here.all("a"):
        href = attributes.get("href") or ""
        if not href or re.match(r"[a-z]+:", href):
            continue
        path, _, anchor = href.partition("#")
        target = (here.path.parent / unquote(path)).resolve() if path else here.path
        is_page = target.is_file() and target.suffix == ".html"
        if not target.is_file() or (anchor and is_page and unquote(anchor) not in read(target).ids):
            broken.append(href)
    assert broken == []


@every_page
def test_ids_are_unique(name):
    assert [i for i, n in Counter(page(name).ids).items() if n > 1] == []


@every_page
def test_a_page_is_light(name):
    assert page(name).path.stat().st_size < 1.5 * MEGABYTE


@every_page
def test_pictures_speak_to_those_who_cannot_see_them(name):
    for tag, attributes in page(name).all("svg", "img"):
        if tag == "img":
            assert attributes.get("alt") is not None, attributes
        elif attributes.get("role") == "img":
            assert len(attributes.get("aria-label", "")) > 40, attributes
        else:
            assert attributes.get("aria-hidden") == "true", attributes


@every_page
def test_every_figure_and_table_has_a_caption(name):
    text = page(name).text
    for figure in re.findall(r"<figure\b.*?</figure>", text, re.DOTALL):
        assert re.search(r"<figcaption[^>]*>\s*\S", figure), figure[:200]
    # a folded table is named by what unfolds it
    text = re.sub(r"<details>\s*<summary>\s*\w.*?</details>", "", text, flags=re.DOTALL)
    for table in re.findall(r'<div class="repro-table">.*?</table>', text, re.DOTALL):
        assert re.search(r"<caption>\s*\S", table), table[:200]


@every_page
def test_every_page_has_one_title_and_a_language(name):
    _, _, article = page(name).text.partition('<article class="bd-article">')
    assert len(re.findall(r"<h1\b", article)) == 1
    assert page(name).all("html")[0][1]["lang"] == "en"
    assert re.search(r"<title>[^<]{8,}</title>", page(name).text)


@every_page
def test_elements_are_closed(name):
    depth = Counter()
    for tag in re.findall(r"<(/?[a-z][a-z0-9]*)\b[^>]*?(?<!/)>", strip_scripts(page(name).text)):
        depth[tag.lstrip("/")] += -1 if tag.startswith("/") else 1
    unbalanced = {t: n for t, n in depth.items() if n and t not in VOID | {"p", "li"}}
    assert unbalanced == {}


def strip_scripts(text):
    return re.sub(r"<(script|style)\b.*?</\1>|<!--.*?-->", "", text, flags=re.DOTALL)


@every_page
def test_nothing_on_a_page_went_wrong(name):
    text = strip_scripts(page(name).text)
    for sign in (
        "Traceback (most recent call last)",
        "system-message",
        "problematic",
        "??",
        "{glue",
    ):
        assert sign not in text, sign


@pytest.mark.parametrize("stem", chapters())
def test_executable_pages_offer_their_command_and_their_notebook(stem):
    here = page(f"chapters/{stem}")
    assert f"repro run {stem}" in here.text
    notebooks = [
        a.get("href") for _, a in here.all("a") if (a.get("href") or "").endswith(".ipynb")
    ]
    assert len(notebooks) == 1
    assert (here.path.parent / notebooks[0]).is_file()


def test_the_front_door_leads_to_the_first_page():
    page(PAGES[0])
    text = (HTML / "index.html").read_text(encoding="utf-8")
    assert f"{TOC['root']}.html" in text


def test_the_parser_sees_what_a_browser_would_load(tmp_path):
    path = Path(tmp_path) / "x.html"
    path.write_text(
        '<html lang="en"><script src="https://a.example/x.js"></script>'
        '<link rel="stylesheet" href="//b.example/y.css"><img src="local.png" alt="">'
        "<style>@import url(https://c.example)</style></html>"
    )
    seen = Page(path)
    loaded = [a[k] for t, a in seen.elements for k in FETCHED.get(t, ()) if k in a]
    assert [is_elsewhere(address) for address in loaded] == [True, True, False]
    assert "@import" in seen.styles[0]
