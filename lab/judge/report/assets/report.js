"use strict";
// Search and filter. Everything is put on the page as text, never as markup; without this script all pages read as well.

(() => {
  const root = document.documentElement.dataset.root;
  const most = 60;

  const debounce = (act) => {
    let waiting = 0;
    return () => {
      cancelAnimationFrame(waiting);
      waiting = requestAnimationFrame(act);
    };
  };

  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const startSearch = () => {
    const form = document.querySelector("form.search");
    const input = form.querySelector("input");
    const box = document.getElementById("found");
    const count = box.querySelector(".count");
    const list = box.querySelector("ul");
    let index = null;
    form.hidden = false;

    // A script rather than a fetch: a page opened as a file may load the one and not the other.
    globalThis.erleIndex = (rows) => {
      index = rows.map((row) => ({ row, name: row[1].toLowerCase(), all: row.slice(0, 3).join(" ").toLowerCase() }));
      show();
    };
    const load = () => {
      if (document.getElementById("index-script")) return;
      const script = element("script");
      script.id = "index-script";
      script.src = root + "assets/search.js";
      script.addEventListener("error", () => { count.textContent = "The search index is missing."; });
      document.head.append(script);
    };

    const entry = ([kind, name, about, address]) => {
      const link = element("a");
      link.href = root + address;
      link.append(element("span", "kind", kind), element("span", "name", name), element("span", "about", about));
      const item = element("li");
      item.append(link);
      return item;
    };

    const show = () => {
      const terms = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      box.hidden = terms.length === 0;
      if (box.hidden) return;
      if (index === null) {
        count.textContent = "Loading…";
        return;
      }
      const named = [];
      const other = [];
      for (const one of index) {
        if (!terms.every((term) => one.all.includes(term))) continue;
        (terms.every((term) => one.name.includes(term)) ? named : other).push(one.row);
      }
      const found = named.concat(other);
      const shown = found.slice(0, most);
      count.textContent = found.length === 0 ? "Nothing found"
        : found.length > most ? `${found.length} found, the first ${most} shown` : `${found.length} found`;
      list.replaceChildren(...shown.map(entry));
    };

    const close = () => {
      box.hidden = true;
      input.focus();
    };

    input.addEventListener("focus", load);
    input.addEventListener("input", debounce(() => { load(); show(); }));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const first = list.querySelector("a");
      if (first && !box.hidden) first.click();
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.preventDefault();
        close();
      } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        const stops = [input, ...(box.hidden ? [] : list.querySelectorAll("a"))];
        const at = stops.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
        event.preventDefault();
        stops[Math.max(0, Math.min(stops.length - 1, at))].focus();
      }
    });
    form.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !form.contains(event.relatedTarget)) box.hidden = true;
    });
    document.addEventListener("click", (event) => {
      if (!form.contains(event.target)) box.hidden = true;
    });
    document.addEventListener("keydown", (event) => {
      const typing = event.target.closest("input, select, textarea");
      if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        input.focus();
      }
    });
  };

  const startFilter = () => {
    const form = document.querySelector("form.filter");
    if (!form) return;
    const text = document.getElementById("filter-text");
    const verdict = document.getElementById("filter-verdict");
    const count = document.getElementById("filter-count");
    const rows = [...document.querySelectorAll("#clauses tbody tr:not(.group)")].map((row) => ({
      row,
      text: row.querySelector("th").textContent.toLowerCase(),
      words: new Set([...row.querySelectorAll("td")].flatMap((cell) => [...cell.classList].map((name) => name.replace("v-", "")))),
    }));
    form.hidden = false;
    const apply = () => {
      const terms = text.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const one of rows) {
        const fits = terms.every((term) => one.text.includes(term)) && (!verdict.value || one.words.has(verdict.value));
        one.row.hidden = !fits;
        shown += fits ? 1 : 0;
      }
      for (const body of document.querySelectorAll("#clauses tbody")) {
        body.hidden = !body.querySelector("tr:not(.group):not([hidden])");
      }
      count.textContent = `${shown} of ${rows.length} clauses`;
    };
    form.addEventListener("submit", (event) => event.preventDefault());
    text.addEventListener("input", debounce(apply));
    verdict.addEventListener("change", apply);
    apply();
  };

  startSearch();
  startFilter();
})();
