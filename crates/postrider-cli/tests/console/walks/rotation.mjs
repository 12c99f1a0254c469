// A secret is rotated: during the grace period, requests verify with the old one and with the new.

/** @typedef {import("../walk.mjs").Walk} Walk */

/** @param {Walk} walk */
export default async function rotation(walk) {
  await walk.api("POST", "/app", { name: "Acme", uid: "acme" });
  await walk.api("POST", "/event-type", { name: "invoice.paid", description: "Paid." });
  const { good } = walk.input.receivers;
  const { id } = await walk.api("POST", "/app/acme/endpoint", { url: good });
  const old = await secret(walk, id);
  await sendAndVerify(walk, old);

  const { page } = await walk.signedIn();
  walk.step("revealing the secret");
  await page.goto(walk.link(`/apps/acme/endpoints/${id}`));
  await page.getByRole("link", { name: "Signing secret" }).click();
  await walk.check(page, "page of the secret");
  walk.assert(!(await page.content()).includes(old), "the page contains the masked secret");
  await page.getByRole("button", { name: "Reveal" }).click();
  await page.getByText(old).first().waitFor();
  await walk.check(page, "page of the revealed secret");

  walk.step("rotating the secret");
  await page.getByLabel("Grace period").selectOption({ label: "1 day" });
  await page.getByRole("button", { name: "Rotate secret" }).click();
  const present = await walk.until("the secret changes", async () => {
    const key = await secret(walk, id);
    return key === old ? null : key;
  });
  await page.getByRole("status").first().waitFor();
  await walk.check(page, "page after the rotation");
  await sendAndVerify(walk, old);
  await sendAndVerify(walk, present);

  walk.step("the audit log says who saw and who rotated it");
  const { data } = await walk.api("GET", "/audit-log");
  const operations = JSON.stringify(data);
  for (const name of ["get-secret", "rotate-secret"]) {
    walk.assert(operations.includes(name), `the audit log has no ${name}`);
  }
}

/**
 * @param {Walk} walk
 * @param {string} endpoint
 * @returns {Promise<string>}
 */
async function secret(walk, endpoint) {
  return (await walk.api("GET", `/app/acme/endpoint/${endpoint}/secret`)).key;
}

/**
 * Sends a message, and waits until it arrives and verifies with a secret.
 *
 * @param {Walk} walk
 * @param {string} key
 */
async function sendAndVerify(walk, key) {
  const { id } = await walk.api("POST", "/app/acme/msg", { eventType: "invoice.paid", payload: {} });
  const call = await walk.until("the message arrives", async () => {
    const calls = await walk.calls("good", key);
    return calls.find((it) => it.id === id);
  });
  walk.assert(call.verified, `the signature ${call.signature} does not verify`);
}
