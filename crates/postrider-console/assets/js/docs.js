// The documentation: the search as one types, and the place in the page.

import { showCopyButtons } from "./copy.js";
import { setHtml } from "./html.js";

const input = /** @type {HTMLInputElement | null} */ (document.getElementById("search"));
const results = document.getElementById("results");
const page = document.getElementById("page");

/** @type {Promise<void> | undefined} */
let loading;

/** Loads the list of all operations, once. */
function load() {
  const source = results?.dataset.source;
  if (!results || !source) return Promise.resolve();
  loading ??= fetch(source).then(async (response) => {
    if (!response.ok) throw new Error(String(response.status));
    setHtml(results, await response.text());
  });
  // Without the list, the form still sends the search to the server.
  return loading.catch(() => (loading = undefined));
}

/** Shows the operations that contain all words, instead of the page. */
async function search() {
  const words = (input?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length > 0) await load();
  if (!results || !page || (words.length > 0 && !loading)) return;
  results.hidden = words.length === 0;
  page.hidden = words.length > 0;
  for (const topic of results.querySelectorAll(".topic")) {
    const rows = /** @type {HTMLElement[]} */ ([...topic.querySelectorAll("[data-words]")]);
    for (const row of rows) row.hidden = !words.every((word) => row.dataset.words?.includes(word));
    topic.toggleAttribute("hidden", rows.every((row) => row.hidden));
  }
  const isEmpty = words.length > 0 && !results.querySelector("[data-words]:not([hidden])");
  results.toggleAttribute("data-empty", isEmpty);
}

function clear() {
  if (input) input.value = "";
  search();
}

/**
 * Scrolls the navigation, but never the page, so that a link is visible.
 * @param {Element} link
 */
function reveal(link) {
  const navigation = document.getElementById("navigation");
  if (!navigation) return;
  const [outer, inner] = [navigation.getBoundingClientRect(), link.getBoundingClientRect()];
  if (inner.top < outer.top) navigation.scrollTop += inner.top - outer.top;
  else if (inner.bottom > outer.bottom) navigation.scrollTop += inner.bottom - outer.bottom;
}

/** Marks the operation in the navigation that is at the top of the window. */
function followPlace() {
  const links = /** @type {HTMLAnchorElement[]} */ ([...document.querySelectorAll("[data-contents] a")]);
  const seen = new Set();
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) isIntersecting ? seen.add(target.id) : seen.delete(target.id);
      const present = links.find((link) => seen.has(decodeURIComponent(link.hash.slice(1))));
      if (!present) return;
      for (const link of links) link === present ? link.setAttribute("aria-current", "location") : link.removeAttribute("aria-current");
      reveal(present);
    },
    // The operation that covers a line in the upper part of the window.
    { rootMargin: "-22% 0px -77% 0px" },
  );
  for (const operation of document.querySelectorAll(".operation")) observer.observe(operation);
}

document.addEventListener("keydown", (event) => {
  const isTyping = event.target instanceof HTMLElement && event.target.matches("input, textarea, select");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    input?.focus();
  } else if (event.key === "Escape" && event.target === input) {
    clear();
  }
});
input?.addEventListener("focus", load, { once: true });
input?.addEventListener("input", search);
// A result may be in this page.
results?.addEventListener("click", (event) => {
  if (event.target instanceof Element && event.target.closest("a")) clear();
});
showCopyButtons();
followPlace();
