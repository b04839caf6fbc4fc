"""Pages of somebody else: on another site, and on the same site under another port, which browsers trust more."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ForeignSite:
    """`page` is what every address of it shows."""

    def __init__(self) -> None:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = site.page.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                pass

        self.page = ""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def origins(self) -> dict[str, str]:
        port = self._server.server_address[1]
        return {"cross-site": f"http://evil.test:{port}", "same-site": f"http://127.0.0.1:{port}"}

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["ForeignSite"]:
        site = cls()
        thread = threading.Thread(target=site._server.serve_forever, name="foreign site")
        thread.start()
        try:
            yield site
        finally:
            site._server.shutdown()
            site._server.server_close()
            thread.join()
