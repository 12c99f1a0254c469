// If the payload has the id of a lead, adds a note to it. Otherwise, creates a lead with one
// contact if the event type is in LEAD_EVENTS and the payload has an email address. All other
// events are not sent.
//
// The lead's id is the first of leadId and lead_id, at the top or below data, user, customer or
// metadata. LEAD_ID_FIELD names another field.
//
// The email address is the first of these fields that holds one: email, user.email, customer.email,
// contact.email, customer_email, the same below "data", data.object.email,
// data.object.customer_email. EMAIL_FIELD names another field, as a dotted path.
//
// The name is read from firstName and lastName, or fullName or name, at the top or below user,
// customer, contact or data. NAME_FIELD names another field, as a dotted path.
//
// Close does not recognize repeated requests: if a connection breaks before the response, a note or
// lead may be created twice.

function handler(webhook) {
  const key = required(webhook.env, "API_KEY", "in Close, open Settings > Developer > API Keys");
  const leadId = findLeadId(webhook);
  const email = findEmail(webhook);
  if (leadId === undefined && !createsLead(webhook)) {
    const type = cut(webhook.eventType, 100);
    return skip(webhook, "the payload has no id of a lead, and LEAD_EVENTS does not contain " + type);
  }
  if (leadId === undefined && email === undefined) return skip(webhook, "the payload has no email address");

  return {
    method: "POST",
    url: "https://api.close.com/api/v1" + (leadId === undefined ? "/lead/" : "/activity/note/"),
    headers: { Authorization: "Basic " + base64(key + ":") },
    payload: leadId === undefined ? lead(webhook, email) : { lead_id: leadId, note: note(webhook) },
  };
}

function findLeadId(webhook) {
  const own = setting(webhook.env, "LEAD_ID_FIELD");
  const places = ["", "data.", "user.", "customer.", "metadata.", "data.metadata."];
  const paths = own ? [own] : places.flatMap((place) => [place + "leadId", place + "lead_id"]);
  return findText(webhook.payload, paths, (text) => /^lead_\w{1,100}$/.test(text));
}

function createsLead(webhook) {
  const types = setting(webhook.env, "LEAD_EVENTS",
    "user.created, customer.created, contact.created, lead.created, account.created");
  return types.split(",").some((type) => type.trim() === webhook.eventType);
}

function lead(webhook, email) {
  const { first, last } = findName(webhook);
  const name = [first, last].filter((part) => part !== undefined).join(" ");
  const companies = ["company", "company.name", "user.company", "customer.company", "data.company", "data.company.name"];
  const company = findText(webhook.payload, companies, (text) => text.length <= 200);
  const status = setting(webhook.env, "STATUS_ID");
  return {
    name: company ?? (name || email),
    ...(status !== undefined && { status_id: status }),
    description: note(webhook),
    contacts: [{ ...(name !== "" && { name }), emails: [{ type: "office", email }] }],
  };
}

function note(webhook) {
  return cut(cut(webhook.eventType, 500) + "\n" + lines(webhook, 60, 500), 10000);
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
