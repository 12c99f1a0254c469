// Sends the event to Inngest, with the event type as name and the payload as data.
//
// The payload is sent in full, because a function should not run with a part of it. Inngest accepts
// 512 KB by default.
//
// The id of the event is the first of these fields: eventId, event_id, messageId, message_id, and
// "id" if the payload has the form { id, type, data }. ID_FIELD names another field. Without an id,
// the whole payload identifies the event.
//
// Inngest starts no second run for the same id within 24 hours.
//
// The time of the event is the first of these fields: timestamp, occurredAt, occurred_at,
// eventTime, event_time, and created, createdAt or created_at if the payload has the form { type,
// created, data }. TIME_FIELD names another field.

function handler(webhook) {
  const { env, payload } = webhook;
  const key = required(env, "EVENT_KEY", "in Inngest, open Manage > Event Keys and create a key");
  const base = setting(env, "BASE_URL", "https://inn.gs").replace(/\/+$/, "");
  const branch = setting(env, "BRANCH");
  const time = eventTime(webhook);
  const isObject = payload !== null && typeof payload === "object" && !Array.isArray(payload);
  return {
    method: "POST",
    url: base + "/e/" + encodeURIComponent(key),
    headers: branch === undefined ? {} : { "x-inngest-env": branch },
    payload: {
      name: setting(env, "EVENT_PREFIX", "") + webhook.eventType,
      data: isObject ? payload : { value: payload },
      id: deduplicationKey(webhook),
      ...(time !== undefined && { ts: time }),
    },
  };
}

// Returns a variable without surrounding spaces, or the fallback if it is absent or empty.
function setting(env, name, fallback) {
  const value = env?.[name];
  return typeof value === "string" && value.trim() !== "" ? value.trim() : fallback;
}

// Returns a variable, or fails with a message that says where to find its value.
function required(env, name, where) {
  const value = setting(env, name);
  if (value === undefined) throw new Error("Set the variable " + name + ": " + where);
  return value;
}

// Returns the value at a dotted path such as "data.user.email", or undefined.
function at(value, path) {
  for (const key of path.split(".")) {
    if (value === null || typeof value !== "object" || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

// Returns the first text or number at one of the paths that is accepted, as text.
function findText(payload, paths, accept) {
  for (const path of paths) {
    const value = at(payload, path);
    if (typeof value !== "string" && typeof value !== "number") continue;
    const text = String(value).trim();
    if (text !== "" && accept(text)) return text;
  }
  return undefined;
}

// Whether the payload describes an event, as { id, type, created, data } does, and is not the object itself.
function isEnvelope(payload) {
  const isObject = (value) => value !== null && typeof value === "object";
  if (!isObject(payload) || !isObject(payload.data)) return false;
  return typeof payload.type === "string" || typeof payload.event === "string";
}

// Returns the id of the event in the payload, or undefined.
function eventId(webhook) {
  const own = setting(webhook.env, "ID_FIELD");
  const paths = own ? [own] : ["eventId", "event_id", "messageId", "message_id"];
  if (!own && isEnvelope(webhook.payload)) paths.push("id");
  return findText(webhook.payload, paths, (text) => text.length <= 200);
}

// Returns when the event happened, in milliseconds since 1970, or undefined. It reads numbers (seconds or
// milliseconds) and texts in the form of ISO 8601 with a time zone.
function eventTime(webhook) {
  const own = setting(webhook.env, "TIME_FIELD");
  const paths = own ? [own] : ["timestamp", "occurredAt", "occurred_at", "eventTime", "event_time"];
  if (!own && isEnvelope(webhook.payload)) paths.push("created", "createdAt", "created_at");
  for (const path of paths) {
    const value = at(webhook.payload, path);
    const parts = typeof value === "string" && value.length <= 40
      && /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.exec(value);
    let time = NaN;
    if (parts) time = Date.parse(parts[1] + (parts[2] ?? ".0").padEnd(4, "0").slice(0, 4) + parts[3]);
    if (typeof value === "number") time = value < 1e11 ? value * 1000 : value;
    if (time >= Date.UTC(2000, 0) && time < Date.UTC(2100, 0)) return Math.floor(time);
  }
  return undefined;
}

// Hashes a text to 32 hexadecimal digits. The hash protects nothing: it only gives an event the same id in
// each attempt. Of a long text, it reads both ends.
function digest(text) {
  const read = text.length <= 32768 ? text : text.length + ":" + text.slice(0, 16384) + text.slice(-16384);
  let low = 0x2545f491;
  let high = 0x6c078965;
  for (let i = 0; i < read.length; i++) {
    low = Math.imul(low ^ read.charCodeAt(i), 0x9e3779b1);
    low ^= low >>> 15;
    high = Math.imul(((high << 9) | (high >>> 23)) ^ low, 0x85ebca6b);
  }
  const word = (seed) => {
    let mixed = Math.imul(low ^ seed, 0x7feb352d) + high;
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
    mixed = Math.imul(mixed ^ (mixed >>> 13) ^ high, 0x9e3779b1);
    return ((mixed ^ (mixed >>> 16)) >>> 0).toString(16).padStart(8, "0");
  };
  return word(0x1b873593) + word(0x38495ab5) + word(0x52dce729) + word(0x0bcaa747);
}

// Returns a key that is the same for each attempt of an event, and different for other events.
function deduplicationKey(webhook) {
  return digest(webhook.eventType + "\n" + (eventId(webhook) ?? JSON.stringify(webhook.payload)));
}
