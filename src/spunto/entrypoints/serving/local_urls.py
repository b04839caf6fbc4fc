"""Where a server is reached from its own machine, by programs and by people."""

from typing import Final
from urllib.parse import urlsplit

from spunto.core.kernel.proxies import is_loopback

PEOPLES_HOST: Final = "spunto.localhost"
"""Browsers resolve it to the machine itself, and keep its cookies apart from those of whatever else runs there."""
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1", "": "127.0.0.1"}


def local_url(host: str, port: int) -> str:
    """The URL of a server that listens there; an IPv6 address stands in brackets."""
    bracketed = f"[{host}]" if ":" in host else host
    return f"http://{_EVERYWHERE.get(host, bracketed)}:{port}"


def peoples_url(host: str, port: int) -> str | None:
    """The URL that people use of a box that only its own machine reaches; None for others, and where not every browser
    would find it."""
    return f"http://{PEOPLES_HOST}:{port}" if is_loopback(host) and ":" not in host else None


def programs_url(url: str) -> str:
    """The same server, by a name that every program resolves: system resolvers don't know what is below `localhost`."""
    parts = urlsplit(url)
    if not (parts.hostname or "").endswith(".localhost"):
        return url
    return parts._replace(netloc="127.0.0.1" if parts.port is None else f"127.0.0.1:{parts.port}").geturl()
