// What is wrong with a page as it is shown: accessibility and layout.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").Frame} Frame */

export const WIDTHS = [390, 1280, 1920];
const HEIGHT = 800;
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

const axePath = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const axeSource = readFile(axePath, "utf8");

/**
 * The accessibility faults, one line per rule.
 *
 * @param {Page | Frame} page
 * @returns {Promise<string[]>}
 */
export async function axe(page) {
  await painted(page);
  if (!(await page.evaluate("'axe' in window"))) await page.evaluate(await axeSource);
  const violations = await page.evaluate(async (rules) => {
    // @ts-expect-error: defined by the source above.
    const result = await window.axe.run({ runOnly: rules, resultTypes: ["violations"] });
    return result.violations.map((/** @type {any} */ violation) => ({
      rule: violation.id,
      nodes: violation.nodes.map((/** @type {any} */ node) => node.target.join(" ")),
      why: violation.nodes[0].failureSummary.split("\n").slice(1).join(" ").trim(),
    }));
  }, RULES);
  return violations.map((/** @type {any} */ { rule, nodes, why }) => {
    const more = nodes.length > 1 ? ` and ${nodes.length - 1} more` : "";
    return `axe: ${rule}: ${nodes[0]}${more}: ${shorten(why, 200)}`;
  });
}

/**
 * A line for each width at which the page scrolls horizontally. The size of the window is restored.
 *
 * @param {Page} page
 * @param {Page | Frame} frame
 */
export async function overflow(page, frame = page) {
  const before = page.viewportSize();
  const faults = [];
  for (const width of WIDTHS) {
    await resize(page, width);
    const wide = await frame.evaluate(overflowing);
    if (wide) faults.push(`overflow at ${width} px: the page is ${wide.width} px wide${wide.cause}`);
  }
  if (before) await resize(page, before.width);
  return faults;
}

/**
 * @param {Page} page
 * @param {number} width
 */
export async function resize(page, width) {
  if (page.viewportSize()?.width === width) return;
  await page.setViewportSize({ width, height: HEIGHT });
  // Not with a callback of the page, which never runs where JavaScript is off.
  while ((await page.evaluate(() => innerWidth)) !== width);
}

/**
 * Waits until the page has been painted in its current state.
 *
 * @param {Page | Frame} page
 */
export async function painted(page) {
  await page.evaluate(() => new Promise((done) => {
    requestAnimationFrame(() => requestAnimationFrame(done));
  }));
}

/** Runs in the page: its width and the innermost element that causes it. */
function overflowing() {
  const root = document.documentElement;
  const width = root.scrollWidth;
  if (width <= innerWidth) return null;
  const isWide = (/** @type {Element} */ element) => {
    const { left, width } = element.getBoundingClientRect();
    return left + scrollX + Math.max(width, element.scrollWidth) > innerWidth + 0.5;
  };
  const isClipped = (/** @type {Element} */ element) => {
    for (let up = element.parentElement; up && up !== root; up = up.parentElement) {
      if (getComputedStyle(up).overflowX !== "visible") return true;
    }
    return false;
  };
  const wide = [...document.body.querySelectorAll("*")].filter(
    (element) => isWide(element) && !isClipped(element),
  );
  const innermost = wide.find((element) => !wide.some((it) => it !== element && element.contains(it)));
  if (!innermost) return { width, cause: "" };
  const { tagName, id, className } = innermost;
  const name = `${tagName.toLowerCase()}${id && `#${id}`}${className && `.${className}`}`;
  const text = innermost.textContent?.trim().slice(0, 40);
  return { width, cause: ` because of <${name}> "${text}"` };
}

/**
 * @param {string} text
 * @param {number} length
 */
export function shorten(text, length) {
  const line = text.replace(/\s+/g, " ");
  return line.length > length ? `${line.slice(0, length)}…` : line;
}
