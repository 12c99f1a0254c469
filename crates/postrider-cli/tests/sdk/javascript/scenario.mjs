// Tests a server with the official JavaScript client, version 1.x or 2.x. Deliveries are verified
// with the official standardwebhooks library, and with Node's Ed25519, which that library lacks.

import assert from "node:assert/strict";
import crypto from "node:crypto";
import { Webhook } from "standardwebhooks";

import { observe } from "./coverage.mjs";
import { Operations } from "./operations.mjs";
import { PATIENCE, Receiver } from "./receiver.mjs";
import { Sources } from "./sources.mjs";

const LINE = Number(process.env.POSTRIDER_SDK_LINE);
const { ApiException, Svix, Webhook: SvixWebhook, messageInRaw } = await import(LINE === 1 ? "svix-1" : "svix");

const URL = process.env.POSTRIDER_URL;
const TOKEN = process.env.POSTRIDER_TOKEN;
const APP = `javascript-${LINE}`;

// Names that differ in version 2.x.
const upsert = LINE === 1 ? "update" : "upsert";
const setHeaders = LINE === 1 ? "updateHeaders" : "setHeaders";
const types = LINE === 1 ? "filterTypes" : "eventTypes";

const SUCCESS = 0;
const FAIL = 2;

function connect(token = TOKEN) {
  return new Svix(token, { serverUrl: URL, numRetries: 1 });
}

/** Checks that the call fails with this status, and returns what the server said. */
async function refused(status, call) {
  try {
    await call();
  } catch (error) {
    assert(error instanceof ApiException, error);
    assert.equal(error.code, status, JSON.stringify(error.body));
    assert(error.body.detail.length > 0, JSON.stringify(error.body));
    return error.body;
  }
  assert.fail(`not refused with ${status}`);
}

/** What the call returns once it is true. */
async function eventually(call) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const found = await call();
    if (found) return found;
    assert(Date.now() < deadline, "it never happened");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function verify(arrival, secret) {
  new SvixWebhook(secret).verify(arrival.body, arrival.headers);
  return new Webhook(secret).verify(arrival.body, arrival.headers);
}

function refuses(arrival, secret) {
  try {
    verify(arrival, secret);
    return false;
  } catch {
    return true;
  }
}

/** Whether one of the arrival's signatures was made with the private key of `whpk_…`. */
function verifyEd25519(arrival, publicKey) {
  const x = Buffer.from(publicKey.replace("whpk_", ""), "base64").toString("base64url");
  const key = crypto.createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  const { "webhook-id": id, "webhook-timestamp": at, "webhook-signature": header } = arrival.headers;
  const content = Buffer.concat([Buffer.from(`${id}.${at}.`), arrival.body]);
  return header
    .split(" ")
    .filter((it) => it.startsWith("v1a,"))
    .some((it) => crypto.verify(null, content, key, Buffer.from(it.slice(4), "base64")));
}

/** What this server does not have: docs/api.md says what to use instead. */
const ABSENT = /^streaming\.|^authentication\.(stream|(get|rotate)StreamPoller)/;

const svix = connect();
const uncalled = observe(svix);
const receiver = await new Receiver().open();
let sent;

async function applications() {
  const made = await svix.application.create({ name: "JS", uid: APP, metadata: { a: "b" } });
  assert.match(made.id, /^app_/);
  assert.deepEqual([made.uid, made.metadata], [APP, { a: "b" }]);
  assert(made.createdAt instanceof Date && Math.abs(Date.now() - made.createdAt) < 60_000);
  await refused(409, () => svix.application.create({ name: "again", uid: APP }));
  const same = await svix.application.getOrCreate({ name: "again", uid: APP });
  assert.deepEqual(same, made);
  const replaced = await svix.application[upsert](APP, { name: "2", uid: APP, throttleRate: 500 });
  assert.deepEqual([replaced.id, replaced.name, replaced.throttleRate], [made.id, "2", 500]);
  const patched = await svix.application.patch(APP, { throttleRate: null });
  assert.deepEqual([patched.name, patched.throttleRate ?? null], ["2", null]);
  await refused(404, () => svix.application.get("unknown"));
  const { detail } = await refused(422, () => svix.application.create({ name: "", uid: "a b" }));
  assert.equal(detail[0].loc[0], "body");
  await refused(401, () => connect("nonsense").application.list());
}

async function pages() {
  for (const n of [0, 1, 2]) await svix.application.create({ name: "p", uid: `${APP}-${n}` });
  for (const order of ["ascending", "descending"]) {
    const whole = await svix.application.list({ limit: 100, order });
    const seen = [];
    let page = { iterator: undefined };
    do {
      page = await svix.application.list({ limit: 2, order, iterator: page.iterator });
      seen.push(page.data.map((it) => it.id));
    } while (!page.done);
    assert.deepEqual(seen.flat(), whole.data.map((it) => it.id));
    const back = await svix.application.list({ limit: 2, order, iterator: page.prevIterator });
    assert.deepEqual(back.data.map((it) => it.id), seen.at(-2));
  }
  for (const n of [0, 1, 2]) await svix.application.delete(`${APP}-${n}`);
}

