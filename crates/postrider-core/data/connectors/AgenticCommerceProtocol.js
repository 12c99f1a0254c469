// Sends the order in the payload to an agent platform: { type: "order_create" or "order_update",
// data: the full order }, signed with SIGNING_SECRET. The URL of the endpoint is the URL for order
// events that the platform gave you.
//
// The order is the first of these that has checkout_session_id, permalink_url and status: order,
// data.order, data.object, data, the payload. ORDER_FIELD names another field. Without an order,
// nothing is sent.
//
// Event types that end in "created", "create" or "placed" are new orders, all others are updates.
//
// The signature is computed here, which limits the order to 16 KB.
//
// The id of the event is the first of these fields: eventId, event_id, messageId, message_id, and
// "id" if the payload has the form { id, type, data }. ID_FIELD names another field. Without an id,
// the whole payload identifies the event.

function handler(webhook) {
  const order = findOrder(webhook);
  if (order === undefined) {
    return skip(webhook, "the payload has no order with checkout_session_id, permalink_url and status");
  }
  const isNew = /(^|[._-])(create|created|placed)$/i.test(webhook.eventType);
  const body = JSON.stringify({ type: isNew ? "order_create" : "order_update", data: { ...order, type: "order" } });
  // Signing takes time, and an attempt has little of it.
  if (body.length > 16000 || size(body) > 16000) {
    throw new Error("The order is too large: send at most 16 KB, without fields that the protocol does not have");
  }

  const secret = setting(webhook.env, "SIGNING_SECRET");
  return {
    method: "POST",
    url: webhook.url,
    headers: {
      "Content-Type": "application/json",
      "Request-Id": deduplicationKey(webhook),
      ...(secret !== undefined && { "Merchant-Signature": signature(secret, body) }),
    },
    // A text is sent as it is, so that the signature matches.
    payload: body,
  };
}

function signature(secret, body) {
  const seconds = Math.floor(Date.now() / 1000);
  return "t=" + seconds + ",v1=" + hmac(utf8(secret), utf8(seconds + "." + body));
}

function findOrder(webhook) {
  const own = setting(webhook.env, "ORDER_FIELD");
  const paths = own ? [own] : ["order", "data.order", "data.object", "data"];
  const candidates = paths.map((path) => at(webhook.payload, path));
  if (!own) candidates.push(webhook.payload);
  const isText = (value) => typeof value === "string" && value !== "";
  return candidates.find((order) =>
    order !== null && typeof order === "object"
    && isText(order.checkout_session_id) && isText(order.permalink_url) && isText(order.status));
}

// Returns HMAC-SHA256 as hexadecimal digits. Keys and messages are lists of bytes.
function hmac(key, message) {
  const short = key.length > 64 ? sha256(key) : key;
  const padded = Array.from({ length: 64 }, (_, i) => short[i] ?? 0);
  const inner = sha256([...padded.map((byte) => byte ^ 0x36), ...message]);
  const outer = sha256([...padded.map((byte) => byte ^ 0x5c), ...inner]);
  return outer.map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// SHA-256 as FIPS 180-4 defines it.
function sha256(message) {
  const { constants, initial } = sha256Tables();
  const length = message.length;
  const padded = new Uint8Array(Math.ceil((length + 9) / 64) * 64);
  padded.set(message);
  padded[length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 4, length * 8);

  // Rotations are written out, because calls are slow in an interpreter.
  const state = initial;
  const w = new Int32Array(64);
  for (let block = 0; block < padded.length; block += 64) {
    for (let i = 0; i < 16; i++) w[i] = view.getInt32(block + 4 * i);
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15];
      const y = w[i - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + constants[i] + w[i]) | 0;
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] += word));
  }
  return [...state].flatMap((word) => [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255]);
}

// The tables are the first 32 bits of the fractions of the roots of primes: cube roots of the first 64, and
// square roots of the first 8.
function sha256Tables() {
  const primes = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  const fraction = (root) => Math.floor((root - Math.floor(root)) * 2 ** 32) | 0;
  return {
    constants: Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime))),
    initial: Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime))),
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

// Returns an upper bound of the length of a text in UTF-8, in bytes.
function size(text) {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) bytes += 2;
  return bytes;
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

// Ends the delivery without a request: the attempt counts as a success and shows the reason in its log.
function skip(webhook, reason) {
  console.log("Nothing is sent: " + reason);
  return { method: webhook.method, url: webhook.url, payload: webhook.payload, cancel: true };
}
