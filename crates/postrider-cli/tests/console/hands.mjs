// How a person uses a page: with the mouse, or with the keyboard alone.

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").Locator} Locator */

/** More stops than any page has. */
const MAX_STOPS = 150;

/**
 * @typedef {object} Hand
 * @property {(target: Locator) => Promise<void>} press follows a link or presses a button
 * @property {(target: Locator, text: string) => Promise<void>} fill replaces the text of a field
 */

/** @type {Hand} */
export const mouse = {
  press: (target) => target.click(),
  fill: async (target, text) => {
    await target.click();
    await target.fill(text);
  },
};

/**
 * A hand that only uses the keyboard of a page.
 *
 * @param {Page} page
 * @returns {Hand}
 */
export function keyboard(page) {
  return {
    press: async (target) => {
      await reach(page, target);
      await page.keyboard.press("Enter");
    },
    fill: async (target, text) => {
      await reach(page, target);
      await page.keyboard.press("Control+a");
      await page.keyboard.type(text);
    },
  };
}

/**
 * Presses Tab until an element has the focus, which must be visible then.
 *
 * @param {Page} page
 * @param {Locator} target
 */
async function reach(page, target) {
  await target.waitFor();
  const passed = [];
  for (let stop = 0; stop < MAX_STOPS; stop += 1) {
    const focus = await target.evaluate(focused);
    if (focus.isHere) {
      if (!focus.isVisible) throw new Error(`the focus is not visible on ${focus.name}`);
      return;
    }
    passed.push(focus.name);
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab never reaches ${target}; it stops at ${passed.slice(0, 40).join(", ")}`);
}

/**
 * Runs in the page: the element with the focus, and whether it is this one.
 *
 * @param {Element} element
 */
function focused(element) {
  const active = document.activeElement ?? document.body;
  const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(active);
  const hasOutline = outlineStyle !== "none" && parseFloat(outlineWidth) > 0;
  const { top, bottom } = active.getBoundingClientRect();
  return {
    isHere: active === element,
    isVisible: (hasOutline || boxShadow !== "none") && bottom > 0 && top < innerHeight,
    name: `${active.tagName.toLowerCase()} "${(active.textContent ?? "").trim().slice(0, 30)}"`,
  };
}
