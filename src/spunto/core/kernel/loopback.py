"""Names of this very machine, and the one that every program finds it by."""

from ipaddress import ip_address
from urllib.parse import urlsplit

_SUFFIX = ".localhost"


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(_SUFFIX):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def programs_url(url: str) -> str:
    """The same server, by a name that every program resolves: system resolvers don't know what is below `localhost`."""
    parts = urlsplit(url)
    if not (parts.hostname or "").endswith(_SUFFIX):
        return url
    return parts._replace(netloc="127.0.0.1" if parts.port is None else f"127.0.0.1:{parts.port}").geturl()
