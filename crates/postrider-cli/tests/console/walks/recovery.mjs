// A failure is found on the overview, understood, and recovered after the receiver was repaired.

const MESSAGES = 5;

/** @typedef {import("../walk.mjs").Walk} Walk */

/** @param {Walk} walk */
export default async function recovery(walk) {
  const endpoint = await prepare(walk);
  const { page } = await walk.signedIn();

  walk.step("the overview names the endpoint");
  await page.goto(walk.link("/"));
  await page.getByRole("link", { name: walk.input.receivers.failing }).first().click();
  await page.getByRole("heading", { level: 1, name: walk.input.receivers.failing }).waitFor();
  await walk.check(page, "endpoint that fails");

  walk.step("an attempt shows what was sent and what came back");
  await page.getByRole("link", { name: "500" }).first().click();
  await page.getByRole("heading", { level: 1, name: /attempt/i }).waitFor();
  for (const text of ["webhook-signature", "500"]) await page.getByText(text).first().waitFor();
  await walk.check(page, "failed attempt");

  walk.step("the list of failures names the cause");
  await page.getByRole("link", { name: "Failures", exact: true }).first().click();
  await page.getByRole("heading", { level: 1, name: "Failures" }).waitFor();
  await page.getByText(walk.input.receivers.failing).first().waitFor();
  await walk.check(page, "failures");

  walk.step("recovering what failed");
  await walk.respond("failing", 200);
  await page.goto(walk.link(`/apps/acme/endpoints/${endpoint}`));
  await page.getByRole("link", { name: "Recover", exact: true }).click();
  await page.getByRole("radio", { name: /Failed messages/ }).check();
  await page.getByRole("radio", { name: /24 hours/ }).check();
  await walk.check(page, "form to recover");
  await page.getByRole("button", { name: "Send again" }).click();
  await page.waitForURL(/\/tasks\//);
  await page.getByText("Finished").first().waitFor();
  await walk.check(page, "finished task");

  walk.step("every message arrived");
  await walk.until("every message is delivered", async () => {
    const { data } = await walk.api("GET", `/app/acme/endpoint/${endpoint}/msg?status=0`);
    return data.length === MESSAGES;
  });
}

/**
 * Sends messages to an endpoint that fails; returns its id when their deliveries were given up.
 *
 * @param {Walk} walk
 * @returns {Promise<string>}
 */
async function prepare(walk) {
  await walk.api("POST", "/app", { name: "Acme", uid: "acme" });
  await walk.api("POST", "/event-type", { name: "invoice.paid", description: "Paid." });
  const { id } = await walk.api("POST", "/app/acme/endpoint", { url: walk.input.receivers.failing });
  for (let number = 0; number < MESSAGES; number += 1) {
    await walk.api("POST", "/app/acme/msg", { eventType: "invoice.paid", payload: { number } });
  }
  await walk.until("every delivery is given up", async () => {
    const { data } = await walk.api("GET", `/app/acme/endpoint/${id}/msg?status=2`);
    return data.length === MESSAGES;
  });
  return id;
}
