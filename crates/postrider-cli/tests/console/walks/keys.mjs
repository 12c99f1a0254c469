// Keys: search, the palette, rows of lists, the list of keys; and that they can be turned off.

import { createData } from "../data.mjs";

/** @typedef {import("../walk.mjs").Walk} Walk */
/** @typedef {import("playwright-core").Page} Page */

/** @param {Walk} walk */
export default async function keys(walk) {
  const data = await createData(walk);
  const { page } = await walk.signedIn();
  await search(walk, page, data.messages[0] ?? "");
  await palette(walk, page);
  await rows(walk, page);

  walk.step("the list of keys");
  await page.keyboard.press("?");
  const help = page.getByRole("dialog", { name: "Keys" });
  await help.waitFor();
  await walk.check(page, "list of keys");
  await page.keyboard.press("Escape");
  await help.waitFor({ state: "hidden" });
  await turnOff(walk, page);
}

/**
 * @param {Walk} walk
 * @param {Page} page
 * @param {string} message
 */
async function search(walk, page, message) {
  walk.step("searching for the id of a message");
  await page.keyboard.press("/");
  await page.keyboard.type(message);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Search" }).waitFor();
  await walk.check(page, "search with a result");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => url.pathname.endsWith(`/messages/${message}`));

  walk.step("searching for something that does not exist");
  await page.keyboard.press("/");
  await page.keyboard.type("no-such-thing");
  await page.keyboard.press("Enter");
  await page.getByText("No matches").filter({ visible: true }).waitFor();
  await walk.check(page, "search without results");
}

/**
 * @param {Walk} walk
 * @param {Page} page
 */
async function palette(walk, page) {
  walk.step("going to an application with the palette");
  await page.goto(walk.link("/"));
  await page.keyboard.press("Control+k");
  const input = page.getByRole("combobox", { name: "Go to" });
  await input.waitFor();
  await page.getByRole("option").first().waitFor();
  await walk.check(page, "palette");
  await page.keyboard.type("acme");
  await page.getByRole("option", { name: /Acme Corporation/ }).first().waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Acme Corporation" }).waitFor();
}

/**
 * @param {Walk} walk
 * @param {Page} page
 */
async function rows(walk, page) {
  walk.step("opening the second row of a list");
  await page.goto(walk.link("/messages"));
  const second = page.getByRole("row").nth(2).getByRole("link").first();
  const address = await second.getAttribute("href");
  for (const key of ["j", "j", "j", "k", "Enter"]) await page.keyboard.press(key);
  await page.waitForURL((url) => url.pathname === address);
}

/**
 * @param {Walk} walk
 * @param {Page} page
 */
async function turnOff(walk, page) {
  walk.step("turning the keys off");
  await page.getByRole("button", { name: "View" }).click();
  const dialog = page.getByRole("dialog", { name: "View" });
  await dialog.getByRole("checkbox", { name: /key/i }).setChecked(false);
  await dialog.getByRole("button", { name: "Apply" }).click();
  await dialog.waitFor({ state: "hidden" });
  await page.keyboard.press("?");
  await page.keyboard.press("/");
  const isSearching = await page.evaluate(() => document.activeElement?.id === "search");
  walk.assert(!isSearching, "the key / still works");
  walk.assert(!(await page.getByRole("dialog", { name: "Keys" }).isVisible()), "the key ? still works");
}
