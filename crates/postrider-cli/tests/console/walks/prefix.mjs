// The console below a path of a reverse proxy: every address that it names must be below it.

import { createData } from "../data.mjs";
import { screens } from "../screens.mjs";

/** @param {import("../walk.mjs").Walk} walk */
export default async function prefix(walk) {
  const data = await createData(walk);
  const { page } = await walk.signedIn();
  page.on("request", (request) => {
    const isBelow = request.url().startsWith(`${walk.input.url}/`) || request.url() === walk.input.url;
    if (!isBelow && !request.url().startsWith("data:")) {
      walk.found.push(`a request above the prefix: ${request.url()} of ${page.url()}`);
    }
  });
  for (const [name, path] of screens(data)) {
    walk.step(`opening ${name}`);
    const response = await page.goto(walk.link(path));
    walk.assert(response?.ok(), `${path} responded with ${response?.status()}`);
    const outside = await page.evaluate(addressesOutside, new URL(walk.input.url).pathname);
    walk.found.push(...outside.map((address) => `${name}: ${address} is above the prefix`));
  }

  walk.step("an action leads back below the prefix");
  await page.goto(walk.link("/"));
  await page.locator("[popovertarget=preferences]").click();
  await page.getByRole("button", { name: "Apply" }).click();
  await page.waitForURL((url) => url.href.startsWith(walk.input.url));
}

/**
 * Runs in the page: the addresses on this host that are not below the prefix.
 *
 * @param {string} prefix
 */
function addressesOutside(prefix) {
  /** @type {NodeListOf<HTMLElement>} */
  const elements = document.querySelectorAll("[href], [src], [action], [formaction]");
  const names = ["href", "src", "action", "formaction"];
  const values = [...elements].flatMap((element) => names.map((name) => element.getAttribute(name)));
  const isOutside = (/** @type {string} */ value) => {
    const url = new URL(value, location.href);
    const isBelow = url.pathname === prefix || url.pathname.startsWith(`${prefix}/`);
    return url.origin === location.origin && !isBelow;
  };
  return [...new Set(values.filter((value) => value !== null && value !== "" && isOutside(value)))];
}
