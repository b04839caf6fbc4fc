"""Which proxy leads to a server, by the environment's variables; what is on this machine is never behind one."""

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from spunto.core.kernel.errors import Invalid
from spunto.core.kernel.loopback import is_loopback

_SCHEMES = ("http", "https", "socks5", "socks5h")


def proxy_of(url: str) -> str | None:
    """The proxy's URL for an http, https, ws or wss URL; None for the direct way.

    Raises Invalid `invalid_proxy` where the environment names one that can't be.
    """
    address = urlsplit(url)
    host = address.hostname or ""
    if is_loopback(host) or proxy_bypass(host if address.port is None else f"{host}:{address.port}"):
        return None
    known = getproxies()
    kind = "https" if address.scheme in ("https", "wss") else "http"
    proxy = known.get(kind) or known.get("all")
    if not proxy:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if not _is_usable(proxy):
        variable = kind if known.get(kind) else "all"
        raise Invalid(
            "invalid_proxy", f"{variable.upper()}_PROXY is not the URL of a proxy, such as http://proxy:3128."
        )
    return proxy


def without_password(proxy: str) -> str:
    """How a proxy is named to people."""
    address = urlsplit(proxy)
    return f"{address.scheme}://{address.netloc.rpartition('@')[2]}"


def _is_usable(proxy: str) -> bool:
    try:
        address = urlsplit(proxy)
        return address.scheme in _SCHEMES and bool(address.hostname) and address.port != 0
    except ValueError:
        return False
