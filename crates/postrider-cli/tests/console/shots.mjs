// Takes screenshots of a running server's pages, and prints what is wrong with each.
//
// node shots.mjs --url http://127.0.0.1:8080 --sign-in '/login#key=…' --out /tmp/shots / /apps
//
// --url       the address of the console, with its path prefix
// --sign-in   the link that signs in, or its path; without it nobody is signed in
// --out       the folder for NAME-{light,dark}-{1280,390}.png
// --wide-only only 1280 px
// --no-shots  only prints

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { launch, profile, signIn } from "./browser.mjs";
import { axe, overflow, painted, resize, shorten } from "./inspect.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    "url": { type: "string" },
    "sign-in": { type: "string" },
    "out": { type: "string", default: "." },
    "wide-only": { type: "boolean", default: false },
    "no-shots": { type: "boolean", default: false },
  },
});
if (!values.url || positionals.length === 0) {
  console.error("Usage: node shots.mjs --url URL [--sign-in LINK] [--out DIR] [--wide-only] PATH...");
  process.exit(2);
}
const base = values.url.replace(/\/$/, "");
const widths = values["wide-only"] ? [1280] : [1280, 390];

/** @param {string} path */
const address = (path) => (/^https?:/.test(path) ? path : `${base}/${path.replace(/^\//, "")}`);

/** @param {string} path */
const fileName = (path) => {
  // The beginning of an id is the same for all objects that were created at the same time.
  const short = path.replace(/^https?:..[^/]*/, "").replace(/_\w{16,}(\w{6})/g, "-$1");
  const name = short.replace(/[^\w.]+/g, "-").replace(/^-|-$/g, "");
  return name.slice(0, 80) || "root";
};

/**
 * @param {import("playwright-core").Page} page
 * @param {string} path
 * @returns {Promise<string[]>} its faults
 */
async function shoot(page, path) {
  const response = await page.goto(address(path), { waitUntil: "load" });
  const status = response?.status() ?? 0;
  const found = status === 200 ? [] : [`status ${status}`];
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    await page.emulateMedia({ colorScheme });
    for (const width of widths) {
      await resize(page, width);
      await painted(page);
      const name = `${fileName(path)}-${colorScheme}-${width}.png`;
      if (!values["no-shots"]) {
        await page.screenshot({ path: join(values.out, name), fullPage: true });
      }
      found.push(...(await axe(page)).map((fault) => `${colorScheme} ${width}: ${fault}`));
    }
  }
  found.push(...(await overflow(page)));
  return found;
}

/** A finding that the themes and widths share is printed once. */
const distinct = (/** @type {string[]} */ found) => {
  /** @type {Map<string, string[]>} */
  const places = new Map();
  for (const line of found) {
    const [, place, fault] = /^(\w+ \d+): (axe: .*)$/.exec(line) ?? [line, "", line];
    places.set(fault, [...(places.get(fault) ?? []), place]);
  }
  const all = widths.length * 2;
  return [...places].map(([fault, where]) => {
    const isPartial = where[0] !== "" && where.length < all;
    return `${fault}${isPartial ? ` [${where.join(", ")}]` : ""}`;
  });
};

await mkdir(values.out, { recursive: true });
// The browser also logs what the pages report as "CSP".
const isRepeated = (/** @type {string} */ line) => /^console: .*Content Security Policy/.test(line);

const browser = await launch();
let count = 0;
try {
  const { context, faults } = await profile(browser, { origins: [base] });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  if (values["sign-in"]) {
    await signIn(page, address(values["sign-in"]));
    for (const fault of faults.take()) console.log(`sign-in: ${shorten(fault, 300)}`);
  }
  for (const path of positionals) {
    const found = await shoot(page, path).catch((error) => [`error: ${error.message}`]);
    const lines = distinct([...faults.take(), ...found])
      .filter((line) => !isRepeated(line))
      .map((line) => shorten(line, 300));
    count += lines.length;
    console.log(`${path}: ${lines.length === 0 ? "ok" : ""}`);
    for (const line of lines) console.log(`  ${line}`);
  }
} finally {
  await browser.close();
}
process.exitCode = count === 0 ? 0 : 1;
