"""HTTP by hand: bytes go out as they are, and what comes back is read apart."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

ANSWER_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json", self
        problem: dict[str, Any] = json.loads(self.body)
        assert problem["status"] == self.status
        return problem


class Wire:
    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._received = b""

    def send(self, raw: bytes) -> None:
        self.socket.sendall(raw)

    def answer(self, *, to_head: bool = False) -> Answer | None:
        """The next one; None where the connection ends without one."""
        while b"\r\n\r\n" not in self._received:
            if not self._more():
                return None
        head, _, rest = self._received.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = 0 if to_head else int(headers.get("content-length", "0"))
        while len(rest) < length:
            more = self._more()
            assert more, "the answer was cut off"
            rest += more
        self._received = rest[length:]
        return Answer(status=int(status.split()[1]), headers=headers, body=rest[:length])

    def ends(self) -> bool:
        """Whether the server ends the connection, and sends nothing more."""
        return not self._received and not self._more()

    def _more(self) -> bytes:
        try:
            more = self.socket.recv(65536)
        except ConnectionResetError:
            more = b""
        self._received += more
        return more


@contextmanager
def wire(url: str) -> Iterator[Wire]:
    place = urlsplit(url)
    with socket.create_connection((place.hostname or "", place.port or 80), timeout=ANSWER_SECONDS) as connection:
        yield Wire(connection)


def asked(url: str, raw: bytes) -> Answer | None:
    """The answer to these bytes on a connection of their own."""
    with wire(url) as connection:
        connection.send(raw)
        return connection.answer()
