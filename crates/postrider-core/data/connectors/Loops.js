// Sends the event to Loops for the contact with the email address or the user id in the payload.
// Without either, nothing is sent.
//
// Event properties are texts, numbers and booleans, so nested fields become customer_name and the
// like: at most 100, with texts of at most 500 characters. Event names must not contain colons:
// they become dots.
//
// The email address is the first of these fields that holds one: email, user.email, customer.email,
// contact.email, customer_email, the same below "data", data.object.email,
// data.object.customer_email. EMAIL_FIELD names another field, as a dotted path.
//
// The id of the user is the first of these fields: userId, user_id, user.id, customerId,
// customer_id, customer.id, and the same below "data". USER_ID_FIELD names another field, as a
// dotted path.
//
// The name is read from firstName and lastName, or fullName or name, at the top or below user,
// customer, contact or data. NAME_FIELD names another field, as a dotted path.
//
// The id of the event is the first of these fields: eventId, event_id, messageId, message_id, and
// "id" if the payload has the form { id, type, data }. ID_FIELD names another field. Without an id,
// the whole payload identifies the event.
//
// Loops refuses a repeated request with status 409.

function handler(webhook) {
  const { env } = webhook;
  const key = required(env, "API_KEY", "in Loops, open Settings > API and generate a key");
  const update = choice(env, "UPDATE_CONTACT", ["true", "false"], "false") === "true";
  const email = findEmail(webhook);
  const userId = findUserId(webhook);
  if (email === undefined && userId === undefined) {
    return skip(webhook, "the payload has no email address and no user id");
  }

  const { first, last } = update ? findName(webhook) : {};
  const payload = {
    ...(email !== undefined && { email }),
    ...(userId !== undefined && { userId }),
    ...(first !== undefined && { firstName: first }),
    ...(last !== undefined && { lastName: last }),
    eventName: cut(webhook.eventType.replaceAll(":", "."), 100),
    eventProperties: properties(webhook.payload),
  };
  return {
    method: "POST",
    url: "https://app.loops.so/api/v1/events/send",
    headers: {
      Authorization: "Bearer " + key,
      "Idempotency-Key": digest(deduplicationKey(webhook) + JSON.stringify(payload)),
    },
    payload,
  };
}

function properties(payload) {
  const found = {};
  for (const { path, value } of leaves(payload, 100).list) {
    if (value === null) continue;
    const name = cut(path.replace(/[^A-Za-z0-9]+/g, "_"), 100);
    found[name] = typeof value === "number" || typeof value === "boolean" ? value : show(value, 500);
  }
  return found;
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

// Returns a value of the payload as a text of at most max UTF-16 code units that is not empty.
function show(value, max) {
  const text = typeof value === "string" ? value : JSON.stringify(value) ?? "";
  return text.trim() === "" ? "(empty)" : cut(text, max);
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

// Ends the delivery without a request: the attempt counts as a success and shows the reason in its log.
function skip(webhook, reason) {
  console.log("Nothing is sent: " + reason);
  return { method: webhook.method, url: webhook.url, payload: webhook.payload, cancel: true };
}
