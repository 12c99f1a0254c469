// Buttons that copy a text.

/** @param {ParentNode} root */
function show(root) {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll("[data-copy]")) button.removeAttribute("hidden");
}

/** @param {HTMLElement} button */
async function copy(button) {
  await navigator.clipboard.writeText(button.dataset.copy ?? "");
  button.classList.add("copied");
  const label = button.getAttribute("aria-label") ?? "";
  button.setAttribute("aria-label", "Copied");
  setTimeout(() => {
    button.classList.remove("copied");
    button.setAttribute("aria-label", label);
  }, 1500);
}

/** Shows the buttons, also those that are added to the page later. */
export function showCopyButtons() {
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-copy]") : null;
    if (button instanceof HTMLElement) copy(button);
  });
  document.addEventListener("postrider:replaced", (event) => {
    if (event instanceof CustomEvent) show(event.detail);
  });
  show(document);
}
