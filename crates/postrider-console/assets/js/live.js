// Replaces the parts of a page that the server sends, while the page is visible.

import { setHtml } from "./html.js";
import { updateTimes } from "./time.js";

const RETRY = 5000;

/** @type {EventSource | undefined} */
let source;

/** Follows the changes of the page, if it has any. */
export function follow() {
  if (!document.body.hasAttribute("data-live")) return;
  // Browsers open few connections to a server, so hidden pages give theirs up.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  window.addEventListener("pagehide", close);
  if (!document.hidden) open();
}

function close() {
  source?.close();
  source = undefined;
}

function open() {
  close();
  source = new EventSource(location.href);
  source.addEventListener("part", (event) => replace(JSON.parse(event.data)));
  source.addEventListener("stale", (event) => stale(JSON.parse(event.data).reason));
  source.addEventListener("signed-out", () => {
    close();
    stale("Your session has ended.");
    document.dispatchEvent(new Event("postrider:signed-out"));
  });
  source.addEventListener("end", close);
  source.addEventListener("open", () => stale(""));
  source.addEventListener("error", () => {
    stale("The server cannot be reached.");
    // The browser gives up after an error of a proxy, such as while the server restarts.
    if (source?.readyState === EventSource.CLOSED) setTimeout(() => source && !document.hidden && open(), RETRY);
  });
}

/**
 * Says why the page is not up to date, or that it is.
 * @param {string} reason
 */
function stale(reason) {
  const element = document.getElementById("stale");
  const text = document.getElementById("stale-text");
  if (!element || !text) return;
  if (reason && element.hidden) text.textContent = `${reason} Shown is the state of ${new Date().toLocaleTimeString()}.`;
  element.hidden = !reason;
}

/**
 * Replaces a part, and keeps the focus, what is unfolded, and the scroll position.
 * @param {{ id: string, html: string }} part
 */
export function replace({ id, html }) {
  const element = document.getElementById(id);
  if (!element || element.contains(document.querySelector(":popover-open"))) return;
  const template = document.createElement("template");
  setHtml(template, html);
  const fresh = template.content;
  if (canonical(element) === canonical(fresh)) return;
  const focus = pathTo(element, document.activeElement);
  const open = [...element.querySelectorAll("details")].map((details) => details.open);
  const scrolled = [...element.querySelectorAll(".table-scroll, pre")].map((box) => box.scrollLeft);
  element.replaceChildren(fresh);
  element.querySelectorAll("details").forEach((details, index) => (details.open = open[index] ?? details.open));
  element.querySelectorAll(".table-scroll, pre").forEach((box, index) => (box.scrollLeft = scrolled[index] ?? 0));
  if (focus) restore(element, focus);
  document.dispatchEvent(new CustomEvent("postrider:replaced", { detail: element }));
  updateTimes(element);
}

/**
 * The HTML without relative times and without what scripts have changed.
 * @param {Element | DocumentFragment} root
 */
function canonical(root) {
  const copy = /** @type {Element | DocumentFragment} */ (root.cloneNode(true));
  copy.querySelectorAll("time").forEach((time) => {
    time.textContent = "";
    time.removeAttribute("title");
  });
  copy.querySelectorAll("details").forEach((details) => details.removeAttribute("open"));
  copy.querySelectorAll("[data-copy]").forEach((button) => button.setAttribute("hidden", ""));
  const holder = document.createElement("div");
  holder.append(...copy.childNodes);
  return holder.innerHTML;
}

/**
 * Where the focused element is, by its link or its place among its siblings.
 * @param {Element} root
 * @param {Element | null} focused
 */
function pathTo(root, focused) {
  if (!focused || !root.contains(focused) || focused === root) return;
  const href = focused.getAttribute("href");
  const all = [...root.querySelectorAll(focused.tagName)];
  return { tag: focused.tagName, id: focused.id, href, index: all.indexOf(focused) };
}

/**
 * @param {Element} root
 * @param {{ tag: string, id: string, href: string | null, index: number }} focus
 */
function restore(root, { tag, id, href, index }) {
  const all = /** @type {HTMLElement[]} */ ([...root.querySelectorAll(tag)]);
  const same = all.find((it) => (id && it.id === id) || (href && it.getAttribute("href") === href));
  (same ?? all[index])?.focus({ preventScroll: true });
}
