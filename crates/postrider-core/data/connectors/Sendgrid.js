// Sends an email through SendGrid: to TO_EMAIL or else to the address in the payload. Without an
// address, nothing is sent.
//
// With TEMPLATE_ID, the dynamic template gets { eventType, payload }. Otherwise the text is TEXT or
// the fields of the payload. SUBJECT and TEXT may contain {{eventType}} and paths in the payload
// such as {{data.name}}.
//
// The email address is the first of these fields that holds one: email, user.email, customer.email,
// contact.email, customer_email, the same below "data", data.object.email,
// data.object.customer_email. EMAIL_FIELD names another field, as a dotted path.
//
// The name is read from firstName and lastName, or fullName or name, at the top or below user,
// customer, contact or data. NAME_FIELD names another field, as a dotted path.
//
// SendGrid does not recognize repeated requests: if a connection breaks before the response, the
// email may arrive twice.

function handler(webhook) {
  const { env } = webhook;
  const key = required(env, "API_KEY",
    "in SendGrid, open Settings > API Keys and create a key with the permission Mail Send");
  const from = required(env, "FROM_EMAIL",
    "an address that SendGrid shows as verified under Settings > Sender Authentication");
  const fromName = setting(env, "FROM_NAME");
  const template = setting(env, "TEMPLATE_ID");
  const region = choice(env, "REGION", ["global", "eu"], "global");
  const to = recipients(webhook);
  if (to.length === 0) return skip(webhook, "the payload has no email address, and TO_EMAIL is not set");

  const data = { eventType: webhook.eventType, payload: webhook.payload };
  return {
    method: "POST",
    url: "https://" + (region === "eu" ? "api.eu.sendgrid.com" : "api.sendgrid.com") + "/v3/mail/send",
    headers: { Authorization: "Bearer " + key },
    payload: {
      personalizations: [{ to: named(webhook, to), ...(template !== undefined && { dynamic_template_data: data }) }],
      from: { email: from, ...(fromName !== undefined && { name: fromName }) },
      subject: subjectLine(webhook),
      ...(template !== undefined && { template_id: template }),
      ...(template === undefined && { content: [{ type: "text/plain", value: body(webhook) }] }),
      custom_args: { event_type: cut(webhook.eventType, 255) },
    },
  };
}

// Adds the name in the payload to the address in the payload. SendGrid refuses repeated addresses.
function named(webhook, to) {
  const unique = to.filter((email, i) => to.findIndex((other) => other.toLowerCase() === email.toLowerCase()) === i);
  if (setting(webhook.env, "TO_EMAIL") !== undefined) return unique.map((email) => ({ email }));
  const { first, last } = findName(webhook);
  const name = [first, last].filter((part) => part !== undefined).join(" ");
  return unique.map((email) => (name === "" ? { email } : { email, name }));
}

function body(webhook) {
  const text = setting(webhook.env, "TEXT");
  const filled = text === undefined ? lines(webhook, 200, 2000) : fill(text, webhook);
  return filled.trim() === "" ? webhook.eventType : filled;
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
