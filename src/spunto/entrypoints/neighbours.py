"""Where the other server processes come in: a listener of its own, beside the one for everybody else."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from spunto.core.kernel.errors import Invalid
from spunto.entrypoints.library import Spunto
from spunto.entrypoints.serving.settings import Settings
from spunto.entrypoints.ws.replicas import ReplicaDoor
from spunto.entrypoints.ws.sockets import Sockets

_PORTS = {"http": 80, "https": 443}


@contextmanager
def listening_for_replicas(settings: Settings) -> Iterator[socket.socket | None]:
    """The socket for the other servers, bound now; None where nobody was told how to reach this one. Raises Invalid."""
    if settings.replica_url is None:
        yield None
        return
    host, port = _address(settings.replica_url, settings.replica_listen)
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise Invalid("cannot_listen", f"can't listen for other servers on {host}:{port}") from error
    with listener:
        yield listener


def replica_door(spunto: Spunto, sockets: Sockets) -> ReplicaDoor:
    return ReplicaDoor(spunto.peers, spunto.turnstile, sockets)


def _address(url: str, listen: str | None) -> tuple[str, int]:
    if listen is not None:
        host, _, port = listen.rpartition(":")
        return host.strip("[]"), int(port)
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _PORTS[parts.scheme]
