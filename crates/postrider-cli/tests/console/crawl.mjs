// Follows every link of the console, to one page of each kind.

/** @typedef {import("./walk.mjs").Walk} Walk */
/** @typedef {import("playwright-core").Page} Page */

/** Pages of one kind that differ by a name in their path, such as forms of providers. */
const MAX_SIMILAR = 3;
/** Fewer kinds mean that links were not found. */
const ID = /\b[a-z]+_[0-9a-z]{20,}|\blog[0-9a-z]{20,}/g;

/**
 * Visits one page of each kind that links lead to, and checks that other links lead somewhere.
 *
 * @param {Walk} walk
 * @param {Page} page
 * @param {string} start the path of the first page
 * @param {(kind: string, path: string) => Promise<void>} visit is called on each page
 * @returns {Promise<string[]>} the kinds of pages
 */
export async function crawl(walk, page, start, visit) {
  const waiting = [start];
  /** @type {Map<string, number>} */
  const seen = new Map();
  /** @type {Set<string>} */
  const kinds = new Set();
  for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
    const kind = kindOf(path);
    const family = kind.replace(/\/new\/[^/?]+/, "/new/*").replace(/^\/event-types\/[^/]+/, "/event-types/*");
    const count = seen.get(family) ?? 0;
    if (kinds.has(kind) || count >= (family === kind ? 1 : MAX_SIMILAR)) continue;
    kinds.add(kind);
    seen.set(family, count + 1);
    walk.step(`following a link to ${path}`);
    if (await isPage(walk, page, path)) {
      await page.goto(walk.link(path));
      await visit(kind, path);
      waiting.push(...(await links(walk, page)));
    }
  }
  return [...kinds];
}

/**
 * The path without ids and without values of parameters.
 *
 * @param {string} path
 */
function kindOf(path) {
  const url = new URL(path, "http://localhost");
  const names = [...new Set(url.searchParams.keys())].sort().join("&");
  return url.pathname.replace(ID, "*") + (names ? `?${names}` : "");
}

/**
 * Whether a path responds with a page rather than a download; it must respond with one of them.
 *
 * @param {Walk} walk
 * @param {Page} page
 * @param {string} path
 */
async function isPage(walk, page, path) {
  const response = await page.request.get(walk.link(path), { headers: { accept: "text/html" } });
  if (!response.ok()) walk.found.push(`${path}, a link of another page, responds with ${response.status()}`);
  const { "content-type": type = "", "content-disposition": disposition = "" } = response.headers();
  return response.ok() && type.startsWith("text/html") && !disposition.startsWith("attachment");
}

/**
 * The paths that the page links to, without those of the documentation.
 *
 * @param {Walk} walk
 * @param {Page} page
 * @returns {Promise<string[]>}
 */
async function links(walk, page) {
  const all = await page.locator("a[href]").evaluateAll((anchors) =>
    anchors.map((anchor) => /** @type {HTMLAnchorElement} */ (anchor).href.replace(/#.*/, "")),
  );
  const own = all.filter((url) => url.startsWith(`${walk.input.url}/`));
  const paths = [...new Set(own)].map((url) => url.slice(walk.input.url.length));
  return paths.filter((path) => !/^\/(docs|api|auth)\b/.test(path));
}
