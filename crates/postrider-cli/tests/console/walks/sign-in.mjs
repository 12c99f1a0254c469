// Signing in with a token and with a link, and out again.

import { signIn, signInPath } from "../browser.mjs";

/** @param {import("../walk.mjs").Walk} walk */
export default async function signInAndOut(walk) {
  const { page, faults } = await walk.page();

  walk.step("a page that needs a session leads to the sign-in page");
  faults.expect(/status of 401/);
  await page.goto(walk.link("/apps"));
  const token = page.getByLabel("Token or API key");
  await token.waitFor();
  await walk.check(page, "sign-in page");

  walk.step("a wrong token is refused with a reason");
  await token.fill("not-a-token");
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("alert").waitFor();
  await walk.check(page, "sign-in page after a wrong token");

  walk.step("a token leads to the page that needed it");
  await token.fill(walk.input.token);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.waitForURL(walk.link("/apps"));
  await page.getByRole("heading", { level: 1, name: "Applications" }).waitFor();

  walk.step("signing out");
  await page.locator("[popovertarget=account]").click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await token.waitFor();
  await page.goto(walk.link("/apps"));
  await token.waitFor();

  walk.step("a link signs in, and its key does not stay in the address");
  await signIn(page, walk.link(signInPath(walk.input.token)));
  await page.getByRole("heading", { level: 1 }).waitFor();
  walk.assert(!page.url().includes("key"), `the address is ${page.url()}`);
  await page.goBack();
  walk.assert(!page.url().includes("key="), `the address before it is ${page.url()}`);
}