async function eventTypes() {
  const name = `${APP}.made`;
  const schemas = { 1: { type: "object", examples: [{ n: 1 }, { n: 2 }] } };
  const made = await svix.eventType.create({ name, description: "first", schemas });
  assert.deepEqual([made.name, made.schemas, made.deprecated], [name, schemas, false]);
  await refused(409, () => svix.eventType.create({ name, description: "again" }));
  const replaced = await svix.eventType[upsert](name, { description: "second", schemas });
  assert.equal(replaced.description, "second");
  const patched = await svix.eventType.patch(name, { deprecated: true });
  assert.deepEqual([patched.description, patched.deprecated], ["second", true]);
  assert.deepEqual((await svix.eventType.get(name)).schemas, schemas);
  const listed = await svix.eventType.list({ withContent: true });
  assert.deepEqual(listed.data.find((it) => it.name === name).schemas, schemas);
}

async function endpoints() {
  const made = await svix.endpoint.create(APP, {
    url: receiver.url("main"),
    uid: "main",
    description: "the first",
    [types]: [`${APP}.made`],
    headers: { "x-tenant": "javascript" },
    throttleRate: 100,
  });
  assert.match(made.id, /^ep_/);
  assert.deepEqual([made[types], made.throttleRate, made.disabled], [[`${APP}.made`], 100, false]);
  assert.deepEqual(await svix.endpoint.get(APP, "main"), made);
  const listed = await svix.endpoint.list(APP);
  assert.deepEqual(listed.data.map((it) => it.id), [made.id]);
  const patched = await svix.endpoint.patch(APP, "main", { [types]: null, channels: ["one"] });
  assert.deepEqual([patched[types] ?? null, patched.channels], [null, ["one"]]);
  const update = { url: receiver.url("main"), uid: "main", [types]: [`${APP}.made`] };
  const replaced = await svix.endpoint[upsert](APP, "main", update);
  assert.deepEqual([replaced.id, replaced.channels ?? null], [made.id, null]);

  await svix.endpoint[setHeaders](APP, "main", { headers: { "x-a": "1", "x-b": "2" } });
  const patch = { headers: { "x-c": "3" }, deleteHeaders: ["x-b"] };
  await svix.endpoint.patchHeaders(APP, "main", patch);
  const { headers } = await svix.endpoint.getHeaders(APP, "main");
  assert.deepEqual(headers, { "x-a": "1", "x-c": "3" });
}

async function messages() {
  const { key } = await svix.endpoint.getSecret(APP, "main");
  const payload = { hello: "wörld", n: 1.5, list: [1, 2, {}] };
  const message = { eventType: `${APP}.made`, eventId: "first", payload, tags: ["red"] };
  sent = await svix.message.create(APP, message);
  assert.match(sent.id, /^msg_/);
  const arrival = await receiver.next("main");
  assert.deepEqual(verify(arrival, key), payload);
  assert(refuses(arrival, `whsec_${"A".repeat(32)}`));
  assert.equal(arrival.headers["webhook-id"], sent.id);
  assert.equal(arrival.headers["x-a"], "1");
  assert.equal(arrival.body.toString(), JSON.stringify(payload), "byte for byte");
  await refused(409, () => svix.message.create(APP, message));

  const other = { eventType: "unheard.of", payload: {} };
  const keyed = { idempotencyKey: `${APP}-key` };
  const first = await svix.message.create(APP, other, keyed);
  const second = await svix.message.create(APP, other, keyed);
  assert.equal(first.id, second.id);

  const got = await svix.message.get(APP, sent.id, { withContent: true });
  assert.deepEqual([got.payload, got.tags, got.eventId], [payload, ["red"], "first"]);
  assert.deepEqual((await svix.message.get(APP, "first", { withContent: false })).payload, {});
  for (const wanted of [{ tag: "red" }, { eventTypes: [`${APP}.made`, "other"] }]) {
    const { data } = await svix.message.list(APP, wanted);
    assert.deepEqual(data.map((it) => it.id), [sent.id]);
  }

  await svix.message.create(APP, messageInRaw(`${APP}.made`, "<x>ü</x>", "text/xml"));
  const raw = await receiver.next("main");
  assert.deepEqual([raw.body.toString(), raw.headers["content-type"]], ["<x>ü</x>", "text/xml"]);
  new Webhook(key).verify(raw.body, raw.headers, { jsonParse: false });
}

