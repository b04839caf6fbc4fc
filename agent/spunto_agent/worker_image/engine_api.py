"""Speaks to a container engine's HTTP API with nothing but the standard library, before any package is installed."""

import http.client
import json
import socket
import sys
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlencode, urlsplit

PING_TIMEOUT_SECONDS = 5
IMPORT_TIMEOUT_SECONDS = 300


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection over a Unix socket."""

    def __init__(self, path: str, *, timeout_seconds: float) -> None:
        super().__init__("localhost", timeout=timeout_seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def connection_to(url: str, *, timeout_seconds: float) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return UnixConnection(parts.path, timeout_seconds=timeout_seconds)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_seconds)


def request(
    url: str, method: str, path: str, *, body: BinaryIO | None = None, timeout_seconds: float = PING_TIMEOUT_SECONDS
) -> tuple[int, bytes]:
    connection = connection_to(url, timeout_seconds=timeout_seconds)
    try:
        connection.request(method, path, body, {"Content-Type": "application/x-tar"} if body else {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def kind_of(url: str) -> str | None:
    """Say which kind of engine answers at a URL, if any does."""
    try:
        status, body = request(url, "GET", "/version")
        names = [str(component["Name"]) for component in json.loads(body).get("Components") or []]
    except (OSError, ValueError, http.client.HTTPException):
        return None
    if status != http.client.OK:
        return None
    return "podman" if any(name.startswith("Podman") for name in names) else "docker"


def has_image(url: str, image: str) -> bool:
    return request(url, "GET", f"/images/{image}/json")[0] == http.client.OK


def import_image(url: str, image: str, archive: Path, changes: list[str]) -> None:
    query = urlencode([("fromSrc", "-"), ("repo", image), *(("changes", change) for change in changes)])
    with archive.open("rb") as body:
        status, answer = request(
            url, "POST", f"/images/create?{query}", body=body, timeout_seconds=IMPORT_TIMEOUT_SECONDS
        )
    # Both engines answer 200 before they have read the archive, and put an error into the stream.
    if status != http.client.OK or not has_image(url, image):
        sys.exit(f"spunto: {url} did not take {image}: {answer.decode(errors='replace').strip()}")


def main(command: str, *arguments: str) -> int:
    """Run `find KIND URL...`, `has URL IMAGE` or `import URL IMAGE ARCHIVE CHANGE...`."""
    if command == "find":
        kind, *urls = arguments
        found = next((url for url in urls if url and kind_of(url) == kind), None)
        sys.stdout.write(f"{found}\n" if found else "")
        return 0 if found else 1
    url, image, *rest = arguments
    if command == "has":
        return 0 if has_image(url, image) else 1
    import_image(url, image, Path(rest[0]), rest[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
