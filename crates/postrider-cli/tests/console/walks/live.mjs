// The live view while 200 messages a second arrive: it keeps at most 500 rows, says how many it does
// not show, and can be paused.

import { longTasks, recordLongTasks } from "../weight.mjs";

const PER_SECOND = 200;
const SECONDS = 5;
const MAX_ROWS = 500;
/** Generous, because other tests may use the machine; the budget is 50 ms on an idle one. */
const MAX_TASK_MS = 400;

/** @typedef {import("../walk.mjs").Walk} Walk */

/** @param {Walk} walk */
export default async function live(walk) {
  await walk.api("POST", "/app", { name: "Acme", uid: "acme" });
  await walk.api("POST", "/event-type", { name: "invoice.paid", description: "Paid." });
  await walk.api("POST", "/app/acme/endpoint", { url: walk.input.receivers.good });
  const { page } = await walk.signedIn();
  await recordLongTasks(page);
  await page.goto(walk.link("/live"));
  await walk.check(page, "empty live view");

  walk.step("messages arrive");
  await walk.api("POST", "/app/acme/msg", { eventType: "invoice.paid", payload: {} });
  await page.getByText("invoice.paid").first().waitFor();
  for (let second = 0; second < SECONDS; second += 1) await publish(walk);
  const rows = page.locator("[data-rows] > *");
  await walk.until("the rows are many", async () => (await rows.count()) > 100);
  await walk.check(page, "live view with messages");
  const count = await rows.count();
  walk.assert(count <= MAX_ROWS, `there are ${count} rows`);
  const slow = (await longTasks(page)).filter((duration) => duration > MAX_TASK_MS);
  walk.assert(slow.length === 0, `the page does not respond for ${slow} ms`);

  walk.step("a pause holds the rows");
  await page.getByRole("button", { name: /pause/i }).click();
  const before = await rows.count();
  await publish(walk);
  await page.getByText(/not shown|waiting|new/i).filter({ visible: true }).first().waitFor();
  walk.assert((await rows.count()) === before, "the pause does not hold the rows");
  await walk.check(page, "paused live view");
}

/**
 * Publishes for a second.
 *
 * @param {Walk} walk
 */
async function publish(walk) {
  const began = performance.now();
  const messages = Array.from({ length: PER_SECOND / 10 }, (_, number) => ({
    eventType: "invoice.paid",
    payload: { number },
  }));
  for (let batch = 0; batch < 10; batch += 1) await walk.api("POST", "/app/acme/msg/batch", { messages });
  const left = 1_000 - (performance.now() - began);
  if (left > 0) await new Promise((done) => setTimeout(done, left));
}
