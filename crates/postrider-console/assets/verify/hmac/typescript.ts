// npm install standardwebhooks
// For frameworks with standard requests: Next.js, Hono, SvelteKit, Deno, Bun, Workers.
import { Webhook, WebhookVerificationError } from "standardwebhooks";

const webhook = new Webhook(process.env.WEBHOOK_SECRET!); // whsec_…

export async function POST(request: Request): Promise<Response> {
  const body = await request.text();
  let event: unknown;
  try {
    event = webhook.verify(body, Object.fromEntries(request.headers));
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    return new Response(null, { status: 400 });
  }
  console.log(request.headers.get("webhook-id"), event);
  return new Response(null, { status: 204 });
}
