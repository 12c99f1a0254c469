// A message stops an endpoint that is called in order: it is found, retried and skipped, and the
// endpoint is paused and resumed.

/** @typedef {import("../walk.mjs").Walk} Walk */

/** @param {Walk} walk */
export default async function order(walk) {
  const { endpoint, messages } = await prepare(walk);
  const { page } = await walk.signedIn();

  walk.step("the page of the endpoint shows the message that stops it");
  await page.goto(walk.link(`/apps/acme/endpoints/${endpoint}`));
  const next = page.getByRole("region", { name: "Next message" });
  await next.getByText(messages[0]).waitFor();
  await next.getByText(/later messages wait/).waitFor();
  await walk.check(page, "endpoint that is stopped");

  walk.step("retrying now calls the receiver again");
  const calls = (await walk.calls("failing")).length;
  await next.getByRole("button", { name: "Retry now" }).click();
  await page.getByText("What waits is being sent now.").waitFor();
  await walk.until("it was called again", async () => {
    return (await walk.calls("failing")).length > calls;
  });

  walk.step("skipping the message makes the next one the first");
  await next.getByRole("button", { name: "Skip" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.waitFor();
  await walk.check(page, "dialog to skip");
  await dialog.getByRole("button", { name: "Skip message" }).click();
  await page.getByText("The message has been skipped.").waitFor();
  await next.getByText(messages[1]).waitFor();

  walk.step("pausing stops the endpoint");
  await page.getByRole("button", { name: "Pause", exact: true }).click();
  await page.getByText("The endpoint is paused").waitFor();
  await walk.check(page, "endpoint that is paused");

  walk.step("resuming sends what waited");
  await walk.respond("failing", 200);
  await page.getByRole("button", { name: "Resume" }).click();
  await page.getByText("The endpoint has been resumed.").waitFor();
  await walk.until("everything else is delivered", async () => {
    const { data } = await walk.api("GET", `/app/acme/endpoint/${endpoint}/msg?status=0`);
    return data.length === messages.length - 1;
  });
}

/**
 * Sends messages to an endpoint that fails the first one; returns their ids and that of the
 * endpoint.
 *
 * @param {Walk} walk
 * @returns {Promise<{ endpoint: string, messages: string[] }>}
 */
async function prepare(walk) {
  await walk.api("POST", "/app", { name: "Acme", uid: "acme" });
  await walk.api("POST", "/event-type", { name: "invoice.paid", description: "Paid." });
  const { id: endpoint } = await walk.api("POST", "/app/acme/endpoint", {
    url: walk.input.receivers.failing,
    ordering: "fifo",
    skipAfter: 0,
  });
  const messages = [];
  for (let number = 0; number < 3; number += 1) {
    const body = { eventType: "invoice.paid", payload: { number } };
    const { id } = await walk.api("POST", "/app/acme/msg", body);
    messages.push(id);
  }
  await walk.until("the first attempt has failed", async () => {
    return (await walk.calls("failing")).length > 0;
  });
  return { endpoint, messages };
}
