// Serves the page of a platform that embeds the portal, on another site than the console.

import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const bundled = build({
  entryPoints: [fileURLToPath(new URL("host-page.js", import.meta.url))],
  bundle: true,
  define: { "process.env.NODE_ENV": '"production"' },
  format: "iife",
  logLevel: "silent",
  outdir: "memory",
  write: false,
});

/** @param {object} props */
const page = (props) => `<!doctype html>
<html lang="en">
<title>Settings of a platform</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/host-page.css">
<h1>Webhooks</h1>
<div id="root"></div>
<script type="application/json" id="props">${JSON.stringify(props).replaceAll("<", "\\u003c")}</script>
<script src="/host-page.js"></script>`;

/**
 * Starts the platform. Its host name is `localhost`, so that it is another site than 127.0.0.1.
 *
 * @param {object} props those of the component
 */
export async function startHost(props) {
  const { outputFiles } = await bundled;
  const server = createServer((request, response) => {
    const file = outputFiles.find(({ path }) => path.endsWith(`memory${request.url}`));
    const type = file?.path.endsWith(".css") ? "text/css" : "text/javascript";
    response.setHeader("content-type", file ? type : "text/html");
    response.end(file ? file.contents : page(props));
  });
  await new Promise((done) => server.listen(0, "localhost", () => done(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { url: `http://localhost:${port}`, close: () => server.close() };
}
