// Reads a chosen file into a field, so that it is sent like a text that was pasted.

for (const group of document.querySelectorAll("[data-file]")) {
  if (!(group instanceof HTMLElement)) continue;
  const input = group.querySelector("input");
  const target = document.getElementById(group.dataset.file ?? "");
  if (!input || !(target instanceof HTMLTextAreaElement)) continue;
  group.hidden = false;
  input.addEventListener("change", async () => {
    const text = await input.files?.[0]?.text();
    if (text !== undefined) target.value = text;
  });
}
