#!/usr/bin/env python3
"""Receive webhooks, verify them as Standard Webhooks specifies, and print them.

Usage: receiver.py SECRET [PORT]

Requires only Python. `postrider endpoint secret APP ENDPOINT` prints the secret (whsec_...).
"""

import base64
import hashlib
import hmac
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE_SECONDS = 5 * 60


def is_valid(secret: str, headers, body: bytes) -> bool:
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(digest).decode()
    signatures = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(expected, signature) for signature in signatures)


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    secret = ""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        valid = is_valid(self.secret, self.headers, body)
        print(
            self.headers.get("webhook-id"),
            "valid" if valid else "NOT VALID",
            body.decode(errors="replace"),
            flush=True,
        )
        self.send_response(204 if valid else 400)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    Receiver.secret = sys.argv[1]
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 9000
    print(f"listening on http://127.0.0.1:{port}", flush=True)
    # Events can arrive in bursts; by default only five connections may wait to be accepted.
    ThreadingHTTPServer.request_queue_size = 128
    ThreadingHTTPServer(("127.0.0.1", port), Receiver).serve_forever()
