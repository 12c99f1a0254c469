// How many bytes the first page needs.

import { transferred } from "../weight.mjs";

const MAX_BYTES = 60 * 1024;

/** @param {import("../walk.mjs").Walk} walk */
export default async function firstPage(walk) {
  const { page } = await walk.signedIn();
  walk.step("loading the overview without a cache");
  const { all, bytes } = await transferred(page, walk.link("/"));
  const list = all.map((response) => `${response.bytes} ${response.url}`).join("\n");
  walk.assert(all.length >= 3, `the overview consists of more than:\n${list}`);
  walk.assert(bytes <= MAX_BYTES, `the overview needs ${bytes} bytes:\n${list}`);
}
