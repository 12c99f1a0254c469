// Posts the event to a Slack channel. The URL of the endpoint is the URL of an incoming webhook.
//
// The message has the event type as header and one line per value of the payload. In values, &, <
// and > are escaped, so that they contain no links and mentions.
//
// Slack allows 150 characters in a header, 3,000 in a section and 50 blocks. At most 40 values of
// 400 characters are shown.

function handler(webhook) {
  const { list, more } = leaves(webhook.payload, 40);
  const sections = [""];
  for (const { path, value } of list) {
    const line = "*" + escapeText(cut(path, 80)) + ":* " + escapeText(show(value, 400)) + "\n";
    if (sections.at(-1).length + line.length > 3000) sections.push("");
    sections[sections.length - 1] += line;
  }
  const blocks = [
    { type: "header", text: { type: "plain_text", text: cut(webhook.eventType, 150), emoji: false } },
    ...sections.map((text) => ({ type: "section", text: { type: "mrkdwn", text: text.trimEnd() } })),
  ];
  if (more) blocks.push({ type: "context", elements: [{ type: "plain_text", text: "More fields are not shown." }] });
  return {
    method: "POST",
    url: webhook.url,
    // Notifications show "text", and the channel shows "blocks".
    payload: { text: escapeText(cut(webhook.eventType, 500)), blocks },
  };
}

function escapeText(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
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
