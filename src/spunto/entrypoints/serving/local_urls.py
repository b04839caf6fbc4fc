"""Where a server is reached from its own machine, by programs and by people."""

from typing import Final

from spunto.core.kernel.loopback import is_loopback

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
