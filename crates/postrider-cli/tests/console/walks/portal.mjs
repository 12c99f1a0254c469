// The portal inside a page of another site, embedded by the official React component, with each
// capability.

import { startHost } from "../host.mjs";

/** @typedef {import("../walk.mjs").Walk} Walk */
/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").Frame} Frame */

/**
 * What tokens allow, and whether their pages offer each action.
 *
 * @type {{capabilities: string[] | undefined, create: boolean, reveal: boolean, rotate: boolean, recover: boolean}[]}
 */
const CASES = [
  { capabilities: undefined, create: true, reveal: true, rotate: true, recover: true },
  { capabilities: ["ViewBase"], create: false, reveal: false, rotate: false, recover: false },
  { capabilities: ["ViewBase", "ViewEndpointSecret"], create: false, reveal: true, rotate: false, recover: false },
  { capabilities: ["ViewBase", "ManageEndpointSecret"], create: false, reveal: true, rotate: true, recover: false },
  { capabilities: ["ViewBase", "CreateAttempts"], create: false, reveal: false, rotate: false, recover: true },
  { capabilities: ["ViewBase", "ManageEndpoint"], create: true, reveal: true, rotate: true, recover: false },
];

/** @param {Walk} walk */
export default async function portal(walk) {
  await walk.api("POST", "/app", { name: "Acme", uid: "acme" });
  await walk.api("POST", "/event-type", { name: "invoice.paid", description: "An invoice was paid." });
  const { good } = walk.input.receivers;
  const endpoint = await walk.api("POST", "/app/acme/endpoint", { url: good });
  await walk.api("POST", "/app/acme/msg", { eventType: "invoice.paid", payload: { n: 1 } });
  for (const expected of CASES) await offers(walk, endpoint.id, expected);
  await look(walk);
  await sessionEnd(walk);
}

/**
 * Opens the page of a platform that embeds the portal.
 *
 * @param {Walk} walk
 * @param {object} access what the token allows
 * @param {object} props those of the component
 * @param {(page: Page, frame: Frame, faults: import("../browser.mjs").Faults) => Promise<void>} use
 */
async function embedded(walk, access, props, use) {
  const { url } = await walk.api("POST", "/auth/app-portal-access/acme", access);
  const host = await startHost({ url, fullSize: true, ...props });
  const { page, context, faults } = await walk.page({ origins: [host.url] });
  try {
    await page.goto(host.url);
    const frame = await (await page.waitForSelector("iframe")).contentFrame();
    walk.assert(frame, "the page has a frame");
    await frame.waitForURL(/\/portal\//);
    await frame.getByRole("heading", { level: 1 }).waitFor();
    await use(page, frame, faults);
    await context.close();
  } finally {
    host.close();
  }
}

/**
 * Checks every page, and which actions they offer.
 *
 * @param {Walk} walk
 * @param {string} endpoint
 * @param {typeof CASES[number]} expected
 */
async function offers(walk, endpoint, { capabilities, create, reveal, rotate, recover }) {
  const name = capabilities?.at(-1) ?? "everything";
  walk.step(`opening the portal with ${name}`);
  await embedded(walk, { capabilities }, {}, async (page, frame) => {
    const pages = frame.getByRole("navigation", { name: "Main" }).getByRole("link");
    const titles = await pages.allInnerTexts();
    walk.assert(titles.length >= 5, `the portal has the pages ${titles}`);
    for (const title of titles) {
      walk.step(`opening ${title} with ${name}`);
      await pages.filter({ hasText: title }).click();
      await pages.and(frame.locator("[aria-current=page]")).filter({ hasText: title }).waitFor();
      await frame.getByRole("heading", { level: 1 }).waitFor();
      await walk.check(page, `${title} with ${name}`, { frame });
    }
    await frame.goto(walk.link("/portal/endpoints"));
    await isOffered(walk, frame, `creating endpoints with ${name}`, "link", /(create|add).*endpoint/i, create);
    await frame.goto(walk.link(`/portal/endpoints/${endpoint}`));
    await isOffered(walk, frame, `recovering with ${name}`, "link", /^recover/i, recover);
    await walk.check(page, `endpoint with ${name}`, { frame });
    await frame.goto(walk.link(`/portal/endpoints/${endpoint}/secret`));
    await isOffered(walk, frame, `revealing with ${name}`, "button", /reveal/i, reveal);
    await isOffered(walk, frame, `rotating with ${name}`, "button", /rotate/i, rotate);
  });
}

/**
 * @param {Walk} walk
 * @param {Frame} frame
 * @param {string} what
 * @param {"link" | "button"} role
 * @param {RegExp} name
 * @param {boolean} expected
 */
async function isOffered(walk, frame, what, role, name, expected) {
  walk.step(what);
  await frame.getByRole("main").waitFor();
  const count = await frame.getByRole(role, { name }).count();
  walk.assert(count > 0 === expected, `${what} is ${expected ? "not " : ""}offered`);
}

/** @param {Walk} walk */
async function look(walk) {
  walk.step("the frame is as high as its content, and has the given colors and font");
  const props = { darkMode: true, primaryColor: "#0a7d33", fontFamily: "Georgia" };
  await embedded(walk, {}, props, async (page, frame) => {
    await walk.until("the frame has the height of its content", async () => {
      const [outer, inner] = await Promise.all([
        page.locator("iframe").evaluate((element) => element.clientHeight),
        frame.evaluate(() => document.documentElement.scrollHeight),
      ]);
      return outer >= inner && outer >= 650;
    });
    const style = await frame.evaluate(() => {
      const { colorScheme, fontFamily } = getComputedStyle(document.body);
      return { colorScheme, fontFamily };
    });
    walk.assert(style.colorScheme.includes("dark"), `the scheme is ${style.colorScheme}`);
    walk.assert(style.fontFamily.includes("Georgia"), `the font is ${style.fontFamily}`);
    await walk.check(page, "dark portal with a color", { frame });
  });
}

/** @param {Walk} walk */
async function sessionEnd(walk) {
  walk.step("the embedding page is told when the session has ended");
  await embedded(walk, {}, {}, async (page, frame, faults) => {
    await walk.api("POST", "/auth/app/acme/expire-all", {});
    faults.expect(/status of 401/);
    await frame.getByRole("link", { name: "Messages", exact: true }).first().click();
    await frame.getByText(/session has ended/i).first().waitFor();
    await walk.until("the message arrives", () => page.evaluate(() => {
      const { messages } = /** @type {any} */ (window);
      return messages.some((/** @type {any} */ { data }) => data?.type === "postrider.session-ended");
    }));
  });
}
