// The page of a platform that embeds the portal with the official React component. It is bundled
// by host.mjs.

import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { AppPortal } from "svix-react";

const props = JSON.parse(document.getElementById("props")?.textContent ?? "{}");

/** @type {any} */ (window).messages = [];
addEventListener("message", ({ data, origin }) => {
  /** @type {any} */ (window).messages.push({ data, origin });
});

const root = document.getElementById("root");
if (root) createRoot(root).render(createElement(AppPortal, props));
