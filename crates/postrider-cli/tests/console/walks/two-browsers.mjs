// Two people who look at the same pages see what happens at the same time, without reloading.

/** @param {import("../walk.mjs").Walk} walk */
export default async function twoBrowsers(walk) {
  await walk.api("POST", "/app", { name: "Acme", uid: "acme" });
  await walk.api("POST", "/event-type", { name: "invoice.paid", description: "Paid." });
  await walk.api("POST", "/app/acme/endpoint", { url: walk.input.receivers.good });
  const pages = [(await walk.signedIn()).page, (await walk.signedIn()).page];

  walk.step("both watch messages");
  for (const page of pages) {
    await page.goto(walk.link("/messages"));
    await page.evaluate(() => Object.assign(window, { isSamePage: true }));
  }
  const sent = await walk.api("POST", "/app/acme/msg", { eventType: "invoice.paid", payload: { n: 1 } });
  for (const page of pages) {
    const row = page.getByRole("row").filter({ has: page.locator(`a[href*="${sent.id}"]`) });
    await row.getByText("Delivered").waitFor();
    walk.assert(await page.evaluate("window.isSamePage"), "the page was loaded again");
  }

  walk.step("one sends what the other sees");
  const [first, second] = pages;
  walk.assert(first && second, "there are two");
  await first.goto(walk.link("/apps/acme/send"));
  await first.getByRole("button", { name: "Send invoice.paid" }).click();
  await first.getByText("Delivered").filter({ visible: true }).first().waitFor();
  await walk.until("the other sees it", async () => {
    const rows = await second.getByRole("row").filter({ hasText: "invoice.paid" }).count();
    return rows === 2;
  });
  walk.assert(await second.evaluate("window.isSamePage"), "the page was loaded again");
}
