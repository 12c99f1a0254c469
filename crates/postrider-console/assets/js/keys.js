// Keys: search, the palette, and rows of tables.

import { setHtml } from "./html.js";

const palette = /** @type {HTMLDialogElement | null} */ (document.getElementById("palette"));
const input = /** @type {HTMLInputElement | null} */ (document.getElementById("palette-input"));
const list = document.getElementById("palette-list");

/** Listens to keys. */
export function listen() {
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() === "k" && (event.metaKey || event.ctrlKey) && palette) {
      event.preventDefault();
      openPalette();
    } else if (!document.body.hasAttribute("data-no-keys") && !event.metaKey && !event.ctrlKey && !event.altKey && !isTyping(event.target)) {
      if (act(event.key)) event.preventDefault();
    }
  });
  input?.addEventListener("input", () => search(input.value));
  input?.addEventListener("keydown", choose);
}

/** @param {EventTarget | null} target */
function isTyping(target) {
  return target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");
}

/**
 * Does what a key means; returns whether it means something.
 * @param {string} key
 */
function act(key) {
  if (document.querySelector("dialog[open]")) return false;
  switch (key) {
    case "/":
      return focus(document.getElementById("search"));
    case "?":
      /** @type {HTMLDialogElement | null} */ (document.getElementById("help"))?.showModal();
      return true;
    case "j":
      return move(1);
    case "k":
      return move(-1);
    case "r":
      return focus(document.querySelector("[data-key=r]"));
    default:
      return false;
  }
}

/** @param {Element | null} element */
function focus(element) {
  if (!(element instanceof HTMLElement)) return false;
  element.focus();
  if (element instanceof HTMLButtonElement && element.popoverTargetElement) element.click();
  return true;
}

/**
 * Focuses the first link of the next row of the first list. Enter then follows it.
 * @param {number} step
 */
function move(step) {
  const links = /** @type {HTMLElement[]} */ (
    [...document.querySelectorAll("[data-rows] > *")].map((row) => row.querySelector("a")).filter(Boolean)
  );
  if (links.length === 0) return false;
  const row = document.activeElement?.closest("[data-rows] > *");
  const present = links.findIndex((link) => row?.contains(link));
  links[Math.min(Math.max(present + step, 0), links.length - 1)]?.focus();
  return true;
}

function openPalette() {
  palette?.showModal();
  if (input) input.value = "";
  search("");
}

/** @type {AbortController | undefined} */
let running;

/** @param {string} text */
async function search(text) {
  const action = document.querySelector("form.search")?.getAttribute("action");
  if (!list || !action) return;
  running?.abort();
  running = new AbortController();
  try {
    const response = await fetch(`${action}/suggestions?q=${encodeURIComponent(text)}`, { signal: running.signal });
    if (response.ok && !response.redirected) setHtml(list, await response.text());
    select(0);
  } catch {
    // A later search has replaced this one, or the server cannot be reached.
  }
}

function options() {
  return /** @type {HTMLElement[]} */ ([...(list?.querySelectorAll("[role=option]") ?? [])]);
}

/** @param {number} index */
function select(index) {
  options().forEach((option, place) => option.setAttribute("aria-selected", String(place === index)));
  const selected = options()[index];
  if (selected) input?.setAttribute("aria-activedescendant", selected.id);
  else input?.removeAttribute("aria-activedescendant");
  selected?.scrollIntoView({ block: "nearest" });
}

/** @param {KeyboardEvent} event */
function choose(event) {
  const all = options();
  const present = all.findIndex((option) => option.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown") select(Math.min(present + 1, all.length - 1));
  else if (event.key === "ArrowUp") select(Math.max(present - 1, 0));
  else if (event.key === "Enter") all[present]?.click();
  else return;
  event.preventDefault();
}
