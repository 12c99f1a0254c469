// Signing in to the portal: in a frame, in a frame whose cookies are refused, and without a frame.

import { startHost } from "../host.mjs";
import { axe } from "../inspect.mjs";

/** @typedef {import("../walk.mjs").Walk} Walk */
/** @typedef {import("playwright-core").Frame} Frame */
/** @typedef {import("playwright-core").Page} Page */

/** @param {Walk} walk */
export default async function portalSignIn(walk) {
  const app = await walk.api("POST", "/app", { name: "Embedded", uid: `embedded-${Date.now()}` });
  await walk.api("POST", `/app/${app.id}/endpoint`, { url: walk.input.receivers.good });
  const own = new Portal(walk, app.id);
  await sizeAndLook(own);
  await refusedCookie(own);
  await standalone(own);
}

class Portal {
  /**
   * @param {Walk} walk
   * @param {string} app
   */
  constructor(walk, app) {
    this.walk = walk;
    this.app = app;
  }

  /**
   * A link on the origin of the console that is tested.
   *
   * @param {object} body
   * @param {{[name: string]: string}} parameters
   */
  async link(body = {}, parameters = {}) {
    const { url } = await this.walk.api("POST", `/auth/app-portal-access/${this.app}`, body);
    const link = new URL(`${this.walk.input.url}/login${new URL(url).hash}`);
    for (const [name, value] of Object.entries(parameters)) link.searchParams.set(name, value);
    return link.href;
  }

  /**
   * Shows the portal in a page of another site, in a profile of its own.
   *
   * @param {string} url
   * @param {object} props of the component
   * @param {{refuses?: boolean}} options whether the browser refuses cookies in frames
   */
  async embed(url, props = {}, { refuses = false } = {}) {
    const host = await startHost({ url, fullSize: true, ...props });
    const { page, context, faults } = await this.walk.page({ origins: [host.url] });
    if (refuses) {
      faults.expect(/status of 401/);
      // Without the cookie, this is the response.
      await context.route("**/login/check", (route) => route.fulfill({ status: 401 }));
    }
    await page.goto(host.url);
    const frame = /** @type {Frame} */ (await (await page.waitForSelector("iframe")).contentFrame());
    const close = async () => {
      await context.close();
      host.close();
    };
    return { page, frame, close };
  }
}

/** @param {Frame} frame */
const shown = (frame) => frame.getByRole("navigation", { name: "Main" }).waitFor();

/** @param {Portal} portal */
async function sizeAndLook(portal) {
  /** @type {Walk} */
  const walk = portal.walk;
  walk.step("the portal is shown in a frame of another site");
  const link = await portal.link({}, { next: "/verify?language=python" });
  const look = { darkMode: true, primaryColor: "#ffd400", fontFamily: "Georgia, serif" };
  const { page, frame, close } = await portal.embed(link, look);
  await shown(frame);
  await frame.getByRole("heading", { level: 1, name: "Verify webhooks" }).waitFor();
  await frame.getByText("from standardwebhooks import").waitFor();
  walk.assert(!(await frame.getByRole("button", { name: "Sign out" }).isVisible()), "nobody signs out of a frame");
  await fits(walk, page, frame);

  walk.step("it looks as the page wants it to");
  await frame.getByRole("link", { name: "Endpoints", exact: true }).click();
  const button = frame.getByRole("link", { name: "Create endpoint" });
  const style = await button.evaluate((element) => {
    const { backgroundColor, color } = getComputedStyle(element);
    return { backgroundColor, color, font: getComputedStyle(document.body).fontFamily };
  });
  walk.assert(style.backgroundColor === "rgb(255, 212, 0)", `buttons are ${style.backgroundColor}`);
  walk.assert(style.color === "rgb(0, 0, 0)", `texts on buttons are ${style.color}`);
  walk.assert(style.font.startsWith("Georgia"), `the font is ${style.font}`);
  const theme = await frame.evaluate(() => document.documentElement.dataset.theme);
  walk.assert(theme === "dark", `the theme is ${theme}`);
  await fits(walk, page, frame);
  await accessible(walk, frame);

  walk.step("a form in the frame can be sent");
  await button.click();
  await frame.getByRole("link", { name: /^Webhook/ }).click();
  await frame.getByLabel("URL").first().fill(`${walk.input.receivers.good}?from=portal`);
  await frame.getByRole("button", { name: /create/i }).click();
  await frame.getByRole("link", { name: "Signing secret" }).waitFor();
  await fits(walk, page, frame);
  await close();
}

/**
 * The frame is as high as what it contains.
 *
 * @param {Walk} walk
 * @param {Page} page
 * @param {Frame} frame
 */
async function fits(walk, page, frame) {
  await walk.until("the frame is as high as its content", async () => {
    const content = await frame.evaluate(() => Math.ceil(document.body.getBoundingClientRect().height));
    const height = await page.locator("iframe").evaluate((element) => element.style.height);
    return height === `${Math.max(content, 650)}px`;
  });
}

/**
 * @param {Walk} walk
 * @param {Frame} frame
 */
async function accessible(walk, frame) {
  const faults = await axe(/** @type {any} */ (frame));
  walk.found.push(...faults.map((fault) => `in the frame: ${fault}`));
}

/** @param {Portal} portal */
async function refusedCookie(portal) {
  /** @type {Walk} */
  const walk = portal.walk;
  walk.step("a browser refuses cookies in frames");
  const { page, frame, close } = await portal.embed(await portal.link(), {}, { refuses: true });
  const open = frame.getByRole("link", { name: "Open in a new tab" });
  await open.waitFor();
  const [tab] = await Promise.all([page.waitForEvent("popup"), open.click()]);
  await tab.getByRole("heading", { level: 1, name: "Endpoints" }).waitFor();
  await close();
}

/** @param {Portal} portal */
async function standalone(portal) {
  /** @type {Walk} */
  const walk = portal.walk;
  walk.step("the portal without a frame");
  const { page, faults } = await walk.page();
  await page.goto(await portal.link({}, { next: "/metrics", primaryColor: "28bb93" }));
  await page.getByRole("heading", { level: 1, name: "Metrics" }).waitFor();
  walk.assert(!page.url().includes("key="), `the address is ${page.url()}`);
  for (const name of ["Metrics", "Verify", "Messages", "Endpoints"]) {
    await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name, exact: true }).click();
    await page.getByRole("heading", { level: 1 }).waitFor();
    await walk.check(page, `portal, ${name}`);
  }

  walk.step("signing out");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { level: 1, name: "You are signed out" }).waitFor();
  await walk.check(page, "portal after signing out");
  faults.expect(/status of 401/);
  await page.goto(walk.link("/portal/messages"));
  await page.getByRole("heading", { level: 1, name: "You are not signed in" }).waitFor();
}
