// For frameworks with standard requests: Next.js, Hono, SvelteKit, Deno, Bun, Workers.
const decode = (text: string) => Uint8Array.from(atob(text), (it) => it.charCodeAt(0));

const key = await crypto.subtle.importKey(
  "raw",
  decode(process.env.WEBHOOK_PUBLIC_KEY!.replace("whpk_", "")),
  "Ed25519",
  false,
  ["verify"],
);

async function isValid(body: string, headers: Headers): Promise<boolean> {
  const timestamp = headers.get("webhook-timestamp") ?? "";
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= 300)) return false;
  const signed = new TextEncoder().encode(`${headers.get("webhook-id")}.${timestamp}.${body}`);
  for (const signature of (headers.get("webhook-signature") ?? "").split(" ")) {
    const [version, value] = signature.split(",");
    if (version !== "v1a" || !value) continue;
    if (await crypto.subtle.verify("Ed25519", key, decode(value), signed)) return true;
  }
  return false;
}

export async function POST(request: Request): Promise<Response> {
  const body = await request.text();
  if (!(await isValid(body, request.headers))) return new Response(null, { status: 400 });
  console.log(request.headers.get("webhook-id"), JSON.parse(body));
  return new Response(null, { status: 204 });
}
