// Every screen with data, in one theme and at every width.

import { createData } from "../data.mjs";
import { WIDTHS, resize } from "../inspect.mjs";
import { screens } from "../screens.mjs";

/** @param {import("../walk.mjs").Walk} walk */
export default async function everyScreen(walk) {
  const data = await createData(walk);
  const { page } = await walk.signedIn({ colorScheme: walk.input.theme });
  for (const [name, path] of screens(data)) {
    walk.step(`opening ${name}`);
    const response = await page.goto(walk.link(path));
    if (!response?.ok()) {
      walk.found.push(`${name}: ${path} responded with ${response?.status()}`);
      continue;
    }
    for (const width of WIDTHS) {
      await resize(page, width);
      await walk.check(page, `${name}, ${width} px`, { layout: width === WIDTHS[0] });
    }
  }
}
