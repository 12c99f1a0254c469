// Two nodes over one database: a page of one node shows what happens on the other.

/** @param {import("../walk.mjs").Walk} walk */
export default async function twoNodes(walk) {
  await walk.api("POST", "/app", { name: "Acme", uid: "acme" });
  await walk.api("POST", "/event-type", { name: "invoice.paid", description: "Paid." });
  await walk.api("POST", "/app/acme/endpoint", { url: walk.input.receivers.good });
  const { page } = await walk.signedIn();

  walk.step("watching messages on one node");
  await page.goto(walk.link("/messages"));
  await page.evaluate(() => Object.assign(window, { isSamePage: true }));

  walk.step("publishing on the other node");
  const response = await fetch(`${walk.input.other}/api/v1/app/acme/msg`, {
    method: "POST",
    headers: { "authorization": `Bearer ${walk.input.token}`, "content-type": "application/json" },
    body: JSON.stringify({ eventType: "invoice.paid", payload: { n: 1 } }),
  });
  walk.assert(response.ok, `the other node responded with ${response.status}`);
  const sent = await response.json();
  const row = page.getByRole("row").filter({ has: page.locator(`a[href*="${sent.id}"]`) });
  await row.getByText("Delivered").waitFor();
  walk.assert(await page.evaluate("window.isSamePage"), "the page was loaded again");

  walk.step("both nodes are on the overview");
  await page.goto(walk.link("/"));
  const nodes = page.getByRole("region", { name: "Nodes" }).getByRole("row");
  walk.assert((await nodes.count()) === 3, `there are ${(await nodes.count()) - 1} nodes, not 2`);
}
