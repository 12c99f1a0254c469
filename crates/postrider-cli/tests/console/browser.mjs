// Chromium, and pages that record everything that must not happen in one.

import { chromium } from "playwright-core";

const PROGRAM = process.env.POSTRIDER_TEST_CHROMIUM ?? "/usr/bin/chromium";
const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"];

/** @typedef {import("playwright-core").Browser} Browser */
/** @typedef {import("playwright-core").BrowserContext} Context */
/** @typedef {import("playwright-core").Page} Page */

/** @returns {Promise<Browser>} */
export function launch() {
  return chromium.launch({ executablePath: PROGRAM, args: ARGUMENTS });
}

/**
 * A separate profile of the browser whose pages record faults.
 *
 * @param {Browser} browser
 * @param {{origins: string[]} & import("playwright-core").BrowserContextOptions} options
 *   The origins that pages may load from, and options of the profile.
 */
export async function profile(browser, { origins, ...options }) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    // A color in transition has no contrast that can be checked.
    reducedMotion: "reduce",
    ...options,
  });
  const faults = new Faults(origins);
  await faults.watch(context);
  return { context, faults };
}

/** What pages did that they must not do. */
export class Faults {
  /** @type {string[]} */
  list = [];

  /** @type {RegExp[]} */
  #expected = [];

  /** @param {string[]} origins */
  constructor(origins) {
    this.origins = new Set(origins.map((url) => new URL(url).origin));
  }

  /** @param {string} fault */
  add(fault) {
    const isExpected = this.#expected.some((pattern) => pattern.test(fault));
    if (!isExpected && !this.list.includes(fault)) this.list.push(fault);
  }

  /**
   * Ignores faults that the walk itself causes, such as an error page that it visits.
   *
   * @param {RegExp} pattern
   */
  expect(pattern) {
    this.#expected.push(pattern);
  }

  /** The faults since the last call. */
  take() {
    return this.list.splice(0);
  }

  /** @param {Context} context */
  async watch(context) {
    context.on("console", (message) => {
      if (message.type() !== "error") return;
      const place = message.location().url;
      this.add(`console: ${message.text()}${place ? ` (${place})` : ""}`);
    });
    context.on("weberror", (error) => this.add(`exception: ${error.error()}`));
    context.on("request", (request) => this.#request(request.url()));
    await context.exposeBinding("postriderViolation", (_, text) => this.add(`CSP: ${text}`));
    await context.addInitScript(() => {
      addEventListener("securitypolicyviolation", (event) => {
        const { effectiveDirective, blockedURI, sourceFile, lineNumber, sample } = event;
        const place = `${sourceFile}:${lineNumber}`;
        const text = `${effectiveDirective} blocks ${blockedURI} at ${place} ${sample}`;
        // @ts-expect-error: the binding.
        window.postriderViolation(text);
      });
    });
  }

  /** @param {string} url */
  #request(url) {
    if (/^(data|blob|about):/.test(url) || this.origins.has(new URL(url).origin)) return;
    this.add(`request to another host: ${url}`);
  }
}

/**
 * The path of a link that signs in with a token.
 *
 * @param {string} token
 */
export function signInPath(token) {
  return `/login#key=${btoa(JSON.stringify({ token }))}`;
}

/**
 * Signs in with a link whose fragment contains the key; the page posts it by itself.
 *
 * @param {Page} page
 * @param {string} link
 */
export async function signIn(page, link) {
  await page.goto(link);
  const isLogin = (/** @type {URL} */ url) => /\/login\/?$/.test(url.pathname);
  await page.waitForURL((url) => !isLogin(url), { waitUntil: "load" });
}
