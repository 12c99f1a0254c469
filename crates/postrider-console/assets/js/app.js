// What every page does.

import { find } from "./find.js";
import { followFeed } from "./feed.js";
import { follow } from "./live.js";
import { listen } from "./keys.js";
import { signIn } from "./login.js";
import { embed } from "./portal.js";
import { updateTimes } from "./time.js";

/** @param {ParentNode} root */
function showCopyButtons(root) {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll("[data-copy]")) button.removeAttribute("hidden");
}

document.addEventListener("click", async (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-copy]") : null;
  if (!(button instanceof HTMLElement)) return;
  await navigator.clipboard.writeText(button.dataset.copy ?? "");
  button.classList.add("copied");
  const label = button.getAttribute("aria-label") ?? "";
  button.setAttribute("aria-label", "Copied");
  setTimeout(() => {
    button.classList.remove("copied");
    button.setAttribute("aria-label", label);
  }, 1500);
});

document.addEventListener("postrider:replaced", (event) => {
  if (event instanceof CustomEvent) showCopyButtons(event.detail);
});

showCopyButtons(document);
updateTimes();
setInterval(() => updateTimes(), 10_000);
listen();
embed();
signIn();
find();
follow();
followFeed();
