// Sends the event as a message of a Telegram bot: plain text with the event type and one line per
// value of the payload.
//
// Telegram allows 4,096 characters. What exceeds this is cut.

function handler(webhook) {
  const { env } = webhook;
  const token = required(env, "BOT_TOKEN", "write /newbot to @BotFather in Telegram");
  const chat = required(env, "CHAT_ID",
    "write to the bot and read chat.id from its getUpdates, or use the name of a public channel, such as @news");
  if (!/^\d+:[\w-]+$/.test(token)) {
    throw new Error("The variable BOT_TOKEN is not valid: it has the form 123456:ABC-DEF");
  }
  const thread = setting(env, "THREAD_ID");
  if (thread !== undefined && !/^\d{1,15}$/.test(thread)) {
    throw new Error("The variable THREAD_ID is not valid: it is a number");
  }
  const silent = choice(env, "SILENT", ["true", "false"], "false") === "true";
  return {
    method: "POST",
    url: "https://api.telegram.org/bot" + token + "/sendMessage",
    payload: {
      chat_id: chat,
      ...(thread !== undefined && { message_thread_id: Number(thread) }),
      text: cut(cut(webhook.eventType, 500) + "\n\n" + lines(webhook, 60, 500), 4096),
      link_preview_options: { is_disabled: true },
      ...(silent && { disable_notification: true }),
    },
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
