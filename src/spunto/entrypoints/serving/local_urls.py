"""Where a server is reached from its own machine."""

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1", "": "127.0.0.1"}


def local_url(host: str, port: int) -> str:
    """The URL of a server that listens there; an IPv6 address stands in brackets."""
    bracketed = f"[{host}]" if ":" in host else host
    return f"http://{_EVERYWHERE.get(host, bracketed)}:{port}"
