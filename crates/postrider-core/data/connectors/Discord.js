// Posts the event to a Discord channel. The URL of the endpoint is the webhook's URL.
//
// The message is an embed with the event type as title and one field per value of the payload.
// Markdown in values is escaped, and mentions notify no one.
//
// Discord allows 256 characters in a title, 25 fields with names of 256 and values of 1,024
// characters, and 6,000 characters in total. What exceeds this is left out.
//
// The time of the event is the first of these fields: timestamp, occurredAt, occurred_at,
// eventTime, event_time, and created, createdAt or created_at if the payload has the form { type,
// created, data }. TIME_FIELD names another field.

function handler(webhook) {
  const { list, more } = leaves(webhook.payload, 25);
  const embed = { title: cut(escapeMarkdown(cut(webhook.eventType, 200)), 256), fields: [] };
  const note = "More fields are not shown.";
  let left = 6000 - embed.title.length - note.length;
  for (const { path, value } of list) {
    const text = show(value, 500);
    const field = {
      name: cut(escapeMarkdown(cut(path, 120)), 256),
      value: isUrl(text) ? text : escapeMarkdown(text),
      inline: text.length <= 40,
    };
    left -= field.name.length + field.value.length;
    if (left < 0) break;
    embed.fields.push(field);
  }
  if (more || embed.fields.length < list.length) embed.footer = { text: note };
  const time = eventTime(webhook);
  if (time !== undefined) embed.timestamp = new Date(time).toISOString();

  const username = setting(webhook.env, "USERNAME");
  return {
    method: "POST",
    url: webhook.url,
    payload: {
      ...(username !== undefined && { username: cut(username, 80) }),
      embeds: [embed],
      allowed_mentions: { parse: [] },
    },
  };
}

function isUrl(text) {
  return /^https?:\/\/[^\s<>()[\]]+$/.test(text);
}

// Escapes what has a meaning anywhere, and what has one at the start of a line.
function escapeMarkdown(text) {
  return text.replace(/[\\*_~`|[\]<]|^\s*[#>-]/gm, (found) => found.replace(/\S/, "\\$&"));
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

// Whether the payload describes an event, as { id, type, created, data } does, and is not the object itself.
function isEnvelope(payload) {
  const isObject = (value) => value !== null && typeof value === "object";
  if (!isObject(payload) || !isObject(payload.data)) return false;
  return typeof payload.type === "string" || typeof payload.event === "string";
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
