// Tracks the event in Segment, with the event type as name and the payload as properties.
//
// The user is identified by the user's id, or else by the email address, or else by ANONYMOUS_ID.
// Without any of these, nothing is sent.
//
// The id of the user is the first of these fields: userId, user_id, user.id, customerId,
// customer_id, customer.id, and the same below "data". USER_ID_FIELD names another field, as a
// dotted path.
//
// The email address is the first of these fields that holds one: email, user.email, customer.email,
// contact.email, customer_email, the same below "data", data.object.email,
// data.object.customer_email. EMAIL_FIELD names another field, as a dotted path.
//
// The time of the event is the first of these fields: timestamp, occurredAt, occurred_at,
// eventTime, event_time, and created, createdAt or created_at if the payload has the form { type,
// created, data }. TIME_FIELD names another field.
//
// The id of the event is the first of these fields: eventId, event_id, messageId, message_id, and
// "id" if the payload has the form { id, type, data }. ID_FIELD names another field. Without an id,
// the whole payload identifies the event.
//
// Segment ignores repeated events with the same messageId. Segment accepts 32 KB per event: larger
// payloads are shortened.

function handler(webhook) {
  const { env, payload } = webhook;
  const key = required(env, "WRITE_KEY", "in Segment, open the HTTP API source and then Settings > API Keys");
  const host = choice(env, "REGION", ["us", "eu"], "us") === "eu" ? "events.eu1.segmentapis.com" : "api.segment.io";
  const email = findEmail(webhook);
  const userId = findUserId(webhook) ?? email;
  const anonymousId = setting(env, "ANONYMOUS_ID");
  if (userId === undefined && anonymousId === undefined) {
    return skip(webhook, "the payload has no user id and no email address, and ANONYMOUS_ID is not set");
  }

  const time = eventTime(webhook);
  const isObject = payload !== null && typeof payload === "object" && !Array.isArray(payload);
  return {
    method: "POST",
    url: "https://" + host + "/v1/track",
    headers: { Authorization: "Basic " + base64(key + ":") },
    payload: {
      ...(userId !== undefined ? { userId } : { anonymousId: cut(anonymousId, 255) }),
      event: cut(webhook.eventType, 255),
      messageId: deduplicationKey(webhook),
      ...(time !== undefined && { timestamp: new Date(time).toISOString() }),
      ...(email !== undefined && { context: { traits: { email } } }),
      properties: fit(isObject ? payload : { value: payload }, 28000),
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

// Returns a variable that has to be one of a few words.
function choice(env, name, words, fallback) {
  const value = setting(env, name, fallback).toLowerCase();
  if (!words.includes(value)) {
    throw new Error("The variable " + name + " is not valid: set it to one of " + words.join(", "));
  }
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

// Returns the email address in the payload, or undefined.
function findEmail(webhook) {
  const own = setting(webhook.env, "EMAIL_FIELD");
  const paths = own ? [own] : [
    "email", "user.email", "customer.email", "contact.email", "customer_email",
    "data.email", "data.user.email", "data.customer.email", "data.contact.email",
    "data.object.email", "data.object.customer_email",
  ];
  return findText(webhook.payload, paths, isEmail);
}

function isEmail(text) {
  return text.length <= 254 && /^[^\s@<>",;]+@[^\s@<>",;]+$/.test(text);
}

// Returns the id of the user or customer in the payload, or undefined.
function findUserId(webhook) {
  const own = setting(webhook.env, "USER_ID_FIELD");
  const paths = own ? [own] : [
    "userId", "user_id", "user.id", "customerId", "customer_id", "customer.id",
    "data.userId", "data.user_id", "data.user.id",
    "data.customerId", "data.customer_id", "data.customer.id",
  ];
  return findText(webhook.payload, paths, (text) => text.length <= 150);
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

// Shortens a text to at most max UTF-16 code units, without splitting a character in two.
function cut(text, max) {
  if (text.length <= max) return text;
  const end = /[\uD800-\uDBFF]/.test(text[max - 2]) ? max - 2 : max - 1;
  return text.slice(0, end) + "…";
}

// Returns an upper bound of the length of a text in UTF-8, in bytes.
function size(text) {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) bytes += 2;
  return bytes;
}

// Returns a value unchanged if it has at most max bytes as JSON. Otherwise shortens its texts and lists
// in steps until it fits.
function fit(value, max) {
  const fits = (candidate) => {
    const text = JSON.stringify(candidate);
    return text.length <= max && size(text) <= max;
  };
  if (fits(value)) return value;
  for (const [length, count] of [[4000, 100], [1000, 50], [200, 25], [50, 10]]) {
    const short = shorten(value, length, count, 6);
    if (fits(short)) return short;
  }
  return { truncated: true };
}

function shorten(value, length, count, depth) {
  if (typeof value === "string") return cut(value, length);
  if (value === null || typeof value !== "object") return value;
  if (depth === 0) return "…";
  if (Array.isArray(value)) return value.slice(0, count).map((item) => shorten(item, length, count, depth - 1));
  const keys = Object.keys(value).slice(0, count);
  return Object.fromEntries(keys.map((key) => [cut(key, 100), shorten(value[key], length, count, depth - 1)]));
}

// Returns the bytes of a text in UTF-8.
function utf8(text) {
  const bytes = [];
  for (const character of text) {
    const code = character.codePointAt(0);
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
  }
  return bytes;
}

function base64(text) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const bytes = utf8(text);
  let result = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const group = (bytes[i] << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    result += alphabet[group >> 18] + alphabet[(group >> 12) & 63];
    result += i + 1 < bytes.length ? alphabet[(group >> 6) & 63] : "=";
    result += i + 2 < bytes.length ? alphabet[group & 63] : "=";
  }
  return result;
}

// Ends the delivery without a request: the attempt counts as a success and shows the reason in its log.
function skip(webhook, reason) {
  console.log("Nothing is sent: " + reason);
  return { method: webhook.method, url: webhook.url, payload: webhook.payload, cancel: true };
}
