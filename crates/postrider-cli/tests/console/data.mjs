// Objects of every kind and in every state, for screens that show them.

import { createHmac } from "node:crypto";

/** @typedef {import("./walk.mjs").Walk} Walk */

const GITHUB_SECRET = "a-secret-of-a-github-webhook";
const MESSAGES = 12;

const INVOICE = {
  $schema: "http://json-schema.org/draft-07/schema#",
  title: "Invoice",
  type: "object",
  required: ["id", "amount", "currency"],
  properties: {
    id: { type: "string" },
    amount: { type: "integer", minimum: 0 },
    currency: { type: "string" },
  },
  examples: [{ id: "inv_1", amount: 1_999, currency: "EUR" }],
};

const CODE = `function handler(webhook) {
  webhook.payload = { text: webhook.eventType, token: webhook.env.TOKEN };
  return webhook;
}`;

const EVENT_TYPES = [
  { name: "invoice.paid", description: "An invoice was paid.", schemas: { 1: INVOICE } },
  { name: "invoice.failed", description: "A payment failed.", groupName: "billing" },
  { name: "customer.address.changed", description: "A customer moved." },
  { name: "customer.removed", description: "No longer used.", archived: true },
  { name: "order.created", description: "Use `invoice.paid`.", deprecated: true },
];

/**
 * @param {Walk} walk
 * @returns {Promise<Data>}
 */
export async function createData(walk) {
  const app = await createApplication(walk);
  const endpoints = await createEndpoints(walk);
  const messages = await sendMessages(walk);
  const attempts = await failedAttempts(walk, endpoints.failing);
  const sources = await createSources(walk);
  const { scheduled, connector } = await shape(walk, endpoints.good);
  await administer(walk, endpoints);
  return { app, endpoints, messages, scheduled, attempts, connector, sources };
}

/**
 * @typedef {object} Data
 * @property {string} app
 * @property {{[kind: string]: string}} endpoints ids
 * @property {string[]} messages ids
 * @property {string} scheduled id of a message that is due tomorrow
 * @property {{id: string, msgId: string}[]} attempts failed ones
 * @property {string} connector id
 * @property {{[provider: string]: string}} sources ids
 */

/** @param {Walk} walk */
async function createApplication(walk) {
  const metadata = { plan: "enterprise", region: "eu" };
  const app = await walk.api("POST", "/app", { name: "Acme Corporation", uid: "acme", metadata });
  await walk.api("POST", "/app", { name: "Without anything" });
  for (const eventType of EVENT_TYPES) await walk.api("POST", "/event-type", eventType);
  return app.id;
}

/** @param {Walk} walk */
async function createEndpoints(walk) {
  const { good, failing, gone, hanging, slow } = walk.input.receivers;
  const long = `${good}?${"a-long-parameter=with-a-long-value&".repeat(6)}`;
  const wanted = {
    good: { url: good, description: "Books invoices", headers: { "X-Team": "billing" } },
    failing: { url: failing, metadata: { owner: "ops" } },
    gone: { url: gone },
    hanging: { url: hanging },
    slow: { url: slow, throttleRate: 50 },
    filtered: { url: long, eventTypes: ["invoice.failed"], channels: ["europe"] },
    disabled: { url: good, disabled: true },
  };
  /** @type {{[kind: string]: string}} */
  const ids = {};
  for (const [kind, endpoint] of Object.entries(wanted)) {
    ids[kind] = (await walk.api("POST", "/app/acme/endpoint", endpoint)).id;
  }
  return ids;
}

/** @param {Walk} walk */
async function sendMessages(walk) {
  const ids = [];
  for (let number = 0; number < MESSAGES; number += 1) {
    const eventType = number % 3 === 0 ? "customer.address.changed" : "invoice.paid";
    const payload = { id: `inv_${number}`, amount: number * 100, currency: "EUR" };
    const eventId = number === 1 ? "order-4711" : undefined;
    const message = { eventType, payload, eventId, channels: ["europe"], tags: ["trial"] };
    ids.push((await walk.api("POST", "/app/acme/msg", message)).id);
  }
  return ids;
}

/**
 * @param {Walk} walk
 * @param {string} endpoint
 */
async function failedAttempts(walk, endpoint) {
  const path = `/app/acme/attempt/endpoint/${endpoint}?status=2`;
  return walk.until("there are failed attempts", async () => {
    const { data } = await walk.api("GET", path);
    return data.length > 0 && data;
  });
}

/**
 * @param {Walk} walk
 * @returns {Promise<{[provider: string]: string}>} ids
 */
async function createSources(walk) {
  const github = await ingest(walk, "/source", {
    name: "Repositories", type: "github", uid: "repositories", appId: "acme",
    secrets: [{ key: GITHUB_SECRET }],
  });
  const silent = await ingest(walk, "/source", { name: "Payments", type: "stripe", appId: "acme" });
  await postAsGithub(github.ingestUrl, GITHUB_SECRET);
  await postAsGithub(github.ingestUrl, "another-secret");
  return { github: github.id, stripe: silent.id };
}

/**
 * Creates a connector, gives an endpoint its code, and schedules a message.
 *
 * @param {Walk} walk
 * @param {string} endpoint id
 */
async function shape(walk, endpoint) {
  const connector = await walk.api("POST", "/connector", {
    name: "Chat", kind: "Slack", description: "Posts to a channel", allowedEventTypes: ["invoice.paid"],
    instructions: "1. Create a webhook.\n2. Set `TOKEN`.", transformation: CODE,
  });
  const variables = { TOKEN: "a-token" };
  const path = `/app/acme/endpoint/${endpoint}`;
  await walk.api("PATCH", `${path}/transformation`, { connector: connector.id, variables });
  await walk.api("PATCH", path, { filter: "!has(payload.amount) || payload.amount < 1000" });
  const deliverAt = new Date(Date.now() + 86_400_000).toISOString();
  const payload = { id: "inv_later", amount: 1, currency: "EUR" };
  const message = await walk.api("POST", "/app/acme/msg", { eventType: "invoice.paid", payload, deliverAt });
  return { scheduled: message.id, connector: connector.id };
}

/**
 * Creates what administrators see: tasks, keys, operational webhooks.
 *
 * @param {Walk} walk
 * @param {{[kind: string]: string}} endpoints ids
 */
async function administer(walk, endpoints) {
  const since = new Date(Date.now() - 3_600_000).toISOString();
  await walk.api("POST", `/app/acme/endpoint/${endpoints.good}/recover`, { since });
  await walk.api("POST", "/api-key", { name: "A dashboard", role: "viewer" });
  await walk.api("POST", "/operational-webhook/endpoint", { url: walk.input.receivers.good });
}

/**
 * Posts an event as GitHub does; returns the status of the response.
 *
 * @param {string} url
 * @param {string} secret
 */
export async function postAsGithub(url, secret) {
  const body = JSON.stringify({ action: "opened", number: 7 });
  const signature = createHmac("sha256", secret).update(body).digest("hex");
  const headers = {
    "content-type": "application/json",
    "x-github-event": "pull_request",
    "x-github-delivery": crypto.randomUUID(),
    "x-hub-signature-256": `sha256=${signature}`,
  };
  return (await fetch(url, { method: "POST", headers, body })).status;
}

/**
 * @param {Walk} walk
 * @param {string} path
 * @param {unknown} body
 */
async function ingest(walk, path, body) {
  return walk.api("POST", path, body, { below: "/ingest/api/v1" });
}
