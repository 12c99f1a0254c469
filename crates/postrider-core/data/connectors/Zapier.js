// Starts a Zap with the trigger "Webhooks by Zapier: Catch Hook". The URL of the endpoint is the
// URL that the trigger shows.
//
// The Zap gets { eventType, id, payload }. The payload is not at the top, because Zapier would
// start one Zap per item of a list.
//
// The id of the event is the first of these fields: eventId, event_id, messageId, message_id, and
// "id" if the payload has the form { id, type, data }. ID_FIELD names another field. Without an id,
// the whole payload identifies the event.
//
// The id is the same in each attempt, so that the Zap can recognize repeated ones.

function handler(webhook) {
  return {
    method: "POST",
    url: webhook.url,
    payload: {
      eventType: webhook.eventType,
      id: eventId(webhook) ?? deduplicationKey(webhook),
      payload: webhook.payload,
    },
  };
}

// Returns a variable without surrounding spaces, or the fallback if it is absent or empty.
function setting(env, name, fallback) {
  const value = env?.[name];
  return typeof value === "string" && value.trim() !== "" ? value.trim() : fallback;
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
