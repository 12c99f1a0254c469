// Ten thousand deliveries are resent at once: the exact scope, a number to type, and progress.

const MESSAGES = 10_000;
const BATCH = 500;

/** For ten thousand deliveries on a busy machine. */
const TASK_MS = 180_000;

/** @typedef {import("../walk.mjs").Walk} Walk */

/** @param {Walk} walk */
export default async function bulkRecovery(walk) {
  const endpoint = await prepare(walk);
  const { page, faults } = await walk.signedIn();

  walk.step("cancelling what is pending, whose number is stated");
  await page.goto(walk.link(`/apps/acme/endpoints/${endpoint}`));
  await page.getByRole("button", { name: "Cancel pending" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.waitFor();
  await walk.check(page, "dialog to cancel");
  await dialog.getByRole("button", { name: "Cancel deliveries" }).click();
  await until(walk, endpoint, 0);

  walk.step("a dry run counts what would be sent");
  await walk.respond("failing", 200);
  await page.goto(walk.link("/failures"));
  await page.getByRole("link", { name: "Resend deliveries" }).click();
  await page.getByRole("region", { name: "Dry run" }).getByText("10,000").first().waitFor();
  await walk.check(page, "dry run");

  walk.step("the number has to be typed");
  faults.expect(/status of 422/);
  const number = page.getByLabel("Number of deliveries");
  await number.fill("9999");
  await page.getByRole("button", { name: /^Resend .*10,000/ }).click();
  await page.getByText("Enter 10,000, the present number").waitFor();
  await walk.check(page, "dry run after a wrong number");
  await page.getByLabel("Number of deliveries").fill("10000");
  await page.getByRole("button", { name: /^Resend .*10,000/ }).click();
  await page.waitForURL(/\/tasks\//);

  walk.step("the task shows its progress without reloading");
  await page.evaluate(() => Object.assign(window, { isSamePage: true }));
  await page.getByRole("progressbar").waitFor();
  await walk.check(page, "running task");
  await page.getByText("Finished").first().waitFor({ timeout: TASK_MS });
  walk.assert(await page.evaluate("window.isSamePage"), "the page was loaded again");
  await walk.check(page, "finished task");

  walk.step("every message arrived");
  const haveArrived = async () => {
    const calls = await walk.calls("failing");
    return new Set(calls.map(({ id }) => id)).size >= MESSAGES;
  };
  await walk.until("every message arrived", haveArrived, TASK_MS);
}

/**
 * Publishes messages for an endpoint that fails; returns its id.
 *
 * @param {Walk} walk
 * @returns {Promise<string>}
 */
async function prepare(walk) {
  await walk.api("POST", "/app", { name: "Acme", uid: "acme" });
  await walk.api("POST", "/event-type", { name: "invoice.paid", description: "Paid." });
  const { id } = await walk.api("POST", "/app/acme/endpoint", { url: walk.input.receivers.failing });
  for (let first = 0; first < MESSAGES; first += BATCH) {
    const messages = Array.from({ length: BATCH }, (_, place) => ({
      eventType: "invoice.paid",
      payload: { number: first + place },
    }));
    await walk.api("POST", "/app/acme/msg/batch", { messages });
  }
  return id;
}

/**
 * Waits until this number of deliveries is pending.
 *
 * @param {Walk} walk
 * @param {string} endpoint
 * @param {number} pending
 */
async function until(walk, endpoint, pending) {
  const isReached = async () => {
    const state = await walk.api("GET", `/app/acme/endpoint/${endpoint}/state`);
    return state.pending === pending;
  };
  await walk.until(`${pending} deliveries are pending`, isReached, TASK_MS);
}
