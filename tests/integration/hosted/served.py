"""What runs in a worker: a page, what it was asked, and an echo by WebSocket. `python3 served.py PORT`."""

import base64
import hashlib
import http.server
import json
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers.get("Upgrade") == "websocket":
            self.echo()
        elif self.path == "/page":
            self.answer(b"<!doctype html><title>served</title><h1>A page</h1>", "text/html")
        else:
            self.answer(
                json.dumps({name.lower(): value for name, value in self.headers.items()}).encode(), "application/json"
            )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])) if "Content-Length" in self.headers else b""
        while "Transfer-Encoding" in self.headers and (size := int(self.rfile.readline(), 16)):
            body += self.rfile.read(size + 2)[:-2]
        self.answer(hashlib.sha256(body).hexdigest().encode(), "text/plain")

    def echo(self) -> None:
        """The first message, which is short, comes back."""
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        kind, size = self.rfile.read(2)
        mask = self.rfile.read(4)
        said = bytes(byte ^ mask[place % 4] for place, byte in enumerate(self.rfile.read(size & 0x7F)))
        self.wfile.write(bytes([kind, len(said)]) + said)
        # Until the other end is gone.
        self.rfile.read(1)
        self.close_connection = True

    def answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
