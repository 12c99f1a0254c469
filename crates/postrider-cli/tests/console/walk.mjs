// Runs one walk: node walk.mjs, with what it is told in POSTRIDER_WALK.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { launch, profile, signIn, signInPath } from "./browser.mjs";
import { axe, overflow, shorten } from "./inspect.mjs";

/** @typedef {import("playwright-core").Browser} Browser */
/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").Frame} Frame */
/** @typedef {import("playwright-core").BrowserContextOptions} Options */

/** A walk fails after this time even if nothing else notices. */
const DEADLINE_MS = 540_000;
/** For one action, on a busy machine. */
const ACTION_MS = 20_000;

/**
 * What the test tells a walk.
 *
 * @typedef {object} Input
 * @property {string} walk the name of the walk
 * @property {string} server the server's own URL
 * @property {string} url the URL of the console
 * @property {string} token a token of an administrator
 * @property {string} control where receivers show their calls
 * @property {{[kind: string]: string}} receivers their URLs
 * @property {"light" | "dark" | undefined} theme of the system, for walks that need one
 * @property {"mouse" | "keyboard" | undefined} hand what the person uses
 * @property {string} artifacts the folder for screenshots of failures
 */

export class Walk {
  /** @type {string[]} */
  found = [];
  current = "start";
  /** @type {import("./browser.mjs").Faults[]} */
  #faults = [];
  /** @type {Page[]} */
  #pages = [];

  /**
   * @param {Input & {[name: string]: any}} input
   * @param {Browser} browser
   */
  constructor(input, browser) {
    this.input = input;
    this.browser = browser;
  }

  /**
   * Names what comes next, for messages.
   *
   * @param {string} name
   */
  step(name) {
    this.current = name;
  }

  /**
   * A page in a profile of its own, where nobody is signed in.
   *
   * @param {Options & {origins?: string[]}} options
   */
  async page({ origins = [], ...options } = {}) {
    const all = [this.input.url, ...origins];
    const { context, faults } = await profile(this.browser, { origins: all, ...options });
    context.setDefaultTimeout(ACTION_MS);
    const page = await context.newPage();
    this.#faults.push(faults);
    this.#pages.push(page);
    return { page, context, faults };
  }

  /**
   * A page in a profile of its own that shows the console to an administrator.
   *
   * @param {Options & {origins?: string[]}} options
   */
  async signedIn(options = {}) {
    const opened = await this.page(options);
    await signIn(opened.page, this.link(signInPath(this.input.token)));
    return opened;
  }

  /**
   * The address of a screen.
   *
   * @param {string} path
   */
  link(path) {
    return `${this.input.url}${path}`;
  }

  /**
   * Checks the page as it is now: accessibility and layout.
   *
   * @param {Page} page
   * @param {string} name for messages
   * @param {{layout?: boolean, access?: boolean, frame?: Page | Frame}} options whether to check
   *   the layout at every width, and accessibility, which needs JavaScript; the frame to check
   */
  async check(page, name, { layout = true, access = true, frame = page } = {}) {
    this.step(`checking ${name}`);
    const wide = layout ? await overflow(page, frame) : [];
    const inaccessible = access ? await axe(frame) : [];
    const faults = [...inaccessible, ...wide, ...this.#take()];
    const place = new URL(frame.url()).pathname;
    this.found.push(...faults.map((fault) => `${name} (${place}): ${fault}`));
  }

  /**
   * Fails unless this is so.
   *
   * @param {unknown} isSo
   * @param {string} message
   * @returns {asserts isSo}
   */
  assert(isSo, message) {
    if (!isSo) throw new Error(message);
  }

  /**
   * Calls the API; the response must be 2xx.
   *
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   * @param {{token?: string, below?: string}} options
   */
  async api(method, path, body, { token = this.input.token, below = "/api/v1" } = {}) {
    const response = await fetch(`${this.input.server}${below}${path}`, {
      method,
      headers: { "authorization": `Bearer ${token}`, "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    this.assert(response.ok, `${method} ${path} responded with ${response.status}: ${text}`);
    return text === "" ? null : JSON.parse(text);
  }

  /**
   * The calls that a receiver got, each with `verified` if a secret is given.
   *
   * @param {string} kind
   * @param {string} [secret]
   * @returns {Promise<{id: string, body: string, signature: string, verified: boolean | null}[]>}
   */
  async calls(kind, secret) {
    const query = secret ? `?secret=${encodeURIComponent(secret)}` : "";
    const response = await fetch(`${this.input.control}/${kind}${query}`);
    return /** @type {any} */ (await response.json());
  }

  /**
   * Changes how a receiver responds.
   *
   * @param {string} kind
   * @param {number} status
   */
  async respond(kind, status) {
    const response = await fetch(`${this.input.control}/${kind}/${status}`, { method: "PUT" });
    this.assert(response.ok, `the receiver responded with ${response.status}`);
  }

  /**
   * Repeats a question until the answer is true; returns it.
   *
   * @template T
   * @param {string} what
   * @param {() => Promise<T>} ask
   * @param {number} [limit] in milliseconds
   * @returns {Promise<NonNullable<T>>}
   */
  async until(what, ask, limit = ACTION_MS * 3) {
    const deadline = performance.now() + limit;
    while (performance.now() < deadline) {
      const answer = await ask();
      if (answer) return answer;
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error(`timed out waiting until ${what}`);
  }

  #take() {
    return this.#faults.flatMap((faults) => faults.take());
  }

  /** Ends the walk; returns everything that was wrong. */
  finish() {
    return [...this.found, ...this.#take()];
  }

  /** Keeps what each page shows, for the message of a failure. */
  async shoot() {
    const { artifacts, walk } = this.input;
    await mkdir(artifacts, { recursive: true });
    const lines = [];
    for (const [number, page] of this.#pages.entries()) {
      const path = join(artifacts, `${walk}-${number}.png`);
      const isTaken = await page.screenshot({ path, timeout: 5_000 }).then(() => true, () => false);
      lines.push(`page ${number} was at ${page.url()}${isTaken ? `, shown in ${path}` : ""}`);
    }
    return lines;
  }
}

/** @param {Walk} walk */
async function run(walk) {
  const script = await import(`./walks/${walk.input.walk}.mjs`);
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const deadline = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("the walk takes too long")), DEADLINE_MS);
  });
  try {
    await Promise.race([script.default(walk), deadline]);
    return walk.finish();
  } catch (error) {
    const text = error instanceof Error ? `${error.stack}` : String(error);
    return [`failed while ${walk.current}: ${text}`, ...walk.finish(), ...(await walk.shoot())];
  } finally {
    clearTimeout(timer);
  }
}

const browser = await launch();
try {
  const input = JSON.parse(process.env.POSTRIDER_WALK ?? "{}");
  const faults = await run(new Walk(input, browser));
  for (const fault of faults) console.log(`- ${fault.length > 2_000 ? shorten(fault, 2_000) : fault}`);
  process.exitCode = faults.length === 0 ? 0 : 1;
} finally {
  await browser.close();
}
