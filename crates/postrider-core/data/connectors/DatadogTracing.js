// Sends the event as one span to Datadog's OTLP intake for traces.
//
// The span has the values of the payload as attributes. If the payload or the headers of the
// message have a "traceparent", the span belongs to that trace.
//
// The time of the event is the first of these fields: timestamp, occurredAt, occurred_at,
// eventTime, event_time, and created, createdAt or created_at if the payload has the form { type,
// created, data }. TIME_FIELD names another field. Without a time, the span has the time of the
// attempt.
//
// The id of the event is the first of these fields: eventId, event_id, messageId, message_id, and
// "id" if the payload has the form { id, type, data }. ID_FIELD names another field. Without an id,
// the whole payload identifies the event.

function handler(webhook) {
  const key = required(webhook.env, "API_KEY", "in Datadog, open Organization Settings > API Keys");
  const sites = [
    "datadoghq.com", "us3.datadoghq.com", "us5.datadoghq.com", "datadoghq.eu", "ap1.datadoghq.com", "ap2.datadoghq.com",
  ];
  const site = choice(webhook.env, "SITE", sites, "datadoghq.com");
  return {
    method: "POST",
    url: "https://otlp." + site + "/v1/traces",
    // Without compute_stats, Datadog shows the spans but no metrics of them.
    headers: { "dd-api-key": key, compute_stats: "true" },
    payload: traces(webhook),
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

// Lists the values of a nested payload with their dotted paths, at most max of them.
// "more" says whether the payload has others.
function leaves(payload, max) {
  const list = [];
  let more = false;
  const visit = (value, path, depth) => {
    const nested = value !== null && typeof value === "object" && depth < 8;
    const keys = !nested ? [] : Array.isArray(value) ? [...value.slice(0, max + 1).keys()] : Object.keys(value);
    if (keys.length > 0) {
      for (const key of keys) {
        if (more) return;
        visit(value[key], depth === 0 ? String(key) : path + "." + key, depth + 1);
      }
    } else if (list.length < max) {
      list.push({ path: path.trim() === "" ? "payload" : path, value });
    } else {
      more = true;
    }
  };
  visit(payload, "", 0);
  return { list, more };
}

// Describes the event as one span, in the JSON form of OTLP: ids as hexadecimal digits, times in
// nanoseconds and whole numbers as texts. Ids are the same in each attempt.
function traces(webhook) {
  const key = deduplicationKey(webhook);
  const parent = parentOf(webhook);
  const start = eventTime(webhook) ?? Date.now();
  const span = {
    traceId: parent?.traceId ?? key,
    spanId: digest("span " + key).slice(0, 16),
    ...(parent && { parentSpanId: parent.spanId }),
    name: cut(webhook.eventType, 255),
    kind: 4, // PRODUCER
    startTimeUnixNano: start + "000000",
    endTimeUnixNano: start + 1 + "000000",
    attributes: attributes(webhook),
    status: {},
  };
  const service = cut(setting(webhook.env, "SERVICE_NAME", "webhooks"), 255);
  return {
    resourceSpans: [{
      resource: { attributes: [{ key: "service.name", value: { stringValue: service } }] },
      scopeSpans: [{ scope: { name: "postrider" }, spans: [span] }],
    }],
  };
}

// Returns the span that the event belongs to, if the message has a "traceparent" as W3C Trace Context defines it.
function parentOf(webhook) {
  const headers = webhook.transformationsParams?.headers ?? {};
  const name = Object.keys(headers).find((header) => header.toLowerCase() === "traceparent");
  const text = name === undefined ? at(webhook.payload, "traceparent") : headers[name];
  const parts = typeof text === "string" && /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/.exec(text);
  if (!parts || /^0+$/.test(parts[1]) || /^0+$/.test(parts[2])) return undefined;
  return { traceId: parts[1], spanId: parts[2] };
}

// Returns the attributes of the span: the event type and the values of the payload, at most 100.
// The variable ATTRIBUTES limits them to some dotted paths, or to none.
function attributes(webhook) {
  const names = setting(webhook.env, "ATTRIBUTES");
  const paths = names?.split(",").map((path) => path.trim()).filter((path) => path !== "" && path !== "none");
  const list = paths === undefined
    ? leaves(webhook.payload, 100).list
    : paths.slice(0, 100).map((path) => ({ path, value: at(webhook.payload, path) }));
  const found = [{ key: "webhook.event_type", value: { stringValue: cut(webhook.eventType, 255) } }];
  for (const { path, value } of list) {
    if (value === undefined || value === null) continue;
    found.push({ key: cut("webhook.payload." + path, 255), value: attributeValue(value) });
  }
  return found;
}

function attributeValue(value) {
  if (typeof value === "boolean") return { boolValue: value };
  if (Number.isSafeInteger(value)) return { intValue: String(value) };
  if (typeof value === "number") return { doubleValue: value };
  return { stringValue: cut(typeof value === "string" ? value : JSON.stringify(value), 1000) };
}
