// The feed: rows that arrive in batches, and are inserted a few at a time.

import { setHtml } from "./html.js";

const MAX_ROWS = 500;
const ROWS_PER_FRAME = 20;
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

/**
 * Shows local times, if the person has chosen that.
 * @param {ParentNode} root
 */
function showLocalTimes(root) {
  for (const time of /** @type {NodeListOf<HTMLTimeElement>} */ (root.querySelectorAll("[data-clock]"))) {
    const at = new Date(time.dateTime);
    time.textContent = CLOCK.format(at);
    time.title = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
  }
}

/** Follows the feed, if the page has one. */
export function followFeed() {
  const feed = document.getElementById("feed");
  const rows = document.getElementById("feed-rows");
  const pinned = document.getElementById("feed-pinned");
  const status = document.getElementById("feed-status");
  const pause = document.getElementById("feed-pause");
  if (feed && rows && pinned && status && pause) start({ feed, rows, pinned, status, pause });
}

/** @param {Record<"feed" | "rows" | "pinned" | "status" | "pause", HTMLElement>} parts */
function start({ feed, rows, pinned, status, pause }) {
  /** @type {string[]} Rows that have arrived, the oldest first. */
  let waiting = [];
  const known = new Set([...rows.children].map((row) => row.getAttribute("data-id")));
  let [skipped, hasGap, isPaused, isPlanned] = [0, false, false, false];
  let problem = "";
  const url = new URL(feed.dataset.stream ?? "", location.href);
  /** @type {EventSource | undefined} */
  let source;

  feed.classList.add("following");
  showLocalTimes(rows);
  pause.hidden = false;

  function describe() {
    const parts = [problem || (isPaused ? `Paused, ${waiting.length} waiting` : "Following")];
    if (skipped > 0) parts.push(`${skipped.toLocaleString("en")} not shown`);
    if (hasGap) parts.push("more happened than was read");
    const text = parts.join(" · ");
    if (status.textContent !== text) status.textContent = text;
  }

  function plan() {
    if (isPlanned) return;
    isPlanned = true;
    requestAnimationFrame(insert);
  }

  function insert() {
    isPlanned = false;
    if (!isPaused && waiting.length > 0) {
      const template = document.createElement("template");
      setHtml(template, waiting.splice(0, ROWS_PER_FRAME).reverse().join(""));
      for (const row of [...template.content.children]) {
        const id = row.getAttribute("data-id");
        if (known.has(id)) row.remove();
        else known.add(id);
      }
      showLocalTimes(template.content);
      rows.prepend(template.content);
      while (rows.children.length > MAX_ROWS) {
        known.delete(rows.lastElementChild?.getAttribute("data-id") ?? null);
        rows.lastElementChild?.remove();
      }
      if (waiting.length > 0) plan();
    }
    describe();
  }

  /** @param {MessageEvent} event */
  function receive(event) {
    const batch = JSON.parse(event.data);
    url.searchParams.set("after", event.lastEventId);
    waiting.push(...batch.rows);
    const excess = Math.max(waiting.length - MAX_ROWS, 0);
    waiting.splice(0, excess);
    skipped += batch.skipped + excess;
    hasGap ||= batch.gap;
    plan();
  }

  /** @param {string} text */
  function report(text) {
    problem = text;
    describe();
  }

  function close() {
    source?.close();
    source = undefined;
  }

  function open() {
    close();
    source = new EventSource(url);
    source.addEventListener("rows", receive);
    source.addEventListener("open", () => report(""));
    source.addEventListener("error", () => {
      report("The server cannot be reached");
      if (source?.readyState === EventSource.CLOSED) setTimeout(() => document.hidden || open(), 5000);
    });
  }

  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.setAttribute("aria-pressed", String(isPaused));
    const label = pause.querySelector("span");
    if (label) label.textContent = isPaused ? "Continue" : "Pause";
    plan();
  });

  feed.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-pin]") : null;
    const row = button?.closest("li");
    if (!button || !row) return;
    const isPinned = row.parentElement === pinned;
    button.setAttribute("aria-pressed", String(!isPinned));
    if (isPinned) row.remove();
    else pinned.append(row);
  });

  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  window.addEventListener("pagehide", close);
  if (!document.hidden) open();
}
