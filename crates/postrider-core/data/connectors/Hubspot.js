// Creates or updates the contact with the email address in the payload or, if MODE is "event",
// records an occurrence of a custom event for it. Without an address, nothing is sent.
//
// HubSpot rejects properties that it does not know, so only the name and those in PROPERTIES are
// sent, such as: plan=data.plan, last_event=eventType.
//
// The email address is the first of these fields that holds one: email, user.email, customer.email,
// contact.email, customer_email, the same below "data", data.object.email,
// data.object.customer_email. EMAIL_FIELD names another field, as a dotted path.
//
// The name is read from firstName and lastName, or fullName or name, at the top or below user,
// customer, contact or data. NAME_FIELD names another field, as a dotted path.
//
// The time of the event is the first of these fields: timestamp, occurredAt, occurred_at,
// eventTime, event_time, and created, createdAt or created_at if the payload has the form { type,
// created, data }. TIME_FIELD names another field.
//
// The id of the event is the first of these fields: eventId, event_id, messageId, message_id, and
// "id" if the payload has the form { id, type, data }. ID_FIELD names another field. Without an id,
// the whole payload identifies the event.
//
// An event has at most 50 properties of 256 characters.
//
// HubSpot does not promise to keep other properties of a contact that it recognizes by "email". If
// that matters to you, create a unique property for the address and name it in ID_PROPERTY.

function handler(webhook) {
  const { env } = webhook;
  const token = required(env, "ACCESS_TOKEN", "in HubSpot, open Development > Keys > Service keys and create a key");
  const mode = choice(env, "MODE", ["contact", "event"], "contact");
  const email = findEmail(webhook);
  if (email === undefined) return skip(webhook, "the payload has no email address");

  return {
    method: "POST",
    url: mode === "event"
      ? "https://api.hubapi.com/events/2026-03/send"
      : "https://api.hubapi.com/crm/objects/2026-03/contacts/batch/upsert",
    headers: { Authorization: "Bearer " + token },
    payload: mode === "event" ? occurrence(webhook, email) : contact(webhook, email),
  };
}

function contact(webhook, email) {
  const { first, last } = findName(webhook);
  const properties = {
    email,
    ...(first !== undefined && { firstname: first }),
    ...(last !== undefined && { lastname: last }),
    ...mapping(webhook, "PROPERTIES", 65000),
  };
  return { inputs: [{ id: email, idProperty: setting(webhook.env, "ID_PROPERTY", "email"), properties }] };
}

function occurrence(webhook, email) {
  const eventName = required(webhook.env, "EVENT_NAME",
    "in HubSpot, open Data Management > Custom Events and copy the event's full name, such as pe1234567_invoice_paid");
  const time = eventTime(webhook);
  const key = deduplicationKey(webhook);
  return {
    eventName,
    email,
    ...(time !== undefined && { occurredAt: new Date(time).toISOString() }),
    uuid: key.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, "$1-$2-8$3-8$4-$5"),
    properties: Object.fromEntries(Object.entries(mapping(webhook, "PROPERTIES", 256)).slice(0, 50)),
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

// Returns the first and last name of the person in the payload; each may be undefined.
function findName(webhook) {
  const short = (text) => text.length <= 100;
  const places = ["", "user.", "customer.", "contact.", "data.", "data.user.", "data.customer.", "data.contact."];
  const find = (...keys) =>
    findText(webhook.payload, places.flatMap((place) => keys.map((key) => place + key)), short);
  const own = setting(webhook.env, "NAME_FIELD");
  const full = own ? findText(webhook.payload, [own], short) : find("fullName", "full_name", "name");
  const first = own ? undefined : find("firstName", "first_name");
  const last = own ? undefined : find("lastName", "last_name");
  if (first !== undefined || last !== undefined) return { first, last };
  const words = full?.split(/\s+/) ?? [];
  if (words.length < 2) return { first: full, last: undefined };
  return { first: words.slice(0, -1).join(" "), last: words.at(-1) };
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

// Ends the delivery without a request: the attempt counts as a success and shows the reason in its log.
function skip(webhook, reason) {
  console.log("Nothing is sent: " + reason);
  return { method: webhook.method, url: webhook.url, payload: webhook.payload, cancel: true };
}

// Reads a variable such as "plan=data.plan, amount=data.total" and returns the values in the payload by name.
function mapping(webhook, variable, length) {
  const found = {};
  for (const entry of setting(webhook.env, variable, "").split(",")) {
    if (entry.trim() === "") continue;
    const parts = /^\s*([a-z][a-z0-9_]*)\s*=\s*(\S+)\s*$/.exec(entry);
    if (!parts) {
      throw new Error("The variable " + variable
        + " is not valid: write name=path, with commas between entries and names of a-z, 0-9 and _");
    }
    const [, name, path] = parts;
    const value = path === "eventType" ? webhook.eventType : at(webhook.payload, path);
    if (value === undefined || value === null) continue;
    found[name] = cut(typeof value === "string" ? value : JSON.stringify(value), length);
  }
  return found;
}
