// The operations of the official JavaScript client that the other scenarios do not call.

import assert from "node:assert/strict";

const CODE = `function handler(webhook) {
  return { ...webhook, payload: { n: webhook.payload.n + 1, word: webhook.env.WORD } };
}`;
const CANCEL = "function handler(webhook) { webhook.cancel = true; return webhook; }";
const BATCH = `function handler(input) {
  return { requestBody: JSON.stringify({ numbers: input.events.map((it) => it.payload.n) }) };
}`;

/** They are called in version 2.x; in version 1.x, as far as they have the same form. */
export class Operations {
  constructor(svix, { app, line, refused, eventually, receiver }) {
    Object.assign(this, { svix, app, refused, eventually, receiver, isNew: line === 2 });
  }

  async run() {
    await this.svix.eventType.create({ name: "operations.done", description: "An operation" });
    await this.transformation();
    await this.connectors();
    await this.scheduling();
    await this.eventTypes();
    await this.operationalWebhooks();
    await this.integrations();
    await this.tasks();
    await this.rest();
    if (!this.isNew) return;
    await this.destinations();
    await this.poller();
    await this.subscriptions();
    await this.ingestTransformation();
  }

  send(channel, payload, rest = {}) {
    const message = { eventType: "operations.done", payload, channels: [channel], ...rest };
    return this.svix.message.create(this.app, message);
  }

  async transformation() {
    const { svix, app } = this;
    const endpoint = { uid: "shaped", url: this.receiver.url("shaped"), channels: ["shaped"] };
    await svix.endpoint.create(app, endpoint);
    const [get, patch] = this.isNew
      ? [() => svix.endpoint.transformation.get(app, "shaped"), (it) => svix.endpoint.transformation.patch(app, "shaped", it)]
      : [() => svix.endpoint.transformationGet(app, "shaped"), (it) => svix.endpoint.patchTransformation(app, "shaped", it)];
    assert.deepEqual([(await get()).code ?? null, (await get()).enabled], [null, false]);
    await this.refused(422, () => patch({ code: "function handler(", enabled: true }));
    await patch({ code: CODE, enabled: true, variables: { WORD: "hello" } });
    const stored = await get();
    assert.deepEqual([stored.code, stored.enabled], [CODE, true]);
    if (this.isNew) assert.deepEqual(stored.variables, { WORD: "***" }, "values are not shown");
    await this.send("shaped", { n: 1 });
    const shaped = JSON.parse((await this.receiver.next("shaped")).body);
    assert.equal(shaped.n, 2);
    if (this.isNew) assert.equal(shaped.word, "hello");

    await patch({ code: CANCEL });
    const cancelled = await this.send("shaped", { n: 10 });
    const attempts = () => svix.messageAttempt.listByMsg(app, cancelled.id);
    const [attempt] = await this.eventually(async () => {
      const { data } = await attempts();
      return data.length > 0 && data;
    });
    assert.equal(attempt.status, 0, "a cancelled delivery is a success");
    await svix.endpoint.transformationPartialUpdate(app, "shaped", { enabled: false });
    assert.equal((await get()).enabled, false);
    await this.send("shaped", { n: 20 });
    // The cancelled one was not sent, and this one is not changed.
    assert.deepEqual(JSON.parse((await this.receiver.next("shaped")).body), { n: 20 });
  }

  async connectors() {
    const { connector } = this.svix;
    const uid = `${this.app}-connector`;
    const made = await connector.create({ name: "Chat", uid, transformation: CODE, instructions: "Paste it." });
    assert.match(made.id, /^trtmpl_/);
    assert.deepEqual([made.uid, made.kind, made.transformation], [uid, "Custom", CODE]);
    assert.deepEqual(await connector.get(uid), made);
    const listed = await connector.list({ limit: 50 });
    assert(listed.data.some((it) => it.id === made.id));
    const replaced = await connector[this.isNew ? "upsert" : "update"](uid, { name: "Chat 2", transformation: CODE });
    assert.deepEqual([replaced.id, replaced.name], [made.id, "Chat 2"]);
    const patched = await connector.patch(uid, { allowedEventTypes: ["operations.done"] });
    assert.deepEqual([patched.name, patched.allowedEventTypes], ["Chat 2", ["operations.done"]]);
    await this.refused(422, () => connector.patch(uid, { transformation: "function handler(" }));
    await connector.delete(uid);
    await this.refused(404, () => connector.get(uid));
  }

