"""The built pages: nothing comes from elsewhere, every link leads somewhere, every picture speaks.

These read ``_build/html``. `make test` builds it first; on its own, a missing or stale page skips.
"""

import json
import os
import re
import subprocess
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from shutil import which
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
    for table in re.findall(r'<div [^>]*class="repro-table".*?</table>', text, re.DOTALL):
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
    notebook = here.path.parent / notebooks[0]
    assert notebook.is_file()
    assert notebook.with_name(f"{notebook.name}.js").is_file()
    (link,) = (a for _, a in here.all("a") if a.get("href") == notebooks[0])
    assert link["download"] == f"{stem}.ipynb"
    assert "solutions" in link["title"]


def number_of(name):
    """A chapter's number as its title has it: "3", "B", or nothing."""
    found = re.search(r'<h1><span class="section-number">(\w+)\. ', page(name).text)
    return found[1] if found else ""


def test_chapters_are_numbered_through_the_parts_and_the_evidence_has_letters():
    parts = {p["caption"]: [c["file"] for c in p["chapters"]] for p in TOC["parts"]}
    chapters_in_parts = [c for part, cs in parts.items() if part.startswith("Part ") for c in cs]
    assert [number_of(c) for c in chapters_in_parts] == [
        str(i) for i, _ in enumerate(chapters_in_parts, 1)
    ]
    assert [number_of(c) for c in parts["Evidence"]] == list("ABCDEFGH")[: len(parts["Evidence"])]
    assert {number_of(c) for c in (TOC["root"], *parts["Start"], *parts["Back matter"])} == {""}


def exhibits(name):
    """Anchor and number of each figure and table on a page, in order."""
    return re.findall(
        r'<(?:figcaption|caption)><a class="repro-number" href="#([^"]+)">([^<]+)</a> ',
        page(name).text,
    )


@every_page
def test_figures_and_tables_are_numbered_in_order_and_link_to_themselves(name):
    found = exhibits(name)
    assert {anchor for anchor, _ in found} <= set(page(name).ids)
    count = Counter()
    for _, label in found:
        kind = label.split()[0]
        count[kind] += 1
        assert label == f"{kind} {number_of(name) or 0}.{count[kind]}"
    text = re.sub(r'<div class="repro-table repro-claims.*?</table>', "", page(name).text)
    captions = re.findall(r'<figcaption>.{25}|class="repro-table"[^>]*><table><caption>.{25}', text)
    assert len(captions) == len(found)
    assert all("repro-number" in caption for caption in captions)


@every_page
def test_every_fold_has_a_name_of_its_own(name):
    text = page(name).text
    assert "Toggle hidden content" not in text
    solutions = re.findall(
        r'<details class="solution"[^>]*><summary>Solution to Exercise ([\w.]+)', text
    )
    assert len(solutions) == text.count('<details class="solution"') == len(set(solutions))
    switches = [a for _, a in page(name).all("button") if "repro-solutions" in a.get("class", "")]
    assert len(switches) == bool(solutions)
    assert all(switch["aria-pressed"] == "false" and switch["title"] for switch in switches)


@every_page
def test_the_pager_follows_the_book(name):
    places = dict(
        re.findall(r'<link rel="(next|prev)" title="[^"]*" href="([^"]+)"', page(name).text)
    )
    here = PAGES.index(name)
    around = {"prev": PAGES[here - 1] if here else None, "next": (*PAGES, None)[here + 1]}
    for way, other in around.items():
        assert places.get(way) == (f"{other.rpartition('/')[2]}.html" if other else None)


@every_page
def test_no_line_can_begin_with_the_comma_after_a_formula(name):
    loose = r'(?<!<span class="together">)<span class="math[^>]*>[^<]*</span>[,.;:!?)]'
    assert re.findall(loose, page(name).text) == []


def search_index():
    page(PAGES[0])
    script = (HTML / "_static" / "search-text.js").read_text(encoding="utf-8")
    return json.loads(script.removeprefix("const BOOK = ").rstrip(";\n"))


def test_the_search_has_the_text_of_every_page_and_every_word_of_the_glossary():
    index = {entry["url"]: entry for entry in search_index()}
    assert list(index) == [f"{name}.html" for name in PAGES]
    for name in PAGES:
        entry = index[f"{name}.html"]
        assert entry["number"] == number_of(name)
        assert entry["title"]
        assert sum(len(prose) for _, _, prose, _ in entry["sections"]) > 300
        assert {anchor for anchor, *_ in entry["sections"]} <= set(page(name).ids)
        assert "Solution to Exercise" not in json.dumps(entry["sections"])
    words = {heading: prose for _, heading, prose, _ in index["chapters/glossary.html"]["sections"]}
    assert words["roofline"].startswith("A model of a processor")
    assert words["acts, activations"]


CHROMIUM = which("chromium") or which("chromium-browser") or which("google-chrome")


@pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
@pytest.mark.parametrize(
    ("query", "first", "also"),
    [("roofline", "Why FLOPs mislead", "Glossary › roofline"), ("zoo", None, "Glossary › zoo")],
)
def test_the_search_works_from_disk(query, first, also, tmp_path):
    page(PAGES[0])
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--dump-dom"]
    options += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    address = f"{(HTML / 'search.html').as_uri()}?q={query}"
    out = subprocess.run(
        [CHROMIUM, *options, f"--user-data-dir={tmp_path}", "--virtual-time-budget=4000", address],
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout
    hits = re.findall(r"<li><a[^>]*>(.*?)</a><p>(.*?)</p></li>", out)
    assert len(hits) > 1
    titles = [re.sub(r"<[^>]+>", "", title) for title, _ in hits]
    assert len(titles) == len(set(titles))
    assert also in titles
    assert all(len(re.sub(r"<[^>]+>", "", text)) > 20 for _, text in hits)
    assert f"<mark>{query}" in hits[0][1].lower()
    assert first is None or titles[0].partition(" › ")[0].endswith(first)


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
