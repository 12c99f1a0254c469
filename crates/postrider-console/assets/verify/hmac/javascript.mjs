// npm install express standardwebhooks
import express from "express";
import { Webhook, WebhookVerificationError } from "standardwebhooks";

const webhook = new Webhook(process.env.WEBHOOK_SECRET); // whsec_…
const app = express();

// The signature covers the bytes of the body, so do not let express.json() parse it first.
app.post("/webhooks", express.raw({ type: "*/*" }), (request, response) => {
  let event;
  try {
    event = webhook.verify(request.body, request.headers);
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    return response.status(400).end();
  }
  response.status(204).end(); // Respond first, then do the work.
  console.log(request.headers["webhook-id"], event);
});

app.listen(process.env.PORT ?? 3000);