async function attempts() {
  const byMessage = () => svix.messageAttempt.listByMsg(APP, sent.id, { withContent: true });
  const [attempt] = await eventually(async () => {
    const { data } = await byMessage();
    return data.length > 0 && data;
  });
  assert.deepEqual([attempt.status, attempt.responseStatusCode], [SUCCESS, 200]);
  assert.deepEqual([attempt.response, attempt.triggerType], ["taken", 0]);
  for (const [options, count] of [
    [{ status: SUCCESS, tag: "red", withMsg: true }, 1],
    [{ status: FAIL }, 0],
    [{ statusCodeClass: 500 }, 0],
    [{ after: new Date() }, 0],
  ]) {
    const { data } = await svix.messageAttempt.listByEndpoint(APP, "main", options);
    assert.equal(data.length, count, JSON.stringify(options));
    if (options.withMsg) assert.equal(data[0].msg.id, sent.id);
  }
  const messages = await svix.messageAttempt.listAttemptedMessages(APP, "main", { tag: "red" });
  assert.deepEqual(messages.data.map((it) => [it.id, it.status]), [[sent.id, SUCCESS]]);
  const endpoints = await svix.messageAttempt.listAttemptedDestinations(APP, sent.id);
  assert.deepEqual(endpoints.data.map((it) => it.statusText), ["success"]);
  const got = await svix.messageAttempt.get(APP, sent.id, attempt.id);
  assert.equal(got.id, attempt.id);
  await svix.messageAttempt.resend(APP, sent.id, "main");
  assert.equal((await receiver.next("main")).headers["webhook-id"], sent.id);
  await eventually(async () => (await byMessage()).data.length === 2);
  await eventually(async () => (await svix.endpoint.getStats(APP, "main")).success === 2);
}

async function rotation() {
  const old = (await svix.endpoint.getSecret(APP, "main")).key;
  await svix.endpoint.rotateSecret(APP, "main", {});
  const { key } = await svix.endpoint.getSecret(APP, "main");
  assert.notEqual(key, old);
  await svix.message.create(APP, { eventType: `${APP}.made`, payload: { rotated: 1 } });
  const arrival = await receiver.next("main");
  assert.deepEqual(verify(arrival, key), { rotated: 1 });
  assert.deepEqual(verify(arrival, old), { rotated: 1 });

  const own =
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
  await svix.endpoint.rotateSecret(APP, "main", { key: own, gracePeriodSeconds: 0 });
  const shown = (await svix.endpoint.getSecret(APP, "main")).key;
  assert.equal(shown, "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=");
  await svix.message.create(APP, { eventType: `${APP}.made`, payload: { rotated: 2 } });
  const signed = await receiver.next("main");
  assert(verifyEd25519(signed, shown));
  assert(refuses(signed, key));
}

async function example() {
  const { id } = await svix.endpoint.sendExample(APP, "main", { eventType: `${APP}.made` });
  let arrival;
  do arrival = await receiver.next("main");
  while (arrival.headers["webhook-id"] !== id);
  assert.equal(arrival.body.toString(), '{"n":1}');
}

/** The server has one retry, so two failures end a delivery. */
async function recover() {
  const endpoint = { url: receiver.url("broken"), uid: "broken", channels: ["broken"] };
  await svix.endpoint.create(APP, endpoint);
  receiver.answer("broken", 500);
  const since = new Date(Date.now() - 1000);
  const ids = [];
  for (const n of [1, 2, 3]) {
    const message = { eventType: "any", payload: { n }, channels: ["broken"] };
    ids.push((await svix.message.create(APP, message)).id);
  }
  const stats = () => svix.endpoint.getStats(APP, "broken");
  await eventually(async () => (await stats()).fail === 3);
  for (let n = 0; n < 6; n++) await receiver.next("broken");
  receiver.answer("broken", 200);
  const task = await svix.endpoint.recover(APP, "broken", { since });
  assert.match(task.id, /^qtask_/);
  const again = [];
  for (let n = 0; n < 3; n++) again.push((await receiver.next("broken")).headers["webhook-id"]);
  assert.deepEqual(again.sort(), ids.sort());
  await eventually(async () => (await stats()).success === 3);
}

async function portal() {
  const { token, url } = await svix.authentication.appPortalAccess(APP, {});
  const key = JSON.parse(Buffer.from(url.split("#key=")[1], "base64"));
  assert.equal(key.token, token, "a page can take the token from its own address");
  const owner = connect(token);
  assert((await owner.endpoint.list(APP)).data.length > 0);
  await refused(403, () => owner.application.list());
  await owner.authentication.logout();
}

async function sources() {
  await new Sources(connect(), LINE, { url: URL, token: TOKEN, refused, verify }).run(receiver);
}

async function operations() {
  await new Operations(svix, { app: APP, line: LINE, refused, eventually, receiver }).run();
}

/** Of version 1.x, only what has the same form in version 2.x is called. */
async function coverage() {
  const missing = [...uncalled].filter((it) => !ABSENT.test(it));
  if (LINE === 2) assert.deepEqual(missing, [], "operations that no scenario calls");
}

async function leave() {
  await svix.message.expungeContent(APP, sent.id);
  const got = await svix.message.get(APP, sent.id, { withContent: true });
  assert.deepEqual(got.payload, { expired: true });
  await svix.endpoint.delete(APP, "main");
  await svix.application.delete(APP);
  await refused(404, () => svix.application.get(APP));
  await svix.eventType.delete(`${APP}.made`, { expunge: true });
}

console.log(`svix ${LINE}.x`);
const steps = [applications, pages, eventTypes, endpoints, messages, attempts, rotation];
for (const step of [...steps, example, recover, portal, sources, operations, leave, coverage]) {
  await step();
  console.log(`  ${step.name}`);
}
receiver.close();
