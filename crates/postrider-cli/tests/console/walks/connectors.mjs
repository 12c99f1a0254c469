// A connector is created from a template, changed, and used by an endpoint.

import { signIn } from "../browser.mjs";

/** @param {import("../walk.mjs").Walk} walk */
export default async function connectors(walk) {
  await walk.api("POST", "/app", { name: "Acme", uid: "acme" });
  const { id } = await walk.api("POST", "/app/acme/endpoint", { url: walk.input.receivers.good });
  const { page, faults } = await walk.signedIn();
  faults.expect(/status of 422/);

  walk.step("creating a connector from a template");
  await page.goto(walk.link("/"));
  await page.getByRole("link", { name: "Connectors", exact: true }).click();
  await walk.check(page, "no connectors");
  await page.getByRole("link", { name: "Create connector" }).click();
  await page.getByRole("link", { name: "Telegram" }).click();
  await page.getByLabel("Name").fill("Chat of the team");
  await walk.check(page, "form of a connector");
  await page.getByRole("button", { name: "Create connector" }).click();
  await page.getByRole("heading", { level: 1, name: "Chat of the team" }).waitFor();
  await walk.check(page, "connector");

  walk.step("code that can never run is refused");
  await page.getByRole("link", { name: "Edit", exact: true }).click();
  const code = page.getByLabel("Code");
  const own = await code.inputValue();
  await code.fill("function handler( {");
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.locator(".problem").first().waitFor();
  await walk.check(page, "refused connector");
  await code.fill(own);
  await page.getByLabel("Description").fill("Tells the team");
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.getByText("Tells the team").first().waitFor();

  walk.step("an endpoint starts from it");
  await page.goto(walk.link(`/apps/acme/endpoints/${id}/filter`));
  await page.getByLabel("Start from a connector").selectOption({ label: "Chat of the team" });
  await page.getByRole("button", { name: "Use its code" }).click();
  await page.getByText("BotFather").first().waitFor();
  // Axe takes fields below the bar at the top for ones that are too small.
  await page.evaluate(() => scrollTo(0, 0));
  await walk.check(page, "start from a connector");
  const names = await page.getByLabel(/^Name \d+$/).evaluateAll((inputs) =>
    inputs.map((input) => /** @type {HTMLInputElement} */ (input).value).filter((name) => name !== ""),
  );
  for (const [name, value] of [["BOT_TOKEN", "123456:ABC-DEF"], ["CHAT_ID", "42"]]) {
    walk.assert(names.includes(name), `the variables are ${names}, without ${name}`);
    await page.getByLabel(`Value ${names.indexOf(name) + 1}`, { exact: true }).fill(value);
  }
  await page.getByLabel("Payload", { exact: true }).fill('{"amount": 7}');
  await page.getByRole("button", { name: "Save transformation" }).click();
  await page.getByText("The transformation has been saved").waitFor();
  const used = await walk.api("GET", `/app/acme/endpoint/${id}/connector`);
  walk.assert(used?.name === "Chat of the team", `the endpoint comes from ${used?.name}`);

  walk.step("an endpoint is created with it");
  await page.goto(walk.link("/apps/acme/endpoints/new/http"));
  await page.getByRole("textbox", { name: /^URL/ }).fill(walk.input.receivers.good);
  await page.getByLabel("Connector").selectOption({ label: "Chat of the team" });
  await walk.check(page, "form of an endpoint with a connector");
  await page.getByRole("button", { name: "Create endpoint" }).click();
  await page.getByText("The endpoint has been created").waitFor();
  await page.getByText("BotFather").first().waitFor();

  walk.step("a customer starts from it");
  const capabilities = ["ViewBase", "ManageTransformations"];
  const { url } = await walk.api("POST", "/auth/app-portal-access/acme", { capabilities });
  const customer = (await walk.page()).page;
  await signIn(customer, url);
  await customer.goto(walk.link(`/portal/endpoints/${id}`));
  await customer.getByRole("link", { name: "Filter and transformation" }).click();
  const choice = customer.getByLabel("Start from a connector");
  const offered = await choice.locator("option").allInnerTexts();
  walk.assert(offered.join() === "Chat of the team", `a customer is offered ${offered}`);
  await customer.getByRole("button", { name: "Use its code" }).click();
  await customer.getByText("BotFather").first().waitFor();
  walk.assert((await customer.getByLabel("Code", { exact: true }).inputValue()).includes("CHAT_ID"), "the code is that of the connector");
  await customer.evaluate(() => scrollTo(0, 0));
  await walk.check(customer, "start from a connector in the portal");

  walk.step("deleting it");
  await page.goto(walk.link("/connectors"));
  await page.getByRole("link", { name: "Chat of the team" }).click();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByRole("button", { name: "Delete connector" }).click();
  await page.getByText("No connectors yet").waitFor();
}
