"""A receiver with configurable responses that records its calls."""

import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATIENCE = 60.0


class Arrival:
    def __init__(self, headers, body):
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body


class Receiver:
    def __init__(self):
        self._arrivals = {}
        self._status = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def url(self, name):
        return f"http://127.0.0.1:{self._server.server_port}/{name}"

    def answer(self, name, status):
        """Set the status of responses to `name`."""
        self._status[name] = status

    def next(self, name):
        """Wait for the next call of `name`."""
        try:
            return self._box(name).get(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError(f"nothing arrived at /{name}") from None

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def _box(self, name):
        with self._lock:
            return self._arrivals.setdefault(name, queue.Queue())

    def _handler(receiver):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                name = self.path.lstrip("/")
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver._box(name).put(Arrival(self.headers.items(), body))
                self.send_response(receiver._status.get(name, 200))
                self.send_header("content-length", "5")
                self.send_header("x-receiver", "python")
                self.end_headers()
                self.wfile.write(b"taken")

            def log_message(self, *_):
                pass

        return Handler
