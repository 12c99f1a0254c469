// A source is set up for a provider, and a rejected request is explained, and accepted after all.

import { postAsGithub } from "../data.mjs";

const SECRET = "a-secret-of-a-github-webhook";

/** @typedef {import("../walk.mjs").Walk} Walk */

/** @param {Walk} walk */
export default async function source(walk) {
  await walk.api("POST", "/app", { name: "Acme", uid: "acme" });
  await walk.api("POST", "/app/acme/endpoint", { url: walk.input.receivers.good });
  const { page } = await walk.signedIn();

  walk.step("choosing the provider");
  await page.goto(walk.link("/sources"));
  await walk.check(page, "sources without any");
  await page.getByRole("link", { name: /create source/i }).first().click();
  await page.getByLabel("Provider").fill("github");
  await walk.check(page, "choice of providers");
  await page.getByRole("link", { name: "GitHub", exact: true }).click();

  walk.step("creating the source");
  await page.getByLabel("Name").fill("Repositories");
  await page.getByLabel("Deliver to application").fill("acme");
  await page.getByRole("textbox", { name: "Secret" }).fill(SECRET);
  await walk.check(page, "form of a source");
  await page.getByRole("button", { name: "Create source" }).click();
  await page.getByRole("heading", { level: 1, name: "Repositories" }).waitFor();
  const address = page.getByRole("region", { name: "URL" }).getByRole("code").first();
  const url = (await address.textContent())?.trim() ?? "";
  walk.assert(url.startsWith(`${walk.input.url}/in/`), `the URL is ${url}`);

  await receive(walk, page, url);
  await explain(walk, page);
}

/**
 * The provider posts a genuine request and one with another secret; the page counts both.
 *
 * @param {Walk} walk
 * @param {import("playwright-core").Page} page
 * @param {string} url
 */
async function receive(walk, page, url) {
  walk.step("a genuine request is accepted and delivered");
  const accepted = await postAsGithub(url, SECRET);
  walk.assert(accepted === 200 || accepted === 202, `a genuine request got ${accepted}`);
  await walk.until("it is delivered", async () => (await walk.calls("good")).length === 1);

  walk.step("a request with another secret is rejected and counted");
  const rejected = await postAsGithub(url, "another-secret");
  walk.assert(rejected === 401, `a forged request got ${rejected}`);
  await page.getByRole("link", { name: "Rejected 1" }).waitFor();
  await walk.check(page, "source that has received requests");

  walk.step("a sample is genuine");
  await page.getByRole("link", { name: "Send a sample" }).click();
  await walk.check(page, "form of a sample");
  await page.getByRole("button", { name: "Sign and send" }).click();
  await walk.until("the sample is delivered", async () => (await walk.calls("good")).length === 2);
  await page.goBack();
  await page.goBack();
}

/**
 * @param {Walk} walk
 * @param {import("playwright-core").Page} page
 */
async function explain(walk, page) {
  walk.step("the rejected request says why");
  await page.getByRole("link", { name: "Rejected 1" }).click();
  const entry = page.getByText("no signature matches", { exact: true });
  await entry.click();
  await page.getByText("x-hub-signature-256").first().waitFor();
  await walk.check(page, "rejected request");

  walk.step("the valid signature is shown beside the one that was received");
  await page.getByRole("link", { name: "What would have been valid?" }).click();
  const table = page.getByRole("region", { name: "What would have been valid" });
  await table.getByText("x-hub-signature-256").waitFor();
  await walk.check(page, "explained request");

  walk.step("it does not verify now either");
  await page.getByRole("button", { name: "Verify again" }).click();
  await page.getByRole("alert").or(page.getByRole("status")).first().waitFor();
  await walk.check(page, "request that was verified again");

  walk.step("an operator accepts it after all");
  const before = (await walk.calls("good")).length;
  const accept = page.getByRole("button", { name: "Accept", exact: true });
  if (!(await accept.isVisible())) await entry.click();
  await accept.click();
  await walk.check(page, "dialog to accept");
  await page.getByRole("dialog").getByRole("button", { name: "Accept as a message" }).click();
  await walk.until("it is delivered", async () => (await walk.calls("good")).length === before + 1);
}
