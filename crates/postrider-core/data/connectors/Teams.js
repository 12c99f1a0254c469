// Posts the event to a channel or chat of Microsoft Teams. The URL of the endpoint is the URL of a
// workflow with the trigger "When a Teams webhook request is received".
//
// The message is an Adaptive Card with the event type as title and one line per value of the
// payload. The lines are text runs, in which Markdown has no meaning.
//
// Teams drops messages above 28 KB, so values are cut to 500 characters, and those that exceed 24
// KB in total are left out.

function handler(webhook) {
  const { list, more } = leaves(webhook.payload, 50);
  const body = [line([{ type: "TextRun", text: cut(webhook.eventType, 200), size: "Large", weight: "Bolder" }])];
  let left = 24000;
  for (const { path, value } of list) {
    const next = line([
      { type: "TextRun", text: cut(path, 100) + ": ", weight: "Bolder" },
      { type: "TextRun", text: show(value, 500) },
    ]);
    left -= size(JSON.stringify(next));
    if (left < 0) break;
    body.push(next);
  }
  if (more || body.length <= list.length) {
    body.push(line([{ type: "TextRun", text: "More fields are not shown.", isSubtle: true }]));
  }
  return {
    method: "POST",
    url: webhook.url,
    payload: {
      type: "message",
      attachments: [{
        contentType: "application/vnd.microsoft.card.adaptive",
        contentUrl: null,
        content: {
          $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
          type: "AdaptiveCard",
          version: "1.4",
          msteams: { width: "Full" },
          body,
        },
      }],
    },
  };
}

function line(inlines) {
  return { type: "RichTextBlock", inlines };
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

// Returns an upper bound of the length of a text in UTF-8, in bytes.
function size(text) {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) bytes += 2;
  return bytes;
}