  async scheduling() {
    const { svix, app } = this;
    const deliverAt = new Date(Date.now() + 86_400_000);
    const { id } = await this.send("shaped", { n: 30 }, { deliverAt });
    const got = await svix.message.get(app, id);
    if (this.isNew) assert.equal(got.deliverAt?.getTime(), deliverAt.getTime());
    const { data } = await svix.messageAttempt.listByMsg(app, id);
    assert.deepEqual(data, [], "it is not sent before");
    assert.equal((await svix.message.precheck(app, { eventType: "operations.done", channels: ["shaped"] })).active, true);
    assert.equal((await svix.message.precheck(app, { eventType: "operations.done", channels: ["none"] })).active, false);
  }

  async eventTypes() {
    const { svix } = this;
    const name = `${this.app}.imported`;
    const spec = { openapi: "3.1.0", webhooks: { [name]: { post: { summary: "Imported" } } } };
    const tried = await svix.eventType.importOpenapi({ spec, dryRun: true });
    assert.deepEqual(tried.data.toModify.map((it) => it.name), [name]);
    await this.refused(404, () => svix.eventType.get(name));
    const { data } = await svix.eventType.importOpenapi({ spec });
    assert.deepEqual(data.modified, [name]);
    assert.equal((await svix.eventType.get(name)).name, name);
    const exported = await svix.environment.export();
    assert(exported.eventTypes.some((it) => it.name === name));
    await svix.eventType.delete(name, { expunge: true });
    await svix.environment.import({ eventTypes: [{ name, description: "Imported again" }] });
    assert.equal((await svix.eventType.get(name)).description, "Imported again");
    await svix.eventType.delete(name, { expunge: true });
  }

  async operationalWebhooks() {
    const { endpoint } = this.svix.operationalWebhook;
    const uid = `${this.app}-ops`;
    const body = { url: this.receiver.url("ops"), uid, eventTypes: ["endpoint.created"] };
    const made = await endpoint.create(body);
    assert.deepEqual([made.uid, made.eventTypes ?? made.filterTypes], [uid, this.isNew ? ["endpoint.created"] : undefined]);
    assert.deepEqual(await endpoint.get(uid), made);
    assert((await endpoint.list()).data.some((it) => it.id === made.id));
    const replaced = await endpoint[this.isNew ? "upsert" : "update"](uid, { ...body, description: "2" });
    assert.deepEqual([replaced.id, replaced.description], [made.id, "2"]);
    const { key } = await endpoint.getSecret(uid);
    await endpoint.rotateSecret(uid, {});
    assert.notEqual((await endpoint.getSecret(uid)).key, key);
    await endpoint[this.isNew ? "setHeaders" : "updateHeaders"](uid, { headers: { "x-a": "1" } });
    assert.deepEqual((await endpoint.getHeaders(uid)).headers, { "x-a": "1" });
    await endpoint.delete(uid);
    await this.refused(404, () => endpoint.get(uid));
  }

  async integrations() {
    const { integration } = this.svix;
    const made = await integration.create(this.app, { name: "one" });
    assert.deepEqual(await integration.get(this.app, made.id), made);
    const { data } = await integration.list(this.app);
    assert.deepEqual(data.map((it) => it.id), [made.id]);
    assert.equal((await integration.update(this.app, made.id, { name: "two" })).name, "two");
    const first = await integration.rotateKey(this.app, made.id);
    const second = await integration.rotateKey(this.app, made.id);
    assert.notEqual(first.key, second.key);
    await integration.delete(this.app, made.id);
    await this.refused(404, () => integration.get(this.app, made.id));
  }

  async tasks() {
    const { svix, app } = this;
    const since = new Date(Date.now() - 3_600_000);
    const until = new Date(Date.now() + 3_600_000);
    const started = [
      ["endpoint.replay", await svix.endpoint.replayMissing(app, "shaped", { since })],
      ["endpoint.bulk-replay", await svix.endpoint.bulkReplay(app, "shaped", { since })],
      ["application.stats", await svix.statistics.aggregateAppStats({ since, until })],
      ["event-type.aggregate", await svix.statistics.aggregateEventTypes()],
    ];
    for (const [task, { id }] of started) {
      const done = await this.eventually(async () => {
        const found = await svix.backgroundTask.get(id);
        return found.status !== "running" && found;
      });
      assert.deepEqual([done.id, done.task, done.status], [id, task, "finished"]);
    }
    const { data } = await svix.backgroundTask.list({ limit: 50 });
    assert(started.every(([, { id }]) => data.some((it) => it.id === id)));
  }

