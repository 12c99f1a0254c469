// Reads a chosen file into a field, so that it is sent like a text that was pasted.

/** Shows the inputs for files, which need scripts. */
export function offerFiles() {
  for (const group of document.querySelectorAll("[data-file]")) {
    const input = group.querySelector("input");
    const target = document.getElementById(group.getAttribute("data-file") ?? "");
    if (!input || !(target instanceof HTMLTextAreaElement)) continue;
    group.removeAttribute("hidden");
    input.addEventListener("change", async () => {
      const text = await input.files?.[0]?.text();
      if (text !== undefined) target.value = text;
    });
  }
}
