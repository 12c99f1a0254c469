// Runs a script or flow in Windmill. The URL of the endpoint is the URL of its asynchronous
// webhook, such as https://app.windmill.dev/api/w/acme/jobs/run/p/f/webhooks/paid.
//
// The script or flow gets the arguments "eventType" and "payload". The payload is sent in full,
// because a job should not run with a part of it.
//
// Windmill does not recognize repeated requests: if a connection breaks before the response, the
// job may run twice.

function handler(webhook) {
  const token = required(webhook.env, "TOKEN",
    "in Windmill, open the script or flow, then Triggers > Webhooks, and create a webhook-specific token");
  return {
    method: "POST",
    url: webhook.url,
    headers: { Authorization: "Bearer " + token },
    payload: { eventType: webhook.eventType, payload: webhook.payload },
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
