// Every page of the portal that a link leads to, in one theme, as a page of its own.

import { signIn } from "../browser.mjs";
import { crawl } from "../crawl.mjs";
import { createData } from "../data.mjs";
import { resize } from "../inspect.mjs";

/** Fewer pages mean that the links were not found. */
const LEAST = 20;

/** @param {import("../walk.mjs").Walk} walk */
export default async function everyPortalScreen(walk) {
  await createData(walk);
  const { url } = await walk.api("POST", "/auth/app-portal-access/acme", {});
  const { page } = await walk.page({ colorScheme: walk.input.theme });
  await signIn(page, url);
  const kinds = await crawl(walk, page, "/portal/endpoints", async (kind) => {
    const isLight = walk.input.theme === "light";
    await walk.check(page, kind, { layout: isLight });
    // The themes differ in colours only.
    if (!isLight) return;
    await resize(page, 390);
    await walk.check(page, `${kind}, narrow`, { layout: false });
    await resize(page, 1280);
  });
  const outside = kinds.filter((kind) => !kind.startsWith("/portal"));
  walk.assert(outside.length === 0, `the portal links to ${outside.join(", ")}`);
  walk.assert(kinds.length >= LEAST, `there are only ${kinds.length} pages: ${kinds.join(", ")}`);
}
