// npm install express
import { createPublicKey, verify } from "node:crypto";
import express from "express";

// The public key, whpk_…, with the prefix that all Ed25519 keys have in DER.
const bytes = Buffer.from(process.env.WEBHOOK_PUBLIC_KEY.replace("whpk_", ""), "base64");
const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), bytes]);
const key = createPublicKey({ key: der, format: "der", type: "spki" });

function isValid(body, headers) {
  const id = headers["webhook-id"] ?? "";
  const timestamp = headers["webhook-timestamp"] ?? "";
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= 300)) return false;
  const signed = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
  return (headers["webhook-signature"] ?? "").split(" ").some((signature) => {
    const [version, value] = signature.split(",");
    return version === "v1a" && verify(null, signed, key, Buffer.from(value ?? "", "base64"));
  });
}

const app = express();

app.post("/webhooks", express.raw({ type: "*/*" }), (request, response) => {
  if (!isValid(request.body, request.headers)) return response.status(400).end();
  response.status(204).end(); // Respond first, then do the work.
  console.log(request.headers["webhook-id"], JSON.parse(request.body));
});

app.listen(process.env.PORT ?? 3000);
