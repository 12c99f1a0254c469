// A person who may only look: every page is readable, and none offers an action.

import { signIn, signInPath } from "../browser.mjs";
import { crawl } from "../crawl.mjs";
import { createData } from "../data.mjs";

/** Forms that concern only the person. */
const OWN = /\/(preferences|logout|messages\/views)$/;

/** @param {import("../walk.mjs").Walk} walk */
export default async function readOnly(walk) {
  const data = await createData(walk);
  const { token } = await walk.api("POST", "/api-key", { name: "A screen", role: "viewer" });
  const { page, faults } = await walk.page();
  await signIn(page, walk.link(signInPath(token)));
  const kinds = await crawl(walk, page, "/", async (kind) => {
    const actions = await page.locator('form[method="post" i]').evaluateAll((forms) =>
      forms.map((form) => form.getAttribute("action") ?? ""),
    );
    const others = actions.filter((action) => !OWN.test(action));
    walk.found.push(...others.map((action) => `${kind} offers ${action} to a viewer`));
  });

  walk.assert(kinds.length >= 30, `there are only ${kinds.length} pages: ${kinds.join(", ")}`);

  walk.step("a direct link names the role that is needed");
  faults.expect(/status of 403/);
  for (const path of ["/apps/new", `/apps/${data.app}/edit`, `/apps/${data.app}/send`]) {
    const response = await page.goto(walk.link(path));
    walk.assert(response?.status() === 403, `${path} responded with ${response?.status()}`);
    await page.getByText(/operator|publisher|admin/).first().waitFor();
    await walk.check(page, `${path} for a viewer`);
  }
}
