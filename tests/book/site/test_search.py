"""The text that the search page has of each page."""

from repro.book.site.search import page_entry, plain, sections

PAGE = """<html><nav>Menu</nav><article class="bd-article">
<section id="roofs"><h1><span class="section-number">3. </span>Roofs<a class="headerlink">#</a></h1>
<p>A roofline <em>bounds</em> a rate by \\(k^2 w\\).</p>
<section id="why"><h2>Why</h2><p>Because.</p><p>And <br>so.</p>
<div class="cell_input"><pre>code()</pre></div>
<details class="hide"><summary>Show the code</summary><pre>more()</pre></details>
<div class="repro-table"><table><caption>Rates.</caption><thead><tr><th>net</th></tr></thead>
<tbody><tr><td>EN-B0</td><td>0.39</td></tr></tbody></table></div>
<svg><text>drawn</text></svg>
<details class="solution"><summary>Solution</summary><p>Secret.</p></details></section>
<p>After.</p></section>
<dl class="glossary"><dt id="term-d">d<a class="headerlink">#</a></dt><dt id="term-depth">depth</dt>
<dd><p>How many.</p></dd><dt id="term-w">w</dt><dd><p>How wide.</p></dd></dl>
</article><p>Footer</p></html>"""


def test_a_page_is_taken_apart_by_what_a_hit_can_lead_to():
    assert sections(PAGE) == [
        ["roofs", "Roofs", "A roofline bounds a rate by k² w.\nAfter.", ""],
        ["why", "Why", "Because.\nAnd so.\nRates.", "EN-B0 0.39"],
        ["term-d", "d, depth", "How many.", ""],
        ["term-w", "w", "How wide.", ""],
    ]


def test_an_entry_has_the_title_without_its_number():
    entry = page_entry(PAGE, "chapters/roofs.html", "3", 0)
    assert (entry["title"], entry["number"], entry["kind"]) == ("Roofs", "3", 0)


def test_formulas_are_read_as_one_would_type_them():
    assert plain(r"\(a = f / (k^2 w)\)") == "a = f / (k² w)"
    assert plain(r"\(\sqrt{s} \times \alpha\)") == "√s × α"
