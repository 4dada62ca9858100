// Searches BOOK, the text of all pages (search-text.js), without fetching anything.
// A section is [anchor, heading, prose, rows of tables]; a page's kind is 0 for a chapter, 1 for a
// page of the evidence, 2 for the others.

const words = (text) => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
const SMALL = new Set("a an and are at by does for from how in is it of on or that the to what why with".split(" "));
// A word of four letters or more finds all words that begin with it, and "rooflines" finds "roofline".
const stem = (word) => (word === "alpha" ? "(?:alpha|α)" : word.length > 4 ? word.replace(/(?<=[^s])s$/, "") : word);
const finder = (word) => new RegExp(`(?<![\\p{L}\\p{N}])${stem(word)}${word.length > 3 ? "[\\p{L}\\p{N}]*" : "(?![\\p{L}\\p{N}])"}`, "giu");
const times = (text, patterns) => patterns.reduce((n, p) => n + (text.match(p) ?? []).length, 0);
const hits = (text, patterns) => patterns.filter((p) => text.search(p) >= 0).length;

// One page for a query: how many of the words it has, how much it is about them, its best section.
function judge(page, order, patterns) {
  const had = new Set();
  let best = null, defined = false, about = 30 * (hits(page.title, patterns) === patterns.length) - (page.kind ? 12 + 6 * page.kind : 0.8 * order);
  page.sections.forEach(([anchor, heading, prose, rows], place) => {
    patterns.forEach((p, i) => { if (`${heading} ${prose} ${rows}`.search(p) >= 0) had.add(i); });
    const often = times(prose, patterns) + 0.2 * Math.min(5, times(rows, patterns));
    const named = hits(heading, patterns);
    // What stands at the head of a chapter is what it is about; an early chapter explains, later
    // ones use.
    about += Math.min(2, often) * (place ? 1 : 3) + (named === patterns.length && page.kind < 2 ? 6 : 0);
    defined ||= anchor.startsWith("term-") && named === patterns.length;
    const worth = 6 * named + 4 * hits(prose, patterns) + Math.min(6, often) / 2 + (place ? 0 : 2);
    if (named + often && (!best || worth > best.worth)) best = { anchor, heading, prose, rows, worth, place };
  });
  return best && { page, best, had: had.size, about: about + (defined ? 10 : 0) };
}

function search(patterns) {
  const found = BOOK.map((page, order) => judge(page, order, patterns)).filter(Boolean);
  const most = Math.max(0, ...found.map((f) => f.had));
  return found.filter((f) => f.had === most).sort((a, b) => b.about - a.about);
}

// The sentence with the first of the words, from the paragraph that has most of them, and on.
function excerpt({ anchor, prose, rows }, patterns) {
  const blocks = [...prose.split("\n"), ...rows.split("\n")];
  const most = Math.max(...blocks.map((block) => hits(block, patterns)));
  const block = blocks.find((b) => b && hits(b, patterns) === most) ?? "";
  const at = Math.min(...patterns.map((p) => block.search(p)).filter((i) => i >= 0), block.length);
  const starts = [0, ...Array.from(block.matchAll(/[.!?:] +(?=\p{Lu})/gu), (m) => m.index + m[0].length)];
  let from = block.length > 240 ? starts.filter((i) => i <= at).pop() : 0, lead = "";
  if (anchor.startsWith("term-")) from = 0;  // a definition begins with itself
  else if (at - from > 160) [from, lead] = [block.indexOf(" ", at - 120) + 1, "… "];
  const end = block.length - from <= 240 ? block.length : block.lastIndexOf(" ", from + 240);
  return lead + block.slice(from, end) + (end < block.length ? " …" : "");
}

// Text with the words marked.
function marked(tag, text, patterns) {
  const element = document.createElement(tag);
  let last = 0;
  for (const match of text.matchAll(new RegExp(patterns.map((p) => p.source).join("|"), "giu"))) {
    const mark = Object.assign(document.createElement("mark"), { textContent: match[0] });
    element.append(text.slice(last, match.index), mark);
    last = match.index + match[0].length;
  }
  element.append(text.slice(last));
  return element;
}

function show(query) {
  const all = [...new Set(words(query))], telling = all.filter((word) => !SMALL.has(word));
  const patterns = (telling.length ? telling : all).map(finder);
  const found = patterns.length ? search(patterns) : [];
  const status = Object.assign(document.createElement("p"), {
    role: "status",
    textContent: found.length
      ? `${found.length} page${found.length > 1 ? "s" : ""} for “${query}”`
      : `Nothing found for “${query}”. Fewer or shorter words find more.`,
  });
  const list = Object.assign(document.createElement("ol"), { className: "repro-hits" });
  for (const { page, best } of found) {
    const hit = document.createElement("li"), link = document.createElement("a");
    link.href = page.url + (best.place ? `#${best.anchor}` : "");
    link.textContent = (page.number ? `${page.number}. ` : "") + page.title;
    if (best.place) link.append(marked("span", ` › ${best.heading}`, patterns));
    hit.append(link, marked("p", excerpt(best, patterns), patterns));
    list.append(hit);
  }
  document.getElementById("search-results").replaceChildren(status, list);
}

const query = new URLSearchParams(location.search).get("q")?.trim();
if (query) {
  for (const input of document.querySelectorAll('input[name="q"]')) input.value = query;
  show(query);
}
