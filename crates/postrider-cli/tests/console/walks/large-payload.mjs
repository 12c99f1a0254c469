// A message with 5 MB: its page stays small and quick, and offers the payload as a download.

import { readFile } from "node:fs/promises";

import { longTasks, recordLongTasks, transferred } from "../weight.mjs";

const ROWS = 50_000;
const MAX_PAGE = 600 * 1024;
/** Generous, because other tests may use the machine. */
const MAX_TASK_MS = 400;

/** @param {import("../walk.mjs").Walk} walk */
export default async function largePayload(walk) {
  await walk.api("POST", "/app", { name: "Acme", uid: "acme" });
  await walk.api("POST", "/app/acme/endpoint", { url: walk.input.receivers.good });
  await walk.api("POST", "/event-type", { name: "export.done", description: "Done." });
  const rows = Array.from({ length: ROWS }, (_, id) => ({ id, name: `row ${id}`, text: "x".repeat(64) }));
  const payload = { rows };
  const size = JSON.stringify(payload).length;
  walk.assert(size >= 5_000_000, `the payload has ${size} bytes`);
  const { id } = await walk.api("POST", "/app/acme/msg", { eventType: "export.done", payload });

  const { page } = await walk.signedIn({ acceptDownloads: true });
  await recordLongTasks(page);
  walk.step("opening the message");
  const { bytes } = await transferred(page, walk.link(`/apps/acme/messages/${id}`));
  walk.assert(bytes < MAX_PAGE, `the page needs ${bytes} bytes`);
  const slow = (await longTasks(page)).filter((duration) => duration > MAX_TASK_MS);
  walk.assert(slow.length === 0, `the page does not respond for ${slow} ms`);
  await walk.check(page, "message with a large payload");

  walk.step("downloading the payload");
  const downloading = page.waitForEvent("download");
  await page.getByRole("link", { name: /download/i }).first().click();
  const path = await (await downloading).path();
  const content = JSON.parse(await readFile(path, "utf8"));
  walk.assert(content.rows.length === ROWS, `the download has ${content.rows.length} rows`);
}
