"""What listens for TCP in a worker: as its node's agent sees it, else as `ss -tlnpH` (ss(8)) says in the worker."""

import re
from dataclasses import dataclass
from typing import Final

import orjson

from spunto.core.routes.desired import Sharing
from spunto.core.workers.answers import unreadable

STREAM: Final = "ports"
MAX_ANSWER_BYTES: Final = 1024 * 1024
COMMAND = ("ss", "-tlnpH")
_PROCESS = re.compile(r'users:\(\("([^"]*)"')
_PORT = re.compile(r"[0-9]{1,5}\Z")
# Docker listens here in every container on a network of its own, for the DNS of that network.
_ENGINE_DNS = "127.0.0.11"
_MAX_PORT: Final = 65_535
_MAX_TEXT: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    port: int
    address: str
    process: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPort:
    """A listener, where it is reached from outside, and by whom beside its owner."""

    listener: Listener
    url: str
    sharing: Sharing


def read(answer: bytes) -> list[Listener] | None:
    """What an agent told, None where it can't look at the worker's processes.

    Raises Unavailable `node_answer_unreadable`.
    """
    try:
        body = orjson.loads(answer)
    except orjson.JSONDecodeError as error:
        raise unreadable() from error
    match body:
        case {"items": None}:
            return None
        case {"items": list(items)}:
            return _in_order({_told(item) for item in items})
    raise unreadable()


def parse(output: str) -> list[Listener]:
    """Listeners by port and address; lines of another shape are passed over."""
    return _in_order({listener for line in output.split("\n") if (listener := _listener(line)) is not None})


def _in_order(found: set[Listener]) -> list[Listener]:
    return sorted(found, key=lambda each: (each.port, each.address, each.process or ""))


def _told(item: object) -> Listener:
    match item:
        case {"port": int(port), "address": str(address), "process": str() | None as process} if (
            0 < port <= _MAX_PORT and len(address) <= _MAX_TEXT and len(process or "") <= _MAX_TEXT
        ):
            return Listener(port=int(port), address=address, process=process)
    raise unreadable()


def _listener(line: str) -> Listener | None:
    fields = line.split()
    if len(fields) < 4 or fields[0] != "LISTEN":
        return None
    address, _, port = fields[3].rpartition(":")
    if _PORT.match(port) is None:
        return None
    process = _PROCESS.search(line)
    if process is None and address == _ENGINE_DNS:
        return None
    return Listener(port=int(port), address=address.strip("[]"), process=process[1] if process else None)
