// Sends an email through Resend: to TO_EMAIL or else to the address in the payload. Without an
// address, nothing is sent.
//
// SUBJECT and TEXT may contain {{eventType}} and paths in the payload such as {{data.name}}.
//
// The email address is the first of these fields that holds one: email, user.email, customer.email,
// contact.email, customer_email, the same below "data", data.object.email,
// data.object.customer_email. EMAIL_FIELD names another field, as a dotted path.
//
// The id of the event is the first of these fields: eventId, event_id, messageId, message_id, and
// "id" if the payload has the form { id, type, data }. ID_FIELD names another field. Without an id,
// the whole payload identifies the event.
//
// Resend sends no second email for the same idempotency key within 24 hours.

function handler(webhook) {
  const { env } = webhook;
  const key = required(env, "API_KEY", "in Resend, open API Keys and create a key with sending access");
  const from = required(env, "FROM_EMAIL", "an address at a domain that Resend shows as verified under Domains");
  const to = recipients(webhook);
  if (to.length === 0) return skip(webhook, "the payload has no email address, and TO_EMAIL is not set");

  const text = setting(env, "TEXT");
  const replyTo = setting(env, "REPLY_TO");
  const payload = {
    from,
    to,
    subject: subjectLine(webhook),
    text: text === undefined ? lines(webhook, 200, 2000) : fill(text, webhook),
    ...(replyTo !== undefined && { reply_to: replyTo }),
    // Tags may contain letters, digits, _ and - only.
    tags: [{ name: "event_type", value: webhook.eventType.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 256) }],
  };
  return {
    method: "POST",
    url: "https://api.resend.com/emails",
    headers: {
      Authorization: "Bearer " + key,
      "Idempotency-Key": digest(deduplicationKey(webhook) + JSON.stringify(payload)),
    },
    payload,
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

// Writes the payload as one line per value.
function lines(webhook, count, length) {
  const { list, more } = leaves(webhook.payload, count);
  const text = list.map(({ path, value }) => cut(path, 100) + ": " + show(value, length));
  return (more ? [...text, "(more fields are not shown)"] : text).join("\n");
}

// Ends the delivery without a request: the attempt counts as a success and shows the reason in its log.
function skip(webhook, reason) {
  console.log("Nothing is sent: " + reason);
  return { method: webhook.method, url: webhook.url, payload: webhook.payload, cancel: true };
}

// Replaces {{eventType}} and {{path.in.payload}} in a text.
function fill(template, webhook) {
  return template.replace(/\{\{\s*([\w.-]+)\s*\}\}/g, (_, path) => {
    if (path === "eventType") return webhook.eventType;
    const value = at(webhook.payload, path);
    return value === undefined || value === null ? "" : show(value, 1000);
  });
}

// Returns the subject of the email: one line of at most 200 characters.
function subjectLine(webhook) {
  const text = fill(setting(webhook.env, "SUBJECT", "{{eventType}}"), webhook);
  return cut(text.replace(/[\s\x00-\x1f\x7f]+/g, " ").trim() || webhook.eventType, 200);
}

// Returns the addresses in the variable TO_EMAIL, or else the one in the payload.
function recipients(webhook) {
  const own = setting(webhook.env, "TO_EMAIL");
  if (own === undefined) return [findEmail(webhook)].filter((address) => address !== undefined);
  const list = own.split(",").map((address) => address.trim()).filter((address) => address !== "");
  if (list.length === 0 || list.length > 50 || !list.every(isEmail)) {
    throw new Error("The variable TO_EMAIL is not valid: set it to 1 to 50 email addresses with commas between them");
  }
  return list;
}
