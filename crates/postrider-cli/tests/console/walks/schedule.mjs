// A scheduled message is rescheduled and cancelled; an event type refuses payloads that do not match.

/** @param {import("../walk.mjs").Walk} walk */
export default async function schedule(walk) {
  await walk.api("POST", "/app", { name: "Acme", uid: "acme" });
  const schemas = { 1: { type: "object", required: ["id"] } };
  await walk.api("POST", "/event-type", { name: "invoice.paid", description: "Paid.", schemas });
  await walk.api("POST", "/app/acme/endpoint", { url: walk.input.receivers.good });
  const { page } = await walk.signedIn();

  walk.step("a scheduled message is rescheduled");
  const deliverAt = new Date(Date.now() + 86_400_000).toISOString();
  const message = { eventType: "invoice.paid", payload: { id: 1 }, deliverAt };
  const { id } = await walk.api("POST", "/app/acme/msg", message);
  await page.goto(walk.link(`/apps/acme/messages/${id}`));
  await page.getByText("Scheduled.").waitFor();
  await walk.check(page, "scheduled message");
  await page.getByRole("button", { name: "Reschedule" }).first().click();
  const later = new Date(Date.now() + 2 * 86_400_000).toISOString().slice(0, 16);
  await page.getByLabel("First attempts (UTC)").fill(later);
  await walk.check(page, "dialog to reschedule");
  await page.getByRole("dialog").getByRole("button", { name: "Reschedule" }).click();
  await page.getByText("The message has been rescheduled").waitFor();
  const moved = await walk.api("GET", `/app/acme/msg/${id}`);
  walk.assert(moved.deliverAt.startsWith(later), `it is due at ${moved.deliverAt}`);

  walk.step("and cancelled");
  await page.getByRole("button", { name: "Cancel delivery" }).first().click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel delivery" }).click();
  await page.getByText("The deliveries have been cancelled").waitFor();
  await page.getByRole("button", { name: "Reschedule" }).first().waitFor({ state: "detached" });
  await walk.check(page, "cancelled message");

  walk.step("an event type refuses payloads that do not match");
  await page.goto(walk.link("/event-types/invoice.paid/edit"));
  await page.getByLabel("Payloads that do not match the schema").selectOption({ label: "Are refused" });
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.locator("dd", { hasText: "Are refused" }).waitFor();
  await walk.check(page, "event type that refuses");
  const stored = await walk.api("GET", "/event-type/invoice.paid");
  walk.assert(stored.schemaValidation === "reject", `the mode is ${stored.schemaValidation}`);

  walk.step("the report shows what was refused, and where it does not match");
  const refused = await fetch(`${walk.input.server}/api/v1/app/acme/msg`, {
    method: "POST",
    headers: { authorization: `Bearer ${walk.input.token}`, "content-type": "application/json" },
    body: JSON.stringify({ eventType: "invoice.paid", eventId: "wrong", payload: { total: 1 } }),
  });
  walk.assert(refused.status === 422, `the status is ${refused.status}`);
  await page.goto(walk.link("/event-types/invoice.paid"));
  const report = page.locator("#payloads");
  await report.getByText("version 1 of the schema are refused").waitFor();
  const row = report.locator("tbody tr", { hasText: "wrong" });
  await row.getByText("Refused").waitFor();
  await row.getByText('"id" is a required property').waitFor();
  await walk.check(page, "report of an event type");
}
