// What a page costs: bytes over the network, and time in which it does not respond.

/** @typedef {import("playwright-core").Page} Page */

/**
 * Loads a page and counts the bytes of all its responses, with their headers, as transferred.
 *
 * @param {Page} page
 * @param {string} url
 */
export async function transferred(page, url) {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  /** @type {Map<string, {url: string, bytes: number}>} */
  const responses = new Map();
  session.on("Network.responseReceived", ({ requestId, response }) => {
    responses.set(requestId, { url: response.url, bytes: response.encodedDataLength });
  });
  session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    const response = responses.get(requestId);
    if (response) response.bytes = encodedDataLength;
  });
  await page.goto(url, { waitUntil: "load" });
  await session.detach();
  const all = [...responses.values()];
  return { all, bytes: all.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/**
 * Records from now on how long each task of the page's main thread lasts that lasts over 50 ms.
 *
 * @param {Page} page
 */
export async function recordLongTasks(page) {
  await page.addInitScript(() => {
    /** @type {number[]} */
    const tasks = [];
    Object.assign(window, { longTasks: tasks });
    new PerformanceObserver((list) => {
      tasks.push(...list.getEntries().map((entry) => Math.round(entry.duration)));
    }).observe({ type: "longtask", buffered: true });
  });
}

/**
 * The durations in milliseconds of the long tasks of the present document.
 *
 * @param {Page} page
 * @returns {Promise<number[]>}
 */
export function longTasks(page) {
  return page.evaluate(() => /** @type {any} */ (window).longTasks);
}
