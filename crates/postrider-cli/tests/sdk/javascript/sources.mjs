// Tests sources with the official JavaScript client: creates them, and receives webhooks of a
// provider.

import assert from "node:assert/strict";
import crypto from "node:crypto";

const SECRET = "a secret of GitHub's";

export class Sources {
  constructor(svix, line, { url, token, refused, verify }) {
    Object.assign(this, { line, url, token, refused, verify });
    this.sources = svix.ingest.source;
    this.endpoints = svix.ingest.endpoint;
    this.uid = `javascript-${line}`;
    // Names that differ in version 2.x.
    this.put = line === 1 ? "update" : "upsert";
    this.setHeaders = line === 1 ? "updateHeaders" : "setHeaders";
    this.dashboard =
      line === 1
        ? (...it) => svix.ingest.dashboard(...it)
        : (...it) => svix.ingest.authentication.consumerPortalAccess(...it);
  }

  async run(receiver) {
    const source = await this.setUp();
    await this.readOthers(source);
    await this.setUpEndpoint(receiver);
    await this.receive(receiver);
    await this.changeEndpoint();
    await this.takeDown();
  }

  async setUp() {
    const wanted = { uid: this.uid, type: "github", config: { secret: SECRET } };
    const source = await this.sources.create({ name: "JavaScript", ...wanted });
    assert.match(source.id, /^src_/);
    assert.deepEqual([source.uid, source.type], [this.uid, "github"]);
    assert(source.ingestUrl.startsWith(`${this.url}/in/`), source.ingestUrl);
    assert.deepEqual(await this.sources.get(source.id), source);
    await this.refused(409, () => this.sources.create({ name: "again", ...wanted }));
    const body = { name: "JavaScript 2", metadata: { a: "b" }, ...wanted };
    const replaced = await this.sources[this.put](this.uid, body);
    assert.deepEqual([replaced.id, replaced.name], [source.id, "JavaScript 2"]);
    assert.deepEqual([replaced.metadata, replaced.ingestUrl], [{ a: "b" }, source.ingestUrl]);
    const { ingestUrl } = await this.sources.rotateToken(this.uid);
    assert.notEqual(ingestUrl, source.ingestUrl);
    assert.equal((await this.sources.get(this.uid)).ingestUrl, ingestUrl);
    for (const [type, config] of [
      ["generic-webhook", {}],
      ["meta", { secret: "s", verifyToken: "v" }],
      ["stripe", { secret: "s" }],
      ["beehiiv", { secret: "whsec_c2VjcmV0" }],
      ["telnyx", { publicKey: "1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=" }],
    ]) {
      const made = await this.sources.create({ name: type, type, config });
      assert.equal(made.type, type);
      if (type === "telnyx") assert.equal(made.config.publicKey, config.publicKey);
      await this.sources.delete(made.id);
    }
    return this.sources.get(this.uid);
  }

  /** The client knows few types, and must be able to read a list with others. */
  async readOthers(source) {
    const answer = await fetch(`${this.url}/ingest/api/v1/source`, {
      method: "POST",
      headers: { authorization: `Bearer ${this.token}`, "content-type": "application/json" },
      body: JSON.stringify({ name: "PayPal", type: "paypal" }),
    });
    const { id } = await answer.json();
    const { data } = await this.sources.list({ limit: 100 });
    assert.deepEqual(data.find((it) => it.id === source.id), source);
    const { type } = data.find((it) => it.id === id);
    assert.equal(type, "generic-webhook");
    const body = { name: "PayPal", type, config: {} };
    await this.refused(422, () => this.sources[this.put](id, body));
    await this.sources.delete(id);
  }

  async setUpEndpoint(receiver) {
    const url = receiver.url("source");
    const made = await this.endpoints.create(this.uid, { url, uid: "main" });
    assert.deepEqual(await this.endpoints.get(this.uid, "main"), made);
    const body = { url, uid: "main", description: "d" };
    const replaced = await this.endpoints[this.put](this.uid, "main", body);
    assert.deepEqual([replaced.id, replaced.description], [made.id, "d"]);
    await this.endpoints[this.setHeaders](this.uid, "main", { headers: { "x-a": "1" } });
    const { data } = await this.endpoints.list(this.uid, { limit: 10 });
    assert.deepEqual(data.map((it) => it.id), [made.id]);
  }

  /** Posts as GitHub would, and returns the status. */
  async post(body, secret) {
    const signature = crypto.createHmac("sha256", secret).update(body).digest("hex");
    const { ingestUrl } = await this.sources.get(this.uid);
    const answer = await fetch(ingestUrl, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-github-event": "push",
        "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "x-hub-signature-256": `sha256=${signature}`,
      },
      body,
    });
    return answer.status;
  }

  async receive(receiver) {
    const body = '{"zen":  "Anything added dilutes everything else."}';
    assert.equal(await this.post(body, "another"), 401);
    assert((await this.post(body, SECRET)) < 300);
    const arrival = await receiver.next("source");
    assert.equal(arrival.body.toString(), body, "byte for byte");
    assert.deepEqual([arrival.headers["x-github-event"], arrival.headers["x-a"]], ["push", "1"]);
    this.verify(arrival, (await this.endpoints.getSecret(this.uid, "main")).key);
  }

  async changeEndpoint() {
    const { key } = await this.endpoints.getSecret(this.uid, "main");
    await this.endpoints.rotateSecret(this.uid, "main", {});
    assert.notEqual((await this.endpoints.getSecret(this.uid, "main")).key, key);
    const headers = { "x-b": "2", authorization: "s" };
    await this.endpoints[this.setHeaders](this.uid, "main", { headers });
    const shown = await this.endpoints.getHeaders(this.uid, "main");
    assert.deepEqual(shown.headers, { "x-b": "2" });
    const { get, patch } =
      this.line === 1
        ? {
            get: () => this.endpoints.getTransformation(this.uid, "main"),
            patch: (it) => this.endpoints.setTransformation(this.uid, "main", it),
          }
        : {
            get: () => this.endpoints.transformation.get(this.uid, "main"),
            patch: (it) => this.endpoints.transformation.patch(this.uid, "main", it),
          };
    assert.equal((await get()).enabled, false);
    const code = "function handler(webhook) { return webhook }";
    await patch({ code });
    assert.equal((await get()).code, code);
    await this.refused(422, () => patch({ code: "function handler(webhook) {" }));
  }

  async takeDown() {
    const access = await this.dashboard(this.uid, { readOnly: true });
    assert(access.token && access.url);
    await this.endpoints.delete(this.uid, "main");
    await this.refused(404, () => this.endpoints.get(this.uid, "main"));
    await this.sources.delete(this.uid);
    await this.refused(404, () => this.sources.get(this.uid));
  }
}
