// A polling endpoint is created, its token is revealed and replaced, and a consumer appears.

/** @param {import("../walk.mjs").Walk} walk */
export default async function polling(walk) {
  await walk.api("POST", "/app", { name: "Acme", uid: "acme" });
  const { page } = await walk.signedIn();

  walk.step("creating the endpoint");
  await page.goto(walk.link("/apps/acme/endpoints/new"));
  await page.getByRole("link", { name: /Polling/ }).click();
  await page.getByLabel("Description").fill("For the warehouse");
  await walk.check(page, "form of a polling endpoint");
  await page.getByRole("button", { name: "Create endpoint" }).click();
  await page.getByText("No consumer has polled yet").waitFor();
  await walk.check(page, "polling endpoint without consumers");

  walk.step("its token is revealed and replaced");
  await page.getByRole("button", { name: "Reveal token" }).click();
  const shown = page.locator(".endpoint-secret").getByText(/^sk_poll_[\w-]{70,}$/);
  const first = await shown.innerText();
  await page.getByRole("button", { name: "Rotate token" }).click();
  await page.getByText("The token has been replaced").waitFor();
  const second = await shown.innerText();
  walk.assert(first !== second, "the token has not changed");
  await walk.check(page, "token of a polling endpoint");

  walk.step("a consumer appears with its progress");
  const list = await walk.api("GET", "/app/acme/endpoint");
  const path = `/app/acme/polling-endpoint/${list?.data[0].id}/consumer/warehouse`;
  await walk.api("POST", "/event-type", { name: "invoice.paid", description: "An invoice was paid." });
  await walk.api("POST", "/app/acme/msg", { eventType: "invoice.paid", payload: { n: 1 } });
  let batch = await walk.api("GET", path);
  for (let tries = 0; tries < 100 && batch?.data.length === 0; tries++) batch = await walk.api("GET", path);
  await page.goto(page.url());
  const row = page.getByRole("row", { name: /warehouse/ });
  await row.waitFor();
  await walk.check(page, "consumers of a polling endpoint");
  await row.getByRole("button", { name: "Remove" }).click();
  await page.getByText("No consumer has polled yet").waitFor();
}
