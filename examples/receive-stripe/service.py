#!/usr/bin/env python3
"""A service that fails twice for each event and accepts it the third time.

Usage: service.py [PORT]

Requires only Python.
"""

import sys
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FAILURES = 2


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    tries = Counter()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        event = self.headers.get("postrider-event-id")
        Service.tries[event] += 1
        done = Service.tries[event] > FAILURES
        kind = self.headers.get("postrider-event-type")
        print(f"try {Service.tries[event]}: {kind} {event}, {len(body)} bytes:",
              "done" if done else "failed", flush=True)
        self.send_response(204 if done else 500)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
    server = ThreadingHTTPServer(("127.0.0.1", port), Service)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
