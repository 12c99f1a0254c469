// Requests as they arrive at a temporary URL. The response to a form is a stream of events, so that
// the secret in the form is in no URL.

import { setHtml } from "./html.js";
import { updateTimes } from "./time.js";

/** Most requests on the page. */
const MOST = 100;

const form = /** @type {HTMLFormElement | null} */ (document.getElementById("inspect"));
const list = document.getElementById("inspect-requests");
const state = document.getElementById("inspect-state");

/** @type {AbortController | undefined} */
let running;

/** Listens while the page is open. */
export function inspect() {
  if (!form) return;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    listen();
  });
  listen();
}

/** @param {string} text */
function say(text) {
  if (state) state.textContent = text;
}

async function listen() {
  if (!form) return;
  running?.abort();
  const own = (running = new AbortController());
  let retries = true;
  try {
    const body = new URLSearchParams(/** @type {any} */ (new FormData(form)));
    const response = await fetch(form.action, { method: "POST", body, signal: own.signal });
    if (response.headers.get("content-type")?.startsWith("text/event-stream")) {
      retries = await read(response);
    } else {
      retries = response.status >= 500;
      const isText = response.headers.get("content-type")?.startsWith("text/plain");
      say(isText ? `Nothing is received: ${await response.text()}.` : "Nothing is received. Reload the page.");
    }
  } catch {
    if (!own.signal.aborted) say("The server cannot be reached. Trying again …");
  }
  if (retries && !own.signal.aborted) setTimeout(() => own === running && listen(), 2000);
}

/**
 * Shows requests until the stream ends; returns whether to connect again.
 * @param {Response} response
 */
async function read(response) {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    text += part.value;
    const events = text.split("\n\n");
    text = events.pop() ?? "";
    for (const event of events) {
      const [, name, data] = /^event: (.*)\ndata: (.*)$/m.exec(event) ?? [];
      if (name === "start") start(JSON.parse(data).html);
      else if (name === "request") show(JSON.parse(data).html);
      else if (name === "end" && JSON.parse(data).reason === "replaced") {
        say("Another tab receives the requests of this URL now. Use another URL here, or reload to take over.");
        return false;
      }
    }
  }
  return true;
}

/**
 * Shows the URL: another server than that of the page may receive the requests.
 * @param {string} html
 */
function start(html) {
  const url = document.getElementById("inspect-url");
  if (url) setHtml(url, html);
  document.dispatchEvent(new CustomEvent("postrider:replaced", { detail: url }));
  say("Waiting for requests …");
}

/** @param {string} html */
function show(html) {
  if (!list) return;
  document.getElementById("inspect-empty")?.setAttribute("hidden", "");
  const template = document.createElement("template");
  setHtml(template, html);
  for (const details of list.querySelectorAll("details.request")) details.removeAttribute("open");
  list.prepend(template.content);
  while (list.children.length > MOST) list.lastElementChild?.remove();
  const first = list.firstElementChild;
  if (!first) return;
  document.dispatchEvent(new CustomEvent("postrider:replaced", { detail: first }));
  updateTimes(first);
}
