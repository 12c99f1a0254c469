// Publishes a platform event with the event type, the event's id and the payload as JSON text or,
// if MODE is "contact", creates or updates the contact with the email address in the payload. The
// URL of the endpoint is that of My Domain, such as https://acme.my.salesforce.com.
//
// Salesforce's access tokens expire: use OAuth on the endpoint, or ACCESS_TOKEN for a test.
//
// The platform event has the fields Event_Type__c and Event_Id__c (Text, 255) and Payload__c (Long
// Text Area, 131,072). Longer payloads are shortened.
//
// The email address is the first of these fields that holds one: email, user.email, customer.email,
// contact.email, customer_email, the same below "data", data.object.email,
// data.object.customer_email. EMAIL_FIELD names another field, as a dotted path.
//
// The name is read from firstName and lastName, or fullName or name, at the top or below user,
// customer, contact or data. NAME_FIELD names another field, as a dotted path.
//
// The id of the event is the first of these fields: eventId, event_id, messageId, message_id, and
// "id" if the payload has the form { id, type, data }. ID_FIELD names another field. Without an id,
// the whole payload identifies the event.

function handler(webhook) {
  const { env } = webhook;
  const mode = choice(env, "MODE", ["event", "contact"], "event");
  const token = setting(env, "ACCESS_TOKEN");
  const version = setting(env, "API_VERSION", "65.0").replace(/^v/, "");
  const origin = /^https?:\/\/[^/?#]+/.exec(webhook.url)?.[0];
  if (origin === undefined) {
    throw new Error("The URL of the endpoint is not valid: use that of My Domain, such as https://acme.my.salesforce.com");
  }
  const base = origin + "/services/data/v" + version + "/sobjects/";
  const headers = token === undefined ? {} : { Authorization: "Bearer " + token };

  if (mode === "event") {
    const name = setting(env, "EVENT_NAME", "Webhook_Event__e");
    return { method: "POST", url: base + encodeURIComponent(name), headers, payload: platformEvent(webhook) };
  }
  const field = required(env, "EXTERNAL_ID_FIELD",
    "in Salesforce, open Setup > Object Manager > Contact and create an external id field, such as Webhook_Email__c");
  const email = findEmail(webhook);
  if (email === undefined) return skip(webhook, "the payload has no email address");
  return {
    method: "PATCH",
    url: base + "Contact/" + encodeURIComponent(field) + "/" + encodeURIComponent(email),
    headers,
    payload: contact(webhook, email, field),
  };
}

function platformEvent(webhook) {
  return {
    Event_Type__c: cut(webhook.eventType, 255),
    Event_Id__c: eventId(webhook) ?? deduplicationKey(webhook),
    Payload__c: JSON.stringify(fit(webhook.payload, 131000)),
  };
}

function contact(webhook, email, field) {
  const { first, last } = findName(webhook);
  return {
    // Salesforce requires a last name of at most 80 characters.
    LastName: cut(last ?? first ?? email, 80),
    ...(last !== undefined && first !== undefined && { FirstName: cut(first, 40) }),
    // A field in the URL must not be in the body too.
    ...(field !== "Email" && { Email: email }),
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

// Ends the delivery without a request: the attempt counts as a success and shows the reason in its log.
function skip(webhook, reason) {
  console.log("Nothing is sent: " + reason);
  return { method: webhook.method, url: webhook.url, payload: webhook.payload, cancel: true };
}
