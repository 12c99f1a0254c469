// What the portal does inside another page: it tells that page its height, and that the session has
// ended. The messages contain nothing that the other page must not know, so it may be any.

/** The container of the official React component is at least this high. */
const LEAST = 650;
const MARGIN = 16;

/** @param {object} message */
function tell(message) {
  window.parent.postMessage(message, "*");
}

/** @returns {HTMLElement[]} */
const dialogs = () => [...document.querySelectorAll(":popover-open, dialog[open]")].filter((it) => it instanceof HTMLElement);

let told = 0;

function tellHeight() {
  const bottoms = dialogs().map((it) => it.getBoundingClientRect().bottom + window.scrollY + MARGIN);
  const height = Math.ceil(Math.max(LEAST, document.body.getBoundingClientRect().height, ...bottoms));
  if (height === told) return;
  told = height;
  tell({ type: "svix.iframe-resizer-height", payload: { height } });
}

/**
 * Moves a dialog to the button that opened it. The frame may be much higher than what is visible of
 * it, and then the middle of the frame is anywhere.
 * @param {HTMLElement} dialog
 */
function place(dialog) {
  const button = document.querySelector(`[popovertarget="${CSS.escape(dialog.id)}"]`);
  const top = (button ?? document.activeElement)?.getBoundingClientRect().bottom;
  if (top === undefined) return;
  const last = Math.max(window.innerHeight - dialog.offsetHeight - MARGIN, MARGIN);
  dialog.style.marginBlockStart = `${Math.min(Math.max(top + 4, MARGIN), last)}px`;
}

function tellEnd() {
  tell({ type: "postrider.session-ended" });
}

/** The current page is visible in the navigation, even where that is wider than the window. */
function showTab() {
  const tabs = document.querySelector(".portal-tabs");
  const current = tabs?.querySelector("[aria-current]");
  if (!tabs || !current) return;
  tabs.scrollLeft += current.getBoundingClientRect().right - tabs.getBoundingClientRect().right;
}

/** Does so, if there is another page. */
export function embed() {
  showTab();
  if (window.parent === window || !document.body.classList.contains("portal")) return;
  document.documentElement.dataset.framed = "";
  document.addEventListener(
    "toggle",
    ({ target }) => {
      if (target instanceof HTMLElement && dialogs().includes(target)) place(target);
      tellHeight();
    },
    true,
  );
  document.addEventListener("postrider:signed-out", tellEnd);
  if (document.querySelector("[data-expired]")) tellEnd();
  new ResizeObserver(tellHeight).observe(document.body);
}
