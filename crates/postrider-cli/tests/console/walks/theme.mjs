// The theme: that of the system, unless another one is chosen.

/** @typedef {import("playwright-core").Page} Page */

/** @param {import("../walk.mjs").Walk} walk */
export default async function theme(walk) {
  const { page } = await walk.signedIn({ colorScheme: "light" });
  await isDark(walk, page, false, "in a light system");
  await walk.check(page, "light overview");
  await page.emulateMedia({ colorScheme: "dark" });
  await isDark(walk, page, true, "in a dark system");
  await walk.check(page, "dark overview");

  await choose(walk, page, "Light");
  await isDark(walk, page, false, "with the light theme in a dark system");
  await page.goto(walk.link("/apps"));
  await isDark(walk, page, false, "on the next page");

  await choose(walk, page, "As the system");
  await isDark(walk, page, true, "in a dark system again");
}

/**
 * @param {import("../walk.mjs").Walk} walk
 * @param {Page} page
 * @param {string} name
 */
async function choose(walk, page, name) {
  walk.step(`choosing the theme ${name}`);
  await page.locator("[popovertarget=preferences]").click();
  const dialog = page.getByRole("dialog", { name: "View" });
  await dialog.getByRole("radio", { name }).check();
  await walk.check(page, "preferences");
  await dialog.getByRole("button", { name: "Apply" }).click();
  await dialog.waitFor({ state: "hidden" });
}

/**
 * @param {import("../walk.mjs").Walk} walk
 * @param {Page} page
 * @param {boolean} expected
 * @param {string} when
 */
async function isDark(walk, page, expected, when) {
  walk.step(`the page ${when}`);
  await walk.until(`the page is ${expected ? "dark" : "light"} ${when}`, async () => {
    const brightness = await page.evaluate(backgroundBrightness);
    return expected === brightness < 128;
  });
}

/** Runs in the page: how bright its background is, from 0 to 255, with any syntax of colors. */
function backgroundBrightness() {
  const canvas = document.createElement("canvas").getContext("2d");
  if (!canvas) throw new Error("there is no canvas");
  const colors = [document.documentElement, document.body].map(
    (element) => getComputedStyle(element).backgroundColor,
  );
  canvas.fillStyle = matchMedia("(prefers-color-scheme: dark)").matches ? "black" : "white";
  canvas.fillRect(0, 0, 1, 1);
  for (const color of colors) {
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
  }
  return canvas.getImageData(0, 0, 1, 1).data[1] ?? 0;
}
