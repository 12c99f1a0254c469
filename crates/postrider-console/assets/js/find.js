// Narrows a list while a person types. Without scripts, the form does it.

/** Listens to fields with `data-find`, the selector of the items. */
export function find() {
  for (const field of document.querySelectorAll("input[data-find]")) {
    if (!(field instanceof HTMLInputElement)) continue;
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/);
      for (const item of document.querySelectorAll(field.dataset.find ?? "")) {
        const text = item.getAttribute("data-text") ?? "";
        item.toggleAttribute("hidden", !words.every((word) => text.includes(word)));
      }
    });
  }
}
