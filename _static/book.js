// What the pages need a script for: the switch for solutions, "copied", and what scrolls sideways.
// Jupyter Book puts every script of this folder at the head of every page.
"use strict";

addEventListener("DOMContentLoaded", () => {
  // All solutions at once. Print shows those that are open.
  const solutions = document.querySelector(".repro-solutions");
  solutions?.addEventListener("click", () => {
    const show = solutions.getAttribute("aria-pressed") !== "true";
    solutions.setAttribute("aria-pressed", show);
    for (const fold of document.querySelectorAll("details.solution")) fold.open = show;
  });

  // Commands to copy. The menu stays open, so that one sees that it happened.
  for (const button of document.querySelectorAll("[data-copy]")) {
    const text = button.querySelector(".btn__text-container");
    text.setAttribute("aria-live", "polite");
    button.addEventListener("click", async () => {
      let said = "copied";
      try { await navigator.clipboard.writeText(button.dataset.copy); }
      catch { said = "could not copy"; }
      text.textContent = said;
      setTimeout(() => { text.textContent = button.dataset.copy; }, 1600);
    });
  }

  // A browser does not save a file from disk for a page from disk; it may run a script that has it.
  const link = document.querySelector("a[download]");
  if (link && location.protocol === "file:") link.addEventListener("click", (event) => {
    event.preventDefault();
    window.saveNotebook = (notebook) => {
      const text = JSON.stringify(notebook, null, 1) + "\n";
      const url = URL.createObjectURL(new Blob([text], { type: "application/x-ipynb+json" }));
      Object.assign(document.createElement("a"), { href: url, download: link.download }).click();
    };
    const script = Object.assign(document.createElement("script"), { src: `${link.href}.js` });
    script.onerror = () => { location = link.href; };
    document.head.append(script);
  });

  // A link to something in a fold opens the fold.
  const unfold = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let e = target; e; e = e.parentElement) if (e.tagName === "DETAILS") e.open = true;
  };
  addEventListener("hashchange", unfold);
  unfold();

  // What is wider than the page says so, and can be scrolled with the keyboard.
  const mark = (box) => {
    const wide = box.scrollWidth > box.clientWidth + 1;
    box.classList.toggle("repro-wide", wide);
    if (wide) {
      box.tabIndex = 0;
      box.setAttribute("role", "region");
      const number = box.closest("figure, .repro-table").querySelector(".repro-number");
      box.setAttribute("aria-label", `${number?.textContent ?? "Table"}, scrolls sideways`);
    } else for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
  };
  const watch = new ResizeObserver((entries) => entries.forEach((entry) => mark(entry.target)));
  for (const box of document.querySelectorAll(".repro-scroll, .repro-table")) watch.observe(box);
});
