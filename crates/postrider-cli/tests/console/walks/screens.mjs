// Every screen in one theme; in the light theme every page that a link leads to. Links that lead
// nowhere are faults.

import { crawl } from "../crawl.mjs";
import { createData } from "../data.mjs";
import { resize } from "../inspect.mjs";
import { screens } from "../screens.mjs";

/** @typedef {import("../walk.mjs").Walk} Walk */
/** @typedef {import("playwright-core").Page} Page */

/** Fewer pages mean that the links were not found. */
const LEAST = 60;

/** @param {Walk} walk */
export default async function everyScreen(walk) {
  const data = await createData(walk);
  const { page } = await walk.signedIn({ colorScheme: walk.input.theme });
  const seen = new Set();
  // The themes differ in colours only, so one of them need not follow every link.
  if (walk.input.theme === "light") {
    const kinds = await crawl(walk, page, "/", async (kind, path) => {
      seen.add(path);
      await look(walk, page, kind);
    });
    walk.assert(kinds.length >= LEAST, `there are only ${kinds.length} pages: ${kinds.join(", ")}`);
  }

  for (const [name, path] of screens(data)) {
    if (seen.has(path)) continue;
    walk.step(`opening ${name}`);
    const response = await page.goto(walk.link(path));
    if (response?.ok()) await look(walk, page, name);
    else walk.found.push(`${name}: ${path} responded with ${response?.status()}`);
  }
}

/**
 * Checks accessibility; in the light theme also the layout at every width, and accessibility on a
 * phone.
 *
 * @param {Walk} walk
 * @param {Page} page
 * @param {string} name
 */
async function look(walk, page, name) {
  const isLight = walk.input.theme === "light";
  await walk.check(page, name, { layout: isLight });
  // The themes differ in colours only.
  if (!isLight) return;
  await resize(page, 390);
  await walk.check(page, `${name}, narrow`, { layout: false });
  await resize(page, 1280);
}
