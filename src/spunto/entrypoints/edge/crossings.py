"""Which requests of one site may reach a worker's port with the visitor's cookie; pure.

Workers' hosts are one site to a browser, so that its cookie travels from any of them to any other. What the browser
says of a request's origin decides (Fetch Metadata Request Headers, https://www.w3.org/TR/fetch-metadata/).
"""

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from spunto.entrypoints.edge.seams import Headers

_SAFE: Final = frozenset({b"GET", b"HEAD"})
_ALLOWED_METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_PURPOSES: Final = frozenset({b"sec-purpose", b"purpose", b"x-purpose", b"x-moz"})
_PREFLIGHT_SECONDS: Final = b"600"


def first(headers: Headers, name: bytes) -> bytes | None:
    """The first value of a header."""
    return next((value for key, value in headers if key == name), None)


def is_ahead(headers: Headers) -> bool:
    """Whether the browser asks before anybody went there (Sec-Purpose; the others are older browsers')."""
    for name, value in headers:  # noqa: SIM110 - asked of every request, and a generator takes twice as long
        if name in _PURPOSES and value.lower().startswith((b"prefetch", b"preview")):
            return True
    return False


def is_navigation(method: bytes, headers: Headers) -> bool:
    """Whether a person goes to the page: by Fetch Metadata, and where the browser sends none (over plain http on a LAN)
    by asking for HTML. A browser that asks ahead asks again when the person goes there, if it is refused."""
    return method == b"GET" and _goes_to_page(headers) and not is_ahead(headers)


def _goes_to_page(headers: Headers) -> bool:
    destination, mode = first(headers, b"sec-fetch-dest"), first(headers, b"sec-fetch-mode")
    if destination is not None or mode is not None:
        return destination == b"document" and mode in (None, b"navigate")
    # Who goes to a page sends no origin; a script does that asks for HTML.
    is_script = first(headers, b"origin") is not None or first(headers, b"x-requested-with") is not None
    return b"text/html" in (first(headers, b"accept") or b"") and not is_script


def is_preflight(method: bytes, headers: Headers) -> bool:
    return method == b"OPTIONS" and first(headers, b"access-control-request-method") is not None


def may_cross(
    method: bytes,
    headers: Headers,
    *,
    is_upgrade: bool,
    is_own: Callable[[str], bool],
    app_origin: str,
) -> bool:
    """Whether a request with a cookie is what its visitor meant. `is_own` knows the origins of the worker's ports."""
    origin = _text(first(headers, b"origin"))
    site = _text(first(headers, b"sec-fetch-site"))
    if is_upgrade or method not in _SAFE:
        if origin is None:
            return site == "same-origin" or (site == "none" and not is_upgrade)
        return is_own(origin) or origin == app_origin
    if is_navigation(method, headers):
        return True
    referer = _text(first(headers, b"referer"))
    # Over plain http on a LAN browsers do not say which site asks, but for these two.
    is_told = site is None and (origin is not None or referer is not None)
    if site in ("same-site", "cross-site") or is_told:
        return is_own(origin if origin is not None else _origin_of(referer))
    return True


def preflight_answer(headers: Headers) -> list[tuple[bytes, bytes]]:
    """What a browser needs to hear before a page on one port asks another port of the same worker."""
    wanted = first(headers, b"access-control-request-headers")
    answer = [
        *shared_with(headers),
        (b"access-control-allow-methods", _ALLOWED_METHODS),
        (b"access-control-max-age", _PREFLIGHT_SECONDS),
    ]
    return answer if wanted is None else [*answer, (b"access-control-allow-headers", wanted)]


def shared_with(headers: Headers) -> list[tuple[bytes, bytes]]:
    """That the origin that asked may read the answer, with its visitor's cookie."""
    origin = first(headers, b"origin") or b""
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"vary", b"Origin"),
    ]


def without_sharing(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Without what the application itself says of who may read its answer, but for what it exposes."""
    return [
        (name, value)
        for name, value in headers
        if name not in (b"access-control-allow-origin", b"access-control-allow-credentials")
    ]


def _origin_of(url: str | None) -> str:
    try:
        parts = urlsplit(url or "")
        return f"{parts.scheme}://{parts.netloc}"
    except ValueError:
        return ""


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin1").strip()
