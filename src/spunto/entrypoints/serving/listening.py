"""The sockets that a process serves on, bound before anything else is opened."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from spunto.core.kernel.errors import Invalid


@contextmanager
def listening_on(host: str, port: int) -> Iterator[socket.socket]:
    """The socket to serve on, bound now. Raises Invalid, such as for a port that another program has."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # `::` is every address, of IPv4 too, also where the machine's own default is another one.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise Invalid("cannot_listen", f"can't listen on {host}:{port}") from error
        yield listener
