// The pages without JavaScript: signing in, creating objects, finding them.

/** @param {import("../walk.mjs").Walk} walk */
export default async function withoutJavascript(walk) {
  const { page } = await walk.page({ javaScriptEnabled: false });

  walk.step("signing in");
  await page.goto(walk.link("/login"));
  await page.getByLabel("Token or API key").fill(walk.input.token);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();

  walk.step("every entry of the navigation leads to its page");
  const entries = page.getByRole("navigation", { name: "Main" }).getByRole("link");
  const names = await entries.allInnerTexts();
  for (const name of names.slice(1)) {
    if (name.trim() === "API documentation") continue;
    walk.step(`opening ${name.trim()}`);
    await entries.filter({ hasText: name.trim() }).first().click();
    const current = page.locator("[aria-current=page]").filter({ hasText: name.trim() });
    await current.first().waitFor();
    await walk.check(page, name.trim(), { access: false });
  }
}