  async rest() {
    const { svix, app } = this;
    await svix.health.get();
    await svix.authentication.expireAll(app, {});
    const message = await this.send("none", { secret: 1 });
    if (this.isNew) {
      const { results } = await svix.message.bulkExpungeContent(app, { ids: [message.id] });
      assert.equal(Object.keys(results)[0], message.id);
      const got = await svix.message.get(app, message.id, { withContent: true });
      assert.deepEqual(got.payload, { expired: true });
    }
    assert.match((await svix.message.expungeAllContents(app)).id, /^qtask_/);
    const { data } = await svix.messageAttempt.listByEndpoint(app, "shaped");
    await svix.messageAttempt.expungeContent(app, data[0].msgId, data[0].id);
    const expunged = await svix.messageAttempt.get(app, data[0].msgId, data[0].id);
    assert.notEqual(expunged.response, data[0].response || "something");
  }

  async destinations() {
    const { destination } = this.svix;
    const config = { url: this.receiver.url("fifo") };
    const body = { type: "fifoEndpoint", config, uid: "fifo", channels: ["fifo"] };
    const made = await destination.create(this.app, body);
    assert.deepEqual([made.uid, made.type, made.config.url], ["fifo", "fifoEndpoint", config.url]);
    assert.deepEqual((await destination.get(this.app, "fifo")).id, made.id);
    assert.deepEqual((await destination.list(this.app)).data.map((it) => it.id), [made.id]);
    const replaced = await destination.upsert(this.app, "fifo", { ...body, eventTypes: ["operations.done"] });
    assert.deepEqual([replaced.id, replaced.eventTypes], [made.id, ["operations.done"]]);
    const patched = await destination.patch(this.app, "fifo", { ...body, uid: undefined, metadata: { a: "b" } });
    assert.deepEqual([patched.id, patched.metadata], [made.id, { a: "b" }]);
    const { transformation } = destination;
    assert.equal((await transformation.get(this.app, "fifo")).enabled, false);
    await transformation.patch(this.app, "fifo", { code: BATCH });
    const stored = await transformation.get(this.app, "fifo");
    assert.deepEqual([stored.code, stored.enabled], [BATCH, true]);
    await this.send("fifo", { n: 5 });
    assert.deepEqual(JSON.parse((await this.receiver.next("fifo")).body), { numbers: [5] });
    await destination.delete(this.app, "fifo");
    await this.refused(404, () => destination.get(this.app, "fifo"));
  }

  async poller() {
    const { destination, message } = this.svix;
    const { poller } = message;
    const body = { type: "pollingEndpoint", config: {}, channels: ["polled"] };
    const { id } = await destination.create(this.app, body);
    const start = await poller.poll(this.app, id);
    assert.deepEqual([start.data, start.done], [[], false]);
    for (const n of [1, 2]) await this.send("polled", { n });
    const numbers = (page) => page.data.map((it) => it.payload.n);
    const page = await this.eventually(async () => {
      const found = await poller.poll(this.app, id, { iterator: start.iterator });
      return found.data.length === 2 && found;
    });
    assert.deepEqual(numbers(page), [1, 2]);
    const received = [];
    let iterator;
    await this.eventually(async () => {
      const page = await poller.consumerPoll(this.app, id, "worker", { iterator });
      received.push(...numbers(page));
      iterator = page.iterator;
      return received.length >= 2;
    });
    assert.deepEqual(received, [1, 2]);
    const after = new Date("2020-01-01T00:00:00Z");
    const moved = await poller.consumerSeek(this.app, id, "worker", { after });
    const again = await poller.consumerPoll(this.app, id, "worker", { iterator: moved.iterator });
    assert.deepEqual(numbers(again), [1, 2]);
    await destination.delete(this.app, id);
  }

  async subscriptions() {
    const { autoconfigSubscription } = this.svix;
    const made = await autoconfigSubscription.create(this.app, {});
    const rotated = await autoconfigSubscription.rotate(this.app, made.id, {});
    assert.equal(rotated.id, made.id);
    assert.notEqual(rotated.token, made.token);
  }

  async ingestTransformation() {
    const { source, endpoint } = this.svix.ingest;
    const { id, ingestUrl } = await source.create({ name: "Shaped", type: "generic-webhook" });
    await endpoint.create(id, { uid: "shaped", url: this.receiver.url("ingest-shaped") });
    const { transformation } = endpoint;
    assert.equal((await transformation.get(id, "shaped")).code ?? null, null);
    await transformation.patch(id, "shaped", { code: CODE, enabled: true, variables: { WORD: "in" } });
    assert.deepEqual((await transformation.get(id, "shaped")).variables, { WORD: "***" });
    const headers = { "content-type": "application/json" };
    const response = await fetch(ingestUrl, { method: "POST", headers, body: '{"n":6}' });
    assert(response.ok, await response.text());
    const arrival = await this.receiver.next("ingest-shaped");
    assert.deepEqual(JSON.parse(arrival.body), { n: 7, word: "in" });
    await source.delete(id);
  }
}
