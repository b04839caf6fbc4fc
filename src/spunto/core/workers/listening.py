"""What listens for TCP in a worker, read from `ss -tlnpH` (ss(8))."""

import re
from dataclasses import dataclass

from spunto.core.routes.desired import Sharing

COMMAND = ("ss", "-tlnpH")
_PROCESS = re.compile(r'users:\(\("([^"]*)"')
_PORT = re.compile(r"[0-9]{1,5}\Z")
# Docker listens here in every container on a network of its own, for the DNS of that network.
_ENGINE_DNS = "127.0.0.11"


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


def parse(output: str) -> list[Listener]:
    """Listeners by port and address; lines of another shape are passed over."""
    found = {listener for line in output.split("\n") if (listener := _listener(line)) is not None}
    return sorted(found, key=lambda each: (each.port, each.address, each.process or ""))


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
