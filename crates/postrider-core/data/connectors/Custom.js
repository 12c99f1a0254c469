// Passes the event on unchanged. Change it as you need.
//
// The code runs before each attempt, for at most 100 ms, without access to networks and files. What
// it writes with console.log is shown with the attempt.

function handler(webhook) {
  // What the code gets:
  //   webhook.method     "POST"
  //   webhook.url        the URL of the endpoint
  //   webhook.payload    the payload of the message
  //   webhook.eventType  such as "invoice.paid" (read-only)
  //   webhook.channels   the channels of the message (read-only)
  //   webhook.env        the variables of the transformation, as texts (read-only)
  //   webhook.transformationsParams.headers  headers that came with the message (read-only)

  return {
    // "POST", "PUT" or "PATCH"
    method: webhook.method,

    // Another URL, such as: webhook.url + "?type=" + encodeURIComponent(webhook.eventType)
    url: webhook.url,

    // The body: an object is sent as JSON, a text as it is.
    // For example: { type: webhook.eventType, data: webhook.payload }
    payload: webhook.payload,

    // Headers, which replace those of the endpoint. For example:
    // headers: { Authorization: "Bearer " + webhook.env.API_KEY },

    // Sends nothing; the attempt counts as a success. For example, for test data:
    // cancel: webhook.payload.livemode === false,
  };
}
