// A session that ends while a form is being filled in: nothing that was entered is lost.

const NAME = "Acme & Sons <b>\"1\"";

/** @param {import("../walk.mjs").Walk} walk */
export default async function sessionExpiry(walk) {
  const { page, context, faults } = await walk.signedIn();
  walk.step("filling in the form of a new application");
  await page.goto(walk.link("/apps/new"));
  await page.getByLabel("Name").first().fill(NAME);

  walk.step("the session ends");
  await context.clearCookies();
  faults.expect(/status of 401/);
  await page.getByRole("button", { name: /create/i }).click();
  await page.getByLabel("Token or API key").waitFor();
  await page.getByText("What you entered is kept").waitFor();
  await walk.check(page, "sign-in page with an interrupted form");
  walk.assert((await applications(walk)).length === 0, "nothing was created without a session");

  walk.step("signing in again");
  await page.getByLabel("Token or API key").fill(walk.input.token);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  const send = page.getByRole("button", { name: "Send the form" });
  await send.waitFor();
  await walk.check(page, "page that continues an interrupted form");
  walk.assert((await applications(walk)).length === 0, "nothing was created before it was confirmed");

  walk.step("sending the form after all");
  await send.click();
  await page.getByRole("heading", { level: 1, name: NAME }).waitFor();
  const names = await applications(walk);
  walk.assert(names.join() === NAME, `the applications are ${names}`);
}

/**
 * @param {import("../walk.mjs").Walk} walk
 * @returns {Promise<string[]>}
 */
async function applications(walk) {
  const { data } = await walk.api("GET", "/app");
  return data.map((/** @type {{name: string}} */ { name }) => name);
}
